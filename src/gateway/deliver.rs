//! The answer on its way to the client: head, framing, body; and whether the connection lives on.

use std::future::poll_fn;

use super::{
    Local,
    body::BodyFault,
    chunks::Reframe,
    pipeline::{Forwarded, Own, Response},
};
use crate::{
    base::{Buffer, limits},
    http::{Framing, HeadSink, Method, RequestHead, Status, Version},
    json::Body,
    net::{Outgoing, Stream},
    steps::{
        context::{CrossOrigin, CutShort, Facts},
        reject::{Reject, Upstream},
        respond,
    },
    wire::http1::{HeadWriter, Trailers},
};

/// What became of an answer.
pub(super) struct Delivered {
    /// The status that the client got.
    pub status: Status,
    /// Body bytes that were handed to the kernel.
    pub body_bytes: u64,
    /// Body bytes of the request that came after its head and went up.
    pub uploaded_bytes: u64,
    /// What follows on the connection.
    pub next: Next,
    /// Why the client did not get all of the answer.
    pub cut_short: Option<CutShort>,
}

/// What follows on a client's connection.
pub(super) enum Next {
    /// The next request; the bytes are what was received behind this one's body, when it was
    /// forwarded as it came.
    Keep(Option<Buffer>),
    /// Nothing: all was said.
    Close,
    /// Nothing: the answer is cut off, and the client must see that, after all that was sent.
    Cut,
    /// Nothing: the client is gone, or takes nothing.
    Abort,
}

/// The client's side of an answer.
pub(super) struct Receiver<'c> {
    /// The client's stream.
    pub stream: &'c Stream,
    /// The request's head.
    pub head: &'c RequestHead,
    /// The client wants the connection to live on.
    pub may_keep: bool,
    /// More came along with the request: the next one, at least its beginning.
    pub has_more: bool,
    /// All of the request's body came with its head, so that a refusal leaves nothing unread.
    pub body_is_here: bool,
}

/// An answer whose head is written.
struct Begun {
    /// The status that the client gets.
    status: Status,
    /// How the body is framed; `None` when none follows.
    body: Option<Reframe>,
    /// The connection lives on.
    keep: bool,
}

/// The client is gone, or takes nothing.
#[derive(Clone, Copy)]
pub(super) struct Gone;

impl Receiver<'_> {
    /// Sends an answer, body and all.
    pub(super) async fn deliver(
        &self,
        local: &Local,
        response: Response<'_, '_>,
        facts: &Facts<'_>,
    ) -> Delivered {
        match response {
            Response::Refused(reject) => self.refuse(local, reject, facts).await,
            Response::Own(own) => self.answer_own(local, own, facts).await,
            Response::Preflight(told) => self.answer_preflight(local, told, facts).await,
            Response::Forwarded(forwarded) => {
                let mapping = &forwarded.route.integration.response;
                if !mapping.reads_body(forwarded.exchange.head.status) {
                    return self.pass(local, forwarded, &[], facts).await;
                }
                match forwarded.exchange.collect(local).await {
                    Ok(begun) => self.pass(local, forwarded, &begun, facts).await,
                    Err(fault) => {
                        let cut_short = Some(fault.of_answer());
                        Delivered { cut_short, ..self.refuse(local, CUT, facts).await }
                    }
                }
            }
        }
    }

    async fn refuse(&self, local: &Local, reject: Reject, facts: &Facts<'_>) -> Delivered {
        let mut out = local.runtime.outgoing();
        let mut writer = HeadWriter::new(&mut out.text);
        let id = &facts.arrival.request_id;
        let body = respond::refuse(reject, id, &local.http_date(), Some(facts), &mut writer);
        writer.framing(Framing::Length(body.len() as u64));
        self.finish_own(local, out, reject.status(), body).await
    }

    async fn answer_own(&self, local: &Local, own: Own, facts: &Facts<'_>) -> Delivered {
        let (status, name, value, body): (_, &[u8], &[u8], &[u8]) = match own {
            Own::Asterisk => (Status::NO_CONTENT, b"allow", METHODS, b""),
            Own::Ping => (Status::OK, b"content-type", b"text/plain", b"healthy"),
        };
        let mut out = local.runtime.outgoing();
        let mut writer = HeadWriter::new(&mut out.text);
        writer.status_line(status);
        writer.field(b"date", &[local.http_date().as_bytes()]);
        writer.field(name, &[value]);
        writer.field(b"apigw-requestid", &[facts.arrival.request_id.as_bytes()]);
        if !status.has_no_body() {
            writer.framing(Framing::Length(body.len() as u64));
        }
        self.finish_own(local, out, status, body).await
    }

    /// 204, whether the origin is allowed or not, as AWS answers (`api-gateway.md` 9.1): a browser
    /// goes by the fields.
    async fn answer_preflight(
        &self,
        local: &Local,
        told: CrossOrigin<'_>,
        facts: &Facts<'_>,
    ) -> Delivered {
        let mut out = local.runtime.outgoing();
        let mut writer = HeadWriter::new(&mut out.text);
        writer.status_line(Status::NO_CONTENT);
        writer.field(b"date", &[local.http_date().as_bytes()]);
        writer.field(b"apigw-requestid", &[facts.arrival.request_id.as_bytes()]);
        told.write_preflight(&mut writer);
        self.finish_own(local, out, Status::NO_CONTENT, b"").await
    }

    /// Ends an answer's head that the gateway has written itself, and sends it with its body.
    async fn finish_own(
        &self,
        local: &Local,
        mut out: Outgoing,
        status: Status,
        body: &[u8],
    ) -> Delivered {
        let keep = self.may_keep && self.body_is_here && !self.must_end(local);
        self.end_head(keep, &mut out);
        let shown = if self.head.method == Method::Head { b"" } else { body };
        out.text.extend_from_slice(shown);
        let sent = self.send_last(local, out, None).await;
        let next = sent.map_or(Next::Abort, |()| Next::after(keep, None));
        let body_bytes = shown.len() as u64;
        Delivered { status, body_bytes, uploaded_bytes: 0, next, cut_short: None }
    }

    async fn pass(
        &self,
        local: &Local,
        forwarded: Forwarded<'_, '_>,
        begun: &[u8],
        facts: &Facts<'_>,
    ) -> Delivered {
        let mut out = local.runtime.outgoing();
        let Begun { status, body, keep } =
            self.write_head(local, &forwarded, begun, facts, &mut out);
        let exchange = forwarded.exchange;
        let Some(mut reframe) = body else {
            let sent = self.send_last(local, out, None).await;
            let uploaded_bytes = exchange.uploaded_bytes();
            let rest = exchange.finish();
            let cut_short = sent.as_ref().err().map(|Gone| CutShort::ClientLeft);
            let next = sent.map_or(Next::Abort, |()| Next::after(keep, rest));
            return Delivered { status, body_bytes: 0, uploaded_bytes, next, cut_short };
        };
        reframe.begin(begun, &mut out);
        loop {
            let room = self.room(local).await;
            let filled = match room {
                Ok(()) => exchange.fill(local, self.stream, &mut reframe, &mut out).await,
                Err(Gone) => Err(BodyFault::Unwanted),
            };
            // What came whole before a cut is sent, then the cut is shown by closing.
            let sent = match (&filled, room) {
                (_, Err(Gone)) => Err(Gone),
                (Ok(true), _) => self.send_last(local, out, exchange.body.trailers()).await,
                (Ok(false) | Err(_), _) => self.send(local, out).await,
            };
            let body_bytes = exchange.body.passed_bytes();
            let uploaded_bytes = exchange.uploaded_bytes();
            let (next, cut_short) = match (filled, sent) {
                (Ok(false), Ok(())) => {
                    out = local.runtime.outgoing();
                    continue;
                }
                (Ok(true), Ok(())) => (Next::after(keep, exchange.finish()), None),
                (Err(fault), Ok(())) => (Next::Cut, Some(fault.of_answer())),
                (_, Err(Gone)) => (Next::Abort, Some(CutShort::ClientLeft)),
            };
            return Delivered { status, body_bytes, uploaded_bytes, next, cut_short };
        }
    }

    /// Passes a 101 on.
    pub(super) async fn switch(
        &self,
        local: &Local,
        forwarded: &Forwarded<'_, '_>,
        facts: &Facts<'_>,
    ) -> Result<(), Gone> {
        let mut out = local.runtime.outgoing();
        let _ = self.write_head(local, forwarded, &[], facts, &mut out);
        self.send(local, out).await
    }

    /// Writes the head.
    fn write_head(
        &self,
        local: &Local,
        forwarded: &Forwarded<'_, '_>,
        begun: &[u8],
        facts: &Facts<'_>,
        out: &mut Outgoing,
    ) -> Begun {
        let exchange = &*forwarded.exchange;
        let answer = respond::Answer {
            status: exchange.head.status,
            fields: exchange.head.fields(),
            body: &Body::new(begun),
        };
        let mut scratch = local.scratch.take();
        let mut writer = HeadWriter::new(&mut out.text);
        let status = respond::interpret(
            &forwarded.route.integration.response,
            &answer,
            facts,
            &local.http_date(),
            &mut scratch.value,
            &mut writer,
        );
        if status == Status::SWITCHING_PROTOCOLS {
            out.text.extend_from_slice(b"\r\n");
            return Begun { status, body: None, keep: false };
        }
        let (framing, body) = self.frame(status, exchange.framing, exchange.head.framing);
        writer.framing(framing);
        let keep = self.may_keep
            && exchange.is_uploaded()
            && framing != Framing::UntilClose
            && !self.must_end(local);
        self.end_head(keep, out);
        Begun { status, body, keep }
    }

    /// What the head says about the body, and how the body follows, if it does. Decided by what the
    /// client asked and by the status that it gets: an integration may have another method, and a
    /// mapping may make another status. `came` is how the upstream's body ends, `told` what its
    /// head says, were there a body.
    const fn frame(
        &self,
        status: Status,
        came: Framing,
        told: Framing,
    ) -> (Framing, Option<Reframe>) {
        let none = matches!(self.head.method, Method::Head) || status.has_no_body();
        match (came, self.head.version) {
            _ if none => match told {
                // The answer to HEAD, or a 304, tells the length that the body would have.
                Framing::Length(_) if status.code() != 204 => (told, None),
                _ => (Framing::None, None),
            },
            (Framing::None, _) => (Framing::Length(0), None),
            (Framing::Length(_), _) => (came, Some(Reframe::Plain)),
            (_, Version::Http11) => (Framing::Chunked, Some(Reframe::Chunks)),
            // HTTP/1.0 knows no chunks, the close ends the body; HTTP/2 marks a stream's end.
            (_, Version::Http10 | Version::Http2) => (Framing::UntilClose, Some(Reframe::Plain)),
        }
    }

    /// Whether the gateway ends the connection with this answer: it drains, and no other request of
    /// the client came along with this one. What came later does not count: a client that goes on
    /// asking would never be sent away.
    fn must_end(&self, local: &Local) -> bool {
        local.is_draining() && !self.has_more
    }

    /// Says what becomes of the connection, where the version's default is another, and ends the
    /// head.
    fn end_head(&self, keep: bool, out: &mut Outgoing) {
        let line: &[u8] = match (keep, self.head.version) {
            (_, Version::Http2) | (true, Version::Http11) => b"\r\n",
            (true, Version::Http10) => b"connection: keep-alive\r\n\r\n",
            (false, _) => b"connection: close\r\n\r\n",
        };
        out.text.extend_from_slice(line);
    }

    /// Waits until an HTTP/2 stream may take more: its connection keeps only so much. A connection
    /// of HTTP/1.1 is asked when there is something to send.
    async fn room(&self, local: &Local) -> Result<(), Gone> {
        if self.head.version != Version::Http2 {
            return Ok(());
        }
        self.stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
        poll_fn(|cx| self.stream.poll_room(cx)).await.map_err(|_| Gone)
    }

    /// The last of the answer. An HTTP/2 stream has taken all of it before this returns.
    async fn send_last(
        &self,
        local: &Local,
        out: Outgoing,
        trailers: Option<&Trailers>,
    ) -> Result<(), Gone> {
        self.stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
        poll_fn(|cx| self.stream.poll_sent(cx)).await.map_err(|_| Gone)?;
        if self.head.version != Version::Http2 {
            self.stream.start_last(out, None);
            return Ok(());
        }
        self.stream.start_last(out, trailers.map(Trailers::lines));
        poll_fn(|cx| self.stream.poll_sent(cx)).await.map_err(|_| Gone)
    }

    /// Hands `out` to the kernel once the send before it is done; does not wait for this one.
    async fn send(&self, local: &Local, out: Outgoing) -> Result<(), Gone> {
        self.stream.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
        poll_fn(|cx| self.stream.poll_sent(cx)).await.map_err(|_| Gone)?;
        if !out.is_empty() {
            self.stream.start_send(out);
        }
        Ok(())
    }
}

impl Next {
    fn after(keep: bool, rest: Option<Buffer>) -> Self {
        if keep { Self::Keep(rest) } else { Self::Close }
    }
}

/// What `OPTIONS *` is told.
const METHODS: &[u8] = b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

/// What a client sees when an answer that a mapping reads does not arrive whole.
const CUT: Reject = Reject::Upstream(Upstream::Malformed);
