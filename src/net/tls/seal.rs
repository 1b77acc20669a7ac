//! What is sent, as records: how long they are, and where their bytes go.
//!
//! A short send becomes one text, head and body in the same record. A long one is sealed into
//! blocks of the shelf, four records each, so that no memory is allocated or cleared for it.

use std::{rc::Rc, time::Duration};

use super::{
    record::{Content, OVERHEAD_BYTES_MAX},
    session::Session,
};
use crate::{
    base::{
        Buffer, Moment, Shelf,
        limits::{LARGE_BLOCK_BYTES, SEND_PIECES_MAX},
    },
    ring::Outgoing,
};

/// The first records of a connection, or of one that was idle: each fits in a packet, so that the
/// peer can read it when that packet is there.
const SHORT_RECORD_BYTES: usize = 1_400 - OVERHEAD_BYTES_MAX;
/// How much goes out in short records: the packets of a first flight (RFC 6928) and a few more.
const SHORT_BYTES: usize = 16 * 1_024;
/// After this long without a send records are short again.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// Full records: a large block holds four.
const FULL_RECORD_BYTES: usize = LARGE_BLOCK_BYTES / 4 - OVERHEAD_BYTES_MAX;
/// No record is begun in less room than this.
const ROOM_BYTES_MIN: usize = 1_024;
/// Up to so much is sealed into a text, which the driver keeps for the next send.
const TEXT_BYTES_MAX: usize = 8 * 1_024;

/// How long records are now.
#[derive(Default)]
pub(super) struct Pace {
    /// Sent in short records so far.
    short_bytes: usize,
    last: Moment,
}

impl Pace {
    fn begin(&mut self, now: Moment) {
        if now.since(self.last) >= IDLE_WAIT {
            self.short_bytes = 0;
        }
        self.last = now;
    }

    const fn record_bytes(&self) -> usize {
        if self.short_bytes < SHORT_BYTES { SHORT_RECORD_BYTES } else { FULL_RECORD_BYTES }
    }
}

/// Bytes of an [`Outgoing`], from the front.
struct Front<'o> {
    slices: [&'o [u8]; SEND_PIECES_MAX + 1],
    next: usize,
}

impl<'o> Front<'o> {
    fn new(outgoing: &'o Outgoing) -> Self {
        let mut slices: [&[u8]; SEND_PIECES_MAX + 1] = [&[]; SEND_PIECES_MAX + 1];
        slices[0] = &outgoing.text;
        for (slice, piece) in slices[1..].iter_mut().zip(&outgoing.pieces) {
            *slice = piece;
        }
        Self { slices, next: 0 }
    }

    /// Fills `out`; there are as many bytes.
    fn move_to(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            let slice = &mut self.slices[self.next];
            let count = slice.len().min(out.len());
            let (taken, rest) = slice.split_at(count);
            let (filled, left) = out.split_at_mut(count);
            filled.copy_from_slice(taken);
            *slice = rest;
            out = left;
            self.next += usize::from(rest.is_empty());
        }
    }
}

impl Session {
    /// Seals what waits and then `plain` into `out`, which is empty. `false`: nothing more may be
    /// sent on this connection.
    pub(super) fn seal(
        &mut self,
        plain: &Outgoing,
        out: &mut Outgoing,
        shelf: &Shelf,
        now: Moment,
    ) -> bool {
        let total = plain.len();
        self.pace.begin(now);
        if total > 0 && !self.may_seal(total / SHORT_RECORD_BYTES + 1) {
            return false;
        }
        self.flush(out);
        // Short records, and room that was left at the ends of blocks.
        let sealed_max = total + total / 256 + 2 * ROOM_BYTES_MIN;
        let blocks = sealed_max / (LARGE_BLOCK_BYTES - ROOM_BYTES_MIN) + 1;
        let mut front = Front::new(plain);
        if total <= TEXT_BYTES_MAX || blocks > SEND_PIECES_MAX || blocks > shelf.available() {
            self.seal_text(total, &mut front, &mut out.text)
        } else {
            self.seal_blocks(total, &mut front, &mut out.pieces, shelf)
        }
    }

    /// Moves what waits to the front of a send.
    pub(super) fn flush(&mut self, out: &mut Outgoing) {
        self.answered = false;
        if !self.waiting.is_empty() {
            out.text.extend_from_slice(&self.waiting);
            self.waiting = Vec::new();
        }
    }

    fn seal_text(&mut self, mut left: usize, front: &mut Front<'_>, text: &mut Vec<u8>) -> bool {
        while left > 0 {
            let count = left.min(self.pace.record_bytes());
            let start = text.len();
            text.resize(start + count + self.outbound.overhead(), 0);
            if !self.seal_one(&mut text[start..], front) {
                return false;
            }
            left -= count;
        }
        true
    }

    fn seal_blocks(
        &mut self,
        mut left: usize,
        front: &mut Front<'_>,
        pieces: &mut Vec<Buffer>,
        shelf: &Shelf,
    ) -> bool {
        let overhead = self.outbound.overhead();
        while left > 0 {
            let Some(mut block) = shelf.take() else { return false };
            let bytes = Rc::get_mut(&mut block).expect("a block on the shelf is held once");
            let bytes = bytes.bytes_mut();
            let mut filled = 0;
            while left > 0 && bytes.len() - filled >= ROOM_BYTES_MIN && !self.closed {
                let room = bytes.len() - filled - overhead;
                let count = left.min(self.pace.record_bytes()).min(room);
                let end = filled + count + overhead;
                self.seal_one(&mut bytes[filled..end], front);
                filled = end;
                left -= count;
            }
            pieces.push(Buffer::new(block, filled));
            if self.closed {
                return false;
            }
        }
        true
    }

    fn seal_one(&mut self, record: &mut [u8], front: &mut Front<'_>) -> bool {
        self.pace.short_bytes = (self.pace.short_bytes + record.len()).min(SHORT_BYTES);
        let sealed = self.outbound.seal(Content::Data, record, |out| front.move_to(out));
        if sealed.is_err() {
            self.exhaust();
        }
        sealed.is_ok()
    }
}

// The room that is left for a last record holds its overhead.
const _: () = assert!(ROOM_BYTES_MIN > OVERHEAD_BYTES_MAX);
