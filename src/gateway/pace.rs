//! How much of a turn a shard may spend on signatures of new tokens. One takes as long as some ten
//! requests; many that come in one turn would hold all other clients up. So each turn has a budget,
//! and who finds it spent stands in line for the next one: first come, first served, in a line that
//! is bounded. What one takes is estimated, and known better once some were sound.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use crate::{
    base::{
        Moment,
        limits::{
            VERIFICATION_COSTS_MAX, VERIFICATION_LONG, VERIFICATION_TURN, VERIFICATIONS_WAITING_MAX,
        },
    },
    runtime::Runtime,
    steps::authorize::jwt::{Candidate, KeyName},
};

/// One shard's budget, and who waits for it.
#[derive(Default)]
pub(super) struct Pace {
    /// Which turn was the last with a verification in it.
    turn: Cell<u32>,
    /// What that one has spent.
    spent: Cell<Duration>,
    line: RefCell<VecDeque<Rc<Place>>>,
    /// What signatures of a key take, where that was seen.
    costs: RefCell<HashMap<KeyName, Duration>>,
}

/// A place in the line.
#[derive(Default)]
struct Place {
    waker: RefCell<Option<Waker>>,
    /// Who stood here has left.
    is_left: Cell<bool>,
}

/// The line is as long as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlong;

/// Whoever holds it verifies now, and drops it at once after that.
pub(super) struct Permit<'p> {
    pace: &'p Pace,
    runtime: &'p Runtime,
    cost: Duration,
    started: Moment,
}

impl Pace {
    /// What the signature of a token takes.
    pub(super) fn cost(&self, candidate: &Candidate<'_, '_>) -> Duration {
        let known = self.costs.borrow().get(&candidate.key()).copied();
        known.unwrap_or(candidate.cost())
    }

    /// Whether that is more than a turn may last.
    pub(super) fn is_slow(&self, candidate: &Candidate<'_, '_>) -> bool {
        self.cost(candidate) > VERIFICATION_LONG
    }

    /// Learns what one took that was sound: forged ones may end early, and shall teach nothing.
    /// Whoever is taken off the CPU meanwhile seems slow, so that more counts for little and less
    /// for much; and no lesson goes far from the estimate.
    pub(super) fn learn(&self, candidate: &Candidate<'_, '_>, took: Duration) {
        if took.is_zero() {
            return;
        }
        let mut costs = self.costs.borrow_mut();
        if costs.len() >= VERIFICATION_COSTS_MAX && !costs.contains_key(&candidate.key()) {
            costs.clear();
        }
        let estimate = candidate.cost();
        let known = costs.entry(candidate.key()).or_insert(estimate);
        *known = corrected(*known, took).clamp(estimate / 4, estimate * 4);
    }

    /// Until a verification that takes `cost` has its turn. Nothing is waited for when the turn has
    /// as much left and nobody stands in line.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) async fn wait<'p>(
        &'p self,
        runtime: &'p Runtime,
        cost: Duration,
    ) -> Result<Permit<'p>, Overlong> {
        if self.line.borrow().is_empty() && self.has_left(runtime, cost) {
            return Ok(self.permit(runtime, cost));
        }
        if self.line.borrow().len() >= VERIFICATIONS_WAITING_MAX {
            return Err(Overlong);
        }
        let standing = Standing { pace: self, place: Rc::default() };
        self.line.borrow_mut().push_back(Rc::clone(&standing.place));
        poll_fn(|context| {
            let is_first = self.line.borrow().front().is_some_and(|first| standing.is_at(first));
            if is_first && self.has_left(runtime, cost) {
                return Poll::Ready(());
            }
            let known = standing.place.waker.replace(Some(context.waker().clone()));
            if is_first {
                runtime.driver().wake_on_turn(context.waker());
            }
            drop(known);
            Poll::Pending
        })
        .await;
        // Whoever is next is woken when the permit is given back: by then it is known what is left.
        self.line.borrow_mut().pop_front();
        standing.place.is_left.set(true);
        Ok(self.permit(runtime, cost))
    }

    /// Whether this turn has as much left. A turn that has spent nothing has enough for any one.
    fn has_left(&self, runtime: &Runtime, cost: Duration) -> bool {
        let turn = runtime.driver().turns();
        if self.turn.replace(turn) != turn {
            self.spent.set(Duration::ZERO);
        }
        let spent = self.spent.get();
        spent.is_zero() || spent + cost <= VERIFICATION_TURN
    }

    fn permit<'p>(&'p self, runtime: &'p Runtime, cost: Duration) -> Permit<'p> {
        Permit { pace: self, runtime, cost, started: runtime.driver().clock() }
    }

    /// Wakes who is first now.
    fn call_first(&self) {
        let mut line = self.line.borrow_mut();
        while line.front().is_some_and(|place| place.is_left.get()) {
            line.pop_front();
        }
        let waker = line.front().and_then(|first| first.waker.take());
        drop(line);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Permit<'_> {
    /// Nothing was verified after all.
    pub(super) fn unused(mut self) {
        self.cost = Duration::ZERO;
    }
}

/// What it took by the clock, or what it was thought to take if that is more: whoever is taken off
/// the CPU meanwhile ends this turn's budget, and no clock that stands still makes it endless.
impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let took = self.runtime.driver().clock().since(self.started);
        self.pace.spent.set(self.pace.spent.get() + took.max(self.cost));
        self.pace.call_first();
    }
}

fn corrected(known: Duration, took: Duration) -> Duration {
    match took.checked_sub(known) {
        None => known - (known - took) / 4,
        Some(more) => known + more.min(known) / 16,
    }
}

/// Who stands in line; leaves it when dropped.
struct Standing<'p> {
    pace: &'p Pace,
    place: Rc<Place>,
}

impl Standing<'_> {
    fn is_at(&self, place: &Rc<Place>) -> bool {
        Rc::ptr_eq(&self.place, place)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if self.place.is_left.replace(true) {
            return;
        }
        let was_first = self.pace.line.borrow().front().is_some_and(|first| self.is_at(first));
        if was_first {
            self.pace.call_first();
        }
    }
}

#[cfg(test)]
mod tests;
