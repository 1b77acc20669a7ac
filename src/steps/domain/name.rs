//! A custom domain's name as a document gives it: exact (`api.example.com`) or a wildcard
//! (`*.example.com`), which covers exactly one label.
//!
//! Names are compared without case and kept in lower case. A name in another script is written in
//! its A-label form (`xn--..`), as it comes over the wire: nothing here converts it.

/// The longest host name (RFC 1035 2.3.4, as text without the last dot).
pub(super) const NAME_BYTES_MAX: usize = 253;
/// The longest label of one.
pub(super) const LABEL_BYTES_MAX: usize = 63;

/// A checked name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// Checks a name.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("domain name '{text}': {what}"));
        if !text.is_ascii() {
            return fault("a name in another script is written as its A-label, xn--..");
        }
        if text.len() > NAME_BYTES_MAX {
            return fault("a name has at most 253 characters");
        }
        let rest = text.strip_prefix("*.").unwrap_or(text);
        if rest.contains('*') {
            return fault("a wildcard is the whole first label, once, as in *.example.com");
        }
        if !rest.split('.').all(is_label) {
            return fault("a label is 1 to 63 letters, digits and '-', and has no '-' at its ends");
        }
        let last = rest.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return fault("an address is no domain name");
        }
        // A wildcard's first label is not in `rest`.
        let second = rest.split('.').nth(usize::from(rest.len() == text.len()));
        if second.is_some_and(|label| label.eq_ignore_ascii_case("execute-api")) {
            return fault("*.execute-api.. are the APIs' own host names");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers all names of one more label.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// What a host is compared with: the name, or a wildcard's name after the first label.
    pub(super) fn compared(&self) -> &[u8] {
        self.0.strip_prefix("*.").unwrap_or(&self.0).as_bytes()
    }
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_names_or_wildcards() {
        let long = format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(61));
        assert_eq!(long.len(), NAME_BYTES_MAX);
        for good in ["api.example.com", "*.example.com", "localhost", "*.local", "x1.y-2.z", &long]
        {
            assert_eq!(DomainName::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(DomainName::parse("API.Example.COM").unwrap().as_str(), "api.example.com");
        assert_eq!(DomainName::parse("xn--bcher-kva.example").unwrap().compared().len(), 21);
        assert_eq!(DomainName::parse("execute-api.example.com").unwrap().compared().len(), 23);
    }

    #[track_caller]
    fn check(text: &str, part: &str) {
        let sentence = DomainName::parse(text).unwrap_err();
        assert!(sentence.contains(part), "{sentence}");
    }

    #[test]
    fn what_is_no_name_is_told() {
        check("bücher.example", "xn--");
        check(&format!("{}.b", "a.".repeat(125) + "cc"), "253");
        for text in ["", ".", "a..b", ".a", "a.", "-a.b", "a-.b", "a b", "a_b.c", "a:80", "a/b"] {
            check(text, "a label is");
        }
        check(&format!("{}.b", "a".repeat(64)), "a label is");
        for text in ["*", "**.a", "a.*.b", "api*.b", "*.*.b", "*a.b", "a.*"] {
            check(text, "whole first label");
        }
        check("*.", "a label is");
        for text in ["127.0.0.1", "1", "*.0.0.1", "a.7"] {
            check(text, "an address");
        }
        check("[::1]", "a label is");
        for text in ["x.Execute-API.local", "*.execute-api.us-east-1.amazonaws.com"] {
            check(text, "own host names");
        }
    }
}
