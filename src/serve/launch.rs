//! Everything up to the first accepted connection: load, probe, bind, start the shards.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64},
        mpsc::{self, Sender, channel},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Event, Failure, Process,
    control::{self, Board},
    failure,
    resolve::{Resolver, look_up},
    say, signals,
    sockets::{self, Family},
    tell, tell_nameless, tell_problems,
};
use crate::{
    base::{
        Problem,
        limits::{DESCRIPTORS_RESERVED, MAILBOX_MESSAGES_MAX, SOCKETS_MAX},
    },
    cli::{INTERNAL, INVALID_FILE, Start},
    config::{self, AccessLogTo, Overrides, Settings, Shards, Source, Transport},
    demo,
    gateway::Addresses,
    plan::Plan,
    ring,
    runtime::{ExecutorSpec, Sender as Mail, mailbox, start},
    shard::{
        self, Build, Entrance, Order,
        log_writer::{LogTarget, LogWriter},
    },
    telemetry::access_log::{self, AccessLog},
};

/// The machine lacks something (`EX_CONFIG`).
const MACHINE_LACKS: u8 = 78;

impl Process {
    /// Everything up to the first accepted connection.
    pub(super) fn start(start: Start) -> Result<Self, Failure> {
        let Start { source, mut overrides, loaded } = start;
        let demo = if loaded.is_none() { demo_socket(&mut overrides)? } else { None };
        let loaded = loaded.unwrap_or_else(|| {
            let loaded = config::load(&source, &overrides);
            tell_problems(&loaded);
            loaded
        });
        let Some(plan) = loaded.plan.clone() else {
            return Err(failure("the file has errors", "", INVALID_FILE));
        };
        let settings = loaded.settings.clone();
        let addresses = Arc::new(look_up(&plan));
        tell_nameless(&addresses);
        let (to_events, events) = channel();
        let private = bind_one(settings.admin, family_of(settings.admin, &settings))?;
        let private_address = private.local_addr().unwrap_or(settings.admin);
        let started = start_shards(&settings, &plan, &addresses, &to_events)?;
        let running = started.mails.len();
        let board = Arc::new(Board {
            generation: AtomicU64::new(1),
            reloads_failed: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            plan: RwLock::new(Arc::clone(&plan)),
            listeners: started.listeners.iter().map(|(at, _)| at.to_string()).collect(),
            shards: started.mails,
            log: started.log,
            started_seconds: epoch_seconds(),
        });
        let is_demo = source == Source::Demo;
        let cannot = |what: &str, error| failure(format!("{what}: {error}"), "", INTERNAL);
        control::launch(Arc::clone(&board), to_events.clone(), private, demo)
            .map_err(|error| cannot("the private port", error))?;
        signals::forward(to_events.clone()).map_err(|error| cannot("signals", error))?;
        let resolver = Resolver::start(&plan, to_events.clone())
            .map_err(|error| cannot("the resolver", error))?;
        let mut process = Self {
            source,
            overrides,
            settings,
            board,
            events,
            to_events,
            resolver,
            addresses,
            watch: None,
            running,
        };
        process.watch(&loaded);
        announce(&started.listeners, private_address, running, is_demo);
        Ok(process)
    }
}

/// The shards, running, and what the rest of the process needs to know of them.
struct Started {
    mails: Vec<Mail<Order>>,
    listeners: Vec<Bound>,
    log: Option<LogWriter>,
}

fn start_shards(
    settings: &Settings,
    plan: &Arc<Plan>,
    addresses: &Arc<Addresses>,
    events: &Sender<Event>,
) -> Result<Started, Failure> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let shards = match settings.shards {
        Shards::PerCore => cores.len().max(1),
        Shards::Exactly(count) => usize::from(count),
    };
    // One executor more: the control executor.
    ring::probe(shards + 1).map_err(|problem| Failure { problem, code: MACHINE_LACKS })?;
    let (doors, listeners) = bind_doors(settings, shards)?;
    let (logs, log) = open_log(settings, shards)?;
    let clients_max = clients_of(ring::descriptors_max(), shards);
    let mut mails = Vec::new();
    for (number, (doors, log)) in doors.into_iter().zip(logs).enumerate() {
        let (mail, orders) = mailbox(MAILBOX_MESSAGES_MAX);
        mails.push(mail);
        let (plan, addresses) = (Arc::clone(plan), Arc::clone(addresses));
        let seed = fastrand::u64(..);
        let build = Build { number, doors, clients_max, plan, addresses, log, seed, orders };
        let cpu = cores.get(number % cores.len().max(1)).map(|core| core.id);
        start_shard(build, cpu, events.clone())?;
    }
    Ok(Started { mails, listeners, log })
}

/// How many clients a shard may have: an eighth of the descriptors, at most `DESCRIPTORS_RESERVED`,
/// is for upstreams and files.
fn clients_of(descriptors: u64, shards: usize) -> usize {
    let reserved = (descriptors / 8).min(DESCRIPTORS_RESERVED);
    let clients = usize::try_from(descriptors - reserved).unwrap_or(usize::MAX);
    (clients / shards.max(1)).min(SOCKETS_MAX)
}

fn start_shard(build: Build, cpu: Option<usize>, events: Sender<Event>) -> Result<(), Failure> {
    let number = build.number;
    let spec = ExecutorSpec { name: format!("shard-{number}"), cpu };
    let (told, ended) = mpsc::channel();
    let shard = start(spec, move |runtime| async move {
        let how = shard::live(runtime, build).await;
        let _ = told.send(how.map_err(|error| error.to_string()));
    })
    .map_err(|error| failure(format!("shard {number} does not start: {error}"), "", INTERNAL))?;
    let wait = move || {
        let joined = shard.join().map_err(|error| error.to_string());
        let how = ended.try_recv().unwrap_or(Ok(()));
        let _ = events.send(Event::ShardEnded(number, joined.and(how)));
    };
    std::thread::Builder::new().name(format!("join-{number}")).spawn(wait).map(drop).map_err(
        |error| failure(format!("shard {number} cannot be watched: {error}"), "", INTERNAL),
    )
}

/// A socket for the demo's upstream, its address told to the plan; none when the user named his.
fn demo_socket(overrides: &mut Overrides) -> Result<Option<TcpListener>, Failure> {
    if overrides.stage_variables.iter().any(|(name, _)| name == demo::BACKEND) {
        return Ok(None);
    }
    let socket = bind_one(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Family::Both)?;
    let address = socket
        .local_addr()
        .map_err(|error| failure(format!("the demo's upstream: {error}"), "", INTERNAL))?;
    overrides.stage_variables.push((demo::BACKEND.to_owned(), address.to_string()));
    Ok(Some(socket))
}

type Doors = Vec<Entrance>;
/// A listener's address as bound, and what is spoken there.
type Bound = (SocketAddr, Transport);

/// The doors of each shard, and the addresses as bound.
fn bind_doors(settings: &Settings, shards: usize) -> Result<(Vec<Doors>, Vec<Bound>), Failure> {
    let mut doors: Vec<Doors> = (0..shards).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for listener in &settings.listeners {
        let family = family_of(listener.address, settings);
        let bound = sockets::bind(listener.address, family, shards).map_err(unbound)?;
        addresses.push((bound.address, listener.transport));
        for (doors, socket) in doors.iter_mut().zip(bound.sockets) {
            let is_tls = listener.transport == Transport::Tls;
            doors.push(Entrance {
                socket,
                trusted: listener.trusted_proxies.clone(),
                http2: listener.http2,
                face: is_tls.then(|| listener.address.to_string()),
            });
        }
    }
    Ok((doors, addresses))
}

/// `[::]` takes IPv4 as well, unless another listener of its port has an IPv4 address.
fn family_of(address: SocketAddr, settings: &Settings) -> Family {
    let listeners = settings.listeners.iter().map(|listener| listener.address);
    let mut others = listeners.chain([settings.admin]);
    match others.any(|other| other.is_ipv4() && other.port() == address.port()) {
        true => Family::Own,
        false => Family::Both,
    }
}

fn bind_one(address: SocketAddr, family: Family) -> Result<TcpListener, Failure> {
    let mut bound = sockets::bind(address, family, 1).map_err(unbound)?;
    bound.sockets.pop().ok_or_else(|| failure("no socket was bound", "", INTERNAL))
}

const fn unbound(problem: Problem) -> Failure {
    Failure { problem, code: INVALID_FILE }
}

/// One log for each shard, and the writer behind them.
fn open_log(
    settings: &Settings,
    shards: usize,
) -> Result<(Vec<Option<AccessLog>>, Option<LogWriter>), Failure> {
    let target = match &settings.access_log {
        AccessLogTo::Off => return Ok(((0..shards).map(|_| None).collect(), None)),
        AccessLogTo::Stdout => LogTarget::Stdout,
        AccessLogTo::File(path) => LogTarget::File(path.clone()),
    };
    let (logs, chunks) = access_log::channel(shards);
    let name = target.to_string();
    let writer = LogWriter::start(target, chunks, tell).map_err(|error| {
        let fix = "accessLog: {destination: ..} names a file in a folder that may be written to";
        failure(format!("the access log {name} cannot be opened: {error}"), fix, INVALID_FILE)
    })?;
    Ok((logs.into_iter().map(Some).collect(), Some(writer)))
}

fn announce(listeners: &[Bound], private: SocketAddr, shards: usize, is_demo: bool) {
    for (address, transport) in listeners {
        say(&format!("listening on {}://{address}\n", scheme(*transport)));
    }
    say(&format!("private port on http://{private}\n"));
    tell(&format!("{shards} shard{}", if shards == 1 { "" } else { "s" }));
    let Some((address, transport)) = listeners.first().filter(|_| is_demo) else { return };
    let (curl, at) = match transport {
        Transport::Plain => ("curl", format!("http://{address}")),
        Transport::Tls => ("curl -k", format!("https://{address}")),
    };
    say("\nThis is the demo, a pet store with an upstream of its own. Try:\n");
    for (method, target) in demo::TRIES {
        match method {
            "GET" => say(&format!("  {curl} '{at}{target}'\n")),
            _ => say(&format!("  {curl} -d '{{\"name\":\"Tove\"}}' '{at}{target}'\n")),
        }
    }
    say(&format!("  curl http://{private}/metrics\n"));
}

const fn scheme(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "http",
        Transport::Tls => "https",
    }
}

#[expect(clippy::disallowed_methods, reason = "the process's start, told in the metrics")]
fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::clients_of;

    #[track_caller]
    fn check(descriptors: u64, shards: usize, clients: usize) {
        assert_eq!(clients_of(descriptors, shards), clients);
    }

    #[test]
    fn descriptors_are_shared_out() {
        check(1_024, 1, 896);
        check(20_000, 1, 18_976);
        check(20_000, 2, 9_488);
        check(1 << 30, 1, 1 << 20);
        check(0, 1, 0);
    }
}
