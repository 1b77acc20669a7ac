//! The request's body on its way up, one piece in flight at a time.
//!
//! Polled by whoever waits for the answer, so that an upstream may answer before it has read
//! everything. The request's head is the first thing in flight.

use std::task::{Context, Poll, ready};

use super::{
    Local,
    body::{BodyFault, Incoming},
    chunks::Reframe,
};
use crate::{
    base::limits,
    net::{Outgoing, Stream},
};

/// A request's body being forwarded.
pub(super) struct Upload<'c> {
    /// What is still to come from the client.
    pub body: Incoming,
    client: &'c Stream,
    reframe: Reframe,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The head, or a piece, is in flight.
    Sending,
    /// The next piece is awaited from the client.
    Reading,
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
    /// The body behind a head that was just given to the upstream's stream.
    #[must_use]
    pub(super) fn new(body: Incoming, client: &'c Stream, reframe: Reframe) -> Self {
        let nothing = body.is_done() && reframe == Reframe::Plain;
        let step = if nothing { Step::Done } else { Step::Sending };
        Self { body, client, reframe, step }
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
                    self.step = if self.step == Step::Ending { Step::Done } else { Step::Reading };
                }
                Step::Reading => {
                    let mut out = local.outgoing();
                    let ended =
                        ready!(self.fill(local, &mut out, cx)).map_err(UploadFault::Client)?;
                    self.step = if ended { Step::Ending } else { Step::Sending };
                    upstream.start_send(out);
                }
            }
        }
    }

    /// Takes what is here, waiting only for the first piece.
    fn fill(
        &mut self,
        local: &Local,
        out: &mut Outgoing,
        cx: &Context<'_>,
    ) -> Poll<Result<bool, BodyFault>> {
        self.client.set_deadline(Some(local.runtime.now() + limits::BODY_WAIT));
        self.reframe.poll_fill(&mut self.body, self.client, out, cx)
    }
}
