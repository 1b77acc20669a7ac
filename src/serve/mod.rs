//! The process: probe, bind, start the shards, then the control loop: signals, reloads, the end.
//!
//! Runs on the main thread, which does no request's work. What a shard does is `shard/`'s; what is
//! served is `config`'s to find out.

mod control;
mod demo_upstream;
mod resolve;
mod signals;
mod sockets;
mod watch;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::ExitCode,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::{
    control::Board,
    resolve::{Resolver, look_up},
    watch::Watch,
};
use crate::{
    base::{Problem, limits::MAILBOX_MESSAGES_MAX},
    cli::{INTERNAL, INVALID_FILE, Start},
    config::{
        self, AccessLogTo, Loaded, Overrides, Settings, Shards, Source,
        report::{self, Colours},
    },
    demo,
    gateway::Addresses,
    plan::Plan,
    ring,
    runtime::{self, ExecutorSpec, Sender as Mail, mailbox, start},
    shard::{
        self, Build, Order,
        log_writer::{LogTarget, LogWriter},
    },
    telemetry::access_log::{self, AccessLog},
};

/// The machine lacks something (`EX_CONFIG`).
const MACHINE_LACKS: u8 = 78;
/// After a file changed, how long to wait for the rest of the change.
const SETTLE_WAIT: Duration = Duration::from_millis(50);
/// The last log lines get this long to reach the disk.
const LOG_WAIT: Duration = Duration::from_secs(2);
/// What the shards get beyond the drain time before the process ends without them.
const END_WAIT: Duration = Duration::from_secs(1);

/// What the control loop hears.
pub(crate) enum Event {
    /// SIGHUP.
    Reload,
    /// The private port asks for a reload and wants to know how it went.
    ReloadFor(Mail<Result<u64, String>>),
    /// A file of the plan changed.
    FileChanged,
    /// Names resolve to other addresses now.
    Resolved(Addresses),
    /// SIGTERM or SIGINT.
    End,
    /// A shard has ended, by itself or because it was told to.
    ShardEnded(usize, Result<(), String>),
}

/// Serves until a signal ends the process.
#[must_use]
pub fn run(start: Start) -> ExitCode {
    match Process::start(start) {
        Ok(process) => process.control(),
        Err(Failure { problem, code }) => {
            tell(&problem.to_string());
            ExitCode::from(code)
        }
    }
}

struct Failure {
    problem: Problem,
    code: u8,
}

/// The running process, as the main thread holds it.
struct Process {
    source: Source,
    overrides: Overrides,
    settings: Settings,
    board: Arc<Board>,
    events: Receiver<Event>,
    to_events: Sender<Event>,
    resolver: Resolver,
    addresses: Arc<Addresses>,
    watch: Option<Watch>,
    running: usize,
}

fn tell(sentence: &str) {
    eprintln!("ringway: {sentence}");
}
