//! One client connection's receiving side: whole heads out of whatever pieces arrive.

use std::io;

use crate::{
    base::{Buffer, Moment, Pooled, limits},
    gateway::{Local, seats::Seat},
    http::RequestHead,
    wire::http1::{self, HeadLimits, Progress, Refusal, RequestScan},
};

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
    /// The head is refused: an error answer, then close.
    Refused(Refusal),
}

impl Inbound {
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
