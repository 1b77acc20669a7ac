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
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use self::{
    control::Board,
    resolve::{Resolver, keep_known, look_up},
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
    ring,
    runtime::{ExecutorSpec, Sender as Mail, mailbox, start},
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
/// And how many parts a change may have.
const SETTLE_EVENTS_MAX: usize = 100;
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

impl Process {
    /// Everything up to the first accepted connection.
    fn start(start: Start) -> Result<Self, Failure> {
        let Start { source, mut overrides, loaded } = start;
        let demo = if loaded.is_none() { demo_socket(&mut overrides)? } else { None };
        let loaded = loaded.unwrap_or_else(|| {
            let loaded = config::load(&source, &overrides);
            tell_problems(&loaded);
            loaded
        });
        let Loaded { plan: Some(plan), settings, files_read, .. } = loaded else {
            return Err(failure("the file has errors", "", INVALID_FILE));
        };
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let shards = count_shards(&settings, cores.len());
        // One executor more: the control executor.
        ring::probe(shards + 1).map_err(|problem| Failure { problem, code: MACHINE_LACKS })?;
        let (mut doors, listeners) = bind_doors(&settings, shards)?;
        let private = bind_one(settings.admin)?;
        let private_address = private.local_addr().unwrap_or(settings.admin);
        let (mut logs, log) = open_log(&settings, shards)?;
        let addresses = Arc::new(look_up(&plan));
        let (to_events, events) = channel();
        let mut mails = Vec::new();
        for number in 0..shards {
            let (mail, orders) = mailbox(MAILBOX_MESSAGES_MAX);
            mails.push(mail);
            let build = Build {
                number,
                doors: doors.pop().unwrap_or_default(),
                plan: Arc::clone(&plan),
                addresses: Arc::clone(&addresses),
                log: logs.pop().flatten(),
                seed: fastrand::u64(..),
                orders,
            };
            let cpu = cores.get(number % cores.len().max(1)).map(|core| core.id);
            start_shard(build, cpu, to_events.clone())?;
        }
        let board = Arc::new(Board {
            generation: AtomicU64::new(1),
            reloads_failed: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            plan: RwLock::new(Arc::clone(&plan)),
            listeners: listeners.iter().map(ToString::to_string).collect(),
            shards: mails,
            log,
            started_seconds: epoch_seconds(),
        });
        let is_demo = source == Source::Demo;
        control::launch(Arc::clone(&board), to_events.clone(), private, demo)
            .map_err(|error| failure(format!("the private port: {error}"), "", INTERNAL))?;
        signals::forward(to_events.clone())
            .map_err(|error| failure(format!("signals: {error}"), "", INTERNAL))?;
        let resolver = Resolver::start(&plan, to_events.clone())
            .map_err(|error| failure(format!("the resolver: {error}"), "", INTERNAL))?;
        announce(&listeners, private_address, shards, is_demo);
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
            running: shards,
        };
        process.watch(&files_read);
        Ok(process)
    }

    /// Hears events until a signal ends the process.
    fn control(mut self) -> ExitCode {
        while let Ok(event) = self.events.recv() {
            match event {
                Event::Reload => {
                    if let Some(log) = &self.board.log {
                        log.reopen();
                    }
                    let _ = self.reload();
                }
                Event::ReloadFor(answer) => drop(answer.try_send(self.reload())),
                Event::FileChanged => {
                    self.settle(|event| matches!(event, Event::FileChanged));
                    let _ = self.reload();
                }
                Event::Resolved(found) => self.resolved(found),
                Event::End => return self.end(),
                Event::ShardEnded(number, how) => {
                    let why = how.err().unwrap_or_else(|| "it ended by itself".to_owned());
                    tell(&format!("shard {number} is gone: {why}; the process ends"));
                    let _ = self.end();
                    return ExitCode::from(INTERNAL);
                }
            }
        }
        ExitCode::from(INTERNAL)
    }

    /// Compiles the documents anew; a broken one changes nothing. The new generation, or why not.
    fn reload(&mut self) -> Result<u64, String> {
        let loaded = config::load(&self.source, &self.overrides);
        tell_problems(&loaded);
        self.watch(&loaded.files_read);
        let Some(plan) = loaded.plan else {
            self.board.reloads_failed.fetch_add(1, Ordering::Relaxed);
            tell("the new files have errors; the old plan stays in force");
            return Err(report::render(&loaded.problems, &loaded.sources, Colours::Off));
        };
        if needs_restart(&self.settings, &loaded.settings) {
            tell("listeners, private port, shards or access log changed: restart to apply that");
        }
        let mut found = look_up(&plan);
        keep_known(&mut found, &self.addresses);
        let addresses = Arc::new(found);
        self.resolver.follow(&plan);
        self.addresses = Arc::clone(&addresses);
        let generation = self.board.generation.fetch_add(1, Ordering::Relaxed) + 1;
        self.order(|| Order::Serve {
            plan: Arc::clone(&plan),
            addresses: Arc::clone(&addresses),
            generation,
        });
        match self.board.plan.write() {
            Ok(mut shown) => *shown = plan,
            Err(poisoned) => *poisoned.into_inner() = plan,
        }
        tell(&format!("plan {generation} is in force"));
        Ok(generation)
    }

    fn resolved(&mut self, found: Addresses) {
        let mut addresses = (*self.addresses).clone();
        addresses.extend(found);
        if addresses == *self.addresses {
            return;
        }
        self.addresses = Arc::new(addresses);
        self.order(|| Order::Resolved(Arc::clone(&self.addresses)));
    }

    /// Tells every shard. A full mailbox means a shard that has not run for a long time.
    fn order(&self, order: impl Fn() -> Order) {
        for (number, shard) in self.board.shards.iter().enumerate() {
            if shard.try_send(order()).is_err() {
                tell(&format!("shard {number} does not take messages; it is stuck"));
            }
        }
    }

    /// Files are often written in several steps, and signals sent twice (`timeout` signals the
    /// process and its group): swallows repetitions until there is a pause or another event, but
    /// not for ever: a folder may never come to rest.
    fn settle(&self, repeats: fn(&Event) -> bool) {
        for _ in 0..SETTLE_EVENTS_MAX {
            match self.events.recv_timeout(SETTLE_WAIT) {
                Ok(event) if repeats(&event) => {}
                Ok(other) => {
                    let _ = self.to_events.send(other);
                    return;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn watch(&mut self, files: &[std::path::PathBuf]) {
        if self.source == Source::Demo || files.is_empty() {
            return;
        }
        // A watch that is made anew misses what happens meanwhile.
        if self.watch.as_ref().is_some_and(|watch| watch.is_on(files)) {
            return;
        }
        match Watch::on(files, self.to_events.clone()) {
            Ok(watch) => self.watch = Some(watch),
            Err(sentence) => tell(&sentence),
        }
    }

    /// Finishes what is in flight; a second signal ends at once.
    fn end(mut self) -> ExitCode {
        tell("ending: no new connections; what is in flight is finished");
        self.board.draining.store(true, Ordering::Relaxed);
        let drain = self.settings.drain;
        self.order(|| Order::Drain(drain));
        let mut code = ExitCode::SUCCESS;
        self.settle(|event| matches!(event, Event::End));
        let patience = Patience::new(drain + END_WAIT);
        while self.running > 0 {
            match self.events.recv_timeout(patience.left()) {
                Ok(Event::ShardEnded(_, Ok(()))) => self.running -= 1,
                Ok(Event::ShardEnded(number, Err(why))) => {
                    tell(&format!("shard {number} ended badly: {why}"));
                    code = ExitCode::from(INTERNAL);
                    self.running -= 1;
                }
                Ok(Event::End) => {
                    tell("second signal: ending at once");
                    return ExitCode::FAILURE;
                }
                Ok(_) => {}
                Err(_) => {
                    tell("the drain time is over; ending with requests in flight");
                    code = ExitCode::FAILURE;
                    break;
                }
            }
        }
        if let Some(log) = &self.board.log
            && !log.finish(LOG_WAIT)
        {
            tell("the access log's last lines could not be written in time");
        }
        code
    }
}

fn count_shards(settings: &Settings, cores: usize) -> usize {
    match settings.shards {
        Shards::PerCore => cores.max(1),
        Shards::Exactly(count) => usize::from(count),
    }
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
    let socket = bind_one(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = socket
        .local_addr()
        .map_err(|error| failure(format!("the demo's upstream: {error}"), "", INTERNAL))?;
    overrides.stage_variables.push((demo::BACKEND.to_owned(), address.to_string()));
    Ok(Some(socket))
}

type Doors = Vec<(TcpListener, crate::steps::integrate::TrustedProxies)>;

/// The doors of each shard, the last shard's first; and the addresses as bound.
fn bind_doors(
    settings: &Settings,
    shards: usize,
) -> Result<(Vec<Doors>, Vec<SocketAddr>), Failure> {
    let mut doors: Vec<Doors> = (0..shards).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for listener in &settings.listeners {
        let bound = sockets::bind(listener.address, shards).map_err(unbound)?;
        addresses.push(bound.address);
        for (doors, socket) in doors.iter_mut().zip(bound.sockets) {
            doors.push((socket, listener.trusted_proxies.clone()));
        }
    }
    Ok((doors, addresses))
}

fn bind_one(address: SocketAddr) -> Result<TcpListener, Failure> {
    let mut bound = sockets::bind(address, 1).map_err(unbound)?;
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
    let writer = LogWriter::start(target, chunks, tell).map_err(|error| {
        failure(format!("the access log cannot be opened: {error}"), "mend accessLog", INVALID_FILE)
    })?;
    Ok((logs.into_iter().rev().map(Some).collect(), Some(writer)))
}

fn needs_restart(old: &Settings, new: &Settings) -> bool {
    old.listeners != new.listeners
        || old.admin != new.admin
        || old.shards != new.shards
        || old.access_log != new.access_log
}

fn announce(listeners: &[SocketAddr], private: SocketAddr, shards: usize, is_demo: bool) {
    for address in listeners {
        eprintln!("listening on http://{address}");
    }
    eprintln!("private port on http://{private}");
    tell(&format!("{shards} shard{}, one for each core", if shards == 1 { "" } else { "s" }));
    let Some(address) = listeners.first().filter(|_| is_demo) else { return };
    eprintln!("\nThis is the demo, a pet store with an upstream of its own. Try:");
    for (method, target) in demo::TRIES {
        match method {
            "GET" => eprintln!("  curl 'http://{address}{target}'"),
            _ => eprintln!("  curl -d '{{\"name\":\"Tove\"}}' 'http://{address}{target}'"),
        }
    }
    eprintln!("  curl http://{private}/metrics");
}

fn tell_problems(loaded: &Loaded) {
    eprint!("{}", report::render(&loaded.problems, &loaded.sources, Colours::Off));
}

fn failure(message: impl Into<String>, fix: &str, code: u8) -> Failure {
    Failure { problem: Problem::of_process(message, fix), code }
}

/// A wait in several steps that together have one bound.
struct Patience {
    end: Instant,
}

#[expect(clippy::disallowed_methods, reason = "the main thread has no shard's clock")]
impl Patience {
    fn new(wait: Duration) -> Self {
        Self { end: Instant::now() + wait }
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

#[expect(clippy::disallowed_methods, reason = "the process's start, told in the metrics")]
fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
