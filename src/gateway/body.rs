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
    streamed: bool,
    /// A fault came: the body never ends well from here on.
    failed: bool,
    /// One that came behind pieces that had to be handed on first.
    held: Option<BodyFault>,
}

enum Rest {
    Nothing,
    Length(u64),
    Chunked(ChunkedDecoder),
    /// The trailers of a chunked body that ended.
    Ended(Trailers),
    UntilClose,
}

/// Why a body ends early.
#[derive(Debug)]
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
    Broken(io::Error),
}

impl Incoming {
    /// The body that follows a head; `pending` is what was received behind the head.
    #[must_use]
    pub fn new(framing: Framing, pending: Buffer, bytes_max: u64) -> Self {
        let rest = match framing {
            Framing::None | Framing::Length(0) => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked(ChunkedDecoder::new()),
            Framing::UntilClose => Rest::UntilClose,
        };
        Self {
            pending,
            rest,
            passed_bytes: 0,
            bytes_max,
            streamed: false,
            failed: false,
            held: None,
        }
    }

    /// Whether the whole body was handed on.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        !self.failed && matches!(self.rest, Rest::Nothing | Rest::Ended(_))
    }

    /// Keeps a fault for the next call: the decoder must not be asked again behind it.
    pub(super) fn hold(&mut self, fault: BodyFault) {
        self.held = Some(fault);
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
            Rest::Nothing | Rest::Length(_) | Rest::Chunked(_) | Rest::UntilClose => None,
        }
    }

    /// What was received behind the body: the next message.
    #[must_use]
    pub fn into_rest(self) -> Buffer {
        self.pending
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// What is wrong with the body; then it never counts as done.
    pub fn poll_next(
        &mut self,
        stream: &Stream,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Buffer>, BodyFault>> {
        if let Some(fault) = self.held.take() {
            return Poll::Ready(Err(fault));
        }
        let next = self.poll_piece(stream, cx);
        self.failed |= matches!(next, Poll::Ready(Err(_)));
        next
    }

    fn poll_piece(
        &mut self,
        stream: &Stream,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Buffer>, BodyFault>> {
        loop {
            if self.is_done() {
                return Poll::Ready(Ok(None));
            }
            if !self.pending.is_empty()
                && let Some(piece) = self.unframe()?
            {
                return Poll::Ready(Ok(Some(piece)));
            }
            if self.is_done() {
                return Poll::Ready(Ok(None));
            }
            self.widen(stream);
            match ready!(stream.poll_receive(cx)) {
                Ok(Some(buffer)) => self.pending = buffer,
                Ok(None) if matches!(self.rest, Rest::UntilClose) => self.rest = Rest::Nothing,
                Ok(None) => return Poll::Ready(Err(BodyFault::Cut)),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Poll::Ready(Err(BodyFault::TooSlow));
                }
                Err(error) => return Poll::Ready(Err(BodyFault::Broken(error))),
            }
        }
    }

    /// Takes the framing off what is pending; `None` when more bytes are needed.
    fn unframe(&mut self) -> Result<Option<Buffer>, BodyFault> {
        let piece = match &mut self.rest {
            Rest::Nothing | Rest::Ended(_) => return Ok(None),
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

    /// Lets a long body arrive in large buffers from here on.
    fn widen(&mut self, stream: &Stream) {
        let long = match self.rest {
            Rest::Nothing | Rest::Ended(_) => false,
            Rest::Length(length) => length >= STREAMED_FROM_BYTES,
            Rest::Chunked(_) | Rest::UntilClose => self.passed_bytes >= STREAMED_FROM_BYTES,
        };
        if long && !self.streamed {
            self.streamed = true;
            stream.stream_body(true);
        }
    }
}
