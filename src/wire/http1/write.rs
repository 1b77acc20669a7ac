//! Heads and chunk lines, written into a `Vec<u8>` without `fmt`.
//!
//! Nothing written here can end a line early: a name that is no token, and a value with a control
//! byte other than HTAB, are *dropped* with their whole field, and counted
//! ([`HeadWriter::dropped`]), because a sink has no way back to an error. Fields of a parsed head
//! were checked at parsing and are copied as they are ([`HeadWriter::forward`]).

use std::ops::Range;

use super::{class, trailers::Trailers};
use crate::{
    base::append,
    http::{Case, Field, Fields, Framing, HeadSink, Method, Name, Status},
};

/// Writes one head, appending to `text`: a start line ([`HeadSink`]), fields, [`HeadWriter::end`].
/// The version is always ours, HTTP/1.1 (RFC 9112 2.3).
pub struct HeadWriter<'a> {
    text: &'a mut Vec<u8>,
    dropped: u32,
}

impl<'a> HeadWriter<'a> {
    /// A writer of one head at the end of `text`.
    #[must_use]
    pub const fn new(text: &'a mut Vec<u8>) -> Self {
        Self { text, dropped: 0 }
    }

    /// A field whose value is a number.
    pub fn number(&mut self, name: &[u8], value: u64) {
        self.field(name, &[itoa::Buffer::new().format(value).as_bytes()]);
    }

    /// The field that declares this framing; none for `None` and `UntilClose`.
    pub fn framing(&mut self, framing: Framing) {
        match framing {
            Framing::None | Framing::UntilClose => {}
            Framing::Chunked => write_chunked(self.text),
            Framing::Length(length) => write_content_length(self.text, length),
        }
    }

    /// Copies the fields of a parsed head (`bytes` and `fields` of one `RequestHead` or
    /// `ResponseHead`) that `keep` says yes to. Neighbouring lines are copied in one piece.
    pub fn forward(
        &mut self,
        bytes: &[u8],
        fields: &[Field],
        case: Case,
        mut keep: impl FnMut(Name, &[u8]) -> bool,
    ) {
        // Kept lines that were not copied yet: their fields, where they start and end.
        let (mut first, mut start, mut end) = (0, 0, 0);
        for (place, field) in fields.iter().enumerate() {
            if !keep(field.name, field.name_span.of(bytes)) {
                continue;
            }
            let line_start = usize::from(field.name_span.start);
            let value_end = usize::from(field.value_span.end);
            // Usually `name: value CRLF`; white space beyond that is not forwarded.
            let is_plain = field.value_span.start == field.name_span.end + 2
                && bytes[usize::from(field.name_span.end) + 1] == b' '
                && bytes.get(value_end..value_end + 2) == Some(b"\r\n");
            if is_plain && line_start == end {
                end = value_end + 2;
                continue;
            }
            self.copy_lines(bytes, start..end, &fields[first..place], case);
            if is_plain {
                (first, start, end) = (place, line_start, value_end + 2);
            } else {
                (first, start, end) = (place + 1, 0, 0);
                self.copy(field.name_span.of(bytes), field.value_span.of(bytes), case);
            }
        }
        self.copy_lines(bytes, start..end, &fields[first..], case);
    }

    /// Copies whole lines; the names in them are of `fields`, which may lie beyond them too.
    fn copy_lines(&mut self, bytes: &[u8], lines: Range<usize>, fields: &[Field], case: Case) {
        let copied = self.text.len();
        self.text.extend_from_slice(&bytes[lines.clone()]);
        if case == Case::AsSent {
            return;
        }
        for Field { name, name_span, .. } in fields {
            let (start, end) = (usize::from(name_span.start), usize::from(name_span.end));
            if end > lines.end {
                break;
            }
            let text = &mut self.text[copied + start - lines.start..copied + end - lines.start];
            match name.as_str().as_bytes() {
                lower if lower.len() == text.len() => text.copy_from_slice(lower),
                _ => text.make_ascii_lowercase(),
            }
        }
    }

    /// The empty line. How many fields were dropped because they could have broken the head; the
    /// caller counts and logs them.
    #[must_use]
    pub fn end(self) -> u32 {
        self.text.extend_from_slice(b"\r\n");
        self.dropped
    }

    /// Fields dropped so far.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    fn copy(&mut self, name: &[u8], value: &[u8], case: Case) {
        let start = self.text.len();
        append!(self.text, name, b": ", value, b"\r\n");
        if case == Case::Lower {
            self.text[start..start + name.len()].make_ascii_lowercase();
        }
    }
}

impl HeadSink for HeadWriter<'_> {
    /// A byte that may not stand in a target is percent-encoded.
    fn request_line(&mut self, method: Method, target: &[u8]) {
        append!(self.text, method.as_str().as_bytes(), b" ");
        push_visible(self.text, target);
        self.text.extend_from_slice(b" HTTP/1.1\r\n");
    }

    fn status_line(&mut self, status: Status) {
        if status == Status::OK {
            self.text.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
            return;
        }
        self.text.extend_from_slice(b"HTTP/1.1 ");
        self.text.extend_from_slice(itoa::Buffer::new().format(status.code()).as_bytes());
        self.text.push(b' ');
        self.text.extend_from_slice(status.reason().as_bytes());
        self.text.extend_from_slice(b"\r\n");
    }

    fn field(&mut self, name: &[u8], value: &[&[u8]]) {
        let is_value = value.iter().all(|part| class::common(part) & class::VALUE != 0);
        if !class::is_token(name) || !is_value {
            self.dropped += 1;
            return;
        }
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        for part in value {
            self.text.extend_from_slice(part);
        }
        self.text.extend_from_slice(b"\r\n");
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a constant piece is then a store or two")]
    fn sound_lines<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        for piece in &pieces {
            self.text.extend_from_slice(piece);
        }
    }

    fn sound_field(&mut self, name: &[u8], value: &[&[u8]]) {
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        for part in value {
            self.text.extend_from_slice(part);
        }
        self.text.extend_from_slice(b"\r\n");
    }

    fn forward(&mut self, fields: Fields<'_>, case: Case, keep: impl FnMut(Name, &[u8]) -> bool) {
        let (bytes, list) = fields.parts();
        HeadWriter::forward(self, bytes, list, case, keep);
    }
}

/// `Content-Length: length`, a line of a head.
pub fn write_content_length(text: &mut Vec<u8>, length: u64) {
    let mut digits = itoa::Buffer::new();
    append!(text, b"content-length: ", digits.format(length).as_bytes(), b"\r\n");
}

/// `Transfer-Encoding: chunked`, a line of a head.
pub fn write_chunked(text: &mut Vec<u8>) {
    text.extend_from_slice(b"transfer-encoding: chunked\r\n");
}

/// The size line of a chunk of `size` bytes (more than 0); after its data comes a CRLF.
pub fn write_chunk_head(text: &mut Vec<u8>, size: usize) {
    debug_assert!(size > 0, "an empty chunk ends the body");
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for index in (0..digits).rev() {
        let digit = (size >> (4 * index)) & 0xF;
        text.push(b"0123456789abcdef"[digit]);
    }
    text.extend_from_slice(b"\r\n");
}

/// What ends a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";
/// The last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The last chunk and the trailer fields that may be forwarded.
pub fn write_last_chunk(text: &mut Vec<u8>, trailers: &Trailers) {
    text.extend_from_slice(b"0\r\n");
    let mut writer = HeadWriter::new(text);
    trailers.visit(|name, value| writer.copy(name, value, Case::AsSent));
    // The fields were checked by the decoder; nothing can be dropped.
    let _ = writer.end();
}

/// Copies what may stand in a request target; percent-encodes the rest, so that no SP, CR or LF
/// of a plan or a mapping can end the request line.
fn push_visible(text: &mut Vec<u8>, part: &[u8]) {
    if class::common(part) & class::VISIBLE != 0 {
        text.extend_from_slice(part);
        return;
    }
    for byte in part {
        if class::of(*byte) & class::VISIBLE != 0 {
            text.push(*byte);
        } else {
            text.push(b'%');
            text.push(b"0123456789ABCDEF"[usize::from(byte >> 4)]);
            text.push(b"0123456789ABCDEF"[usize::from(byte & 0xF)]);
        }
    }
}
