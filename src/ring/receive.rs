//! Receiving: a multishot receive per open socket, ended for backpressure, for a change of
//! buffer group and for want of buffers, and armed again when the reason is gone.

use std::{io, task::Waker};

use super::{
    buffers::GroupId,
    driver::State,
    kernel::{Completion, Key, Kind, Operation, Token},
    socket::{End, Life, Polled, Receive, Slot},
};
use crate::base::{
    Buffer, Supply,
    limits::{
        RECEIVE_COPY_BYTES_MAX, RECEIVE_QUEUE_BYTES_MAX, UNAWAITED_BODY_BYTES_MAX,
        UNAWAITED_BYTES_MAX,
    },
};

impl State {
    pub(super) fn poll_receive(&mut self, key: Key, waker: &Waker) -> Polled<Option<Buffer>> {
        if let Some(buffer) = self.take_received(key) {
            return Polled::Ready(Ok(Some(buffer)));
        }
        let Some(slot) = self.slots.find(key) else { return Polled::gone() };
        match slot.end {
            Some(End::Fin) => Polled::Ready(Ok(None)),
            Some(End::Error(error)) => Polled::Ready(Err(io::Error::from_raw_os_error(error))),
            None if slot.expired => Polled::expired(),
            None => {
                slot.awaited = true;
                Polled::wait(&mut slot.receive_waker, waker)
            }
        }
    }

    /// The next buffer that was received, if one is there.
    #[inline]
    pub(super) fn take_received(&mut self, key: Key) -> Option<Buffer> {
        let slot = self.slots.find(key)?;
        let buffer = slot.received.pop_front()?;
        slot.held_bytes -= buffer.block_bytes();
        slot.awaited = false;
        if matches!(slot.receive, Receive::Idle | Receive::Watching) {
            self.arm_receive(key);
        }
        Some(buffer)
    }

    /// Who waits for bytes, to be woken after the borrow.
    pub(super) fn unread(&mut self, key: Key, buffer: Buffer) -> Option<Waker> {
        let slot = self.slots.find(key)?;
        if slot.is_closing() || buffer.is_empty() {
            return None;
        }
        slot.held_bytes += buffer.block_bytes();
        slot.received.push_front(buffer);
        slot.receive_waker.take()
    }

    /// Ready when the connection broke, or a send failed; bytes and the end of the stream are left
    /// where they are.
    pub(super) fn poll_failure(&mut self, key: Key, waker: &Waker) -> Polled<()> {
        let Some(slot) = self.slots.find(key) else { return Polled::gone() };
        if matches!(slot.end, Some(End::Error(_))) || slot.send_error.is_some() {
            return Polled::Ready(Ok(()));
        }
        let waits = Polled::wait(&mut slot.receive_waker, waker);
        if slot.receive == Receive::Idle && slot.life == Life::Open {
            slot.receive = Receive::Watching;
            let socket = slot.descriptor;
            let token = Token { kind: Kind::Receive, key };
            // SAFETY: the operation points to no memory.
            unsafe { self.kernel.push(token, Operation::Watch { socket }) };
        }
        waits
    }

    /// A client that closes looks like one that half-closes until something is sent to it: then
    /// it answers with a reset. A watch that ends otherwise gives way to a receive.
    fn watched(&mut self, completion: Completion) -> bool {
        let key = completion.token.key;
        let Some(slot) = self.slots.find(key) else { return false };
        if !completion.more {
            slot.receive = Receive::Idle;
        }
        let broken = i32::from(libc::POLLERR | libc::POLLHUP);
        if completion.result > 0 && completion.result & broken != 0 {
            slot.end = Some(End::Error(libc::ECONNRESET));
            self.wakes.extend(slot.receive_waker.take());
        }
        if slot.is_closing() {
            self.finish_closing(key);
        } else if slot.receive == Receive::Idle {
            self.wakes.extend(slot.receive_waker.take());
            self.arm_receive(key);
        }
        true
    }

    pub(super) fn received(&mut self, completion: Completion) -> bool {
        let key = completion.token.key;
        let Some(slot) = self.slots.find(key) else { return false };
        if matches!(slot.receive, Receive::Watching | Receive::Unwatching) {
            return self.watched(completion);
        }
        let (Receive::Armed(group) | Receive::Ending(group)) = slot.receive else { return false };
        if let Some(number) = completion.buffer {
            let filled = usize::try_from(completion.result).unwrap_or(0);
            let buffer = self.groups[group as usize].take(number, filled);
            let Some(buffer) = buffer else { return false };
            if filled > 0 && !slot.is_closing() {
                keep(slot, buffer);
            }
        }
        if !completion.more {
            slot.receive = Receive::Idle;
        }
        match completion.result {
            1.. => {}
            0 => slot.end = Some(End::Fin),
            error => Self::receive_failed(slot, -error),
        }
        if !slot.received.is_empty() || slot.end.is_some() {
            self.wakes.extend(slot.receive_waker.take());
        }
        if slot.is_closing() {
            self.finish_closing(key);
        } else if completion.result == -libc::ENOBUFS {
            slot.receive = Receive::Starved;
            self.starved.push(key);
            self.counts.starved += 1;
            self.groups[group as usize].widen();
        } else {
            self.arm_receive(key);
        }
        true
    }

    fn receive_failed(slot: &mut Slot, error: i32) {
        match error {
            libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
            _ => slot.end = Some(End::Error(error)),
        }
    }

    /// Arms, ends or leaves the receive, whichever the slot's state asks for.
    pub(super) fn arm_receive(&mut self, key: Key) {
        let (supply, turns) = (self.supply, self.turns);
        let Some(slot) = self.slots.find(key) else { return };
        if slot.life != Life::Open || slot.end.is_some() {
            return;
        }
        let wanted = slot.group.unless_dry(supply);
        let once = supply[wanted as usize] != Supply::Plenty;
        let held_max = held_max(slot, wanted, once);
        match slot.receive {
            Receive::Armed(group) => {
                let full = slot.held_bytes >= held_max;
                if full || group != wanted || (once && !slot.once) {
                    slot.receive = Receive::Ending(group);
                    self.cancel(Kind::Receive, key);
                }
            }
            // Armed again only when half of the queue has gone: cancelling costs.
            Receive::Idle if slot.held_bytes <= held_max / 2 => {
                slot.receive = Receive::Armed(wanted);
                (slot.once, slot.armed_in) = (once, turns);
                let (socket, group) = (slot.descriptor, wanted.number());
                let token = Token { kind: Kind::Receive, key };
                // SAFETY: the operation points to no memory but the group's buffers, for which
                // `Group` vouches.
                unsafe { self.kernel.push(token, Operation::Receive { socket, group, once }) };
            }
            Receive::Watching if slot.held_bytes <= held_max / 2 => {
                slot.receive = Receive::Unwatching;
                self.cancel(Kind::Receive, key);
            }
            Receive::Idle
            | Receive::Ending(_)
            | Receive::Starved
            | Receive::Watching
            | Receive::Unwatching => {}
        }
    }

    /// Learns how many blocks there are. When they become fewer, everybody is made to receive one
    /// block at a time (an armed multishot takes many in one go when many bytes are there), at the
    /// end into small ones.
    pub(super) fn note_supply(&mut self) {
        let before = self.supply;
        let now = [0, 1].map(|group| self.groups[group].supply(before[group]));
        self.supply = now;
        let got_fewer = |group: usize| match (before[group], now[group]) {
            (Supply::Plenty, Supply::Scarce | Supply::Dry) | (Supply::Scarce, Supply::Dry) => true,
            (_, Supply::Plenty | Supply::Scarce) | (Supply::Dry, Supply::Dry) => false,
        };
        if got_fewer(0) || got_fewer(1) {
            self.slots.keys().into_iter().for_each(|key| self.arm_receive(key));
        }
    }

    pub(super) fn stream_body(&mut self, key: Key, large: bool) {
        let group = if large { GroupId::Large } else { GroupId::Small };
        // Without its own group a body is received in small blocks: slower, not wrong.
        if self.groups[group as usize].open(&mut *self.kernel).is_err() {
            return;
        }
        let Some(slot) = self.slots.find(key) else { return };
        slot.group = group;
        self.arm_receive(key);
    }

    /// Arms the starved again, the longest waiting first, as far as there are buffers.
    pub(super) fn feed_starved(&mut self) {
        if self.starved.is_empty() {
            return;
        }
        let mut room = [self.groups[0].published(), self.groups[1].published()];
        let supply = self.supply;
        let mut starved = std::mem::take(&mut self.starved);
        starved.retain(|&key| {
            let Some(slot) = self.slots.find(key) else { return false };
            if slot.receive != Receive::Starved || slot.is_closing() {
                return false;
            }
            let room = &mut room[slot.group.unless_dry(supply) as usize];
            if *room == 0 {
                return true;
            }
            *room -= 1;
            slot.receive = Receive::Idle;
            self.arm_receive(key);
            // Still over its queue's bound: taking from the queue will arm it.
            false
        });
        self.starved = starved;
    }
}

/// Queues what was received. A small piece is copied into the block of the one before it, when
/// nobody has taken that yet: a block for each would be a client's way to hold them all.
fn keep(slot: &mut Slot, buffer: Buffer) {
    if buffer.len() <= RECEIVE_COPY_BYTES_MAX
        && let Some(last) = slot.received.back_mut()
        && last.append(&buffer)
    {
        return;
    }
    slot.held_bytes += buffer.block_bytes();
    slot.received.push_back(buffer);
}

/// From how many bytes of blocks on a socket receives no more until some are taken: what nobody
/// takes from their queues must not be all the blocks that there are. Upstreams may send more: an
/// armed receive also learns that an idle connection was closed.
const fn held_max(slot: &Slot, from: GroupId, once: bool) -> usize {
    match (from, slot.group) {
        _ if once => 1,
        (GroupId::Large, _) => RECEIVE_QUEUE_BYTES_MAX,
        (GroupId::Small, _) if slot.awaited || !slot.accepted => RECEIVE_QUEUE_BYTES_MAX,
        (GroupId::Small, GroupId::Large) => UNAWAITED_BODY_BYTES_MAX,
        (GroupId::Small, GroupId::Small) => UNAWAITED_BYTES_MAX,
    }
}
