//! One exchange with an upstream: send the request, wait for the head of the answer.
//!
//! One retry, when a reused connection dies before the first byte of an answer to an idempotent
//! request whose body can be sent again. Everything else that fails is told as a [`Reject`].

use std::{future::poll_fn, io, rc::Rc, task::Poll};

use super::{
    Local,
    body::{BodyFault, Incoming},
    chunks::Reframe,
    upload::{Upload, UploadFault},
};
use crate::{
    base::{Buffer, Moment, limits},
    http::{Framing, Method, ResponseHead, Status},
    net::{Outgoing, Stream},
    steps::reject::{Client, Ours, Reject, Upstream},
    upstream::{Checkout, CheckoutFault, Connection, Pool},
    wire::http1::{self, HeadLimits, HeadWriter, Progress},
};

/// A request's body as it stands when the request is routed.
pub enum RequestBody {
    /// The message has none.
    None,
    /// All of it arrived with the head.
    Here(Buffer),
    /// It is still arriving, at least in part.
    Arriving(Incoming, Framing),
}

/// What is to be sent, and how.
pub struct Call<'c, R> {
    /// Where to.
    pub pool: &'c Rc<Pool>,
    /// The method as it is sent upstream.
    pub method: Method,
    /// Writes the head, up to but not including framing fields and the empty line.
    pub render: R,
    /// The client's stream, for the rest of the body.
    pub client: &'c Stream,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The answer's head must be here by then.
    pub deadline: Moment,
    /// A switch of protocols was asked for, so 101 is an answer.
    pub upgrade: bool,
}

/// An exchange whose answer's head has arrived.
pub struct Exchange<'c> {
    /// The answer's head.
    pub head: ResponseHead,
    /// How its body ends.
    pub framing: Framing,
    /// The answer's body, still to be handed on.
    pub body: Incoming,
    /// The rest of the request's body, when the upstream answered early.
    pub upload: Option<Upload<'c>>,
    connection: Connection,
}

impl Exchange<'_> {
    /// The upstream's stream.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        self.connection.stream()
    }

    /// Ends the exchange; the connection is kept when both messages went through whole and the
    /// upstream agrees. Gives back what was received behind the request's body.
    #[must_use]
    pub fn finish(self) -> Option<Buffer> {
        let uploaded = self.upload.as_ref().is_none_or(Upload::is_done);
        let whole = self.body.is_done() && uploaded && self.framing != Framing::UntilClose;
        let rest = self.upload.map(|upload| upload.body).filter(Incoming::is_done);
        if whole && self.head.connection.keep_alive && self.body.into_rest().is_empty() {
            self.connection.put_back();
        }
        rest.map(Incoming::into_rest)
    }

    /// Takes the exchange apart for a tunnel: the connection, and what was received behind the head.
    #[must_use]
    pub fn into_tunnel(self) -> (Connection, Buffer) {
        (self.connection, self.body.into_rest())
    }
}

/// Sends a call and waits for its answer's head.
///
/// # Errors
/// The refusal that the client is to see.
pub async fn send<'c, R>(
    local: &Local,
    mut call: Call<'c, R>,
    body: RequestBody,
) -> Result<Exchange<'c>, Reject>
where
    R: FnMut(&mut Vec<u8>) -> Result<(), Reject>,
{
    let checkout = call.pool.check_out(call.deadline).await.map_err(refuse_checkout)?;
    let again = match &body {
        RequestBody::None => Some(RequestBody::None),
        RequestBody::Here(bytes) => Some(RequestBody::Here(bytes.clone())),
        RequestBody::Arriving(..) => None,
    };
    let again = again.filter(|_| checkout.reused && call.method.is_idempotent());
    match attempt(local, &mut call, checkout, body).await {
        Err(Failure::Unanswered(_)) if again.is_some() => {}
        other => return other.map_err(Failure::reject),
    }
    let body = again.unwrap_or(RequestBody::None);
    let fresh = call.pool.connect(call.deadline).await.map_err(refuse_checkout)?;
    attempt(local, &mut call, fresh, body).await.map_err(Failure::reject)
}

/// Why an attempt came to nothing.
enum Failure {
    /// The connection ended before the first byte of an answer.
    Unanswered(Reject),
    /// Anything else.
    Final(Reject),
}

impl Failure {
    fn reject(self) -> Reject {
        match self {
            Self::Unanswered(reject) | Self::Final(reject) => reject,
        }
    }
}

async fn attempt<'c, R>(
    local: &Local,
    call: &mut Call<'c, R>,
    checkout: Checkout,
    body: RequestBody,
) -> Result<Exchange<'c>, Failure>
where
    R: FnMut(&mut Vec<u8>) -> Result<(), Reject>,
{
    let connection = checkout.connection;
    let stream = connection.stream();
    let mut out = local.outgoing();
    (call.render)(&mut out.text).map_err(Failure::Final)?;
    let mut upload = frame(call, body, &mut out);
    if upload.is_some() && call.expects_continue {
        say_continue(local, call.client).await.map_err(Failure::Final)?;
        call.expects_continue = false;
    }
    stream.set_deadline(Some(call.deadline));
    stream.start_send(out);
    let (head, pending) = read_head(local, call, stream, &mut upload).await?;
    let framing = http1::response_framing(call.method, &head);
    let body = Incoming::new(framing, pending, u64::MAX);
    Ok(Exchange { head, framing, body, upload, connection })
}

/// Adds the framing fields, the empty line and a body that is here; says what remains to upload.
fn frame<'c, R>(call: &Call<'c, R>, body: RequestBody, out: &mut Outgoing) -> Option<Upload<'c>> {
    let (body, framing) = match body {
        RequestBody::None => {
            // RFC 9110 8.6: a method that anticipates a body says that there is none.
            if matches!(call.method, Method::Post | Method::Put | Method::Patch) {
                HeadWriter::new(&mut out.text).framing(Framing::Length(0));
            }
            out.text.extend_from_slice(b"\r\n");
            return None;
        }
        RequestBody::Here(bytes) => {
            HeadWriter::new(&mut out.text).framing(Framing::Length(bytes.len() as u64));
            out.text.extend_from_slice(b"\r\n");
            out.text.extend_from_slice(&bytes);
            return None;
        }
        RequestBody::Arriving(body, framing) => (body, framing),
    };
    let reframe = match framing {
        Framing::Length(length) => {
            HeadWriter::new(&mut out.text).framing(Framing::Length(length));
            Reframe::Plain
        }
        Framing::None | Framing::Chunked | Framing::UntilClose => {
            HeadWriter::new(&mut out.text).framing(Framing::Chunked);
            Reframe::Chunks
        }
    };
    out.text.extend_from_slice(b"\r\n");
    Some(Upload::new(body, call.client, reframe))
}

/// RFC 9110 10.1.1: said once the upstream is there to take the body.
async fn say_continue(local: &Local, client: &Stream) -> Result<(), Reject> {
    let mut out = local.outgoing();
    out.text.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    client.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
    client.send(out).await.map_err(|_| Reject::Client(Client::Closed))
}

/// Waits for the final head, forwarding the request's body meanwhile.
async fn read_head<R>(
    local: &Local,
    call: &Call<'_, R>,
    stream: &Stream,
    upload: &mut Option<Upload<'_>>,
) -> Result<(ResponseHead, Buffer), Failure> {
    let mut pending = Buffer::empty();
    let mut scan = http1::ResponseScan::default();
    let mut interim = 0;
    loop {
        let received = receive(local, stream, upload).await.map_err(Failure::Final)?;
        let more = match received {
            Ok(Some(more)) => more,
            ended => return Err(end_of(ended, pending.is_empty() && interim == 0)),
        };
        pending = local.join(pending, &more).ok_or(Failure::Final(Reject::Ours(Ours::Overloaded)))?;
        loop {
            let parsed =
                http1::parse_response(&pending, &mut scan, &local.fields, &HeadLimits::RESPONSE);
            let Ok(progress) = parsed else {
                return Err(Failure::Final(Reject::Upstream(Upstream::Malformed)));
            };
            let Progress::Complete { head, consumed } = progress else { break };
            pending.advance(consumed);
            if !head.status.is_interim() || is_switch(call, &head) {
                return Ok((head, pending));
            }
            interim += 1;
            if head.status == Status::SWITCHING_PROTOCOLS || interim > limits::INTERIM_RESPONSES_MAX {
                return Err(Failure::Final(Reject::Upstream(Upstream::Malformed)));
            }
        }
    }
}

fn is_switch<R>(call: &Call<'_, R>, head: &ResponseHead) -> bool {
    head.status == Status::SWITCHING_PROTOCOLS && call.upgrade
}

/// The upstream's next bytes. An error of the client's side ends the call; one of the upstream's
/// sending side does not, it may have answered before it closed.
async fn receive(
    local: &Local,
    stream: &Stream,
    upload: &mut Option<Upload<'_>>,
) -> Result<io::Result<Option<Buffer>>, Reject> {
    poll_fn(|cx| {
        if let Some(going) = upload
            && let Poll::Ready(outcome) = going.poll(stream, local, cx)
        {
            match outcome {
                Ok(()) => {}
                Err(UploadFault::Client(fault)) => return Poll::Ready(Err(refuse_body(&fault))),
                Err(UploadFault::Upstream(_)) => going.abandon(),
            }
        }
        stream.poll_receive(cx).map(Ok)
    })
    .await
}

fn end_of(ended: io::Result<Option<Buffer>>, unanswered: bool) -> Failure {
    match ended {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Failure::Final(Reject::Upstream(Upstream::Timeout))
        }
        _ if unanswered => Failure::Unanswered(Reject::Upstream(Upstream::Closed)),
        _ => Failure::Final(Reject::Upstream(Upstream::Malformed)),
    }
}

fn refuse_checkout(fault: CheckoutFault) -> Reject {
    match fault {
        CheckoutFault::PoolFull => Reject::Ours(Ours::Overloaded),
        CheckoutFault::NoAddress | CheckoutFault::Connect(_) => {
            Reject::Upstream(Upstream::Unreachable)
        }
    }
}

/// What a client sees whose body cannot be forwarded.
#[must_use]
pub fn refuse_body(fault: &BodyFault) -> Reject {
    Reject::Client(match fault {
        BodyFault::Malformed(_) => Client::Malformed,
        BodyFault::TooLong => Client::BodyTooLarge,
        BodyFault::TooSlow => Client::TooSlow,
        BodyFault::Cut | BodyFault::Broken(_) => Client::Closed,
    })
}
