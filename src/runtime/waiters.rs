//! Tasks that wait for the same thing, and are woken together.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::Runtime;
use crate::base::Moment;

/// Tasks that wait; each stands here once, however often it asks.
#[derive(Default)]
pub struct Waiters(RefCell<Vec<Waker>>);

impl Waiters {
    /// Has the task of `cx` woken by the next [`Waiters::wake`].
    pub fn add(&self, cx: &Context<'_>) {
        let mut wakers = self.0.borrow_mut();
        if !wakers.iter().any(|known| known.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
    }

    /// Wakes all; who wants to wait on asks again.
    pub fn wake(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

/// Word that something has changed, for tasks that then look for themselves what it is.
#[derive(Default)]
pub struct News {
    told: Cell<u64>,
    waiting: Waiters,
}

impl News {
    /// Has whoever waits look again.
    pub fn tell(&self) {
        self.told.set(self.told.get() + 1);
        self.waiting.wake();
    }

    /// Until something is told, or `deadline`.
    pub async fn wait(&self, runtime: &Runtime, deadline: Moment) {
        let before = self.told.get();
        let mut timeout = pin!(runtime.sleep_until(deadline));
        poll_fn(|context| {
            if self.told.get() != before {
                return Poll::Ready(());
            }
            self.waiting.add(context);
            timeout.as_mut().poll(context)
        })
        .await;
    }
}
