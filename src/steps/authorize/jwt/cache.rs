//! Tokens that were verified a moment ago and need not be again: a shard's own, bounded.
//!
//! An entry is found by a hash of the whole token and then compared with the whole token, so that a
//! changed signature is another token whatever the hash is worth. It counts for one authorizer, and
//! as long as the key set that verified it is its issuer's: [`Verified::key_set`] is for whoever
//! asks to compare.
//!
//! The comparison leaves at the first byte that differs, and that tells nobody anything: it is come
//! to only by a token whose hash of 64 bits, under a seed that the process has drawn, is that of
//! the other; whoever does not have that token cannot make another of its hash, even if he had the
//! seed. A SHA-256 in its place, as it was, takes longer than all the rest of a hit.

use std::{hash::BuildHasher, rc::Rc};

use foldhash::quality::RandomState;

use super::Verified;
use crate::base::{WallTime, limits::VERIFIED_TOKENS_MAX};

/// Which token, for whom.
#[derive(Clone, Copy)]
pub struct CacheKey<'t> {
    token: &'t [u8],
    hash: u64,
    authorizer: u128,
}

impl CacheKey<'_> {
    /// Where entries of this key may stand. Only tokens that verified have entries, and the seed is
    /// not known: nobody crowds a place.
    fn places(&self) -> std::ops::Range<usize> {
        const GROUPS: u64 = (VERIFIED_TOKENS_MAX / WAYS) as u64;
        let group = usize::try_from(self.hash % GROUPS).expect("there are few");
        group * WAYS..(group + 1) * WAYS
    }
}

/// Places that an entry may stand at.
const WAYS: usize = 4;
const _: () = assert!(VERIFIED_TOKENS_MAX.is_multiple_of(WAYS));

/// The tokens of one shard.
pub struct TokenCache {
    entries: Vec<Option<Entry>>,
    /// Counts lookups, so that the entry that was not used for longest goes first.
    turn: u64,
    hasher: RandomState,
}

struct Entry {
    token: Box<[u8]>,
    hash: u64,
    authorizer: u128,
    verified: Rc<Verified>,
    used: u64,
}

impl Entry {
    fn is_of(&self, key: &CacheKey<'_>) -> bool {
        self.hash == key.hash && self.authorizer == key.authorizer && *self.token == *key.token
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        let entries = (0..VERIFIED_TOKENS_MAX).map(|_| None).collect();
        Self { entries, turn: 0, hasher: RandomState::default() }
    }
}

impl TokenCache {
    /// The key of a token for an authorizer ([`super::JwtAuthorizer::id`]).
    #[must_use]
    pub fn key<'t>(&self, token: &'t [u8], authorizer: u128) -> CacheKey<'t> {
        CacheKey { token, hash: self.hasher.hash_one(token), authorizer }
    }

    /// The token of this key, if it is here and still holds; one that holds no longer is dropped.
    /// Does not allocate.
    pub fn find(&mut self, key: &CacheKey<'_>, now: WallTime) -> Option<Rc<Verified>> {
        self.turn += 1;
        let turn = self.turn;
        let is_it = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.is_of(key));
        let place = self.entries[key.places()].iter_mut().find(|entry| is_it(entry))?;
        if place.as_ref().is_some_and(|entry| entry.verified.check_times(now).is_err()) {
            *place = None;
        }
        let entry = place.as_mut()?;
        entry.used = turn;
        Some(Rc::clone(&entry.verified))
    }

    /// Keeps a token: in its own place if it has one, which other keys have verified then, else in
    /// the place of the one that was used least lately.
    pub fn keep(&mut self, key: &CacheKey<'_>, verified: Rc<Verified>) {
        let used = |entry: &Option<Entry>| match entry {
            Some(entry) if entry.is_of(key) => None,
            Some(entry) => Some((true, entry.used)),
            None => Some((false, 0)),
        };
        let place = self.entries[key.places()].iter_mut().min_by_key(|entry| used(entry));
        if let Some(place) = place {
            let CacheKey { token, hash, authorizer } = *key;
            let token = token.into();
            *place = Some(Entry { token, hash, authorizer, verified, used: self.turn });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u32) -> String {
        format!("token {number}")
    }

    #[test]
    fn the_cache_is_bounded_and_forgets_what_was_not_used_for_longest() {
        let mut cache = TokenCache::default();
        let now = WallTime(1_000);
        let texts: Vec<String> = (0..40_000).map(text).collect();
        let first = cache.key(texts[0].as_bytes(), 1);
        // Tokens that stand at the same places.
        let others = texts[1..].iter().map(|text| cache.key(text.as_bytes(), 1));
        let rivals = others.filter(|key| key.places() == first.places()).take(WAYS);
        let rivals: Vec<CacheKey<'_>> = rivals.collect();
        assert_eq!(rivals.len(), WAYS);
        cache.keep(&first, Rc::new(Verified::example(2_000)));
        for rival in &rivals[..WAYS - 1] {
            assert!(cache.find(&first, now).is_some());
            cache.keep(rival, Rc::new(Verified::example(2_000)));
        }
        assert!(cache.find(&first, now).is_some());
        cache.keep(&rivals[WAYS - 1], Rc::new(Verified::example(2_000)));
        assert!(cache.find(&first, now).is_some());
        let kept = rivals.iter().filter(|rival| cache.find(rival, now).is_some()).count();
        assert_eq!((kept, cache.find(&rivals[0], now).is_none()), (WAYS - 1, true));
        assert_eq!(cache.entries.len(), VERIFIED_TOKENS_MAX);
    }

    #[test]
    fn a_token_is_dropped_when_it_expires_and_counts_for_its_authorizer_only() {
        let mut cache = TokenCache::default();
        let (key, other) = (cache.key(b"token", 1), cache.key(b"token", 9));
        cache.keep(&key, Rc::new(Verified::example(2_000)));
        assert!(cache.find(&key, WallTime(1_999)).is_some());
        assert!(cache.find(&other, WallTime(1_000)).is_none());
        assert!(cache.find(&key, WallTime(2_000)).is_none());
        assert!(cache.find(&key, WallTime(1_000)).is_none(), "it is kept though it expired");
    }

    #[test]
    fn two_tokens_of_one_hash_are_two() {
        let mut cache = TokenCache::default();
        let key = cache.key(b"token", 1);
        cache.keep(&key, Rc::new(Verified::example(2_000)));
        for other in [b"tokeN".as_slice(), b"toke", b"token.", b""] {
            let twin = CacheKey { token: other, ..key };
            assert!(cache.find(&twin, WallTime(1_000)).is_none());
        }
    }

    #[test]
    fn a_token_has_one_place() {
        let mut cache = TokenCache::default();
        let key = cache.key(b"token", 1);
        for key_set in 1..=3 {
            cache.keep(&key, Rc::new(Verified { key_set, ..Verified::example(2_000) }));
            assert_eq!(cache.find(&key, WallTime(1_000)).unwrap().key_set, key_set);
        }
        assert_eq!(cache.entries.iter().flatten().count(), 1);
    }
}
