//! API keys: who calls, by the value of `x-api-key` (`api-gateway.md` 4).
//!
//! A value is never kept, only its SHA-256: what is compared is a digest that whoever sends the
//! value cannot choose, and the comparison takes the same time whatever it finds. What a key's
//! plan allows is not decided here.

mod digest;
mod switches;

use std::{ops::Deref, sync::Arc};

use crate::{
    base::limits::{API_KEY_VALUE_BYTES_MAX, API_KEY_VALUE_BYTES_MIN, API_KEYS_MAX},
    ledger::Subject,
};

use digest::Kept;

pub use digest::Digest;
pub use switches::Switches;

/// The keys of a gateway, found by value.
#[derive(Default)]
pub struct Keys {
    /// By digest, so that finding one reads memory in two places.
    keys: Box<[Key]>,
    /// Their places, by id.
    by_id: Box<[u32]>,
    /// Where in `keys` the digests begin that begin with these bits: one or two do, on average.
    starts: Box<[u32]>,
    /// How many bits: 1 to 20.
    bits: u32,
}

/// A key: one cache line, all that a request reads of it. Its [`Names`] stand elsewhere, and are
/// its fields all the same.
#[repr(C, align(64))]
pub struct Key {
    digest: Kept,
    plans: Arc<StagePlans>,
    /// Whose accounts are spent.
    pub subject: Subject,
    names: Box<Names>,
    /// Whether it is valid.
    pub enabled: bool,
}

const _: () = assert!(size_of::<Key>() == 64);

/// What a key is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// What tells it from others, for the usage report and AWS's API.
    pub id: Box<str>,
    /// Its name for people.
    pub name: Box<str>,
}

/// A key as a document describes it.
pub struct KeyDraft {
    /// See [`Names::id`].
    pub id: String,
    /// See [`Names::name`].
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
        if drafts.len() > API_KEYS_MAX {
            return Err(vec![format!("{} API keys; at most {API_KEYS_MAX} fit", drafts.len())]);
        }
        let mut keys: Box<[Key]> = drafts.into_iter().map(Key::compile).collect();
        keys.sort_unstable_by(|one, two| (one.digest, &one.id).cmp(&(two.digest, &two.id)));
        let places = 0..u32::try_from(keys.len()).expect("at most API_KEYS_MAX");
        let mut by_id: Box<[u32]> = places.collect();
        let id_of = |place: &u32| &keys[*place as usize].id;
        by_id.sort_unstable_by(|one, two| id_of(one).cmp(id_of(two)));
        let same_ids = by_id.windows(2).filter(|pair| id_of(&pair[0]) == id_of(&pair[1]));
        let mut faults: Vec<String> =
            same_ids.map(|pair| format!("two API keys have the id {}", id_of(&pair[0]))).collect();
        for pair in keys.windows(2).filter(|pair| pair[0].digest == pair[1].digest) {
            let (one, two) = (&pair[0].id, &pair[1].id);
            faults.push(format!("the API keys {one} and {two} have the same value"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // A small table stays in the cache, and the neighbours of a key are read with it.
        let bits = (usize::BITS - keys.len().leading_zeros()).saturating_sub(1).max(1);
        let starts = starts(&keys, bits);
        Ok(Self { keys, by_id, starts, bits })
    }

    /// The key of this value, valid or not. Costs a SHA-256 and two reads of memory, whatever the
    /// value; one that no key can have costs nothing. Does not allocate.
    #[must_use]
    pub fn find(&self, value: &[u8]) -> Option<&Key> {
        let can_be = (API_KEY_VALUE_BYTES_MIN..=API_KEY_VALUE_BYTES_MAX).contains(&value.len());
        if !can_be || self.keys.is_empty() {
            return None;
        }
        let digest = Digest::of(value).kept();
        let bucket = digest.first_bits(self.bits);
        let keys = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        self.keys[keys].iter().find(|key| key.digest.equals(&digest))
    }

    /// The key of this id.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&Key> {
        let key = |place: u32| &self.keys[place as usize];
        let found = self.by_id.binary_search_by(|place| (*key(*place).id).cmp(id)).ok()?;
        Some(key(self.by_id[found]))
    }

    /// All keys, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.by_id.iter().map(|place| &self.keys[*place as usize])
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

/// Where the keys of each bucket begin, and where the last one ends.
fn starts(keys: &[Key], bits: u32) -> Box<[u32]> {
    let mut starts = vec![0_u32; (1 << bits) + 1].into_boxed_slice();
    for key in keys {
        starts[key.digest.first_bits(bits) + 1] += 1;
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
        let KeyDraft { id, name, enabled, digest, plans } = draft;
        let subject = subject_of(&id);
        let names = Box::new(Names { id: id.into(), name: name.into() });
        Self { digest: digest.kept(), plans, subject, names, enabled }
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

impl Deref for Key {
    type Target = Names;

    fn deref(&self) -> &Names {
        &self.names
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
