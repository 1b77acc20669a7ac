//! The client's side of an HTTP/2 connection, to an upstream: lanes for requests.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use h2::client::{Connection, SendRequest};

use super::{Lane, Link, broken, lane::Piece, wire::Wire};
use crate::{
    base::{Buffer, Moment, limits},
    net::Stream,
    runtime::Runtime,
};

/// A connection to an upstream that takes many requests at the same time.
pub struct Client {
    link: Rc<Link>,
    requests: SendRequest<Piece>,
    /// Streams of it that are in use.
    lanes: Rc<Cell<usize>>,
    /// It takes no new request: it broke, or the upstream said goodbye.
    gone: Cell<bool>,
    /// When its last lane was opened.
    opened: Cell<Moment>,
    task: RefCell<Option<Connection<Wire, Piece>>>,
}

/// A place among a connection's lanes, given back when dropped.
pub(super) struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Client {
    /// Speaks HTTP/2 on `stream` from here on; [`Client::drive`] is to be polled beside it.
    ///
    /// # Errors
    /// What the stream says, or `TimedOut` after its deadline.
    pub async fn begin(runtime: &Runtime, stream: Stream) -> io::Result<Rc<Self>> {
        let link = Link::to_upstream(runtime, Rc::new(stream));
        let wire = Wire::new(Rc::clone(&link), Buffer::empty());
        let mut handshake = std::pin::pin!(builder().handshake::<Wire, Piece>(wire));
        let (requests, mut connection) = poll_fn(|cx| match handshake.as_mut().poll(cx) {
            Poll::Pending if link.expired.get() => Poll::Ready(Err(late())),
            polled => polled.map_err(broken),
        })
        .await?;
        // Its SETTINGS say how much it takes; a request before them may be refused for no reason.
        poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(error))),
            Poll::Pending if link.heard.get() => Poll::Ready(Ok(())),
            Poll::Pending if link.expired.get() => Poll::Ready(Err(late())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        link.stream.set_deadline(None);
        Ok(Rc::new(Self {
            opened: Cell::new(runtime.now()),
            link,
            requests,
            lanes: Rc::default(),
            gone: Cell::new(false),
            task: RefCell::new(Some(connection)),
        }))
    }

    /// Moves the connection's frames until it is over.
    pub async fn drive(self: Rc<Self>) {
        let Some(mut connection) = self.task.take() else { return };
        let weak = Rc::downgrade(&self);
        drop(self);
        let _ = poll_fn(|cx| Pin::new(&mut connection).poll(cx)).await;
        if let Some(this) = weak.upgrade() {
            this.gone.set(true);
        }
    }

    /// Whether it takes no new requests, as far as is known. One that is silent may be all that is
    /// left of an upstream whose machine is gone: what is on its way on it ends as it may.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.get() || self.link.silent.get()
    }

    /// Lanes in use.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.get()
    }

    /// The upstream takes one more request at once.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let most = self.requests.current_max_send_streams();
        self.lanes.get() < most.min(limits::HTTP2_STREAMS_MAX as usize)
    }

    /// Nobody has used it for `wait`.
    #[must_use]
    pub fn has_rested(&self, now: Moment, wait: Duration) -> bool {
        self.lanes.get() == 0 && now.since(self.opened.get()) > wait
    }

    /// The stream under it.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.link.stream
    }

    /// A lane for one request, once the upstream has room for it.
    ///
    /// # Errors
    /// The connection takes no requests any more.
    pub async fn open(self: &Rc<Self>) -> io::Result<Stream> {
        self.lanes.set(self.lanes.get() + 1);
        let place = Place(Rc::clone(&self.lanes));
        let mut requests = self.requests.clone();
        poll_fn(|cx| requests.poll_ready(cx)).await.map_err(|error| {
            self.gone.set(true);
            broken(error)
        })?;
        self.opened.set(self.link.runtime.now());
        let lane = Lane::asking(Rc::clone(&self.link), requests, place);
        Ok(Stream::of_lane(lane))
    }
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

fn builder() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(limits::HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_UPSTREAM_WINDOW_BYTES)
        .max_header_list_size(limits::HTTP2_HEAD_LIST_BYTES_MAX)
        .max_send_buffer_size(limits::HTTP2_SEND_BYTES_MAX);
    builder
}
