//! The demo's upstream: [`crate::demo::answer`] on a loopback socket, HTTP/1.1 with keep-alive.

use std::future::poll_fn;

use crate::{
    base::{Buffer, Pooled, Shelf, limits},
    demo,
    gateway::{After, Incoming},
    http::{HeadSink, Method, RequestHead, Status},
    net::{Listener, Stream},
    runtime::Runtime,
    wire::http1::{self, Framing, HeadLimits, HeadWriter, Progress, RequestScan},
};

/// What the gateway's own connections may ask at most.
const BODY_BYTES_MAX: u64 = limits::REQUEST_BODY_BYTES_MAX;

/// Answers until the process ends.
pub(super) async fn serve(runtime: Runtime, listener: Listener) {
    while let Ok((stream, _)) = listener.accept().await {
        let clock = runtime.clone();
        runtime.spawn(async move {
            let mut pending = Buffer::empty();
            while let Some(rest) = converse(&clock, &stream, pending).await {
                pending = rest;
            }
        });
    }
}

/// One request and its answer; what was received behind it, or `None` at the end.
async fn converse(clock: &Runtime, stream: &Stream, pending: Buffer) -> Option<Buffer> {
    stream.set_deadline(Some(clock.now() + limits::KEEP_ALIVE_WAIT));
    let (head, pending) = read_head(stream, pending).await?;
    let mut incoming = Incoming::new(head.framing, pending, BODY_BYTES_MAX, After::Small);
    let mut body = Vec::new();
    while let Some(piece) = poll_fn(|cx| incoming.poll_next(stream, cx)).await.ok()? {
        body.extend_from_slice(&piece);
    }
    let target = head.target();
    let mut asked = String::from_utf8_lossy(target.path).into_owned();
    if let Some(query) = target.query {
        asked.push('?');
        asked.push_str(&String::from_utf8_lossy(query));
    }
    let (status, text) = demo::answer(head.method.as_str(), &asked, &body);
    let mut out = clock.outgoing();
    let mut writer = HeadWriter::new(&mut out.text);
    writer.status_line(Status::new(status).unwrap_or(Status::INTERNAL_SERVER_ERROR));
    writer.field(b"content-type", &[b"application/json"]);
    writer.framing(Framing::Length(text.len() as u64));
    let _ = writer.end();
    if head.method != Method::Head {
        out.text.extend_from_slice(text.as_bytes());
    }
    stream.send(out).await.ok()?;
    head.connection.keep_alive.then(|| incoming.take_rest())
}

async fn read_head(stream: &Stream, mut pending: Buffer) -> Option<(Pooled<RequestHead>, Buffer)> {
    let pool = RequestHead::pool(1);
    let shelf = Shelf::new(limits::LARGE_BLOCK_BYTES, 2);
    let mut scan = RequestScan::default();
    loop {
        if !pending.is_empty()
            && let Progress::Complete { head, consumed } =
                http1::parse_request(&pending, &mut scan, pool.take(), &HeadLimits::REQUEST).ok()?
        {
            pending.advance(consumed);
            return Some((head, pending));
        }
        let received = stream.receive().await.ok()??;
        pending = shelf.gather(&[&pending, &received])?;
    }
}
