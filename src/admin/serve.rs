//! The private port's socket loop: bounded connections, a deadline on every wait, keep-alive.

use std::{cell::Cell, future::Future, rc::Rc, time::Duration};

use super::answers::{self, Answer, Health, PlanView, Question};
use crate::{
    base::{
        Buffer, Pool, Pooled, Shelf,
        limits::{ADMIN_CONNECTIONS_MAX, ADMIN_WAIT, REQUEST_HEAD_BYTES_MAX},
    },
    http::{HeadSink, Method, RequestHead, Status, Version},
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
            Ok(head) => (port.answer(head).await, keeps_alive(head)),
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

impl<I: Inspected> Port<I> {
    async fn answer(&self, head: &RequestHead) -> Answer {
        if http1::request_framing(head).has_body() {
            return answers::message(Status::CONTENT_TOO_LARGE, "the private port takes no body");
        }
        match answers::parse(head.method, head.target().path) {
            Ok(Question::Health) => answers::health(&self.inspected.health()),
            Ok(Question::Plan) => answers::plan(&self.inspected.plan()),
            Ok(Question::Metrics) => answers::metrics(self.inspected.metrics().await),
            Ok(Question::Reload) => answers::reloaded(self.inspected.reload().await),
            Err(refusal) => refusal,
        }
    }
}

/// After a body that nobody read, the connection cannot go on.
fn keeps_alive(head: &RequestHead) -> bool {
    head.version == Version::Http11
        && head.connection.keep_alive
        && !http1::request_framing(head).has_body()
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
