//! A connection's receiving side in small: it reads message after message out of whatever pieces
//! come, and tells what it read as text, so that two readings can be compared.

use std::{
    fmt::{Display, Write as _},
    rc::Rc,
};

use super::super::*;
use crate::{
    base::{Buffer, Shelf},
    http::{ConnectionOptions, Fields, Method, RequestHead, ResponseHead},
};

/// How the bytes ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Between messages.
    Between,
    /// Within a message.
    Within,
    /// The last message ends the connection; what follows is not read.
    Closed,
    /// The last message asks for another protocol; what follows may belong to that.
    Switch,
    /// Refused, with the sentence.
    Refused(String),
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Each whole message as text.
    pub(super) messages: Vec<String>,
    /// Heads, whole messages' and a last one's.
    pub(super) heads: usize,
    /// What was read of a message that is not whole.
    pub(super) partial: String,
    /// Bytes that belong to whole messages.
    pub(super) consumed: usize,
    pub(super) end: End,
}

impl Reading {
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self.end, End::Refused(_))
    }
}

/// A parsed head of either direction, as far as a reader needs it.
pub(super) struct Head {
    pub(super) text: String,
    pub(super) framing: Framing,
    pub(super) connection: ConnectionOptions,
    pub(super) is_switch: bool,
}

/// One direction's parser.
pub(super) trait Side: Default {
    fn parse(&mut self, buffer: &Buffer) -> Result<Progress<Head>, String>;
}

#[derive(Default)]
pub(super) struct Requests(RequestScan);

impl Side for Requests {
    fn parse(&mut self, buffer: &Buffer) -> Result<Progress<Head>, String> {
        let progress =
            parse_request(buffer, &mut self.0, RequestHead::pool(1).take(), &HeadLimits::REQUEST);
        match progress.map_err(|refusal| tell(refusal.status().code(), refusal))? {
            Progress::Partial => Ok(Progress::Partial),
            Progress::Complete { head, consumed } => {
                let text = tell_request(&head);
                let connection = head.connection;
                let framing = request_framing(&head);
                let is_switch = connection.upgrade;
                Ok(Progress::Complete {
                    head: Head { text, framing, connection, is_switch },
                    consumed,
                })
            }
        }
    }
}

/// Answers to GET requests.
#[derive(Default)]
pub(super) struct Responses(ResponseScan);

impl Side for Responses {
    fn parse(&mut self, buffer: &Buffer) -> Result<Progress<Head>, String> {
        let progress = parse_response(
            buffer,
            &mut self.0,
            ResponseHead::pool(1).take(),
            &HeadLimits::RESPONSE,
        );
        match progress.map_err(|malformed| tell(502, malformed))? {
            Progress::Partial => Ok(Progress::Partial),
            Progress::Complete { head, consumed } => {
                let framing = response_framing(Method::Get, &head);
                let mut text = format!("{} {:?} {framing:?}", head.status.code(), head.version);
                tell_fields(&mut text, head.fields());
                let is_switch = head.status.code() == 101;
                let connection = head.connection;
                Ok(Progress::Complete {
                    head: Head { text, framing, connection, is_switch },
                    consumed,
                })
            }
        }
    }
}

pub(super) fn tell_request(head: &RequestHead) -> String {
    let target = head.target();
    let authority = head.authority();
    let mut text = format!(
        "{} {:?} {} {:?} {}:{:?} {:?} {:?} {}",
        head.method.as_str(),
        head.version,
        target.path.escape_ascii(),
        target.query.map(|query| query.escape_ascii().to_string()),
        authority.host.escape_ascii(),
        authority.port,
        head.framing,
        head.connection,
        head.expects_continue,
    );
    tell_fields(&mut text, head.fields());
    text
}

fn tell(status: u16, sentence: impl Display) -> String {
    format!("{status} {sentence}")
}

fn tell_fields(text: &mut String, fields: Fields<'_>) {
    for (_, name, value) in fields.iter() {
        let _ = write!(text, "\n{}: {}", name.escape_ascii(), value.escape_ascii());
    }
}

enum Rest {
    Head,
    Length(u64),
    Chunked(Box<ChunkedDecoder>),
    UntilClose,
}

/// Reads messages out of pieces.
pub(super) struct Reader<S> {
    side: S,
    shelf: Rc<Shelf>,
    pending: Vec<u8>,
    rest: Rest,
    current: String,
    ends_after: Option<End>,
    fed: usize,
    reading: Reading,
}

impl<S: Side> Reader<S> {
    pub(super) fn new() -> Self {
        Self {
            side: S::default(),
            shelf: Shelf::new(1 << 16, 16),
            pending: Vec::new(),
            rest: Rest::Head,
            current: String::new(),
            ends_after: None,
            fed: 0,
            reading: Reading {
                messages: Vec::new(),
                heads: 0,
                partial: String::new(),
                consumed: 0,
                end: End::Between,
            },
        }
    }

    fn feed(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
        self.fed += piece.len();
        while self.reading.end == End::Between || self.reading.end == End::Within {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(sentence) => self.reading.end = End::Refused(sentence),
            }
        }
    }

    /// One step; false when it needs more bytes.
    fn step(&mut self) -> Result<bool, String> {
        match &mut self.rest {
            Rest::Head => self.step_head(),
            Rest::Length(length) => {
                let here = usize::try_from(*length).unwrap().min(self.pending.len());
                *length -= here as u64;
                let done = *length == 0;
                self.take_body(0..here, here);
                if done {
                    self.finish();
                }
                Ok(done)
            }
            Rest::UntilClose => {
                self.take_body(0..self.pending.len(), self.pending.len());
                Ok(false)
            }
            Rest::Chunked(decoder) => {
                let event = decoder.decode(&self.pending).map_err(|fault| tell(400, fault))?;
                match event {
                    ChunkEvent::Data { range, consumed } => {
                        assert!(!range.is_empty() && range.end <= consumed);
                        self.take_body(range, consumed);
                        Ok(true)
                    }
                    ChunkEvent::More { consumed } => {
                        assert_eq!(consumed, self.pending.len());
                        self.pending.clear();
                        Ok(false)
                    }
                    ChunkEvent::End { consumed } => {
                        decoder.take_trailers().visit(|name, value| {
                            let (name, value) = (name.escape_ascii(), value.escape_ascii());
                            let _ = write!(self.current, "\ntrailer {name}: {value}");
                        });
                        self.pending.drain(..consumed);
                        self.finish();
                        Ok(true)
                    }
                }
            }
        }
    }

    fn step_head(&mut self) -> Result<bool, String> {
        if self.pending.is_empty() {
            return Ok(false);
        }
        let buffer = self.shelf.gather(&[&self.pending]).expect("test input fits one block");
        let Progress::Complete { head, consumed } = self.side.parse(&buffer)? else {
            self.reading.end = End::Within;
            return Ok(false);
        };
        assert!(consumed <= self.pending.len());
        self.pending.drain(..consumed);
        self.reading.heads += 1;
        self.current = head.text;
        self.current.push_str("\n\n");
        self.reading.end = End::Within;
        self.ends_after = match () {
            () if head.is_switch => Some(End::Switch),
            () if !head.connection.keep_alive => Some(End::Closed),
            () => None,
        };
        match head.framing {
            Framing::None | Framing::Length(0) => self.finish(),
            Framing::Length(length) => self.rest = Rest::Length(length),
            Framing::Chunked => self.rest = Rest::Chunked(Box::default()),
            Framing::UntilClose => self.rest = Rest::UntilClose,
        }
        Ok(true)
    }

    fn take_body(&mut self, range: std::ops::Range<usize>, consumed: usize) {
        let _ = write!(self.current, "{}", self.pending[range].escape_ascii());
        self.pending.drain(..consumed);
    }

    fn finish(&mut self) {
        self.reading.messages.push(std::mem::take(&mut self.current));
        self.rest = Rest::Head;
        self.reading.end = self.ends_after.take().unwrap_or(End::Between);
        self.reading.consumed = self.fed - self.pending.len();
    }
}

/// Reads these pieces, one after the other.
pub(super) fn read_pieces<S: Side>(pieces: &[&[u8]]) -> Reading {
    let mut reader = Reader::<S>::new();
    for piece in pieces {
        reader.feed(piece);
    }
    reader.reading.partial = reader.current;
    reader.reading
}

/// Reads the bytes in one piece, byte by byte, and cut in two at every place; all must agree.
#[track_caller]
pub(super) fn read<S: Side>(bytes: &[u8]) -> Reading {
    let whole = read_pieces::<S>(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read_pieces::<S>(&single), whole, "byte by byte: {}", bytes.escape_ascii());
    for at in 1..bytes.len() {
        let (first, second) = bytes.split_at(at);
        let halves = read_pieces::<S>(&[first, second]);
        assert_eq!(halves, whole, "cut at {at}: {}", bytes.escape_ascii());
    }
    whole
}
