//! API keys: who calls, by the value of `x-api-key` (`api-gateway.md` 4).
//!
//! A value is never kept, only its SHA-256: what is compared is a digest that whoever sends the
//! value cannot choose, and the comparison takes the same time whatever it finds. What a key's
//! plan allows is not decided here.

mod digest;
mod switches;

use std::sync::Arc;

use crate::{
    base::limits::{API_KEY_VALUE_BYTES_MAX, API_KEY_VALUE_BYTES_MIN, API_KEYS_MAX},
    ledger::Subject,
};

pub use digest::Digest;
pub use switches::Switches;

/// The keys of a gateway, found by value.
#[derive(Default)]
pub struct Keys {
    /// Sorted by id.
    keys: Vec<Key>,
    /// The keys by digest, sorted.
    entries: Box<[Entry]>,
    /// Where in `entries` the digests begin that begin with these bits: on average one does.
    starts: Box<[u32]>,
    /// How many bits: 1 to 21.
    bits: u32,
}

struct Entry {
    digest: Digest,
    key: u32,
}

/// A key.
pub struct Key {
    /// What tells it from others, for the usage report and AWS's API.
    pub id: Box<str>,
    /// Its name for people.
    pub name: Box<str>,
    /// Whether it is valid.
    pub enabled: bool,
    /// Whose accounts are spent.
    pub subject: Subject,
    plans: Arc<StagePlans>,
}

/// A key as a document describes it.
pub struct KeyDraft {
    /// See [`Key::id`].
    pub id: String,
    /// See [`Key::name`].
    pub name: String,
    /// Whether it is valid.
    pub enabled: bool,
    /// Of its value.
    pub digest: Digest,
    /// Keys of the same plans share them.
    pub plans: Arc<StagePlans>,
}

/// A usage plan's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsagePlanIndex(pub u32);

/// Which usage plan holds on which stage, for the keys of some usage plans: at most one on each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StagePlans(Box<[(u32, UsagePlanIndex)]>);

impl Keys {
    /// Compiles the keys.
    ///
    /// # Errors
    /// One sentence for each id and each value that two keys have.
    pub fn compile(drafts: Vec<KeyDraft>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        if drafts.len() > API_KEYS_MAX {
            return Err(vec![format!("{} API keys; at most {API_KEYS_MAX} fit", drafts.len())]);
        }
        let mut drafts = drafts;
        drafts.sort_by(|one, two| one.id.cmp(&two.id));
        for pair in drafts.windows(2) {
            if pair[0].id == pair[1].id {
                faults.push(format!("two API keys have the id {}", pair[0].id));
            }
        }
        let places = 0..u32::try_from(drafts.len()).expect("at most API_KEYS_MAX");
        let entry = |(key, draft): (u32, &KeyDraft)| Entry { digest: draft.digest, key };
        let mut entries: Box<[Entry]> = places.zip(&drafts).map(entry).collect();
        entries.sort_unstable_by_key(|entry| (entry.digest, entry.key));
        for pair in entries.windows(2) {
            if pair[0].digest == pair[1].digest {
                let id = |entry: &Entry| drafts[entry.key as usize].id.as_str();
                let (one, two) = (id(&pair[0]), id(&pair[1]));
                faults.push(format!("the API keys {one} and {two} have the same value"));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let bits = entries.len().next_power_of_two().trailing_zeros() + 1;
        let starts = starts(&entries, bits);
        let keys = drafts.into_iter().map(Key::compile).collect();
        Ok(Self { keys, entries, starts, bits })
    }

    /// The key of this value, valid or not. Costs a SHA-256 and two or three reads of memory,
    /// whatever the value; one that no key can have costs nothing. Does not allocate.
    #[must_use]
    pub fn find(&self, value: &[u8]) -> Option<&Key> {
        let can_be = (API_KEY_VALUE_BYTES_MIN..=API_KEY_VALUE_BYTES_MAX).contains(&value.len());
        if !can_be || self.entries.is_empty() {
            return None;
        }
        let digest = Digest::of(value);
        let bucket = digest.first_bits(self.bits);
        let entries = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        let found = self.entries[entries].iter().find(|entry| entry.digest.equals(&digest))?;
        Some(&self.keys[found.key as usize])
    }

    /// The key of this id.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&Key> {
        let found = self.keys.binary_search_by(|key| (*key.id).cmp(id)).ok()?;
        Some(&self.keys[found])
    }

    /// All keys, by id.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.keys.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Where the entries of each bucket begin, and where the last one ends.
fn starts(entries: &[Entry], bits: u32) -> Box<[u32]> {
    let mut starts = vec![0_u32; (1 << bits) + 1].into_boxed_slice();
    for entry in entries {
        starts[entry.digest.first_bits(bits) + 1] += 1;
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}

impl Key {
    fn compile(draft: KeyDraft) -> Self {
        let KeyDraft { id, name, enabled, plans, .. } = draft;
        let subject = subject_of(&id);
        Self { id: id.into(), name: name.into(), enabled, subject, plans }
    }

    /// The usage plan that holds for it on the stage with this index; without one it may not
    /// call there.
    #[must_use]
    pub fn plan(&self, stage: u32) -> Option<UsagePlanIndex> {
        self.plans.find(stage)
    }

    /// The usage plans that it is in, each with the stages where it holds.
    #[must_use]
    pub fn plans(&self) -> &StagePlans {
        &self.plans
    }
}

/// Whose accounts the key of this id spends: stable as long as the id is.
#[must_use]
pub fn subject_of(id: &str) -> Subject {
    Subject(Digest::of_names(&["key", id]).first_16())
}

impl StagePlans {
    /// Of pairs of a stage's index and the plan that holds there.
    ///
    /// # Errors
    /// The first stage on which two plans hold, with both.
    pub fn compile(
        mut pairs: Vec<(u32, UsagePlanIndex)>,
    ) -> Result<Self, (u32, UsagePlanIndex, UsagePlanIndex)> {
        pairs.sort_unstable();
        pairs.dedup();
        match pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err((pair[0].0, pair[0].1, pair[1].1)),
            None => Ok(Self(pairs.into())),
        }
    }

    /// The pairs, by stage.
    #[must_use]
    pub fn pairs(&self) -> &[(u32, UsagePlanIndex)] {
        &self.0
    }

    fn find(&self, stage: u32) -> Option<UsagePlanIndex> {
        let found = self.0.binary_search_by_key(&stage, |pair| pair.0).ok()?;
        Some(self.0[found].1)
    }
}

#[cfg(test)]
mod tests;
