//! Clients over TLS, blocking, a thread for each connection: a new connection for each request, of
//! which it is verified how it began, or kept connections where wrk is missing.
//!
//! Clients that resume keep their tickets from one run to the next: only their very first
//! connection, before any run, is a full handshake.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::tally::Tally;
use super::{Driven, Load, exchange, last_request, request};
use crate::certificate::Certificate;
use crate::tls::{self, Beginning, Client, Connection, Version};
use crate::{clock, soak};

/// Source addresses taken in turn, so that ports do not run out.
const SOURCES: u64 = 64;

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Each for all requests of its thread.
    Kept,
    /// Each for one request.
    Once(Version, Beginning),
}

/// Clients of one certificate's gateways.
pub(crate) struct Clients<'c> {
    certificate: &'c Certificate,
    /// Those that resume, by where.
    known: RefCell<Known>,
}

type Known = HashMap<(SocketAddr, Version), Rc<Vec<Client>>>;

/// What the threads of a run share.
struct Run<'r> {
    load: Load<'r>,
    usage: Use,
    after_requests: Option<u64>,
    deadline: Instant,
    answered: AtomicU64,
}

impl<'c> Clients<'c> {
    pub(crate) fn new(certificate: &'c Certificate) -> Self {
        Self { certificate, known: RefCell::default() }
    }

    /// One closed-loop run; ends early after `after_requests`.
    pub(crate) fn drive(
        &self,
        load: Load<'_>,
        usage: Use,
        after_requests: Option<u64>,
    ) -> io::Result<Driven> {
        let clients = match usage {
            Use::Once(version, Beginning::Resumed) => self.known(load, version)?,
            Use::Once(version, Beginning::Full) => self.make(load, version, Beginning::Full)?,
            Use::Kept => self.make(load, Version::Tls13, Beginning::Full)?,
        };
        let start = clock::now();
        let deadline = start + load.duration;
        let answered = AtomicU64::new(0);
        let run = &Run { load, usage, after_requests, deadline, answered };
        let mut tally = Tally::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(clients.iter())
                .map(|(number, client)| scope.spawn(move || run.on_thread(client, number)))
                .collect();
            for thread in threads {
                match thread.join() {
                    Ok(counted) => tally.add(&counted),
                    Err(_) => tally.fail("a client panicked"),
                }
            }
        });
        Ok(tally.report(start.elapsed()))
    }

    fn make(
        &self,
        load: Load<'_>,
        version: Version,
        beginning: Beginning,
    ) -> io::Result<Rc<Vec<Client>>> {
        let make = |_| Client::new(self.certificate, version, beginning);
        (0..load.connections).map(make).collect::<io::Result<Vec<_>>>().map(Rc::new)
    }

    /// Clients that have a ticket.
    fn known(&self, load: Load<'_>, version: Version) -> io::Result<Rc<Vec<Client>>> {
        let place = (load.target, version);
        if let Some(known) = self.known.borrow().get(&place)
            && known.len() == load.connections
        {
            return Ok(Rc::clone(known));
        }
        let clients = self.make(load, version, Beginning::Resumed)?;
        for client in clients.iter() {
            visit(client, load, 0)?;
        }
        self.known.borrow_mut().insert(place, Rc::clone(&clients));
        Ok(clients)
    }
}

impl Run<'_> {
    fn on_thread(&self, client: &Client, number: u64) -> Tally {
        let mut tally = Tally::new();
        let (mut kept, mut serial) = (None, 0);
        while !self.is_over() {
            let asked = clock::now();
            let source = (number + serial) % SOURCES;
            serial += 1;
            let done = match self.usage {
                Use::Kept => self.ask_kept(client, &mut kept),
                Use::Once(_, beginning) => {
                    visit(client, self.load, source).and_then(|connection| {
                        let wrong =
                            || io::Error::other(format!("a handshake was not {beginning:?}"));
                        tls::began(&connection, beginning).then_some(()).ok_or_else(wrong)
                    })
                }
            };
            match done {
                Ok(()) => {
                    tally.answered(asked.elapsed());
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    tally.fail(&error.to_string());
                    kept = None;
                }
            }
        }
        tally
    }

    fn ask_kept(&self, client: &Client, kept: &mut Option<Connection>) -> io::Result<()> {
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(client.connect(soak::connect_from(self.load.target, 2)?)?),
        };
        exchange(connection, &request(self.load.path, self.load.target))
    }

    fn is_over(&self) -> bool {
        let enough = |wanted| self.answered.load(Ordering::Relaxed) >= wanted;
        self.after_requests.is_some_and(enough) || clock::now() >= self.deadline
    }
}

/// One request on a connection of its own, until the gateway has closed it: the port then waits on
/// its side.
fn visit(client: &Client, load: Load<'_>, source: u64) -> io::Result<Connection> {
    let mut connection = client.connect(soak::connect_from(load.target, 2 + source)?)?;
    exchange(&mut connection, &last_request(load.path, load.target))?;
    match connection.read(&mut [0; 16]) {
        Ok(0) => Ok(connection),
        // The answer was whole, so that a missing close_notify hides nothing.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(connection),
        Ok(_) => Err(io::Error::other("bytes followed the answer")),
        Err(error) => Err(io::Error::other(format!("after the answer: {error}"))),
    }
}
