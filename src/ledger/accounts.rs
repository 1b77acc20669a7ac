//! The accounts of throttles and concurrency limits, in partitions with a lock each.
//!
//! A lock is held for one account's arithmetic, tens of nanoseconds, and taken when a shard's lease
//! is empty. Two shards meet there only when they refill leases of one partition at one time.

use std::{
    hash::BuildHasher,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table::Entry};

use super::{
    bucket::{AccountView, Bucket, Settled, Taken, Wish},
    terms::{AccountId, Rate, Subject, Terms},
};
use crate::base::{
    Moment,
    limits::{LEDGER_ACCOUNTS_MAX, LEDGER_PARTITIONS},
};

/// Who was refused is kept for this long after the last request.
const REFUSALS_KEPT: Duration = Duration::from_secs(600);
/// A full partition is looked through for idle accounts this often.
const SEARCH_WAIT: Duration = Duration::from_millis(100);
/// Accounts of one partition, beyond which strangers share one.
const PARTITION_ACCOUNTS_MAX: usize = LEDGER_ACCOUNTS_MAX / LEDGER_PARTITIONS;

/// All accounts.
pub(super) struct Accounts {
    partitions: Box<[Partition]>,
    hasher: RandomState,
    /// Together with `hasher` it makes 128 bits of values.
    second: RandomState,
    shards: u32,
}

/// Alone on its cache line, so that neighbours do not disturb each other.
#[derive(Default)]
#[repr(align(64))]
struct Partition(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    accounts: HashTable<Bucket>,
    /// When it was full and looked through last.
    searched: Moment,
}

/// The hash of an account's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed {
    pub(super) id: AccountId,
    pub(super) hash: u64,
}

impl Accounts {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            partitions: (0..LEDGER_PARTITIONS).map(|_| Partition::default()).collect(),
            hasher: RandomState::default(),
            second: RandomState::default(),
            shards: u32::try_from(shards.max(1)).unwrap_or(u32::MAX / 4),
        }
    }

    pub(super) fn hash(&self, id: AccountId) -> Hashed {
        Hashed { id, hash: self.hasher.hash_one(id) }
    }

    pub(super) fn subject_of(&self, value: &[u8]) -> Subject {
        let (high, low) = (self.hasher.hash_one(value), self.second.hash_one(value));
        Subject(u128::from(high) << 64 | u128::from(low))
    }

    /// Settles and takes, as [`Bucket::take`].
    pub(super) fn take(
        &self,
        account: Hashed,
        (rate, burst): (Rate, u32),
        now: Moment,
        settled: Settled,
        ahead: u32,
    ) -> Taken {
        let terms = Terms::Bucket { rate, burst };
        self.with_or_new(account, &terms, now, |bucket, is_new| {
            // A stranger gets no lease: it may have an account of its own when that comes back.
            let ahead = if is_shared(bucket.id) { 0 } else { ahead };
            let wish = Wish { ahead, shards: self.shards };
            match bucket.take((rate, burst), now, settled, wish) {
                Taken::Granted { ahead, .. } if is_new => Taken::Granted { ahead, before: None },
                taken => taken,
            }
        })
    }

    /// Counts a request in, if there is room for it.
    pub(super) fn enter(&self, account: Hashed, max: u32, now: Moment) -> bool {
        self.with_or_new(account, &Terms::InFlight { max }, now, |bucket, _| bucket.enter(max))
    }

    /// Counts it out.
    pub(super) fn leave(&self, account: Hashed) {
        let own = self.partition(account.hash).lock().find(account).is_some_and(Bucket::leave);
        if !own {
            // It entered when there was no room for its own, which may be there by now.
            let shared = self.hash(shared_of(account.id));
            let left = self.partition(shared.hash).lock().find(shared).is_some_and(Bucket::leave);
            debug_assert!(left, "a place is given up that nobody holds");
        }
    }

    /// Gives a lease, or what is left of it, back.
    pub(super) fn settle(&self, account: Hashed, now: Moment, settled: Settled) {
        self.with(account, |bucket| bucket.settle(now, settled));
    }

    /// Gives one token back that no lease knows of.
    pub(super) fn put_back(&self, account: Hashed) {
        self.with(account, |bucket| bucket.put_back(1));
    }

    pub(super) fn view(&self, id: AccountId, now: Moment) -> Option<AccountView> {
        let mut view = None;
        self.with(self.hash(id), |bucket| view = Some(bucket.view(now)));
        view
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.iter().map(|partition| partition.lock().accounts.len()).sum()
    }

    /// Forgets accounts that are as new ones, in one partition. Counts in circles.
    pub(super) fn sweep(&self, place: usize, now: Moment) {
        self.partitions[place % self.partitions.len()].lock().sweep(now, &self.hasher);
    }

    fn with(&self, account: Hashed, change: impl FnOnce(&mut Bucket)) {
        let mut kept = self.partition(account.hash).lock();
        if let Some(bucket) = kept.find(account) {
            return change(bucket);
        }
        drop(kept);
        // It was opened when there was no room.
        let shared = self.hash(shared_of(account.id));
        if let Some(bucket) = self.partition(shared.hash).lock().find(shared) {
            change(bucket);
        }
    }

    fn with_or_new<R>(
        &self,
        account: Hashed,
        terms: &Terms,
        now: Moment,
        change: impl FnOnce(&mut Bucket, bool) -> R,
    ) -> R {
        let mut kept = self.partition(account.hash).lock();
        if kept.is_full() && !is_shared(account.id) && kept.find(account).is_none() {
            kept.search(now, &self.hasher);
            if kept.is_full() {
                drop(kept);
                let shared = self.hash(shared_of(account.id));
                return self.with_or_new(shared, terms, now, change);
            }
        }
        let is_same = |bucket: &Bucket| bucket.id == account.id;
        let rehash = |bucket: &Bucket| self.hasher.hash_one(bucket.id);
        match kept.accounts.entry(account.hash, is_same, rehash) {
            Entry::Occupied(mut known) => change(known.get_mut(), false),
            Entry::Vacant(vacant) => {
                let mut new = vacant.insert(Bucket::new(account.id, terms, now));
                change(new.get_mut(), true)
            }
        }
    }

    /// By the bits that a table does not look at first.
    fn partition(&self, hash: u64) -> &Partition {
        &self.partitions[(hash >> 32) as usize % LEDGER_PARTITIONS]
    }
}

impl Partition {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&mut self, account: Hashed) -> Option<&mut Bucket> {
        self.accounts.find_mut(account.hash, |bucket| bucket.id == account.id)
    }

    fn is_full(&self) -> bool {
        self.accounts.len() >= PARTITION_ACCOUNTS_MAX
    }

    /// Makes room; not for every stranger of a flood.
    fn search(&mut self, now: Moment, hasher: &RandomState) {
        if now.since(self.searched) >= SEARCH_WAIT {
            self.searched = now;
            self.sweep(now, hasher);
        }
    }

    fn sweep(&mut self, now: Moment, hasher: &RandomState) {
        let accounts = &mut self.accounts;
        accounts.retain(|bucket| !bucket.is_idle(now, REFUSALS_KEPT));
        if accounts.len() < accounts.capacity() / 4 {
            accounts.shrink_to(2 * accounts.len(), |bucket| hasher.hash_one(bucket.id));
        }
    }
}

/// What strangers share under a limit when the ledger is full: together they get what one may have.
const fn shared_of(id: AccountId) -> AccountId {
    AccountId::new(id.limit(), Subject(u128::MAX))
}

fn is_shared(id: AccountId) -> bool {
    id == shared_of(id)
}
