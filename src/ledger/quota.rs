//! Quotas: how many requests an account may make in a period, exact over all shards, and never
//! more than the journal has durably promised.
//!
//! An account counts what was *used* and what is *leased* to shards. Both together never pass its
//! limit, nor what is *reserved*: how far the journal on the disk has promised to count. After a
//! crash all that was reserved counts as used, so no request is ever let through twice. Whoever
//! journals (the keeper) is asked through a bounded queue, ahead of need; this file does no IO.
//!
//! An account's period never goes back: while the wall clock is behind it, the later one is spent.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use super::{
    period::Day,
    terms::{AccountId, QuotaTerms, Subject},
};
use crate::base::{
    WallTime,
    limits::{QUOTA_ACCOUNTS_MAX, QUOTA_ASKS_MAX, QUOTA_PARTITIONS},
};

/// A reservation is a hundredth of the limit, from 1 to this.
const CHUNK_MAX: u64 = 1_000;
/// Accounts of keys that are gone are kept this long: longer than any period.
const KEPT_DAYS: u32 = 40;

/// What a shard gets when its lease is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaTaken {
    /// Requests that the ledger counts as spoken for.
    Granted(QuotaLease),
    /// The period's limit is reached, as far as no shard gives anything back.
    Exhausted,
    /// The journal has not promised enough yet. It is asked; shards are told when it has.
    Unreserved,
}

/// Requests of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLease {
    /// How many.
    pub count: u32,
    /// Of which period: to be said when it is settled. It may be later than the wall clock has it,
    /// when the clock went back.
    pub period_start: Day,
    /// From then on it is void.
    pub ends: WallTime,
}

/// What became of a shard's earlier lease; all zeros when there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Of the lease. Of another period than the account's it changes no count but the day's.
    pub period_start: Day,
    /// Used of it since it was settled last.
    pub spent: u32,
    /// Given back.
    pub back: u32,
}

/// A wish for a durable promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose.
    pub id: AccountId,
    /// In which period.
    pub period: Day,
    /// On which day.
    pub day: Day,
    /// How far, in requests used since the period's start.
    pub reserved: u64,
    /// The period's limit, for whoever reads the journal.
    pub limit: u64,
}

/// Where wishes come out; `None` is a knock, see [`Quotas::knock`].
pub type Asks = Receiver<Option<Ask>>;

/// An account's numbers, as the journal keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Whose.
    pub id: AccountId,
    /// The start of its first period.
    pub first: Day,
    /// The start of its current one.
    pub period: Day,
    /// The day that `used_today` is of.
    pub day: Day,
    /// The limit of the period, with its extension, when it was last asked for.
    pub limit: u64,
    /// What an operator added to (or took from) the period's limit.
    pub extension: i64,
    /// Requests in this period.
    pub used: u64,
    /// How far the journal has promised to count.
    pub reserved: u64,
    /// Requests on that day.
    pub used_today: u64,
}

impl Counters {
    /// Those of an account that nobody has used yet.
    #[must_use]
    pub const fn new(id: AccountId, period: Day, day: Day) -> Self {
        let (limit, extension, used, reserved, used_today) = (0, 0, 0, 0, 0);
        Self { id, first: period, period, day, limit, extension, used, reserved, used_today }
    }

    /// What is left of the period's limit.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// A day that is over, of an account that was used on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedDay {
    /// Whose.
    pub id: AccountId,
    /// Which.
    pub day: Day,
    /// Requests on it.
    pub used: u64,
    /// What was left of the period's limit at its end.
    pub remaining: u64,
}

/// An operator's change of what remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Whose.
    pub id: AccountId,
    /// In which period.
    pub period: Day,
    /// Added to its limit, in all.
    pub extension: i64,
}

/// The accounts, in partitions with a lock each.
pub struct Quotas {
    partitions: Box<[Mutex<Partition>]>,
    asks: SyncSender<Option<Ask>>,
}

impl Quotas {
    /// None yet, and where wishes for the journal come out.
    #[must_use]
    pub fn new() -> (Self, Asks) {
        let (asks, asked) = sync_channel(QUOTA_ASKS_MAX);
        let partitions = (0..QUOTA_PARTITIONS).map(|_| Mutex::default()).collect();
        (Self { partitions, asks }, asked)
    }

    /// Settles a lease, counts a request as used, and takes the next lease, of up to `ahead` more.
    #[must_use]
    pub fn spend(
        &self,
        id: AccountId,
        terms: &QuotaTerms,
        wall: WallTime,
        settled: Settled,
        ahead: u32,
    ) -> QuotaTaken {
        let mut partition = self.lock(id);
        partition.settle(id, settled);
        let Some(account) = partition.open(id, terms, Day::of(wall)) else {
            return QuotaTaken::Exhausted;
        };
        let count = account.grant(ahead.saturating_add(1));
        if let Some(ask) = account.ask(terms) {
            match self.asks.try_send(Some(ask)) {
                Ok(()) => account.asked = ask.reserved,
                // The next one to come asks again; whoever waits is woken by the asks before.
                Err(TrySendError::Full(_)) => {}
                // Nobody journals any more: counting goes on without.
                Err(TrySendError::Disconnected(_)) => account.counters.reserved = ask.reserved,
            }
        }
        match count {
            0 if account.free() == 0 => QuotaTaken::Exhausted,
            0 => QuotaTaken::Unreserved,
            count => {
                let period_start = account.counters.period;
                let ends = terms.end(period_start).start();
                partition.settle(id, Settled { period_start, spent: 1, back: 0 });
                QuotaTaken::Granted(QuotaLease { count: count - 1, period_start, ends })
            }
        }
    }

    /// Says what became of a lease without taking another.
    pub fn settle(&self, id: AccountId, settled: Settled) {
        self.lock(id).settle(id, settled);
    }

    /// A request that was counted in this period was not let through after all. When another has
    /// begun since, it stays counted in its own.
    pub fn put_back(&self, id: AccountId, period: Day) {
        let mut partition = self.lock(id);
        let Some(account) = partition.accounts.get_mut(&id) else { return };
        if account.counters.period != period {
            return;
        }
        account.counters.used = account.counters.used.saturating_sub(1);
        account.counters.used_today = account.counters.used_today.saturating_sub(1);
        partition.note(id);
    }

    /// Wakes whoever takes the wishes: there is something else to do. When the queue is full it is
    /// awake.
    pub fn knock(&self) {
        let _ = self.asks.try_send(None);
    }

    /// The journal has promised to count this far.
    pub fn reserve(&self, id: AccountId, period: Day, reserved: u64) {
        let mut partition = self.lock(id);
        let Some(account) = partition.accounts.get_mut(&id) else { return };
        if account.counters.period == period {
            account.counters.reserved = account.counters.reserved.max(reserved);
        }
    }

    /// The journal takes too long: what it was asked to promise holds as if it had.
    pub fn presume(&self, id: AccountId, terms: &QuotaTerms) {
        let mut partition = self.lock(id);
        let Some(account) = partition.accounts.get_mut(&id) else { return };
        // There was no room for the last wish where another one is due.
        let asked = account.ask(terms).map_or(account.asked, |ask| ask.reserved);
        account.counters.reserved = account.counters.reserved.max(asked);
    }

    /// An account's numbers now; `None` when it was never used. What shards spent in the last
    /// moment is not among them.
    #[must_use]
    pub fn counters(&self, id: AccountId, terms: &QuotaTerms, wall: WallTime) -> Option<Counters> {
        self.view(id, terms, wall).map(|(counters, _)| counters)
    }

    /// The same, and how many requests shards hold, spent or not as far as they have told.
    #[must_use]
    pub fn view(
        &self,
        id: AccountId,
        terms: &QuotaTerms,
        wall: WallTime,
    ) -> Option<(Counters, u64)> {
        let mut partition = self.lock(id);
        partition.accounts.contains_key(&id).then_some(())?;
        let account = partition.open(id, terms, Day::of(wall))?;
        Some((account.counters, account.leased))
    }

    /// What has to be journaled, and then done by [`Self::extend`], so that this much remains.
    /// What shards hold of the account can still be spent. `None` when there is no room for it.
    #[must_use]
    pub fn extension(
        &self,
        id: AccountId,
        terms: &QuotaTerms,
        wall: WallTime,
        remaining: u64,
    ) -> Option<Extension> {
        let mut partition = self.lock(id);
        let account = partition.open(id, terms, Day::of(wall))?;
        let counters = &account.counters;
        let limit = terms.limit_of(counters.first == counters.period);
        let wanted = i128::from(counters.used) + i128::from(remaining) - i128::from(limit);
        let extension = i64::try_from(wanted).unwrap_or(i64::MAX);
        Some(Extension { id, period: counters.period, extension })
    }

    /// Changes what an account's period lets through.
    pub fn extend(&self, extended: Extension, terms: &QuotaTerms) {
        let mut partition = self.lock(extended.id);
        let Some(account) = partition.accounts.get_mut(&extended.id) else { return };
        if account.counters.period == extended.period {
            account.counters.extension = extended.extension;
            account.apply(terms);
            partition.note(extended.id);
        }
    }

    /// Puts an account back as the journal has it.
    pub fn restore(&self, counters: Counters) {
        let account = Account { counters, leased: 0, asked: 0, is_noted: false };
        self.lock(counters.id).accounts.insert(counters.id, account);
    }

    /// Numbers that changed since they were told last, of at most `max` accounts.
    #[must_use]
    pub fn changed(&self, max: usize) -> Vec<Counters> {
        let mut changed = Vec::new();
        for partition in &self.partitions {
            let mut partition = lock(partition);
            while changed.len() < max
                && let Some(id) = partition.noted.pop()
            {
                let Some(account) = partition.accounts.get_mut(&id) else { continue };
                account.is_noted = false;
                changed.push(account.counters);
            }
        }
        changed
    }

    /// Days that are over by `today`, of accounts that were used on them; each is told once.
    #[must_use]
    pub fn close_days(&self, today: Day) -> Vec<ClosedDay> {
        let mut closed = Vec::new();
        for partition in &self.partitions {
            let partition = &mut *lock(partition);
            for account in partition.accounts.values_mut().filter(|a| a.counters.day < today) {
                account.close_day(today, &mut partition.closed);
            }
            closed.extend(partition.closed.drain(..).map(|(_, day)| day));
        }
        closed
    }

    /// Every account's numbers and what is leased of it, one partition after the other; no lock is
    /// held while they are told.
    pub fn each(&self, mut tell: impl FnMut(Counters, u64)) {
        for partition in &self.partitions {
            let accounts: Vec<_> =
                lock(partition).accounts.values().map(|a| (a.counters, a.leased)).collect();
            accounts.into_iter().for_each(|(counters, leased)| tell(counters, leased));
        }
    }

    /// Forgets accounts that nothing was asked of for longer than any period, unless `is_kept`.
    pub fn forget(&self, today: Day, is_kept: impl Fn(AccountId) -> bool) {
        let since = today.back(KEPT_DAYS);
        for partition in &self.partitions {
            lock(partition).accounts.retain(|id, account| {
                account.counters.day >= since || account.leased > 0 || is_kept(*id)
            });
        }
    }

    /// Accounts that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.iter().map(|partition| lock(partition).accounts.len()).sum()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names are halves of digests already: their last bits choose.
    fn lock(&self, id: AccountId) -> MutexGuard<'_, Partition> {
        let Subject(subject) = id.subject();
        let bits = (subject ^ u128::from(id.limit().0)).to_le_bytes();
        let place = usize::from(u16::from_le_bytes([bits[0], bits[1]]));
        lock(&self.partitions[place % QUOTA_PARTITIONS])
    }
}

/// Nothing that could panic is done under the lock but arithmetic that cannot.
fn lock(partition: &Mutex<Partition>) -> MutexGuard<'_, Partition> {
    partition.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Partition {
    accounts: HashMap<AccountId, Account>,
    /// Accounts whose numbers have to be told, each once.
    noted: Vec<AccountId>,
    /// Days that are over and were not told yet, with the period that each was in: what was spent
    /// on it may still come in.
    closed: Vec<(Day, ClosedDay)>,
}

impl Partition {
    /// The account on this day; `None` when it is new and there is no room.
    fn open(&mut self, id: AccountId, terms: &QuotaTerms, today: Day) -> Option<&mut Account> {
        let start = terms.start(today);
        if !self.accounts.contains_key(&id) {
            if self.accounts.len() >= QUOTA_ACCOUNTS_MAX / QUOTA_PARTITIONS {
                return None;
            }
            let counters = Counters::new(id, start, today);
            let new = Account { counters, leased: 0, asked: 0, is_noted: false };
            self.accounts.insert(id, new);
            self.note(id);
        }
        let account = self.accounts.get_mut(&id)?;
        if today > account.counters.day {
            account.close_day(today, &mut self.closed);
        }
        if start > account.counters.period {
            let Counters { first, day, used_today, .. } = account.counters;
            account.counters = Counters { first, used_today, ..Counters::new(id, start, day) };
            (account.leased, account.asked) = (0, 0);
        }
        account.apply(terms);
        Some(account)
    }

    fn settle(&mut self, id: AccountId, settled: Settled) {
        let Settled { period_start, spent, back } = settled;
        if (spent, back) == (0, 0) {
            return;
        }
        let Some(account) = self.accounts.get_mut(&id) else { return };
        if account.counters.period == period_start {
            account.leased = account.leased.saturating_sub(u64::from(spent) + u64::from(back));
            account.counters.used += u64::from(spent);
            account.counters.used_today += u64::from(spent);
            self.note(id);
            return;
        }
        let is_of =
            |(period, closed): &&mut (Day, ClosedDay)| closed.id == id && *period == period_start;
        if let Some((_, closed)) = self.closed.iter_mut().rev().find(is_of) {
            closed.used += u64::from(spent);
            closed.remaining = closed.remaining.saturating_sub(u64::from(spent));
        }
    }

    fn note(&mut self, id: AccountId) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        if !std::mem::replace(&mut account.is_noted, true) {
            self.noted.push(id);
        }
    }
}

struct Account {
    counters: Counters,
    /// Held by shards.
    leased: u64,
    /// How far the journal was last asked to promise.
    asked: u64,
    is_noted: bool,
}

impl Account {
    const fn spoken_for(&self) -> u64 {
        self.counters.used.saturating_add(self.leased)
    }

    /// What the limit still lets through.
    const fn free(&self) -> u64 {
        self.counters.limit.saturating_sub(self.spoken_for())
    }

    fn apply(&mut self, terms: &QuotaTerms) {
        let limit = terms.limit_of(self.counters.first == self.counters.period);
        self.counters.limit = limit.saturating_add_signed(self.counters.extension);
    }

    fn grant(&mut self, want: u32) -> u32 {
        let promised = self.counters.reserved.saturating_sub(self.spoken_for());
        let granted = self.free().min(promised).min(u64::from(want));
        self.leased += granted;
        u32::try_from(granted).unwrap_or(want)
    }

    /// The promise to be asked for, when less than half a chunk is left of the last.
    fn ask(&self, terms: &QuotaTerms) -> Option<Ask> {
        let Counters { id, period, day, limit, reserved, .. } = self.counters;
        let chunk = (terms.limit / 100).clamp(1, CHUNK_MAX);
        let left = reserved.saturating_sub(self.spoken_for());
        let is_due = 2 * left < chunk && reserved < limit && self.asked <= reserved;
        let wanted = self.spoken_for().saturating_add(chunk).min(limit);
        is_due.then_some(Ask { id, period, day, reserved: wanted, limit })
    }

    fn close_day(&mut self, today: Day, closed: &mut Vec<(Day, ClosedDay)>) {
        let Counters { id, day, used_today, period, .. } = self.counters;
        // Without a keeper nobody takes them: they stay few.
        if used_today > 0 && closed.len() < 2 * QUOTA_ACCOUNTS_MAX / QUOTA_PARTITIONS {
            let remaining = self.counters.remaining();
            closed.push((period, ClosedDay { id, day, used: used_today, remaining }));
        }
        (self.counters.day, self.counters.used_today) = (today, 0);
    }
}

#[cfg(test)]
mod tests;
