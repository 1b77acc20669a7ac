//! A shard's leases: what it may spend without asking anybody.
//!
//! An account that is asked for the first time in a while is served by the ledger and leaves
//! nothing here; one that is asked again soon gets a lease, as large as its demand and never so
//! large that the other shards would starve. [`Purse::reconcile`] gives back what is idle.

use std::{sync::Arc, time::Duration};

use hashbrown::HashTable;

use super::{
    Ledger,
    accounts::Hashed,
    bucket::{Settled, Taken},
    quota_purse::{QuotaPurse, Spent},
    terms::{AccountId, QuotaTerms, Rate, Terms},
};
use crate::base::{Moment, WallTime, limits::LEASES_MAX};

/// Tokens that a lease begins with, if there are as many.
const FIRST_LEASE: u32 = 4;
/// When a limit that lets nothing through has its next token.
pub const NEVER: Moment = Moment(u64::MAX);

/// One shard's leases.
pub struct Purse {
    ledger: Arc<Ledger>,
    leases: HashTable<Lease>,
    quotas: QuotaPurse,
    round: Duration,
    /// Where the search for accounts to be forgotten goes on.
    sweep: Sweep,
}

struct Sweep {
    next: usize,
    step: usize,
}

/// A token, and where it came from: it may have to go back there.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paid {
    /// Out of a lease.
    Lease,
    /// Out of the ledger.
    Ledger,
    /// A place among those in flight, to be given up when the request ends.
    Place,
}

/// What a shard has of an account.
struct Lease {
    account: Hashed,
    tokens: u32,
    /// Of the tokens that the ledger counts as leased.
    spent: u32,
    /// Requests in this round.
    demand: u32,
    /// Tokens to ask for.
    size: u32,
    refused: u32,
    /// The ledger has none before this time, as far as it was known.
    empty_until: Moment,
    /// Until then it is believed: a lease that comes back elsewhere may bring one earlier.
    believed_until: Moment,
}

/// A shard's lease as a person looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseView {
    /// Tokens to spend.
    pub tokens: u32,
    /// Tokens that were spent, and the ledger does not know yet.
    pub spent: u32,
    /// Requests that were refused, and the ledger does not know yet.
    pub refused: u32,
}

impl Purse {
    /// No leases yet. `round` is the time between two calls of [`Purse::reconcile`].
    #[must_use]
    pub fn new(ledger: Arc<Ledger>, shard: usize, round: Duration) -> Self {
        let sweep = Sweep { next: shard, step: ledger.shards() };
        Self { ledger, leases: HashTable::new(), quotas: QuotaPurse::new(), round, sweep }
    }

    /// From now on rounds are this long.
    pub fn set_round(&mut self, round: Duration) {
        self.round = round;
    }

    /// Takes a token of an account.
    ///
    /// # Errors
    /// When there is none: the time before which it is of no use to ask again.
    pub fn take(&mut self, id: AccountId, terms: &Terms, now: Moment) -> Result<Paid, Moment> {
        let account = self.ledger.accounts.hash(id);
        match *terms {
            Terms::InFlight { max } => {
                let enters = self.ledger.accounts.enter(account, max, now);
                if enters { Ok(Paid::Place) } else { Err(now) }
            }
            Terms::Bucket { rate, burst } if rate.is_zero() || burst == 0 => Err(NEVER),
            Terms::Bucket { rate, burst } => self.take_token(account, (rate, burst), now),
        }
    }

    /// Counts a request of a quota's account.
    pub fn spend(
        &mut self,
        id: AccountId,
        terms: &QuotaTerms,
        now: Moment,
        wall: WallTime,
    ) -> Spent {
        let account = self.ledger.accounts.hash(id);
        self.quotas.spend(&self.ledger, account, terms, (now, wall), now + self.round)
    }

    /// Gives a request of a quota back that was not let through after all.
    pub fn unspend(&mut self, id: AccountId, paid: Paid) {
        let account = self.ledger.accounts.hash(id);
        self.quotas.give_back(&self.ledger, account, paid);
    }

    /// Where its leases come from.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Gives a token back that was not used after all.
    pub fn give_back(&mut self, id: AccountId, paid: Paid) {
        let account = self.ledger.accounts.hash(id);
        match paid {
            Paid::Place => self.ledger.accounts.leave(account),
            Paid::Ledger => self.ledger.accounts.put_back(account),
            Paid::Lease => {
                let lease = self.leases.find_mut(account.hash, |lease| lease.account.id == id);
                // A reconciliation in between has told the ledger that it is spent.
                match lease.filter(|lease| lease.spent > 0) {
                    Some(lease) => {
                        lease.tokens += 1;
                        lease.spent -= 1;
                    }
                    None => self.ledger.accounts.put_back(account),
                }
            }
        }
    }

    /// Gives idle leases back and fits the others to their demand. To be called once a round.
    pub fn reconcile(&mut self, now: Moment, wall: WallTime) {
        self.quotas.reconcile(&self.ledger, wall);
        let accounts = &self.ledger.accounts;
        self.leases.retain(|lease| {
            let is_idle = lease.demand == 0;
            let kept = if is_idle { 0 } else { lease.tokens.min(lease.demand) };
            if is_idle || kept < lease.tokens {
                let back = lease.tokens - kept;
                accounts.settle(lease.account, now, lease.settle(back));
            }
            lease.tokens = kept;
            lease.size = (lease.size / 2).max(lease.demand).max(FIRST_LEASE);
            lease.demand = 0;
            !is_idle
        });
        let used = self.leases.len();
        if used < self.leases.capacity() / 8 {
            self.leases.shrink_to(2 * used, |lease| lease.account.hash);
        }
        accounts.sweep(self.sweep.next, now);
        self.sweep.next = self.sweep.next.wrapping_add(self.sweep.step);
    }

    /// Gives all leases back: the terms have changed, or the shard ends.
    pub fn give_all_back(&mut self, now: Moment) {
        for mut lease in self.leases.drain() {
            let back = lease.tokens;
            self.ledger.accounts.settle(lease.account, now, lease.settle(back));
        }
        self.quotas.give_all_back(&self.ledger);
    }

    /// What it has of an account; `None` when it has no lease.
    #[must_use]
    pub fn view(&self, id: AccountId) -> Option<LeaseView> {
        let hash = self.ledger.accounts.hash(id).hash;
        let Lease { tokens, spent, refused, .. } =
            self.leases.find(hash, |lease| lease.account.id == id)?;
        Some(LeaseView { tokens: *tokens, spent: *spent, refused: *refused })
    }

    /// What it has of a quota's account: requests to count, and those that the ledger does not know
    /// yet; `None` when it has no lease.
    #[must_use]
    pub fn quota_view(&self, id: AccountId) -> Option<(u32, u32)> {
        self.quotas.view(self.ledger.accounts.hash(id))
    }

    /// How many leases of throttles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    fn take_token(
        &mut self,
        account: Hashed,
        terms: (Rate, u32),
        now: Moment,
    ) -> Result<Paid, Moment> {
        let found = self.leases.find_mut(account.hash, |lease| lease.account.id == account.id);
        let Some(lease) = found else { return self.take_first(account, terms, now) };
        lease.demand += 1;
        if lease.tokens > 0 {
            lease.tokens -= 1;
            lease.spent += 1;
            return Ok(Paid::Lease);
        }
        if lease.believed_until > now {
            lease.refused = lease.refused.saturating_add(1);
            return Err(lease.empty_until);
        }
        let settled = lease.settle(0);
        match self.ledger.accounts.take(account, terms, now, settled, lease.size) {
            Taken::Granted { ahead, .. } => {
                lease.tokens = ahead;
                lease.size = lease.size.saturating_mul(2);
                Ok(Paid::Ledger)
            }
            Taken::Empty(until) => Err(lease.note_empty(until, now + self.round)),
        }
    }

    /// Of an account that this shard has no lease of.
    fn take_first(
        &mut self,
        account: Hashed,
        terms: (Rate, u32),
        now: Moment,
    ) -> Result<Paid, Moment> {
        let taken = self.ledger.accounts.take(account, terms, now, Settled::default(), 0);
        let is_wanted = match taken {
            Taken::Empty(_) => true,
            Taken::Granted { before, .. } => {
                before.is_some_and(|before| now.since(before) < self.round)
            }
        };
        if !is_wanted || self.leases.len() >= LEASES_MAX {
            return match taken {
                Taken::Granted { .. } => Ok(Paid::Ledger),
                Taken::Empty(until) => Err(until),
            };
        }
        let mut lease = Lease {
            account,
            tokens: 0,
            spent: 0,
            demand: 1,
            size: FIRST_LEASE,
            refused: 0,
            empty_until: Moment(0),
            believed_until: Moment(0),
        };
        let outcome = match taken {
            Taken::Granted { .. } => Ok(Paid::Ledger),
            Taken::Empty(until) => Err(lease.note_empty(until, now + self.round)),
        };
        self.leases.insert_unique(account.hash, lease, |lease| lease.account.hash);
        outcome
    }
}

impl Drop for Purse {
    /// A shard that ends by itself does so by [`Purse::give_all_back`], which knows the time.
    fn drop(&mut self) {
        self.give_all_back(Moment(0));
    }
}

impl Lease {
    /// What the ledger is told, `back` tokens coming back.
    fn settle(&mut self, back: u32) -> Settled {
        let settled = Settled { spent: self.spent, back, refused: self.refused };
        self.spent = 0;
        self.refused = 0;
        settled
    }

    fn note_empty(&mut self, until: Moment, round_later: Moment) -> Moment {
        self.empty_until = until;
        self.believed_until = until.min(round_later);
        self.refused = self.refused.saturating_add(1);
        until
    }
}
