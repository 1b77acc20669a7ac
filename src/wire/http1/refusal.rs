//! Why a message is not accepted. A request's [`Refusal`] has the status of the answer; an
//! upstream's [`Malformed`] is always a 502. After either the connection is closed: where the next
//! message would begin is unknown.

use std::fmt;

use crate::http::Status;

/// What is wrong with a head in either direction: its syntax or its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A CR that no LF follows.
    BareCr,
    /// A LF that no CR precedes.
    BareLf,
    /// A header line that starts with white space (obs-fold).
    Folded,
    /// White space between a field name and its colon.
    SpaceBeforeColon,
    /// A line without a colon.
    NoColon,
    /// A colon without a name.
    EmptyName,
    /// A byte that a field name cannot have.
    FieldName,
    /// A control byte in a field value.
    FieldValue,
    /// The head is longer than its limit.
    HeadTooLong,
    /// More header fields than the limit.
    TooManyFields,
    /// Content-Length is not a plain decimal number below 2^64.
    Length,
    /// Content-Length more than once.
    LengthTwice,
    /// Content-Length and Transfer-Encoding together.
    LengthAndCoding,
    /// Transfer-Encoding more than once.
    CodingTwice,
    /// Transfer-Encoding does not end in `chunked`, or is not a list of codings.
    Coding,
    /// Transfer-Encoding in HTTP/1.0, which has none.
    CodingInHttp10,
    /// Connection lists a field that every recipient needs (Host, Content-Length).
    ConnectionOption,
    /// `content_length` or `transfer_encoding`: some servers read them as the real names.
    UnderscoreName,
}

impl Fault {
    /// One sentence for logs.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::BareCr => "a CR without a LF after it",
            Self::BareLf => "a LF without a CR before it",
            Self::Folded => "a header line starts with white space",
            Self::SpaceBeforeColon => "white space before the colon of a header field",
            Self::NoColon => "a header line without a colon",
            Self::EmptyName => "a header field without a name",
            Self::FieldName => "a header name has a byte that is not allowed in names",
            Self::FieldValue => "a header value has a control byte",
            Self::HeadTooLong => "the head is longer than its limit",
            Self::TooManyFields => "the head has more fields than its limit",
            Self::Length => "Content-Length is not a plain decimal number",
            Self::LengthTwice => "Content-Length is there more than once",
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::CodingTwice => "Transfer-Encoding is there more than once",
            Self::Coding => "Transfer-Encoding is not exactly chunked",
            Self::CodingInHttp10 => "Transfer-Encoding in an HTTP/1.0 message",
            Self::ConnectionOption => "Connection lists a field that is not for one hop only",
            Self::UnderscoreName => "a framing field is spelt with an underscore",
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Syntax or framing.
    Fault(Fault),
    /// More than one empty line, or half of one, before the request line.
    LeadingLine,
    /// The method is no token, is empty, or is longer than any method.
    Method,
    /// A method that the gateway does not know, CONNECT and TRACE among them.
    MethodUnknown,
    /// The target is empty, has a forbidden byte, or white space is not one single SP.
    TargetByte,
    /// The target is longer than its limit.
    TargetTooLong,
    /// A percent sign without two hex digits, or an encoded byte that no path needs.
    TargetPercent,
    /// A segment `.` or `..`, encoded or not.
    TargetDots,
    /// A target that is neither a path nor `http://host/path`, or `*` without OPTIONS.
    TargetForm,
    /// Not `HTTP/digit.digit`.
    Version,
    /// A well-formed version other than 1.0 and 1.1.
    VersionUnknown,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// Host more than once.
    HostTwice,
    /// Host is not a name or address with an optional port.
    Host,
    /// Host and the authority of an absolute target differ.
    HostMismatch,
    /// An expectation other than 100-continue.
    Expectation,
    /// `chunked` was applied after a coding that the gateway does not know.
    CodingUnknown,
    /// Content-Length is more than a body may have.
    BodyTooLarge,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Fault(Fault::HeadTooLong | Fault::TooManyFields) => {
                Status::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::MethodUnknown | Self::CodingUnknown => Status::NOT_IMPLEMENTED,
            Self::TargetTooLong => Status::URI_TOO_LONG,
            Self::VersionUnknown => Status::HTTP_VERSION_NOT_SUPPORTED,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::BodyTooLarge => Status::CONTENT_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }

    /// One sentence for logs.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.sentence(),
            Self::LeadingLine => "more than one empty line before the request line",
            Self::Method => "the method is not a token of at most 32 bytes",
            Self::MethodUnknown => "the method is not one that the gateway forwards",
            Self::TargetByte => "the request target is empty or has a forbidden byte",
            Self::TargetTooLong => "the request target is longer than its limit",
            Self::TargetPercent => "a percent sign in the target does not encode an allowed byte",
            Self::TargetDots => "the path has a dot segment",
            Self::TargetForm => "the request target is neither a path nor an absolute http URI",
            Self::Version => "the request line does not end in HTTP/1.1 or HTTP/1.0",
            Self::VersionUnknown => "the protocol version is neither HTTP/1.1 nor HTTP/1.0",
            Self::HostMissing => "an HTTP/1.1 request without Host",
            Self::HostTwice => "Host is there more than once",
            Self::Host => "Host is not a name or address with an optional port",
            Self::HostMismatch => "Host differs from the authority of the request target",
            Self::Expectation => "an expectation other than 100-continue",
            Self::CodingUnknown => "a transfer coding other than chunked",
            Self::BodyTooLarge => "Content-Length is more than a body may have",
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.sentence())
    }
}

/// Why an upstream's answer is not forwarded: the client gets 502, the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Syntax or framing.
    Fault(Fault),
    /// The status line does not begin with HTTP/1.1 or HTTP/1.0.
    Version,
    /// Not one SP and three digits, 100 to 599.
    Status,
    /// A control byte in the reason phrase.
    Reason,
}

impl Malformed {
    /// One sentence for logs.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.sentence(),
            Self::Version => "the status line does not begin with HTTP/1.1 or HTTP/1.0",
            Self::Status => "the status is not three digits from 100 to 599",
            Self::Reason => "the reason phrase has a control byte",
        }
    }
}

impl From<Fault> for Malformed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.sentence())
    }
}
