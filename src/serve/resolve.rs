//! Names of upstreams to addresses, by the system's resolver, on threads that may wait.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use super::{Event, Patience};
use crate::{gateway::Addresses, plan::Plan, plan::Upstream};

/// How long the first plan waits for its names; what is not known then comes later.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// How often names are looked up again: the system's resolver does not tell their lifetime.
const AGAIN_WAIT: Duration = Duration::from_secs(30);
/// The same while one of them has no address.
const RETRY_WAIT: Duration = Duration::from_secs(2);
/// Names looked up at once.
const ASKERS_MAX: usize = 16;

/// Looks names up now and again, in the background.
pub(super) struct Resolver {
    upstreams: Arc<Mutex<Vec<Upstream>>>,
}

/// The addresses of a plan's upstreams; waits a bounded time for names. A name that was not found
/// in time has none.
pub(super) fn look_up(plan: &Plan) -> Addresses {
    let address = |upstream: &Upstream| literal(upstream).into_iter().collect();
    let known = plan.upstreams().iter().map(|upstream| (upstream.clone(), address(upstream)));
    let mut addresses: Addresses = known.collect();
    let names = Arc::new(Mutex::new(names(plan)));
    let (told, answers) = channel();
    let mut awaited = names.lock().unwrap_or_else(PoisonError::into_inner).len();
    for _ in 0..awaited.min(ASKERS_MAX) {
        let (names, told) = (Arc::clone(&names), told.clone());
        let ask = move || {
            let next = || names.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(upstream) = next() {
                if told.send((find(&upstream), upstream)).is_err() {
                    return;
                }
            }
        };
        // Without a thread its names have no addresses yet; the resolver finds them later.
        drop(thread::Builder::new().name("resolve".to_owned()).spawn(ask));
    }
    drop(told);
    let patience = Patience::new(FIRST_WAIT);
    while awaited > 0 {
        let Ok((found, upstream)) = answers.recv_timeout(patience.left()) else { break };
        addresses.insert(upstream, found);
        awaited -= 1;
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
            let mut wait = RETRY_WAIT;
            loop {
                thread::park_timeout(wait);
                let upstreams = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let found = look_again(&upstreams);
                wait = if found.len() < upstreams.len() { RETRY_WAIT } else { AGAIN_WAIT };
                // Told also when nothing is new: only the control loop knows what is in force.
                if events.send(Event::Resolved(found)).is_err() {
                    return;
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

/// What could be found out: a name that cannot be looked up is left out.
fn look_again(upstreams: &[Upstream]) -> Addresses {
    let look = |upstream: &Upstream| (upstream.clone(), find(upstream));
    upstreams.iter().map(look).filter(|(_, found)| !found.is_empty()).collect()
}

/// A name that cannot be looked up now keeps the addresses it had.
pub(super) fn keep_known(found: &mut Addresses, known: &Addresses) {
    for (upstream, addresses) in found.iter_mut().filter(|(_, addresses)| addresses.is_empty()) {
        if let Some(known) = known.get(upstream) {
            addresses.clone_from(known);
        }
    }
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
    addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(host: &str) -> Upstream {
        Upstream {
            host: host.to_owned(),
            port: 80,
            http2: crate::http::Http2::NotOffered,
            caller: None,
        }
    }

    /// A reload while the name server was away took the addresses of every name, for good.
    #[test]
    fn a_name_that_is_not_found_keeps_its_addresses() {
        let address = |last| SocketAddr::from(([10, 0, 0, last], 80));
        let known: Addresses =
            [("a", 1), ("b", 2)].map(|(host, last)| (upstream(host), vec![address(last)])).into();
        let mut found: Addresses = [
            (upstream("a"), Vec::new()),
            (upstream("b"), vec![address(3)]),
            (upstream("new"), Vec::new()),
        ]
        .into();
        keep_known(&mut found, &known);
        assert_eq!(found[&upstream("a")], [address(1)]);
        assert_eq!(found[&upstream("b")], [address(3)]);
        assert!(found[&upstream("new")].is_empty());
    }
}
