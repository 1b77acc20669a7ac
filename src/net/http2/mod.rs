//! HTTP/2 by the h2 crate (RFC 9113), on a connection's stream.
//!
//! A [`Lane`] is one HTTP/2 stream in the shape of a [`crate::net::Stream`]: heads go in and out as
//! lines of HTTP/1.1, bodies as they are, and a body ends with its stream. So HTTP/2 runs through
//! the same codec, the same checks and the same pipeline as HTTP/1.1, and nothing that one refuses
//! passes by way of the other. Not here: what a request means, and when a connection is to end.
//!
//! `h2`, `http`, `bytes` and `tokio`'s traits are named in this folder only.

mod client;
mod held;
mod lane;
mod server;
mod text;
mod watch;
mod wire;

pub use client::Client;
pub(super) use lane::Lane;
pub use server::{Event, Incoming, Server};
pub use text::Untellable;

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::Waker,
};

use ::http::uri::Scheme;

use self::watch::Watch;
use super::Stream;
use crate::{
    base::{Moment, limits},
    http::Flood,
    runtime::Runtime,
};

/// What a connection and its lanes share.
struct Link {
    runtime: Runtime,
    stream: Rc<Stream>,
    /// What a client does; upstreams are the operator's own.
    watch: RefCell<Option<Watch>>,
    /// The first flood that was seen.
    flood: Cell<Option<Flood>>,
    /// The peer sent something: its SETTINGS first.
    heard: Cell<bool>,
    /// When it did so last.
    heard_at: Cell<Moment>,
    /// A request got no answer in time, and nothing else was heard meanwhile.
    silent: Cell<bool>,
    /// The stream's deadline has passed.
    expired: Cell<bool>,
    /// What a client's answers keep; upstreams are the operator's own.
    held: Rc<held::Account>,
    /// Lanes given up because the peer took nothing.
    stalls: Cell<u32>,
    /// The connection's task.
    waker: RefCell<Option<Waker>>,
}

impl Link {
    fn to_client(runtime: &Runtime, stream: Rc<Stream>) -> Rc<Self> {
        Self::new(runtime, stream, Some(Watch::new(runtime.now())))
    }

    fn to_upstream(runtime: &Runtime, stream: Rc<Stream>) -> Rc<Self> {
        Self::new(runtime, stream, None)
    }

    fn new(runtime: &Runtime, stream: Rc<Stream>, watch: Option<Watch>) -> Rc<Self> {
        Rc::new(Self {
            runtime: runtime.clone(),
            stream,
            watch: RefCell::new(watch),
            flood: Cell::new(None),
            heard: Cell::new(false),
            heard_at: Cell::new(runtime.now()),
            silent: Cell::new(false),
            expired: Cell::new(false),
            held: Rc::default(),
            stalls: Cell::new(0),
            waker: RefCell::new(None),
        })
    }

    fn received(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.heard.set(true);
            self.heard_at.set(self.runtime.now());
        }
        self.watching(|watch, now| watch.received(bytes, now));
    }

    fn sent(&self, bytes: &[u8]) {
        self.watching(|watch, now| watch.sent(bytes, now));
    }

    /// A lane sends a head, or trailers.
    fn own_head(&self) {
        self.watching(|watch, _| {
            watch.own_head();
            None
        });
    }

    /// The flood that made h2 end the connection.
    fn suspect(&self) -> Option<Flood> {
        self.watch.borrow().as_ref().map(Watch::suspect)
    }

    fn watching(&self, look: impl FnOnce(&mut Watch, Moment) -> Option<Flood>) {
        if let Some(watch) = &mut *self.watch.borrow_mut() {
            let flood = look(watch, self.runtime.now());
            self.flood.set(self.flood.get().or(flood));
        }
    }

    /// What `:scheme` says.
    fn scheme(&self) -> Scheme {
        let is_tls = self.stream.negotiated().is_some();
        if is_tls { Scheme::HTTPS } else { Scheme::HTTP }
    }

    fn is_of_client(&self) -> bool {
        self.watch.borrow().is_some()
    }

    /// A lane gives up a request that was asked at this time.
    fn unanswered(&self, asked: Moment) {
        if self.heard_at.get() <= asked {
            self.silent.set(true);
        }
    }

    /// A lane gives up an answer that the peer does not take.
    fn stalled(&self) {
        self.stalls.set(self.stalls.get() + 1);
        if self.is_of_client() && self.stalls.get() > limits::HTTP2_STALLS_MAX {
            self.flood.set(self.flood.get().or(Some(Flood::WindowStall)));
            self.waker.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// As an error of a stream. What h2 says of a peer's reset is a broken connection to its reader;
/// what it refuses itself is `InvalidData`.
fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
    }
    let kind = if error.is_remote() {
        io::ErrorKind::ConnectionReset
    } else if error.is_library() {
        io::ErrorKind::InvalidData
    } else {
        io::ErrorKind::ConnectionAborted
    };
    io::Error::new(kind, error)
}
