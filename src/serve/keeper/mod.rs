//! The keeper: one thread that owns the state folder and makes durable what quotas promise.
//!
//! Shards never wait for a disk, but for a promise that is not there yet; it is asked for ahead
//! ([`crate::ledger::quota`]). Wishes that come while the disk is at work are written together.
//! When the journal cannot be written, that is told, counting goes on in memory, and it is tried
//! again: AWS lets requests through when the plan's check fails, too.

mod folder;
mod keeping;

use std::{
    collections::{BTreeMap, HashSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use self::{folder::StateFolder, keeping::Keeping};
use crate::{
    base::{Problem, limits::KEEPER_ERRANDS_MAX},
    ledger::{
        AccountId, Ledger, QuotaTerms, Subject,
        quota::{Asks, ClosedDay, Quotas},
    },
    runtime::Sender as Mail,
    shard::Order,
    steps::api_key::Switches,
};

pub(crate) use folder::{Fault, Refused, read_day, read_journal};

/// Numbers for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeeperCounts {
    /// Reservations written.
    pub(crate) reservations: u64,
    /// Bytes written to the journal.
    pub(crate) bytes: u64,
    /// It cannot be written at the moment.
    pub(crate) is_failing: bool,
}

/// What an errand brought; the sentence says what could not be made durable.
pub(crate) type Done = Result<(), String>;

/// Something to do besides reservations.
enum Errand {
    /// Let this much remain of an account's period.
    Extend { id: AccountId, terms: QuotaTerms, remaining: u64, done: Mail<Done> },
    /// Remember that a key was switched on or off; the shards know.
    Switch { key: Subject, enabled: bool, done: Mail<Done> },
    /// Keep these accounts, however long nothing is asked of them.
    Follow(HashSet<AccountId>),
    /// Write down where things stand, and end.
    Finish(Ending),
    /// From now on the journal's disk is full.
    #[cfg(test)]
    FillDisk,
}

/// How the shards ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// They gave their leases back: the counters are exact.
    Drained,
    /// They may spend what they hold: what was reserved counts.
    Abandoned,
}

/// A state folder that is locked and read, before anybody writes to it.
pub(crate) struct Opened {
    folder: StateFolder,
    closed: Vec<ClosedDay>,
    switched: BTreeMap<Subject, bool>,
}

impl Opened {
    /// Takes the folder over and puts the accounts in it back into the ledger. Waits some seconds
    /// for a process that is about to leave it.
    ///
    /// # Errors
    /// When it is in use, cannot be used, or is damaged.
    pub(crate) fn at(path: &Path, quotas: &Quotas, tell: impl Fn(&str)) -> Result<Self, Refused> {
        let (folder, found) = StateFolder::open(path)?;
        if found.torn_bytes > 0 {
            tell(&format!(
                "quotas: the last {} bytes of {}/journal were not written whole; they were \
                 promised to nobody and are dropped",
                found.torn_bytes,
                path.display()
            ));
        }
        found.accounts.into_iter().for_each(|counters| quotas.restore(counters));
        Ok(Self { folder, closed: found.closed, switched: found.switched })
    }

    /// The keys that were switched.
    pub(crate) fn switches(&self) -> Arc<Switches> {
        Arc::new(switches(&self.switched))
    }

    /// Starts the thread, which takes the wishes.
    ///
    /// # Errors
    /// When the journal cannot be made anew, or the machine has no thread left.
    pub(crate) fn keep(
        self,
        ledger: Arc<Ledger>,
        asks: &mut Option<Asks>,
        shards: Vec<Mail<Order>>,
        tell: impl FnMut(&str) + Send + 'static,
    ) -> Result<Keeper, Problem> {
        let Self { folder, closed, switched } = self;
        let path = folder.path().to_owned();
        let is_told = vec![false; shards.len()];
        let switching = Mutex::new(Switching { switched, is_told });
        let shared = Arc::new(Shared { switching, shards, ..Shared::default() });
        let (end, ended) = sync_channel::<()>(1);
        let kept = (Arc::clone(&ledger), Arc::clone(&shared));
        let keeping = Keeping::new(folder, closed, kept, Box::new(tell));
        let run = |mut keeping: Keeping| {
            keeping.begin()?;
            // From here on only a machine without threads can fail, and then all is lost anyhow.
            let asks = asks.take().ok_or(ErrorKind::AlreadyExists)?;
            thread::Builder::new().name("keeper".to_owned()).spawn(move || {
                keeping.run(&asks);
                drop(end);
            })
        };
        run(keeping).map_err(|error| folder::unusable(&path, &error))?;
        Ok(Keeper { path, ledger, shared, ended: Mutex::new(ended) })
    }
}

fn switches(switched: &BTreeMap<Subject, bool>) -> Switches {
    Switches::new(switched.iter().map(|(key, enabled)| (*key, *enabled)))
}

/// The running keeper, as the rest of the process holds it.
pub(crate) struct Keeper {
    path: PathBuf,
    ledger: Arc<Ledger>,
    shared: Arc<Shared>,
    ended: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct Shared {
    errands: Mutex<Vec<Errand>>,
    switching: Mutex<Switching>,
    shards: Vec<Mail<Order>>,
    reservations: AtomicU64,
    bytes: AtomicU64,
    is_failing: AtomicBool,
}

/// Keys that were switched, and which shards have heard of all of them.
#[derive(Default)]
struct Switching {
    switched: BTreeMap<Subject, bool>,
    is_told: Vec<bool>,
}

impl Shared {
    /// Tells the shards which keys are switched, that were not told yet.
    fn tell_switches(&self, switching: &mut Switching) {
        if !switching.is_told.contains(&false) {
            return;
        }
        let switches = Arc::new(switches(&switching.switched));
        for (shard, is_told) in self.shards.iter().zip(&mut switching.is_told) {
            *is_told = *is_told || shard.try_send(Order::Keys(Arc::clone(&switches))).is_ok();
        }
    }

    /// Wakes whoever waits for a promise on any shard.
    fn wake(&self) {
        let is_same = |order: &Order| matches!(order, Order::Reserved);
        self.shards.iter().for_each(|shard| drop(shard.send_once(Order::Reserved, is_same)));
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// The state folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.path
    }

    /// Lets this much remain of an account's period; `done` is told when it is in force.
    pub(crate) fn extend(
        &self,
        id: AccountId,
        terms: QuotaTerms,
        remaining: u64,
        done: Mail<Done>,
    ) -> bool {
        self.send(Errand::Extend { id, terms, remaining, done })
    }

    /// Switches a key on or off, on all shards at once; `done` is told when that will survive.
    /// False, and nothing is switched, when too many errands wait.
    pub(crate) fn switch(&self, key: Subject, enabled: bool, done: Mail<Done>) -> bool {
        // Locked till the errand is sent: what is remembered last is what was switched last.
        let mut switching = lock(&self.shared.switching);
        if !self.send(Errand::Switch { key, enabled, done }) {
            return false;
        }
        switching.switched.insert(key, enabled);
        switching.is_told.fill(false);
        self.shared.tell_switches(&mut switching);
        true
    }

    /// Keys that were switched, and to what.
    pub(crate) fn switches(&self) -> Switches {
        switches(&lock(&self.shared.switching).switched)
    }

    /// These accounts are of keys that there are.
    pub(crate) fn follow(&self, accounts: HashSet<AccountId>) {
        let mut errands = lock(&self.shared.errands);
        errands.retain(|errand| !matches!(errand, Errand::Follow(_)));
        errands.push(Errand::Follow(accounts));
    }

    /// Numbers for the metrics.
    pub(crate) fn counts(&self) -> KeeperCounts {
        KeeperCounts {
            reservations: self.shared.reservations.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            is_failing: self.shared.is_failing.load(Ordering::Relaxed),
        }
    }

    /// Writes down where things stand and ends the thread; false when it did not within `wait`.
    #[must_use]
    pub(crate) fn finish(&self, ending: Ending, wait: Duration) -> bool {
        lock(&self.shared.errands).push(Errand::Finish(ending));
        self.ledger.quotas().knock();
        lock(&self.ended).recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
    }

    fn send(&self, errand: Errand) -> bool {
        let mut errands = lock(&self.shared.errands);
        let has_room = errands.len() < KEEPER_ERRANDS_MAX;
        if has_room {
            errands.push(errand);
        }
        drop(errands);
        self.ledger.quotas().knock();
        has_room
    }
}

#[cfg(test)]
mod tests;
