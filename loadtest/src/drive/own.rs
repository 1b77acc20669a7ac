//! A generator on one thread and one ring that checks every answer, closed or open loop.
//!
//! Open loop corrects for coordinated omission: request `i` should leave at `start + i / rate`, and
//! its latency counts from then, however late a free connection lets it leave.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::answer::{Answer, Read};
use super::tally::Tally;
use super::{Driven, Load};
use crate::sys::uring::{Buffers, Event, Finish, Lease, Ring};
use crate::{clock, sys};

/// How long a connection may be silent after the end before its request counts as lost.
const GRACE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(20);
/// Connections that fail one after the other without any answer end the run.
const FRUITLESS_CONNECTS_MAX: u32 = 1000;

/// When the next request leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// When the one before it was answered.
    Closed,
    /// So many each second, whatever comes back.
    PerSecond(f64),
}

/// Ends a run before its duration is over: after some requests, or from another thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    pub(crate) after_requests: Option<u64>,
    pub(crate) flag: Arc<AtomicBool>,
}

/// A closed loop of requests that differ, whatever their answers are: so many of each status.
pub(crate) fn flood(
    load: Load<'_>,
    requests: Vec<String>,
    stop: &Stop,
) -> io::Result<(Driven, BTreeMap<u16, u64>)> {
    let mut run = Run::new(load, requests, Pace::Closed)?;
    run.statuses = Some(BTreeMap::new());
    run.open(load.connections);
    let time = run.until_over(load.duration, stop)?;
    Ok((run.tally.report(time), run.statuses.unwrap_or_default()))
}

/// One run on this thread. Errors are those of this machine; the target's are counted.
pub(crate) fn drive(load: Load<'_>, pace: Pace, stop: &Stop) -> io::Result<Driven> {
    // One caller of them all: a load is one text here.
    let mut run = Run::new(load, vec![super::request_of(load)], pace)?;
    run.open(load.connections);
    let time = run.until_over(load.duration, stop)?;
    Ok(run.tally.report(time))
}

struct Run {
    ring: Ring,
    target: SocketAddr,
    /// Sent in turn.
    requests: &'static [String],
    turn: usize,
    connections: Vec<Option<Connection>>,
    /// Connections without a request, last one first.
    idle: Vec<usize>,
    due: Due,
    stopping: bool,
    fruitless_connects: u32,
    tally: Tally,
    /// How often each came; `None` when only 2xx is taken.
    statuses: Option<BTreeMap<u16, u64>>,
}

struct Due {
    pace: Pace,
    start: Instant,
    /// The number of the next request of an open loop.
    next: u64,
}

impl Due {
    /// When the next request should leave.
    fn at(&self, now: Instant) -> Instant {
        match self.pace {
            Pace::Closed => now,
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
            Pace::PerSecond(rate) => self.start + Duration::from_secs_f64(self.next as f64 / rate),
        }
    }
}

struct Connection {
    socket: TcpStream,
    /// When the request in flight left, or should have.
    asked: Option<Instant>,
    answer: Answer,
    sending: bool,
    ended: bool,
}

impl Run {
    fn new(load: Load<'_>, requests: Vec<String>, pace: Pace) -> io::Result<Self> {
        sys::process::exact_timers();
        Ok(Self {
            ring: Ring::new(Buffers { count: 1024, bytes: 16 << 10 })?,
            target: load.target,
            requests: requests.leak(),
            turn: 0,
            connections: vec![],
            idle: vec![],
            due: Due { pace, start: clock::now(), next: 0 },
            stopping: false,
            fruitless_connects: 0,
            tally: Tally::new(),
            statuses: None,
        })
    }

    fn open(&mut self, connections: usize) {
        for _ in 0..connections {
            self.connections.push(None);
            self.connect(self.connections.len() - 1);
        }
        self.due.start = clock::now();
    }

    /// How long it took.
    fn until_over(&mut self, duration: Duration, stop: &Stop) -> io::Result<Duration> {
        let mut events = Vec::with_capacity(4096);
        let mut deadline = self.due.start + duration;
        loop {
            let now = clock::now();
            let enough = stop.after_requests.is_some_and(|wanted| self.tally.answered >= wanted);
            if !self.stopping && (now >= deadline || enough || stop.flag.load(Ordering::Relaxed)) {
                self.stopping = true;
                deadline = now;
            }
            if !self.stopping {
                self.ask_what_is_due(now);
            }
            let busy = self.connections.iter().flatten().any(|c| c.asked.is_some());
            if self.stopping && (!busy || now >= deadline + GRACE) {
                break;
            }
            if self.fruitless_connects > FRUITLESS_CONNECTS_MAX {
                self.tally.fail("the target refuses or closes every connection");
                break;
            }
            let until_due = self.due.at(now).saturating_duration_since(now);
            let patience = if until_due.is_zero() { TICK } else { until_due.min(TICK) };
            self.ring.wait(patience, &mut events)?;
            let now = clock::now();
            for event in events.drain(..) {
                self.take(event, now);
            }
        }
        let unanswered = self.connections.iter().flatten().filter(|c| c.asked.is_some()).count();
        for _ in 0..unanswered {
            self.tally.fail("a request was not answered");
        }
        Ok(deadline.duration_since(self.due.start))
    }

    fn ask_what_is_due(&mut self, now: Instant) {
        while let Some(&token) = self.idle.last() {
            let due = self.due.at(now);
            if due > now {
                return;
            }
            self.idle.pop();
            let Some(connection) = &mut self.connections[token] else { continue };
            connection.asked = Some(due);
            connection.sending = true;
            let (socket, token) = (connection.socket.as_raw_fd(), as_token(token));
            let request = self.requests[self.turn % self.requests.len()].as_bytes();
            self.turn += 1;
            self.ring.send_static(socket, request, token, Finish::AtOnce);
            self.due.next += 1;
        }
    }

    fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::Received { token, lease } => {
                self.read(token as usize, &lease, now);
                self.ring.release(lease);
            }
            Event::Sent { token, .. } => {
                let Some(connection) = &mut self.connections[token as usize] else { return };
                connection.sending = false;
                // A failed send is followed by the end of the receive, which is what counts.
                if connection.ended {
                    self.replace(token as usize);
                }
            }
            Event::Ended { token, error } => self.ended(token as usize, error),
            Event::Accepted { .. } => unreachable!("a generator listens nowhere"),
        }
    }

    fn read(&mut self, token: usize, lease: &Lease, now: Instant) {
        let Some(connection) = &mut self.connections[token] else { return };
        let Some(asked) = connection.asked else {
            return self.tally.fail("bytes arrived that were not asked for");
        };
        match connection.answer.read(self.ring.bytes(lease)) {
            Read::Partial => {}
            Read::Complete { close } => {
                connection.asked = None;
                self.fruitless_connects = 0;
                if let Some(statuses) = &mut self.statuses {
                    *statuses.entry(connection.answer.status()).or_default() += 1;
                }
                self.tally.answered(now.saturating_duration_since(asked));
                if close {
                    // Announced, so it is no error; the end of the receive opens the next one.
                    let _ = connection.socket.shutdown(std::net::Shutdown::Write);
                } else {
                    self.idle.push(token);
                }
            }
            Read::Wrong(what) => {
                connection.asked = None;
                self.tally.fail(&what);
                let _ = connection.socket.shutdown(std::net::Shutdown::Both);
            }
        }
    }

    fn ended(&mut self, token: usize, error: i32) {
        let Some(connection) = &mut self.connections[token] else { return };
        connection.ended = true;
        if connection.asked.take().is_some() {
            let cause = io::Error::from_raw_os_error(error);
            let how = if error == 0 { "was closed".to_owned() } else { cause.to_string() };
            self.tally.fail(&format!("a connection ended with a request in flight: {how}"));
        }
        if !connection.sending {
            self.replace(token);
        }
    }

    fn replace(&mut self, token: usize) {
        self.connections[token] = None;
        self.idle.retain(|&idle| idle != token);
        self.fruitless_connects += 1;
        if !self.stopping && self.fruitless_connects <= FRUITLESS_CONNECTS_MAX {
            self.connect(token);
        }
    }

    fn connect(&mut self, token: usize) {
        let opened = TcpStream::connect(self.target)
            .and_then(|socket| socket.set_nodelay(true).map(|()| socket));
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => return self.tally.fail(&format!("connect {}: {error}", self.target)),
        };
        self.ring.receive(socket.as_raw_fd(), as_token(token));
        let takes_any = self.statuses.is_some();
        let answer = if takes_any { Answer::of_any_status() } else { Answer::default() };
        self.connections[token] =
            Some(Connection { socket, asked: None, answer, sending: false, ended: false });
        self.idle.push(token);
    }
}

fn as_token(index: usize) -> u32 {
    u32::try_from(index).expect("connections are counted in thousands")
}

#[cfg(test)]
mod tests {
    use super::{Due, Pace};
    use std::time::Duration;

    /// The correction itself: the tenth request is due at a tenth of its number, sent or not.
    #[test]
    fn an_open_loop_is_due_by_number() {
        let start = crate::clock::now();
        let due = Due { pace: Pace::PerSecond(1000.0), start, next: 10 };
        assert_eq!(due.at(start + Duration::from_secs(9)), start + Duration::from_millis(10));
    }
}
