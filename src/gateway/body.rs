//! A body on its way through: received bytes in, body bytes out, the framing taken off.
//!
//! The same for a client's body and an upstream's. Nothing is copied: a piece is a range of the
//! receive buffer. Not here: putting framing on again (`gateway::deliver`, `gateway::upload`).

use std::{
    io,
    task::{Context, Poll, ready},
};

use crate::{
    base::Buffer,
    net::Stream,
    steps::{authorize::iam::payload, context::CutShort},
    wire::http1::{ChunkEvent, ChunkFault, ChunkedDecoder, Framing, Trailers},
};

/// Bodies at least this long are received into large buffers.
const STREAMED_FROM_BYTES: u64 = 16 * 1024;

/// What remains of one message's body.
pub struct Incoming {
    pending: Buffer,
    rest: Rest,
    passed_bytes: u64,
    bytes_max: u64,
    after: After,
    hash: Option<Box<BodyHash>>,
}

/// The SHA-256 that a body has to have.
pub struct BodyHash {
    so_far: payload::Running,
    expected: [u8; 32],
    /// The last piece so far: without it nobody takes the message for whole.
    held: Option<Buffer>,
}

impl BodyHash {
    /// This one.
    #[must_use]
    pub fn new(expected: [u8; 32]) -> Self {
        Self { so_far: payload::Running::default(), expected, held: None }
    }

    fn ends_well(self) -> Result<Option<Buffer>, BodyFault> {
        let is_it = self.so_far.finish() == self.expected;
        if is_it { Ok(self.held) } else { Err(BodyFault::Tampered) }
    }
}

/// What the stream receives into once a long body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Small buffers: the next message is a request.
    Small,
    /// What suited this body: an upstream's next answer is likely to be as long. A change costs a
    /// cancelled receive, and comes too late for a body that arrives at once.
    Alike,
}

enum Rest {
    Nothing,
    Length(u64),
    Chunked(ChunkedDecoder),
    /// The trailers of a chunked body that ended.
    Ended(Trailers),
    UntilClose,
    /// The stream marks the end, and this much is to come before it. The last piece is held until
    /// the mark is there: behind it the next hop would take the message for whole.
    Marked {
        to_come: u64,
        held: Buffer,
    },
    /// Nothing behind a fault can be read: where it would begin is unknown.
    Faulty(BodyFault),
}

/// Why a body ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The chunked framing is broken.
    Malformed(ChunkFault),
    /// More than `bytes_max`.
    TooLong,
    /// The peer closed before the end.
    Cut,
    /// The peer sent nothing for too long.
    TooSlow,
    /// The connection broke.
    Broken(io::ErrorKind),
    /// Whom it is for has left.
    Unwanted,
    /// It is not the one that was signed.
    Tampered,
}

impl BodyFault {
    /// What it makes of an answer.
    pub(super) const fn of_answer(self) -> CutShort {
        match self {
            Self::Malformed(_) | Self::TooLong | Self::Tampered => CutShort::IntegrationMalformed,
            Self::Cut | Self::Broken(_) => CutShort::IntegrationClosed,
            Self::TooSlow => CutShort::IntegrationStalled,
            Self::Unwanted => CutShort::ClientLeft,
        }
    }
}

impl Incoming {
    /// The body that follows a head; `pending` is what was received behind the head.
    #[must_use]
    pub fn new(framing: Framing, pending: Buffer, bytes_max: u64, after: After) -> Self {
        let rest = match framing {
            Framing::None | Framing::Length(0) => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked(ChunkedDecoder::new()),
            Framing::UntilClose => Rest::UntilClose,
        };
        Self { pending, rest, passed_bytes: 0, bytes_max, after, hash: None }
    }

    /// Has its end held back until it is known to have this hash. Nothing of it was read yet.
    pub fn expect_hash(&mut self, hash: BodyHash) {
        self.hash = Some(Box::new(hash));
    }

    /// A request's body on an HTTP/2 stream, which marks its end (RFC 9113 8.1); of this length, if
    /// its head says one.
    #[must_use]
    pub fn marked(length: Option<u64>, bytes_max: u64) -> Self {
        let rest = match length {
            Some(to_come) => Rest::Marked { to_come, held: Buffer::empty() },
            None => Rest::UntilClose,
        };
        let pending = Buffer::empty();
        Self { pending, rest, passed_bytes: 0, bytes_max, after: After::Small, hash: None }
    }

    /// Whether the whole body was handed on.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.hash.is_none() && self.is_received()
    }

    const fn is_received(&self) -> bool {
        matches!(self.rest, Rest::Nothing | Rest::Ended(_))
    }

    /// Body bytes handed on so far.
    #[must_use]
    pub const fn passed_bytes(&self) -> u64 {
        self.passed_bytes
    }

    /// The trailer fields of a chunked body that is done.
    #[must_use]
    pub fn trailers(&self) -> Option<&Trailers> {
        match &self.rest {
            Rest::Ended(trailers) => Some(trailers),
            _ => None,
        }
    }

    /// What was received behind the body: the next message.
    #[must_use]
    pub const fn take_rest(&mut self) -> Buffer {
        std::mem::replace(&mut self.pending, Buffer::empty())
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The first fault, at every call from then on.
    pub fn poll_next(
        &mut self,
        stream: &Stream,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Buffer>, BodyFault>> {
        let next = ready!(self.poll_judged(stream, cx));
        if let Err(fault) = next {
            self.rest = Rest::Faulty(fault);
        }
        if self.is_received() {
            stream.stream_body(self.after == After::Alike && self.is_long());
        }
        Poll::Ready(next)
    }

    /// The next piece, the one before it if there is a hash to be judged by the whole.
    fn poll_judged(
        &mut self,
        stream: &Stream,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Buffer>, BodyFault>> {
        loop {
            let next = ready!(self.poll_piece(stream, cx))?;
            let Some(hash) = &mut self.hash else { return Poll::Ready(Ok(next)) };
            let Some(piece) = next else { break };
            hash.so_far.update(&piece);
            if let Some(before) = hash.held.replace(piece) {
                return Poll::Ready(Ok(Some(before)));
            }
        }
        let hash = self.hash.take();
        Poll::Ready(hash.map_or(Ok(None), |hash| hash.ends_well()))
    }

    fn poll_piece(
        &mut self,
        stream: &Stream,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Buffer>, BodyFault>> {
        loop {
            if !self.pending.is_empty()
                && let Some(piece) = self.unframe()?
            {
                return Poll::Ready(Ok(Some(piece)));
            }
            match self.rest {
                Rest::Nothing | Rest::Ended(_) => return Poll::Ready(Ok(None)),
                Rest::Faulty(fault) => return Poll::Ready(Err(fault)),
                Rest::Length(_) | Rest::Chunked(_) | Rest::UntilClose | Rest::Marked { .. } => {}
            }
            if self.is_long() {
                stream.stream_body(true);
            }
            match ready!(stream.poll_receive(cx)) {
                Ok(Some(buffer)) => self.pending = buffer,
                Ok(None) if matches!(self.rest, Rest::UntilClose) => self.end(stream)?,
                Ok(None) if matches!(self.rest, Rest::Marked { to_come: 0, .. }) => {
                    return Poll::Ready(self.end_marked().map(Some));
                }
                Ok(None) => return Poll::Ready(Err(BodyFault::Cut)),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Poll::Ready(Err(BodyFault::TooSlow));
                }
                // TLS was not ended but cut off: also what lasts until the end did not come whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(BodyFault::Cut));
                }
                Err(error) => return Poll::Ready(Err(BodyFault::Broken(error.kind()))),
            }
        }
    }

    /// The stream has ended, and the body with it; an HTTP/2 stream may have had trailers.
    fn end(&mut self, stream: &Stream) -> Result<(), BodyFault> {
        self.rest = match stream.take_trailers() {
            Some(lines) => Rest::Ended(Trailers::of_lines(lines).map_err(BodyFault::Malformed)?),
            None => Rest::Nothing,
        };
        Ok(())
    }

    /// The stream has ended where its head said that it would: what was held is the last piece.
    fn end_marked(&mut self) -> Result<Buffer, BodyFault> {
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Marked { held, .. } => self.count(held),
            _ => Ok(Buffer::empty()),
        }
    }

    /// Takes the framing off what is pending; `None` when more bytes are needed.
    fn unframe(&mut self) -> Result<Option<Buffer>, BodyFault> {
        let piece = match &mut self.rest {
            Rest::Nothing | Rest::Ended(_) | Rest::Faulty(_) => return Ok(None),
            Rest::UntilClose => std::mem::replace(&mut self.pending, Buffer::empty()),
            Rest::Length(length) => {
                let here = usize::try_from(*length).unwrap_or(usize::MAX).min(self.pending.len());
                *length -= here as u64;
                let piece = self.pending.split_to(here);
                if *length == 0 {
                    self.rest = Rest::Nothing;
                }
                piece
            }
            Rest::Chunked(_) => return self.unchunk(),
            Rest::Marked { to_come, held } => {
                let piece = std::mem::replace(&mut self.pending, Buffer::empty());
                let Some(left) = to_come.checked_sub(piece.len() as u64) else {
                    return Err(BodyFault::TooLong);
                };
                *to_come = left;
                if left == 0 {
                    *held = piece;
                    return Ok(None);
                }
                piece
            }
        };
        self.count(piece).map(Some)
    }

    fn unchunk(&mut self) -> Result<Option<Buffer>, BodyFault> {
        let Rest::Chunked(decoder) = &mut self.rest else { return Ok(None) };
        match decoder.decode(&self.pending).map_err(BodyFault::Malformed)? {
            ChunkEvent::Data { range, consumed } => {
                let mut piece = self.pending.split_to(consumed);
                piece.truncate(range.end);
                piece.advance(range.start);
                self.count(piece).map(Some)
            }
            ChunkEvent::More { consumed } => {
                self.pending.advance(consumed);
                Ok(None)
            }
            ChunkEvent::End { consumed } => {
                self.pending.advance(consumed);
                self.rest = Rest::Ended(decoder.take_trailers());
                Ok(None)
            }
        }
    }

    fn count(&mut self, piece: Buffer) -> Result<Buffer, BodyFault> {
        self.passed_bytes += piece.len() as u64;
        if self.passed_bytes > self.bytes_max { Err(BodyFault::TooLong) } else { Ok(piece) }
    }

    /// Whether the body, as far as it is known, deserves large buffers.
    const fn is_long(&self) -> bool {
        let to_come = match self.rest {
            Rest::Length(length) => length,
            Rest::Marked { to_come, .. } => to_come,
            _ => 0,
        };
        self.passed_bytes.saturating_add(to_come) >= STREAMED_FROM_BYTES
    }
}
