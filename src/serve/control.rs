//! The control executor: the private port, and the demo's upstream.

use std::{
    os::fd::OwnedFd,
    rc::Rc,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
};

use super::{Event, books::Books, demo_upstream, limits};
use crate::{
    admin::{
        self, Answer, Census, Health, Inspected, PlanView, limits::LimitsQuestion,
        usage::UsageQuestion,
    },
    base::limits::MAILBOX_MESSAGES_MAX,
    net::Listener,
    plan::Plan,
    runtime::{ExecutorSpec, JoinHandle, Mailbox, Runtime, Sender, mailbox, start},
    shard::{Order, log_writer::LogWriter},
    telemetry::{Reported, prometheus},
};

/// What the control loop and the private port both look at.
pub(super) struct Board {
    /// Counts the plans since the start, from 1.
    pub(super) generation: AtomicU64,
    /// Reloads that failed.
    pub(super) reloads_failed: AtomicU64,
    /// The process is ending.
    pub(super) draining: AtomicBool,
    /// The plan in force.
    pub(super) plan: RwLock<Arc<Plan>>,
    /// Addresses, as bound.
    pub(super) listeners: Vec<String>,
    /// One mailbox for each shard.
    pub(super) shards: Vec<Sender<Order>>,
    /// The access log's writer.
    pub(super) log: Option<LogWriter>,
    /// Usage plans, keys and quotas.
    pub(super) books: Books,
    /// Seconds since 1970.
    pub(super) started_seconds: u64,
}

impl Board {
    pub(super) fn plan(&self) -> Arc<Plan> {
        match self.plan.read() {
            Ok(plan) => Arc::clone(&plan),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }
}

/// Starts the executor.
///
/// # Errors
/// When its ring cannot be made.
pub(super) fn launch(
    board: Arc<Board>,
    events: mpsc::Sender<Event>,
    private: Option<OwnedFd>,
    demo: Option<OwnedFd>,
) -> std::io::Result<JoinHandle> {
    let spec = ExecutorSpec { name: "control".to_owned(), cpu: None };
    start(spec, move |runtime| async move {
        let adopt = |socket| Listener::adopt(&runtime, socket).ok();
        if let Some(demo) = demo.and_then(adopt) {
            runtime.spawn(demo_upstream::serve(runtime.clone(), demo));
        }
        let Some(listener) = private.and_then(adopt) else { return };
        let inspected = Inspection::new(runtime.clone(), board, events);
        admin::serve(runtime, listener, inspected).await;
    })
}

type Ask = Box<dyn Fn(usize, u64) -> bool>;

struct Inspection {
    runtime: Runtime,
    board: Arc<Board>,
    events: mpsc::Sender<Event>,
    census: Rc<Census<Ask>>,
}

impl Inspection {
    fn new(runtime: Runtime, board: Arc<Board>, events: mpsc::Sender<Event>) -> Self {
        let (to, reports): (Sender<Reported>, Mailbox<Reported>) = mailbox(MAILBOX_MESSAGES_MAX);
        let asked = Arc::clone(&board);
        let ask: Ask = Box::new(move |shard, round| {
            let order = Order::Count { round, to: to.clone() };
            asked.shards.get(shard).is_some_and(|shard| shard.try_send(order).is_ok())
        });
        let census = Rc::new(Census::new(board.shards.len(), ask, reports));
        Self { runtime, board, events, census }
    }
}

impl Inspected for Inspection {
    fn health(&self) -> Health {
        let shards = self.board.shards.len();
        Health {
            draining: self.board.draining.load(Ordering::Relaxed),
            // A shard that ends takes the process with it.
            shards_up: shards,
            shards,
            generation: self.board.generation.load(Ordering::Relaxed),
        }
    }

    fn plan(&self) -> PlanView {
        let plan = self.board.plan();
        PlanView {
            generation: self.board.generation.load(Ordering::Relaxed),
            listeners: self.board.listeners.clone(),
            domain_names: plan
                .domains()
                .names()
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect(),
            stages: crate::gateway::stage_names(&plan),
        }
    }

    async fn metrics(&self) -> String {
        let reports = self.census.take(&self.runtime).await;
        let generation = self.board.generation.load(Ordering::Relaxed);
        let log = self.board.log.as_ref().map(LogWriter::counts).unwrap_or_default();
        let process = prometheus::ProcessNumbers {
            reloads_succeeded: generation.saturating_sub(1),
            reloads_failed: self.board.reloads_failed.load(Ordering::Relaxed),
            access_log_written: log.written,
            access_log_failed: log.failed,
            started_seconds: self.board.started_seconds,
            draining: self.board.draining.load(Ordering::Relaxed),
            quotas: self.board.books.counts().map(|counts| prometheus::QuotaNumbers {
                journal_failing: counts.is_failing,
                reservations: counts.reservations,
                journal_bytes: counts.bytes,
            }),
        };
        prometheus::render(&reports, &process)
    }

    async fn reload(&self) -> Result<u64, String> {
        let (answer, answers) = mailbox(1);
        if self.events.send(Event::ReloadFor(answer)).is_err() {
            return Err("the process is ending".to_owned());
        }
        answers.receive(&self.runtime).await
    }

    async fn usage(&self, question: UsageQuestion) -> Answer {
        self.board.books.answer(&self.runtime, question).await
    }

    async fn limits(&self, question: LimitsQuestion) -> Answer {
        limits::answer(&self.board, &self.runtime, question).await
    }
}
