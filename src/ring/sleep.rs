//! Sleeping until a moment, on the driver's timer wheel.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{
    driver::{Alarm, Driver, State},
    kernel::Key,
    wheel::TimerId,
};
use crate::base::Moment;

/// A future that is ready at its moment: never earlier, about two milliseconds later at most.
pub struct Sleep {
    driver: Rc<Driver>,
    at: Moment,
    key: Option<Key>,
}

pub(super) struct Sleeper {
    waker: Option<Waker>,
    timer: Option<TimerId>,
}

impl Driver {
    /// Ready at `at`.
    #[must_use]
    pub fn sleep_until(self: &Rc<Self>, at: Moment) -> Sleep {
        Sleep { driver: Rc::clone(self), at, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.driver.now() >= self.at {
            return Poll::Ready(());
        }
        let (key, at) = (self.key, self.at);
        let slept = self.driver.with(|state| match key {
            Some(key) => {
                let before = state.look_at_sleeper(key, at, context.waker());
                (Some(key), before)
            }
            None => (state.add_sleeper(at, context.waker()), None),
        });
        let Some((key, before)) = slept else { return Poll::Pending };
        drop(before);
        self.key = key;
        // With more sleepers than the table holds (there is one per connection at most) a sleep
        // that cannot be kept ends at once.
        if key.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let waker = self.driver.with(|state| state.forget_sleeper(key));
        drop(waker);
    }
}

impl State {
    fn add_sleeper(&mut self, at: Moment, waker: &Waker) -> Option<Key> {
        let sleeper = Sleeper { waker: Some(waker.clone()), timer: None };
        let key = self.sleepers.insert(sleeper).ok()?;
        let timer = self.wheel.insert(at, Alarm::Sleeper(key));
        self.sleepers.find(key)?.timer = Some(timer);
        Some(key)
    }

    /// The waker that was there before, to be dropped after the borrow.
    fn look_at_sleeper(&mut self, key: Key, at: Moment, waker: &Waker) -> Option<Waker> {
        let sleeper = self.sleepers.find(key)?;
        if sleeper.timer.is_none() {
            sleeper.timer = Some(self.wheel.insert(at, Alarm::Sleeper(key)));
        }
        if sleeper.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        sleeper.waker.replace(waker.clone())
    }

    pub(super) fn sleeper_alarm(&mut self, key: Key) {
        let Some(sleeper) = self.sleepers.find(key) else { return };
        sleeper.timer = None;
        self.wakes.extend(sleeper.waker.take());
    }

    pub(super) fn forget_sleeper(&mut self, key: Key) -> Option<Waker> {
        let sleeper = self.sleepers.remove(key)?;
        if let Some(timer) = sleeper.timer {
            self.wheel.remove(timer);
        }
        sleeper.waker
    }
}
