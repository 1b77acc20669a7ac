//! The beginning of a path, in whole segments: an API mapping's key, a routing rule's base path.
//!
//! It is written without slashes at its ends (`orders/v1`) and compared byte by byte with what the
//! client sent: cases differ, and nothing is decoded.

use crate::base::limits::API_MAPPING_KEY_BYTES_MAX;

/// A checked key; empty when it takes every path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiMappingKey(String);

/// AWS's word for the empty key.
const NONE: &str = "(none)";

impl ApiMappingKey {
    /// The key that takes every path.
    pub const NONE: Self = Self(String::new());

    /// Checks a key; nothing and `(none)` are the key that takes every path.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self::NONE);
        }
        let what = if !text.bytes().all(is_of_key) {
            "it is made of A-Z a-z 0-9 $ - _ . + ! * ' ( ) and /"
        } else if text.len() > API_MAPPING_KEY_BYTES_MAX {
            "it has at most 300 characters"
        } else if !text.is_empty() && text.split('/').any(str::is_empty) {
            "it has one slash between two segments and none at its ends"
        } else if text.split('/').any(|segment| matches!(segment, "." | "..")) {
            "no path is let in that has a dot segment, so nothing would match"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!("the key '{text}': {what}"))
    }

    /// The key; empty when it takes every path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it takes every path.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Its segments; none when it takes every path.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// What follows the key in a path; `None` when the path does not begin with it.
    #[must_use]
    pub fn strip<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        if self.is_none() {
            return Some(path);
        }
        let rest = path.strip_prefix(b"/")?.strip_prefix(self.0.as_bytes())?;
        match rest.first() {
            None => Some(b"/"),
            Some(b'/') => Some(rest),
            Some(_) => None,
        }
    }
}

/// AWS's alphabet of keys.
const fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'$' | b'-' | b'_' | b'.' | b'+' | b'!' | b'*' | b'\'' | b'(' | b')')
        || byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_aws_s_alphabet_and_length() {
        for good in ["orders", "orders/v1/items", "a.b", "...", "$-_.+!*'()", &"k".repeat(300)] {
            assert_eq!(ApiMappingKey::parse(good).unwrap().as_str(), good);
        }
        for none in ["", "(none)"] {
            assert!(ApiMappingKey::parse(none).unwrap().is_none());
        }
        assert!(!ApiMappingKey::parse("(none)/x").unwrap().is_none());
        let faults = [
            (&*"k".repeat(301), "at most 300"),
            ("/orders", "one slash"),
            ("orders/", "one slash"),
            ("a//b", "one slash"),
            ("/", "one slash"),
            ("a/../b", "dot segment"),
            (".", "dot segment"),
            ("a b", "made of"),
            ("{proxy+}", "made of"),
            ("a%20b", "made of"),
            ("é", "made of"),
            ("a?b", "made of"),
        ];
        for (text, part) in faults {
            let sentence = ApiMappingKey::parse(text).unwrap_err();
            assert!(sentence.contains(part), "{sentence}");
        }
    }

    #[track_caller]
    fn check(key: &str, path: &str, expected: Option<&str>) {
        let key = ApiMappingKey::parse(key).unwrap();
        let rest = key.strip(path.as_bytes()).map(|rest| str::from_utf8(rest).unwrap());
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_key_takes_whole_segments() {
        check("orders", "/orders/7", Some("/7"));
        check("orders", "/orders", Some("/"));
        check("orders", "/orders/", Some("/"));
        check("orders", "/orders//7", Some("//7"));
        check("orders", "/orders7", None);
        check("orders", "/Orders", None);
        check("orders", "/order", None);
        check("orders", "//orders", None);
        check("orders", "/%6Frders", None);
        check("orders", "/", None);
        check("orders", "*", None);
        check("a/b", "/a/b/c", Some("/c"));
        check("a/b", "/a%2Fb/c", None);
        check("", "/a", Some("/a"));
        check("(none)", "/", Some("/"));
    }
}
