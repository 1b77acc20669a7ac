//! `$ref`: only within the document, never in a circle, never silently merged with siblings.

use super::{fault::shorten, report::Report};
use crate::config::{document::Node, suggest::nearest};

/// References followed one after another before they are called too many.
const HOPS_MAX: usize = 16;
/// Longer names are not compared with a misspelt one.
const NAME_BYTES_MAX: usize = 100;
/// What may stand beside a `$ref` without saying anything that would be lost.
const SIBLINGS: [&str; 2] = ["summary", "description"];

/// The value that `node` stands for: itself, or what its `$ref` leads to. `None` when it leads
/// nowhere; told then, with `thing` as the name of what was looked for. `homes` are the pointers
/// of the mappings that may hold it, each with a `/` at its end.
pub(super) fn follow<'d>(
    node: Node<'d>,
    thing: &str,
    homes: &[&str],
    report: &mut Report<'_>,
) -> Option<Node<'d>> {
    let mut node = node;
    let mut seen: Vec<&str> = Vec::new();
    while let Some(entry) = node.entry("$ref") {
        let Some(reference) = entry.value.as_str() else {
            let message = format!("{thing}: $ref is {}; a string is expected", entry.value.kind());
            report.error(&entry.value, message, "write it as in $ref: '#/components/..'");
            return None;
        };
        if seen.contains(&reference) || seen.len() >= HOPS_MAX {
            let chain = shorten(&seen.join(" -> "));
            let message = format!("{thing}: $ref runs in a circle ({chain} -> {reference})");
            report.error(&entry.value, message, "let one of them be the value itself");
            return None;
        }
        check_siblings(node, thing, report);
        seen.push(reference);
        node = resolve(entry.value, reference, thing, homes, report)?;
    }
    Some(node)
}

fn check_siblings(node: Node<'_>, thing: &str, report: &mut Report<'_>) {
    let lost = node.entries().find(|entry| {
        entry.key != "$ref" && !SIBLINGS.contains(&entry.key) && !entry.key.starts_with("x-")
    });
    let Some(lost) = lost else { return };
    let message = format!("{thing}: {} stands beside $ref and would be lost", shorten(lost.key));
    report.error(&lost, message, "move it to where the $ref points, or write all of it here");
}

fn resolve<'d>(
    at: Node<'d>,
    reference: &str,
    thing: &str,
    homes: &[&str],
    report: &mut Report<'_>,
) -> Option<Node<'d>> {
    let Some(fragment) = reference.strip_prefix('#') else {
        let message = format!("{thing}: $ref {} leaves this document", shorten(reference));
        let fix = "references to other documents are not yet supported: copy the value into this \
                   document's components";
        report.error(&at, message, fix);
        return None;
    };
    let pointer = decode(fragment);
    let is_at = |home: &&&str| pointer.strip_prefix(**home).is_some_and(|name| !name.contains('/'));
    if homes.iter().find(is_at).is_none() {
        let message = format!("{thing}: $ref {} points to the wrong part", shorten(reference));
        let homes: Vec<String> = homes.iter().map(|home| format!("#{home}NAME")).collect();
        report.error(&at, message, &format!("write {}", homes.join(" or ")));
        return None;
    }
    if let Some(found) = at.document().root().pointer(&pointer) {
        return Some(found);
    }
    let message = format!("{thing}: $ref {} leads nowhere", shorten(reference));
    let near = match report.is_full() {
        true => None,
        false => sibling_of(at.document().root(), &pointer),
    };
    let fix = match near {
        Some(name) => format!("did you mean {name}?"),
        None => format!("add {} to the document", shorten(&pointer)),
    };
    report.error(&at, message, &fix);
    None
}

/// A name near the last token of a pointer that leads nowhere.
fn sibling_of<'d>(root: Node<'d>, pointer: &str) -> Option<&'d str> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let names = root.pointer(parent)?.entries().map(|entry| entry.key);
    nearest(last, names.filter(|name| name.len() <= NAME_BYTES_MAX))
}

/// A URI fragment's text: percent-encoding undone where it is complete and gives UTF-8.
fn decode(fragment: &str) -> String {
    let bytes = fragment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = fragment.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| fragment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn fragments_are_decoded() {
        assert_eq!(decode("/paths/~1a%7Bb%7d"), "/paths/~1a{b}");
        assert_eq!(decode("%"), "%");
        assert_eq!(decode("%f"), "%f");
        assert_eq!(decode("%\u{e9}"), "%\u{e9}");
        assert_eq!(decode("%ff"), "%ff");
    }
}
