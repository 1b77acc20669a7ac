//! What a shard has of some accounts, for whoever explains limits to a person. Reading changes
//! nothing.

use crate::{
    gateway::Local,
    ledger::{AccountId, LeaseView},
    telemetry::Throttled,
};

/// The accounts that are asked about, each with the name that its limit is counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Of throttles.
    pub limits: Vec<(AccountId, String)>,
    /// Of quotas.
    pub quotas: Vec<(AccountId, String)>,
}

/// What a shard has of them, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewed {
    /// The shard's number, from 0.
    pub shard: usize,
    /// Of throttles.
    pub limits: Vec<Window>,
    /// Of quotas: a lease has requests to count, and some that the ledger does not know yet.
    pub quotas: Vec<Window>,
}

/// What a shard has of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Its lease; all zeros without one.
    pub lease: LeaseView,
    /// What the limit did here to all callers, since the process started.
    pub counted: Throttled,
}

pub(super) fn view(local: &Local, shard: usize, watched: &Watched) -> Viewed {
    let purse = local.purse.borrow();
    local.count(|telemetry| {
        let throttles = &telemetry.throttles;
        let limits = watched.limits.iter().map(|(id, name)| Window {
            lease: purse.view(*id).unwrap_or_default(),
            counted: throttles.of(name),
        });
        let quotas = watched.quotas.iter().map(|(id, name)| {
            let (tokens, spent) = purse.quota_view(*id).unwrap_or_default();
            Window { lease: LeaseView { tokens, spent, refused: 0 }, counted: throttles.of(name) }
        });
        Viewed { shard, limits: limits.collect(), quotas: quotas.collect() }
    })
}
