//! What may come after a case's frames, and whether it came. As h2spec judges: a stream error may
//! be raised to a connection error (RFC 9113 5.4.2), and what else comes before is passed over.

use std::time::Instant;

use super::{
    client::{Event, RawClient},
    frame::{ACK, Code, END_STREAM, Frame, NO_ERROR, PROTOCOL_ERROR, code_name, kind},
    target::patience,
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// GOAWAY with one of these codes.
    ConnectionError(&'static [Code]),
    /// RST_STREAM or GOAWAY with one of these.
    StreamError(&'static [Code]),
    /// RST_STREAM on stream 1 with exactly this: the connection has to live on.
    Reset(Code),
    /// The end of the connection, whatever comes before.
    Close,
    /// The end of a connection that never was one of HTTP/2: no GOAWAY is due (RFC 9113 3.4).
    CloseUnread,
    /// An answer on stream 1: 200.
    Answer,
    /// Exactly one byte of DATA.
    OneByte,
    Pong([u8; 8]),
    /// The same, or the end of the connection.
    PongOrClose([u8; 8]),
    SettingsAck,
    /// The first frame is a SETTINGS frame of the server's own.
    SettingsFirst,
    /// DATA on stream 1.
    Content,
}

impl Expect {
    /// The errors that are taken.
    pub(super) fn codes(&self) -> &[Code] {
        match self {
            Self::ConnectionError(codes) | Self::StreamError(codes) => codes,
            Self::Reset(code) => std::slice::from_ref(code),
            _ => &[],
        }
    }

    pub(super) fn is_error(&self) -> bool {
        !self.codes().is_empty() || matches!(self, Self::Close)
    }
}

/// How well it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Exact,
    /// The connection was ended with PROTOCOL_ERROR where RFC 9113 has a code that says more.
    LessSpecific,
}

/// Takes what comes until it is decided.
pub(super) fn judge(client: &mut RawClient, expect: &Expect) -> Result<Fit, String> {
    let end = Instant::now() + patience();
    let mut is_first = true;
    let mut fit = None;
    loop {
        match client.next_within(end.saturating_duration_since(Instant::now())) {
            Event::Silence => return Err("nothing more came".to_owned()),
            Event::Closed => return fit.map_or_else(|| closed(expect), Ok),
            Event::Frame(frame) if is_less_specific(expect, &frame) => {
                fit = Some(Fit::LessSpecific);
            }
            Event::Frame(frame) => {
                if let Some(decided) = decide(client, expect, frame, is_first) {
                    return decided.map(|()| Fit::Exact);
                }
            }
        }
        is_first = false;
    }
}

/// Such a GOAWAY counts when the connection ends with it, as h2spec counts every end.
fn is_less_specific(expect: &Expect, frame: &Frame) -> bool {
    let is_an_error = matches!(expect, Expect::ConnectionError(_) | Expect::StreamError(_));
    is_an_error
        && frame.kind == kind::GOAWAY
        && frame.code() == Some(PROTOCOL_ERROR)
        && !expect.codes().contains(&PROTOCOL_ERROR)
}

fn closed(expect: &Expect) -> Result<Fit, String> {
    match expect {
        Expect::Close | Expect::CloseUnread | Expect::PongOrClose(_) => Ok(Fit::Exact),
        _ => Err("the connection was closed without it".to_owned()),
    }
}

/// Whether this frame decides, and how.
fn decide(
    client: &mut RawClient,
    expect: &Expect,
    frame: Frame,
    is_first: bool,
) -> Option<Result<(), String>> {
    if matches!(expect, Expect::SettingsFirst) && is_first {
        let is_it = frame.kind == kind::SETTINGS && !frame.has(ACK);
        return Some(check(is_it, "another frame was the first"));
    }
    // Neither says that something was wrong (RFC 9113 6.8, 8.1).
    let code = frame.code().filter(|code| *code != NO_ERROR);
    match (frame.kind, expect) {
        (kind::GOAWAY, Expect::ConnectionError(codes) | Expect::StreamError(codes)) => {
            code.map(|code| among(code, codes))
        }
        (kind::GOAWAY, Expect::Close | Expect::CloseUnread) => None,
        (kind::GOAWAY, _) => code.map(|code| Err(format!("GOAWAY {}", code_name(code)))),
        (kind::RST_STREAM, Expect::StreamError(codes)) => code.map(|code| among(code, codes)),
        (kind::RST_STREAM, Expect::Reset(wanted)) => code.map(|code| among(code, &[*wanted])),
        (kind::HEADERS, Expect::Answer) if frame.stream == 1 => Some(
            client
                .status_of(frame)
                .and_then(|status| check(status == 200, &format!("answered {status}"))),
        ),
        (kind::DATA, Expect::OneByte) => {
            Some(check(frame.payload.len() == 1, "DATA of another length"))
        }
        (kind::DATA, Expect::Content) => Some(check(!frame.payload.is_empty(), "empty DATA")),
        (kind::PING, Expect::Pong(content) | Expect::PongOrClose(content)) => {
            Some(check(frame.has(ACK) && frame.payload == content, "another PING"))
        }
        (kind::SETTINGS, Expect::SettingsAck) => Some(check(frame.has(ACK), "SETTINGS again")),
        _ => None,
    }
}

fn among(code: Code, codes: &[Code]) -> Result<(), String> {
    check(codes.contains(&code), &code_name(code))
}

fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// Waits until the server has ended stream 1 (RFC 9113 5.1: closed): END_STREAM, or a reset that
/// says that the rest of the request is not needed.
pub(super) fn wait_for_stream_end(client: &mut RawClient) -> Result<(), String> {
    loop {
        match client.next() {
            Event::Silence => return Err("the answer did not end".to_owned()),
            Event::Closed => return Err("closed before the answer".to_owned()),
            Event::Frame(frame) => {
                let is_ended =
                    matches!(frame.kind, kind::DATA | kind::HEADERS) && frame.has(END_STREAM);
                let is_reset = frame.kind == kind::RST_STREAM && frame.code() == Some(NO_ERROR);
                if is_ended || is_reset {
                    return Ok(());
                }
            }
        }
    }
}

/// What most cases expect.
pub(super) const PROTOCOL: Expect = Expect::ConnectionError(&[PROTOCOL_ERROR]);
pub(super) const MALFORMED: Expect = Expect::StreamError(&[PROTOCOL_ERROR]);
