//! Sending and connecting: one at a time per socket. What the kernel reads belongs to the slot
//! until the completion, so a dropped future does no harm.

use std::{io, net::SocketAddr, task::Waker};

use super::{
    driver::State,
    kernel::{Completion, Key, Kind, Operation, Token},
    socket::{Life, Outgoing, Polled, Slot},
};
use crate::base::limits::{LARGE_BLOCK_BYTES, SEND_COPY_BYTES_MAX, SEND_PIECES_MAX};

/// Gathers kept for the next gathered send.
const GATHERS_KEPT: usize = 64;
/// Emptied sends kept for their memory: as many as are under way in one turn of a busy shard.
const OUTGOINGS_KEPT: usize = 256;

/// The state of a slot's send side.
pub(super) enum Sending {
    Nothing,
    Connecting(#[expect(dead_code, reason = "the kernel reads it")] Box<socket2::SockAddr>),
    /// Connected or failed, and nobody has asked yet.
    Connected(Result<(), i32>),
    UnderWay(Transfer),
    Done(Result<(), i32>),
}

/// A send that the kernel has.
pub(super) struct Transfer {
    outgoing: Outgoing,
    sent: usize,
    total: usize,
    gather: Option<Box<Gather>>,
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

    /// Nothing is under way, and nothing failed that nobody has asked about.
    pub(super) const fn is_quiet(&self) -> bool {
        matches!(self, Self::Nothing | Self::Done(Ok(())))
    }
}

impl State {
    pub(super) fn begin_connect(&mut self, address: SocketAddr) -> io::Result<Key> {
        let descriptor = self.kernel.open_socket(address)?;
        let address = Box::new(socket2::SockAddr::from(address));
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
        assert!(!slot.sending.is_under_way(), "one send at a time");
        copy_small_pieces(&mut outgoing);
        let total = outgoing.len();
        if total == 0 {
            slot.sending = Sending::Done(Ok(()));
            self.keep_outgoing(outgoing);
            return;
        }
        slot.sending = Sending::UnderWay(Transfer { outgoing, sent: 0, total, gather: None });
        self.push_send(key);
    }

    fn push_send(&mut self, key: Key) {
        let Some(slot) = self.slots.find(key) else { return };
        let socket = slot.descriptor;
        let Sending::UnderWay(transfer) = &mut slot.sending else { return };
        let operation = if transfer.outgoing.pieces.is_empty() {
            let rest = &transfer.outgoing.text[transfer.sent..];
            let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            Operation::Send { socket, bytes: rest.as_ptr(), length }
        } else {
            let gather = transfer
                .gather
                .get_or_insert_with(|| self.gathers.pop().unwrap_or_else(Gather::new));
            let message = gather.fill(&transfer.outgoing, transfer.sent);
            Operation::SendGathered { socket, message }
        };
        self.sends += 1;
        // SAFETY: text, pieces and the boxed gather belong to the slot, unchanged, until the
        // completion; moving the slot moves none of them.
        unsafe { self.kernel.push(Token { kind: Kind::Send, key }, operation) };
    }

    pub(super) fn sent(&mut self, completion: Completion) -> bool {
        let key = completion.token.key;
        let Some(slot) = self.slots.find(key) else { return false };
        let Sending::UnderWay(transfer) = &mut slot.sending else { return false };
        let retry = matches!(-completion.result, libc::EINTR | libc::EAGAIN);
        transfer.sent += usize::try_from(completion.result).unwrap_or(0);
        let short = transfer.sent < transfer.total && completion.result > 0;
        if (short || retry) && !slot.is_closing() {
            self.push_send(key);
            return true;
        }
        let result = match completion.result {
            1.. => Ok(()),
            0 => Err(libc::EPIPE),
            error => Err(-error),
        };
        let taken = std::mem::replace(&mut slot.sending, Sending::Nothing);
        let Sending::UnderWay(mut transfer) = taken else { return false };
        if let Some(gather) = transfer.gather.take()
            && self.gathers.len() < GATHERS_KEPT
        {
            self.gathers.push(gather);
        }
        slot.sending = Sending::Done(result);
        self.wakes.extend(slot.send_waker.take());
        self.keep_outgoing(transfer.outgoing);
        self.finish_closing(key);
        true
    }

    /// Keeps an emptied send's memory for the next one; what grew large is freed.
    fn keep_outgoing(&mut self, mut outgoing: Outgoing) {
        outgoing.clear();
        if self.outgoings.len() < OUTGOINGS_KEPT && outgoing.text.capacity() <= LARGE_BLOCK_BYTES {
            self.outgoings.push(outgoing);
        }
    }

    pub(super) fn poll_sent(&mut self, key: Key, waker: &Waker) -> Polled<()> {
        let Some(slot) = self.slots.find(key) else { return Polled::gone() };
        match std::mem::replace(&mut slot.sending, Sending::Nothing) {
            Sending::Nothing => Polled::Ready(Ok(())),
            Sending::Done(result) => Polled::Ready(result.map_err(io::Error::from_raw_os_error)),
            Sending::UnderWay(transfer) => {
                slot.sending = Sending::UnderWay(transfer);
                if slot.expired {
                    return Polled::expired();
                }
                Polled::wait(&mut slot.send_waker, waker)
            }
            other => {
                slot.sending = other;
                Polled::Ready(Err(io::ErrorKind::InvalidInput.into()))
            }
        }
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
