//! IAM policies in documents: at an API in its definition (`x-amazon-apigateway-policy`) or in the
//! gateway file, or in a file of its own. What they may say is judged by
//! `steps::authorize::policy`; here its places are found again.

use super::document::{Kind, Node};
use crate::{
    base::Severity,
    json::strict::Value,
    steps::authorize::policy::{Note, Policy, PolicyKind},
};

/// Whether a mapping may be a function of CloudFormation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Functions {
    Known,
    /// One is an object like any other.
    Unknown,
}

/// The policy at `node`. `text` makes a text of a scalar, or, with [`Functions::Known`], of a
/// function of CloudFormation, or tells why there is none. `None` after an error.
pub(super) fn compile<'d>(
    node: Node<'d>,
    kind: PolicyKind<'_>,
    functions: Functions,
    mut text: impl FnMut(Node<'d>) -> Option<String>,
    mut tell: impl FnMut(Severity, Node<'d>, String, &str),
) -> Option<Policy> {
    let value = value_of(node, functions, &mut text)?;
    let mut tell_all = |severity, notes: Vec<Note>| {
        for Note { path, sentence, fix } in notes {
            let at = node.pointer(&path).unwrap_or(node);
            tell(severity, at, format!("policy: {sentence}"), &fix);
        }
    };
    match Policy::compile(&value, kind) {
        Ok((policy, warnings)) => {
            tell_all(Severity::Warning, warnings);
            Some(policy)
        }
        Err(faults) => {
            tell_all(Severity::Error, faults);
            None
        }
    }
}

/// The text of a scalar, in a document without functions.
pub(super) fn plain(node: Node<'_>) -> Option<String> {
    node.scalar_text().map(str::to_owned)
}

/// Numbers and truth values are texts too, as they are written: an account's number keeps its
/// zeros. Recursion is bounded by the document's depth.
fn value_of<'d>(
    node: Node<'d>,
    functions: Functions,
    text: &mut impl FnMut(Node<'d>) -> Option<String>,
) -> Option<Value> {
    match node.kind() {
        Kind::Null => Some(Value::Null),
        Kind::Sequence => {
            let items = node.items().map(|item| value_of(item, functions, text));
            items.collect::<Option<_>>().map(Value::List)
        }
        Kind::Mapping if functions == Functions::Unknown || !is_function(node) => {
            let entries = node
                .entries()
                .map(|entry| Some((entry.key.to_owned(), value_of(entry.value, functions, text)?)));
            entries.collect::<Option<_>>().map(Value::Object)
        }
        Kind::Mapping | Kind::Bool | Kind::Number | Kind::String => text(node).map(Value::Text),
    }
}

fn is_function(node: Node<'_>) -> bool {
    let mut entries = node.entries();
    let is_name = |key: &str| key == "Ref" || key.starts_with("Fn::");
    matches!((entries.next(), entries.next()), (Some(entry), None) if is_name(entry.key))
}
