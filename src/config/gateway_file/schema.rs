//! The gateway file's JSON Schema, and the check of a document against it.
//!
//! The walk knows exactly the keywords that the generated schema uses (a test compares), so a
//! rule that is added to the types is checked or fails that test. It goes on after a problem.

use serde_json::Value as Json;

use super::{formats, raw::GatewayFile};
use crate::{
    base::{
        Place, Problem, Severity,
        limits::{PRINCIPALS_MAX, PROBLEMS_MAX},
    },
    config::{
        Problems,
        document::{Kind, Node},
        shorten,
        suggest::nearest,
    },
};

/// The JSON Schema (2020-12) of the gateway file, as `ringway schema` prints it.
#[must_use]
pub fn json_schema() -> Json {
    let mut schema = schemars::schema_for!(GatewayFile);
    schema.insert("title".to_owned(), "Ringway gateway file".into());
    schema.to_value()
}

/// Adds everything in which the document differs from the schema, and every key or value that
/// this version does not do yet.
pub(super) fn check(root: Node<'_>, problems: &mut Problems) {
    let schema = json_schema();
    Walk { schema: &schema, problems }.value(root, &schema, "");
}

/// The same of a document that is a list of principals.
pub(super) fn check_principals(root: Node<'_>, problems: &mut Problems) {
    let schema = json_schema();
    let list = serde_json::json!({
        "type": "array",
        "maxItems": PRINCIPALS_MAX,
        "items": {"$ref": "#/$defs/Principal"},
    });
    Walk { schema: &schema, problems }.value(root, &list, "");
}

struct Walk<'w> {
    schema: &'w Json,
    problems: &'w mut Problems,
}

impl<'w> Walk<'w> {
    /// `at` names the value for people: `apis[0].stages[1].stageName`; empty for the whole file.
    fn value(&mut self, node: Node<'_>, schema: &'w Json, at: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.schema.pointer(reference.trim_start_matches('#'));
            return self.value(node, target.unwrap_or(&Json::Null), at);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            // Only `Option` makes these: something, or null.
            let something = choices.iter().find(|choice| choice["type"] != "null");
            return match something {
                Some(choice) if !node.is_null() => self.value(node, choice, at),
                _ => (),
            };
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            return self.choice(node, choices, at);
        }
        let expected = types(schema);
        if !expected.iter().any(|name| is_type(node, name)) {
            return self.wrong_type(node, &expected, schema, at);
        }
        match node.kind() {
            Kind::Mapping => self.mapping(node, schema, at),
            Kind::Sequence => self.sequence(node, schema, at),
            Kind::Number => self.number(node, schema, at),
            Kind::String => {
                let text = node.as_str().unwrap_or_default();
                self.text(text, &node.place(), schema, at);
            }
            Kind::Bool | Kind::Null => (),
        }
    }

    fn mapping(&mut self, node: Node<'_>, schema: &'w Json, at: &str) {
        let no_keys = serde_json::Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&no_keys);
        for required in strings(&schema["required"]) {
            if node.find(required).is_none() {
                let message = format!("{}the key {required} is missing", prefix(at));
                let what = description(self.resolve(&properties[required]));
                let fix = format!("add {required}: {what}");
                self.problems.error(node.place(), message, fix);
            }
        }
        if let Some(most) = schema["maxProperties"].as_u64()
            && node.entries().len() as u64 > most
        {
            let message =
                format!("{}{} entries; at most {most} are taken", prefix(at), node.entries().len());
            self.problems.error(node.place(), message, "remove some");
        }
        for entry in node.entries() {
            let inner = join(at, entry.key);
            if schema["propertyNames"].is_object() {
                let place = entry.key_place();
                self.text(entry.key, &place, &schema["propertyNames"], &format!("{at}, key"));
            }
            if let Some(found) = schema["properties"].get(entry.key) {
                let mark = &found["x-ringway-not-yet"];
                self.not_yet(entry.key_place(), entry.value, mark, &inner, "remove it");
                self.value(entry.value, found, &inner);
            } else if schema["additionalProperties"].is_object() {
                self.value(entry.value, &schema["additionalProperties"], &inner);
            } else if schema["additionalProperties"] != true {
                // True: another language's document, judged by what reads it.
                let known = properties.keys().map(String::as_str);
                self.unknown_key(entry.key_place(), entry.key, known, at);
            }
        }
    }

    fn unknown_key<'k>(
        &mut self,
        place: Place,
        key: &str,
        known: impl Iterator<Item = &'k str> + Clone,
        at: &str,
    ) {
        if self.problems.errors() >= PROBLEMS_MAX {
            // Counted and not kept: a file of nothing but wrong keys costs no searches for words.
            return self.problems.error(place, "", "");
        }
        let message = format!("{}the key {key:?} is not known here", prefix(at));
        let fix = match nearest(key, known.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.problems.error(place, message, fix);
    }

    /// Tells a key or value that carries the mark `mark`, unless what is set does nothing.
    fn not_yet(&mut self, place: Place, node: Node<'_>, mark: &Json, at: &str, fix: &str) {
        let nothing = match node.kind() {
            Kind::Null => true,
            Kind::Sequence => node.items().len() == 0,
            Kind::Mapping => node.entries().len() == 0,
            Kind::Bool => mark["unless"].as_bool() == node.as_bool(),
            Kind::Number | Kind::String => false,
        };
        let Some(because) = mark["because"].as_str() else { return };
        if nothing {
            return;
        }
        let message = format!("{at} is not supported by this version yet: {because}");
        let severity = match mark["severity"].as_str() {
            Some("warning") => Severity::Warning,
            _ => Severity::Error,
        };
        let fix = fix.to_owned();
        self.problems.push(Problem { severity, place: Some(place), message, fix });
    }

    fn sequence(&mut self, node: Node<'_>, schema: &'w Json, at: &str) {
        if let Some(most) = schema["maxItems"].as_u64()
            && node.items().len() as u64 > most
        {
            let message =
                format!("{}{} items; at most {most} are taken", prefix(at), node.items().len());
            self.problems.error(node.place(), message, "remove some");
        }
        if schema["minItems"].as_u64().is_some_and(|least| (node.items().len() as u64) < least) {
            let message = format!("{}the list is empty", prefix(at));
            self.problems.error(node.place(), message, "give it an item");
        }
        for (index, item) in node.items().enumerate() {
            self.value(item, &schema["items"], &format!("{at}[{index}]"));
        }
    }

    fn number(&mut self, node: Node<'_>, schema: &Json, at: &str) {
        let Some(value) = node.as_number() else { return };
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let too_small = least.is_some_and(|least| value < least);
        let too_large = most.is_some_and(|most| value > most);
        if !(too_small || too_large || !value.is_finite()) {
            return;
        }
        let text = node.number_text().unwrap_or_default();
        let range = match (least, most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("{least} or more"),
            (None, Some(most)) => format!("{most} or less"),
            (None, None) => "a finite number".to_owned(),
        };
        let message = format!("{}{text} is out of range", prefix(at));
        self.problems.error(node.place(), message, format!("write {range}"));
    }

    fn text(&mut self, text: &str, place: &Place, schema: &Json, at: &str) {
        let length = text.chars().count() as u64;
        let bounds = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
        if bounds.0.is_some_and(|least| length < least)
            || bounds.1.is_some_and(|most| length > most)
        {
            let range = match bounds {
                (Some(least), Some(most)) => format!("{least} to {most} characters"),
                (Some(1), None) => "at least one character".to_owned(),
                (Some(least), None) => format!("at least {least} characters"),
                (_, most) => format!("at most {} characters", most.unwrap_or_default()),
            };
            let message = format!("{}the text has {length} characters", prefix(at));
            self.problems.error(place.clone(), message, format!("write {range}"));
        }
        let Some(format) = schema["format"].as_str().and_then(formats::find) else { return };
        if !(format.keeps)(text) {
            let text = if is_secret(schema) { "the text" } else { &format!("{text:?}") };
            let message = format!("{}{text} does not fit", prefix(at));
            self.problems.error(place.clone(), message, format!("write {}", format.what));
        }
    }

    /// One of several words (a Rust enum).
    fn choice(&mut self, node: Node<'_>, choices: &'w [Json], at: &str) {
        let word = node.as_str();
        if let Some(choice) = choices.iter().find(|choice| choice["const"].as_str() == word) {
            let at = format!("{at} {}", word.unwrap_or_default());
            let done = choices.iter().filter(|choice| choice.get("x-ringway-not-yet").is_none());
            let done: Vec<&str> = done.filter_map(|choice| choice["const"].as_str()).collect();
            let fix = format!("write {}", done.join(" or "));
            let mark = &choice["x-ringway-not-yet"];
            return self.not_yet(node.place(), node, mark, &at, &fix);
        }
        let words: Vec<&str> = choices.iter().filter_map(|one| one["const"].as_str()).collect();
        let found = node
            .scalar_text()
            .map_or(node.kind().to_string(), |text| format!("{:?}", shorten(text)));
        let near = word.and_then(|word| nearest(word, words.iter().copied()));
        let fix = match near {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of {}", words.join(", ")),
        };
        self.problems.error(node.place(), format!("{}{found} is not known", prefix(at)), fix);
    }

    fn wrong_type(&mut self, node: Node<'_>, expected: &[&str], schema: &Json, at: &str) {
        let text = node.scalar_text().filter(|_| !is_secret(schema));
        let found = match text {
            Some(text) => format!("{} ({})", node.kind(), shorten(text)),
            None => node.kind().to_string(),
        };
        // That a value may be left out is no news to a person.
        let names = expected.iter().filter(|name| **name != "null");
        let names: Vec<&str> = names.map(|name| type_phrase(name)).collect();
        let expected = names.join(" or ");
        let message = format!("{}expected {expected}, found {found}", prefix(at));
        let fix = match (names.as_slice(), text) {
            (["a string"], None) if node.scalar_text().is_some() => "put it in quotes".to_owned(),
            (["a string"], Some(text)) => format!("put it in quotes: \"{}\"", shorten(text)),
            (["a list"], _) => "begin each item with - , or put them in [ ]".to_owned(),
            _ => format!("write {expected}"),
        };
        self.problems.error(node.place(), message, fix);
    }

    fn resolve(&self, schema: &'w Json) -> &'w Json {
        let target = schema["$ref"].as_str().map(|name| name.trim_start_matches('#'));
        target.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(schema)
    }
}

/// Whether a value is not to be printed.
fn is_secret(schema: &Json) -> bool {
    schema["writeOnly"].as_bool() == Some(true)
}

/// The types a schema takes.
fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(name) => vec![name],
        names => strings(names).collect(),
    }
}

fn is_type(node: Node<'_>, name: &str) -> bool {
    match name {
        "null" => node.kind() == Kind::Null,
        "boolean" => node.kind() == Kind::Bool,
        "integer" => node.as_integer().is_some(),
        "number" => node.kind() == Kind::Number,
        "string" => node.kind() == Kind::String,
        "array" => node.kind() == Kind::Sequence,
        "object" => node.kind() == Kind::Mapping,
        _ => false,
    }
}

fn type_phrase(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "array" => "a list",
        "object" => "a mapping (key: value)",
        other => other,
    }
}

fn strings(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

/// What a key is for, as a phrase within a sentence.
fn description(schema: &Json) -> String {
    let text = schema["description"].as_str().unwrap_or("a value").trim_end_matches('.');
    let is_plain = |letter: Option<char>| letter.is_some_and(char::is_lowercase);
    match text.chars().next() {
        Some(first) if is_plain(text.chars().nth(1)) => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

fn prefix(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{at}: ") }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}
