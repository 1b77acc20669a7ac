//! One exchange with an upstream: send the request, wait for the head of the answer.
//!
//! One retry, when a reused connection dies before the first byte of an answer to an idempotent
//! request whose body can be sent again. Everything else that fails is told as a [`Reject`].

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{
    Local,
    body::{After, BodyFault, Incoming},
    chunks::{GATHERED_BYTES_MAX, Reframe},
    pipeline::Request,
    upload::{Upload, UploadFault},
};
use crate::{
    base::{Buffer, Moment, Pooled, limits},
    http::{Framing, Method, Name, ResponseHead, Status},
    net::{Outgoing, Stream},
    steps::{
        integrate::Upgrade,
        reject::{Client, IamFault, Ours, Reject, Upstream},
    },
    upstream::{CheckoutFault, Connection, Pool},
    wire::http1::{self, HeadLimits, HeadWriter, Progress},
};

/// A request's body as it stands when the request is routed.
pub enum RequestBody {
    /// The message has none.
    None,
    /// All of it arrived with the head.
    Here(Buffer),
    /// It is still arriving, at least in part. Boxed: rare beside the others, and large.
    Arriving(Box<Arriving>),
}

impl RequestBody {
    /// What was read of it.
    pub(super) fn begun(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Here(bytes) => bytes,
            Self::Arriving(arriving) => &arriving.begun,
        }
    }
}

/// A request's body of which something is still to come.
pub struct Arriving {
    /// What a rule had to read of it, framing taken off; empty when none did.
    pub begun: Vec<u8>,
    /// What comes then.
    pub rest: Incoming,
    /// How the client framed it.
    pub framing: Framing,
}

/// What is to be sent, and how.
pub(super) struct Call<'c, R> {
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
    /// How long the answer's head may take from the whole request on.
    pub timeout: Duration,
    /// The same from now on: for the connection, and a request without a body to wait for.
    pub deadline: Moment,
    /// A switch of protocols was asked for, so 101 is an answer.
    pub upgrade: Upgrade<'c>,
    /// What exactly is wrong with an answer that is malformed, for the log.
    pub detail: &'c Cell<Option<&'static str>>,
}

/// An exchange whose answer's head has arrived. It is large, so it stays where the visit keeps it
/// ([`send`] fills the place) and is lent to whoever passes the answer on.
pub struct Exchange<'c> {
    /// The answer's head.
    pub head: Pooled<ResponseHead>,
    /// How its body ends.
    pub framing: Framing,
    /// The answer's body, still to be handed on.
    pub body: Incoming,
    /// The rest of the request's body, when the upstream answered early.
    pub(super) upload: Option<Box<Upload<'c>>>,
    connection: Connection,
}

impl Exchange<'_> {
    /// Whether the request went up whole.
    #[must_use]
    pub(super) fn is_uploaded(&self) -> bool {
        self.upload.as_ref().is_none_or(|upload| upload.is_done())
    }

    /// Bytes of the request's body that came after its head and went up.
    #[must_use]
    pub(super) fn uploaded_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(0, |upload| upload.body.passed_bytes())
    }

    /// Adds the pieces of the answer's body that are here to `out`, waiting for the first one only
    /// when `out` is empty; forwards the rest of the request's body meanwhile. Says whether the
    /// body ended.
    ///
    /// # Errors
    /// The answer's body does not come whole.
    pub(super) async fn fill(
        &mut self,
        local: &Local,
        client: &Stream,
        reframe: &mut Reframe,
        out: &mut Outgoing,
    ) -> Result<bool, BodyFault> {
        let stream = self.connection.stream();
        stream.set_deadline(Some(local.runtime.now() + body_wait(stream)));
        let is_lane = client.marks_ends();
        let most = if is_lane { limits::HTTP2_PIECES_BYTES_MAX } else { GATHERED_BYTES_MAX };
        poll_fn(|cx| {
            if client.poll_failure(cx).is_ready() {
                return Poll::Ready(Err(BodyFault::Unwanted));
            }
            poll_upload(&mut self.upload, stream, local, cx);
            reframe.poll_fill(&mut self.body, stream, most, out, cx)
        })
        .await
        .inspect_err(|fault| count_cut(local, *fault))
    }

    /// Waits for what a rule reads of the answer's body: up to `BODY_READ_BYTES_MAX` of it.
    ///
    /// # Errors
    /// It does not come whole.
    pub(super) async fn collect(&mut self, local: &Local) -> Result<Vec<u8>, BodyFault> {
        let stream = self.connection.stream();
        let mut begun = Vec::new();
        while begun.len() < limits::BODY_READ_BYTES_MAX {
            stream.set_deadline(Some(local.runtime.now() + limits::BODY_WAIT));
            let next = poll_fn(|cx| {
                poll_upload(&mut self.upload, stream, local, cx);
                self.body.poll_next(stream, cx)
            });
            let next = next.await.inspect_err(|fault| count_cut(local, *fault));
            let Some(piece) = next? else { break };
            begun.extend_from_slice(&piece);
        }
        Ok(begun)
    }

    /// Ends the exchange; the connection is kept when both messages went through whole and the
    /// upstream agrees. Gives back what was received behind the request's body.
    #[must_use]
    pub(super) fn finish(&mut self) -> Option<Buffer> {
        let whole =
            self.body.is_done() && self.is_uploaded() && self.framing != Framing::UntilClose;
        if whole && self.head.connection.keep_alive && self.body.take_rest().is_empty() {
            self.connection.put_back();
        }
        let mut upload = self.upload.take()?;
        upload.body.is_done().then(|| upload.body.take_rest())
    }

    /// For a tunnel: the upstream's stream, and what came behind the head.
    pub(super) fn tunnel(&mut self) -> (&Stream, Buffer) {
        (self.connection.stream(), self.body.take_rest())
    }
}

/// Sends a call and waits for its answer's head; the exchange is then in `place`.
///
/// # Errors
/// The refusal that the client is to see.
pub(super) async fn send<'x, 'c, R>(
    local: &Local,
    call: &mut Call<'c, R>,
    body: RequestBody,
    place: &'x mut Option<Exchange<'c>>,
) -> Result<&'x mut Exchange<'c>, Reject>
where
    R: FnMut(&mut Vec<u8>) -> Result<(), Reject>,
{
    let refuse_checkout = |fault| refuse_checkout(local, call.detail, fault);
    let checkout = call.pool.check_out(call.deadline).await.map_err(refuse_checkout)?;
    let again = match &body {
        RequestBody::None => Some(RequestBody::None),
        RequestBody::Here(bytes) => Some(RequestBody::Here(bytes.clone())),
        RequestBody::Arriving(_) => None,
    };
    let again = again.filter(|_| checkout.reused && call.method.is_idempotent());
    let refuse = |failure: Failure| {
        let reject = failure.reject();
        count_failure(local, reject);
        reject
    };
    let answered = match (attempt(local, call, checkout.connection, body).await, again) {
        (Err(Failure::Unanswered(_)), Some(again)) => {
            local.count(|telemetry| telemetry.shard.upstream_retries += 1);
            let fresh = call.pool.connect(call.deadline).await.map_err(refuse_checkout)?;
            attempt(local, call, fresh.connection, again).await
        }
        (other, _) => other,
    };
    let Answered { head, pending, upload, connection } = answered.map_err(refuse)?;
    let framing = http1::response_framing(call.method, &head);
    let body = Incoming::new(framing, pending, u64::MAX, After::Alike);
    Ok(place.insert(Exchange { head, framing, body, upload, connection }))
}

/// How long an answer's body may make no progress. Streams of HTTP/2 may stay open between their
/// messages, as those of gRPC do.
const fn body_wait(stream: &Stream) -> Duration {
    if stream.marks_ends() { limits::TUNNEL_IDLE_WAIT } else { limits::BODY_WAIT }
}

fn count_failure(local: &Local, reject: Reject) {
    local.count(|telemetry| match reject {
        Reject::Upstream(Upstream::Timeout) => telemetry.shard.upstream_timeouts += 1,
        Reject::Upstream(Upstream::Malformed) => telemetry.shard.upstream_malformed += 1,
        _ => {}
    });
}

/// An answer that ends within its body.
fn count_cut(local: &Local, fault: BodyFault) {
    match fault {
        BodyFault::TooSlow => count_failure(local, Reject::Upstream(Upstream::Timeout)),
        BodyFault::Malformed(_) => count_failure(local, Reject::Upstream(Upstream::Malformed)),
        BodyFault::TooLong
        | BodyFault::Cut
        | BodyFault::Broken(_)
        | BodyFault::Unwanted
        | BodyFault::Tampered => {}
    }
}

/// What a rule reads of the body: up to `BODY_READ_BYTES_MAX` of it, waited for. Empty when no rule
/// does.
///
/// # Errors
/// What is wrong with the client's body.
pub(super) async fn collect(
    local: &Local,
    request: &mut Request<'_>,
    reads: bool,
) -> Result<Vec<u8>, Reject> {
    if !reads {
        return Ok(Vec::new());
    }
    read_up_to(local, request, limits::BODY_READ_BYTES_MAX - 1, |_| true).await?;
    Ok(request.body.begun().to_vec())
}

/// Reads the whole body, or, of a longer one, more than `bytes_max` of it, as far as the shard has
/// room: `held` counts what it holds of bodies, this one's bytes as long as the guard that is given
/// back lives. It is forwarded all the same.
///
/// # Errors
/// What is wrong with the client's body, or [`Ours::Overloaded`].
pub(super) async fn collect_whole<'a>(
    local: &Local,
    request: &mut Request<'_>,
    bytes_max: usize,
    held: &'a Cell<usize>,
) -> Result<Held<'a>, Reject> {
    let mut guard = Held { all: held, own: 0 };
    let takes = |bytes| guard.take(bytes);
    match read_up_to(local, request, bytes_max, takes).await? {
        true => Ok(guard),
        false => Err(Reject::Ours(Ours::Overloaded)),
    }
}

/// Bytes that a shard holds of a body.
pub(super) struct Held<'a> {
    all: &'a Cell<usize>,
    own: usize,
}

impl Held<'_> {
    fn take(&mut self, bytes: usize) -> bool {
        let sum = self.all.get() + bytes;
        let has_room = sum <= limits::UNJUDGED_BYTES_MAX;
        if has_room {
            self.all.set(sum);
            self.own += bytes;
        }
        has_room
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.set(self.all.get() - self.own);
    }
}

/// Reads until there is more than `bytes_max`, or the end. `false` when `takes` refused a piece.
async fn read_up_to(
    local: &Local,
    request: &mut Request<'_>,
    bytes_max: usize,
    mut takes: impl FnMut(usize) -> bool,
) -> Result<bool, Reject> {
    let RequestBody::Arriving(arriving) = &mut request.body else { return Ok(true) };
    let Arriving { begun, rest, .. } = &mut **arriving;
    if std::mem::take(&mut request.expects_continue) {
        say_continue(local, request.client).await?;
    }
    while begun.len() <= bytes_max {
        request.client.set_deadline(Some(local.runtime.now() + limits::BODY_WAIT));
        let next = poll_fn(|cx| rest.poll_next(request.client, cx)).await;
        let Some(piece) = next.map_err(|fault| refuse_body(&fault))? else { break };
        if !takes(piece.len()) {
            return Ok(false);
        }
        begun.extend_from_slice(&piece);
    }
    Ok(true)
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

/// What an attempt leaves behind that had an answer.
struct Answered<'c> {
    head: Pooled<ResponseHead>,
    /// What came behind the head.
    pending: Buffer,
    upload: Option<Box<Upload<'c>>>,
    connection: Connection,
}

async fn attempt<'c, R>(
    local: &Local,
    call: &mut Call<'c, R>,
    connection: Connection,
    body: RequestBody,
) -> Result<Answered<'c>, Failure>
where
    R: FnMut(&mut Vec<u8>) -> Result<(), Reject>,
{
    let stream = connection.stream();
    let mut out = local.outgoing();
    (call.render)(&mut out.text).map_err(Failure::Final)?;
    let mut upload = frame(call, stream, body, &mut out);
    if upload.is_some() && call.expects_continue {
        say_continue(local, call.client).await.map_err(Failure::Final)?;
        call.expects_continue = false;
    }
    stream.set_deadline(Some(call.deadline));
    match &upload {
        Some(upload) if upload.has_more() => stream.start_send(out),
        Some(_) | None => stream.start_last(out, None),
    }
    let (head, pending) = read_head(local, call, stream, &mut upload).await?;
    if let Some(upload) = &mut upload {
        upload.answer_begun();
    }
    Ok(Answered { head, pending, upload, connection })
}

/// Adds the framing fields, the empty line and a body that is here; says what remains to upload.
/// An upload that goes on is boxed: it is rare beside requests whose body is here, or none, and
/// would make every exchange larger.
fn frame<'c, R>(
    call: &Call<'c, R>,
    stream: &Stream,
    body: RequestBody,
    out: &mut Outgoing,
) -> Option<Box<Upload<'c>>> {
    let Arriving { begun, rest, framing } = match body {
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
            return stream.marks_ends().then(|| Box::new(Upload::of_last(call.client)));
        }
        RequestBody::Arriving(arriving) => *arriving,
    };
    let reframe = match framing {
        Framing::Length(length) => {
            HeadWriter::new(&mut out.text).framing(Framing::Length(length));
            Reframe::Plain
        }
        Framing::None | Framing::Chunked | Framing::UntilClose if stream.marks_ends() => {
            Reframe::Plain
        }
        Framing::None | Framing::Chunked | Framing::UntilClose => {
            HeadWriter::new(&mut out.text).framing(Framing::Chunked);
            Reframe::Chunks
        }
    };
    out.text.extend_from_slice(b"\r\n");
    reframe.begin(&begun, out);
    Some(Box::new(Upload::new(rest, call.client, reframe, call.timeout)))
}

/// RFC 9110 10.1.1: said once the upstream is there to take the body.
async fn say_continue(local: &Local, client: &Stream) -> Result<(), Reject> {
    let mut out = local.outgoing();
    out.text.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    client.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
    // The answer to an earlier, pipelined request may still be on its way.
    poll_fn(|cx| client.poll_sent(cx)).await.map_err(|_| Reject::Client(Client::Closed))?;
    client.send(out).await.map_err(|_| Reject::Client(Client::Closed))
}

/// Waits for the final head, forwarding the request's body meanwhile.
async fn read_head<R>(
    local: &Local,
    call: &Call<'_, R>,
    stream: &Stream,
    upload: &mut Option<Box<Upload<'_>>>,
) -> Result<(Pooled<ResponseHead>, Buffer), Failure> {
    let mut pending = Buffer::empty();
    let mut scan = http1::ResponseScan::default();
    let mut interim = 0;
    loop {
        let unanswered = pending.is_empty() && interim == 0;
        let more = receive(local, call.client, stream, upload, unanswered).await?;
        let joined = local.join(&mut pending, more);
        joined.ok_or(Failure::Final(Reject::Ours(Ours::Overloaded)))?;
        loop {
            let parsed = http1::parse_response(
                &pending,
                &mut scan,
                local.response_heads.take(),
                &HeadLimits::RESPONSE,
            );
            let progress = parsed.map_err(|malformed| {
                call.detail.set(Some(malformed.sentence()));
                Failure::Final(Reject::Upstream(Upstream::Malformed))
            })?;
            let Progress::Complete { head, consumed } = progress else { break };
            pending.advance(consumed);
            if !head.status.is_interim() || is_switch(call, &head) {
                return Ok((head, pending));
            }
            interim += 1;
            if head.status == Status::SWITCHING_PROTOCOLS || interim > limits::INTERIM_RESPONSES_MAX
            {
                return Err(Failure::Final(Reject::Upstream(Upstream::Malformed)));
            }
        }
    }
}

/// Whether this is a 101 to a protocol that was asked for (RFC 9110 7.8).
fn is_switch<R>(call: &Call<'_, R>, head: &ResponseHead) -> bool {
    let Upgrade::To(asked) = call.upgrade else { return false };
    let mut chosen = head.fields().all(Name::Upgrade).flat_map(elements).peekable();
    head.status == Status::SWITCHING_PROTOCOLS
        && chosen.peek().is_some()
        && chosen.all(|one| elements(asked).any(|known| known.eq_ignore_ascii_case(one)))
}

fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The upstream's next bytes; it is `unanswered` as long as none came. An error of the client's
/// side ends the call; one of the upstream's sending side does not, it may have answered before
/// it closed.
async fn receive(
    local: &Local,
    client: &Stream,
    stream: &Stream,
    upload: &mut Option<Box<Upload<'_>>>,
    unanswered: bool,
) -> Result<Buffer, Failure> {
    poll_fn(|cx| {
        if client.poll_failure(cx).is_ready() {
            return Poll::Ready(Err(Failure::Final(Reject::Client(Client::Left))));
        }
        if let Some(fault) = poll_upload(upload, stream, local, cx) {
            return Poll::Ready(Err(Failure::Final(refuse_body(&fault))));
        }
        Poll::Ready(match ready!(stream.poll_receive(cx)) {
            Ok(Some(more)) => Ok(more),
            Ok(None) => Err(end_of(None, unanswered)),
            Err(error) => Err(end_of(Some(error.kind()), unanswered)),
        })
    })
    .await
}

/// Moves the request's body on as far as it goes now. Tells what is wrong with the client's side;
/// what is wrong with the upstream's shows when its answer is read.
fn poll_upload(
    upload: &mut Option<Box<Upload<'_>>>,
    stream: &Stream,
    local: &Local,
    cx: &Context<'_>,
) -> Option<BodyFault> {
    let going = upload.as_mut()?;
    match going.poll(stream, local, cx) {
        Poll::Ready(Err(UploadFault::Client(fault))) => {
            going.abandon();
            Some(fault)
        }
        Poll::Ready(Err(UploadFault::Upstream)) => {
            going.abandon();
            None
        }
        Poll::Ready(Ok(())) | Poll::Pending => None,
    }
}

/// Why no answer will come: the end, or an error.
#[cold]
fn end_of(error: Option<io::ErrorKind>, unanswered: bool) -> Failure {
    match error {
        Some(io::ErrorKind::TimedOut) => Failure::Final(Reject::Upstream(Upstream::Timeout)),
        Some(io::ErrorKind::InvalidData) => Failure::Final(Reject::Upstream(Upstream::Malformed)),
        _ if unanswered => Failure::Unanswered(Reject::Upstream(Upstream::Closed)),
        _ => Failure::Final(Reject::Upstream(Upstream::Malformed)),
    }
}

fn refuse_checkout(
    local: &Local,
    detail: &Cell<Option<&'static str>>,
    fault: CheckoutFault,
) -> Reject {
    match fault {
        CheckoutFault::Untrusted(why) => {
            local.count(|telemetry| telemetry.shard.upstream_tls_failures += 1);
            detail.set(Some(why));
            Reject::Upstream(Upstream::Untrusted)
        }
        CheckoutFault::PoolFull => Reject::Ours(Ours::Overloaded),
        CheckoutFault::NoAddress | CheckoutFault::Connect(_) => {
            Reject::Upstream(Upstream::Unreachable)
        }
    }
}

/// What a client sees whose body cannot be forwarded.
#[must_use]
pub(super) fn refuse_body(fault: &BodyFault) -> Reject {
    Reject::Client(match fault {
        BodyFault::Malformed(_) => Client::Malformed,
        BodyFault::TooLong => Client::BodyTooLarge,
        BodyFault::TooSlow => Client::TooSlow,
        BodyFault::Tampered => Client::NotSigned(IamFault::Payload),
        BodyFault::Cut | BodyFault::Broken(_) | BodyFault::Unwanted => Client::Closed,
    })
}
