//! CloudFormation's functions, where a string is expected: `Ref`, `Fn::Sub`, `Fn::GetAtt` and
//! `Fn::Join` with names that are known; everything else is told, never guessed.
//!
//! Real API definitions come out of SAM and CloudFormation templates and are full of these
//! (`api-gateway.md` 1.3). What a template's resources would be is not known here.

use super::{
    fault::shorten,
    report::Report,
    text::{Segment, Substitutions, push_hole, segments},
};
use crate::{
    base::limits::OPENAPI_TEXT_BYTES_MAX,
    config::document::{Entry, Node},
};

/// The string that `node` is or makes; `None` when it makes none, which was told then, with
/// `thing` as the name of what was read.
pub(super) fn resolve(
    node: Node<'_>,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    let text = evaluate(node, thing, known, report)?;
    if text.len() <= OPENAPI_TEXT_BYTES_MAX {
        return Some(text);
    }
    let message =
        format!("{thing} has {} bytes; at most {OPENAPI_TEXT_BYTES_MAX} are taken", text.len());
    report.error(&node, message, "shorten it");
    None
}

/// Recursion is bounded by the document's depth; a function's result by its arguments' checked
/// lengths.
fn evaluate(
    node: Node<'_>,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    if let Some(text) = node.scalar_text() {
        return Some(text.to_owned());
    }
    let mut entries = node.entries();
    let (Some(function), None) = (entries.next(), entries.next()) else {
        return expected_string(node, thing, report);
    };
    match function.key {
        "Ref" => named(function.value, thing, known, report),
        "Fn::GetAtt" => attribute(function.value, thing, known, report),
        "Fn::Sub" => substitute(function.value, thing, known, report),
        "Fn::Join" => join(function.value, thing, known, report),
        key if key.starts_with("Fn::") || key == "Condition" => {
            unresolved(function, thing, report);
            None
        }
        _ => expected_string(node, thing, report),
    }
}

fn expected_string(node: Node<'_>, thing: &str, report: &mut Report<'_>) -> Option<String> {
    report.error(&node, format!("{thing} is {}; a string is expected", node.kind()), "");
    None
}

fn unresolved(function: Entry<'_>, thing: &str, report: &mut Report<'_>) {
    let message = format!("{thing} is made by {}, which only CloudFormation can do", function.key);
    report.error(&function, message, "write the value itself");
}

fn named(
    node: Node<'_>,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    let Some(name) = node.as_str() else { return expected_string(node, thing, report) };
    lookup(node, name, thing, known, report)
}

/// `[resource, attribute]` or `resource.attribute`.
fn attribute(
    node: Node<'_>,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    if let Some(name) = node.as_str() {
        return lookup(node, name, thing, known, report);
    }
    let parts: Vec<&str> = node.items().filter_map(Node::as_str).collect();
    if parts.len() != 2 || node.items().len() != 2 {
        let message = format!("{thing}: Fn::GetAtt takes a resource's name and an attribute's");
        report.error(&node, message, "write the value itself");
        return None;
    }
    lookup(node, &parts.join("."), thing, known, report)
}

fn lookup(
    node: Node<'_>,
    name: &str,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    if let Some(value) = known.get(name) {
        return Some(value.clone());
    }
    let message =
        format!("{thing} names {}, which is known only where CloudFormation runs", shorten(name));
    report.error(&node, message, "write its value, or a stage variable: ${stageVariables.name}");
    None
}

/// `text` or `[text, {name: value}]`.
fn substitute(
    node: Node<'_>,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    let mut own = Substitutions::new();
    let source = match node.as_str() {
        Some(text) => text,
        None => {
            let mut items = node.items();
            let text = items.next().and_then(Node::as_str);
            let (Some(text), true) = (text, node.items().len() <= 2) else {
                let message = format!("{thing}: Fn::Sub takes a text, or a text and its names");
                report.error(&node, message, "write it as in Fn::Sub: 'http://${Host}/'");
                return None;
            };
            for entry in items.flat_map(Node::entries) {
                let value = resolve(entry.value, thing, known, report)?;
                own.insert(entry.key.to_owned(), value);
            }
            text
        }
    };
    let mut out = String::new();
    for segment in segments(source) {
        match segment {
            Segment::Literal(text) => out.push_str(text),
            Segment::Hole(name) => match (name.strip_prefix('!'), own.get(name)) {
                (Some(literal), _) => push_hole(&mut out, literal),
                (None, Some(value)) => out.push_str(value),
                // Not CloudFormation's, but what the writer meant is plain.
                (None, None) if name.starts_with("stageVariables.") => push_hole(&mut out, name),
                (None, None) => out.push_str(&lookup(node, name, thing, known, report)?),
            },
        }
        is_in_bounds(&out, node, thing, report).then_some(())?;
    }
    Some(out)
}

/// `[separator, [values]]`.
fn join(
    node: Node<'_>,
    thing: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<String> {
    let mut arguments = node.items();
    let (Some(separator), Some(values), None) =
        (arguments.next().and_then(Node::as_str), arguments.next(), arguments.next())
    else {
        let message = format!("{thing}: Fn::Join takes a separator and a list");
        report.error(&node, message, "write it as in Fn::Join: ['', ['http://', 'host']]");
        return None;
    };
    let mut out = String::new();
    for (index, value) in values.items().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(&resolve(value, thing, known, report)?);
        is_in_bounds(&out, node, thing, report).then_some(())?;
    }
    Some(out)
}

fn is_in_bounds(out: &str, node: Node<'_>, thing: &str, report: &mut Report<'_>) -> bool {
    if out.len() <= OPENAPI_TEXT_BYTES_MAX {
        return true;
    }
    let message = format!("{thing} becomes longer than {OPENAPI_TEXT_BYTES_MAX} bytes");
    report.error(&node, message, "shorten it");
    false
}
