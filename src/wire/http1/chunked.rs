//! The chunked transfer coding (RFC 9112 section 7.1), decoded in place and without leniency.
//!
//! CRLF only, no white space around a chunk's size, extensions read and ignored but bounded and
//! held to their grammar. (RFC 9110 5.6.3 lets a recipient take "bad" white space around `;` and
//! `=`; servers differ there, so it is refused.) The data is never copied; a trailer section is.

use std::{fmt, ops::Range};

use super::{
    Fault, HeadLimits, class,
    scan::{NoLine, Scan},
    trailers::Trailers,
};
use crate::{base::limits, http::hex_digit};

/// Sizes have at most this many hex digits, zeros included: what is longer overflows somewhere.
const SIZE_DIGITS_MAX: u8 = 16;

/// The bounds of what stands between the data.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// One chunk-size line with its extensions and CRLF.
    pub line_bytes_max: usize,
    /// The trailer section with its empty line.
    pub trailer_bytes_max: usize,
    /// Trailer fields.
    pub fields_max: usize,
}

impl ChunkLimits {
    /// From `base::limits`.
    pub const DEFAULT: Self = Self {
        line_bytes_max: limits::CHUNK_LINE_BYTES_MAX,
        trailer_bytes_max: limits::TRAILER_BYTES_MAX,
        fields_max: limits::HEAD_FIELDS_MAX,
    };
}

/// What the decoder found next, and how many of the given bytes are used up with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkEvent {
    /// Data, never empty.
    Data {
        /// Where it lies in the given bytes.
        range: Range<usize>,
        /// Bytes used up: the range's end.
        consumed: usize,
    },
    /// The given bytes are used up; the body goes on.
    More {
        /// All of them.
        consumed: usize,
    },
    /// The body ended, trailer section and empty line included.
    End {
        /// Bytes used up; the next message follows.
        consumed: usize,
    },
}

/// Why a chunked body is refused: 400 (or 502) and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFault {
    /// No hex digit, more than 16, or another byte right after the size.
    Size,
    /// An extension that is not `;token[=token-or-quoted-string]`.
    Extension,
    /// The size line is longer than its limit.
    LineTooLong,
    /// A CR without a LF or a LF without a CR around a size line.
    LineEnd,
    /// No CRLF right after a chunk's data.
    DataEnd,
    /// The trailer section's syntax.
    Trailer(Fault),
    /// A trailer field that would change the framing.
    FramingTrailer,
}

impl ChunkFault {
    /// One sentence for logs.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Size => "a chunk's size is not 1 to 16 hex digits",
            Self::Extension => "a chunk extension is malformed",
            Self::LineTooLong => "a chunk's size line is longer than its limit",
            Self::LineEnd => "a chunk's size line does not end in CRLF",
            Self::DataEnd => "a chunk's data is not followed by CRLF",
            Self::Trailer(fault) => fault.sentence(),
            Self::FramingTrailer => "a trailer field about framing",
        }
    }
}

impl fmt::Display for ChunkFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.sentence())
    }
}

/// One body's decoder. Feed it the bytes as they come, in any pieces.
#[derive(Debug)]
pub struct ChunkedDecoder {
    limits: ChunkLimits,
    at: At,
    /// Of the size line being read, or what is left of the chunk's data.
    size: u64,
    /// Hex digits of the size so far.
    digits: u8,
    /// Bytes of the size line so far.
    line_bytes: usize,
    decoded: u64,
    section: Scan<NoLine>,
    trailers: Trailers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    ExtensionStart,
    ExtensionName,
    ExtensionValueStart,
    ExtensionValue,
    Quoted,
    QuotedEscape,
    QuotedEnd,
    LineLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    Ended,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkedDecoder {
    /// A decoder for one body, under the limits of `base::limits`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(ChunkLimits::DEFAULT)
    }

    /// A decoder for one body.
    #[must_use]
    pub fn with_limits(limits: ChunkLimits) -> Self {
        Self {
            limits,
            at: At::Size,
            size: 0,
            digits: 0,
            line_bytes: 0,
            decoded: 0,
            section: Scan::default(),
            trailers: Trailers::default(),
        }
    }

    /// Decoded bytes so far.
    #[must_use]
    pub const fn decoded(&self) -> u64 {
        self.decoded
    }

    /// The trailer fields; complete after [`ChunkEvent::End`].
    #[must_use]
    pub fn take_trailers(&mut self) -> Trailers {
        std::mem::take(&mut self.trailers)
    }

    /// Reads on in `bytes`. Call it again with what is left until it says `More` or `End`; after
    /// `End` it uses nothing.
    ///
    /// # Errors
    /// At the first byte that cannot belong to a chunked body.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<ChunkEvent, ChunkFault> {
        let mut used = 0;
        while used < bytes.len() && self.at != At::Ended {
            match self.at {
                At::Data => {
                    let end = used + self.take(bytes.len() - used);
                    return Ok(ChunkEvent::Data { range: used..end, consumed: end });
                }
                At::Trailer => used += self.read_trailers(&bytes[used..])?,
                _ => {
                    self.step(bytes[used])?;
                    used += 1;
                }
            }
        }
        if self.at == At::Ended {
            return Ok(ChunkEvent::End { consumed: used });
        }
        Ok(ChunkEvent::More { consumed: used })
    }

    /// Counts off data of at most `available` bytes.
    fn take(&mut self, available: usize) -> usize {
        let count = usize::try_from(self.size).unwrap_or(usize::MAX).min(available);
        self.size -= count as u64;
        self.decoded += count as u64;
        if self.size == 0 {
            self.at = At::DataCr;
        }
        count
    }

    /// One byte of what stands between the data.
    fn step(&mut self, byte: u8) -> Result<(), ChunkFault> {
        match self.at {
            At::DataCr if byte == b'\r' => self.at = At::DataLf,
            At::DataLf if byte == b'\n' => self.at = At::Size,
            At::DataCr | At::DataLf => return Err(ChunkFault::DataEnd),
            _ => {
                self.line_bytes += 1;
                if self.line_bytes > self.limits.line_bytes_max {
                    return Err(ChunkFault::LineTooLong);
                }
                self.step_line(byte)?;
            }
        }
        Ok(())
    }

    fn step_line(&mut self, byte: u8) -> Result<(), ChunkFault> {
        match (self.at, byte) {
            (At::Size, b'\r' | b';') if self.digits == 0 => return Err(ChunkFault::Size),
            (At::Size | At::ExtensionName | At::ExtensionValue | At::QuotedEnd, b'\r') => {
                self.at = At::LineLf;
            }
            (At::Size | At::ExtensionName | At::ExtensionValue | At::QuotedEnd, b';') => {
                self.at = At::ExtensionStart;
            }
            (At::Size, b'\n') => return Err(ChunkFault::LineEnd),
            (At::Size, _) => self.add_digit(byte)?,
            (At::LineLf, b'\n') => self.start_data(),
            (At::LineLf, _) => return Err(ChunkFault::LineEnd),
            _ => self.at = step_extension(self.at, byte)?,
        }
        Ok(())
    }

    fn add_digit(&mut self, byte: u8) -> Result<(), ChunkFault> {
        let digit = hex_digit(byte).ok_or(ChunkFault::Size)?;
        if self.digits == SIZE_DIGITS_MAX {
            return Err(ChunkFault::Size);
        }
        self.digits += 1;
        self.size = self.size << 4 | u64::from(digit);
        Ok(())
    }

    /// The size line ended: data follows, or after the last chunk the trailer section.
    fn start_data(&mut self) {
        self.at = if self.size == 0 { At::Trailer } else { At::Data };
        self.digits = 0;
        self.line_bytes = 0;
    }

    fn read_trailers(&mut self, bytes: &[u8]) -> Result<usize, ChunkFault> {
        let head_limits = HeadLimits {
            head_bytes_max: self.limits.trailer_bytes_max,
            target_bytes_max: 0,
            fields_max: self.limits.fields_max,
            body_bytes_max: 0,
        };
        let (used, ended) = self.section.feed(bytes, &head_limits).map_err(ChunkFault::Trailer)?;
        // The usual section is the empty line alone: nothing to keep, nothing allocated.
        let part = &bytes[..used];
        if !self.trailers.is_empty() || !matches!(part, b"\r\n" | b"\r" | b"\n") {
            self.trailers.push(part);
        }
        if ended {
            self.at = At::Ended;
            self.trailers.check()?;
        }
        Ok(used)
    }
}

/// `*( ";" token [ "=" ( token / quoted-string ) ] )` without white space.
fn step_extension(at: At, byte: u8) -> Result<At, ChunkFault> {
    let sets = class::of(byte);
    match (at, byte) {
        (At::ExtensionName, b'=') => Ok(At::ExtensionValueStart),
        (At::ExtensionStart | At::ExtensionName, _) if sets & class::TOKEN != 0 => {
            Ok(At::ExtensionName)
        }
        (At::ExtensionValueStart, b'"') => Ok(At::Quoted),
        (At::ExtensionValueStart | At::ExtensionValue, _) if sets & class::TOKEN != 0 => {
            Ok(At::ExtensionValue)
        }
        (At::Quoted, b'"') => Ok(At::QuotedEnd),
        (At::Quoted, b'\\') => Ok(At::QuotedEscape),
        (At::Quoted | At::QuotedEscape, _) if sets & class::VALUE != 0 => Ok(At::Quoted),
        (_, b'\n') => Err(ChunkFault::LineEnd),
        _ => Err(ChunkFault::Extension),
    }
}
