//! The API keys of a gateway file and of the files that it names, and the usage plans they are in.
//!
//! All is read from the document, so that its problems are told whatever else is wrong with it.
//! No message quotes a value. Not here: CSV (`key_files`), what a usage plan allows (`traffic`).

use std::{
    collections::{HashMap, HashSet, hash_map},
    path::PathBuf,
    sync::Arc,
};

use super::{Problems, document::Node, gateway_file::did_you_mean, key_files::Row, shorten};
use crate::{
    base::{
        Place, Problem, Severity,
        limits::{
            API_KEY_VALUE_BYTES_MAX, API_KEY_VALUE_BYTES_MIN, API_KEYS_MAX, PLANS_OF_KEY_MAX,
            PROBLEMS_MAX,
        },
    },
    plan::ApiKeyDraft,
    steps::api_key::Digest,
};

/// The keys, and who is in which usage plan.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) drafts: Vec<ApiKeyDraft>,
    /// By usage plan, in the document's order: places in `drafts`.
    pub(super) of_plans: Vec<Vec<usize>>,
    /// Whether these are all: no file was left unread.
    pub(super) are_all: bool,
}

impl Keys {
    /// Of a gateway without any.
    pub(super) fn none() -> Self {
        Self { are_all: true, ..Self::default() }
    }
}

/// The rows of a file of keys.
pub(super) struct KeyFile {
    pub(super) file: Arc<PathBuf>,
    pub(super) rows: Vec<Row>,
}

/// Reads the keys of the gateway file under `root` and of `files`.
pub(super) fn read(root: Node<'_>, files: Vec<KeyFile>, problems: &mut Problems) -> Keys {
    let mut reading =
        Reading { keys: Vec::new(), plans: plans(root), by_digest: HashMap::new(), problems };
    for node in root.find("apiKeys").into_iter().flat_map(Node::items) {
        reading.own(node);
    }
    for file in files {
        reading.file(file);
    }
    if reading.keys.len() > API_KEYS_MAX {
        let message = format!("{} API keys; at most {API_KEYS_MAX} are taken", reading.keys.len());
        reading.problems.error_nowhere(message, "remove those that are not used");
        return Keys::default();
    }
    reading.tell_twins();
    reading.join();
    reading.finish()
}

/// Where in a document texts stand that may be keys' values: those at known names that are none
/// are left out, so that a misspelt `value` is among the rest. Usage plans may name keys by them,
/// by mistake.
pub(super) fn secrets(root: Node<'_>) -> Vec<(u32, u32)> {
    const PUBLIC: [&str; 4] = ["name", "id", "enabled", "description"];
    let keys = root.find("apiKeys").into_iter().flat_map(Node::items);
    let entries = keys.flat_map(Node::entries).filter(|entry| !PUBLIC.contains(&entry.key));
    let mut found: Vec<Node<'_>> = entries.map(|entry| entry.value).collect();
    // With nothing found the list may have a wrong name: it is looked for by that.
    if !found.is_empty() || root.find("apiKeyFiles").is_some() {
        let named = plans(root).into_iter().flat_map(|plan| plan.keys);
        found.extend(
            named.filter(|node| node.as_str().is_some_and(|text| check_value(text).is_ok())),
        );
    }
    found.into_iter().map(Node::bytes).collect()
}

/// Whether a value can be a key's, and else why not, and the fix; neither says the value.
///
/// # Errors
/// The end of a sentence that begins with the key, and the fix.
pub(super) fn check_value(value: &str) -> Result<(), (String, &'static str)> {
    const FIX: &str = "write 20 to 128 printable ASCII characters, no spaces";
    let length = value.chars().count();
    if !(API_KEY_VALUE_BYTES_MIN..=API_KEY_VALUE_BYTES_MAX).contains(&length) {
        return Err((format!("its value has {length} characters"), FIX));
    }
    match value.chars().position(|letter| !letter.is_ascii_graphic()) {
        Some(at) => {
            let message =
                format!("character {} of its value is none that a header can carry", at + 1);
            Err((message, FIX))
        }
        None => Ok(()),
    }
}

/// What is kept of a value.
pub(super) fn digest_of(value: &str) -> Digest {
    Digest::of(value.as_bytes())
}

/// Where a key stands.
#[derive(Clone)]
enum At<'d> {
    Document(Node<'d>),
    Row(Arc<PathBuf>, u32),
}

impl At<'_> {
    fn place(&self) -> Place {
        match self {
            Self::Document(node) => node.place(),
            Self::Row(file, line) => {
                Place { file: Arc::clone(file), line: *line, column: 1, bytes: (0, 0) }
            }
        }
    }

    /// `line 7`, or `line 7 of keys.csv` for another document than `from`.
    fn phrase(&self, from: &Self) -> String {
        let (place, from) = (self.place(), from.place());
        match place.file == from.file {
            true => format!("line {}", place.line),
            false => format!("line {} of {}", place.line, place.file.display()),
        }
    }
}

struct Found<'d> {
    at: At<'d>,
    id: String,
    name: String,
    enabled: bool,
    digest: Digest,
    /// The usage plans that a row names.
    named: Vec<String>,
    /// The usage plans that it is in: as many as it may be, and one.
    plans: Vec<u16>,
    /// How many it is in beyond.
    more: usize,
}

/// A usage plan, as far as keys are concerned.
struct Plan<'d> {
    name: &'d str,
    id: &'d str,
    stages: HashSet<(&'d str, &'d str)>,
    keys: Vec<Node<'d>>,
}

fn plans<'d>(root: Node<'d>) -> Vec<Plan<'d>> {
    let items = |node: Node<'d>, key: &str| node.find(key).into_iter().flat_map(Node::items);
    let text = |node: Node<'d>, key: &str| node.find(key).and_then(Node::as_str);
    let read = |plan| {
        let name = text(plan, "name").unwrap_or_default();
        let stages = items(plan, "apiStages");
        let stages = stages.filter_map(|at| Some((text(at, "api")?, text(at, "stage")?)));
        let id = text(plan, "id").unwrap_or(name);
        Plan { name, id, stages: stages.collect(), keys: items(plan, "apiKeys").collect() }
    };
    items(root, "usagePlans").map(read).collect()
}

struct Reading<'d, 'p> {
    keys: Vec<Found<'d>>,
    plans: Vec<Plan<'d>>,
    by_digest: HashMap<Digest, usize>,
    problems: &'p mut Problems,
}

impl<'d> Reading<'d, '_> {
    /// A key of the gateway file.
    fn own(&mut self, node: Node<'d>) {
        let find = |key| node.find(key).filter(|found| !found.is_null());
        let text = |key| find(key).and_then(Node::as_str);
        let Some(name) = text("name") else { return };
        let label = format!("key {}", shorten(name));
        let digest = match (find("value"), find("valueSha256")) {
            (None, None) => {
                let message = format!("{label}: it has neither value nor valueSha256");
                let fix = "add value: 20 to 128 characters, or valueSha256: its SHA-256";
                return self.error(&At::Document(node), message, fix);
            }
            (Some(_), Some(at)) => {
                let message = format!("{label}: it has both value and valueSha256");
                return self.error(&At::Document(at), message, "remove one of them");
            }
            (Some(at), None) => match at.as_str().map(|value| (check_value(value), value)) {
                Some((Ok(()), value)) => digest_of(value),
                Some((Err((sentence, fix)), value)) => {
                    // Wrong lengths are the schema's to tell.
                    let length = value.chars().count();
                    if (API_KEY_VALUE_BYTES_MIN..=API_KEY_VALUE_BYTES_MAX).contains(&length) {
                        self.error(&At::Document(at), format!("{label}: {sentence}"), fix);
                    }
                    return;
                }
                None => return,
            },
            (None, Some(at)) => match at.as_str().and_then(Digest::parse) {
                Some(digest) => digest,
                None => return,
            },
        };
        let found = Found {
            at: At::Document(node),
            id: text("id").unwrap_or(name).to_owned(),
            name: name.to_owned(),
            enabled: node.find("enabled").and_then(Node::as_bool).unwrap_or(true),
            digest,
            named: Vec::new(),
            plans: Vec::new(),
            more: 0,
        };
        if let Some(&known) = self.by_digest.get(&digest) {
            self.tell_same_value(&found, known);
        } else {
            self.by_digest.insert(digest, self.keys.len());
            self.keys.push(found);
        }
    }

    /// The keys of a file: a later row with the same value takes the place of an earlier one, as in
    /// AWS's import.
    fn file(&mut self, file: KeyFile) {
        for row in file.rows {
            if self.keys.len() > API_KEYS_MAX {
                return;
            }
            let Row { line, name, digest, enabled, plans: named } = row;
            let at = At::Row(Arc::clone(&file.file), line);
            let (id, plans) = (name.clone(), Vec::new());
            let found = Found { at, id, name, enabled, digest, named, plans, more: 0 };
            match self.by_digest.entry(digest) {
                hash_map::Entry::Vacant(free) => {
                    free.insert(self.keys.len());
                    self.keys.push(found);
                }
                hash_map::Entry::Occupied(known) => {
                    let known = *known.get();
                    if matches!(self.keys[known].at, At::Document(_)) {
                        self.tell_same_value(&found, known);
                        continue;
                    }
                    let name = shorten(&self.keys[known].name);
                    let first = self.keys[known].at.phrase(&found.at);
                    let message = format!(
                        "key {}: it has the value of key {name} in {first}, and takes its place",
                        shorten(&found.name)
                    );
                    self.add(Severity::Info, &found.at, message, "");
                    self.keys[known] = found;
                }
            }
        }
    }

    fn tell_same_value(&mut self, found: &Found<'d>, known: usize) {
        let first = &self.keys[known];
        let message = format!(
            "the keys {} and {} have the same value: the first is in {}",
            shorten(&first.name),
            shorten(&found.name),
            first.at.phrase(&found.at)
        );
        self.error(&found.at, message, "give each caller a value of its own");
    }

    /// Tells ids that two keys have.
    fn tell_twins(&mut self) {
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut twins = Vec::new();
        for (place, key) in self.keys.iter().enumerate() {
            match known.entry(&key.id) {
                hash_map::Entry::Occupied(first) => twins.push((*first.get(), place)),
                hash_map::Entry::Vacant(free) => {
                    free.insert(place);
                }
            }
        }
        for (first, second) in twins {
            let (at, id) = (self.keys[second].at.clone(), shorten(&self.keys[second].id));
            let first = self.keys[first].at.phrase(&at);
            let (message, fix) = match at {
                At::Document(_) => ("two keys have the id", "give one an id of its own"),
                At::Row(..) => ("two keys have the name", "change one: a row's name is its id"),
            };
            self.error(&at, format!("{message} {id}: the first is in {first}"), fix);
        }
    }

    /// Puts keys into usage plans, as both sides name the other.
    fn join(&mut self) {
        let mut by_id: HashMap<String, usize> = HashMap::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, key) in self.keys.iter().enumerate() {
            by_id.insert(key.id.clone(), place);
            if key.name != key.id {
                by_name.entry(key.name.clone()).or_default().push(place);
            }
        }
        for place in 0..self.plans.len() {
            let Ok(plan) = u16::try_from(place) else { break };
            for node in std::mem::take(&mut self.plans[place].keys) {
                let Some(text) = node.as_str() else { continue };
                let named = by_name.get(text).map(Vec::as_slice).unwrap_or_default();
                let found = match (by_id.get(text), named) {
                    (Some(key), []) | (None, [key]) => *key,
                    (None, []) => {
                        self.tell_no_key(node, text, place);
                        continue;
                    }
                    _ => {
                        self.tell_ambiguous(node, text, place);
                        continue;
                    }
                };
                self.put(found, plan, &At::Document(node));
            }
        }
        self.join_named();
        for key in 0..self.keys.len() {
            self.check_count(key);
        }
        self.check_stages();
    }

    /// The usage plans that rows name.
    fn join_named(&mut self) {
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (place, plan) in self.plans.iter().enumerate() {
            by_id.entry(plan.name).or_insert(place);
        }
        by_id.extend(self.plans.iter().enumerate().map(|(place, plan)| (plan.id, place)));
        for key in 0..self.keys.len() {
            for named in std::mem::take(&mut self.keys[key].named) {
                let at = self.keys[key].at.clone();
                let plan = by_id.get(named.as_str()).and_then(|plan| u16::try_from(*plan).ok());
                if let Some(plan) = plan {
                    self.put(key, plan, &at);
                    continue;
                }
                let (name, short) = (shorten(&self.keys[key].name), shorten(&named));
                let message = format!("key {name}: there is no usage plan {short}");
                let known = by_id.keys().copied();
                let fix = self.suggest(&named, known, "the usage plans are");
                self.error(&at, message, &fix);
            }
        }
    }

    fn put(&mut self, key: usize, plan: u16, at: &At<'d>) {
        if self.keys[key].plans.contains(&plan) {
            let name = shorten(&self.keys[key].name);
            let plan = shorten(self.plans[usize::from(plan)].name);
            let message = format!("usage plan {plan}: key {name} is in it already");
            return self.add(Severity::Info, at, message, "");
        }
        let key = &mut self.keys[key];
        match key.plans.len() > PLANS_OF_KEY_MAX {
            true => key.more += 1,
            false => key.plans.push(plan),
        }
    }

    fn tell_no_key(&mut self, node: Node<'d>, text: &str, plan: usize) {
        let plan = shorten(self.plans[plan].name);
        if let Some(&key) = self.by_digest.get(&digest_of(text)) {
            let key = shorten(&self.keys[key].name);
            let message = format!("usage plan {plan}: key {key} is named by its value");
            return self.error(&At::Document(node), message, &format!("write {key}"));
        }
        let message = format!("usage plan {plan}: there is no key {}", shorten(text));
        let known = self.keys.iter().take(KNOWN_MAX).flat_map(|key| [&*key.name, &*key.id]);
        let fix = self.suggest(text, known, "the keys are");
        self.error(&At::Document(node), message, &fix);
    }

    fn tell_ambiguous(&mut self, node: Node<'d>, text: &str, plan: usize) {
        let (plan, text) = (shorten(self.plans[plan].name), shorten(text));
        let message = format!("usage plan {plan}: {text} names more than one key");
        self.error(&At::Document(node), message, "say an id that only one key has");
    }

    fn suggest<'k>(&self, text: &str, known: impl Iterator<Item = &'k str>, are: &str) -> String {
        if self.problems.errors() >= PROBLEMS_MAX {
            return String::new();
        }
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        known.dedup();
        did_you_mean(text, &known, are)
    }

    fn check_count(&mut self, key: usize) {
        let key = &self.keys[key];
        let count = key.plans.len() + key.more;
        if count > PLANS_OF_KEY_MAX {
            let name = shorten(&key.name);
            let message =
                format!("key {name}: it is in {count} usage plans; at most {PLANS_OF_KEY_MAX} fit");
            let at = key.at.clone();
            self.error(&at, message, "take it out of some");
        }
    }

    /// On each stage a key has one usage plan. Many keys are in the same plans, so the plans are
    /// held against one another once.
    fn check_stages(&mut self) {
        let mut known: HashMap<Vec<u16>, Option<String>> = HashMap::new();
        for key in 0..self.keys.len() {
            let plans = &self.keys[key].plans;
            if plans.len() < 2 || plans.len() > PLANS_OF_KEY_MAX {
                continue;
            }
            if !known.contains_key(plans) {
                known.insert(plans.clone(), self.shared_stage(plans));
            }
            let Some(Some(sentence)) = known.get(plans) else { continue };
            let message = format!("key {}: {sentence}", shorten(&self.keys[key].name));
            let at = self.keys[key].at.clone();
            self.error(&at, message, "take it out of one of them");
        }
    }

    fn shared_stage(&self, plans: &[u16]) -> Option<String> {
        let plan = |index: u16| &self.plans[usize::from(index)];
        plans.iter().enumerate().find_map(|(place, &one)| {
            plans[..place].iter().find_map(|&other| {
                let (one, other) = (plan(one), plan(other));
                let (api, stage) = other.stages.intersection(&one.stages).min()?;
                Some(format!(
                    "its usage plans {} and {} both have stage {} of API {}, and a key has one \
                     plan on a stage",
                    shorten(other.name),
                    shorten(one.name),
                    shorten(stage),
                    shorten(api)
                ))
            })
        })
    }

    fn finish(mut self) -> Keys {
        self.tell_idle();
        let mut of_plans = vec![Vec::new(); self.plans.len()];
        for (place, key) in self.keys.iter().enumerate() {
            key.plans.iter().for_each(|plan| of_plans[usize::from(*plan)].push(place));
        }
        let draft = |key: Found<'d>| {
            let Found { id, name, enabled, digest, .. } = key;
            ApiKeyDraft { id, name, enabled, digest }
        };
        let drafts = self.keys.into_iter().map(draft).collect();
        Keys { drafts, of_plans, are_all: true }
    }

    /// Keys that are in no usage plan: each of the gateway file, and once for all of a file.
    fn tell_idle(&mut self) {
        const FIX: &str = "name it in the apiKeys of a usage plan";
        let mut rows: Vec<(At<'d>, usize)> = Vec::new();
        let mut own = Vec::new();
        for key in self.keys.iter().filter(|key| key.plans.is_empty()) {
            match (&key.at, rows.last_mut()) {
                (At::Document(_), _) => own.push((key.at.clone(), shorten(&key.name))),
                (At::Row(file, _), Some((At::Row(last, _), count))) if file == last => *count += 1,
                (At::Row(..), _) => rows.push((key.at.clone(), 1)),
            }
        }
        for (at, name) in own {
            let message =
                format!("key {name}: it is in no usage plan, so its requests are refused");
            self.add(Severity::Warning, &at, message, FIX);
        }
        for (at, count) in rows {
            let message = match count {
                1 => "the key is in no usage plan, so its requests are refused".to_owned(),
                _ => format!(
                    "{count} keys, this one first, are in no usage plan, so their requests are \
                     refused"
                ),
            };
            let fix = "name a usage plan in UsagePlanIds, or the key in the plan's apiKeys";
            self.add(Severity::Warning, &at, message, fix);
        }
    }

    fn error(&mut self, at: &At<'d>, message: String, fix: &str) {
        self.add(Severity::Error, at, message, fix);
    }

    /// The place is looked up while the list takes problems.
    fn add(&mut self, severity: Severity, at: &At<'d>, message: String, fix: &str) {
        let is_kept = self.problems.count(severity) < PROBLEMS_MAX;
        let place = is_kept.then(|| at.place());
        self.problems.push(Problem { severity, place, message, fix: fix.to_owned() });
    }
}

/// Keys that a misspelt name is compared with.
const KNOWN_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
