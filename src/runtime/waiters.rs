//! Tasks that wait for the same thing, and are woken together.

use std::{
    cell::RefCell,
    task::{Context, Waker},
};

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
