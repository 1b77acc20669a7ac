//! What a schema cannot say of principals, and files of principals: YAML or JSON, a list as the
//! gateway file has it in `principals`.
//!
//! No message quotes a secret. Not here: whose ARN and which key is there twice, over all files
//! (`config::principals`).

use std::collections::HashMap;

use super::{raw, rules::list, schema};
use crate::{
    base::{Problem, Severity, limits::PROBLEMS_MAX},
    config::{
        Problems,
        document::{Document, Node},
        shorten,
    },
};

const SECRETS: [&str; 3] = ["secretAccessKey", "secretAccessKeyFile", "secretAccessKeyEnvironment"];
const TOKENS: [&str; 2] = ["sessionToken", "sessionTokenFile"];

/// Adds every problem of the principals of the file under `root`.
pub(super) fn check(root: Node<'_>, problems: &mut Problems) {
    list(root, "principals").into_iter().for_each(|node| check_principal(node, problems));
}

/// Reads a document that is a list of principals. `None` when it has errors.
pub(in crate::config) fn read_list(
    document: &Document,
    problems: &mut Problems,
) -> Option<Vec<raw::Principal>> {
    let before = problems.errors();
    let root = document.root();
    schema::check_principals(root, problems);
    root.items().for_each(|node| check_principal(node, problems));
    if problems.errors() > before {
        return None;
    }
    // The schema is made of the same types. What serde says might quote a secret.
    let read = serde_json::from_value(root.to_json());
    read.map_err(|_| problems.error(root.place(), "the principals cannot be read", "")).ok()
}

fn check_principal(node: Node<'_>, problems: &mut Problems) {
    for key in list(node, "accessKeys") {
        let id = key.find("accessKeyId").and_then(Node::as_str).unwrap_or_default();
        let label = format!("access key {}", shorten(id));
        let there = |names: &[&str]| -> Vec<Node<'_>> {
            let found = names.iter().filter_map(|name| key.find(name));
            found.filter(|found| !found.is_null()).collect()
        };
        match there(&SECRETS).as_slice() {
            [_] => {}
            [] => {
                let fix = "write one of secretAccessKeyFile: PATH, secretAccessKeyEnvironment: \
                           NAME, secretAccessKey: TEXT";
                error(problems, key, format!("{label}: it has no secret"), fix);
            }
            [_, second, ..] => {
                let message = format!("{label}: there are several ways to its secret");
                error(problems, *second, message, "keep one");
            }
        }
        if let [_, second] = there(&TOKENS)[..] {
            let message = format!("{label}: it has sessionToken and sessionTokenFile");
            error(problems, second, message, "keep one");
        }
    }
    let mut known = HashMap::new();
    for tag in node.find("tags").into_iter().flat_map(Node::entries) {
        if let Some(first) = known.insert(tag.key.to_lowercase(), tag) {
            let message = format!(
                "the tags {} and {} are one: case does not count",
                shorten(first.key),
                shorten(tag.key)
            );
            error(problems, tag.value, message, "remove one of them");
        }
    }
}

/// The place is looked up while the list takes problems: in a long line it costs.
fn error(problems: &mut Problems, at: Node<'_>, message: String, fix: &str) {
    let is_kept = problems.count(Severity::Error) < PROBLEMS_MAX;
    let (place, fix) = (is_kept.then(|| at.place()), fix.to_owned());
    problems.push(Problem { severity: Severity::Error, place, message, fix });
}
