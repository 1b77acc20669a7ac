//! Credentials that were verified a moment ago: a shard's own, bounded. A claim is a keyed digest
//! of all that matters, so what it was made of is not kept, and a changed line is another claim.

use super::Claim;
use crate::base::{
    Moment,
    limits::{VERIFIED_PASSWORD_WAIT, VERIFIED_PASSWORDS_MAX},
};

/// Places that a claim may stand at.
const WAYS: usize = 4;
const _: () = assert!(VERIFIED_PASSWORDS_MAX.is_multiple_of(WAYS));
const _: () = assert!(VERIFIED_PASSWORDS_MAX / WAYS <= 1 << 16);

/// The claims of one shard that hold, each until a moment.
pub struct Verified(Vec<Option<(Claim, Moment)>>);

impl Default for Verified {
    fn default() -> Self {
        Self(vec![None; VERIFIED_PASSWORDS_MAX])
    }
}

impl Verified {
    fn places(claim: &Claim) -> std::ops::Range<usize> {
        let bits = usize::from(u16::from_be_bytes([claim.0[0], claim.0[1]]));
        let first = bits % (VERIFIED_PASSWORDS_MAX / WAYS) * WAYS;
        first..first + WAYS
    }

    /// Whether the claim was verified lately. Does not allocate.
    #[must_use]
    pub fn holds(&self, claim: &Claim, now: Moment) -> bool {
        let known = self.0[Self::places(claim)].iter().flatten();
        known.into_iter().any(|(known, until)| known == claim && now < *until)
    }

    /// Keeps a claim, in the place of the one that ends first.
    pub fn keep(&mut self, claim: Claim, now: Moment) {
        let places = &mut self.0[Self::places(&claim)];
        let first = places.iter_mut().min_by_key(|place| place.map(|(_, until)| until));
        if let Some(place) = first {
            *place = Some((claim, now + VERIFIED_PASSWORD_WAIT));
        }
    }
}
