//! A shard's leases of quotas. As with throttles ([`super::purse`]): who is asked once in a while
//! is served by the ledger, who is asked again soon gets a lease, and idle leases go back.

use hashbrown::HashTable;

use super::{
    Ledger,
    accounts::Hashed,
    period::Day,
    purse::Paid,
    quota::{QuotaLease, QuotaTaken, Settled},
    terms::QuotaTerms,
};
use crate::base::{Moment, WallTime, limits::LEASES_MAX};

/// Requests that a lease begins with, if there are as many.
const FIRST_LEASE: u32 = 4;
/// Who was asked lately, by hash: a power of two.
const RECENT: usize = 4_096;

/// One shard's leases of quotas.
pub(super) struct QuotaPurse {
    leases: HashTable<Lease>,
    /// Hashes of accounts without a lease that were asked in this round, each at its place.
    recent: Box<[u64]>,
    /// The period that the last request was counted in, of those that the ledger counted: it is
    /// given back at once, or not at all.
    counted_in: Day,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It counts.
    Counted(Paid),
    /// Nothing is left of the period's limit.
    Exhausted,
    /// The journal has to promise first; the shard is told when it has.
    Unreserved,
}

struct Lease {
    account: Hashed,
    of: QuotaLease,
    spent: u32,
    /// Requests in this round.
    demand: u32,
    /// Requests to ask for.
    size: u32,
    /// The ledger has none before this time, unless a lease comes back.
    empty_until: Moment,
}

impl QuotaPurse {
    pub(super) fn new() -> Self {
        let (leases, recent) = (HashTable::new(), vec![0; RECENT].into());
        Self { leases, recent, counted_in: Day(0) }
    }

    pub(super) fn spend(
        &mut self,
        ledger: &Ledger,
        account: Hashed,
        terms: &QuotaTerms,
        (now, wall): (Moment, WallTime),
        round_later: Moment,
    ) -> Spent {
        let found = self.leases.find_mut(account.hash, |lease| lease.account.id == account.id);
        let Some(lease) = found else {
            return self.spend_first(ledger, account, terms, wall, round_later);
        };
        lease.demand += 1;
        if lease.of.count > 0 && wall < lease.of.ends {
            lease.of.count -= 1;
            lease.spent += 1;
            return Spent::Counted(Paid::Lease);
        }
        if lease.empty_until > now {
            return Spent::Exhausted;
        }
        let settled = lease.settle(0);
        match ledger.quotas().spend(account.id, terms, wall, settled, lease.size) {
            QuotaTaken::Granted(granted) => {
                self.counted_in = granted.period_start;
                lease.of = granted;
                lease.size = lease.size.saturating_mul(2);
                Spent::Counted(Paid::Ledger)
            }
            QuotaTaken::Exhausted => {
                lease.empty_until = round_later;
                Spent::Exhausted
            }
            QuotaTaken::Unreserved => Spent::Unreserved,
        }
    }

    fn spend_first(
        &mut self,
        ledger: &Ledger,
        account: Hashed,
        terms: &QuotaTerms,
        wall: WallTime,
        round_later: Moment,
    ) -> Spent {
        let is_known = self.is_recent(account.hash);
        let ahead = if is_known { FIRST_LEASE } else { 0 };
        let taken = ledger.quotas().spend(account.id, terms, wall, Settled::default(), ahead);
        if let QuotaTaken::Granted(granted) = taken {
            self.counted_in = granted.period_start;
        }
        let (of, spent) = match taken {
            QuotaTaken::Unreserved => return Spent::Unreserved,
            QuotaTaken::Granted(granted) => (Some(granted), Spent::Counted(Paid::Ledger)),
            QuotaTaken::Exhausted => (None, Spent::Exhausted),
        };
        let wants_lease = of.is_none_or(|of| of.count > 0) && self.leases.len() < LEASES_MAX;
        if wants_lease {
            let empty_until = if of.is_none() { round_later } else { Moment(0) };
            let of = of.unwrap_or_default();
            let size = FIRST_LEASE;
            let lease = Lease { account, of, spent: 0, demand: 1, size, empty_until };
            self.leases.insert_unique(account.hash, lease, |lease| lease.account.hash);
        } else if let Some(QuotaLease { count: back @ 1.., period_start, .. }) = of {
            ledger.quotas().settle(account.id, Settled { period_start, spent: 0, back });
        }
        spent
    }

    /// Whether the account was asked in this round; from now on it was.
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    fn is_recent(&mut self, hash: u64) -> bool {
        let place = &mut self.recent[hash as usize % RECENT];
        std::mem::replace(place, hash) == hash
    }

    /// Gives a request back that was not let through after all.
    pub(super) fn give_back(&mut self, ledger: &Ledger, account: Hashed, paid: Paid) {
        let lease = self.leases.find_mut(account.hash, |lease| lease.account.id == account.id);
        match lease.filter(|lease| paid == Paid::Lease && lease.spent > 0) {
            Some(lease) => {
                lease.of.count += 1;
                lease.spent -= 1;
            }
            None => ledger.quotas().put_back(account.id, self.counted_in),
        }
    }

    pub(super) fn reconcile(&mut self, ledger: &Ledger, wall: WallTime) {
        self.leases.retain(|lease| {
            let is_idle = lease.demand == 0;
            let is_over = wall >= lease.of.ends;
            let kept = if is_idle || is_over { 0 } else { lease.of.count.min(lease.demand) };
            let back = lease.of.count - kept;
            // Told each round, so that what was used is never far from what is known.
            if back > 0 || lease.spent > 0 {
                ledger.quotas().settle(lease.account.id, lease.settle(back));
            }
            lease.size = (lease.size / 2).max(lease.demand).max(FIRST_LEASE);
            lease.demand = 0;
            !is_idle
        });
        if self.leases.len() < self.leases.capacity() / 8 {
            self.leases.shrink_to(2 * self.leases.len(), |lease| lease.account.hash);
        }
        self.recent.fill(0);
    }

    pub(super) fn give_all_back(&mut self, ledger: &Ledger) {
        for mut lease in self.leases.drain() {
            let back = lease.of.count;
            ledger.quotas().settle(lease.account.id, lease.settle(back));
        }
    }

    pub(super) fn view(&self, account: Hashed) -> Option<(u32, u32)> {
        let lease = self.leases.find(account.hash, |lease| lease.account.id == account.id)?;
        Some((lease.of.count, lease.spent))
    }
}

impl Lease {
    /// What the ledger is told, `back` requests coming back.
    fn settle(&mut self, back: u32) -> Settled {
        let settled = Settled { period_start: self.of.period_start, spent: self.spent, back };
        self.spent = 0;
        self.of.count -= back;
        settled
    }
}
