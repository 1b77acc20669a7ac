//! The client connections of one shard: how many there are, and how to reach the idle ones when
//! the shard is to end.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use super::connection::Door;
use crate::{base::Moment, net::Stream, steps::integrate::Origin};

/// Connections that one search for an idle one looks at.
const SEARCHED_MAX: usize = 64;

/// Client connections that are open now.
#[derive(Default)]
pub struct Seats {
    taken: RefCell<Vec<Rc<Seat>>>,
    /// Connections that have no seat yet: who they are is still to be said.
    arriving: Cell<usize>,
    /// Where the search for an idle connection goes on.
    hand: Cell<usize>,
}

/// One open client connection.
pub struct Seat {
    /// Its stream.
    pub stream: Rc<Stream>,
    /// Its two ends.
    pub origin: Origin,
    /// Where it came in.
    pub door: Rc<Door>,
    /// No request is on its way.
    pub idle: Cell<bool>,
    /// Part of a head is here: the wait for the rest has a bound of its own.
    pub within_head: Cell<bool>,
    /// Its TLS handshake is under way.
    pub shaking: Cell<bool>,
    /// It had a request since it was last looked at.
    pub used: Cell<bool>,
    /// HTTP/2: when to say goodbye, because the shard ends.
    leave_at: Cell<Option<Moment>>,
    /// HTTP/2: its task, which listens for that.
    listener: RefCell<Option<Waker>>,
    place: Cell<usize>,
}

impl Seat {
    /// When to say goodbye, once that is known; `cx` is woken then.
    pub fn leave_at(&self, cx: &Context<'_>) -> Option<Moment> {
        let mut listener = self.listener.borrow_mut();
        if !listener.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *listener = Some(cx.waker().clone());
        }
        self.leave_at.get()
    }

    /// How long this connection may be idle from now on, when it may be so for `wait`: not before
    /// it has said goodbye, if that is to come.
    pub fn idle_until(&self, now: Moment, wait: Duration) -> Moment {
        self.leave_at.get().unwrap_or(now) + wait
    }

    /// Goodbye was said.
    pub fn left(&self) {
        self.leave_at.set(None);
    }
}

/// A connection on its way to its seat.
pub struct Arriving<'s>(&'s Seats);

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.0.arriving.set(self.0.arriving.get() - 1);
    }
}

impl Seats {
    /// Counts a connection that will be taken in, or closed, in a short and bounded time.
    #[must_use]
    pub fn arrive(&self) -> Arriving<'_> {
        self.arriving.set(self.arriving.get() + 1);
        Arriving(self)
    }

    /// Takes a connection in.
    #[must_use]
    pub fn take(&self, stream: Rc<Stream>, origin: Origin, door: Rc<Door>) -> Rc<Seat> {
        let mut taken = self.taken.borrow_mut();
        let place = Cell::new(taken.len());
        let seat = Rc::new(Seat {
            stream,
            origin,
            door,
            idle: Cell::new(true),
            within_head: Cell::new(false),
            shaking: Cell::new(false),
            used: Cell::new(false),
            leave_at: Cell::new(None),
            listener: RefCell::new(None),
            place,
        });
        taken.push(Rc::clone(&seat));
        seat
    }

    /// Gives a connection up; its stream closes with the last reference.
    pub fn leave(&self, seat: &Seat) {
        let mut taken = self.taken.borrow_mut();
        let place = seat.place.get();
        let _left = taken.swap_remove(place);
        if let Some(moved) = taken.get(place) {
            moved.place.set(place);
        }
    }

    /// How many there are, those that are arriving too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taken.borrow().len() + self.arriving.get()
    }

    /// On how many of them a request is on its way.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.taken.borrow().iter().filter(|seat| !seat.idle.get()).count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends an idle connection away, to make room for a new one. `false` when none was found among
    /// the next few: then all are busy, or nearly all.
    #[must_use]
    pub fn dismiss_one(&self, now: Moment) -> bool {
        let taken = self.taken.borrow();
        for _ in 0..SEARCHED_MAX.min(taken.len()) {
            let place = self.hand.get() % taken.len();
            self.hand.set(place + 1);
            let seat = &taken[place];
            // A second chance for whoever had a request since the hand came by.
            if seat.idle.get() && !seat.used.replace(false) {
                seat.idle.set(false);
                seat.stream.set_deadline(Some(now));
                return true;
            }
        }
        false
    }

    /// Has HTTP/2 connections say goodbye, one after the other over `spread`, so that their clients
    /// do not all come back at once. Idle ones wait for their turn, and then for `patience`.
    pub fn dismiss_multiplexed(
        &self,
        now: Moment,
        (spread, patience): (Duration, Duration),
        mut random: impl FnMut() -> f64,
    ) {
        for seat in self.taken.borrow().iter() {
            if let Some(listener) = seat.listener.take() {
                let turn = now + spread.mul_f64(random());
                seat.leave_at.set(Some(turn));
                if seat.idle.get() {
                    seat.stream.set_deadline(Some(turn + patience));
                }
                listener.wake();
            }
        }
    }

    /// Lets idle connections wait for a request until `until` only. Those that have begun one may
    /// finish it.
    pub fn dismiss_idle(&self, until: Moment) {
        let taken = self.taken.borrow();
        for seat in taken.iter().filter(|seat| seat.idle.get() && !seat.within_head.get()) {
            seat.stream.set_deadline(Some(until));
        }
    }
}
