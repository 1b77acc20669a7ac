//! After a 101 that was asked for: bytes both ways, until both sides have closed.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use super::{
    Local,
    deliver::{Delivered, Next, Receiver},
    inbound::Inbound,
    pipeline::Response,
};
use crate::{
    base::{Buffer, limits},
    http::Status,
    net::Stream,
    steps::context::Facts,
};

/// Passes the 101 on, then tunnels.
pub(super) async fn run(
    local: &Local,
    receiver: &Receiver<'_>,
    response: Response<'_, '_>,
    facts: &Facts<'_>,
    inbound: &mut Inbound,
) -> Delivered {
    let status = Status::SWITCHING_PROTOCOLS;
    let Response::Forwarded(forwarded) = response else {
        let next = Next::Abort;
        return Delivered { status, body_bytes: 0, uploaded_bytes: 0, next, cut_short: None };
    };
    let sent = receiver.switch(local, &forwarded, facts).await;
    let (upstream, early) = forwarded.exchange.tunnel();
    let client = receiver.stream;
    let mut up = Way::new(std::mem::replace(&mut inbound.pending, Buffer::empty()));
    let mut down = Way::new(early);
    if sent.is_ok() {
        put_off(local, client, upstream);
        poll_fn(|cx| {
            let ways =
                (up.poll(local, client, upstream, cx), down.poll(local, upstream, client, cx));
            // Who has closed his side may be gone: a reset tells, when something is sent to him.
            let is_gone =
                |way: &Way, stream: &Stream| way.ended && stream.poll_failure(cx).is_ready();
            if is_gone(&up, client) || is_gone(&down, upstream) {
                return Poll::Ready(());
            }
            match ways {
                (Poll::Ready(Ok(())), Poll::Ready(Ok(())))
                | (Poll::Ready(Err(_)), _)
                | (_, Poll::Ready(Err(_))) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
    let (body_bytes, uploaded_bytes) = (down.passed_bytes, up.passed_bytes);
    Delivered { status, body_bytes, uploaded_bytes, next: Next::Abort, cut_short: None }
}

/// One direction of a tunnel.
struct Way {
    /// What came with the head, and is sent first.
    early: Buffer,
    passed_bytes: u64,
    ended: bool,
}

impl Way {
    const fn new(early: Buffer) -> Self {
        Self { early, passed_bytes: 0, ended: false }
    }

    /// Moves bytes on; ready when `from` has ended and all of it was sent.
    fn poll(
        &mut self,
        local: &Local,
        from: &Stream,
        to: &Stream,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(to.poll_sent(cx))?;
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            let mut piece = std::mem::replace(&mut self.early, Buffer::empty());
            if piece.is_empty() {
                match ready!(from.poll_receive(cx))? {
                    Some(bytes) => piece = bytes,
                    None => {
                        self.ended = true;
                        to.shutdown_send();
                        return Poll::Ready(Ok(()));
                    }
                }
            }
            put_off(local, from, to);
            self.passed_bytes += piece.len() as u64;
            let mut out = local.outgoing();
            out.pieces.push(piece);
            to.start_send(out);
        }
    }
}

/// Idle on both sides for too long ends the tunnel, whichever side it is.
fn put_off(local: &Local, one: &Stream, other: &Stream) {
    let until = Some(local.runtime.now() + limits::TUNNEL_IDLE_WAIT);
    one.set_deadline(until);
    other.set_deadline(until);
}
