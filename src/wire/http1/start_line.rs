//! Request lines and status lines, byte by byte, for [`super::scan`].

use super::{Fault, HeadLimits, Malformed, Refusal, class, scan::StartLine};

/// No registered method is longer than 17 bytes; what is longer is no method.
pub(super) const METHOD_BYTES_MAX: usize = 32;

/// `METHOD SP target SP HTTP/d.d CRLF`, with at most one empty line before it (RFC 9112 2.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestLine {
    at: RequestAt,
    /// Bytes of the current part.
    length: usize,
    skipped: bool,
    known_version: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RequestAt {
    #[default]
    Start,
    LeadingCr,
    Method,
    Target,
    Version,
    Cr,
}

impl StartLine for RequestLine {
    type Error = Refusal;
    const PRESENT: bool = true;

    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<bool, Refusal> {
        let next = match self.at {
            RequestAt::Start => self.step_start(byte)?,
            RequestAt::LeadingCr if byte == b'\n' => RequestAt::Start,
            RequestAt::Cr if byte == b'\n' => return Ok(true),
            RequestAt::LeadingCr | RequestAt::Cr => return Err(Fault::BareCr.into()),
            RequestAt::Method => self.step_method(byte)?,
            RequestAt::Target => self.step_target(byte, limits)?,
            RequestAt::Version => self.step_version(byte)?,
        };
        if next == self.at {
            self.length += 1;
        } else {
            self.length = usize::from(next == RequestAt::Method);
            self.at = next;
        }
        Ok(false)
    }
}

impl RequestLine {
    fn step_start(&mut self, byte: u8) -> Result<RequestAt, Refusal> {
        match byte {
            b'\r' if self.skipped => Err(Refusal::LeadingLine),
            b'\r' => {
                self.skipped = true;
                Ok(RequestAt::LeadingCr)
            }
            b'\n' => Err(Fault::BareLf.into()),
            _ if class::of(byte) & class::TOKEN != 0 => Ok(RequestAt::Method),
            _ => Err(Refusal::Method),
        }
    }

    const fn is_full(&self, most: usize) -> bool {
        self.length >= most
    }

    fn step_method(&self, byte: u8) -> Result<RequestAt, Refusal> {
        match byte {
            b' ' => Ok(RequestAt::Target),
            _ if class::of(byte) & class::TOKEN == 0 => Err(Refusal::Method),
            _ if self.is_full(METHOD_BYTES_MAX) => Err(Refusal::Method),
            _ => Ok(RequestAt::Method),
        }
    }

    fn step_target(&self, byte: u8, limits: &HeadLimits) -> Result<RequestAt, Refusal> {
        match byte {
            b' ' if self.length == 0 => Err(Refusal::TargetByte),
            b' ' => Ok(RequestAt::Version),
            b'\r' | b'\n' => Err(Refusal::Version),
            _ if class::of(byte) & class::VISIBLE == 0 => Err(Refusal::TargetByte),
            _ if self.is_full(limits.target_bytes_max) => Err(Refusal::TargetTooLong),
            _ => Ok(RequestAt::Target),
        }
    }

    fn step_version(&mut self, byte: u8) -> Result<RequestAt, Refusal> {
        let fits = match self.length {
            0..5 => byte == b"HTTP/"[self.length],
            5 => {
                self.known_version = byte == b'1';
                byte.is_ascii_digit()
            }
            6 => byte == b'.',
            7 => {
                self.known_version &= matches!(byte, b'0' | b'1');
                byte.is_ascii_digit()
            }
            _ => match byte {
                b'\r' if self.known_version => return Ok(RequestAt::Cr),
                b'\r' => return Err(Refusal::VersionUnknown),
                b'\n' => return Err(Fault::BareLf.into()),
                _ => false,
            },
        };
        if fits { Ok(RequestAt::Version) } else { Err(Refusal::Version) }
    }
}

/// `HTTP/1.d SP 3DIGIT [SP reason] CRLF`; the SP before an absent reason may be absent too.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusLine {
    /// Bytes read; stays at `REASON_AT` within the reason.
    length: usize,
    cr: bool,
}

/// The index of the reason's first byte.
const REASON_AT: usize = b"HTTP/1.1 200 ".len();

impl StartLine for StatusLine {
    type Error = Malformed;
    const PRESENT: bool = true;

    fn step(&mut self, byte: u8, _: &HeadLimits) -> Result<bool, Malformed> {
        if self.cr {
            return if byte == b'\n' { Ok(true) } else { Err(Fault::BareCr.into()) };
        }
        match self.length {
            0..7 if byte != b"HTTP/1."[self.length] => return Err(Malformed::Version),
            7 if !matches!(byte, b'0' | b'1') => return Err(Malformed::Version),
            8 if byte != b' ' => return Err(Malformed::Version),
            9..12 if !byte.is_ascii_digit() => return Err(Malformed::Status),
            12 | REASON_AT if byte == b'\r' => {
                self.cr = true;
                return Ok(false);
            }
            12 | REASON_AT if byte == b'\n' => return Err(Fault::BareLf.into()),
            12 if byte != b' ' => return Err(Malformed::Status),
            REASON_AT if class::of(byte) & class::VALUE == 0 => return Err(Malformed::Reason),
            _ => {}
        }
        self.length = (self.length + 1).min(REASON_AT);
        Ok(false)
    }
}
