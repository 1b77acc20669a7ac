//! Names of upstreams to addresses, by the system's resolver, on threads that may wait.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use super::Event;
use crate::{gateway::Addresses, plan::Plan, plan::Upstream};

/// How long the first plan waits for its names; what is not known then comes later.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// How often names are looked up again: the system's resolver does not tell their lifetime.
const AGAIN_WAIT: Duration = Duration::from_secs(30);

/// Looks names up now and again, in the background.
pub(super) struct Resolver {
    upstreams: Arc<Mutex<Vec<Upstream>>>,
}

/// The addresses of a plan's upstreams, each name looked up once; waits a bounded time.
pub(super) fn look_up(plan: &Plan) -> Addresses {
    let (told, answers) = channel();
    let mut addresses: Addresses = HashMap::new();
    let mut asked = 0;
    for upstream in plan.upstreams() {
        if let Some(address) = literal(upstream) {
            addresses.insert(upstream.clone(), vec![address]);
            continue;
        }
        let (upstream, told) = (upstream.clone(), told.clone());
        let look = move || drop(told.send((find(&upstream), upstream)));
        asked += usize::from(thread::Builder::new().name("resolve".to_owned()).spawn(look).is_ok());
    }
    for _ in 0..asked {
        let Ok((found, upstream)) = answers.recv_timeout(FIRST_WAIT) else { break };
        addresses.insert(upstream, found);
    }
    addresses
}

impl Resolver {
    /// Starts the thread; it sends [`Event::Resolved`] when an answer came.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(plan: &Plan, events: Sender<Event>) -> std::io::Result<Self> {
        let upstreams = Arc::new(Mutex::new(names(plan)));
        let shared = Arc::clone(&upstreams);
        thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let mut known = Addresses::new();
            loop {
                thread::park_timeout(AGAIN_WAIT);
                let upstreams = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let found = look_again(&upstreams, &known);
                if found != known {
                    known.clone_from(&found);
                    if events.send(Event::Resolved(found)).is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(Self { upstreams })
    }

    /// Looks after the names of another plan from now on.
    pub(super) fn follow(&self, plan: &Plan) {
        *self.upstreams.lock().unwrap_or_else(PoisonError::into_inner) = names(plan);
    }
}

/// A name that cannot be looked up keeps the addresses it had.
fn look_again(upstreams: &[Upstream], known: &Addresses) -> Addresses {
    let look = |upstream: &Upstream| {
        let found = find(upstream);
        let found = if found.is_empty() { known.get(upstream)?.clone() } else { found };
        Some((upstream.clone(), found))
    };
    upstreams.iter().filter_map(look).collect()
}

fn names(plan: &Plan) -> Vec<Upstream> {
    plan.upstreams().iter().filter(|upstream| literal(upstream).is_none()).cloned().collect()
}

fn literal(upstream: &Upstream) -> Option<SocketAddr> {
    let host = upstream.host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, upstream.port))
}

/// IPv4 first: a name such as `localhost` often has an IPv6 address that nothing listens on.
fn find(upstream: &Upstream) -> Vec<SocketAddr> {
    let found = (upstream.host.as_str(), upstream.port).to_socket_addrs();
    let mut addresses: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.dedup();
    addresses
}
