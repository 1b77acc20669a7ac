//! Asking every shard for its numbers, with a bound on the patience.
//!
//! A round has a number; shards send [`Reported`] with it. Whoever has not answered after
//! [`STATISTICS_WAIT`] is shown as missing, with its last known numbers, so that sums over shards
//! never fall. A late report still refreshes those.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use crate::{
    base::limits::STATISTICS_WAIT,
    runtime::{Mailbox, Runtime},
    telemetry::{Reported, Snapshot, prometheus::ShardReport},
};

/// How often a second scrape looks whether the first one's round is over.
const TURN_WAIT: Duration = Duration::from_millis(10);

/// The asking side, on the private port's executor.
pub struct Census<Ask> {
    ask: Ask,
    reports: Mailbox<Reported>,
    last: RefCell<Vec<Last>>,
    round: Cell<u64>,
    is_asking: Cell<bool>,
}

#[derive(Clone, Default)]
struct Last {
    round: u64,
    snapshot: Option<Snapshot>,
}

impl<Ask: Fn(usize, u64) -> bool> Census<Ask> {
    /// `ask(shard, round)` puts the question into the shard's mailbox; false when that is full.
    /// `reports` needs room for two reports of each of the `shards` shards.
    #[must_use]
    pub fn new(shards: usize, ask: Ask, reports: Mailbox<Reported>) -> Self {
        let last = RefCell::new(vec![Last::default(); shards]);
        Self { ask, reports, last, round: Cell::new(0), is_asking: Cell::new(false) }
    }

    /// Everybody's numbers, in the order of shards; takes at most twice [`STATISTICS_WAIT`].
    pub async fn take(&self, runtime: &Runtime) -> Vec<ShardReport> {
        let deadline = runtime.now() + STATISTICS_WAIT;
        while self.is_asking.get() && runtime.now() < deadline {
            runtime.sleep(TURN_WAIT).await;
        }
        if !self.is_asking.get() {
            let asking = Asking::start(&self.is_asking);
            self.ask_all(runtime).await;
            drop(asking);
        }
        self.told()
    }

    async fn ask_all(&self, runtime: &Runtime) {
        let round = self.round.get() + 1;
        self.round.set(round);
        // What a slow shard sent after its round was over.
        while let Some(report) = self.reports.try_receive() {
            self.note(report);
        }
        let shards = self.last.borrow().len();
        let mut asked = (0..shards).filter(|shard| (self.ask)(*shard, round)).count();
        let deadline = runtime.now() + STATISTICS_WAIT;
        while asked > 0 {
            let Some(report) = self.reports.receive_until(runtime, deadline).await else { return };
            if report.round == round {
                asked -= 1;
            }
            self.note(report);
        }
    }

    fn note(&self, report: Reported) {
        let mut last = self.last.borrow_mut();
        let Some(last) = last.get_mut(report.shard) else { return };
        *last = Last { round: report.round, snapshot: Some(report.snapshot) };
    }

    fn told(&self) -> Vec<ShardReport> {
        let round = self.round.get();
        let last = self.last.borrow();
        (0..)
            .zip(last.iter())
            .map(|(shard, last)| ShardReport {
                shard,
                answered: last.round == round,
                snapshot: last.snapshot.clone(),
            })
            .collect()
    }
}

/// While this lives, a round is under way.
struct Asking<'a>(&'a Cell<bool>);

impl<'a> Asking<'a> {
    fn start(flag: &'a Cell<bool>) -> Self {
        flag.set(true);
        Self(flag)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
