//! The principals of a gateway file and of the files that it names: who may sign, with which keys.
//!
//! Secrets come from files, from the environment or from the document; they are in no message, and
//! the lines that they stand in are never drawn ([`secrets`]); files of principals are not drawn at
//! all. Not here: what else is wrong with a principal (`gateway_file::principals`).

use std::{
    collections::{HashMap, HashSet, hash_map},
    path::{Path, PathBuf},
};

use super::{
    Problems, Source,
    document::{Document, Node},
    environment,
    gateway_file::{self, raw},
    keys,
    policy::{self, Functions},
    report::Sources,
    shorten,
};
use crate::{
    base::{
        Place, Problem, Severity,
        limits::{
            ACCESS_KEYS_MAX, PRINCIPALS_FILES_NAMED_MAX, PROBLEMS_MAX, SECRET_ACCESS_KEY_BYTES_MAX,
            SESSION_TOKEN_BYTES_MAX,
        },
    },
    steps::authorize::{
        policy::{Policy, PolicyKind},
        principal::{AccessKeyDraft, Principal, PrincipalArn, PrincipalDraft},
    },
};

/// The principals, and where the first of them is.
#[derive(Default)]
pub(super) struct Store {
    pub(super) drafts: Vec<PrincipalDraft>,
    place: Option<Place>,
    /// Whether one has a key, sound or not.
    has_keys: bool,
}

impl Store {
    /// Tells of routes that nobody can call, and of principals that nobody needs. `asked_at` is
    /// where a route asks for signatures.
    pub(super) fn check(&self, asked_at: Option<&Place>, problems: &mut Problems) {
        match (asked_at, &self.place) {
            (Some(place), _) if !self.has_keys => {
                let message = "the route asks for signatures (AWS_IAM), and no principal has an \
                               access key: nobody can call it";
                let fix = "give the gateway file principals: [{arn: .., accessKeys: [..]}]";
                problems.warning(place.clone(), message, fix);
            }
            (None, Some(place)) => {
                let message = "no route asks for signatures (AWS_IAM): nobody needs principals";
                problems.info(place.clone(), message, "");
            }
            _ => {}
        }
    }
}

/// Where in a gateway file secrets stand: values of API keys, and of access keys.
pub(super) fn secrets(root: Node<'_>) -> Vec<(u32, u32)> {
    let mut found = keys::secrets(root);
    if root.find("principals").is_some() {
        if found.is_empty() {
            // Whatever else may be a list of keys: with a range that is known, none is looked for.
            let theirs = |key: &str| key.to_ascii_lowercase().starts_with("apikey");
            let entries = root.entries().filter(|entry| theirs(entry.key));
            found.extend(entries.map(|entry| entry.value.bytes()));
        }
        found.push((0, 0));
    }
    for entry in root.entries().filter(|entry| !entry.key.starts_with("apiKey")) {
        let within = if entry.key == "principals" { Within::Principal } else { Within::Other };
        add_secrets(entry.value, within, &mut found);
    }
    found
}

/// What a value is a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Other,
    Principal,
    AccessKey,
}

/// Those of access keys: whatever is no public member of one, and what has a secret's name
/// elsewhere. Recursion is bounded by the document's depth.
fn add_secrets(node: Node<'_>, within: Within, found: &mut Vec<(u32, u32)>) {
    const PUBLIC: [&str; 6] = [
        "accessKeyId",
        "secretAccessKeyFile",
        "secretAccessKeyEnvironment",
        "sessionTokenFile",
        "expiration",
        "status",
    ];
    for item in node.items() {
        add_secrets(item, within, found);
    }
    for entry in node.entries() {
        let name = entry.key.to_ascii_lowercase();
        let is_public = PUBLIC.contains(&entry.key);
        let is_secret = match within {
            Within::Other => name.starts_with("secretaccess"),
            Within::Principal => name.starts_with("secret") || name.starts_with("session"),
            Within::AccessKey => true,
        };
        if is_secret && !is_public {
            found.push(entry.value.bytes());
            continue;
        }
        let is_keys = within == Within::Principal && name.starts_with("accesskey");
        add_secrets(entry.value, if is_keys { Within::AccessKey } else { within }, found);
    }
}

/// Reads principals and the files that they name.
pub(super) struct Reading<'r> {
    pub(super) source: &'r Source,
    pub(super) problems: &'r mut Problems,
    pub(super) sources: &'r mut Sources,
    pub(super) files_read: &'r mut Vec<PathBuf>,
}

/// A document with principals.
struct List {
    document: Document,
    folder: PathBuf,
    principals: Vec<raw::Principal>,
}

impl Reading<'_> {
    /// Reads all of them. What is wrong is told.
    pub(super) fn read(
        mut self,
        file: &raw::GatewayFile,
        document: &Document,
        folder: &Path,
    ) -> Store {
        let lists = self.lists(file, document, folder);
        let own = document.root().find("principals");
        let named = document.root().find("principalFiles");
        let is_there = |node: &Node<'_>| node.items().len() > 0;
        let place = own.filter(is_there).or(named.filter(is_there)).map(Node::place);
        let mut known = Known::default();
        let mut drafts = Vec::new();
        for (raw, node) in file.principals.iter().zip(own.into_iter().flat_map(Node::items)) {
            drafts.extend(self.principal(raw, node, folder, &mut known));
        }
        for List { document, folder, principals } in &lists {
            for (raw, node) in principals.iter().zip(document.root().items()) {
                drafts.extend(self.principal(raw, node, folder, &mut known));
            }
        }
        if let Some(place) = place.clone().filter(|_| known.keys.len() > ACCESS_KEYS_MAX) {
            let message = format!("there are more than {ACCESS_KEYS_MAX} access keys");
            self.problems.error(place, message, "remove those that are not used");
            drafts.clear();
        }
        Store { drafts, place, has_keys: !known.keys.is_empty() }
    }

    fn lists(&mut self, file: &raw::GatewayFile, document: &Document, folder: &Path) -> Vec<List> {
        let mut lists: Vec<List> = Vec::new();
        let nodes = document.root().find("principalFiles").into_iter().flat_map(Node::items);
        for (raw::PathText(name), node) in file.principal_files.iter().zip(nodes) {
            let path = folder.join(name);
            if self.files_read.contains(&path) {
                let message = format!("{} is named twice", path.display());
                self.error(node, message, "name it once");
                continue;
            }
            let read = Source::read;
            let Some(bytes) = self.bytes(&path, node, |path, source| read(source, path)) else {
                continue;
            };
            // Its lines may have secrets, whatever is wrong with it: none is drawn.
            self.sources.add_beside(&path, &bytes);
            let Some(document) = Document::parse(&path, &bytes, self.problems) else { continue };
            let Some(principals) = gateway_file::read_principals(&document, self.problems) else {
                continue;
            };
            let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
            lists.push(List { document, folder, principals });
        }
        lists
    }

    fn bytes(
        &mut self,
        path: &Path,
        named_at: Node<'_>,
        read: impl FnOnce(&Path, &Source) -> Result<Vec<u8>, String>,
    ) -> Option<Vec<u8>> {
        self.files_read.push(path.to_path_buf());
        match read(path, self.source) {
            Ok(bytes) => Some(bytes),
            Err(reason) => {
                let message = format!("{} {reason}", path.display());
                let fix = "name a file that exists; paths are relative to the file they stand in";
                self.error(named_at, message, fix);
                None
            }
        }
    }

    fn principal<'d>(
        &mut self,
        raw: &raw::Principal,
        node: Node<'d>,
        folder: &Path,
        known: &mut Known<'d>,
    ) -> Option<PrincipalDraft> {
        // What is no ARN was told.
        let arn = PrincipalArn::parse(&raw.arn).ok()?;
        let at = |key: &str| node.find(key).unwrap_or(node);
        self.differ("two principals have the ARN", (&raw.arn, at("arn")), &mut known.arns);
        let mut keys = Vec::new();
        for (key, node) in raw.access_keys.iter().zip(at("accessKeys").items()) {
            let id_at = node.find("accessKeyId").unwrap_or(node);
            let what = "two access keys have the id";
            self.differ(what, (&key.access_key_id, id_at), &mut known.keys);
            keys.extend(self.key(key, node, folder, known));
        }
        let policies = at("policies").items();
        // All of them, so that what is wrong with any is told.
        let policies: Vec<Option<Policy>> =
            policies.map(|node| self.policy(node, folder, known)).collect();
        let policies: Option<Box<[Policy]>> = policies.into_iter().collect();
        let text = |text: &String| -> Box<str> { text.as_str().into() };
        let principal = Principal {
            arn: text(&raw.arn),
            account_id: arn.account.into(),
            user_id: raw.user_id.as_ref().map_or_else(|| arn.id().into(), text),
            user_name: arn.user_name().map(Into::into),
            kind: arn.kind,
            org_id: raw.organization_id.as_ref().map(text),
            org_paths: raw.organization_paths.iter().map(text).collect(),
            tags: raw.tags.iter().map(|(name, value)| (text(name), text(value))).collect(),
            mfa: raw.multi_factor_auth.as_deref().and_then(gateway_file::time_of),
            policies: policies?,
        };
        Some(PrincipalDraft { principal, keys })
    }

    fn key(
        &mut self,
        raw: &raw::AccessKey,
        node: Node<'_>,
        folder: &Path,
        known: &mut Known<'_>,
    ) -> Option<AccessKeyDraft> {
        let at = |key: &str| node.find(key).unwrap_or(node);
        let label = format!("access key {}", shorten(&raw.access_key_id));
        let asked = |what, place| Asked { label: &label, what, folder, place };
        let (secret, token) = ("secretAccessKey", "sessionToken");
        let secret = if let Some(raw::SecretText(text)) = &raw.secret_access_key {
            let asked = asked(SECRET, at(secret));
            self.warn_of_public(&asked, known);
            self.judge(&asked, text.clone())
        } else if let Some(raw::PathText(path)) = &raw.secret_access_key_file {
            self.secret_file(&asked(SECRET, at("secretAccessKeyFile")), path, known)
        } else if let Some(name) = &raw.secret_access_key_environment {
            self.variable(&asked(SECRET, at("secretAccessKeyEnvironment")), name)
        } else {
            None
        };
        let is_temporary = raw.session_token.is_some() || raw.session_token_file.is_some();
        let token = if let Some(raw::SecretText(text)) = &raw.session_token {
            self.judge(&asked(TOKEN, at(token)), text.clone())
        } else if let Some(raw::PathText(path)) = &raw.session_token_file {
            self.secret_file(&asked(TOKEN, at("sessionTokenFile")), path, known)
        } else {
            None
        };
        if raw.access_key_id.starts_with("ASIA") && !is_temporary {
            let message = format!("{label}: it is a temporary key's, and has no session token");
            let fix = "write sessionToken or sessionTokenFile, or an id that begins with AKIA";
            self.problems.warning(at("accessKeyId").place(), message, fix);
        }
        if is_temporary && token.is_none() {
            return None;
        }
        Some(AccessKeyDraft {
            id: raw.access_key_id.clone(),
            secret: secret?,
            token,
            expires: raw.expiration.as_deref().and_then(gateway_file::time_of),
            is_active: raw.status == raw::AccessKeyStatus::Active,
        })
    }

    fn secret_file(
        &mut self,
        asked: &Asked<'_>,
        name: &str,
        known: &mut Known<'_>,
    ) -> Option<String> {
        let (path, most) = (asked.folder.join(name), asked.what.bytes_max);
        self.name(&path, asked.place, known)?;
        // Room for the line end.
        let bytes =
            self.bytes(&path, asked.place, |path, source| source.read_up_to(path, most + 2))?;
        self.sources.add_long(&path, &bytes, most + 2);
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        // What is no UTF-8 is refused for the sign that stands for it.
        self.judge(asked, String::from_utf8_lossy(text).into_owned())
    }

    fn variable(&mut self, asked: &Asked<'_>, name: &str) -> Option<String> {
        if let Some(text) = environment(name) {
            return self.judge(asked, text);
        }
        let message = format!("{}: {} is not in the environment", asked.label, shorten(name));
        let fix = "set it for the gateway, or write secretAccessKeyFile: PATH";
        self.error(asked.place, message, fix);
        None
    }

    /// The text, when it can be a secret or a token.
    fn judge(&mut self, asked: &Asked<'_>, text: String) -> Option<String> {
        let Kind { what, bytes_max } = asked.what;
        let fault = match text.len() {
            0 => "is empty".to_owned(),
            length if length > bytes_max => format!("has more than {bytes_max} bytes"),
            _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                "has a space, a line end or another sign that none has".to_owned()
            }
            _ => return Some(text),
        };
        let fix = format!("write 1 to {bytes_max} printable ASCII characters, no spaces");
        self.error(asked.place, format!("{}: {what} {fault}", asked.label), &fix);
        None
    }

    /// Once for each file.
    fn warn_of_public(&mut self, asked: &Asked<'_>, known: &mut Known<'_>) {
        let path = asked.place.document().file();
        if !known.looked_at.insert(path.as_ref().clone()) || !self.source.is_public(path) {
            return;
        }
        let message = format!("everybody may read {}, and secrets are in it", path.display());
        let fix = "chmod o-r it, or write secretAccessKeyFile: PATH";
        self.problems.warning(asked.place.place(), message, fix);
    }

    /// The policy at `node`, or in the file that it names. What is wrong in a file is told once.
    fn policy(&mut self, node: Node<'_>, folder: &Path, known: &mut Known<'_>) -> Option<Policy> {
        let Some(name) = node.as_str() else { return self.compile(node, false) };
        let path = folder.join(name);
        if let Some(document) = known.policies.get(&path) {
            return self.compile(document.as_ref()?.root(), true);
        }
        self.name(&path, node, known)?;
        let read = Source::read_beside;
        let bytes = self.bytes(&path, node, |path, source| read(source, path));
        let document = bytes.and_then(|bytes| {
            self.sources.add(&path, &bytes);
            Document::parse(&path, &bytes, self.problems)
        });
        let policy = document.as_ref().and_then(|it| self.compile(it.root(), false));
        known.policies.insert(path, document);
        policy
    }

    fn compile(&mut self, root: Node<'_>, was_told: bool) -> Option<Policy> {
        let problems = &mut *self.problems;
        let tell = |severity, at: Node<'_>, message, fix: &str| {
            if !was_told {
                let place = (problems.count(severity) < PROBLEMS_MAX).then(|| at.place());
                problems.push(Problem { severity, place, message, fix: fix.to_owned() });
            }
        };
        policy::compile(root, PolicyKind::Identity, Functions::Unknown, policy::plain, tell)
    }

    /// Notes that a file is named. `None` when they are too many.
    fn name(&mut self, path: &Path, at: Node<'_>, known: &mut Known<'_>) -> Option<()> {
        known.files.insert(path.to_path_buf());
        if known.files.len() <= PRINCIPALS_FILES_NAMED_MAX {
            return Some(());
        }
        let message = format!("principals name more than {PRINCIPALS_FILES_NAMED_MAX} files");
        let fix = "write secrets and policies into a file of principalFiles";
        self.error(at, message, fix);
        None
    }

    /// The place is looked up while the list takes problems: in a long line it costs.
    fn error(&mut self, at: Node<'_>, message: String, fix: &str) {
        let is_kept = self.problems.count(Severity::Error) < PROBLEMS_MAX;
        let place = is_kept.then(|| at.place());
        let fix = fix.to_owned();
        self.problems.push(Problem { severity: Severity::Error, place, message, fix });
    }

    fn differ<'d>(
        &mut self,
        what: &str,
        (text, node): (&str, Node<'d>),
        known: &mut HashMap<Box<str>, Node<'d>>,
    ) {
        let first = match known.entry(text.into()) {
            hash_map::Entry::Vacant(free) => {
                free.insert(node);
                return;
            }
            hash_map::Entry::Occupied(first) => *first.get(),
        };
        if self.problems.count(Severity::Error) >= PROBLEMS_MAX {
            return self.problems.error_nowhere("", "");
        }
        let (first, place) = (first.place(), node.place());
        let of_file = match first.file == place.file {
            true => String::new(),
            false => format!(" of {}", first.file.display()),
        };
        let line = first.line;
        let message = format!("{what} {}: the first is in line {line}{of_file}", shorten(text));
        self.problems.error(place, message, "remove one of them");
    }
}

/// What was seen so far.
#[derive(Default)]
struct Known<'d> {
    arns: HashMap<Box<str>, Node<'d>>,
    keys: HashMap<Box<str>, Node<'d>>,
    /// Files of secrets and policies.
    files: HashSet<PathBuf>,
    policies: HashMap<PathBuf, Option<Document>>,
    /// Documents with secrets in them.
    looked_at: HashSet<PathBuf>,
}

/// A secret that is looked for.
struct Asked<'a> {
    label: &'a str,
    what: Kind,
    folder: &'a Path,
    place: Node<'a>,
}

/// What it is called, and how long it may be.
#[derive(Clone, Copy)]
struct Kind {
    what: &'static str,
    bytes_max: usize,
}

const SECRET: Kind = Kind { what: "its secret", bytes_max: SECRET_ACCESS_KEY_BYTES_MAX };
const TOKEN: Kind = Kind { what: "its session token", bytes_max: SESSION_TOKEN_BYTES_MAX };

#[cfg(test)]
mod tests;
