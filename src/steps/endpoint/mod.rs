//! Who may reach an API by which listener: AWS's endpoint types (`api-gateway.md` 1.6, 1.8).
//!
//! Listeners carry labels, which stand where AWS has the ids of VPC endpoints. An API is public, on
//! every listener, or private to those that have one of its labels. Names become numbers when a
//! plan is compiled; a request compares two sets of bits.
//!
//! Not here: resource policies, which will read a listener's labels as `aws:SourceVpce`.

use crate::steps::reject::{Client, Reject};

/// Different labels that the APIs of one plan may be private to.
pub const LABELS_MAX: usize = 64;
/// A label stands in a host name (`{apiId}-{label}.execute-api.*`).
pub const LABEL_BYTES_MAX: usize = 63;

/// Whether a text may be a label: a-z, 0-9 and `-`.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// A set of one plan's labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelSet(u64);

/// The labels that a plan's APIs are private to, numbered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<String>);

/// Who may reach an API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody: its type is EDGE or REGIONAL.
    #[default]
    Public,
    /// Those who come by a listener with one of these labels: PRIVATE.
    PrivateTo(LabelSet),
}

impl LabelSet {
    /// Every label: who may come by any listener.
    pub const ALL: Self = Self(u64::MAX);
}

impl Labels {
    /// The set of these names, of which new ones get a number. `None` when there are too many.
    pub fn add<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Option<LabelSet> {
        let mut set = LabelSet::default();
        for name in names {
            let known = self.0.iter().position(|known| known == name);
            let number = known.unwrap_or(self.0.len());
            if number == LABELS_MAX {
                return None;
            }
            if known.is_none() {
                self.0.push(name.to_owned());
            }
            set.0 |= 1 << number;
        }
        Some(set)
    }

    /// Those of these names that some API is private to.
    #[must_use]
    pub fn find<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> LabelSet {
        let number = |name| self.0.iter().position(|known| known == name);
        let bits = names.into_iter().filter_map(number).fold(0, |set, number| set | 1 << number);
        LabelSet(bits)
    }

    /// The names of a set, in the order in which the documents have them.
    pub fn names(&self, set: LabelSet) -> impl Iterator<Item = &str> {
        let numbered = self.0.iter().enumerate();
        numbered.filter(move |(number, _)| set.0 >> number & 1 == 1).map(|(_, name)| name.as_str())
    }
}

impl Access {
    /// Whether a request may go on that came by a listener with these labels.
    ///
    /// # Errors
    /// [`Client::NotOnThisListener`].
    #[inline]
    pub fn admit(self, listener: impl FnOnce() -> LabelSet) -> Result<(), Reject> {
        match self {
            Self::Public => Ok(()),
            Self::PrivateTo(labels) if labels.0 & listener().0 != 0 => Ok(()),
            Self::PrivateTo(_) => Err(Reject::Client(Client::NotOnThisListener)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_api_is_reached_by_its_listeners_only() {
        let mut labels = Labels::default();
        let pets = Access::PrivateTo(labels.add(["internal", "vpn"]).unwrap());
        let orders = Access::PrivateTo(labels.add(["vpn", "office"]).unwrap());
        #[track_caller]
        fn check(labels: &Labels, access: Access, listener: &[&str], expected: bool) {
            let found = access.admit(|| labels.find(listener.iter().copied()));
            assert_eq!(found.is_ok(), expected, "{listener:?}");
        }
        check(&labels, pets, &["internal"], true);
        check(&labels, pets, &["other", "vpn"], true);
        check(&labels, pets, &["office"], false);
        check(&labels, pets, &["interna"], false);
        check(&labels, pets, &[], false);
        check(&labels, orders, &["office"], true);
        check(&labels, orders, &["internal"], false);
        check(&labels, Access::Public, &[], true);
        assert!(Access::PrivateTo(LabelSet::default()).admit(LabelSet::default).is_err());
        let Access::PrivateTo(set) = orders else { panic!("private") };
        assert_eq!(labels.names(set).collect::<Vec<_>>(), ["vpn", "office"]);
    }

    #[test]
    fn labels_are_bounded() {
        let names = |count: usize| (0..count).map(|n| format!("l{n}")).collect::<Vec<_>>();
        let add = |count| {
            let mut labels = Labels::default();
            let set = labels.add(names(count).iter().map(String::as_str))?;
            Some(labels.names(set).count())
        };
        assert_eq!(add(LABELS_MAX), Some(LABELS_MAX));
        assert_eq!(add(LABELS_MAX + 1), None);
    }

    #[test]
    fn labels_fit_into_a_host_name() {
        for good in ["a", "internal", "vpce-0f1e2d3c", &"x".repeat(63)] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "A", "a_b", "a.b", "a b", "é", &"x".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
