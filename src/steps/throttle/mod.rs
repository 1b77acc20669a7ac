//! How many requests a caller may make: which limits a request comes under, in AWS's order
//! (`api-gateway.md` 4), and what refuses it. The counting is the ledger's.

mod admit;
mod left;

#[cfg(test)]
mod tests;

pub use admit::{Asked, Caller, Held, Verdict};
pub use left::{left_of_limit, left_of_quota};

use crate::ledger::{LimitId, QuotaTerms, Terms};

/// A limit of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Its name for the ledger.
    pub id: LimitId,
    /// Its name for people, metrics and `RateLimit-Policy`.
    pub name: String,
    /// Where AWS has it.
    pub level: Level,
    /// What it lets through.
    pub terms: Terms,
    /// Whose requests are counted together.
    pub by: By,
    /// What becomes of a request that it does not let through.
    pub mode: Mode,
}

/// The level of a limit. The first one in this order that is empty names the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// One of Ringway's own: asked before anything is known of the caller but what the head says;
    /// one by a claim, between a key's and a route's.
    Own,
    /// Of a key, on one method, in its usage plan.
    KeyAndMethod,
    /// Of a key, in its usage plan.
    Key,
    /// Of a route of a stage (`routeSettings`, `defaultRouteSettings`).
    Route,
    /// Of everything that the gateway serves.
    Account,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Everybody's.
    All,
    /// Those of an API key.
    Key,
    /// Those of a client address, or of its network with this length of prefix.
    Address {
        /// 0 to 32.
        ipv4_prefix: u8,
        /// 0 to 128.
        ipv6_prefix: u8,
    },
    /// Those with one value of a header field; those without it are counted together. The name is
    /// in lower case.
    Header(Vec<u8>),
    /// Those with one value of a claim of the caller's token; those without it are counted
    /// together.
    Claim(Box<str>),
}

/// What becomes of a request that a limit does not let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is counted, and goes on.
    DryRun,
}

/// A limit's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitIndex(pub u32);

/// A quota of a usage plan; each of its keys has an account of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// Its name for the ledger: made of the usage plan's id.
    pub id: LimitId,
    /// Its name where refusals are counted: the plan's own is its throttle's.
    pub name: String,
    /// What it lets through.
    pub terms: QuotaTerms,
}
