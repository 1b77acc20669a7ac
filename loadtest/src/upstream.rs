//! The upstream behind every gateway: answers at once from canned bytes, so that what is measured is
//! the gateway. Keep-alive and pipelining; request bodies by Content-Length are skipped.
//!
//! `/64k` and `/1m` answer that many bytes, `/delay/MS` answers late, anything else gets a small JSON
//! body. It is not a model of a real server and checks nothing that a gateway should have checked.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use crate::message;
use crate::sys::uring::{Buffers, Event, Finish, Ring};
use crate::{clock, listen};

const LISTENER: u32 = 0;
const TICK: Duration = Duration::from_millis(100);
const DELAY_MS_MAX: u64 = 60_000;
const ANSWERS_WAITING_MAX: usize = 1024;
const SMALL_BYTES: usize = 4096;
const SMALL_BODY: &[u8] = br#"{"id":1,"name":"Fluffy","type":"cat","price":24.99,"tags":["a"]}"#;

/// Serves until the process is killed. Prints the bound address first.
pub(crate) fn run(address: SocketAddr, delay: Duration) -> io::Result<()> {
    let listener = listen::bind(address)?;
    listen::announce(&listener)?;
    let mut upstream = Upstream {
        ring: Ring::new(Buffers { count: 2048, bytes: 4096 })?,
        answers: Answers::new(),
        delay,
        peers: vec![None],
        free: vec![],
        late: BinaryHeap::new(),
    };
    upstream.serve(&listener)
}

/// Every response there is, made once.
struct Answers {
    small: &'static [u8],
    kib_64: &'static [u8],
    mib_1: &'static [u8],
}

impl Answers {
    fn new() -> Self {
        Self {
            small: canned("application/json", SMALL_BODY),
            kib_64: canned("application/octet-stream", &vec![b'x'; 64 << 10]),
            mib_1: canned("application/octet-stream", &vec![b'x'; 1 << 20]),
        }
    }

    fn find(&self, path: &[u8]) -> &'static [u8] {
        match path {
            b"/64k" => self.kib_64,
            b"/1m" => self.mib_1,
            _ => self.small,
        }
    }
}

fn canned(content_type: &str, body: &[u8]) -> &'static [u8] {
    let head = format!(
        "HTTP/1.1 200 OK\r\nserver: upstream\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Box::leak([head.as_bytes(), body].concat().into_boxed_slice())
}

struct Upstream {
    ring: Ring,
    answers: Answers,
    delay: Duration,
    peers: Vec<Option<Peer>>,
    free: Vec<u32>,
    late: BinaryHeap<Reverse<Late>>,
}

/// An answer that is due later: when, whose (token and its serial), which.
type Late = (Instant, u32, u64, &'static [u8]);

struct Peer {
    socket: TcpStream,
    serial: u64,
    /// The beginning of a head that came in pieces.
    partial: Vec<u8>,
    body_left: u64,
    answers: VecDeque<&'static [u8]>,
    sending: bool,
    /// The client said that this is its last request.
    last: bool,
    ended: bool,
}

impl Upstream {
    fn serve(&mut self, listener: &TcpListener) -> io::Result<()> {
        self.ring.accept(listener.as_raw_fd(), LISTENER);
        let mut events = Vec::with_capacity(4096);
        let mut serial = 0;
        loop {
            self.ring.wait(self.time_to_next(), &mut events)?;
            self.send_due();
            for event in events.drain(..) {
                match event {
                    Event::Accepted { socket: Ok(socket) } => {
                        serial += 1;
                        self.admit(socket, serial);
                    }
                    Event::Accepted { socket: Err(error) } => eprintln!("upstream: {error}"),
                    Event::Received { token, lease } => {
                        self.read(token, &lease);
                        self.ring.release(lease);
                        self.send_next(token);
                    }
                    Event::Sent { token, error } => self.sent(token, error),
                    Event::Ended { token, .. } => self.ended(token),
                }
            }
        }
    }

    fn admit(&mut self, socket: OwnedFd, serial: u64) {
        let token = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            u32::try_from(self.peers.len() - 1).expect("descriptors run out before tokens do")
        });
        self.ring.receive(socket.as_raw_fd(), token);
        self.peers[token as usize] = Some(Peer {
            socket: socket.into(),
            serial,
            partial: vec![],
            body_left: 0,
            answers: VecDeque::new(),
            sending: false,
            last: false,
            ended: false,
        });
    }

    /// Reads every request that the received bytes complete.
    fn read(&mut self, token: u32, lease: &crate::sys::uring::Lease) {
        let Some(peer) = &mut self.peers[token as usize] else { return };
        let received = self.ring.bytes(lease);
        let joined;
        let mut rest = if peer.partial.is_empty() {
            received
        } else {
            joined = [std::mem::take(&mut peer.partial).as_slice(), received].concat();
            &joined
        };
        loop {
            let skipped = usize::try_from(peer.body_left).unwrap_or(usize::MAX).min(rest.len());
            peer.body_left -= skipped as u64;
            rest = &rest[skipped..];
            let Some(end) = message::head_end(rest) else { break };
            let head = &rest[..end];
            rest = &rest[end..];
            peer.body_left = message::content_length(head).unwrap_or(0);
            peer.last = message::says_close(head);
            let (answer, delay) = choose(&self.answers, self.delay, message::path(head));
            if peer.answers.len() >= ANSWERS_WAITING_MAX || self.late.len() >= 1 << 20 {
                // The receive then ends, and the connection with it.
                let _ = peer.socket.shutdown(Shutdown::Both);
                return;
            }
            if delay.is_zero() {
                peer.answers.push_back(answer);
            } else {
                self.late.push(Reverse((clock::now() + delay, token, peer.serial, answer)));
            }
        }
        peer.partial.extend_from_slice(rest);
    }

    fn time_to_next(&self) -> Duration {
        let Some(Reverse((due, ..))) = self.late.peek() else { return TICK };
        due.saturating_duration_since(clock::now()).min(TICK)
    }

    fn send_due(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let now = clock::now();
        while self.late.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            let Some(Reverse((_, token, serial, answer))) = self.late.pop() else { return };
            if let Some(peer) = &mut self.peers[token as usize]
                && peer.serial == serial
            {
                peer.answers.push_back(answer);
                self.send_next(token);
            }
        }
    }

    fn send_next(&mut self, token: u32) {
        let Some(peer) = &mut self.peers[token as usize] else { return };
        if peer.sending || peer.ended {
            return;
        }
        let Some(answer) = peer.answers.pop_front() else { return };
        peer.sending = true;
        let finish = if answer.len() <= SMALL_BYTES { Finish::AtOnce } else { Finish::Later };
        self.ring.send_static(peer.socket.as_raw_fd(), answer, token, finish);
    }

    fn sent(&mut self, token: u32, error: i32) {
        let Some(peer) = &mut self.peers[token as usize] else { return };
        peer.sending = false;
        if error != 0 {
            // The receive ends as well then, and closes.
            let _ = peer.socket.shutdown(Shutdown::Both);
        }
        if peer.ended {
            return self.close(token);
        }
        if peer.last && peer.answers.is_empty() {
            // Everything is sent; the client closes next, which ends the receive.
            let _ = peer.socket.shutdown(Shutdown::Write);
        }
        self.send_next(token);
    }

    fn ended(&mut self, token: u32) {
        let Some(peer) = &mut self.peers[token as usize] else { return };
        peer.ended = true;
        if !peer.sending {
            self.close(token);
        }
    }

    fn close(&mut self, token: u32) {
        self.peers[token as usize] = None;
        self.free.push(token);
    }
}

fn choose(answers: &Answers, delay: Duration, path: &[u8]) -> (&'static [u8], Duration) {
    let Some(wish) = path.strip_prefix(b"/delay/") else { return (answers.find(path), delay) };
    let wish = std::str::from_utf8(wish).ok().and_then(|text| text.parse::<u64>().ok());
    (answers.small, Duration::from_millis(wish.unwrap_or(0).min(DELAY_MS_MAX)))
}
