//! What the answers of one client's connection keep until it takes them, bounded over all its
//! streams: one client that asks for much and takes nothing must not keep the blocks of others.

use std::{
    cell::Cell,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    base::limits::{HTTP2_HELD_BYTES_MAX, HTTP2_PIECES_BYTES_MAX},
    runtime::Waiters,
};

/// A connection's account.
#[derive(Default)]
pub(super) struct Account {
    bytes: Cell<usize>,
    /// Who waits for room.
    waiting: Waiters,
}

/// A part of the account, given back when dropped.
pub(super) struct Held {
    account: Rc<Account>,
    bytes: usize,
}

impl Account {
    /// Room for what one answer takes at a time, once there is some.
    pub(super) fn poll_room(self: &Rc<Self>, cx: &Context<'_>) -> Poll<Held> {
        if self.bytes.get() + HTTP2_PIECES_BYTES_MAX <= HTTP2_HELD_BYTES_MAX {
            return Poll::Ready(self.hold(HTTP2_PIECES_BYTES_MAX));
        }
        self.waiting.add(cx);
        Poll::Pending
    }

    /// Counts bytes that are kept whether there is room or not.
    pub(super) fn hold(self: &Rc<Self>, bytes: usize) -> Held {
        self.bytes.set(self.bytes.get() + bytes);
        Held { account: Rc::clone(self), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.bytes.set(self.account.bytes.get() - self.bytes);
        self.account.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn room_is_given_up_to_the_bound_and_again_when_some_comes_back() {
        let account = Rc::new(Account::default());
        let cx = Context::from_waker(Waker::noop());
        let mut lent = Vec::new();
        while let Poll::Ready(held) = account.poll_room(&cx) {
            lent.push(held);
        }
        assert_eq!(lent.len(), HTTP2_HELD_BYTES_MAX / HTTP2_PIECES_BYTES_MAX);
        drop(lent.pop());
        assert!(account.poll_room(&cx).is_ready());
        let more = account.hold(1);
        assert!(account.poll_room(&cx).is_pending());
        drop((more, lent));
        assert_eq!(account.bytes.get(), 0);
    }
}
