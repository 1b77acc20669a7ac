//! SHA-256, of keys' values and of names.

use std::fmt;

use crate::http::hex_digest;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// The first 192 bits of a SHA-256: nobody finds another text for them, and with them a key fits in
/// a cache line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept([u8; 24]);

impl Digest {
    /// The digest of a text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, text);
        Self(digest.as_ref().try_into().expect("a SHA-256 has 32 bytes"))
    }

    /// The digest of names, a zero byte between them: of these names only, where none has one.
    #[must_use]
    pub fn of_names(names: &[&str]) -> Self {
        Self::of(names.join("\0").as_bytes())
    }

    /// The digest that 64 hexadecimal digits say.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex_digest(text.as_bytes()).map(Self)
    }

    /// As much of it as is kept of a key's value.
    pub(super) fn kept(&self) -> Kept {
        Kept(*self.0.first_chunk().expect("it has 32"))
    }

    /// The first 8 bytes, as a number.
    #[must_use]
    pub fn first_8(&self) -> u64 {
        first_8(&self.0)
    }

    /// The first 16 bytes, as a number.
    #[must_use]
    pub fn first_16(&self) -> u128 {
        u128::from_be_bytes(*self.0.first_chunk().expect("it has 32"))
    }
}

impl Kept {
    pub(super) const ZERO: Self = Self([0; 24]);

    /// Whether it is this one, in the same time whatever it is.
    pub(super) fn equals(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// Its place among `room`, as it would have it: the larger it is, the further back.
    #[expect(clippy::cast_possible_truncation, reason = "it is below `room`")]
    pub(super) fn place(&self, room: usize) -> usize {
        ((u128::from(first_8(&self.0)) * room as u128) >> u64::BITS) as usize
    }
}

fn first_8(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().expect("it has more"))
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}
