//! The request's body on its way up, one piece in flight at a time.
//!
//! Polled by whoever waits for the answer, so that an upstream may answer before it has read
//! everything. The request's head is the first thing in flight.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{
    Local,
    body::{After, BodyFault, Incoming},
    chunks::{GATHERED_BYTES_MAX, Reframe},
};
use crate::{
    base::{Buffer, Moment, limits},
    http::Framing,
    net::Stream,
    wire::http1::Trailers,
};

/// A request's body being forwarded.
pub(super) struct Upload<'c> {
    /// What is still to come from the client.
    pub body: Incoming,
    client: &'c Stream,
    reframe: Reframe,
    step: Step,
    /// How long the client was waited for so far, all pieces together.
    waited: Duration,
    /// As long as the answer's head is awaited: how long it may take from the last piece on.
    answer_wait: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The head, or a piece, is in flight.
    Sending,
    /// The next piece is awaited from the client, since then.
    Reading(Moment),
    /// The last piece is in flight.
    Ending,
    Done,
}

/// Why the body cannot be forwarded whole.
#[derive(Debug)]
pub(super) enum UploadFault {
    /// The client's side.
    Client(BodyFault),
    /// The upstream's side: it may still have answered.
    Upstream,
}

impl<'c> Upload<'c> {
    /// The body behind a head that was just given to the upstream's stream. `answer_wait` is how
    /// long the answer may take once all of it went up.
    #[must_use]
    pub(super) fn new(
        body: Incoming,
        client: &'c Stream,
        reframe: Reframe,
        answer_wait: Duration,
    ) -> Self {
        let nothing = body.is_done() && reframe == Reframe::Plain;
        let step = if nothing { Step::Done } else { Step::Sending };
        let waited = Duration::ZERO;
        Self { body, client, reframe, step, waited, answer_wait: Some(answer_wait) }
    }

    /// A body of which all is in the send that was just given to an HTTP/2 stream, which may have
    /// to wait for its window.
    #[must_use]
    pub(super) fn of_last(client: &'c Stream) -> Self {
        let body = Incoming::new(Framing::None, Buffer::empty(), 0, After::Alike);
        let (reframe, waited) = (Reframe::Plain, Duration::ZERO);
        Self { body, client, reframe, step: Step::Ending, waited, answer_wait: None }
    }

    /// Pieces follow the head.
    #[must_use]
    pub(super) fn has_more(&self) -> bool {
        self.step == Step::Sending
    }

    /// The answer's head is here: the upstream's deadline is now its reader's business.
    pub(super) fn answer_begun(&mut self) {
        self.answer_wait = None;
    }

    /// Whether the whole body went up.
    #[must_use]
    pub(super) fn is_done(&self) -> bool {
        self.step == Step::Done && self.body.is_done()
    }

    /// Gives up what remains: the upstream does not want it.
    pub(super) fn abandon(&mut self) {
        self.step = Step::Done;
    }

    /// Forwards what can be forwarded now; ready when all is handed to the kernel.
    pub(super) fn poll(
        &mut self,
        upstream: &Stream,
        local: &Local,
        cx: &Context<'_>,
    ) -> Poll<Result<(), UploadFault>> {
        loop {
            match self.step {
                Step::Done => return Poll::Ready(Ok(())),
                Step::Sending | Step::Ending => {
                    ready!(upstream.poll_sent(cx)).map_err(|_| UploadFault::Upstream)?;
                    self.step = match self.step {
                        Step::Ending => Step::Done,
                        _ => self.start_reading(upstream, local.runtime.now()),
                    };
                }
                Step::Reading(since) => {
                    let mut out = local.outgoing();
                    let (body, client, most) = (&mut self.body, self.client, GATHERED_BYTES_MAX);
                    let filled = ready!(self.reframe.poll_fill(body, client, most, &mut out, cx));
                    let ended = filled.map_err(UploadFault::Client)?;
                    let now = local.runtime.now();
                    self.waited += now.since(since);
                    if let Some(wait) = self.answer_wait {
                        upstream.set_deadline(Some(now + wait));
                    }
                    if ended {
                        self.step = Step::Ending;
                        upstream.start_last(out, self.body.trailers().map(Trailers::lines));
                    } else {
                        self.step = Step::Sending;
                        upstream.start_send(out);
                    }
                }
            }
        }
    }

    /// Sets deadlines once for each piece, not at each poll: that would put them off for ever.
    /// The upstream has none while it is the client that is slow.
    fn start_reading(&self, upstream: &Stream, now: Moment) -> Step {
        if self.answer_wait.is_some() {
            upstream.set_deadline(None);
        }
        if upstream.marks_ends() {
            // A stream of messages, as gRPC's: its client may have nothing to say for long.
            self.client.set_deadline(Some(now + limits::TUNNEL_IDLE_WAIT));
            return Step::Reading(now);
        }
        let earned = self.body.passed_bytes() * 1_000 / limits::BODY_BYTES_PER_SECOND_MIN;
        let allowed = limits::BODY_WAIT + Duration::from_millis(earned);
        let wait = allowed.saturating_sub(self.waited).min(limits::BODY_WAIT);
        self.client.set_deadline(Some(now + wait));
        Step::Reading(now)
    }
}
