//! simd-json over a body, and the simple JSON path that HTTP API parameter mapping has: dots and
//! `[n]`, neither recursive descent nor filters (`api-gateway.md` 6.2).
//!
//! Only rules that read a body come here; such a request may allocate.

mod path;
pub mod strict;

use std::cell::OnceCell;

use simd_json::{OwnedValue, prelude::Writable};

pub use path::{Path, Step};

use crate::base::limits::{BODY_READ_BYTES_MAX, JSON_DEPTH_MAX};

/// A body that rules may read: cut at [`BODY_READ_BYTES_MAX`], parsed when first asked for.
pub struct Body<'a> {
    text: &'a [u8],
    parsed: OnceCell<Option<OwnedValue>>,
}

impl<'a> Body<'a> {
    /// A body of these bytes; what is over the limit is cut, so that a longer JSON text is no JSON.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { text: &bytes[..bytes.len().min(BODY_READ_BYTES_MAX)], parsed: OnceCell::new() }
    }

    /// No body, or none that a rule may read.
    #[must_use]
    pub const fn empty() -> Self {
        Self { text: &[], parsed: OnceCell::new() }
    }

    /// The bytes.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Appends what the path leads to: a string unquoted, `null` and all else as compact JSON.
    /// `false`, and nothing appended, when the body is not JSON, is nested deeper than
    /// [`JSON_DEPTH_MAX`], or the path leads nowhere. Numbers are printed anew (`1e3` as `1000.0`).
    pub fn render(&self, path: &Path, out: &mut Vec<u8>) -> bool {
        let parsed = self.parsed.get_or_init(|| parse(self.text));
        let Some(value) = parsed.as_ref().and_then(|root| follow(root, path)) else { return false };
        match value {
            OwnedValue::String(text) => out.extend_from_slice(text.as_bytes()),
            other => out.extend_from_slice(other.encode().as_bytes()),
        }
        true
    }
}

fn parse(text: &[u8]) -> Option<OwnedValue> {
    if depth(text) > JSON_DEPTH_MAX {
        return None;
    }
    let mut copy = text.to_vec();
    simd_json::to_owned_value(&mut copy).ok()
}

fn follow<'v>(root: &'v OwnedValue, path: &Path) -> Option<&'v OwnedValue> {
    path.steps().iter().try_fold(root, |value, step| match (step, value) {
        (Step::Key(key), OwnedValue::Object(members)) => members.get(key.as_str()),
        (Step::Index(index), OwnedValue::Array(items)) => items.get(*index),
        _ => None,
    })
}

/// How deep brackets are nested outside strings: values are dropped and printed recursively, so
/// the bound is checked before anything is built.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for &byte in text {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, path: &str, expected: Option<&str>) {
        let mut out = b"<".to_vec();
        let found = Body::new(body.as_bytes()).render(&Path::parse(path).unwrap(), &mut out);
        assert_eq!(found, expected.is_some());
        assert_eq!(str::from_utf8(&out).unwrap(), format!("<{}", expected.unwrap_or_default()));
    }

    #[test]
    fn paths_lead_to_values() {
        let body = r#"{"a":{"b":[1,"two",{"c":null}],"é":"ü\n"},"n":-1.5,"t":true,"e":"","d.e":1}"#;
        check(body, "a.b[1]", Some("two"));
        check(body, "a.b[0]", Some("1"));
        check(body, "a.b[2]", Some(r#"{"c":null}"#));
        check(body, "a.b[2].c", Some("null"));
        check(body, "a.b", Some(r#"[1,"two",{"c":null}]"#));
        check(body, "a.é", Some("ü\n"));
        check(body, "n", Some("-1.5"));
        check(body, "t", Some("true"));
        check(body, "e", Some(""));
        check(body, "a.b[3]", None);
        check(body, "a.b.c", None);
        check(body, "a[0]", None);
        check(body, "none", None);
        check("[[1,2],3]", "[0][1]", Some("2"));
        check("not json", "a", None);
        check("", "a", None);
        check(r#"{"a":1"#, "a", None);
        check(r#"{"a":1} trailing"#, "a", None);
    }

    #[test]
    fn depth_is_bounded_at_the_limit_and_strings_do_not_count() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let first = nested(JSON_DEPTH_MAX - 1);
        check(&nested(JSON_DEPTH_MAX), "[0]", Some(&first));
        check(&nested(JSON_DEPTH_MAX + 1), "[0]", None);
        let quoted = format!(r#"{{"a":"{}\"[["}}"#, "[".repeat(1_000));
        check(&quoted, "a", Some(&format!("{}\"[[", "[".repeat(1_000))));
        check(&"[".repeat(BODY_READ_BYTES_MAX), "[0]", None);
    }

    #[test]
    fn a_body_is_cut_at_its_limit() {
        let body = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        let whole = body(BODY_READ_BYTES_MAX);
        check(&whole, "a", Some(&"x".repeat(BODY_READ_BYTES_MAX - 8)));
        let longer = body(BODY_READ_BYTES_MAX + 1);
        check(&longer, "a", None);
        assert_eq!(Body::new(longer.as_bytes()).text().len(), BODY_READ_BYTES_MAX);
    }
}
