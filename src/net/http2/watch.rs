//! Looks at the frames that go by on an HTTP/2 connection and says when a peer sends too many of
//! a kind. It reads frame heads only (RFC 9113 4.1); what frames mean is the h2 crate's business.
//!
//! Each kind has an allowance that time refills. What a sound peer needs in step with its traffic
//! is earned: a reset by an answer that was finished, a PING and a WINDOW_UPDATE by data.

use crate::{
    base::{
        Moment,
        limits::{self, Allowance},
    },
    http::Flood,
};

const HEAD_BYTES: usize = 9;
/// What a client sends before its first frame.
const PREFACE_BYTES: u32 = 24;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

/// Codes of RST_STREAM that blame the peer: PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED,
/// FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM (RFC 9113 7).
const BLAMING: [u32; 6] = [1, 3, 5, 6, 9, 11];

/// Counts what the peer of one connection does.
pub(super) struct Watch {
    received: Walk,
    sent: Walk,
    resets: Budget,
    faults: Budget,
    pings: Budget,
    settings: Budget,
    empty_data: Budget,
    window_updates: Budget,
    priorities: Budget,
    unknown: Budget,
    bombs: Budget,
    continuations: u32,
    /// The type of the frame that came last.
    last: u8,
    /// Heads that our streams sent: what goes out beyond them is h2's own refusal.
    own_heads: u32,
}

impl Watch {
    /// A connection of a client, at its very beginning.
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            received: Walk::after(PREFACE_BYTES),
            sent: Walk::after(0),
            resets: Budget::new(limits::HTTP2_RESETS, now),
            faults: Budget::new(limits::HTTP2_FAULTS, now),
            pings: Budget::new(limits::HTTP2_PINGS, now),
            settings: Budget::new(limits::HTTP2_SETTINGS, now),
            empty_data: Budget::new(limits::HTTP2_EMPTY_DATA, now),
            window_updates: Budget::new(limits::HTTP2_WINDOW_UPDATES, now),
            priorities: Budget::new(limits::HTTP2_PRIORITIES, now),
            unknown: Budget::new(limits::HTTP2_UNKNOWN, now),
            bombs: Budget::new(limits::HTTP2_HEADER_BOMBS, now),
            continuations: 0,
            last: SETTINGS,
            own_heads: 0,
        }
    }

    /// A stream of ours sends a head, or trailers.
    pub(super) const fn own_head(&mut self) {
        self.own_heads = self.own_heads.saturating_add(1);
    }

    /// What h2 itself must have had enough of: it does not say, and looks at more than we do (the
    /// size of a head as it is decoded, data in frames that are tiny).
    pub(super) const fn suspect(&self) -> Flood {
        match self.last {
            HEADERS | CONTINUATION => Flood::HeaderBomb,
            DATA => Flood::EmptyData,
            RST_STREAM => Flood::RapidReset,
            WINDOW_UPDATE => Flood::MadeYouReset,
            _ => Flood::Unknown,
        }
    }

    /// The peer sent these bytes.
    pub(super) fn received(&mut self, mut bytes: &[u8], now: Moment) -> Option<Flood> {
        let mut flood = None;
        while let Some(frame) = self.received.next(&mut bytes) {
            flood = flood.or(self.judge_received(frame, now));
        }
        flood
    }

    /// We send these bytes.
    pub(super) fn sent(&mut self, mut bytes: &[u8], now: Moment) -> Option<Flood> {
        let mut flood = None;
        while let Some(frame) = self.sent.next(&mut bytes) {
            flood = flood.or(self.judge_sent(frame, now));
        }
        flood
    }

    fn judge_received(&mut self, frame: Frame, now: Moment) -> Option<Flood> {
        let Frame { kind, flags, length, first } = frame;
        self.last = kind;
        if kind != CONTINUATION {
            self.continuations = 0;
        }
        let (budget, flood) = match kind {
            DATA => {
                let padding = if flags & PADDED == 0 { 0 } else { 1 + (first >> 24) };
                if length > padding {
                    self.empty_data.earn(1);
                    self.pings.earn(1);
                    return None;
                }
                if flags & END_STREAM != 0 {
                    return None;
                }
                (&mut self.empty_data, Flood::EmptyData)
            }
            HEADERS => {
                self.priorities.earn(2);
                return None;
            }
            CONTINUATION => {
                self.continuations += 1;
                let many = self.continuations > limits::HTTP2_CONTINUATIONS_MAX;
                return many.then_some(Flood::Continuation);
            }
            RST_STREAM => (&mut self.resets, Flood::RapidReset),
            SETTINGS if flags & ACK == 0 => (&mut self.settings, Flood::Settings),
            PING if flags & ACK == 0 => (&mut self.pings, Flood::Ping),
            WINDOW_UPDATE => (&mut self.window_updates, Flood::WindowUpdate),
            PRIORITY => (&mut self.priorities, Flood::Priority),
            // An acknowledgement that nobody asked for is as good a flood as any.
            SETTINGS => (&mut self.settings, Flood::Settings),
            PING => (&mut self.pings, Flood::Ping),
            // The end of the connection, one way or another.
            GOAWAY | PUSH_PROMISE => return None,
            _ => (&mut self.unknown, Flood::Unknown),
        };
        (!budget.spend(now)).then_some(flood)
    }

    fn judge_sent(&mut self, frame: Frame, now: Moment) -> Option<Flood> {
        let Frame { kind, flags, first, .. } = frame;
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            self.resets.earn(1);
        }
        match kind {
            DATA => {
                self.window_updates.earn(10);
                self.pings.earn(1);
                None
            }
            HEADERS if self.own_heads > 0 => {
                self.own_heads -= 1;
                None
            }
            HEADERS => (!self.bombs.spend(now)).then_some(Flood::HeaderBomb),
            RST_STREAM if BLAMING.contains(&first) => {
                (!self.faults.spend(now)).then_some(Flood::MadeYouReset)
            }
            _ => None,
        }
    }
}

/// A frame as far as it is looked at.
#[derive(Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    length: u32,
    /// The payload's first four bytes, zeros where it is shorter.
    first: u32,
}

/// Where one direction stands within its frames, however they are split.
struct Walk {
    /// Payload that is passed over before the next head.
    skip: u32,
    /// The head and the payload's first bytes, as far as they are here.
    begun: [u8; HEAD_BYTES + 4],
    here: usize,
}

impl Walk {
    const fn after(skip: u32) -> Self {
        Self { skip, begun: [0; HEAD_BYTES + 4], here: 0 }
    }

    /// The next frame of which enough is here.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        let passed = bytes.len().min(self.skip as usize);
        *bytes = &bytes[passed..];
        self.skip -= u32::try_from(passed).unwrap_or(0);
        if !self.take(bytes, HEAD_BYTES) {
            return None;
        }
        let [high, middle, low, kind, flags, ..] = self.begun;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let looked_at = length.min(4);
        if !self.take(bytes, HEAD_BYTES + looked_at as usize) {
            return None;
        }
        let [.., a, b, c, d] = self.begun;
        self.skip = length - looked_at;
        self.begun = [0; HEAD_BYTES + 4];
        self.here = 0;
        Some(Frame { kind, flags, length, first: u32::from_be_bytes([a, b, c, d]) })
    }

    /// Takes bytes until `wanted` are here; says whether they are.
    fn take(&mut self, bytes: &mut &[u8], wanted: usize) -> bool {
        let taken = wanted.saturating_sub(self.here).min(bytes.len());
        self.begun[self.here..self.here + taken].copy_from_slice(&bytes[..taken]);
        self.here += taken;
        *bytes = &bytes[taken..];
        self.here >= wanted
    }
}

/// What is left of an allowance.
struct Budget {
    allowance: Allowance,
    left: u32,
    refilled: Moment,
}

impl Budget {
    const fn new(allowance: Allowance, now: Moment) -> Self {
        Self { allowance, left: allowance.burst, refilled: now }
    }

    fn earn(&mut self, count: u32) {
        self.left = (self.left + count).min(self.allowance.burst);
    }

    /// Takes one; `false` when none is left.
    fn spend(&mut self, now: Moment) -> bool {
        if self.left == 0 {
            self.refill(now);
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }

    /// Adds what the time since the last refill is worth. Looked at only when all is spent, so the
    /// clock is read for floods and not for traffic.
    fn refill(&mut self, now: Moment) {
        let waited_ms = now.since(self.refilled).as_millis();
        let worth = waited_ms * u128::from(self.allowance.per_second) / 1_000;
        if worth > 0 {
            self.left = u32::try_from(worth).unwrap_or(u32::MAX).min(self.allowance.burst);
            self.refilled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.extend_from_slice(payload);
        bytes
    }

    fn begun() -> Watch {
        let mut watch = Watch::new(Moment(0));
        assert_eq!(watch.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Moment(0)), None);
        watch
    }

    /// `most` frames are taken, one more is a flood, and the bytes may be split anywhere.
    #[track_caller]
    fn check(one: &[u8], most: u32, flood: Flood) {
        for split in [one.len(), 1, 5] {
            let mut watch = begun();
            let feed = |watch: &mut Watch| {
                let pieces = one.chunks(split);
                pieces.fold(None, |flood, piece| flood.or(watch.received(piece, Moment(0))))
            };
            for _ in 0..most {
                assert_eq!(feed(&mut watch), None);
            }
            assert_eq!(feed(&mut watch), Some(flood));
        }
    }

    #[test]
    fn each_kind_has_its_bound() {
        check(&frame(RST_STREAM, 0, &[0, 0, 0, 8]), limits::HTTP2_RESETS.burst, Flood::RapidReset);
        check(&frame(PING, 0, &[0; 8]), limits::HTTP2_PINGS.burst, Flood::Ping);
        check(&frame(PING, ACK, &[0; 8]), limits::HTTP2_PINGS.burst, Flood::Ping);
        check(&frame(SETTINGS, 0, &[]), limits::HTTP2_SETTINGS.burst, Flood::Settings);
        check(&frame(DATA, 0, &[]), limits::HTTP2_EMPTY_DATA.burst, Flood::EmptyData);
        let padding = frame(DATA, PADDED, &[3, 0, 0, 0]);
        check(&padding, limits::HTTP2_EMPTY_DATA.burst, Flood::EmptyData);
        check(&frame(PRIORITY, 0, &[0; 5]), limits::HTTP2_PRIORITIES.burst, Flood::Priority);
        let update = frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]);
        check(&update, limits::HTTP2_WINDOW_UPDATES.burst, Flood::WindowUpdate);
        check(&frame(CONTINUATION, 0, &[]), limits::HTTP2_CONTINUATIONS_MAX, Flood::Continuation);
        check(&frame(0x77, 0, &[0; 30]), limits::HTTP2_UNKNOWN.burst, Flood::Unknown);
    }

    #[test]
    fn continuations_are_counted_for_each_head() {
        let mut watch = begun();
        for _ in 0..100 {
            assert_eq!(watch.received(&frame(HEADERS, 0, &[0; 20]), Moment(0)), None);
            for _ in 0..limits::HTTP2_CONTINUATIONS_MAX {
                assert_eq!(watch.received(&frame(CONTINUATION, 0, &[1]), Moment(0)), None);
            }
        }
    }

    #[test]
    fn resets_of_ours_that_blame_the_peer_are_counted() {
        let mut watch = begun();
        let cancel = frame(RST_STREAM, 0, &[0, 0, 0, 8]);
        let blame = frame(RST_STREAM, 0, &[0, 0, 0, 1]);
        for _ in 0..10 * limits::HTTP2_FAULTS.burst {
            assert_eq!(watch.sent(&cancel, Moment(0)), None);
        }
        for _ in 0..limits::HTTP2_FAULTS.burst {
            assert_eq!(watch.sent(&blame, Moment(0)), None);
        }
        assert_eq!(watch.sent(&blame, Moment(0)), Some(Flood::MadeYouReset));
    }

    #[test]
    fn heads_that_are_not_ours_refuse_bombs() {
        let mut watch = begun();
        let head = frame(HEADERS, 4, &[0x88]);
        for _ in 0..10 * limits::HTTP2_HEADER_BOMBS.burst {
            watch.own_head();
            assert_eq!(watch.sent(&head, Moment(0)), None);
        }
        for _ in 0..limits::HTTP2_HEADER_BOMBS.burst {
            assert_eq!(watch.sent(&head, Moment(0)), None);
        }
        assert_eq!(watch.sent(&head, Moment(0)), Some(Flood::HeaderBomb));
    }

    #[test]
    fn finished_answers_earn_resets_and_data_earns_pings() {
        let mut watch = begun();
        let end = frame(DATA, END_STREAM, b"x");
        for _ in 0..10 * limits::HTTP2_RESETS.burst {
            assert_eq!(watch.sent(&end, Moment(0)), None);
            assert_eq!(watch.received(&frame(RST_STREAM, 0, &[0; 4]), Moment(0)), None);
            assert_eq!(watch.received(&frame(PING, 0, &[0; 8]), Moment(0)), None);
        }
    }

    #[test]
    fn time_refills_and_not_beyond_the_burst() {
        let mut watch = begun();
        let ping = frame(PING, 0, &[0; 8]);
        let mut count = |now: Moment| {
            let mut taken = 0;
            while watch.received(&ping, now).is_none() {
                taken += 1;
            }
            taken
        };
        assert_eq!(count(Moment(0)), limits::HTTP2_PINGS.burst);
        let second = Moment(0) + Duration::from_secs(1);
        assert_eq!(count(second), limits::HTTP2_PINGS.per_second);
        assert_eq!(count(second + Duration::from_secs(3_600)), limits::HTTP2_PINGS.burst);
    }

    /// Whatever the bytes, the walk stays within them.
    #[test]
    fn any_bytes_are_walked_to_their_end() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let mut watch = Watch::new(Moment(0));
            let _ = watch.received(bytes, Moment(0));
            let _ = watch.sent(bytes, Moment(0));
        });
    }
}
