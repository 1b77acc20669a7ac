//! Tokens that were verified a moment ago and need not be again: a shard's own, bounded.
//!
//! An entry is found by the SHA-256 of the whole token, so that a changed signature is another
//! token, and counts for one authorizer and one key set only: keys that rotate leave it behind.

use std::rc::Rc;

use aws_lc_rs::digest;

use super::Verified;
use crate::base::{WallTime, limits::VERIFIED_TOKENS_MAX};

/// Which token, for whom, verified by which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheKey {
    token: [u8; 32],
    authorizer: u128,
    key_set: u128,
}

impl CacheKey {
    /// Costs a SHA-256.
    pub(super) fn new(token: &[u8], authorizer: u128, key_set: u128) -> Self {
        let token = digest::digest(&digest::SHA256, token);
        let token = token.as_ref().try_into().expect("a SHA-256 has 32 bytes");
        Self { token, authorizer, key_set }
    }

    /// Where entries of this key may stand. Nobody chooses a SHA-256's bits for many valid tokens.
    fn places(&self) -> std::ops::Range<usize> {
        let bits = usize::from(u16::from_be_bytes([self.token[0], self.token[1]]));
        let first = bits % (VERIFIED_TOKENS_MAX / WAYS) * WAYS;
        first..first + WAYS
    }
}

/// Places that an entry may stand at.
const WAYS: usize = 4;
const _: () = assert!(VERIFIED_TOKENS_MAX.is_multiple_of(WAYS));
const _: () = assert!(VERIFIED_TOKENS_MAX / WAYS <= 1 << 16);

/// The tokens of one shard.
pub struct TokenCache {
    entries: Vec<Option<Entry>>,
    /// Counts lookups, so that the entry that was not used for longest goes first.
    turn: u64,
}

struct Entry {
    key: CacheKey,
    verified: Rc<Verified>,
    used: u64,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { entries: (0..VERIFIED_TOKENS_MAX).map(|_| None).collect(), turn: 0 }
    }
}

impl TokenCache {
    /// The token of this key, if it is here and still holds; one that holds no longer is dropped.
    /// Does not allocate.
    pub fn find(&mut self, key: &CacheKey, now: WallTime) -> Option<Rc<Verified>> {
        self.turn += 1;
        let turn = self.turn;
        let is_it = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.key == *key);
        let place = self.entries[key.places()].iter_mut().find(|entry| is_it(entry))?;
        if place.as_ref().is_some_and(|entry| entry.verified.check_times(now).is_err()) {
            *place = None;
        }
        let entry = place.as_mut()?;
        entry.used = turn;
        Some(Rc::clone(&entry.verified))
    }

    /// Keeps a token, in the place of the one that was used least lately.
    pub fn keep(&mut self, key: CacheKey, verified: Rc<Verified>) {
        let places = &mut self.entries[key.places()];
        let oldest = places.iter_mut().min_by_key(|entry| entry.as_ref().map(|entry| entry.used));
        if let Some(place) = oldest {
            *place = Some(Entry { key, verified, used: self.turn });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded_and_forgets_what_was_not_used_for_longest() {
        let mut cache = TokenCache::default();
        let now = WallTime(1_000);
        let key = |token: u32| CacheKey::new(&token.to_be_bytes(), 1, 2);
        let first = key(0);
        // Tokens that stand at the same places.
        let rivals: Vec<CacheKey> =
            (1..).map(key).filter(|key| key.places() == first.places()).take(WAYS).collect();
        cache.keep(first, Rc::new(Verified::example(2_000)));
        for rival in &rivals[..WAYS - 1] {
            assert!(cache.find(&first, now).is_some());
            cache.keep(*rival, Rc::new(Verified::example(2_000)));
        }
        assert!(cache.find(&first, now).is_some());
        cache.keep(rivals[WAYS - 1], Rc::new(Verified::example(2_000)));
        assert!(cache.find(&first, now).is_some());
        let kept = rivals.iter().filter(|rival| cache.find(rival, now).is_some()).count();
        assert_eq!((kept, cache.find(&rivals[0], now).is_none()), (WAYS - 1, true));
        assert_eq!(cache.entries.len(), VERIFIED_TOKENS_MAX);
    }

    #[test]
    fn a_token_is_dropped_when_it_expires_and_counts_for_its_authorizer_and_keys_only() {
        let mut cache = TokenCache::default();
        let key = CacheKey::new(b"token", 1, 2);
        cache.keep(key, Rc::new(Verified::example(2_000)));
        assert!(cache.find(&key, WallTime(1_999)).is_some());
        for other in [CacheKey::new(b"token", 9, 2), CacheKey::new(b"token", 1, 9)] {
            assert!(cache.find(&other, WallTime(1_000)).is_none());
        }
        assert!(cache.find(&key, WallTime(2_000)).is_none());
        assert!(cache.find(&key, WallTime(1_000)).is_none(), "it is kept though it expired");
    }
}
