//! What a schema cannot say of `domainNames`: what names, keys and globs are made of, what they
//! lead to, and what is asked for nothing.
//!
//! Everything is read from the document, so that all problems are told in one round, whatever else
//! is wrong with it. Not here: how domains become a part of the plan (`config::domains`).

use std::{collections::HashMap, ops::RangeInclusive};

use super::{
    apis::{Apis, did_you_mean},
    rules::list,
};
use crate::{
    base::{
        Problem, Severity,
        limits::{
            API_MAPPINGS_QUOTA, PROBLEMS_MAX, ROUTING_RULE_ID_BYTES_MAX, ROUTING_RULE_PRIORITY_MAX,
            ROUTING_RULES_QUOTA,
        },
    },
    config::{Problems, document::Node, shorten},
    steps::domain::{ApiMappingKey, DomainName, HeaderName, ValueGlob},
};

const PRIORITIES: RangeInclusive<i64> = 1..=ROUTING_RULE_PRIORITY_MAX as i64;

/// Adds every problem of the domain names of the file under `root`.
pub(super) fn check(root: Node<'_>, problems: &mut Problems) {
    let apis = Apis::read(root);
    let mut known = HashMap::new();
    for node in list(root, "domainNames") {
        let name = node.find("domainName").and_then(Node::as_str).unwrap_or_default();
        let label = format!("domain name {}", shorten(name));
        let mut check = Check { label, apis: &apis, problems };
        check.name(node, name, &mut known);
        check.domain(node);
    }
}

/// The check of one domain.
struct Check<'c, 'd> {
    label: String,
    apis: &'c Apis<'d>,
    problems: &'c mut Problems,
}

/// What a domain asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Mappings,
    Rules,
    Both,
}

impl<'d> Check<'_, 'd> {
    fn name(&mut self, node: Node<'d>, name: &str, known: &mut HashMap<String, Node<'d>>) {
        let Some(at) = node.find("domainName").filter(|at| at.as_str().is_some()) else { return };
        if let Err(sentence) = DomainName::parse(name) {
            return self.error(
                at,
                &shorten_sentence(&sentence),
                "write a name such as \
                api.example.com or *.example.com",
            );
        }
        if let Some(first) = known.insert(name.to_ascii_lowercase(), at) {
            let line = first.place().line;
            let message = format!("{}: it stands in line {line} too", self.label);
            self.error(at, &message, "keep one of them, with the mappings and rules of both");
        }
    }

    fn domain(&mut self, node: Node<'d>) {
        let asks = match node.find("routingMode").and_then(Node::as_str) {
            None | Some("API_MAPPING_ONLY") => Some(Asks::Mappings),
            Some("ROUTING_RULE_ONLY") => Some(Asks::Rules),
            Some("ROUTING_RULE_THEN_API_MAPPING") => Some(Asks::Both),
            Some(_) => None,
        };
        let mappings = list(node, "apiMappings");
        let rules = list(node, "routingRules");
        self.mappings(&mappings);
        let catch_all = self.rules(&rules);
        self.unasked(node, asks, &mappings, &rules);
        if let (Some(Asks::Both), Some(rule), [first, ..]) = (asks, catch_all, mappings.as_slice())
        {
            let message = format!(
                "{}: the mappings are never asked: the rule in line {} takes every request",
                self.label,
                rule.place().line
            );
            self.warning(*first, &message, "give the rule a condition, or remove the mappings");
        }
        let actions = rules.iter().filter_map(|rule| rule.find("action"));
        let leading = mappings.iter().copied().chain(actions);
        let named: Vec<_> = leading.filter_map(|node| self.destination(node)).collect();
        let websocket = named.iter().find(|(_, is_websocket)| *is_websocket);
        if let Some((at, _)) = websocket.filter(|_| !named.iter().all(|named| named.1)) {
            let message =
                format!("{}: a WebSocket API may not share it with other APIs", self.label);
            self.error(*at, &message, "give the WebSocket API a domain name of its own");
        }
    }

    /// What is written and, by the routing mode, not asked.
    fn unasked(
        &mut self,
        node: Node<'d>,
        asks: Option<Asks>,
        mappings: &[Node<'d>],
        rules: &[Node<'d>],
    ) {
        if mappings.is_empty() && rules.is_empty() {
            let message = format!("{}: it leads nowhere; its requests are refused", self.label);
            return self.warning(node, &message, "give it apiMappings: [{api: .., stage: ..}]");
        }
        let (what, first) = match (asks, mappings.first(), rules.first()) {
            (Some(Asks::Mappings), _, Some(first)) => ("rules", first),
            (Some(Asks::Rules), Some(first), _) => ("mappings", first),
            _ => return,
        };
        let mode = if asks == Some(Asks::Rules) { "ROUTING_RULE_ONLY" } else { "API_MAPPING_ONLY" };
        let message = format!("{}: its {what} are never asked: routingMode is {mode}", self.label);
        let fix = "write routingMode: ROUTING_RULE_THEN_API_MAPPING, or remove them";
        self.warning(*first, &message, fix);
    }

    fn mappings(&mut self, mappings: &[Node<'d>]) {
        let mut known = HashMap::new();
        let mut deep = 0;
        for node in mappings {
            let at = node.find("apiMappingKey");
            let text = at.and_then(Node::as_str).unwrap_or_default();
            let at = at.unwrap_or(*node);
            let key = match ApiMappingKey::parse(text) {
                Ok(key) => key,
                Err(sentence) => {
                    let message = format!("{}: {}", self.label, shorten_sentence(&sentence));
                    self.error(at, &message, "write a key such as orders or orders/v1");
                    continue;
                }
            };
            deep += usize::from(key.segments().count() > 1);
            if matches!(key.as_str(), "ping" | "sping") {
                let message = format!(
                    "{}: /{} itself is answered by the gateway, for health checks",
                    self.label,
                    key.as_str()
                );
                self.warning(at, &message, "take another key");
            }
            let what = if key.is_none() { "no key".to_owned() } else { format!("the key {text}") };
            if let Some(first) = known.insert(key, at) {
                let line = first.place().line;
                let message = format!(
                    "{}: two mappings have {what}: the first is in line {line}",
                    self.label
                );
                self.error(at, &message, "change one of them");
            }
        }
        if deep > API_MAPPINGS_QUOTA {
            let message = format!(
                "{}: {deep} mappings have several segments; AWS takes {API_MAPPINGS_QUOTA}",
                self.label
            );
            self.warning(mappings[0], &message, "nothing to do, unless it shall move to AWS");
        }
    }

    /// The rules; the result is the first that takes every request.
    fn rules(&mut self, rules: &[Node<'d>]) -> Option<Node<'d>> {
        let mut sorted: Vec<_> = rules.to_vec();
        sorted.sort_by_key(|rule| rule.find("priority").and_then(Node::as_integer));
        let mut known = Known::default();
        for rule in &sorted {
            self.rule(*rule, &mut known);
        }
        if rules.len() > ROUTING_RULES_QUOTA {
            let message = format!(
                "{}: {} routing rules; AWS takes {ROUTING_RULES_QUOTA}",
                self.label,
                rules.len()
            );
            self.warning(rules[0], &message, "nothing to do, unless it shall move to AWS");
        }
        known.catch_all
    }

    fn rule(&mut self, rule: Node<'d>, known: &mut Known<'d>) {
        let priority = rule.find("priority");
        let number = priority.and_then(Node::number_text).unwrap_or_default();
        if let (Some(at), Some(value)) = (priority, priority.and_then(Node::as_integer))
            && let Some(first) = known.priorities.insert(value, rule)
        {
            let line = first.place().line;
            let message = format!(
                "{}: two rules have the priority {number}: the other is in line {line}",
                self.label
            );
            self.error(at, &message, "give each rule a priority of its own");
        }
        self.rule_id(rule, number, known);
        let conditions = rule.find("conditions");
        let headers: Vec<Node<'d>> =
            conditions.map(|node| list(node, "matchHeaders")).unwrap_or_default();
        for header in headers.iter().flat_map(|node| list(*node, "anyOf")) {
            self.header(header);
        }
        let paths = conditions.and_then(|node| node.find("matchBasePaths"));
        for path in paths.map(|node| list(node, "anyOf")).unwrap_or_default() {
            self.base_path(path);
        }
        let has_paths = paths.is_some_and(|node| !node.is_null());
        // A rule without a place in the order is the schema's to tell.
        if priority.and_then(Node::as_integer).is_some_and(|value| PRIORITIES.contains(&value)) {
            self.reach(rule, conditions, headers.is_empty() && !has_paths, known);
        }
        let strip = rule.find("action").and_then(|action| action.find("stripBasePath"));
        if let Some(at) = strip.filter(|at| at.as_bool() == Some(true) && !has_paths) {
            let message = format!(
                "{}: rule {number} has no matchBasePaths: stripBasePath strips nothing",
                self.label
            );
            self.warning(at, &message, "remove it, or add matchBasePaths: {anyOf: [..]}");
        }
    }

    /// Whether the rule can be reached at all.
    fn reach(
        &mut self,
        rule: Node<'d>,
        conditions: Option<Node<'d>>,
        is_catch_all: bool,
        known: &mut Known<'d>,
    ) {
        let text = conditions.map(|node| node.to_json().to_string()).unwrap_or_default();
        let same = if is_catch_all { None } else { known.conditions.insert(text, rule) };
        if let Some(before) = known.catch_all.or(same) {
            let why = if known.catch_all.is_some() { "takes every request" } else { "is the same" };
            let message = format!(
                "{}: this rule is never asked: the one in line {} comes before it and {why}",
                self.label,
                before.place().line
            );
            self.warning(rule, &message, "change the priorities or the conditions");
        }
        if is_catch_all {
            known.catch_all.get_or_insert(rule);
        }
    }

    fn rule_id(&mut self, rule: Node<'d>, number: &str, known: &mut Known<'d>) {
        let at = rule.find("routingRuleId").filter(|at| !at.is_null());
        let id = match at.map(|at| at.as_str()) {
            None => number,
            Some(Some(id)) => id,
            Some(None) => return,
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let at = at.unwrap_or(rule);
        if !id.bytes().all(is_plain) || !(1..=ROUTING_RULE_ID_BYTES_MAX).contains(&id.len()) {
            // A missing or odd priority is the schema's to tell.
            if at.as_str().is_some() {
                let message =
                    format!("{}: the rule's id {:?} does not fit", self.label, shorten(id));
                self.error(at, &message, "write 1 to 64 of A-Z a-z 0-9 _ -");
            }
            return;
        }
        let first = known.ids.insert(id.to_owned(), rule);
        let tells_priority = first
            .is_some_and(|first| first.find("priority").and_then(Node::number_text) == Some(id));
        // Two equal priorities are told as such.
        if let Some(first) = first.filter(|_| at.as_str().is_some() || !tells_priority) {
            let line = first.place().line;
            let message =
                format!("{}: two rules have the id {id}: the other is in line {line}", self.label);
            self.error(at, &message, "change one of them; without an id, it is the priority");
        }
    }

    fn header(&mut self, node: Node<'d>) {
        if let Some(at) = node.find("header")
            && let Some(Err(sentence)) = at.as_str().map(HeaderName::parse)
        {
            let message = format!("{}: {}", self.label, shorten_sentence(&sentence));
            self.error(at, &message, "write a header's name, such as x-version");
        }
        if let Some(at) = node.find("valueGlob")
            && let Some(Err(sentence)) = at.as_str().map(ValueGlob::parse)
        {
            let message = format!("{}: {}", self.label, shorten_sentence(&sentence));
            self.error(at, &message, "write a value such as beta, beta*, *beta or *beta*");
        }
    }

    fn base_path(&mut self, node: Node<'d>) {
        let Some(text) = node.as_str() else { return };
        let sentence = match ApiMappingKey::parse(text) {
            Ok(key) if key.is_none() => "the base path is empty".to_owned(),
            Ok(_) => return,
            Err(sentence) => sentence.replacen("the key", "the base path", 1),
        };
        let message = format!("{}: {}", self.label, shorten_sentence(&sentence));
        self.error(node, &message, "write a beginning such as orders or orders/v1");
    }

    /// Where `node` leads: the place of the API's name, and whether it speaks WebSocket.
    fn destination(&mut self, node: Node<'d>) -> Option<(Node<'d>, bool)> {
        let at = node.find("api")?;
        let name = at.as_str()?;
        let Some(api) = self.apis.find(name) else {
            let message = format!("{}: there is no API {}", self.label, shorten(name));
            // As many as are compared.
            let known: Vec<&str> = self.apis.names().take(1_000).collect();
            self.unknown(at, &message, name, &known, "the APIs are");
            return None;
        };
        let stage = node.find("stage")?;
        let text = stage.as_str().filter(|text| !api.stages.contains(text));
        if let Some(text) = text {
            let message =
                format!("{}: API {} has no stage {}", self.label, shorten(name), shorten(text));
            self.unknown(stage, &message, text, &api.stages, "its stages are");
        }
        Some((at, api.is_websocket))
    }

    fn unknown(&mut self, at: Node<'d>, message: &str, text: &str, known: &[&str], are: &str) {
        let is_told = self.problems.errors() < PROBLEMS_MAX;
        let fix = if is_told { did_you_mean(text, known, are) } else { String::new() };
        self.error(at, message, &fix);
    }

    fn error(&mut self, at: Node<'d>, message: &str, fix: &str) {
        self.add(Severity::Error, at, message, fix);
    }

    fn warning(&mut self, at: Node<'d>, message: &str, fix: &str) {
        self.add(Severity::Warning, at, message, fix);
    }

    /// The place is looked up while the list takes problems: in a hostile document it costs.
    fn add(&mut self, severity: Severity, at: Node<'d>, message: &str, fix: &str) {
        let is_kept = self.problems.count(severity) < PROBLEMS_MAX;
        let place = is_kept.then(|| at.place());
        let (message, fix) = (message.to_owned(), fix.to_owned());
        self.problems.push(Problem { severity, place, message, fix });
    }
}

/// The rules before, by what must differ.
#[derive(Default)]
struct Known<'d> {
    priorities: HashMap<i64, Node<'d>>,
    ids: HashMap<String, Node<'d>>,
    conditions: HashMap<String, Node<'d>>,
    catch_all: Option<Node<'d>>,
}

/// A sentence that quotes a text of the document, `what 'text': why`, with the text shortened.
pub(super) fn shorten_sentence(sentence: &str) -> String {
    let quoted = sentence.split_once('\'').and_then(|(what, rest)| {
        let (text, why) = rest.rsplit_once("': ")?;
        Some(format!("{what}'{}': {why}", shorten(text)))
    });
    quoted.unwrap_or_else(|| sentence.to_owned())
}
