//! The simulated network: listeners, connections, and the bytes under way in each direction.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::RawFd,
};

use crate::base::{Address, Moment};

/// All sockets of the simulated machine, by descriptor (ordered, so that a seed replays).
#[derive(Default)]
pub(super) struct Network {
    nodes: BTreeMap<RawFd, Node>,
    last_port: u16,
    last_descriptor: RawFd,
}

enum Node {
    Listener {
        address: Address,
        backlog: VecDeque<RawFd>,
    },
    /// Not connected.
    Socket,
    Connected(End),
}

/// One end of a connection.
struct End {
    /// The other end; `None` once it was closed.
    other: Option<RawFd>,
    peer: Address,
    /// What comes in.
    pipe: Pipe,
    /// This end has sent its FIN.
    shut: bool,
}

/// What is under way to, or waits at, one end.
#[derive(Default)]
pub(super) struct Pipe {
    segments: VecDeque<(Moment, Segment)>,
    bytes: usize,
    arrived: VecDeque<u8>,
    last: Moment,
    pub(super) ended: Option<Ended>,
}

enum Segment {
    Bytes(Vec<u8>),
    Ended(Ended),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Fin,
    Reset,
}

impl Pipe {
    /// Bytes that can be read now.
    pub(super) fn readable(&self) -> usize {
        self.arrived.len()
    }

    pub(super) fn read(&mut self, count: usize) -> impl Iterator<Item = u8> + '_ {
        self.bytes -= count;
        self.arrived.drain(..count)
    }

    fn push(&mut self, at: Moment, segment: Segment) {
        self.last = self.last.max(at);
        if let Segment::Bytes(bytes) = &segment {
            self.bytes += bytes.len();
        }
        self.segments.push_back((self.last, segment));
    }

    /// A reset overtakes everything.
    fn reset(&mut self) {
        self.segments.clear();
        self.arrived.clear();
        self.bytes = 0;
        self.ended = Some(Ended::Reset);
    }

    fn arrive(&mut self, now: Moment) {
        while self.segments.front().is_some_and(|(at, _)| *at <= now) {
            match self.segments.pop_front() {
                Some((_, Segment::Bytes(bytes))) => self.arrived.extend(bytes),
                Some((_, Segment::Ended(Ended::Reset))) => self.reset(),
                Some((_, Segment::Ended(Ended::Fin))) => self.ended = Some(Ended::Fin),
                None => {}
            }
        }
    }
}

impl Network {
    pub(super) fn descriptors(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn is_open(&self, descriptor: RawFd) -> bool {
        self.nodes.contains_key(&descriptor)
    }

    pub(super) fn listen(&mut self, mut address: Address) -> io::Result<(RawFd, Address)> {
        if let Address::Ip(address) = &mut address
            && address.port() == 0
        {
            address.set_port(self.next_port());
        }
        if self.listener_at(&address).is_some() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let backlog = VecDeque::new();
        Ok((self.add(Node::Listener { address: address.clone(), backlog }), address))
    }

    pub(super) fn open_socket(&mut self) -> RawFd {
        self.add(Node::Socket)
    }

    /// Connects a socket to who listens at `address`; `false` when nobody does.
    pub(super) fn connect(&mut self, socket: RawFd, address: Address) -> bool {
        let Some(listener) = self.listener_at(&address) else { return false };
        let from = match &address {
            Address::Ip(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, self.next_port())).into(),
            Address::Unix(_) | Address::Unnamed => Address::Unnamed,
        };
        let pipe = Pipe::default();
        let end = End { other: Some(socket), peer: from, pipe, shut: false };
        let other = self.add(Node::Connected(end));
        let pipe = Pipe::default();
        let end = End { other: Some(other), peer: address, pipe, shut: false };
        self.nodes.insert(socket, Node::Connected(end));
        if let Some(Node::Listener { backlog, .. }) = self.nodes.get_mut(&listener) {
            backlog.push_back(other);
        }
        true
    }

    pub(super) fn waiting(&self, listener: RawFd) -> usize {
        match self.nodes.get(&listener) {
            Some(Node::Listener { backlog, .. }) => backlog.len(),
            _ => 0,
        }
    }

    pub(super) fn accept(&mut self, listener: RawFd) -> Option<RawFd> {
        match self.nodes.get_mut(&listener)? {
            Node::Listener { backlog, .. } => backlog.pop_front(),
            _ => None,
        }
    }

    pub(super) fn peer_of(&self, socket: RawFd) -> Option<Address> {
        match self.nodes.get(&socket)? {
            Node::Connected(end) if end.pipe.ended != Some(Ended::Reset) => Some(end.peer.clone()),
            _ => None,
        }
    }

    pub(super) fn local_of(&self, socket: RawFd) -> Option<Address> {
        match self.nodes.get(&socket)? {
            Node::Connected(end) => self.peer_of(end.other?),
            _ => None,
        }
    }

    /// What comes in at this socket.
    pub(super) fn incoming(&mut self, socket: RawFd) -> Option<&mut Pipe> {
        match self.nodes.get_mut(&socket)? {
            Node::Connected(end) => Some(&mut end.pipe),
            _ => None,
        }
    }

    /// Bytes that may be sent now, or minus an errno.
    pub(super) fn room(&mut self, socket: RawFd, window: usize) -> Result<usize, i32> {
        let Some(Node::Connected(end)) = self.nodes.get(&socket) else {
            return Err(libc::ENOTCONN);
        };
        if end.pipe.ended == Some(Ended::Reset) {
            return Err(libc::ECONNRESET);
        }
        let (true, Some(other)) = (!end.shut, end.other) else { return Err(libc::EPIPE) };
        let used = self.incoming(other).map_or(0, |pipe| pipe.bytes);
        Ok(window.saturating_sub(used))
    }

    /// Puts bytes under way, to arrive at `at`.
    pub(super) fn send(&mut self, socket: RawFd, bytes: Vec<u8>, at: Moment) {
        self.put(socket, Segment::Bytes(bytes), at);
    }

    /// Breaks the connection: both ends see a reset.
    pub(super) fn cut(&mut self, socket: RawFd) {
        let Some(Node::Connected(end)) = self.nodes.get_mut(&socket) else { return };
        end.pipe.reset();
        if let Some(other) = end.other
            && let Some(pipe) = self.incoming(other)
        {
            pipe.reset();
        }
    }

    pub(super) fn reset_all_of(&mut self, address: &Address) {
        let sockets: Vec<RawFd> = self.nodes.keys().copied().collect();
        for socket in sockets {
            if self.peer_of(socket).as_ref() == Some(address) {
                self.cut(socket);
            }
        }
    }

    /// FIN, after all that was sent.
    pub(super) fn shut(&mut self, socket: RawFd, at: Moment) {
        let Some(Node::Connected(end)) = self.nodes.get_mut(&socket) else { return };
        if !std::mem::replace(&mut end.shut, true) {
            self.put(socket, Segment::Ended(Ended::Fin), at);
        }
    }

    /// As close(2): FIN, or a reset when something unread is lost.
    pub(super) fn close(&mut self, descriptor: RawFd) {
        match self.nodes.remove(&descriptor) {
            Some(Node::Listener { backlog, .. }) => {
                backlog.into_iter().for_each(|waiting| self.close(waiting));
            }
            Some(Node::Connected(end)) => {
                let Some(other) = end.other else { return };
                let unread = end.pipe.bytes > 0;
                let Some(Node::Connected(peer)) = self.nodes.get_mut(&other) else { return };
                peer.other = None;
                if unread {
                    peer.pipe.reset();
                } else if !end.shut && peer.pipe.ended != Some(Ended::Reset) {
                    let last = peer.pipe.last;
                    peer.pipe.push(last, Segment::Ended(Ended::Fin));
                }
            }
            Some(Node::Socket) => {}
            None => panic!("descriptor {descriptor} is closed twice"),
        }
    }

    /// Delivers what is due.
    pub(super) fn arrive(&mut self, now: Moment) {
        for node in self.nodes.values_mut() {
            if let Node::Connected(end) = node {
                end.pipe.arrive(now);
            }
        }
    }

    /// When the next segment arrives.
    pub(super) fn next_arrival(&self) -> Option<Moment> {
        let connected = self.nodes.values().filter_map(|node| match node {
            Node::Connected(end) => end.pipe.segments.front().map(|(at, _)| *at),
            _ => None,
        });
        connected.min()
    }

    fn put(&mut self, socket: RawFd, segment: Segment, at: Moment) {
        let Some(Node::Connected(end)) = self.nodes.get(&socket) else { return };
        let Some(other) = end.other else { return };
        if let Some(pipe) = self.incoming(other)
            && pipe.ended != Some(Ended::Reset)
        {
            pipe.push(at, segment);
        }
    }

    fn listener_at(&self, wanted: &Address) -> Option<RawFd> {
        self.nodes.iter().find_map(|(descriptor, node)| match node {
            Node::Listener { address, .. } if address == wanted => Some(*descriptor),
            _ => None,
        })
    }

    fn add(&mut self, node: Node) -> RawFd {
        self.last_descriptor += 1;
        self.nodes.insert(self.last_descriptor, node);
        self.last_descriptor
    }

    fn next_port(&mut self) -> u16 {
        self.last_port = self.last_port.checked_add(1).unwrap_or(1).max(20_000);
        self.last_port
    }
}
