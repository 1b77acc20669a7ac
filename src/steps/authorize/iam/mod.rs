//! Signature Version 4 as `execute-api` takes it (`api-gateway.md` 3.1): who says to have signed a
//! request, and whether that is so.
//!
//! [`Claim::read`] takes the signature out of the head, [`Claim::check`] asks what needs no secret,
//! [`Canonical`] is what was signed, and [`Canonical::prove`] compares. Time and the body's hash
//! are arguments. The path is signed as it was sent, encoded once more; where it has several
//! slashes in a row it may be signed with one, as AWS's signers do. Not here: the principal store,
//! and reading the body. What is refused, and why, is told in [`attacks`].

#[doc = include_str!("attacks.md")]
pub mod attacks {}
mod canonical;
mod claim;
mod fault;
pub mod payload;
mod stamp;

pub use crate::steps::reject::IamFault as Fault;
pub use canonical::Canonical;
pub use claim::{Claim, Signed, unsigned_query};
pub use fault::Told;

/// The service that signatures are for.
pub const SERVICE: &str = "execute-api";

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;
