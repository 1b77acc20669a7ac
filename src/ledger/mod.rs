//! One ledger for all shards: throttles and quotas that are exact over all of them.
//!
//! The only place where shards share something: an account (a token bucket, a count of requests in
//! flight, a quota) lives in the ledger; a shard spends *leases*, tokens that the ledger has
//! already subtracted, with plain arithmetic, and comes here when it has none. Nothing here reads a
//! clock or does IO: `now` is an argument.
//!
//! | file | what it is |
//! |---|---|
//! | `terms` | what limits say, and the names of accounts |
//! | `bucket` | the arithmetic of one account |
//! | `accounts` | all accounts, in partitions with a lock each |
//! | `purse` | a shard's leases |

mod accounts;
mod bucket;
mod purse;
mod terms;

#[cfg(test)]
mod tests;

pub use bucket::AccountView;
pub use purse::{LeaseView, Paid, Purse};
pub use terms::{AccountId, LimitId, Period, QuotaTerms, Rate, Subject, Terms};

use accounts::Accounts;

use crate::base::Moment;

/// The accounts of all shards.
pub struct Ledger {
    accounts: Accounts,
    shards: usize,
}

impl Ledger {
    /// An empty ledger for this many shards.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self { accounts: Accounts::new(shards), shards }
    }

    /// How many shards spend from it.
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.shards
    }

    /// An account as it is now; `None` when it is full and not kept.
    #[must_use]
    pub fn view(&self, id: AccountId, now: Moment) -> Option<AccountView> {
        self.accounts.view(id, now)
    }

    /// Accounts that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
