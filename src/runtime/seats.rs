//! Seats: executor tasks that outlive the futures they run. A finished future's seat is given
//! to the next one, so there are never more executor tasks than futures at the same time
//! (glommio leaks a little with each task). A panic ends the future, not the seat.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// All seats of one executor.
#[derive(Default)]
pub(super) struct Seats {
    table: RefCell<Vec<Row>>,
    idle: RefCell<Vec<usize>>,
    polls: Cell<u64>,
    panics: Cell<u64>,
    busy: Cell<usize>,
    closed: Cell<bool>,
}

#[derive(Default)]
struct Row {
    next: Option<Work>,
    waker: Option<Waker>,
}

/// The executor's task of one seat.
pub(super) struct Seat {
    seats: Rc<Seats>,
    row: usize,
    work: Option<Work>,
}

impl Seats {
    /// Runs `work` on a free seat; when there is none, gives a new seat to be spawned.
    pub(super) fn take_in(self: &Rc<Self>, work: Work) -> Option<Seat> {
        if self.closed.get() {
            quietly_drop(work);
            return None;
        }
        self.busy.set(self.busy.get() + 1);
        let Some(row) = self.idle.borrow_mut().pop() else {
            let mut table = self.table.borrow_mut();
            table.push(Row { next: Some(work), waker: None });
            return Some(Seat { seats: Rc::clone(self), row: table.len() - 1, work: None });
        };
        let waker = {
            let row = &mut self.table.borrow_mut()[row];
            row.next = Some(work);
            row.waker.clone()
        };
        waker.into_iter().for_each(Waker::wake);
        None
    }

    /// How often any seat was polled: when it stands still, no task had anything to do.
    pub(super) fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// Futures that ended by a panic.
    pub(super) fn panics(&self) -> u64 {
        self.panics.get()
    }

    /// Futures that have not ended.
    pub(super) fn busy(&self) -> usize {
        self.busy.get()
    }

    /// Every future is dropped as soon as its seat is polled, which it will be now.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let rows = std::mem::take(&mut *self.table.borrow_mut());
        for row in rows {
            row.next.into_iter().for_each(quietly_drop);
            row.waker.into_iter().for_each(Waker::wake);
        }
    }

    fn finish(&self, row: usize, work: Work, panicked: bool) {
        self.busy.set(self.busy.get() - 1);
        if panicked {
            self.panics.set(self.panics.get() + 1);
        }
        quietly_drop(work);
        if !self.closed.get() {
            self.idle.borrow_mut().push(row);
        }
    }

    fn next(&self, row: usize, waker: &Waker) -> Option<Work> {
        let mut table = self.table.borrow_mut();
        let row = table.get_mut(row)?;
        if !row.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            row.waker = Some(waker.clone());
        }
        row.next.take()
    }
}

impl Future for Seat {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.seats.polls.set(this.seats.polls.get() + 1);
        loop {
            if this.seats.closed.get() {
                if let Some(work) = this.work.take() {
                    this.seats.finish(this.row, work, false);
                }
                return Poll::Ready(());
            }
            if this.work.is_none() {
                this.work = this.seats.next(this.row, context.waker());
            }
            let Some(work) = &mut this.work else { return Poll::Pending };
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
            if matches!(polled, Ok(Poll::Pending)) {
                return Poll::Pending;
            }
            if let Err(reason) = &polled {
                report(reason.as_ref());
            }
            if let Some(work) = this.work.take() {
                this.seats.finish(this.row, work, polled.is_err());
            }
        }
    }
}

/// Drops a future whose destructor may panic too.
fn quietly_drop(work: Work) {
    if let Err(reason) = catch_unwind(AssertUnwindSafe(|| drop(work))) {
        report(reason.as_ref());
    }
}

fn report(reason: &(dyn std::any::Any + Send)) {
    let text = reason.downcast_ref::<&str>().copied();
    let text = text.or_else(|| reason.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a panic without a message");
    let text = format!("ringway: a task panicked and was ended, the others go on: {text}\n");
    // Not `eprint`: it panics when nobody reads, and here that would end the shard.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
