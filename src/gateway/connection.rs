//! A client's HTTP/1.1 connection: request after request until one side has had enough.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Installed, Local,
    ends::{self, Ends},
    inbound::{Inbound, Preface, Stop},
    multiplexed,
    seats::Seat,
    shake::{record_end, shake},
    visit::{End, Visit},
};
use crate::{
    base::{Address, Buffer, limits},
    http::{Framing, HeadSink, Http2, Status},
    net::{Outgoing, Stream},
    plan::Plan,
    steps::{
        context::{self, Arrival, Facts, RequestId, TraceId},
        endpoint::LabelSet,
        integrate::{Origin, Protocol, ProxyProtocol, TrustedProxies},
        reject::{Client, Ours, Reject},
        respond,
    },
    telemetry::Outcome,
    tls::Face,
    wire::http1::HeadWriter,
};

/// What the log says of a client that does not speak TLS where it should.
const PLAIN_HTTP: &str = "plain HTTP was sent to a listener that speaks TLS";

/// A listening address, as its connections see it.
pub struct Door {
    /// Where clients connect to.
    pub local_addr: Address,
    /// What holds of them.
    pub terms: Terms,
    /// What is shown to clients, who speak TLS then.
    pub face: Option<FaceInForce>,
    /// The labels as a plan has them, and which plan that was.
    labels: Cell<(u64, LabelSet)>,
}

impl Door {
    /// A door at this address, of which a plan will say the face that has this name.
    #[must_use]
    pub fn new(local_addr: Address, terms: Terms, face: Option<FaceInForce>) -> Self {
        Self { local_addr, terms, face, labels: Cell::new((0, LabelSet::default())) }
    }

    /// Its labels, as far as APIs of this plan are private to them.
    pub(super) fn labels(&self, installed: &Installed) -> LabelSet {
        let (number, labels) = self.labels.get();
        if number == installed.number {
            return labels;
        }
        let labels = installed.plan.labels().find(self.terms.labels.iter().map(String::as_str));
        self.labels.set((installed.number, labels));
        labels
    }
}

/// What holds of the connections of one listener.
#[derive(Clone, Default)]
pub struct Terms {
    /// Whose `X-Forwarded-*` is believed.
    pub trusted: TrustedProxies,
    /// Whether they begin with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// Whether clients may speak HTTP/2.
    pub http2: Http2,
    /// What APIs call the listener that are private to it.
    pub labels: Vec<String>,
}

/// A listener's face, as the last plan has it that knows the listener.
pub struct FaceInForce {
    name: String,
    face: RefCell<Option<Arc<Face>>>,
}

impl FaceInForce {
    /// The face of this name.
    #[must_use]
    pub fn new(name: String, plan: &Plan) -> Self {
        let face = RefCell::new(plan.faces().find(&name).cloned());
        Self { name, face }
    }

    /// The face for the next connection. A listener that is gone from the file goes on with what it
    /// had: only a restart closes it.
    fn take(&self, plan: &Plan) -> Option<Arc<Face>> {
        let mut face = self.face.borrow_mut();
        if let Some(new) = plan.faces().find(&self.name) {
            *face = Some(Arc::clone(new));
        }
        face.clone()
    }
}

/// Serves a client until the connection ends.
pub async fn serve(local: Rc<Local>, door: Rc<Door>, stream: Stream) {
    let protocol = if door.face.is_some() { Protocol::Https } else { Protocol::Http };
    let arriving = local.seats.arrive();
    let Some(Ends { peer, own }) = ends::find(&local, &door, &stream).await else { return };
    drop(arriving);
    let origin = Origin::new(peer, own, protocol, &door.terms.trusted);
    let stream = match &door.face {
        None => stream,
        Some(face) => {
            let Some(face) = face.take(&local.installed().plan) else { return };
            stream.with_face(face)
        }
    };
    let http2 = door.terms.http2;
    let leaving = Leaving { seat: local.seats.take(Rc::new(stream), origin, door), local: &local };
    let seat = &leaving.seat;
    if seat.door.face.is_some() && !shake(&local, seat).await {
        return;
    }
    let mut inbound = Inbound { pending: Buffer::empty() };
    match preface(&local, seat, http2, &mut inbound).await {
        Ok(Preface::Here) => return multiplexed::serve(&local, &leaving, inbound).await,
        Ok(Preface::Other) => {}
        Err(stop) => return refuse_head(&leaving, &stop).await,
    }
    loop {
        seat.idle.set(true);
        let idle_until = local.runtime.now() + local.idle_wait();
        match inbound.read_head(&local, seat, idle_until).await {
            Ok((head, began)) => {
                seat.idle.set(false);
                seat.used.set(true);
                let (local, seat) = (Rc::clone(&local), Rc::clone(seat));
                let visit = Visit { local, seat, lane: None, inbound, head, began };
                let left = visit.guided().await;
                inbound = left.inbound;
                match left.end {
                    End::Keep => {}
                    End::Unread => return close(&leaving, Unread::Yes).await,
                    End::Close => return close(&leaving, Unread::No).await,
                    End::Abort => return,
                }
            }
            Err(stop) => return refuse_head(&leaving, &stop).await,
        }
    }
}

/// Which protocol the client speaks: under TLS as agreed, else as it begins.
async fn preface(
    local: &Local,
    seat: &Seat,
    http2: Http2,
    inbound: &mut Inbound,
) -> Result<Preface, Stop> {
    match (seat.stream.alpn(), http2) {
        (Some(b"h2"), _) => Ok(Preface::Here),
        (Some(_), _) | (None, Http2::NotOffered) => Ok(Preface::Other),
        (None, Http2::Offered) => inbound.read_preface(local, seat).await,
    }
}

/// Gives the seat up however the task ends, a panic included.
pub(super) struct Leaving<'l> {
    pub(super) seat: Rc<Seat>,
    local: &'l Local,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        record_end(self.local, self.seat.stream.tls_end());
        self.local.seats.leave(&self.seat);
    }
}

/// Answers a head that is no request, then closes.
async fn refuse_head(leaving: &Leaving<'_>, stop: &Stop) {
    let (local, stream) = (leaving.local, &leaving.seat.stream);
    let Some(out) = write_refusal(local, &leaving.seat.origin, stop) else { return };
    stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
    if poll_fn(|cx| stream.poll_sent(cx)).await.is_ok() {
        stream.start_send(out);
        close(leaving, Unread::Yes).await;
    }
}

/// The answer to a head that is no request, counted and logged; `None` when nobody waits for one.
pub(super) fn write_refusal(local: &Local, origin: &Origin, stop: &Stop) -> Option<Outgoing> {
    let (reject, detail) = match stop {
        Stop::Quiet => return None,
        Stop::Slow => (Reject::Client(Client::TooSlow), None),
        Stop::Crowded => (Reject::Ours(Ours::Overloaded), None),
        Stop::PlainHttp => (Reject::Client(Client::Malformed), Some(PLAIN_HTTP)),
        Stop::Refused(refusal) => (refuse_as(refusal.status()), Some(refusal.sentence())),
    };
    local.count_refused(reject.status());
    let id = local.request_id();
    let mut out = local.outgoing();
    let mut writer = HeadWriter::new(&mut out.text);
    let body = respond::refuse(reject, &id, &local.http_date(), None, &mut writer);
    writer.framing(Framing::Length(body.len() as u64));
    writer.field(b"connection", &[b"close"]);
    let _ = writer.end();
    out.text.extend_from_slice(body);
    record_refused(local, origin, id, reject, detail, body.len() as u64);
    Some(out)
}

/// Logs a request whose head could not be read: of it, nothing is known.
fn record_refused(
    local: &Local,
    origin: &Origin,
    id: RequestId,
    reject: Reject,
    detail: Option<&'static str>,
    body_bytes: u64,
) {
    let received = local.runtime.wall();
    let mut facts = Facts::new(Arrival {
        request_id: id,
        trace_id: TraceId::new(received.seconds(), local.random_bits()),
        received,
        request_time: local.clf_time(received),
        source_ip: origin.peer_text(),
        source: origin.peer(),
        method: None,
        path: b"",
        version: None,
        domain_name: b"",
        user_agent: b"",
        listener_labels: &[],
        secured: None,
    });
    facts.record_reject(reject);
    facts.record_detail(detail);
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
pub(super) enum Unread {
    Yes,
    No,
}

/// Lets the last answer reach the client before the connection goes.
pub(super) async fn close(leaving: &Leaving<'_>, unread: Unread) {
    let (local, stream) = (leaving.local, &leaving.seat.stream);
    stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
    if poll_fn(|cx| stream.poll_sent(cx)).await.is_err() || unread == Unread::No {
        return;
    }
    linger(local, stream, |cx| stream.poll_receive(cx)).await;
}

/// Says that nothing follows, and drops what `receive` gives for a while. Closing over unread bytes
/// would reset the connection, and the client might never see what was sent to it last.
pub(super) async fn linger(
    local: &Local,
    stream: &Stream,
    receive: impl Fn(&Context<'_>) -> Poll<io::Result<Option<Buffer>>>,
) {
    stream.shutdown_send();
    stream.set_deadline(Some(local.runtime.now() + limits::LINGER_WAIT));
    let mut dropped = 0;
    while let Ok(Some(bytes)) = poll_fn(|cx| receive(cx)).await {
        dropped += bytes.len();
        if dropped > limits::LINGER_BYTES_MAX {
            return;
        }
    }
}
