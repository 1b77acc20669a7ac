//! The peers of the gateway under test, and the gateway as a process.
//!
//! Plain blocking `std::net` throughout: what plays the peer shares no code with what it judges.

mod answer;
mod client;
mod documents;
mod folder;
mod gateway;
mod programs;
mod tls;
mod upstream;

pub(crate) use answer::{Answer, Fault};
pub(crate) use client::{Client, exchange};
pub(crate) use documents::{Route, gateway_file, openapi, proxy_all, proxy_all_in};
pub(crate) use folder::Folder;
pub(crate) use gateway::{Gateway, Launch, ringway};
pub(crate) use programs::{Server, has, python, run};
pub(crate) use tls::{
    Authority, Pair, TlsClient, TlsUpstream, Wish, read_head, showing, trusting, trusting_with,
};
pub(crate) use upstream::{Peer, Upstream, ok};

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long any one step of a test may take before it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A file or folder of the third-party suites (`RINGWAY_SUITES`, else beside the project); where it
/// is missing, says so, and where CI runs, fails.
pub(crate) fn suite(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/suites");
    let root = env::var("RINGWAY_SUITES").unwrap_or_else(|_| beside.to_owned());
    let path = PathBuf::from(root).join(name);
    if !path.exists() {
        assert!(env::var("CI").is_err(), "{} is missing", path.display());
        eprintln!("SKIPPED: {} is missing", path.display());
        return None;
    }
    Some(path)
}

/// A loopback address on which nobody listens (its port was free a moment ago).
pub(crate) fn dead_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Waits until `happened` or fails with `what` after [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Bytes for people: printable text as it is, the rest escaped, the middle of long ones left out.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 600;
    if bytes.len() <= 2 * SHOWN {
        return bytes.escape_ascii().to_string();
    }
    let (head, tail) = (&bytes[..SHOWN], &bytes[bytes.len() - SHOWN..]);
    let cut = bytes.len() - 2 * SHOWN;
    format!("{} [.. {cut} bytes ..] {}", head.escape_ascii(), tail.escape_ascii())
}

/// `length` bytes that differ from those of any other seed; cheap, repeatable.
pub(crate) fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}
