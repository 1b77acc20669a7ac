//! Usage plans and what holds of all limits together: compiled by [`super::limits`].

use std::time::Duration;

use super::RouteIndex;
use crate::{
    base::limits::RECONCILIATION_WAIT,
    steps::throttle::{LimitIndex, Quota},
};

/// A usage plan: what each of its keys may call, over all of its stages together.
#[derive(Clone, Debug, PartialEq)]
pub struct UsagePlan {
    /// What tells it from others, for the usage report and AWS's API.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// A key's throttle.
    pub throttle: Option<LimitIndex>,
    /// A key's quota.
    pub quota: Option<Quota>,
    pub(super) methods: Methods,
}

/// Throttles of a key on some routes, by route.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Methods(pub(super) Box<[(RouteIndex, LimitIndex)]>);

impl UsagePlan {
    /// A key's throttle on a route, which holds beside the plan's.
    #[must_use]
    #[inline]
    pub fn method(&self, route: RouteIndex) -> Option<LimitIndex> {
        let found = self.methods.0.binary_search_by_key(&route, |pair| pair.0).ok()?;
        Some(self.methods.0[found].1)
    }

    /// A key's throttles on routes, by route.
    #[must_use]
    pub fn methods(&self) -> &[(RouteIndex, LimitIndex)] {
        &self.methods.0
    }
}

/// How throttling is told, and how often shards and ledger agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttling {
    /// Whether a 429 says `Retry-After`; AWS's do not.
    pub retry_after: bool,
    /// Whether answers say `RateLimit-Policy` and `RateLimit`.
    pub rate_limit_headers: bool,
    /// Every how long the shards tell the ledger what they spent: 10 ms to 1 s.
    pub reconciliation: Duration,
}

impl Default for Throttling {
    /// As AWS tells it.
    fn default() -> Self {
        let reconciliation = RECONCILIATION_WAIT;
        Self { retry_after: false, rate_limit_headers: false, reconciliation }
    }
}
