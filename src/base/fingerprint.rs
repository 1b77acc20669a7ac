//! A number that stands for a value, where the value itself is large or secret.
//!
//! Not for what strangers choose: whoever wants two values of one fingerprint can make them.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The same for the same value as long as the process lives: the hasher has no seed.
#[must_use]
pub fn fingerprint(of: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
