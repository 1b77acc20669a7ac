//! The keeper's thread: what it does in which order.
//!
//! A reservation is written, synced, and published then; so is what an operator changes. While the
//! journal cannot be written, things are published all the same, and what is in memory is what the
//! next journal is made of.

use std::{
    collections::HashSet,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering, mpsc::RecvTimeoutError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{Done, Ending, Errand, Shared, folder::StateFolder, lock};
use crate::{
    base::{
        WallTime,
        limits::{JOURNAL_BATCH_RECORDS_MAX, QUOTA_ACCOUNTS_MAX},
    },
    ledger::{
        AccountId, Ledger, QuotaTerms, Subject,
        journal::Record,
        period::Day,
        quota::{Ask, Asks, ClosedDay, Counters},
    },
};

/// How often it looks whether a day is over, when nothing else comes.
const LOOK_WAIT: Duration = Duration::from_millis(200);
/// After a failure, how long until the journal is tried again.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// Counters are written for whoever reads the folder, at most so many a second: 19 KB.
const COUNTERS_PER_SECOND: u32 = 200;
const COUNTERS_WAIT: Duration = Duration::from_millis(200);
/// A day is over for its file this long after midnight: shards tell late what they spent.
const LATE_MILLIS: u64 = 5_000;

/// The thread's own state.
pub(super) struct Keeping {
    folder: StateFolder,
    ledger: Arc<Ledger>,
    shared: Arc<Shared>,
    tell: Box<dyn FnMut(&str) + Send>,
    /// Accounts of keys that there are; `None` when nobody has said yet.
    known: Option<HashSet<AccountId>>,
    /// Days that are over and in no file yet.
    closed: Vec<ClosedDay>,
    /// The last day whose end was seen to.
    today: Day,
    counters_due: Instant,
    retry_due: Instant,
}

impl Keeping {
    pub(super) fn new(
        folder: StateFolder,
        closed: Vec<ClosedDay>,
        (ledger, shared): (Arc<Ledger>, Arc<Shared>),
        tell: Box<dyn FnMut(&str) + Send>,
    ) -> Self {
        let (known, today, now) = (None, Day(0), clock());
        let (counters_due, retry_due) = (now, now);
        Self { folder, ledger, shared, tell, known, closed, today, counters_due, retry_due }
    }

    /// Makes the first journal, and tells the shards of keys before they get a plan. A full disk
    /// is no reason not to serve: what was counted before is known.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.shared.tell_switches(&mut lock(&self.shared.switching));
        let records = self.all(|counters, _| counters.reserved);
        match self.folder.rewrite(&records) {
            Err(error) if is_for_want_of_room(&error) => self.failed(&error),
            made => made?,
        }
        self.shared.bytes.store(self.folder.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Goes on until it is told to finish. A fault of our own ends it early, and is told.
    pub(super) fn run(mut self, asks: &Asks) {
        let going = AssertUnwindSafe(|| self.go_on(asks));
        if std::panic::catch_unwind(going).is_err() {
            self.shared.is_failing.store(true, Ordering::Relaxed);
            (self.tell)(
                "quotas: the keeper has ended by a fault of ringway's; quotas are counted in \
                 memory only: restart the gateway",
            );
        }
    }

    fn go_on(&mut self, asks: &Asks) {
        let mut batch = Vec::new();
        loop {
            match asks.recv_timeout(LOOK_WAIT) {
                Ok(ask) => batch.extend(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while batch.len() < JOURNAL_BATCH_RECORDS_MAX
                && let Ok(ask) = asks.try_recv()
            {
                batch.extend(ask);
            }
            if !batch.is_empty() {
                self.reserve(&batch);
                batch.clear();
            }
            let errands = std::mem::take(&mut *lock(&self.shared.errands));
            for errand in errands {
                match errand {
                    Errand::Extend { id, terms, remaining, done } => {
                        drop(done.try_send(self.extend(id, &terms, remaining)));
                    }
                    Errand::Switch { key, enabled, done } => {
                        drop(done.try_send(self.switch(key, enabled)));
                    }
                    Errand::Follow(accounts) => self.known = Some(accounts),
                    Errand::Finish(ending) => return self.finish(ending),
                    #[cfg(test)]
                    Errand::FillDisk => self.folder.fill_disk(),
                }
            }
            self.look();
            self.shared.bytes.store(self.folder.bytes, Ordering::Relaxed);
        }
    }

    fn reserve(&mut self, asks: &[Ask]) {
        let records: Vec<Record> = asks.iter().map(|ask| Record::Reservation(*ask)).collect();
        if self.append(&records).is_ok() {
            let written = asks.len() as u64;
            self.shared.reservations.fetch_add(written, Ordering::Relaxed);
        }
        asks.iter().for_each(|ask| self.ledger.quotas().reserve(ask.id, ask.period, ask.reserved));
        self.shared.wake();
    }

    fn extend(&mut self, id: AccountId, terms: &QuotaTerms, remaining: u64) -> Done {
        let Some(extension) = self.ledger.quotas().extension(id, terms, wall(), remaining) else {
            return Err("there is no room for more accounts".to_owned());
        };
        let written = self.append(&[Record::Extension(extension)]);
        self.ledger.quotas().extend(extension, terms);
        self.shared.wake();
        written
    }

    fn switch(&mut self, key: Subject, enabled: bool) -> Done {
        let written = self.append(&[Record::Switch { key, enabled }]);
        match lock(&self.shared.switching).is_told.iter().position(|is_told| !is_told) {
            Some(shard) => Err(format!("shard {shard} is stuck; it hears of it when it goes on")),
            None => written,
        }
    }

    /// Makes records durable; the sentence says why that cannot be.
    fn append(&mut self, records: &[Record]) -> Done {
        let written = match self.folder.is_broken() {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => self.folder.append(records),
        };
        written.map_err(|error| {
            self.failed(&error);
            format!(
                "it is in force, but {}/journal cannot be written: it is lost when the gateway \
                 ends before that works again",
                self.folder.path().display()
            )
        })
    }

    /// What is due by time.
    fn look(&mut self) {
        let now = clock();
        if let Err(error) = self.folder.check() {
            self.failed(&error);
        }
        if self.folder.is_broken() {
            if now >= self.retry_due {
                self.rewrite();
            }
        } else if self.folder.has_grown() {
            self.rewrite();
        }
        if now >= self.counters_due && !self.folder.is_broken() {
            self.write_counters(now);
        }
        self.shared.tell_switches(&mut lock(&self.shared.switching));
        let wall = wall();
        let today = Day::of(wall);
        if today > self.today && wall.0 - today.start().0 >= LATE_MILLIS {
            self.today = today;
            self.closed.extend(self.ledger.quotas().close_days(today));
            self.closed.truncate(QUOTA_ACCOUNTS_MAX);
            if let Some(known) = &self.known {
                self.ledger.quotas().forget(today, |id| known.contains(&id));
            }
            self.retry_due = now;
        }
        if !self.closed.is_empty() && now >= self.retry_due {
            self.write_days();
        }
    }

    fn write_counters(&mut self, now: Instant) {
        let changed = self.ledger.quotas().changed(JOURNAL_BATCH_RECORDS_MAX);
        let records: Vec<Record> = changed.iter().map(|c| Record::Counters(*c)).collect();
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let pause = Duration::from_secs(1) * count / COUNTERS_PER_SECOND;
        self.counters_due = now + pause.max(COUNTERS_WAIT);
        if count > 0
            && let Err(error) = self.folder.append_unsynced(&records)
        {
            self.failed(&error);
        }
    }

    fn write_days(&mut self) {
        match self.folder.write_days(&self.closed) {
            Ok(told) => {
                self.closed.clear();
                if !self.folder.is_broken() {
                    self.works();
                }
                told.iter().for_each(|sentence| (self.tell)(&format!("quotas: {sentence}")));
                if let Err(error) = self.folder.prune(self.today) {
                    (self.tell)(&format!("quotas: usage of old days cannot be removed: {error}"));
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    fn rewrite(&mut self) {
        let records = self.all(|counters, _| counters.reserved);
        match self.folder.rewrite(&records) {
            Ok(()) => self.works(),
            Err(error) => self.failed(&error),
        }
    }

    /// Everything that a journal has to say; `promised` says how far, of what is leased.
    fn all(&self, promised: impl Fn(&Counters, u64) -> u64) -> Vec<Record> {
        let mut records = Vec::new();
        self.ledger.quotas().each(|counters, leased| {
            let reserved = promised(&counters, leased);
            records.push(Record::Counters(Counters { reserved, ..counters }));
        });
        let switching = lock(&self.shared.switching);
        let switched = switching.switched.iter();
        records.extend(switched.map(|(&key, &enabled)| Record::Switch { key, enabled }));
        records
    }

    /// Told once, until it works again.
    fn failed(&mut self, error: &io::Error) {
        self.retry_due = clock() + RETRY_WAIT;
        if self.shared.is_failing.swap(true, Ordering::Relaxed) {
            return;
        }
        (self.tell)(&format!(
            "quotas: {} cannot be written to: {error}; counting goes on in memory, and what is \
             counted until it works again is forgotten when the process ends before that \
             (ringway_quota_journal_failing)",
            self.folder.path().display()
        ));
    }

    fn works(&mut self) {
        if self.shared.is_failing.swap(false, Ordering::Relaxed) {
            (self.tell)(&format!(
                "quotas: {} works again, and has what was counted meanwhile",
                self.folder.path().display()
            ));
        }
    }

    /// With all leases back, the counters are exact, and nothing more is promised.
    fn finish(&mut self, ending: Ending) {
        if ending == Ending::Drained {
            let records = self.all(|counters, leased| counters.used.saturating_add(leased));
            if let Err(error) = self.folder.rewrite(&records) {
                self.failed(&error);
            }
        } else if self.folder.is_broken() {
            self.rewrite();
        }
        if !self.closed.is_empty() {
            self.write_days();
        }
        self.shared.bytes.store(self.folder.bytes, Ordering::Relaxed);
    }
}

fn is_for_want_of_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

#[expect(clippy::disallowed_methods, reason = "this thread is no shard and has no shard's clock")]
pub(super) fn clock() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "days are the wall clock's")]
pub(super) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
