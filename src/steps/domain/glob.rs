//! A routing rule's header condition: a name, and a glob for its value.
//!
//! A glob is compiled into the comparison that it is. `*` stands at its beginning, its end or both.

use memchr::memmem::Finder;

use crate::{
    base::limits::{MATCH_HEADER_BYTES_MAX, VALUE_GLOB_BYTES_MAX},
    http::{Fields, Name},
};

/// One of the header fields that a condition looks for.
#[derive(Clone, Debug)]
pub struct MatchHeader {
    header: HeaderName,
    glob: ValueGlob,
}

impl MatchHeader {
    /// Checks name and glob.
    ///
    /// # Errors
    /// One sentence about one of them.
    pub fn parse(header: &str, value_glob: &str) -> Result<Self, String> {
        Ok(Self { header: HeaderName::parse(header)?, glob: ValueGlob::parse(value_glob)? })
    }

    /// Whether one of the fields of that name has a value that the glob takes.
    #[must_use]
    pub fn matches(&self, fields: Fields<'_>) -> bool {
        let mut values = fields.iter().filter(|(name, text, _)| self.header.is(*name, text));
        values.any(|(_, _, value)| self.glob.matches(value))
    }

    /// `name: glob`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}: {}", self.header.text, self.glob.text())
    }
}

/// A header's name, compared without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName {
    name: Name,
    text: String,
}

impl HeaderName {
    /// Checks a name.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !(1..=MATCH_HEADER_BYTES_MAX).contains(&text.len()) || !text.bytes().all(is_token) {
            return Err(format!(
                "the header '{text}': a header's name is 1 to 40 letters, digits and signs such \
                 as '-'"
            ));
        }
        Ok(Self { name: Name::of(text.as_bytes()), text: text.to_ascii_lowercase() })
    }

    #[inline]
    fn is(&self, name: Name, text: &[u8]) -> bool {
        name == self.name
            && (name != Name::Other || text.eq_ignore_ascii_case(self.text.as_bytes()))
    }
}

/// What a header's value must be like. Cases differ.
#[derive(Clone, Debug)]
pub enum ValueGlob {
    /// `*`: the header is there.
    Any,
    /// `beta`
    Exact(Box<[u8]>),
    /// `beta*`
    Prefix(Box<[u8]>),
    /// `*beta`
    Suffix(Box<[u8]>),
    /// `*beta*`
    Contains(Box<Finder<'static>>),
}

impl ValueGlob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("the value '{text}': {what}"));
        if !(1..=VALUE_GLOB_BYTES_MAX).contains(&text.len()) {
            return fault("a glob has 1 to 128 characters");
        }
        if text.trim() != text || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return fault("a glob is of visible ASCII, spaces only between others");
        }
        if text == "*" {
            return Ok(Self::Any);
        }
        let (open, inner) = (text.starts_with('*'), text.strip_prefix('*').unwrap_or(text));
        let (open_end, inner) = (inner.ends_with('*'), inner.strip_suffix('*').unwrap_or(inner));
        if inner.is_empty() || inner.contains('*') {
            return fault("a * stands at the beginning (*x), at the end (x*) or at both (*x*)");
        }
        let bytes = || inner.as_bytes().into();
        Ok(match (open, open_end) {
            (false, false) => Self::Exact(bytes()),
            (false, true) => Self::Prefix(bytes()),
            (true, false) => Self::Suffix(bytes()),
            (true, true) => Self::Contains(Box::new(Finder::new(inner).into_owned())),
        })
    }

    /// Whether a value is like this.
    #[inline]
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => value == &**text,
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::Contains(finder) => finder.find(value).is_some(),
        }
    }

    fn text(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Any => "*".to_owned(),
            Self::Exact(bytes) => text(bytes),
            Self::Prefix(bytes) => format!("{}*", text(bytes)),
            Self::Suffix(bytes) => format!("*{}", text(bytes)),
            Self::Contains(finder) => format!("*{}*", text(finder.needle())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::fixture;

    #[track_caller]
    fn check(glob: &str, yes: &[&str], no: &[&str]) {
        let compiled = ValueGlob::parse(glob).unwrap();
        assert_eq!(compiled.text(), glob);
        for value in yes {
            assert!(compiled.matches(value.as_bytes()), "{glob} takes {value}");
        }
        for value in no {
            assert!(!compiled.matches(value.as_bytes()), "{glob} takes no {value}");
        }
    }

    #[test]
    fn a_star_stands_for_anything_at_one_end_or_both() {
        check("beta", &["beta"], &["", "Beta", "beta1", "xbeta"]);
        check("beta*", &["beta", "beta-2", "beta*"], &["", "alpha-beta", "bet"]);
        check("*beta", &["beta", "alpha-beta"], &["beta-2", "eta"]);
        check("*beta*", &["beta", "a-beta-2"], &["", "bet", "be-ta", "BETA"]);
        check("*", &["", "x"], &[]);
        check("a b", &["a b"], &["a  b"]);
        check("b?ta", &["b?ta"], &["beta"]);
        check("a*", &["a", "aa"], &["ba"]);
    }

    #[test]
    fn what_is_no_glob_is_told() {
        for text in ["a*b", "**", "***", "**a", "a**", "*a*b*", "* *b"] {
            assert!(ValueGlob::parse(text).unwrap_err().contains("a * stands"), "{text}");
        }
        for text in [" a", "a ", "é", "a\tb", "a\nb"] {
            assert!(ValueGlob::parse(text).unwrap_err().contains("visible ASCII"), "{text}");
        }
        assert!(ValueGlob::parse(&"x".repeat(128)).is_ok());
        for text in ["", &"x".repeat(129)] {
            assert!(ValueGlob::parse(text).unwrap_err().contains("1 to 128"), "{text}");
        }
        assert!(HeaderName::parse(&"x".repeat(40)).is_ok());
        for text in ["", "x y", "x:", "é", "(x)", &"x".repeat(41)] {
            assert!(HeaderName::parse(text).unwrap_err().contains("1 to 40"), "{text}");
        }
    }

    #[track_caller]
    fn check_header(header: &str, glob: &str, fields: &[(&str, &str)], expected: bool) {
        let (bytes, list) = fixture::fields(fields);
        let condition = MatchHeader::parse(header, glob).unwrap();
        assert_eq!(condition.matches(Fields::new(&bytes, &list)), expected, "{fields:?}");
    }

    #[test]
    fn one_value_of_the_header_is_enough() {
        let fields = [("Host", "a"), ("X-Version", "alpha"), ("x-VERSION", "beta"), ("x-v", "")];
        check_header("x-version", "beta*", &fields, true);
        check_header("X-VERSION", "alpha", &fields, true);
        check_header("x-version", "gamma", &fields, false);
        check_header("x-versio", "*", &fields, false);
        check_header("x-v", "*", &fields, true);
        check_header("HOST", "a", &fields, true);
        check_header("accept", "*", &fields, false);
    }
}
