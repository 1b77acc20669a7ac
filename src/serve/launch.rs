//! Everything up to the first accepted connection: load, probe, bind, start the shards.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64},
        mpsc::{self, Sender, channel},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Event, Failure, Process,
    books::{Books, usage_plans},
    control::{self, Board},
    failure,
    inherited::InheritedSockets,
    issuers::Issuers,
    keeper::{Opened, Refused},
    proofs,
    resolve::{Resolver, look_up},
    say, signals,
    sockets::{self, Bound, Family},
    state_folder, tell, tell_nameless, tell_problems,
    unix_socket::SocketFile,
};
use crate::{
    base::{
        Address, ListenAddress, Problem,
        limits::{DESCRIPTORS_RESERVED, LISTENERS_MAX, MAILBOX_MESSAGES_MAX, SOCKETS_MAX},
    },
    cli::{INTERNAL, INVALID_FILE, Start},
    config::{self, AccessLogTo, Listener, Overrides, Settings, Shards, Source, Transport},
    demo,
    gateway::{Addresses, connection::Terms},
    ledger::Ledger,
    plan::Plan,
    ring,
    runtime::{ExecutorSpec, Sender as Mail, mailbox, start},
    shard::{
        self, Build, Entrance, Handing, Listening, Order,
        log_writer::{LogTarget, LogWriter},
    },
    steps::api_key::Switches,
    telemetry::access_log::{self, AccessLog},
};

/// The machine lacks something (`EX_CONFIG`).
const MACHINE_LACKS: u8 = 78;
/// Another process has what this one needs (`EX_TEMPFAIL`).
const TRY_LATER: u8 = 75;

impl Process {
    /// Everything up to the first accepted connection.
    pub(super) fn start(start: Start) -> Result<Self, Failure> {
        let Start { source, mut overrides, loaded } = start;
        // First: nothing else may have been opened in the place of systemd's sockets.
        let mut inherited = InheritedSockets::of_process();
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
        let private = bind_private(&settings, &mut inherited)?;
        let private_address = private.address.clone();
        let (books, opened) = open_books(&settings, &plan)?;
        let switches = opened.as_ref().map(Opened::switches).unwrap_or_default();
        let ledger = books.ledger();
        let served = Served { plan: &plan, addresses: &addresses, ledger, switches: &switches };
        let mut started = start_shards(&settings, &served, &to_events, &mut inherited)?;
        books
            .start(opened, &started.mails)
            .map_err(|problem| Failure { problem, code: MACHINE_LACKS })?;
        books.follow(usage_plans(&plan));
        tell_untaken(&inherited);
        let running = started.mails.len();
        started.files.extend(private.file);
        let private_socket = private.sockets.into_iter().next();
        let board = Arc::new(Board {
            generation: AtomicU64::new(1),
            reloads_failed: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            plan: RwLock::new(Arc::clone(&plan)),
            listeners: started.listeners.iter().map(|(at, _)| at.to_string()).collect(),
            shards: started.mails,
            log: started.log,
            books,
            started_seconds: epoch_seconds(),
        });
        let cannot = |what: &str, error| failure(format!("{what}: {error}"), "", INTERNAL);
        control::launch(Arc::clone(&board), to_events.clone(), private_socket, demo)
            .map_err(|error| cannot("the private port", error))?;
        signals::forward(to_events.clone()).map_err(|error| cannot("signals", error))?;
        let resolver =
            Resolver::start(&plan, to_events.clone()).map_err(|e| cannot("the resolver", e))?;
        let issuers = Issuers::start(&plan, &board.shards).map_err(|e| cannot("issuers", e))?;
        proofs::start(&board.shards).map_err(|e| cannot("the threads of proofs", e))?;
        let mut process = Self {
            source,
            overrides,
            settings,
            board,
            events,
            to_events,
            resolver,
            issuers,
            addresses,
            watch: None,
            running,
            files: started.files,
        };
        process.watch(&loaded);
        announce(&started.listeners, &private_address, running, process.source == Source::Demo);
        Ok(process)
    }
}

fn tell_untaken(inherited: &InheritedSockets) {
    for name in inherited.left() {
        tell(&format!("no listener takes systemd's socket {name}: its clients will wait"));
    }
}

/// The shards, running, and what the rest of the process needs to know of them.
struct Started {
    mails: Vec<Mail<Order>>,
    listeners: Vec<(Address, Transport)>,
    files: Vec<SocketFile>,
    log: Option<LogWriter>,
}

/// Before the first request is: what it may spend is in the state folder.
fn open_books(settings: &Settings, plan: &Plan) -> Result<(Books, Option<Opened>), Failure> {
    let books = Books::new(shard_count(settings));
    let opened = books.open(&usage_plans(plan), &state_folder(settings)).map_err(|refused| {
        let code = match refused {
            Refused::InUse(_) => TRY_LATER,
            Refused::Unusable(_) => MACHINE_LACKS,
        };
        Failure { problem: refused.problem(), code }
    })?;
    Ok((books, opened))
}

/// What the shards begin with.
struct Served<'a> {
    plan: &'a Arc<Plan>,
    addresses: &'a Arc<Addresses>,
    ledger: &'a Arc<Ledger>,
    switches: &'a Arc<Switches>,
}

fn start_shards(
    settings: &Settings,
    served: &Served<'_>,
    events: &Sender<Event>,
    inherited: &mut InheritedSockets,
) -> Result<Started, Failure> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let shards = shard_count(settings);
    // One executor more: the control executor.
    ring::probe(shards + 1).map_err(|problem| Failure { problem, code: MACHINE_LACKS })?;
    let Doors { of_shards, addresses: listeners, files } = bind_doors(settings, shards, inherited)?;
    let (logs, log) = open_log(settings, shards)?;
    let clients_max = clients_of(ring::descriptors_max(), shards);
    let mut mails = Vec::new();
    let parts = of_shards.into_iter().zip(Handing::among(shards)).zip(logs);
    for (number, ((entrances, handing), log)) in parts.enumerate() {
        let (mail, orders) = mailbox(MAILBOX_MESSAGES_MAX);
        mails.push(mail);
        let (plan, addresses) = (Arc::clone(served.plan), Arc::clone(served.addresses));
        let seed = fastrand::u64(..);
        let (ledger, switches) = (Arc::clone(served.ledger), Arc::clone(served.switches));
        let build = Build {
            number,
            entrances,
            handing,
            clients_max,
            plan,
            addresses,
            ledger,
            log,
            switches,
            seed,
            orders,
        };
        let cpu = cores.get(number % cores.len().max(1)).map(|core| core.id);
        start_shard(build, cpu, events.clone())?;
    }
    Ok(Started { mails, listeners, files, log })
}

fn shard_count(settings: &Settings) -> usize {
    match settings.shards {
        Shards::PerCore => core_affinity::get_core_ids().unwrap_or_default().len().max(1),
        Shards::Exactly(count) => usize::from(count),
    }
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
fn demo_socket(overrides: &mut Overrides) -> Result<Option<OwnedFd>, Failure> {
    if overrides.stage_variables.iter().any(|(name, _)| name == demo::BACKEND) {
        return Ok(None);
    }
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut bound = sockets::bind_ip(anywhere, Family::Both, 1).map_err(unbound)?;
    overrides.stage_variables.push((demo::BACKEND.to_owned(), bound.address.to_string()));
    Ok(bound.sockets.pop())
}

/// The listening sockets.
struct Doors {
    of_shards: Vec<Vec<Entrance>>,
    /// As bound, and what is spoken there.
    addresses: Vec<(Address, Transport)>,
    files: Vec<SocketFile>,
}

fn bind_doors(
    settings: &Settings,
    shards: usize,
    inherited: &mut InheritedSockets,
) -> Result<Doors, Failure> {
    let of_shards = (0..shards).map(|_| Vec::new()).collect();
    let mut doors = Doors { of_shards, addresses: Vec::new(), files: Vec::new() };
    for listener in &settings.listeners {
        let family = family_of(&listener.address, settings);
        let bound = sockets::bind(listener, family, shards, inherited).map_err(unbound)?;
        bound.into_iter().for_each(|bound| doors.add(bound, listener));
    }
    if doors.addresses.len() > LISTENERS_MAX {
        let message = format!("{} listeners; at most {LISTENERS_MAX}", doors.addresses.len());
        return Err(failure(message, "let one listener have several labels", INVALID_FILE));
    }
    Ok(doors)
}

impl Doors {
    fn add(&mut self, bound: Bound, listener: &Listener) {
        let Bound { address, sockets, file } = bound;
        let terms = Terms {
            trusted: listener.trusted_proxies.clone(),
            proxy_protocol: listener.proxy_protocol.clone(),
            http2: listener.http2,
            labels: listener.labels.clone(),
        };
        let is_tls = listener.transport == Transport::Tls;
        let face = is_tls.then(|| listener.address.to_string());
        let shards = self.of_shards.len();
        let each_has_one = sockets.len() == shards;
        // Sockets that exist once are spread over the shards, too.
        let porter = self.addresses.len() % shards;
        let mut sockets = sockets.into_iter();
        for (number, entrances) in self.of_shards.iter_mut().enumerate() {
            let own = if each_has_one || number == porter { sockets.next() } else { None };
            let listening = match own {
                Some(socket) if each_has_one => Listening::Own(socket),
                Some(socket) => Listening::ForAll(socket),
                None => Listening::Elsewhere,
            };
            let (address, terms, face) = (address.clone(), terms.clone(), face.clone());
            entrances.push(Entrance { address, terms, face, listening });
        }
        self.addresses.push((address, listener.transport));
        self.files.extend(file);
    }
}

/// `[::]` takes IPv4 as well, unless another listener of its port has an IPv4 address.
fn family_of(address: &ListenAddress, settings: &Settings) -> Family {
    let ListenAddress::Ip(address) = address else { return Family::Both };
    let listeners = settings.listeners.iter().map(|listener| &listener.address);
    let mut others = listeners.chain([&settings.admin]).filter_map(|other| match other {
        ListenAddress::Ip(other) => Some(other),
        ListenAddress::Unix(_) | ListenAddress::Systemd(_) => None,
    });
    let pairs = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    match address.port() != 0 && others.any(pairs) {
        true => Family::Own,
        false => Family::Both,
    }
}

/// The private port: one socket, whatever its address. Its name must not stand for several.
fn bind_private(settings: &Settings, inherited: &mut InheritedSockets) -> Result<Bound, Failure> {
    let listener = Listener::at(settings.admin.clone(), Transport::Plain);
    let family = family_of(&settings.admin, settings);
    let mut bound = sockets::bind(&listener, family, 1, inherited).map_err(unbound)?;
    match (bound.pop(), bound.pop()) {
        (Some(bound), None) => Ok(bound),
        _ => {
            let message = format!("{} is more than one socket", settings.admin);
            let fix = "the private port takes one: name it by its place, as in systemd:0";
            Err(failure(message, fix, INVALID_FILE))
        }
    }
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

fn announce(listeners: &[(Address, Transport)], private: &Address, shards: usize, is_demo: bool) {
    for (address, transport) in listeners {
        say(&format!("listening on {}\n", url(address, *transport)));
    }
    say(&format!("private port on {}\n", url(private, Transport::Plain)));
    tell(&format!("{shards} shard{}", if shards == 1 { "" } else { "s" }));
    let Some((address, transport)) = listeners.first().filter(|_| is_demo) else { return };
    let at = curl_arguments(address, *transport);
    say("\nThis is the demo, a pet store with an upstream of its own. Try:\n");
    for (method, target) in demo::TRIES {
        match method {
            "GET" => say(&format!("  curl {at}{target}'\n")),
            _ => say(&format!("  curl -d '{{\"name\":\"Tove\"}}' {at}{target}'\n")),
        }
    }
    say(&format!("  curl {}/metrics'\n", curl_arguments(private, Transport::Plain)));
}

fn url(address: &Address, transport: Transport) -> String {
    match (address, transport) {
        (Address::Ip(address), transport) => format!("{}://{address}", scheme(transport)),
        (Address::Unix(_) | Address::Unnamed, Transport::Plain) => address.to_string(),
        (Address::Unix(_) | Address::Unnamed, Transport::Tls) => format!("{address} (TLS)"),
    }
}

/// What curl needs up to the path; a quotation is left open.
fn curl_arguments(address: &Address, transport: Transport) -> String {
    let trusting = if transport == Transport::Tls { "-k " } else { "" };
    match address {
        Address::Unix(path) => {
            let (path, scheme) = (path.display(), scheme(transport));
            format!("{trusting}--unix-socket {path} '{scheme}://localhost")
        }
        Address::Ip(_) | Address::Unnamed => format!("{trusting}'{}", url(address, transport)),
    }
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
