//! One request's visit: from its head to the end of its answer, then the access log.
//!
//! The future of a visit is large, and most connections are idle: so it is not part of the
//! connection's. A [`Guide`] is a boxed future that runs one visit after the other, for whichever
//! connection has a request; a shard has as many as there were requests at the same time.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

use super::{
    Local,
    body::{After, Incoming},
    connection::linger,
    deliver::{Delivered, Next, Receiver},
    forward::{Arriving, RequestBody},
    inbound::Inbound,
    pipeline::{self, Path, Request, Response},
    seats::Seat,
    tunnel,
};
use crate::{
    base::{Buffer, Moment, Pooled, limits},
    http::{Framing, Name, RequestHead, Status, Version},
    net::Stream,
    steps::context::{self, Arrival, Facts, TraceId},
    telemetry::{Outcome, SeriesKey},
};

/// A request and the connection it came on.
pub(super) struct Visit {
    /// The shard's share.
    pub(super) local: Rc<Local>,
    /// The connection.
    pub(super) seat: Rc<Seat>,
    /// The request's own stream, in HTTP/2.
    pub(super) lane: Option<Box<Stream>>,
    /// What was received behind the head.
    pub(super) inbound: Inbound,
    /// The head.
    pub(super) head: Pooled<RequestHead>,
    /// When its first byte was there.
    pub(super) began: Moment,
}

/// What a visit leaves behind.
pub(super) struct Left {
    /// What was received and belongs to no message yet.
    pub(super) inbound: Inbound,
    /// What follows on the connection.
    pub(super) end: End,
}

/// What follows a request.
pub(super) enum End {
    /// The next one.
    Keep,
    /// Close; the client may have sent more than was read.
    Unread,
    /// Close.
    Close,
    /// Close at once.
    Abort,
}

/// A kept future that runs visits.
pub(super) struct Guide {
    work: Pin<Box<dyn Future<Output = ()>>>,
    desk: Rc<Desk>,
}

/// Where a guide finds its visit, and leaves what came of it.
#[derive(Default)]
struct Desk {
    visit: RefCell<Option<Visit>>,
    left: RefCell<Option<Left>>,
}

impl Guide {
    fn new() -> Self {
        let desk = Rc::new(Desk::default());
        let own = Rc::clone(&desk);
        let work = Box::pin(async move {
            loop {
                // Polled only when a visit lies there or one is under way: nobody has to wake it.
                let next = poll_fn(|_| own.visit.take().map_or(Poll::Pending, Poll::Ready));
                let left = next.await.run().await;
                own.left.replace(Some(left));
            }
        });
        Self { work, desk }
    }
}

impl Visit {
    /// Runs the visit in a kept future. When the connection's task is dropped meanwhile, the guide
    /// goes with it.
    pub(super) async fn guided(self) -> Left {
        let local = Rc::clone(&self.local);
        let mut guide = local.take_guide().unwrap_or_else(Guide::new);
        guide.desk.visit.replace(Some(self));
        let left = poll_fn(|cx| {
            let _never_ends = guide.work.as_mut().poll(cx);
            guide.desk.left.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        local.keep_guide(guide);
        left
    }

    async fn run(self) -> Left {
        let Self { local, seat, lane, mut inbound, head, began } = self;
        let client = lane.as_deref().unwrap_or(&seat.stream);
        let end = serve(&local, &seat, client, &mut inbound, &head, began).await;
        if let (Some(lane), End::Unread) = (&lane, &end) {
            // Given up now, the stream would be reset behind its answer, and some clients (curl
            // 7.88) lose an answer that a reset comes along with.
            linger(&local, lane, |cx| lane.poll_receive(cx)).await;
        }
        Left { inbound, end }
    }
}

async fn serve(
    local: &Local,
    seat: &Seat,
    client: &Stream,
    inbound: &mut Inbound,
    head: &RequestHead,
    began: Moment,
) -> End {
    let installed = local.installed();
    let body = take_body(inbound, head);
    let request = Request { head, client, seat, expects_continue: head.expects_continue, body };
    let receiver = Receiver {
        stream: client,
        head,
        may_keep: head.connection.keep_alive,
        has_more: !inbound.pending.is_empty(),
        body_is_here: !matches!(request.body, RequestBody::Arriving(_)),
    };
    let body_is_here = receiver.body_is_here;
    let here_bytes = match &request.body {
        RequestBody::Here(bytes) => bytes.len() as u64,
        RequestBody::None | RequestBody::Arriving(_) => 0,
    };
    let mut facts = Facts::new(arrival(local, seat, head));
    let path = Path::default();
    let mut exchange = None;
    let response =
        pipeline::answer(local, &installed, request, &mut facts, &path, &mut exchange).await;
    facts.record_detail(path.detail.get());
    let refused = matches!(response, Response::Refused(_));
    let tunnelled = match &response {
        Response::Forwarded(forwarded) => {
            forwarded.exchange.head.status == Status::SWITCHING_PROTOCOLS
        }
        Response::Refused(_) | Response::Own(_) | Response::Preflight(_) => false,
    };
    let delivered = if tunnelled {
        tunnel::run(local, &receiver, response, &facts, inbound).await
    } else {
        receiver.deliver(local, response, &facts).await
    };
    if refused && path.series.get().is_none() {
        local.count_refused(delivered.status);
    }
    record(local, &mut facts, path.series.get(), &delivered, began, here_bytes);
    if matches!(delivered.next, Next::Cut | Next::Abort) {
        client.omit_farewell();
    }
    match delivered.next {
        Next::Keep(None) => End::Keep,
        Next::Keep(Some(rest)) => {
            inbound.pending = rest;
            End::Keep
        }
        // A client that wants to go on may have sent its next request since.
        Next::Close if body_is_here && !receiver.may_keep && inbound.pending.is_empty() => {
            End::Close
        }
        // Closing over what it has sent since would reset the connection, and take earlier
        // answers with it that are still on their way.
        Next::Close | Next::Cut => End::Unread,
        Next::Abort => End::Abort,
    }
}

fn arrival<'h>(local: &Local, seat: &'h Seat, head: &'h RequestHead) -> Arrival<'h> {
    let received = local.runtime.wall();
    let fields = head.fields();
    let (source_ip, source) = seat.origin.source_ip(fields, &seat.door.terms.trusted);
    let trace = fields.find(Name::XAmznTraceId).and_then(TraceId::parse);
    Arrival {
        request_id: local.request_id(),
        trace_id: trace.unwrap_or_else(|| TraceId::new(received.seconds(), local.random_bits())),
        received,
        request_time: local.clf_time(received),
        source_ip,
        source,
        method: Some(head.method),
        path: head.target().path,
        version: Some(head.version),
        domain_name: head.authority().host,
        user_agent: fields.find(Name::UserAgent).unwrap_or_default(),
        listener_labels: &seat.door.terms.labels,
        secured: seat.stream.negotiated().map(|negotiated| &negotiated.secured),
    }
}

fn record(
    local: &Local,
    facts: &mut Facts<'_>,
    series: Option<SeriesKey>,
    delivered: &Delivered,
    began: Moment,
    here_bytes: u64,
) {
    let latency = local.runtime.now().since(began);
    if let Some(why) = delivered.cut_short {
        facts.record_cut_short(why);
    }
    facts.record_outcome(context::Outcome {
        status: delivered.status,
        response_length: delivered.body_bytes,
        latency,
    });
    let outcome = Outcome {
        status: delivered.status,
        latency,
        integration: facts.integrated().map(|integrated| integrated.latency),
        data_bytes: here_bytes + delivered.uploaded_bytes + delivered.body_bytes,
    };
    local.record(facts, series, &outcome);
}

/// The body behind a head: what is here of it, and where the rest will come from.
fn take_body(inbound: &mut Inbound, head: &RequestHead) -> RequestBody {
    let framing = head.framing;
    if head.version == Version::Http2 {
        return marked_body(framing);
    }
    match framing {
        Framing::None | Framing::Length(0) | Framing::UntilClose => RequestBody::None,
        Framing::Length(length) if length <= inbound.pending.len() as u64 => {
            let length = usize::try_from(length).expect("no longer than what is pending");
            RequestBody::Here(inbound.pending.split_to(length))
        }
        Framing::Length(_) | Framing::Chunked => {
            let pending = std::mem::replace(&mut inbound.pending, Buffer::empty());
            let most = limits::REQUEST_BODY_BYTES_MAX;
            let rest = Incoming::new(framing, pending, most, After::Small);
            RequestBody::Arriving(Box::new(Arriving { begun: Vec::new(), rest, framing }))
        }
    }
}

/// The body of a request on an HTTP/2 stream. A stream that has not ended yet may turn out to be
/// malformed: also what its head says is empty is waited for.
fn marked_body(framing: Framing) -> RequestBody {
    let length = match framing {
        Framing::None => return RequestBody::None,
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let rest = Incoming::marked(length, limits::REQUEST_BODY_BYTES_MAX);
    RequestBody::Arriving(Box::new(Arriving { begun: Vec::new(), rest, framing }))
}
