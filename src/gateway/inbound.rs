//! One client connection's receiving side: whole heads out of whatever pieces arrive.

use std::io;

use crate::{
    base::{Buffer, Moment, Pooled, limits},
    gateway::{Local, seats::Seat},
    http::{ConnectionOptions, Framing, Name, RequestHead, Version},
    net::http2::Untellable,
    wire::http1::{self, Fault, HeadLimits, Progress, Refusal, RequestScan},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Received bytes that belong to no message yet.
pub(super) struct Inbound {
    /// The bytes; a pipelined request may lie here whole.
    pub pending: Buffer,
}

/// What came instead of a head.
pub(super) enum Stop {
    /// The client closed, or was idle for too long: nothing to answer.
    Quiet,
    /// The head did not arrive in time: 408.
    Slow,
    /// No block is left to hold the head: 503.
    Crowded,
    /// HTTP in plain text came to a listener that speaks TLS: 400.
    PlainHttp,
    /// The head is refused: an error answer, then close.
    Refused(Refusal),
}

/// How a connection begins that may speak HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preface {
    /// With the preface of HTTP/2.
    Here,
    /// With anything else.
    Other,
}

impl Inbound {
    /// Waits until it is known whether the connection begins with HTTP/2's preface (RFC 9113 3.4);
    /// the bytes stay pending. `PRI` is no method of HTTP/1.1.
    ///
    /// # Errors
    /// See [`Stop`].
    pub(super) async fn read_preface(
        &mut self,
        local: &Local,
        seat: &Seat,
    ) -> Result<Preface, Stop> {
        let mut until = local.runtime.now() + local.idle_wait();
        loop {
            let compared = self.pending.len().min(PREFACE.len());
            let differs = self.pending[..compared] != PREFACE[..compared];
            if differs || compared == PREFACE.len() {
                seat.within_head.set(false);
                return Ok(if differs { Preface::Other } else { Preface::Here });
            }
            seat.stream.set_deadline(Some(until));
            let within = compared > 0;
            match seat.stream.receive().await {
                Ok(Some(more)) => local.join(&mut self.pending, more).ok_or(Stop::Crowded)?,
                Err(error) if within && error.kind() == io::ErrorKind::TimedOut => {
                    return Err(Stop::Slow);
                }
                Ok(None) | Err(_) => return Err(Stop::Quiet),
            }
            if !within {
                seat.within_head.set(true);
                until = local.runtime.now() + limits::HEAD_WAIT;
            }
        }
    }

    /// Waits for the next whole head, at most until `idle_until` for its first byte and
    /// `HEAD_WAIT` from there. Says also when its first byte was there.
    ///
    /// # Errors
    /// See [`Stop`].
    pub(super) async fn read_head(
        &mut self,
        local: &Local,
        seat: &Seat,
        idle_until: Moment,
    ) -> Result<(Pooled<RequestHead>, Moment), Stop> {
        let stream = &seat.stream;
        if self.pending.is_empty() {
            stream.set_deadline(Some(idle_until));
            self.pending = match stream.receive().await {
                Ok(Some(buffer)) => buffer,
                Ok(None) | Err(_) => return Err(Stop::Quiet),
            };
        }
        let began = local.runtime.now();
        let mut scan = RequestScan::default();
        let mut waits = false;
        loop {
            match http1::parse_request(
                &self.pending,
                &mut scan,
                local.request_heads.take(),
                &HeadLimits::REQUEST,
            ) {
                Ok(Progress::Complete { head, consumed }) => {
                    self.pending.advance(consumed);
                    if waits {
                        seat.within_head.set(false);
                    }
                    return Ok((head, began));
                }
                Ok(Progress::Partial) => {}
                Err(refusal) => return Err(Stop::Refused(refusal)),
            }
            if !waits {
                waits = true;
                seat.within_head.set(true);
                stream.set_deadline(Some(began + limits::HEAD_WAIT));
            }
            match stream.receive().await {
                Ok(Some(more)) => local.join(&mut self.pending, more).ok_or(Stop::Crowded)?,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Stop::Slow),
                Ok(None) | Err(_) => return Err(Stop::Quiet),
            }
        }
    }
}

/// The head of a request on an HTTP/2 stream, whole in `text`. `is_all`: no body follows.
///
/// # Errors
/// See [`Stop`].
pub(super) fn whole_head(
    local: &Local,
    text: Result<Buffer, Untellable>,
    is_all: bool,
) -> Result<Pooled<RequestHead>, Stop> {
    let text = text.map_err(|what| {
        Stop::Refused(match what {
            Untellable::Path => Refusal::TargetForm,
            Untellable::Value => Fault::FieldValue.into(),
        })
    })?;
    let mut scan = RequestScan::default();
    let filled = local.request_heads.take();
    let parsed = http1::parse_request(&text, &mut scan, filled, &HeadLimits::REQUEST);
    let Progress::Complete { mut head, .. } = parsed.map_err(Stop::Refused)? else {
        return Err(Stop::Refused(Refusal::TargetForm));
    };
    head.version = Version::Http2;
    head.connection = ConnectionOptions { keep_alive: true, ..head.connection };
    if is_all {
        head.framing = Framing::None;
        head.expects_continue = false;
    } else if matches!(head.framing, Framing::None | Framing::Length(0)) {
        // Whether nothing comes is known at the end only.
        head.framing = Framing::UntilClose;
        head.expects_continue = head.fields().find(Name::Expect).is_some();
    }
    Ok(head)
}
