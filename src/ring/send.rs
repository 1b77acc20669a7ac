//! Sending and connecting. What the kernel reads belongs to the slot until the send is done, so
//! a dropped future does no harm.
//!
//! Sends are written behind: one is the driver's business as soon as it is started, a second
//! one waits until the first is done. A send is first tried *quietly*: with `MSG_DONTWAIT` it is
//! decided while it is submitted, and with `CQE_SKIP_SUCCESS` only a failure completes. So when
//! an enter has submitted everything and all completions are drained, a quiet send that said
//! nothing has been taken by the kernel in full. It neither ends the driver's wait nor costs a
//! completion. Only what finds the socket full becomes an operation that waits.

use std::{io, task::Waker};

use super::{
    driver::State,
    kernel::{Completion, Key, Kind, Operation, Token},
    socket::{Life, Outgoing, Polled, Slot},
    uring::sockaddr_of,
};
use crate::base::{
    Address,
    limits::{SEND_COPY_BYTES_MAX, SEND_PIECES_MAX},
};

/// Gathers kept for the next gathered send.
const GATHERS_KEPT: usize = 64;
/// Emptied sends kept for their memory: as many as are under way in one turn of a busy shard.
const OUTGOINGS_KEPT: usize = 256;
/// The largest text among them.
const OUTGOING_BYTES_KEPT: usize = 16 * 1_024;

/// The state of a slot's send side.
pub(super) enum Sending {
    Nothing,
    Connecting(#[expect(dead_code, reason = "the kernel reads it")] Box<socket2::SockAddr>),
    /// Connected or failed, and nobody has asked yet.
    Connected(Result<(), i32>),
    UnderWay(Transfer),
}

/// A send that the kernel has, or will get with the next enter.
pub(super) struct Transfer {
    outgoing: Outgoing,
    sent: usize,
    total: usize,
    gather: Option<Box<Gather>>,
    /// Pushed as a quiet send in this turn; `None` once it waits for room in the socket.
    quiet: Option<u32>,
}

/// The ranges of a gathered send, at an address that stays.
pub(super) struct Gather {
    message: libc::msghdr,
    ranges: [libc::iovec; SEND_PIECES_MAX + 1],
}

impl Sending {
    /// The kernel has an operation of this side.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(self, Self::Connecting(_) | Self::UnderWay(_))
    }
}

impl State {
    pub(super) fn begin_connect(&mut self, address: &Address) -> io::Result<Key> {
        let named = Box::new(sockaddr_of(address)?);
        let descriptor = self.kernel.open_socket(address)?;
        let address = named;
        let (pointer, length) = (address.as_ptr().cast(), address.len());
        let slot = Slot::new(descriptor, Life::Connecting, Sending::Connecting(address));
        let Ok(key) = self.slots.insert(slot) else {
            self.kernel.close(descriptor);
            return Err(io::ErrorKind::QuotaExceeded.into());
        };
        let token = Token { kind: Kind::Connect, key };
        let operation = Operation::Connect { socket: descriptor, address: pointer, length };
        // SAFETY: the boxed address belongs to the slot until the completion.
        unsafe { self.kernel.push(token, operation) };
        Ok(key)
    }

    pub(super) fn connected(&mut self, completion: Completion) -> bool {
        let key = completion.token.key;
        let Some(slot) = self.slots.find(key) else { return false };
        if !matches!(slot.sending, Sending::Connecting(_)) {
            return false;
        }
        let result = if completion.result < 0 { Err(-completion.result) } else { Ok(()) };
        slot.sending = Sending::Connected(result);
        self.wakes.extend(slot.send_waker.take());
        if slot.is_closing() {
            self.finish_closing(key);
        } else if result.is_ok() {
            slot.life = Life::Open;
            self.arm_receive(key);
        }
        true
    }

    pub(super) fn poll_connected(&mut self, key: Key, waker: &Waker) -> Polled<()> {
        let Some(slot) = self.slots.find(key) else { return Polled::gone() };
        match slot.sending {
            Sending::Connected(result) => {
                slot.sending = Sending::Nothing;
                Polled::Ready(result.map_err(io::Error::from_raw_os_error))
            }
            Sending::Connecting(_) if slot.expired => Polled::expired(),
            Sending::Connecting(_) => Polled::wait(&mut slot.send_waker, waker),
            _ => Polled::Ready(Ok(())),
        }
    }

    pub(super) fn start_send(&mut self, key: Key, mut outgoing: Outgoing) {
        let Some(slot) = self.slots.find(key) else { return };
        if slot.send_error.is_some() || slot.is_closing() {
            return;
        }
        copy_small_pieces(&mut outgoing);
        match slot.sending {
            Sending::UnderWay(_) => {
                assert!(slot.next.is_none(), "one send waits at a time");
                slot.next = Some(outgoing);
            }
            _ => self.begin_send(key, outgoing),
        }
    }

    fn begin_send(&mut self, key: Key, outgoing: Outgoing) {
        let total = outgoing.len();
        if total == 0 {
            return self.keep_outgoing(outgoing);
        }
        let Some(slot) = self.slots.find(key) else { return };
        let quiet = Some(self.turns);
        slot.sending =
            Sending::UnderWay(Transfer { outgoing, sent: 0, total, gather: None, quiet });
        self.quiet.push(key);
        self.push_send(key);
    }

    fn push_send(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        let socket = slot.descriptor;
        let Sending::UnderWay(transfer) = &mut slot.sending else { return };
        let quiet = transfer.quiet.is_some();
        let operation = if transfer.outgoing.pieces.is_empty() {
            let rest = &transfer.outgoing.text[transfer.sent..];
            let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            Operation::Send { socket, bytes: rest.as_ptr(), length, quiet }
        } else {
            let gather = transfer
                .gather
                .get_or_insert_with(|| self.gathers.pop().unwrap_or_else(Gather::new));
            let message = gather.fill(&transfer.outgoing, transfer.sent);
            Operation::SendGathered { socket, message, quiet }
        };
        // SAFETY: text, pieces and the boxed gather belong to the slot, unchanged, until the
        // completion; moving the slot moves none of them.
        unsafe { self.kernel.push(Token { kind: Kind::Send, key }, operation) };
    }

    /// A send was short, failed, or was not quiet.
    pub(super) fn sent(&mut self, completion: Completion) -> bool {
        let key = completion.token.key;
        let Some(slot) = self.slots.find(key) else { return false };
        let Sending::UnderWay(transfer) = &mut slot.sending else { return false };
        transfer.sent += usize::try_from(completion.result).unwrap_or(0);
        if transfer.sent >= transfer.total {
            self.finish_send(key, Ok(()));
            return true;
        }
        match completion.result {
            1.. if slot.life != Life::Cut => self.push_rest(key),
            error if matches!(-error, libc::EINTR | libc::EAGAIN) && slot.life != Life::Cut => {
                self.push_rest(key);
            }
            0.. => self.finish_send(key, Err(libc::EPIPE)),
            error => self.finish_send(key, Err(-error)),
        }
        true
    }

    /// The socket is full: the rest goes as an operation that waits for room.
    fn push_rest(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        if let Sending::UnderWay(transfer) = &mut slot.sending {
            transfer.quiet = None;
            self.push_send(key);
        }
    }

    /// All quiet sends of `turn` were submitted, and those that failed have said so: the others
    /// are done.
    pub(super) fn confirm_sends(&mut self, quiet: &mut Vec<Key>, turn: u32) {
        for key in quiet.drain(..) {
            let Some(slot) = self.slots.find(key) else { continue };
            let Sending::UnderWay(transfer) = &slot.sending else { continue };
            match transfer.quiet {
                // Made by this turn's completions: for the next enter.
                Some(pushed) if pushed == turn => self.quiet.push(key),
                Some(_) => self.finish_send(key, Ok(())),
                None => {}
            }
        }
    }

    /// Somebody waits for the end of a quiet send: the next enter must not wait, because the
    /// send will say nothing.
    pub(super) fn is_send_awaited(&mut self) -> bool {
        self.quiet.iter().any(|&key| {
            self.slots
                .find(key)
                .is_some_and(|slot| slot.next.is_some() || slot.shut_wanted || slot.is_closing())
        })
    }

    fn finish_send(&mut self, key: Key, result: Result<(), i32>) {
        let Some(slot) = self.slots.find(key) else { return };
        let taken = std::mem::replace(&mut slot.sending, Sending::Nothing);
        let Sending::UnderWay(mut transfer) = taken else { return };
        slot.send_error = result.err();
        self.wakes.extend(slot.send_waker.take());
        if result.is_err() {
            self.wakes.extend(slot.receive_waker.take());
        }
        let next = slot.next.take().filter(|_| result.is_ok());
        let shut = slot.shut_wanted && next.is_none() && result.is_ok();
        if shut {
            // It fails when the peer has gone; the receive side tells that better.
            let _ = self.kernel.shutdown_send(slot.descriptor);
        }
        if let Some(gather) = transfer.gather.take()
            && self.gathers.len() < GATHERS_KEPT
        {
            self.gathers.push(gather);
        }
        self.keep_outgoing(transfer.outgoing);
        match next {
            Some(next) => self.begin_send(key, next),
            None => self.finish_closing(key),
        }
    }

    /// Keeps an emptied send's memory for the next one; what grew large is freed.
    pub(super) fn keep_outgoing(&mut self, mut outgoing: Outgoing) {
        outgoing.clear();
        if self.outgoings.len() < OUTGOINGS_KEPT && outgoing.text.capacity() <= OUTGOING_BYTES_KEPT
        {
            self.outgoings.push(outgoing);
        }
    }

    pub(super) fn may_send(&mut self, key: Key) -> bool {
        self.slots.find(key).is_some_and(|slot| {
            slot.next.is_none() && slot.send_error.is_none() && !slot.is_closing()
        })
    }

    pub(super) fn poll_sent(&mut self, key: Key, waker: &Waker) -> Polled<()> {
        let Some(slot) = self.slots.find(key) else { return Polled::gone() };
        if let Some(error) = slot.send_error {
            return Polled::Ready(Err(io::Error::from_raw_os_error(error)));
        }
        if slot.next.is_none() {
            return Polled::Ready(Ok(()));
        }
        if slot.expired {
            return Polled::expired();
        }
        Polled::wait(&mut slot.send_waker, waker)
    }

    pub(super) fn shutdown_send(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        if matches!(slot.sending, Sending::UnderWay(_)) {
            slot.shut_wanted = true;
            return;
        }
        // It fails when the peer has gone; the receive side tells that better.
        let _ = self.kernel.shutdown_send(slot.descriptor);
    }
}

/// A few bytes are cheaper copied than named.
fn copy_small_pieces(outgoing: &mut Outgoing) {
    let bytes: usize = outgoing.pieces.iter().map(|piece| piece.len()).sum();
    if bytes > SEND_COPY_BYTES_MAX {
        return;
    }
    for piece in outgoing.pieces.drain(..) {
        outgoing.text.extend_from_slice(&piece);
    }
}

impl Gather {
    fn new() -> Box<Self> {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: a msghdr is plain numbers and pointers, for all of which zero is a value.
        let message = unsafe { std::mem::zeroed() };
        Box::new(Self { message, ranges: [empty; SEND_PIECES_MAX + 1] })
    }

    /// Names the bytes of `outgoing` from byte `skip` on.
    fn fill(&mut self, outgoing: &Outgoing, mut skip: usize) -> *const libc::msghdr {
        let mut count = 0;
        let pieces = outgoing.pieces.iter().map(|piece| &**piece);
        for bytes in std::iter::once(outgoing.text.as_slice()).chain(pieces) {
            let skipped = skip.min(bytes.len());
            skip -= skipped;
            let rest = &bytes[skipped..];
            if !rest.is_empty() {
                let iov_base = rest.as_ptr().cast_mut().cast();
                self.ranges[count] = libc::iovec { iov_base, iov_len: rest.len() };
                count += 1;
            }
        }
        self.message.msg_iov = self.ranges.as_mut_ptr();
        self.message.msg_iovlen = count;
        &raw const self.message
    }
}
