//! Connected sockets: the handle, and what the driver keeps per socket. Receiving is in
//! `receive.rs`, sending and connecting in `send.rs`.

use std::{
    collections::VecDeque,
    io,
    os::fd::RawFd,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{
    accept::stopped,
    buffers::GroupId,
    driver::{Alarm, Driver, State},
    kernel::{Completion, Key, Kind, Operation, Token},
    wheel::TimerId,
};
use crate::base::{
    Address, Buffer, Moment,
    limits::{SEND_PIECES_MAX, SEND_WAIT},
};

pub(super) use super::send::{Gather, Sending};

/// A connected socket. Dropping it cancels what is under way, then closes.
pub struct Socket {
    driver: Rc<Driver>,
    key: Key,
    peer: Address,
}

/// What to send: the text, then the pieces.
#[derive(Default)]
pub struct Outgoing {
    /// Heads and chunk lines.
    pub text: Vec<u8>,
    /// Body bytes, not copied; at most [`SEND_PIECES_MAX`].
    pub pieces: Vec<Buffer>,
}

impl Outgoing {
    /// Bytes in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len() + self.pieces.iter().map(|piece| piece.len()).sum::<usize>()
    }

    /// Nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.pieces.iter().all(|piece| piece.is_empty())
    }

    /// Forgets the bytes, keeps the allocations.
    pub fn clear(&mut self) {
        self.text.clear();
        self.pieces.clear();
    }
}

/// What the driver keeps per socket.
pub(super) struct Slot {
    pub(super) descriptor: RawFd,
    pub(super) receive: Receive,
    /// The group that the next receive takes buffers from.
    pub(super) group: GroupId,
    pub(super) end: Option<End>,
    pub(super) life: Life,
    pub(super) expired: bool,
    /// Received and not yet taken.
    pub(super) received: VecDeque<Buffer>,
    /// The whole blocks of `received`: what they keep from the shelf.
    pub(super) held_bytes: usize,
    /// Somebody waits for bytes: what comes is taken at once.
    pub(super) awaited: bool,
    /// A client's: it may send what it likes, so it is held to less.
    pub(super) accepted: bool,
    /// The armed receive completes once only.
    pub(super) once: bool,
    /// The turn in which the receive was armed.
    pub(super) armed_in: u32,
    pub(super) sending: Sending,
    /// Waits until `sending` is done.
    pub(super) next: Option<Outgoing>,
    pub(super) send_error: Option<i32>,
    /// FIN as soon as all is sent.
    pub(super) shut_wanted: bool,
    pub(super) receive_waker: Option<Waker>,
    pub(super) send_waker: Option<Waker>,
    deadline: Option<Moment>,
    /// Fires at the deadline or before it, and is then moved.
    timer: Option<(TimerId, Moment)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    Idle,
    Armed(GroupId),
    /// Cancelled, and not yet completed.
    Ending(GroupId),
    /// Waits for a buffer.
    Starved,
    /// Nothing is received now (the peer's FIN came, or the queue is full), but somebody wants to
    /// know when the connection breaks.
    Watching,
    /// The watch was cancelled, and has not yet completed: to receive again.
    Unwatching,
}

/// Why nothing more will be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Fin,
    Error(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Connecting,
    Open,
    /// The handle is gone; what was sent before is still being sent.
    Closing,
    /// As closing, and the send was cancelled.
    Cut,
    /// The close is in the ring.
    Closed,
}

impl Driver {
    /// A socket being connected to `address`; await [`Socket::poll_connected`] before all else.
    ///
    /// # Errors
    /// As socket(2), or `QuotaExceeded` when the shard has as many sockets as it may.
    pub fn connect(self: &Rc<Self>, address: Address) -> io::Result<Socket> {
        let begun = self.with(|state| state.begin_connect(&address));
        let key = begun.unwrap_or_else(|| Err(stopped()))?;
        Ok(Socket::new(Rc::clone(self), key, address))
    }
}

impl Socket {
    pub(super) const fn new(driver: Rc<Driver>, key: Key, peer: Address) -> Self {
        Self { driver, key, peer }
    }

    /// The driver that it belongs to.
    #[must_use]
    pub const fn driver(&self) -> &Rc<Driver> {
        &self.driver
    }

    /// What was received and not taken yet, without waiting for more.
    #[must_use]
    pub fn take_received(&self) -> Option<Buffer> {
        self.driver.with(|state| state.take_received(self.key)).flatten()
    }

    /// Another send may be started now: no earlier one waits.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.driver.with(|state| state.may_send(self.key)).unwrap_or(false)
    }

    /// The other side's address.
    #[must_use]
    pub const fn peer(&self) -> &Address {
        &self.peer
    }

    /// Ready when connected, or not.
    ///
    /// # Errors
    /// As connect(2), or `TimedOut` when the deadline expired.
    pub fn poll_connected(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(|state| state.poll_connected(self.key, context.waker()))
    }

    /// The next bytes; `None` at the end of the stream.
    ///
    /// # Errors
    /// `TimedOut` when nothing is there and the deadline has expired; what recv(2) says.
    pub fn poll_receive(&self, context: &Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        self.poll_with(|state| state.poll_receive(self.key, context.waker()))
    }

    /// Puts bytes back that were received: they are the next to be received.
    pub fn unread(&self, buffer: Buffer) {
        let waker = self.driver.with(|state| state.unread(self.key, buffer)).flatten();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ready when the connection broke (a reset or a failed send, not a FIN); takes nothing from
    /// what was received.
    pub fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        self.poll_with(|state| state.poll_failure(self.key, context.waker())).map(drop)
    }

    /// Starts sending. The bytes are the driver's from now on: it goes on sending them also when
    /// nobody waits and when the socket is dropped.
    ///
    /// # Panics
    /// When an earlier send is still waiting ([`Socket::poll_sent`] was not ready), or with more
    /// than [`SEND_PIECES_MAX`] pieces.
    pub fn start_send(&self, outgoing: Outgoing) {
        assert!(outgoing.pieces.len() <= SEND_PIECES_MAX, "too many pieces in one send");
        self.driver.with(|state| state.start_send(self.key, outgoing));
    }

    /// Ready when the next send may be started. At most two sends are under way, so a peer that
    /// does not read stops the sender here.
    ///
    /// # Errors
    /// `TimedOut` when the deadline expired; what send(2) said about this or an earlier send.
    pub fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(|state| state.poll_sent(self.key, context.waker()))
    }

    /// After this moment whatever waits gets `TimedOut`, until the next deadline is set.
    pub fn set_deadline(&self, deadline: Option<Moment>) {
        self.driver.with(|state| state.set_deadline(self.key, deadline));
    }

    /// From now on receives into large blocks, or into small ones again.
    pub fn stream_body(&self, large: bool) {
        self.driver.with(|state| state.stream_body(self.key, large));
    }

    /// Nothing was received unasked, the stream has not ended, nothing is being sent.
    #[must_use]
    #[inline]
    pub fn is_reusable(&self) -> bool {
        self.driver.with(|state| state.is_reusable(self.key)).unwrap_or(false)
    }

    /// The own side's address, asked of the kernel.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<Address> {
        let asked = self.driver.with(|state| {
            let slot = state.slots.find(self.key)?;
            Some(state.kernel.local_of(slot.descriptor))
        });
        asked.flatten().unwrap_or_else(|| Err(stopped()))
    }

    /// The receive has been armed since an earlier turn: a FIN or a reset that the peer had sent
    /// by then is known.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.driver.with(|state| state.is_watched(self.key)).unwrap_or(false)
    }

    /// Sends FIN after what was sent.
    pub fn shutdown_send(&self) {
        self.driver.with(|state| state.shutdown_send(self.key));
    }

    fn poll_with<R>(&self, poll: impl FnOnce(&mut State) -> Polled<R>) -> Poll<io::Result<R>> {
        match self.driver.with(poll) {
            None => Poll::Ready(Err(stopped())),
            Some(Polled::Ready(result)) => Poll::Ready(result),
            Some(Polled::Pending(before)) => {
                drop(before);
                Poll::Pending
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Wakers may hold the last reference to a task, and that task may hold sockets.
        let wakers = self.driver.with(|state| state.close_socket(self.key));
        drop(wakers);
    }
}

/// A poll's outcome, with the waker that was registered before: it is dropped after the borrow.
pub(super) enum Polled<T> {
    Ready(io::Result<T>),
    Pending(Option<Waker>),
}

impl<T> Polled<T> {
    pub(super) fn wait(place: &mut Option<Waker>, waker: &Waker) -> Self {
        if place.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return Self::Pending(None);
        }
        Self::Pending(place.replace(waker.clone()))
    }

    pub(super) fn expired() -> Self {
        Self::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    pub(super) fn gone() -> Self {
        Self::Ready(Err(stopped()))
    }
}

impl Slot {
    pub(super) const fn new(descriptor: RawFd, life: Life, sending: Sending) -> Self {
        Self {
            descriptor,
            receive: Receive::Idle,
            group: GroupId::Small,
            end: None,
            life,
            expired: false,
            received: VecDeque::new(),
            held_bytes: 0,
            awaited: false,
            accepted: false,
            once: false,
            armed_in: 0,
            sending,
            next: None,
            send_error: None,
            shut_wanted: false,
            receive_waker: None,
            send_waker: None,
            deadline: None,
            timer: None,
        }
    }

    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.life, Life::Closing | Life::Cut | Life::Closed)
    }

    const fn is_receiving(&self) -> bool {
        !matches!(self.receive, Receive::Idle | Receive::Starved)
    }
}

impl State {
    /// A slot for an accepted descriptor, ready to receive; `None` when the table is full.
    pub(super) fn adopt(&mut self, descriptor: RawFd) -> Option<Key> {
        let mut slot = Slot::new(descriptor, Life::Open, Sending::Nothing);
        slot.accepted = true;
        let key = self.slots.insert(slot).ok()?;
        self.arm_receive(key);
        Some(key)
    }

    fn is_reusable(&mut self, key: Key) -> bool {
        self.slots.find(key).is_some_and(|slot| {
            let quiet = slot.received.is_empty() && slot.end.is_none() && !slot.expired;
            quiet
                && slot.life == Life::Open
                && !slot.sending.is_under_way()
                && slot.send_error.is_none()
        })
    }

    fn is_watched(&mut self, key: Key) -> bool {
        let turns = self.turns;
        self.slots
            .find(key)
            .is_some_and(|slot| matches!(slot.receive, Receive::Armed(_)) && slot.armed_in != turns)
    }

    pub(super) fn cancel(&mut self, kind: Kind, key: Key) {
        let token = Token { kind: Kind::Cancel, key };
        let target = Token { kind, key };
        // SAFETY: the operation points to no memory.
        unsafe { self.kernel.push(token, Operation::Cancel { target }) };
    }

    /// The handle is gone. Its wakers, to be dropped after the borrow.
    pub(super) fn close_socket(&mut self, key: Key) -> [Option<Waker>; 2] {
        let Some(slot) = self.slots.find(key) else { return [None, None] };
        if slot.is_closing() {
            return [None, None];
        }
        let connecting = slot.life == Life::Connecting;
        slot.life = Life::Closing;
        slot.received = VecDeque::new();
        let wakers = [slot.receive_waker.take(), slot.send_waker.take()];
        if let Some((timer, _)) = slot.timer.take() {
            self.wheel.remove(timer);
        }
        let receiving = matches!(slot.receive, Receive::Armed(_) | Receive::Watching);
        let (sending, expired) = (slot.sending.is_under_way(), slot.expired);
        if receiving {
            self.cancel(Kind::Receive, key);
        }
        if connecting && sending {
            self.cancel(Kind::Connect, key);
        } else if sending && expired {
            self.cut_send(key);
        } else if sending {
            // What was promised is still sent, a waiting send too, but not for ever.
            let at = self.now + SEND_WAIT;
            let timer = self.wheel.insert(at, Alarm::Socket(key));
            if let Some(slot) = self.slots.find(key) {
                slot.timer = Some((timer, at));
            }
        }
        self.finish_closing(key);
        wakers
    }

    /// Gives up a closing socket's send.
    pub(super) fn cut_send(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        if slot.life == Life::Closing {
            slot.life = Life::Cut;
            slot.next = None;
            self.cancel(Kind::Send, key);
        }
    }

    /// Closes the descriptor once nothing is under way on it.
    pub(super) fn finish_closing(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        let busy = slot.is_receiving() || slot.sending.is_under_way();
        if !matches!(slot.life, Life::Closing | Life::Cut) || busy {
            return;
        }
        slot.life = Life::Closed;
        if let Some((timer, _)) = slot.timer.take() {
            self.wheel.remove(timer);
        }
        let descriptor = slot.descriptor;
        let token = Token { kind: Kind::Close, key };
        // SAFETY: the operation points to no memory.
        unsafe { self.kernel.push(token, Operation::Close { descriptor }) };
    }

    pub(super) fn closed(&mut self, completion: Completion) -> bool {
        self.slots.remove(completion.token.key).is_some()
    }

    pub(super) fn set_deadline(&mut self, key: Key, deadline: Option<Moment>) {
        let Some(slot) = self.slots.find(key) else { return };
        slot.deadline = deadline;
        slot.expired = false;
        let Some(at) = deadline else { return };
        match slot.timer {
            Some((_, earlier)) if earlier <= at => return,
            Some((timer, _)) => self.wheel.remove(timer),
            None => {}
        }
        slot.timer = Some((self.wheel.insert(at, Alarm::Socket(key)), at));
    }

    pub(super) fn socket_alarm(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        slot.timer = None;
        if slot.is_closing() {
            return self.cut_send(key);
        }
        let Some(deadline) = slot.deadline else { return };
        if deadline > self.now {
            slot.timer = Some((self.wheel.insert(deadline, Alarm::Socket(key)), deadline));
            return;
        }
        slot.deadline = None;
        slot.expired = true;
        self.wakes.extend(slot.receive_waker.take());
        self.wakes.extend(slot.send_waker.take());
    }
}
