//! The floor: what moving the bytes of a request and its response costs when nothing is understood.
//!
//! One upstream connection for each client connection, every received buffer sent on as it is. No
//! gateway on this ring can be cheaper, so Ringway's distance from it is the price of being one.
//! Backpressure is the number of buffers: when all are on their way, nobody receives.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use crate::listen;
use crate::sys::uring::{Buffers, Event, Finish, Lease, Ring};

const LISTENER: u32 = 0;
const TICK: Duration = Duration::from_millis(10);
/// Sends up to this size find room in the socket's buffer unless the peer has stopped reading.
const SMALL_BYTES: u32 = 4096;

/// Where to listen, where to send it, and what buffers to do it with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: SocketAddr,
    pub(crate) buffers: Buffers,
}

/// Forwards until the process is killed. Prints the bound address first.
pub(crate) fn run(floor: Floor) -> io::Result<()> {
    let listener = listen::bind(floor.listen)?;
    listen::announce(&listener)?;
    let mut forwarder = Forwarder {
        ring: Ring::new(floor.buffers)?,
        upstream: floor.upstream,
        ends: vec![None],
        free: vec![],
    };
    forwarder.serve(&listener)
}

struct Forwarder {
    ring: Ring,
    upstream: SocketAddr,
    /// By token; a client's end and its upstream's end know each other's token.
    ends: Vec<Option<End>>,
    /// Tokens of closed pairs, lower one of two neighbours.
    free: Vec<u32>,
}

struct End {
    socket: TcpStream,
    other: u32,
    /// What waits for the send in flight.
    waiting: VecDeque<Lease>,
    sending: bool,
    /// The last thing sent was large, so the socket's buffer may be full.
    large: bool,
    /// Nothing more will be received here.
    ended: bool,
    /// Nothing more can be sent here.
    broken: bool,
}

impl Forwarder {
    fn serve(&mut self, listener: &TcpListener) -> io::Result<()> {
        self.ring.accept(listener.as_raw_fd(), LISTENER);
        let mut events = Vec::with_capacity(4096);
        loop {
            self.ring.wait(TICK, &mut events)?;
            for event in events.drain(..) {
                match event {
                    Event::Accepted { socket: Ok(socket) } => self.admit(socket),
                    Event::Accepted { socket: Err(error) } => eprintln!("floor: {error}"),
                    Event::Received { token, lease } => self.forward(token, lease),
                    Event::Sent { token, error } => self.sent(token, error),
                    Event::Ended { token, .. } => self.ended(token),
                }
            }
        }
    }

    fn admit(&mut self, client: OwnedFd) {
        let client = TcpStream::from(client);
        let Ok(upstream) = TcpStream::connect(self.upstream) else { return };
        if upstream.set_nodelay(true).is_err() {
            return;
        }
        let token = self.free.pop().unwrap_or_else(|| {
            self.ends.extend([None, None]);
            u32::try_from(self.ends.len() - 2).expect("descriptors run out before tokens do")
        });
        for (own, other, socket) in [(token, token + 1, client), (token + 1, token, upstream)] {
            self.ring.receive(socket.as_raw_fd(), own);
            self.ends[own as usize] = Some(End {
                socket,
                other,
                waiting: VecDeque::new(),
                sending: false,
                large: false,
                ended: false,
                broken: false,
            });
        }
    }

    fn forward(&mut self, from: u32, lease: Lease) {
        let Some(to) = self.ends[from as usize].as_ref().map(|end| end.other) else {
            return self.ring.release(lease);
        };
        let Some(end) = &mut self.ends[to as usize] else { return self.ring.release(lease) };
        if end.broken {
            return self.ring.release(lease);
        }
        if end.sending {
            return end.waiting.push_back(lease);
        }
        send(&mut self.ring, end, lease, to);
    }

    fn sent(&mut self, token: u32, error: i32) {
        let Some(end) = &mut self.ends[token as usize] else { return };
        end.sending = false;
        if error != 0 {
            end.broken = true;
            end.waiting.drain(..).for_each(|lease| self.ring.release(lease));
        }
        if let Some(lease) = end.waiting.pop_front() {
            return send(&mut self.ring, end, lease, token);
        }
        let other = end.other;
        if self.ends[other as usize].as_ref().is_some_and(|end| end.ended) {
            self.close_when_done(token, other);
        }
    }

    fn ended(&mut self, token: u32) {
        let Some(end) = &mut self.ends[token as usize] else { return };
        end.ended = true;
        let other = end.other;
        self.close_when_done(token, other);
    }

    /// An end passes on that its peer closed once everything before that has been sent; the pair is
    /// closed when both receives have ended, so no operation is armed on a closed descriptor.
    fn close_when_done(&mut self, one: u32, two: u32) {
        let quiet = |end: &Option<End>| end.as_ref().is_some_and(|e| !e.sending);
        let mut over = true;
        for (from, to) in [(one, two), (two, one)] {
            let ended = self.ends[from as usize].as_ref().is_some_and(|end| end.ended);
            over &= ended && quiet(&self.ends[to as usize]);
            if let (true, true, Some(to)) =
                (ended, quiet(&self.ends[to as usize]), &self.ends[to as usize])
            {
                // An error says that the peer is gone already, which its receive reports as well.
                let _ = to.socket.shutdown(Shutdown::Write);
            }
        }
        if over {
            self.ends[one as usize] = None;
            self.ends[two as usize] = None;
            self.free.push(one.min(two));
        }
    }
}

fn send(ring: &mut Ring, end: &mut End, lease: Lease, token: u32) {
    let small = lease.length() <= SMALL_BYTES;
    let finish = if small && !end.large { Finish::AtOnce } else { Finish::Later };
    end.large = !small;
    end.sending = true;
    ring.send_lease(end.socket.as_raw_fd(), lease, token, finish);
}
