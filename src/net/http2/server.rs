//! The server's side of an HTTP/2 connection: requests in, each with a lane for its answer.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};

use h2::Reason;

use super::{
    Lane, Link,
    lane::Piece,
    text::{self, Untellable},
    wire::Wire,
};
use crate::{
    base::{Buffer, limits},
    http::Flood,
    net::Stream,
    runtime::Runtime,
};

/// A client's HTTP/2 connection. Everything that moves on it moves while it is polled.
pub struct Server {
    connection: h2::server::Connection<Wire, Piece>,
    link: Rc<Link>,
    ending: bool,
}

/// What happens on a connection.
pub enum Event {
    /// A request.
    Request(Incoming),
    /// The client does too much of this; end the connection.
    Flood(Flood),
    /// The deadline of the connection's stream has passed.
    Expired,
    /// It is over.
    Ended,
}

/// A request that came in.
pub struct Incoming {
    /// Its head as lines of HTTP/1.1.
    pub head: Result<Buffer, Untellable>,
    /// No body follows.
    pub is_all: bool,
    /// Its body, and the way of its answer.
    pub lane: Stream,
}

impl Server {
    /// The connection on `stream`, of which `pending` was received already, once its preface is
    /// here. `None` when none comes before the stream's deadline, or something else.
    pub async fn begin(runtime: &Runtime, stream: Rc<Stream>, pending: Buffer) -> Option<Self> {
        let link = Link::to_client(runtime, stream);
        let wire = Wire::new(Rc::clone(&link), pending);
        let mut handshake = std::pin::pin!(builder().handshake::<Wire, Piece>(wire));
        let connection = poll_fn(|cx| match handshake.as_mut().poll(cx) {
            Poll::Pending if link.expired.get() || link.flood.get().is_some() => Poll::Ready(None),
            polled => polled.map(Result::ok),
        })
        .await?;
        Some(Self { connection, link, ending: false })
    }

    /// What happens next.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let accepted = self.connection.poll_accept(cx);
        if !self.ending {
            if let Some(flood) = self.link.flood.get() {
                return Poll::Ready(Event::Flood(flood));
            }
            if self.link.expired.take() {
                return Poll::Ready(Event::Expired);
            }
        }
        let request = match accepted {
            Poll::Ready(Some(Ok(request))) => request,
            Poll::Ready(Some(Err(error))) if !self.ending => {
                let is_calming = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
                let flood = self.link.suspect().filter(|_| error.is_library() && is_calming);
                return Poll::Ready(flood.map_or(Event::Ended, Event::Flood));
            }
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Event::Ended),
            Poll::Pending => {
                let mut known = self.link.waker.borrow_mut();
                if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *known = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
        };
        let ((parts, body), respond) = (request.0.into_parts(), request.1);
        let is_all = body.is_end_stream();
        let lane = Stream::of_lane(Lane::answering(Rc::clone(&self.link), body, respond));
        Poll::Ready(Event::Request(Incoming { head: text::request_lines(&parts), is_all, lane }))
    }

    /// Says goodbye in two steps (RFC 9113 6.8): no new streams after a round trip, then the end
    /// with the last of those that are open.
    pub fn leave(&mut self) {
        self.connection.graceful_shutdown();
    }

    /// Ends the connection as soon as that is said.
    pub fn end(&mut self, flood: Option<Flood>) {
        self.ending = true;
        let reason = flood.map_or(Reason::NO_ERROR, |_| Reason::ENHANCE_YOUR_CALM);
        self.connection.abrupt_shutdown(reason);
    }
}

fn builder() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(limits::HTTP2_STREAMS_MAX)
        .initial_window_size(limits::HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_CONNECTION_WINDOW_BYTES)
        .max_header_list_size(limits::HTTP2_HEAD_LIST_BYTES_MAX)
        .max_send_buffer_size(limits::HTTP2_SEND_BYTES_MAX)
        // Our own watch counts these over time; h2's bounds are over a connection's whole life, or
        // over what came in one receive, which a sound client exceeds: 21 resets, 515 tiny pieces.
        .max_local_error_reset_streams(None)
        .max_pending_accept_reset_streams(limits::HTTP2_RESETS.burst as usize)
        .data_frame_budget(limits::HTTP2_TINY_DATA_BYTES_MAX);
    builder
}
