//! HTTP/2 frames as bytes (RFC 9113 4 and 6), well-formed or not: what a case sends is its own.

use std::fmt;

/// Frame types (RFC 9113 6).
pub(super) mod kind {
    pub(in crate::http2) const DATA: u8 = 0;
    pub(in crate::http2) const HEADERS: u8 = 1;
    pub(in crate::http2) const PRIORITY: u8 = 2;
    pub(in crate::http2) const RST_STREAM: u8 = 3;
    pub(in crate::http2) const SETTINGS: u8 = 4;
    pub(in crate::http2) const PUSH_PROMISE: u8 = 5;
    pub(in crate::http2) const PING: u8 = 6;
    pub(in crate::http2) const GOAWAY: u8 = 7;
    pub(in crate::http2) const WINDOW_UPDATE: u8 = 8;
    pub(in crate::http2) const CONTINUATION: u8 = 9;
}

const NAMES: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const PRIORITY: u8 = 0x20;
/// The flags of a request that is whole in one frame.
pub(super) const WHOLE: u8 = END_STREAM | END_HEADERS;

/// Settings (RFC 9113 6.5.2).
pub(super) mod setting {
    pub(in crate::http2) const HEADER_TABLE_SIZE: u16 = 1;
    pub(in crate::http2) const ENABLE_PUSH: u16 = 2;
    pub(in crate::http2) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(in crate::http2) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(in crate::http2) const MAX_FRAME_SIZE: u16 = 5;
}

/// An error code (RFC 9113 7).
pub(super) type Code = u32;

pub(super) const NO_ERROR: Code = 0;
pub(super) const PROTOCOL_ERROR: Code = 1;
pub(super) const FLOW_CONTROL_ERROR: Code = 3;
pub(super) const STREAM_CLOSED: Code = 5;
pub(super) const FRAME_SIZE_ERROR: Code = 6;
pub(super) const REFUSED_STREAM: Code = 7;
pub(super) const CANCEL: Code = 8;
pub(super) const COMPRESSION_ERROR: Code = 9;
pub(super) const ENHANCE_YOUR_CALM: Code = 11;

/// By number.
pub(super) const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

pub(super) fn code_name(code: Code) -> String {
    CODES.get(code as usize).map_or_else(|| format!("code {code}"), |name| (*name).to_owned())
}

/// One frame; the length is the payload's.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// With the reserved bit, as sent.
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        assert_eq!(length[0], 0, "a frame's length has 24 bits");
        let mut bytes = vec![length[1], length[2], length[3], self.kind, self.flags];
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Takes the first frame off `bytes`, when it is whole.
    pub(super) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let length = u32::from_be_bytes([0, *bytes.first()?, *bytes.get(1)?, *bytes.get(2)?]);
        let end = 9 + length as usize;
        if bytes.len() < end {
            return None;
        }
        let rest = bytes.split_off(end);
        let whole = std::mem::replace(bytes, rest);
        let stream = u32::from_be_bytes(whole[5..9].try_into().unwrap());
        Some(Self::new(whole[3], whole[4], stream, &whole[9..]))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag == flag
    }

    /// The error code of RST_STREAM and GOAWAY.
    pub(super) fn code(&self) -> Option<Code> {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?))
    }

    /// What a WINDOW_UPDATE frame adds.
    pub(super) fn increment(&self) -> usize {
        u32::from_be_bytes(self.payload[..].try_into().unwrap()) as usize
    }

    /// Identifier and value of each setting.
    pub(super) fn settings(&self) -> impl Iterator<Item = (u16, u32)> {
        self.payload.chunks_exact(6).map(|one| {
            let value = u32::from_be_bytes(one[2..].try_into().unwrap());
            (u16::from_be_bytes([one[0], one[1]]), value)
        })
    }

    /// DATA and HEADERS without padding and priority.
    pub(super) fn content(&self) -> &[u8] {
        let padding = if self.has(PADDED) { usize::from(self.payload[0]) } else { 0 };
        let mut from = usize::from(self.has(PADDED));
        if self.kind == kind::HEADERS && self.has(PRIORITY) {
            from += 5;
        }
        &self.payload[from..self.payload.len() - padding]
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.kind)) {
            Some(name) => write!(out, "{name}")?,
            None => write!(out, "type {}", self.kind)?,
        }
        write!(out, "(stream {}, flags {:#x}, ", self.stream, self.flags)?;
        match self.code() {
            Some(code) => write!(out, "{}", code_name(code))?,
            None => write!(out, "{} bytes", self.payload.len())?,
        }
        if self.kind == kind::GOAWAY && self.payload.len() > 8 {
            write!(out, " {:?}", String::from_utf8_lossy(&self.payload[8..]))?;
        }
        write!(out, ")")
    }
}

pub(super) fn data(stream: u32, flags: u8, content: impl Into<Vec<u8>>) -> Frame {
    Frame::new(kind::DATA, flags, stream, content)
}

pub(super) fn headers(stream: u32, flags: u8, block: impl Into<Vec<u8>>) -> Frame {
    Frame::new(kind::HEADERS, flags, stream, block)
}

pub(super) fn continuation(stream: u32, flags: u8, block: impl Into<Vec<u8>>) -> Frame {
    Frame::new(kind::CONTINUATION, flags, stream, block)
}

/// HEADERS or DATA whose content stands before `padding` bytes of padding.
pub(super) fn padded(mut frame: Frame, padding: u8) -> Frame {
    frame.flags |= PADDED;
    frame.payload.insert(0, padding);
    frame.payload.extend(vec![0; usize::from(padding)]);
    frame
}

/// HEADERS with the fields of a priority before its block.
pub(super) fn prioritized(mut frame: Frame, depends_on: u32, weight: u8) -> Frame {
    frame.flags |= PRIORITY;
    let mut payload = priority_fields(depends_on, weight);
    payload.append(&mut frame.payload);
    frame.payload = payload;
    frame
}

/// An exclusive dependency has the high bit of `depends_on`.
pub(super) fn priority(stream: u32, depends_on: u32, weight: u8) -> Frame {
    Frame::new(kind::PRIORITY, 0, stream, priority_fields(depends_on, weight))
}

pub(super) const EXCLUSIVE: u32 = 1 << 31;

fn priority_fields(depends_on: u32, weight: u8) -> Vec<u8> {
    let mut fields = depends_on.to_be_bytes().to_vec();
    fields.push(weight);
    fields
}

pub(super) fn reset(stream: u32, code: Code) -> Frame {
    Frame::new(kind::RST_STREAM, 0, stream, code.to_be_bytes())
}

pub(super) fn settings(values: &[(u16, u32)]) -> Frame {
    let mut payload = Vec::new();
    for (identifier, value) in values {
        payload.extend(identifier.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    Frame::new(kind::SETTINGS, 0, 0, payload)
}

pub(super) fn settings_ack() -> Frame {
    Frame::new(kind::SETTINGS, ACK, 0, [])
}

pub(super) fn ping(flags: u8, content: [u8; 8]) -> Frame {
    Frame::new(kind::PING, flags, 0, content)
}

pub(super) fn goaway(last: u32, code: Code, text: &str) -> Frame {
    let mut payload = last.to_be_bytes().to_vec();
    payload.extend(code.to_be_bytes());
    payload.extend(text.as_bytes());
    Frame::new(kind::GOAWAY, 0, 0, payload)
}

pub(super) fn window_update(stream: u32, by: u32) -> Frame {
    Frame::new(kind::WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

pub(super) fn push_promise(stream: u32, promised: u32, block: &[u8]) -> Frame {
    let mut payload = promised.to_be_bytes().to_vec();
    payload.extend(block);
    Frame::new(kind::PUSH_PROMISE, END_HEADERS, stream, payload)
}
