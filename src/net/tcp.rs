//! A connection in plain text: the ring's socket, and what it receives into.

use std::{
    cell::Cell,
    io,
    task::{Context, Poll},
};

use crate::{
    base::{Address, Buffer, Joints, Moment, Shelf, limits::DESCRIPTOR_WAIT},
    ring::{Outgoing, Socket, is_out_of_descriptors},
    runtime::Runtime,
};

/// The methods are [`super::Stream`]'s.
pub(super) struct Tcp {
    socket: Socket,
    /// It receives into large blocks.
    large: Cell<bool>,
}

impl Tcp {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { socket, large: Cell::new(false) }
    }

    pub(super) async fn connect(
        runtime: &Runtime,
        address: Address,
        deadline: Moment,
    ) -> io::Result<Self> {
        let socket = Self::dial(runtime, address, deadline).await?;
        socket.set_deadline(Some(deadline));
        std::future::poll_fn(|context| socket.poll_connected(context)).await?;
        Ok(Self::new(socket))
    }

    /// Out of descriptors it tries again: a burst of clients is accepted whole before the idle ones
    /// that make room for it are gone, and holds what is kept for upstreams until then.
    async fn dial(runtime: &Runtime, address: Address, deadline: Moment) -> io::Result<Socket> {
        let is_starved =
            |error: &io::Error| error.raw_os_error().is_some_and(is_out_of_descriptors);
        loop {
            match runtime.driver().connect(address.clone()) {
                Err(error) if is_starved(&error) && runtime.now() < deadline => {
                    runtime.sleep(DESCRIPTOR_WAIT).await;
                }
                done => return done,
            }
        }
    }

    pub(super) fn poll_receive(&self, context: &Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        self.socket.poll_receive(context)
    }

    pub(super) fn unread(&self, buffer: Buffer) {
        self.socket.unread(buffer);
    }

    /// What was received already, without waiting.
    pub(super) fn take_received(&self) -> Option<Buffer> {
        self.socket.take_received()
    }

    pub(super) fn start_send(&self, outgoing: Outgoing) {
        self.socket.start_send(outgoing);
    }

    /// No earlier send waits.
    pub(super) fn may_send(&self) -> bool {
        self.socket.may_send()
    }

    pub(super) fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_sent(context)
    }

    pub(super) fn set_deadline(&self, deadline: Option<Moment>) {
        self.socket.set_deadline(deadline);
    }

    pub(super) fn stream_body(&self, large: bool) {
        if self.large.replace(large) != large {
            self.socket.stream_body(large);
        }
    }

    pub(super) fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        self.socket.poll_failure(context)
    }

    pub(super) fn is_reusable(&self) -> bool {
        self.socket.is_reusable()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.socket.is_watched()
    }

    pub(super) fn shutdown_send(&self) {
        self.socket.shutdown_send();
    }

    pub(super) fn local_addr(&self) -> io::Result<Address> {
        self.socket.local_addr()
    }

    pub(super) const fn peer(&self) -> &Address {
        self.socket.peer()
    }

    pub(super) fn now(&self) -> Moment {
        self.socket.driver().now()
    }

    /// An empty send.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.socket.driver().outgoing()
    }

    /// A send whose bytes went another way.
    pub(super) fn keep_outgoing(&self, outgoing: Outgoing) {
        self.socket.driver().keep_outgoing(outgoing);
    }

    /// Blocks for what is sent.
    pub(super) fn large_shelf(&self) -> &Shelf {
        self.socket.driver().large_shelf()
    }

    /// Blocks to join records in.
    pub(super) fn joints(&self) -> &Joints {
        self.socket.driver().joints()
    }
}
