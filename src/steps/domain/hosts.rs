//! Which domain a host belongs to: a table of hashes for exact names, one for wildcards' parents.
//!
//! A lookup hashes the host once, or twice when no exact name is found, and allocates nothing. The
//! tables are at most half full, and who sends hosts cannot add to them.

use super::{
    DomainId,
    name::{DomainName, LABEL_BYTES_MAX, NAME_BYTES_MAX},
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
        for (id, name) in (0..).map(DomainId).zip(names) {
            let table = if name.is_wildcard() { &mut hosts.wildcards } else { &mut hosts.exact };
            if table.find(name.compared(), names).is_some() {
                problems.push(format!("domain name {}: it stands there twice", name.as_str()));
            }
            table.insert(id, name);
        }
        if problems.is_empty() { Ok(hosts) } else { Err(problems) }
    }

    /// The domain of a host. `names` are those of [`Hosts::compile`].
    #[inline]
    pub(super) fn find(&self, host: &[u8], names: &[DomainName]) -> Option<DomainId> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        if host.len() > NAME_BYTES_MAX {
            return None;
        }
        if let Some(domain) = self.exact.find(host, names) {
            return Some(domain);
        }
        if self.wildcards.is_empty() {
            return None;
        }
        let (label, parent) = host.split_at(memchr::memchr(b'.', host)?);
        let covered = (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.iter().all(is_plain);
        if covered { self.wildcards.find(&parent[1..], names) } else { None }
    }
}

/// What a wildcard stands for. The underscore is in no host name and in many that are in use.
const fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Open addressing by the hash of a name, with linear probing.
#[derive(Clone, Debug, Default)]
struct Table {
    /// A power of two of them, at least half of them vacant; or none at all.
    slots: Box<[Slot]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    domain: u32,
}

const VACANT: Slot = Slot { hash: 0, domain: u32::MAX };

impl Table {
    fn with_room_for(count: usize) -> Self {
        let slots = if count == 0 { 0 } else { (2 * count).next_power_of_two() };
        Self { slots: vec![VACANT; slots].into() }
    }

    fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn insert(&mut self, domain: DomainId, name: &DomainName) {
        let hash = hash(name.compared());
        let mut place = hash as usize;
        while self.slots[place & (self.slots.len() - 1)].domain != VACANT.domain {
            place += 1;
        }
        let place = place & (self.slots.len() - 1);
        self.slots[place] = Slot { hash, domain: domain.0 };
    }

    #[inline]
    fn find(&self, name: &[u8], names: &[DomainName]) -> Option<DomainId> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = hash(name);
        let mut place = hash as usize;
        loop {
            let slot = self.slots[place & mask];
            if slot.domain == VACANT.domain {
                return None;
            }
            let is_it = || names[slot.domain as usize].compared().eq_ignore_ascii_case(name);
            if slot.hash == hash && is_it() {
                return Some(DomainId(slot.domain));
            }
            place += 1;
        }
    }
}

/// The same for every case of a name: 0x20 makes capitals small. It also makes a few other bytes
/// the same, which no name has; the comparison tells them apart.
#[inline]
fn hash(name: &[u8]) -> u32 {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    const FACTOR: u64 = 0x517C_C1B7_2722_0A95;
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ (word | SMALL)).wrapping_mul(FACTOR);
    let (words, rest) = name.as_chunks::<8>();
    let state = words.iter().fold(0, |state, word| mix(state, u64::from_le_bytes(*word)));
    let tail = rest.iter().fold(rest.len() as u64, |tail, byte| tail << 8 | u64::from(*byte));
    (mix(state, tail) >> 32) as u32
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

    /// A hash that does not spread names makes a lookup a scan.
    #[test]
    fn ten_thousand_names_are_spread_over_the_table() {
        let texts: Vec<String> =
            (0..10_000).map(|index| format!("tenant-{index}.api.example.com")).collect();
        let names: Vec<_> = texts.iter().map(|text| DomainName::parse(text).unwrap()).collect();
        let hosts = Hosts::compile(&names).unwrap();
        let mask = hosts.exact.slots.len() - 1;
        let steps = |(place, slot): (usize, &Slot)| (place.wrapping_sub(slot.hash as usize)) & mask;
        let taken = hosts.exact.slots.iter().enumerate().filter(|slot| slot.1.domain != u32::MAX);
        let steps: Vec<usize> = taken.map(steps).collect();
        assert_eq!(steps.len(), 10_000);
        assert!(steps.iter().sum::<usize>() < 10_000, "{}", steps.iter().sum::<usize>());
        assert!(steps.iter().max() < Some(&40), "{:?}", steps.iter().max());
        for (index, text) in texts.iter().enumerate() {
            let found = hosts.find(text.to_uppercase().as_bytes(), &names);
            assert_eq!(found.map(|id| id.0 as usize), Some(index));
        }
    }
}
