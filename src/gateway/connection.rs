//! A client's HTTP/1.1 connection: request after request until one side has had enough.

use std::{future::poll_fn, net::SocketAddr, rc::Rc, time::Duration};

use super::{
    Local,
    body::Incoming,
    deliver::{Delivered, Next, Receiver},
    forward::RequestBody,
    inbound::{Inbound, Stop},
    pipeline::{self, Path, Request, Response},
    seats::Seat,
    tunnel,
};
use crate::{
    base::{Buffer, Moment, limits},
    http::{Framing, HeadSink, Name, RequestHead, Status},
    net::Stream,
    steps::{
        context::{self, Arrival, Facts, RequestId, TraceId},
        integrate::{Origin, Protocol, TrustedProxies},
        reject::{Client, Ours, Reject},
        respond,
    },
    telemetry::{Outcome, SeriesKey},
    wire::http1::HeadWriter,
};

/// A listening address, as its connections see it.
pub struct Door {
    /// Where clients connect to.
    pub local_addr: SocketAddr,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted: TrustedProxies,
}

/// Serves a client until the connection ends.
pub async fn serve(local: Rc<Local>, door: Rc<Door>, stream: Stream) {
    let seat = Leaving { seat: local.seats.take(stream), local: &local };
    let (seat, stream) = (&*seat.seat, &seat.seat.stream);
    let origin = Origin::new(stream.peer(), door.local_addr, Protocol::Http, &door.trusted);
    let mut inbound = Inbound { pending: Buffer::empty() };
    loop {
        seat.idle.set(true);
        let idle_until = local.runtime.now() + local.idle_wait();
        match inbound.read_head(&local, stream, idle_until).await {
            Ok((head, began)) => {
                seat.idle.set(false);
                let exchange = Visit { local: &local, stream, origin: &origin, door: &door };
                match exchange.run(&mut inbound, &head, began).await {
                    End::Keep => {}
                    End::Unread => return close(&local, stream, Unread::Yes).await,
                    End::Close => return close(&local, stream, Unread::No).await,
                    End::Abort => return,
                }
            }
            Err(stop) => return refuse_head(&local, &origin, stream, &stop).await,
        }
    }
}

/// Gives the seat up however the task ends, a panic included.
struct Leaving<'l> {
    seat: Rc<Seat>,
    local: &'l Local,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.local.seats.leave(&self.seat);
    }
}

/// What follows a request.
enum End {
    Keep,
    /// Close; the client may have sent more than was read.
    Unread,
    Close,
    Abort,
}

/// One request's visit.
struct Visit<'c> {
    local: &'c Local,
    stream: &'c Stream,
    origin: &'c Origin,
    door: &'c Door,
}

impl Visit<'_> {
    async fn run(&self, inbound: &mut Inbound, head: &RequestHead, began: Moment) -> End {
        let installed = self.local.installed();
        let body = take_body(inbound, head.framing);
        let request = Request {
            head,
            client: self.stream,
            origin: self.origin,
            expects_continue: head.expects_continue,
            body,
        };
        let receiver = Receiver {
            stream: self.stream,
            head,
            may_keep: head.connection.keep_alive,
            body_is_here: !matches!(request.body, RequestBody::Arriving { .. }),
        };
        let body_is_here = receiver.body_is_here;
        let request_bytes = match head.framing {
            Framing::Length(length) => length,
            Framing::None | Framing::Chunked | Framing::UntilClose => 0,
        };
        let mut facts = Facts::new(self.arrival(head));
        let path = Path::default();
        let response = pipeline::answer(self.local, &installed, request, &mut facts, &path).await;
        let tunnelled = match &response {
            Response::Forwarded(forwarded) => {
                forwarded.exchange.head.status == Status::SWITCHING_PROTOCOLS
            }
            Response::Refused(_) | Response::Own => false,
        };
        let delivered = if tunnelled {
            tunnel::run(self.local, &receiver, response, &facts, inbound).await
        } else {
            receiver.deliver(self.local, response, &facts).await
        };
        self.record(&mut facts, path.series.get(), &delivered, began, request_bytes);
        match delivered.next {
            Next::Keep(None) => End::Keep,
            Next::Keep(Some(rest)) => {
                inbound.pending = rest;
                End::Keep
            }
            Next::Close if body_is_here && inbound.pending.is_empty() => End::Close,
            Next::Close => End::Unread,
            Next::Abort => End::Abort,
        }
    }

    fn arrival<'h>(&self, head: &'h RequestHead) -> Arrival<'h>
    where
        Self: 'h,
    {
        let received = self.local.runtime.wall();
        let fields = head.fields();
        let trace = fields.find(Name::XAmznTraceId).and_then(TraceId::parse);
        Arrival {
            request_id: self.local.request_id(),
            trace_id: trace
                .unwrap_or_else(|| TraceId::new(received.seconds(), self.local.random_bits())),
            received,
            request_time: self.local.clf_time(received),
            source_ip: self.origin.source_ip(fields, &self.door.trusted),
            method: Some(head.method),
            path: head.target().path,
            version: Some(head.version),
            domain_name: head.authority().host,
            user_agent: fields.find(Name::UserAgent).unwrap_or_default(),
        }
    }

    fn record(
        &self,
        facts: &mut Facts<'_>,
        series: Option<SeriesKey>,
        delivered: &Delivered,
        began: Moment,
        request_bytes: u64,
    ) {
        let latency = self.local.runtime.now().since(began);
        facts.record_outcome(context::Outcome {
            status: delivered.status,
            response_length: delivered.body_bytes,
            latency,
        });
        let outcome = Outcome {
            status: delivered.status,
            latency,
            integration: facts.integrated().map(|integrated| integrated.latency),
            data_bytes: request_bytes + delivered.body_bytes,
        };
        if series.is_none() {
            self.local.count_refused(delivered.status);
        }
        self.local.record(facts, series, &outcome);
    }
}

/// The body behind a head: what is here of it, and where the rest will come from.
fn take_body(inbound: &mut Inbound, framing: Framing) -> RequestBody {
    match framing {
        Framing::None | Framing::Length(0) | Framing::UntilClose => RequestBody::None,
        Framing::Length(length) if length <= inbound.pending.len() as u64 => {
            let length = usize::try_from(length).expect("no longer than what is pending");
            RequestBody::Here(inbound.pending.split_to(length))
        }
        Framing::Length(_) | Framing::Chunked => {
            let pending = std::mem::replace(&mut inbound.pending, Buffer::empty());
            let rest = Incoming::new(framing, pending, limits::REQUEST_BODY_BYTES_MAX);
            RequestBody::Arriving { begun: Vec::new(), rest, framing }
        }
    }
}

/// Answers a head that is no request, then closes.
async fn refuse_head(local: &Local, origin: &Origin, stream: &Stream, stop: &Stop) {
    let reject = match stop {
        Stop::Quiet => return,
        Stop::Slow => Reject::Client(Client::TooSlow),
        Stop::Crowded => Reject::Ours(Ours::Overloaded),
        Stop::Refused(refusal) => refuse_as(refusal.status()),
    };
    local.count_refused(reject.status());
    let id = local.request_id();
    let mut out = local.outgoing();
    let mut writer = HeadWriter::new(&mut out.text);
    let body = respond::refuse(reject, &id, &local.http_date(), &mut writer);
    writer.framing(Framing::Length(body.len() as u64));
    writer.field(b"connection", &[b"close"]);
    let _ = writer.end();
    out.text.extend_from_slice(body);
    record_refused(local, origin, id, reject, body.len() as u64);
    stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
    if poll_fn(|cx| stream.poll_sent(cx)).await.is_ok() {
        stream.start_send(out);
        close(local, stream, Unread::Yes).await;
    }
}

/// Logs a request whose head could not be read: of it, nothing is known.
fn record_refused(local: &Local, origin: &Origin, id: RequestId, reject: Reject, body_bytes: u64) {
    let received = local.runtime.wall();
    let mut facts = Facts::new(Arrival {
        request_id: id,
        trace_id: TraceId::new(received.seconds(), local.random_bits()),
        received,
        request_time: local.clf_time(received),
        source_ip: origin.peer_text(),
        method: None,
        path: b"",
        version: None,
        domain_name: b"",
        user_agent: b"",
    });
    facts.record_reject(reject);
    let (status, latency) = (reject.status(), Duration::ZERO);
    facts.record_outcome(context::Outcome { status, response_length: body_bytes, latency });
    let outcome = Outcome { status, latency, integration: None, data_bytes: body_bytes };
    local.record(&facts, None, &outcome);
}

/// The refusal of this status, as the codec chose it.
const fn refuse_as(status: Status) -> Reject {
    Reject::Client(match status.code() {
        413 => Client::BodyTooLarge,
        414 => Client::TargetTooLong,
        417 => Client::Expectation,
        431 => Client::FieldsTooLarge,
        501 => Client::NotImplemented,
        505 => Client::Version,
        _ => Client::Malformed,
    })
}

/// Whether bytes may wait in the socket that nobody will read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unread {
    Yes,
    No,
}

/// Lets the last answer reach the client before the connection goes. Closing over unread bytes
/// would reset the connection, and the client might never see the answer: so they are read and
/// dropped for a while.
async fn close(local: &Local, stream: &Stream, unread: Unread) {
    stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
    if poll_fn(|cx| stream.poll_sent(cx)).await.is_err() || unread == Unread::No {
        return;
    }
    stream.shutdown_send();
    stream.set_deadline(Some(local.runtime.now() + limits::LINGER_WAIT));
    let mut dropped = 0;
    while let Ok(Some(bytes)) = stream.receive().await {
        dropped += bytes.len();
        if dropped > limits::LINGER_BYTES_MAX {
            return;
        }
    }
}
