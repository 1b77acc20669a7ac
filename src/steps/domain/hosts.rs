//! Which domain a host belongs to: a table for exact names, one for what wildcards cover.
//!
//! A lookup hashes the host once, or twice when no exact name is found.

use super::{
    DomainId,
    name::{DomainName, LABEL_BYTES_MAX, NAME_BYTES_MAX},
    table::Table,
};

/// The names of all domains, to be found by host.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    exact: Table,
    wildcards: Table,
}

impl Hosts {
    /// The table of these names; [`DomainId`] counts in their order.
    ///
    /// # Errors
    /// One sentence for each name that stands twice.
    pub(super) fn compile(names: &[DomainName]) -> Result<Self, Vec<String>> {
        let wildcards = names.iter().filter(|name| name.is_wildcard()).count();
        let mut hosts = Self {
            exact: Table::with_room_for(names.len() - wildcards),
            wildcards: Table::with_room_for(wildcards),
        };
        let mut problems = Vec::new();
        for (number, name) in (0..).zip(names) {
            let table = if name.is_wildcard() { &mut hosts.wildcards } else { &mut hosts.exact };
            let compared = name.compared();
            if table.find(compared, |at| names[at as usize].compared()).is_some() {
                problems.push(format!("domain name {}: it stands there twice", name.as_str()));
            }
            table.insert(number, compared);
        }
        if problems.is_empty() { Ok(hosts) } else { Err(problems) }
    }

    /// The domain of a host. `names` are those of [`Hosts::compile`].
    #[inline]
    pub(super) fn find(&self, host: &[u8], names: &[DomainName]) -> Option<DomainId> {
        if names.is_empty() {
            return None;
        }
        self.find_among(host, names)
    }

    fn find_among(&self, host: &[u8], names: &[DomainName]) -> Option<DomainId> {
        let text = |number: u32| names[number as usize].compared();
        let host = host.strip_suffix(b".").unwrap_or(host);
        if host.len() > NAME_BYTES_MAX {
            return None;
        }
        if let Some(number) = self.exact.find(host, text) {
            return Some(DomainId(number));
        }
        if self.wildcards.is_empty() {
            return None;
        }
        let (label, parent) = host.split_at(memchr::memchr(b'.', host)?);
        let covered = (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.iter().all(is_plain);
        if covered { self.wildcards.find(&parent[1..], text).map(DomainId) } else { None }
    }
}

/// What a wildcard stands for. The underscore is in no host name and in many that are in use.
const fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<DomainName> {
        texts.iter().map(|text| DomainName::parse(text).unwrap()).collect()
    }

    #[track_caller]
    fn check(texts: &[&str], host: &[u8], expected: Option<&str>) {
        let names = names(texts);
        let found = Hosts::compile(&names).unwrap().find(host, &names);
        let found = found.map(|id| names[id.0 as usize].as_str());
        assert_eq!(found, expected, "{}", host.escape_ascii());
    }

    const SOME: &[&str] =
        &["*.example.com", "api.example.com", "localhost", "*.b.example.com", "*.local"];

    #[test]
    fn exact_names_win_over_wildcards() {
        check(SOME, b"api.example.com", Some("api.example.com"));
        check(SOME, b"API.eXample.COM", Some("api.example.com"));
        check(SOME, b"api.example.com.", Some("api.example.com"));
        check(SOME, b"other.example.com", Some("*.example.com"));
        check(SOME, b"OTHER.Example.com.", Some("*.example.com"));
        check(SOME, b"localhost", Some("localhost"));
        check(SOME, b"a_b-c.local", Some("*.local"));
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        check(SOME, b"example.com", None);
        check(SOME, b"a.b.example.com", Some("*.b.example.com"));
        check(SOME, b"a.c.example.com", None);
        check(SOME, b"x.api.example.com", None);
        check(SOME, b".example.com", None);
        check(SOME, b"..example.com", None);
        check(SOME, b"*.example.com", None);
        check(SOME, b"*.b.example.com", None);
        let label = |length: usize| format!("{}.example.com", "a".repeat(length)).into_bytes();
        check(SOME, &label(63), Some("*.example.com"));
        check(SOME, &label(64), None);
    }

    #[test]
    fn hosts_that_are_no_names_belong_to_nobody() {
        for host in [
            b"".as_slice(),
            b".",
            b"..",
            b"api.example.com..",
            b"api..example.com",
            b"api.example.comx",
            b"xapi.example.com ",
            b"127.0.0.1",
            b"[::1]",
            b"[::ffff:1.2.3.4]",
            b"user@api.example.com",
            b"user@x.example.com",
            b"api.example.com:80",
            b"\xC3\xA4.example.com",
            b"a\0.example.com",
            b"api\0example.com",
            b"\x41\x50\x49\x0E\x45xample.com",
            &[b'.'; 70_000],
            &[b'a'; 70_000],
            &[0xFF; 300],
        ] {
            check(SOME, host, None);
        }
        check(&[], b"api.example.com", None);
        check(&["*.com"], b"a", None);
    }

    #[test]
    fn names_that_stand_twice_are_told() {
        let twice = names(&["a.b", "*.a.b", "A.B", "*.A.b", "c.b"]);
        let sentences = Hosts::compile(&twice).unwrap_err();
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences[0].starts_with("domain name a.b: "), "{sentences:?}");
    }
}
