//! What one shard's connections share: the plan in force, pools, numbers, the access log.
//!
//! All of it belongs to one thread. State behind a `RefCell` is lent for the length of a call and
//! never across an `.await`.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use super::{Handshakes, Issuers, Passwords, Seats, Signatures, pace::Pace, visit::Guide};
use crate::{
    base::{Address, Buffer, Pool, Shelf, WallTime, limits},
    http::{RequestHead, ResponseHead, Status},
    ledger::{Ledger, Purse, Subject},
    net::Outgoing,
    plan::{Plan, Upstream},
    runtime::{News, Runtime},
    steps::{
        api_key::Switches,
        authorize::jwt::TokenCache,
        context::{ClfTime, Facts, HttpDate, RequestId},
        integrate::Scratch,
        observe,
    },
    telemetry::{
        Outcome, SeriesKey, SeriesMap, Snapshot, StageNames, Telemetry, access_log::AccessLog,
    },
    upstream,
};

/// Heads that a shard keeps: one per request in flight, as many as are common.
const HEADS_KEPT: usize = 1_024;
/// Kept futures of visits, about 4 KiB each.
const GUIDES_KEPT: usize = 512;

/// One shard's share of the gateway.
pub struct Local {
    /// Clock, timers, tasks.
    pub runtime: Runtime,
    /// Heads of requests, to be filled.
    pub request_heads: Pool<RequestHead>,
    /// Heads of answers, to be filled.
    pub response_heads: Pool<ResponseHead>,
    /// Texts that a step builds a value in.
    pub scratch: Pool<Scratch>,
    /// Where the ARN of a request is made that a policy is asked about: some 17 KB at most.
    pub(super) arn: RefCell<Vec<u8>>,
    /// Blocks for heads that do not fit the block they began in.
    joints: Rc<Shelf>,
    guides: RefCell<Vec<Guide>>,
    installed: RefCell<Rc<Installed>>,
    switches: RefCell<Arc<Switches>>,
    /// The client connections.
    pub seats: Seats,
    /// Their TLS handshakes.
    pub handshakes: Handshakes,
    /// Throttles and quotas, for all shards.
    pub ledger: Arc<Ledger>,
    /// This shard's leases of them.
    pub purse: RefCell<Purse>,
    /// Who issues tokens, and with which keys.
    pub issuers: Issuers,
    /// Tokens that it has verified.
    pub tokens: RefCell<TokenCache>,
    /// When the others are.
    pub(super) pace: Pace,
    /// Passwords that are being hashed, and those that it has verified.
    pub passwords: Passwords,
    /// Signatures of tokens that are being verified elsewhere.
    pub signatures: Signatures,
    /// Bytes of bodies that are held until their signatures are judged.
    pub unjudged: Cell<usize>,
    /// Requests that wait for the journal of quotas.
    pub promises: News,
    tally: Rc<upstream::Tally>,
    telemetry: RefCell<Telemetry>,
    log: RefCell<Option<AccessLog>>,
    random: RefCell<fastrand::Rng>,
    dates: Cell<Dates>,
    draining: Cell<bool>,
}

/// A plan on this shard, with what belongs to it here. A request sees one from start to end.
pub struct Installed {
    /// Counts this shard's plans, from 1.
    pub number: u64,
    /// The compiled gateway.
    pub plan: Arc<Plan>,
    /// One pool for each of the plan's upstreams, in its order.
    pub pools: Vec<Rc<upstream::Pool>>,
    /// Where the plan's stages and routes are counted.
    pub series: SeriesMap,
}

/// What the names of upstreams resolve to.
pub type Addresses = HashMap<Upstream, Vec<Address>>;

/// The current second as text, rendered once.
#[derive(Clone, Copy)]
struct Dates {
    second: u64,
    http: HttpDate,
    clf: ClfTime,
}

impl Dates {
    fn of(second: u64) -> Self {
        Self { second, http: HttpDate::new(second), clf: ClfTime::new(second) }
    }
}

impl Local {
    /// A shard's share with its first plan. `seed` makes ids unique among shards and restarts;
    /// `number` is the shard's, which spends from `ledger`.
    #[must_use]
    pub fn new(
        runtime: Runtime,
        plan: Arc<Plan>,
        addresses: &Addresses,
        log: Option<AccessLog>,
        seed: u64,
        (ledger, number): (Arc<Ledger>, usize),
    ) -> Self {
        let round = plan.throttling().reconciliation;
        let purse = RefCell::new(Purse::new(Arc::clone(&ledger), number, round));
        let mut telemetry = Telemetry::default();
        let tally = Rc::new(upstream::Tally::default());
        let known = HashMap::new();
        let installed = install(1, &runtime, plan, addresses, &known, &mut telemetry, &tally);
        let second = runtime.wall().seconds();
        Self {
            runtime,
            request_heads: RequestHead::pool(HEADS_KEPT),
            response_heads: ResponseHead::pool(HEADS_KEPT),
            scratch: Pool::new(HEADS_KEPT, |_| {}),
            arn: RefCell::default(),
            joints: Shelf::new(limits::LARGE_BLOCK_BYTES, limits::LARGE_BLOCKS_MAX),
            guides: RefCell::default(),
            installed: RefCell::new(Rc::new(installed)),
            switches: RefCell::default(),
            seats: Seats::default(),
            handshakes: Handshakes::default(),
            ledger,
            purse,
            issuers: Issuers::default(),
            tokens: RefCell::default(),
            passwords: Passwords::default(),
            signatures: Signatures::default(),
            unjudged: Cell::new(0),
            pace: Pace::default(),
            promises: News::default(),
            tally,
            telemetry: RefCell::new(telemetry),
            log: RefCell::new(log),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            dates: Cell::new(Dates::of(second)),
            draining: Cell::new(false),
        }
    }

    pub(super) fn take_guide(&self) -> Option<Guide> {
        self.guides.borrow_mut().pop()
    }

    pub(super) fn keep_guide(&self, guide: Guide) {
        let mut guides = self.guides.borrow_mut();
        if guides.len() < GUIDES_KEPT {
            guides.push(guide);
        }
    }

    /// The plan in force.
    #[must_use]
    pub fn installed(&self) -> Rc<Installed> {
        Rc::clone(&self.installed.borrow())
    }

    /// Puts a new plan in force. Requests on their way end under the old one, which is freed with
    /// the last of them; pools of upstreams that both plans have live on.
    pub fn replace(&self, plan: Arc<Plan>, addresses: &Addresses) {
        let old = self.installed();
        // Leases are as large as the old terms let them be.
        let mut purse = self.purse.borrow_mut();
        purse.give_all_back(self.runtime.now());
        purse.set_round(plan.throttling().reconciliation);
        let known = old.plan.upstreams().iter().zip(&old.pools).collect();
        let mut telemetry = self.telemetry.borrow_mut();
        let (next, tally) = (old.number + 1, &self.tally);
        let new = install(next, &self.runtime, plan, addresses, &known, &mut telemetry, tally);
        *self.installed.borrow_mut() = Rc::new(new);
    }

    /// Whether a key is in force of which the plan says this.
    #[must_use]
    pub fn is_enabled(&self, key: Subject, in_plan: bool) -> bool {
        self.switches.borrow().is_enabled(key, in_plan)
    }

    /// Puts other switches in force, from the next request on.
    pub fn switch(&self, switches: Arc<Switches>) {
        *self.switches.borrow_mut() = switches;
    }

    /// Takes over what names resolve to now.
    pub fn resolve(&self, addresses: &Addresses) {
        let installed = self.installed();
        for (upstream, pool) in installed.plan.upstreams().iter().zip(&installed.pools) {
            if let Some(addresses) = addresses.get(upstream) {
                pool.set_addresses(addresses.clone());
            }
        }
    }

    /// Settles this shard's leases with the ledger. How long until the next time.
    pub fn reconcile(&self) -> Duration {
        let (now, wall) = (self.runtime.now(), self.runtime.wall());
        self.purse.borrow_mut().reconcile(now, wall);
        self.installed().plan.throttling().reconciliation
    }

    /// Closes upstream connections that have been idle for too long.
    pub fn sweep(&self) {
        let now = self.runtime.now();
        self.installed().pools.iter().for_each(|pool| pool.sweep(now));
    }

    /// Random bits for ids: unique, not secret.
    pub fn random_bits(&self) -> (u64, u64) {
        let mut random = self.random.borrow_mut();
        (random.u64(..), random.u64(..))
    }

    /// A request id.
    pub fn request_id(&self) -> RequestId {
        RequestId::new(self.random_bits())
    }

    /// `date` for an answer made now.
    pub fn http_date(&self) -> HttpDate {
        self.dates(self.runtime.wall()).http
    }

    /// `$context.requestTime` of a moment about now.
    pub fn clf_time(&self, wall: WallTime) -> ClfTime {
        self.dates(wall).clf
    }

    fn dates(&self, wall: WallTime) -> Dates {
        let dates = self.dates.get();
        if dates.second == wall.seconds() {
            return dates;
        }
        let dates = Dates::of(wall.seconds());
        self.dates.set(dates);
        dates
    }

    /// An empty send.
    pub fn outgoing(&self) -> Outgoing {
        self.runtime.outgoing()
    }

    /// `more` behind `pending`: in its block, or both in a large one. `None` when no block is left
    /// or the two are too long for one.
    #[must_use]
    pub fn join(&self, pending: &mut Buffer, more: Buffer) -> Option<()> {
        if pending.is_empty() {
            *pending = more;
        } else if !pending.append(&more) {
            *pending = self.joints.gather(&[pending, &more])?;
        }
        Some(())
    }

    /// Counts an answered request, and logs it.
    pub fn record(&self, facts: &Facts<'_>, series: Option<SeriesKey>, outcome: &Outcome) {
        let now = self.runtime.now();
        if let Some(series) = series {
            self.telemetry.borrow_mut().record(series, outcome);
        }
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.record(now, |line| observe::record(facts, line));
        }
    }

    /// Changes this shard's numbers.
    pub fn count<R>(&self, change: impl FnOnce(&mut Telemetry) -> R) -> R {
        change(&mut self.telemetry.borrow_mut())
    }

    /// Counts a request that was refused before it reached an API.
    pub fn count_refused(&self, status: Status) {
        self.count(|telemetry| telemetry.shard.refuse(status));
    }

    /// A copy of this shard's numbers, the gauges read now.
    pub fn snapshot(&self) -> Snapshot {
        let (in_use, idle) = self.installed().pools.iter().fold((0, 0), |sum, pool| {
            let (in_use, idle) = pool.census();
            (sum.0 + in_use, sum.1 + idle)
        });
        let mut snapshot = self.telemetry.borrow().snapshot();
        let shard = &mut snapshot.shard;
        shard.connections_open = self.seats.len() as u64;
        shard.requests_in_flight = self.seats.busy() as u64;
        shard.upstream_connects = self.tally.connected.get();
        shard.upstream_connect_failures = self.tally.failed.get();
        shard.upstream_reuses = self.tally.reused.get();
        shard.upstream_open = (in_use + idle) as u64;
        shard.panics = self.runtime.panics();
        let ring = self.runtime.counts();
        shard.connections_refused += ring.turned_away;
        shard.accept_pauses = ring.accept_pauses;
        shard.receive_starved = ring.starved;
        shard.access_log_dropped = self.log.borrow().as_ref().map_or(0, AccessLog::dropped);
        snapshot
    }

    /// Sends log lines that have waited long enough.
    pub fn flush_log(&self) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.send_due(self.runtime.now());
        }
    }

    /// Sends the last log lines; the writer ends when every shard's log is closed.
    pub fn close_log(&self) {
        if let Some(mut log) = self.log.borrow_mut().take() {
            log.send();
        }
    }

    /// From here on answers say `connection: close`, but to clients whose next request came along;
    /// HTTP/2 connections say goodbye within the first half of `drain`.
    pub fn start_draining(&self, drain: Duration) {
        self.draining.set(true);
        let now = self.runtime.now();
        self.seats.dismiss_idle(now + limits::DRAIN_IDLE_WAIT);
        let mut random = self.random.borrow_mut();
        let times = (drain / 2, limits::DRAIN_IDLE_WAIT);
        self.seats.dismiss_multiplexed(now, times, || random.f64());
    }

    /// How long a connection may wait for its next request.
    pub fn idle_wait(&self) -> Duration {
        if self.is_draining() { limits::DRAIN_IDLE_WAIT } else { limits::KEEP_ALIVE_WAIT }
    }

    /// Whether the shard is ending.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }
}

fn install(
    number: u64,
    runtime: &Runtime,
    plan: Arc<Plan>,
    addresses: &Addresses,
    known: &HashMap<&Upstream, &Rc<upstream::Pool>>,
    telemetry: &mut Telemetry,
    tally: &Rc<upstream::Tally>,
) -> Installed {
    let pools = plan
        .upstreams()
        .iter()
        .zip(plan.callers())
        .map(|(upstream, caller)| {
            let addresses = addresses.get(upstream).cloned().unwrap_or_default();
            match known.get(upstream) {
                Some(pool) => {
                    pool.set_addresses(addresses);
                    Rc::clone(pool)
                }
                None => {
                    let tally = Rc::clone(tally);
                    let caller = caller.as_ref();
                    upstream::Pool::new(runtime.clone(), addresses, upstream.http2, caller, tally)
                }
            }
        })
        .collect();
    let series = telemetry.adopt(&stage_names(&plan));
    Installed { number, plan, pools, series }
}

/// The plan's stages and routes, named, in the order that they are counted in.
#[must_use]
pub fn stage_names(plan: &Plan) -> Vec<StageNames> {
    let stages =
        plan.apis().iter().flat_map(|api| api.stages.iter().map(move |stage| (api, stage)));
    stages
        .map(|(api, stage)| StageNames {
            api: api.name.as_str().into(),
            stage: stage.name.as_str().into(),
            routes: stage.routes.iter().map(|route| route.key_text.as_str().into()).collect(),
        })
        .collect()
}
