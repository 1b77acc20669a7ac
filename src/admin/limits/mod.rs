//! `GET /limits`: which throttles and quotas hold for a caller, what is left of each in the ledger
//! and on each shard, and who refused how often. AWS has nothing like it.
//!
//! | query | what is told |
//! |---|---|
//! | `keyId=ID` | the key's usage plans, and every limit that its requests come under |
//! | `sourceIp=IP`, `header=name:value` | Ringway's own limits, for this client |
//! | none | the limits that all callers share |
//!
//! They may stand together. What is asked for and how it is told; the finding is the process's. The
//! numbers of a gateway under load are each of their own moment, so that they may not add up.

mod ask;
mod told;

#[cfg(test)]
mod tests;

pub use ask::{LimitsQuestion, parse};
pub use told::told;

use super::usage::{ApiKey, UsagePlan};
use crate::{
    ledger::{AccountView, LeaseView, QuotaTerms, Terms, quota::Counters},
    telemetry::Throttled,
};

/// What is told.
#[derive(Clone, Debug, Default)]
pub struct LimitsView {
    /// The key that was asked about.
    pub key: Option<ApiKey>,
    /// Its usage plans.
    pub plans: Vec<PlanLimits>,
    /// The throttles, in the order that a request asks them in.
    pub limits: Vec<LimitView>,
    /// How many more there are.
    pub left_out: usize,
    /// Shards that did not answer in time.
    pub missing: Vec<usize>,
}

/// A usage plan of the key.
#[derive(Clone, Debug)]
pub struct PlanLimits {
    /// The plan.
    pub plan: UsagePlan,
    /// The key's throttles on single routes of it: names and terms.
    pub methods: Vec<(String, Terms)>,
    /// The key's quota.
    pub quota: Option<QuotaView>,
}

/// A key's quota.
#[derive(Clone, Debug)]
pub struct QuotaView {
    /// What it lets through.
    pub terms: QuotaTerms,
    /// The ledger's numbers, and how much of it shards hold.
    pub ledger: (Counters, u64),
    /// When the period ends, as RFC 3339 has it.
    pub resets_at: String,
    /// What the shards hold, each with its number; of all of them that answered.
    pub shards: Vec<(usize, LeaseView)>,
    /// What it did to all callers.
    pub counted: Throttled,
}

/// A throttle.
#[derive(Clone, Debug)]
pub struct LimitView {
    /// Its name.
    pub name: String,
    /// Its level, as [`Level`] names it.
    pub level: Level,
    /// The id of the usage plan that it belongs to.
    pub plan: Option<String>,
    /// What it lets through.
    pub terms: Terms,
    /// Whether it only counts.
    pub is_dry: bool,
    /// Whose requests are counted together.
    pub key: KeyType,
    /// What is left of the caller's account.
    pub state: State,
    /// What it did to all callers, since the process started.
    pub counted: Throttled,
}

/// Where a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One of Ringway's own.
    Own,
    /// Of a key, on one method.
    KeyAndMethod,
    /// Of a key.
    Key,
    /// Of a route.
    Route,
    /// Of everything.
    Account,
}

/// Whose requests a limit counts together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Everybody's.
    All,
    /// Those of an API key.
    ApiKey,
    /// Those of a client's network.
    Address,
    /// Those with one value of this header.
    Header(String),
    /// Those with one value of this claim.
    Claim(String),
}

/// An account, if it is known which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The question does not say for whom.
    Unasked,
    /// What is left.
    Of {
        /// In the ledger; `None` when it is full and not kept.
        ledger: Option<AccountView>,
        /// In the leases of the shards that answered, each with its number.
        shards: Vec<(usize, LeaseView)>,
    },
}
