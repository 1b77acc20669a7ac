//! The process: probe, bind, start the shards, then the control loop: signals, reloads, the end.
//!
//! Runs on the main thread, which does no request's work. What a shard does is `shard/`'s; what is
//! served is `config`'s to find out.

pub(crate) mod books;
mod control;
mod demo_upstream;
mod inherited;
mod issuers;
pub(crate) mod keeper;
mod launch;
mod limits;
mod proofs;
mod resolve;
mod signals;
mod sockets;
mod unix_socket;
mod watch;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use self::{
    books::usage_plans,
    control::Board,
    issuers::Issuers,
    keeper::{Ending, Refused},
    resolve::{Resolver, keep_known, look_up},
    unix_socket::SocketFile,
    watch::Watch,
};
use crate::{
    admin::usage::UsagePlans,
    base::Problem,
    cli::{self, INTERNAL, Start},
    config::{
        self, Loaded, Overrides, Settings, Source,
        report::{self, Colours},
    },
    gateway::Addresses,
    runtime::Sender as Mail,
    shard::Order,
};

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
    issuers: Issuers,
    addresses: Arc<Addresses>,
    watch: Option<Watch>,
    running: usize,
    /// Of the Unix sockets that are listened on.
    files: Vec<SocketFile>,
}

fn tell(sentence: &str) {
    say(&format!("ringway: {sentence}\n"));
}

/// Writes to standard error. Not `eprint`: that panics when nobody reads, or the disk is full.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

impl Process {
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
        self.overrides.now = cli::now();
        let loaded = config::load(&self.source, &self.overrides);
        tell_problems(&loaded);
        self.watch(&loaded);
        let Some(plan) = loaded.plan else {
            self.board.reloads_failed.fetch_add(1, Ordering::Relaxed);
            tell("the new files have errors; the old plan stays in force");
            return Err(report::render(&loaded.problems, &loaded.sources, Colours::Off));
        };
        if needs_restart(&self.settings, &loaded.settings) {
            tell("listeners, private port, shards or access log changed: restart to apply that");
        }
        let plans = usage_plans(&plan);
        if let Err(problem) = self.keep(&plans, &loaded.settings) {
            self.board.reloads_failed.fetch_add(1, Ordering::Relaxed);
            tell(&format!("{problem}; the old plan stays in force"));
            return Err(problem.to_string());
        }
        let mut found = look_up(&plan);
        keep_known(&mut found, &self.addresses);
        tell_nameless(&found);
        let addresses = Arc::new(found);
        self.resolver.follow(&plan);
        self.issuers.follow(&plan);
        self.addresses = Arc::clone(&addresses);
        let generation = self.board.generation.fetch_add(1, Ordering::Relaxed) + 1;
        self.order(|| Order::Serve {
            plan: Arc::clone(&plan),
            addresses: Arc::clone(&addresses),
            generation,
        });
        self.board.books.follow(plans);
        match self.board.plan.write() {
            Ok(mut shown) => *shown = plan,
            Err(poisoned) => *poisoned.into_inner() = plan,
        }
        tell(&format!("plan {generation} is in force"));
        Ok(generation)
    }

    /// The first plan with keys starts the keeper.
    fn keep(&self, plans: &UsagePlans, settings: &Settings) -> Result<(), Problem> {
        let (books, folder) = (&self.board.books, state_folder(settings));
        if books.folder().is_some_and(|known| known != folder) {
            tell("the state folder changed: restart to apply that");
        }
        let opened = books.open(plans, &folder).map_err(Refused::problem)?;
        books.start(opened, &self.board.shards)
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

    fn watch(&mut self, loaded: &Loaded) {
        let files = &loaded.files_read;
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
        // What changed between the reading and the watch is nobody's event.
        if !loaded.is_current(&self.source) {
            let _ = self.to_events.send(Event::FileChanged);
        }
    }

    /// Finishes what is in flight; a second signal ends at once.
    fn end(mut self) -> ExitCode {
        tell("ending: no new connections; what is in flight is finished");
        self.board.draining.store(true, Ordering::Relaxed);
        // While their sockets are open, the files cannot be mistaken for a successor's.
        self.files.clear();
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
        let ending = if self.running == 0 { Ending::Drained } else { Ending::Abandoned };
        self.board.books.finish(ending);
        if let Some(log) = &self.board.log
            && !log.finish(LOG_WAIT)
        {
            tell("the access log's last lines could not be written in time");
        }
        code
    }
}

/// Where quotas are counted.
pub(crate) fn state_folder(settings: &Settings) -> PathBuf {
    let of_system = std::env::var("STATE_DIRECTORY").ok();
    settings.state_folder.resolve(of_system.as_deref())
}

fn needs_restart(old: &Settings, new: &Settings) -> bool {
    old.listeners != new.listeners
        || old.admin != new.admin
        || old.shards != new.shards
        || old.access_log != new.access_log
}

fn tell_problems(loaded: &Loaded) {
    say(&report::render(&loaded.problems, &loaded.sources, Colours::Off));
}

/// A name without an address is often misspelt, and a name server may be away: serving goes on.
fn tell_nameless(addresses: &Addresses) {
    let nameless = addresses.iter().filter(|(_, found)| found.is_empty());
    let mut names: Vec<&str> = nameless.map(|(upstream, _)| upstream.host.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        tell(&format!("{name} has no address: its routes answer 503 until a look-up finds one"));
    }
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
