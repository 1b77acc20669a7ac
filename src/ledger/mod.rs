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
//! | `purse`, `quota_purse` | a shard's leases |
//! | `quota`, `period` | quotas: what is used, leased, and promised by the journal |
//! | `journal`, `usage` | the journal as bytes, and what it adds up to; usage by day |

mod accounts;
mod bucket;
pub mod journal;
pub mod period;
mod purse;
pub mod quota;
mod quota_purse;
mod terms;
pub mod usage;

#[cfg(test)]
mod tests;

pub use bucket::AccountView;
pub use purse::{LeaseView, NEVER, Paid, Purse};
pub use quota_purse::Spent;
pub use terms::{AccountId, LimitId, Period, QuotaTerms, Rate, Subject, Terms};

use accounts::Accounts;
use quota::{Asks, Quotas};

use crate::base::Moment;

/// The accounts of all shards.
pub struct Ledger {
    accounts: Accounts,
    quotas: Quotas,
    shards: usize,
}

impl Ledger {
    /// An empty ledger for this many shards, and where its quotas' wishes for the journal come out.
    #[must_use]
    pub fn new(shards: usize) -> (Self, Asks) {
        let (quotas, asked) = Quotas::new();
        (Self { accounts: Accounts::new(shards), quotas, shards }, asked)
    }

    /// The quotas.
    #[must_use]
    pub const fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// How many shards spend from it.
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.shards
    }

    /// Who a value stands for, such as a header field's: as hard to guess as the process's seed.
    #[must_use]
    pub fn subject_of(&self, value: &[u8]) -> Subject {
        self.accounts.subject_of(value)
    }

    /// One request less is in flight.
    pub fn leave(&self, id: AccountId) {
        self.accounts.leave(self.accounts.hash(id));
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
