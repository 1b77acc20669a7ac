//! One ledger for all shards: throttles and quotas that are exact over all of them.
//!
//! The only place where shards share something: an account (a token bucket, a count of requests in
//! flight, a quota) lives in the ledger; a shard spends *leases*, tokens that the ledger has
//! already subtracted, with plain arithmetic, and comes here when it has none. Nothing here reads a
//! clock or does IO: `now` is an argument.

pub mod period;
pub mod quota;
mod terms;

pub use terms::{AccountId, LimitId, Period, QuotaTerms, Rate, Subject, Terms};
