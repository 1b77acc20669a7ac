//! The client connections of one shard: how many there are, and how to reach the idle ones when
//! the shard is to end.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::connection::Door;
use crate::{base::Moment, net::Stream, steps::integrate::Origin};

/// Client connections that are open now.
#[derive(Default)]
pub struct Seats {
    taken: RefCell<Vec<Rc<Seat>>>,
}

/// One open client connection.
pub struct Seat {
    /// Its stream.
    pub stream: Stream,
    /// Its two ends.
    pub origin: Origin,
    /// Where it came in.
    pub door: Rc<Door>,
    /// No request is on its way.
    pub idle: Cell<bool>,
    place: Cell<usize>,
}

impl Seats {
    /// Takes a connection in.
    #[must_use]
    pub fn take(&self, stream: Stream, origin: Origin, door: Rc<Door>) -> Rc<Seat> {
        let mut taken = self.taken.borrow_mut();
        let place = Cell::new(taken.len());
        let seat = Rc::new(Seat { stream, origin, door, idle: Cell::new(true), place });
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

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taken.borrow().len()
    }

    /// On how many of them a request is on its way.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.taken.borrow().iter().filter(|seat| !seat.idle.get()).count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken.borrow().is_empty()
    }

    /// Lets idle connections wait for a request until `until` only.
    pub fn dismiss_idle(&self, until: Moment) {
        for seat in self.taken.borrow().iter().filter(|seat| seat.idle.get()) {
            seat.stream.set_deadline(Some(until));
        }
    }
}
