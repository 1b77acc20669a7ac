//! API keys: who calls, by the value of `x-api-key` (`api-gateway.md` 4).
//!
//! A value is never kept, only its SHA-256: what is compared is a digest that whoever sends the
//! value cannot choose, and the comparison takes the same time whatever it finds. What a key's
//! plan allows is not decided here.

mod digest;
mod switches;

use std::{collections::HashMap, sync::Arc};

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
    /// By digest, each where its digest says or behind those that are there, empty
    /// places among them: finding one reads memory in one place. The last one is empty.
    places: Box<[Key]>,
    /// The keys' places, by id.
    by_id: Box<[u32]>,
    /// What keys are called, by number.
    names: Box<[Names]>,
    /// The usage plans that keys may be in together.
    plans: Box<[Arc<StagePlans>]>,
}

/// A key: one cache line, all that a request reads of it. More of it is told by [`Keys`].
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Key {
    /// Whose accounts are spent.
    pub subject: Subject,
    digest: Kept,
    /// Its place in [`Keys::names`].
    number: u32,
    /// Its place in [`Keys::plans`].
    plans: u32,
    /// Whether it is valid.
    pub enabled: bool,
    /// `LONG`, or how many bytes of `id` are its id.
    id_bytes: u8,
    id: [u8; SHORT_ID_BYTES_MAX],
}

/// Bytes of an id that stand in its key's own line; AWS's have 10.
const SHORT_ID_BYTES_MAX: usize = 14;
/// The id stands among the names only.
const LONG: u8 = u8::MAX;
/// The number of a place without a key.
const NOBODY: u32 = u32::MAX;

/// What a key is called.
struct Names {
    id: Box<str>,
    name: Box<str>,
}

const _: () = assert!(size_of::<Key>() == 64);

/// A value of which it is known where its key would be.
#[derive(Clone, Copy)]
pub struct Sought {
    digest: Kept,
    place: usize,
}

/// A key as a document describes it.
pub struct KeyDraft {
    /// What tells it from others, for the usage report and AWS's API.
    pub id: String,
    /// Its name for people.
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
        let (mut keys, mut names, mut plans) = (Vec::new(), Vec::new(), Vec::new());
        let mut known: HashMap<*const StagePlans, u32> = HashMap::new();
        for draft in drafts {
            let place = *known.entry(Arc::as_ptr(&draft.plans)).or_insert_with(|| {
                plans.push(Arc::clone(&draft.plans));
                place_of_last(plans.len())
            });
            names.push(Names { id: draft.id.into(), name: draft.name.into() });
            let id = &names[names.len() - 1].id;
            let number = place_of_last(names.len());
            keys.push(Key::new(id, draft.digest, draft.enabled, (number, place)));
        }
        let id = |key: &Key| &*names[key.number as usize].id;
        keys.sort_unstable_by(|one, two| (one.digest, id(one)).cmp(&(two.digest, id(two))));
        let mut faults = Vec::new();
        for pair in keys.windows(2).filter(|pair| pair[0].digest == pair[1].digest) {
            let (one, two) = (id(&pair[0]), id(&pair[1]));
            faults.push(format!("the API keys {one} and {two} have the same value"));
        }
        let (places, mut by_id) = spread(keys);
        let id_of = |place: &u32| id(&places[*place as usize]);
        by_id.sort_unstable_by(|one, two| id_of(one).cmp(id_of(two)));
        let same_ids = by_id.windows(2).filter(|pair| id_of(&pair[0]) == id_of(&pair[1]));
        let same_ids = same_ids.map(|pair| format!("two API keys have the id {}", id_of(&pair[0])));
        faults.splice(0..0, same_ids);
        if !faults.is_empty() {
            return Err(faults);
        }
        let (places, by_id) = (places.into(), by_id.into());
        Ok(Self { places, by_id, names: names.into(), plans: plans.into() })
    }

    /// Where the key of this value is, if there is one: costs a SHA-256, whatever the value, and
    /// reads no key. `None` for a value that no key can have. Does not allocate.
    #[must_use]
    pub fn seek(&self, value: &[u8]) -> Option<Sought> {
        let can_be = (API_KEY_VALUE_BYTES_MIN..=API_KEY_VALUE_BYTES_MAX).contains(&value.len());
        if !can_be || self.is_empty() {
            return None;
        }
        Some(self.place_of(Digest::of(value).kept()))
    }

    /// What is read first to find it, for a prefetch: memory is slow, and there may be many keys.
    #[must_use]
    pub fn first_read(&self, sought: &Sought) -> Option<&Key> {
        self.places.get(sought.place)
    }

    /// The key that is sought among these very keys, valid or not. Costs a read of memory.
    #[must_use]
    pub fn at(&self, sought: &Sought) -> Option<&Key> {
        let from_there = self.places.get(sought.place..)?.iter();
        let mut taken = from_there.take_while(|key| key.number != NOBODY);
        taken.find(|key| key.digest.equals(&sought.digest))
    }

    /// The key of this value: [`Keys::seek`], then [`Keys::at`].
    #[must_use]
    pub fn find(&self, value: &[u8]) -> Option<&Key> {
        self.at(&self.seek(value)?)
    }

    fn place_of(&self, digest: Kept) -> Sought {
        Sought { digest, place: digest.place(room_for(self.len())) }
    }

    /// What tells one of these keys from the others, for the usage report and AWS's API.
    #[must_use]
    pub fn id<'k>(&'k self, key: &'k Key) -> &'k str {
        match key.id.get(..usize::from(key.id_bytes)) {
            Some(short) => str::from_utf8(short).expect("all of a text"),
            None => &self.names[key.number as usize].id,
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self, key: &Key) -> &str {
        &self.names[key.number as usize].name
    }

    /// The usage plan that holds for it on the stage with this index; without one it may not
    /// call there.
    #[must_use]
    pub fn plan(&self, key: &Key, stage: u32) -> Option<UsagePlanIndex> {
        self.plans(key).find(stage)
    }

    /// The usage plans that it is in, each with the stages where it holds.
    #[must_use]
    pub fn plans(&self, key: &Key) -> &StagePlans {
        &self.plans[key.plans as usize]
    }

    /// The key of this id.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&Key> {
        let key = |place: u32| &self.places[place as usize];
        let found = self.by_id.binary_search_by(|place| self.id(key(*place)).cmp(id)).ok()?;
        Some(key(self.by_id[found]))
    }

    /// All keys, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.by_id.iter().map(|place| &self.places[*place as usize])
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// Places for this many keys: a third of them stays empty.
const fn room_for(keys: usize) -> usize {
    keys + keys.div_ceil(2)
}

/// Keys in the order of their digests, each put in its place, and where they are.
fn spread(sorted: Vec<Key>) -> (Vec<Key>, Vec<u32>) {
    let (room, mut by_digest) = (room_for(sorted.len()), Vec::with_capacity(sorted.len()));
    let mut places = Vec::with_capacity(room + 1);
    for key in sorted {
        let place = key.digest.place(room).max(places.len());
        places.resize(place, Key::NOBODY);
        places.push(key);
        by_digest.push(place_of_last(places.len()));
    }
    places.resize(places.len().max(room) + 1, Key::NOBODY);
    (places, by_digest)
}

impl Key {
    const NOBODY: Self = Self {
        subject: Subject(0),
        digest: Kept::ZERO,
        number: NOBODY,
        plans: 0,
        enabled: false,
        id_bytes: 0,
        id: [0; SHORT_ID_BYTES_MAX],
    };

    fn new(id: &str, digest: Digest, enabled: bool, (number, plans): (u32, u32)) -> Self {
        let mut short = [0; SHORT_ID_BYTES_MAX];
        let id_bytes = match short.get_mut(..id.len()) {
            Some(place) => {
                place.copy_from_slice(id.as_bytes());
                u8::try_from(id.len()).unwrap_or(LONG)
            }
            None => LONG,
        };
        let (subject, digest) = (subject_of(id), digest.kept());
        Self { subject, digest, number, plans, enabled, id_bytes, id: short }
    }
}

fn place_of_last(len: usize) -> u32 {
    u32::try_from(len - 1).expect("at most API_KEYS_MAX")
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
