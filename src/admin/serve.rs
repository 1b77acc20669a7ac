//! The private port's socket loop: bounded connections, a deadline on every wait, keep-alive.

use std::{cell::Cell, future::Future, rc::Rc, time::Duration};

use super::{
    answers::{self, Answer, Health, PlanView, Question},
    limits::{self, LimitsQuestion},
    usage::{self, UsageQuestion},
};
use crate::{
    base::{
        Buffer, Pool, Pooled, Shelf,
        limits::{ADMIN_BODY_BYTES_MAX, ADMIN_CONNECTIONS_MAX, ADMIN_WAIT, REQUEST_HEAD_BYTES_MAX},
    },
    http::{Framing, HeadSink, Method, RequestHead, Status, Version},
    net::{Listener, Outgoing, Stream},
    runtime::Runtime,
    wire::http1::{self, HeadLimits, HeadWriter, Progress, RequestScan},
};

/// A head and the start of what a client pipelined behind it.
const HEAD_BLOCK_BYTES: usize = 2 * REQUEST_HEAD_BYTES_MAX;
/// After a failed accept (no descriptor left), how long before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the private port asks of the process.
pub trait Inspected: 'static {
    /// How it is.
    fn health(&self) -> Health;
    /// What it serves.
    fn plan(&self) -> PlanView;
    /// The text of `GET /metrics`.
    fn metrics(&self) -> impl Future<Output = String>;
    /// Reads the documents again: the new generation, or the problems.
    fn reload(&self) -> impl Future<Output = Result<u64, String>>;
    /// Tells of keys, usage plans and quotas, or changes them.
    fn usage(&self, question: UsageQuestion) -> impl Future<Output = Answer>;
    /// Tells what is left of limits.
    fn limits(&self, question: LimitsQuestion) -> impl Future<Output = Answer>;
}

/// What all connections share.
struct Port<I> {
    inspected: I,
    shelf: Rc<Shelf>,
    heads: Pool<RequestHead>,
    open: Cell<usize>,
}

/// Answers connections until the executor ends.
pub async fn serve<I: Inspected>(runtime: Runtime, listener: Listener, inspected: I) {
    let port = Rc::new(Port {
        inspected,
        shelf: Shelf::new(HEAD_BLOCK_BYTES, 2 * ADMIN_CONNECTIONS_MAX),
        heads: RequestHead::pool(ADMIN_CONNECTIONS_MAX),
        open: Cell::new(0),
    });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            runtime.sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // At the bound the new connection is closed: the old ones end by their deadlines.
        if port.open.get() < ADMIN_CONNECTIONS_MAX {
            let seat = Seat::take(Rc::clone(&port));
            let clock = runtime.clone();
            runtime.spawn(async move { converse(&clock, &stream, &seat.0).await });
        }
    }
}

/// One of the bounded connections; given back also when its task panics.
struct Seat<I>(Rc<Port<I>>);

impl<I> Seat<I> {
    fn take(port: Rc<Port<I>>) -> Self {
        port.open.set(port.open.get() + 1);
        Self(port)
    }
}

impl<I> Drop for Seat<I> {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

async fn converse<I: Inspected>(runtime: &Runtime, stream: &Stream, port: &Port<I>) {
    let mut pending = Buffer::empty();
    loop {
        stream.set_deadline(Some(runtime.now() + ADMIN_WAIT));
        let Some(request) = read_request(stream, port, &mut pending).await else { return };
        let (answer, keeps) = match &request {
            Ok(head) => match read_body(stream, &mut pending, head).await {
                Some(Ok(body)) => (port.answer(head, &body).await, keeps_alive(head)),
                Some(Err(refusal)) => (refusal, false),
                None => return,
            },
            Err(refusal) => (refusal.clone(), false),
        };
        let is_head = matches!(&request, Ok(head) if head.method == Method::Head);
        let outgoing = Outgoing { text: render(&answer, is_head, keeps), pieces: Vec::new() };
        stream.set_deadline(Some(runtime.now() + ADMIN_WAIT));
        if stream.send(outgoing).await.is_err() || !keeps {
            stream.shutdown_send();
            return;
        }
    }
}

/// The next head, or the answer to something that is none; `None` at the end or the deadline.
async fn read_request<I>(
    stream: &Stream,
    port: &Port<I>,
    pending: &mut Buffer,
) -> Option<Result<Pooled<RequestHead>, Answer>> {
    let mut scan = RequestScan::default();
    loop {
        if !pending.is_empty() {
            match http1::parse_request(pending, &mut scan, port.heads.take(), &HeadLimits::REQUEST)
            {
                Ok(Progress::Complete { head, consumed }) => {
                    pending.advance(consumed);
                    return Some(Ok(head));
                }
                Ok(Progress::Partial) => {}
                Err(refusal) => {
                    return Some(Err(answers::message(refusal.status(), refusal.sentence())));
                }
            }
        }
        let received = stream.receive().await.ok()??;
        match port.shelf.gather(&[pending, &received]) {
            Some(both) => *pending = both,
            None => {
                let sentence = "too much was sent before an answer was read";
                let status = Status::REQUEST_HEADER_FIELDS_TOO_LARGE;
                return Some(Err(answers::message(status, sentence)));
            }
        }
    }
}

/// The request's body, of a length that is told before; `None` at the end or the deadline. What
/// takes no body is refused when it has one.
async fn read_body(
    stream: &Stream,
    pending: &mut Buffer,
    head: &RequestHead,
) -> Option<Result<Vec<u8>, Answer>> {
    let length = match http1::request_framing(head) {
        framing if !framing.has_body() => return Some(Ok(Vec::new())),
        Framing::Length(length) if head.method == Method::Patch => length,
        _ => {
            let sentence = "only PATCH takes a body here, and with its Content-Length";
            return Some(Err(answers::message(Status::CONTENT_TOO_LARGE, sentence)));
        }
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > ADMIN_BODY_BYTES_MAX {
        let sentence = format!("a body of {length} bytes; at most {ADMIN_BODY_BYTES_MAX}");
        return Some(Err(answers::message(Status::CONTENT_TOO_LARGE, &sentence)));
    }
    if head.expects_continue {
        let text = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        stream.send(Outgoing { text, pieces: Vec::new() }).await.ok()?;
    }
    let mut body = Vec::with_capacity(length);
    while body.len() < length {
        if pending.is_empty() {
            *pending = stream.receive().await.ok()??;
        }
        let part = pending.len().min(length - body.len());
        body.extend_from_slice(&pending[..part]);
        pending.advance(part);
    }
    if pending.is_empty() {
        *pending = Buffer::empty();
    }
    Some(Ok(body))
}

impl<I: Inspected> Port<I> {
    async fn answer(&self, head: &RequestHead, body: &[u8]) -> Answer {
        let target = head.target();
        match usage::parse(head.method, target.path, target.query, body) {
            Some(Ok(question)) => return self.inspected.usage(question).await,
            Some(Err(refusal)) => return refusal,
            None if !body.is_empty() => {
                let sentence = "this path takes no body";
                return answers::message(Status::CONTENT_TOO_LARGE, sentence);
            }
            None => {}
        }
        match limits::parse(head.method, target.path, target.query) {
            Some(Ok(question)) => return self.inspected.limits(question).await,
            Some(Err(refusal)) => return refusal,
            None => {}
        }
        match answers::parse(head.method, target.path) {
            Ok(Question::Health) => answers::health(&self.inspected.health()),
            Ok(Question::Plan) => answers::plan(&self.inspected.plan()),
            Ok(Question::Metrics) => answers::metrics(self.inspected.metrics().await),
            Ok(Question::Reload) => answers::reloaded(self.inspected.reload().await),
            Err(refusal) => refusal,
        }
    }
}

fn keeps_alive(head: &RequestHead) -> bool {
    head.version == Version::Http11 && head.connection.keep_alive
}

fn render(answer: &Answer, is_head: bool, keeps: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(256 + answer.body.len());
    let mut head = HeadWriter::new(&mut text);
    head.status_line(answer.status);
    head.field(b"Content-Type", &[answer.content_type.as_bytes()]);
    head.number(b"Content-Length", answer.body.len() as u64);
    head.field(b"Cache-Control", &[b"no-store"]);
    if let Some(allow) = answer.allow {
        head.field(b"Allow", &[allow.as_bytes()]);
    }
    if let Some(error_type) = answer.error_type {
        head.field(b"x-amzn-ErrorType", &[error_type.as_bytes()]);
    }
    if !keeps {
        head.field(b"Connection", &[b"close"]);
    }
    let dropped = head.end();
    debug_assert_eq!(dropped, 0, "every field here is a constant");
    if !is_head {
        text.extend_from_slice(answer.body.as_bytes());
    }
    text
}

#[cfg(test)]
mod tests;
