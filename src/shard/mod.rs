//! One core's life: build, accept, handle messages, drain, stop.
//!
//! A shard owns everything that a request touches ([`Local`]); other threads reach it through its
//! mailbox only.

mod doors;
pub mod log_writer;
mod view;

use std::{rc::Rc, sync::Arc, time::Duration};

use crate::{
    gateway::{Addresses, Ask, AskIssuer, Local},
    ledger::Ledger,
    plan::Plan,
    runtime::{Mailbox, Runtime, Sender},
    steps::{
        api_key::Switches,
        authorize::{
            basic::{self, ClaimKey},
            jwt::{KeyBook, SignatureClaim, SignatureQuestion},
            proof::Verdict,
        },
    },
    telemetry::{Reported, access_log::AccessLog},
};

pub use doors::{Entrance, Handed, Handing, Listening};
pub use view::{Viewed, Watched, Window};

use doors::Doors;

/// How often log lines and idle upstream connections are looked after.
const HOUSEKEEPING_WAIT: Duration = Duration::from_millis(200);
/// How many of those rounds pass between two looks at idle upstream connections.
const SWEEP_ROUNDS: u32 = 10;
/// How often a draining shard looks whether it is done.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// What a shard is made of.
pub struct Build {
    /// The shard's number, from 0.
    pub number: usize,
    /// Where clients come in: as many, in the same order, on every shard.
    pub entrances: Vec<Entrance>,
    /// The other shards, where they accept for each other.
    pub handing: Handing,
    /// Client connections at the same time; descriptors beyond them are for upstreams.
    pub clients_max: usize,
    /// The first plan.
    pub plan: Arc<Plan>,
    /// What its upstreams' names resolve to.
    pub addresses: Arc<Addresses>,
    /// Throttles and quotas, for all shards.
    pub ledger: Arc<Ledger>,
    /// Where its log lines go; `None` when there is no access log.
    pub log: Option<AccessLog>,
    /// Keys that are switched from the start.
    pub switches: Arc<Switches>,
    /// Makes its ids differ from all others'.
    pub seed: u64,
    /// What other threads want of it.
    pub orders: Mailbox<Order>,
}

/// A message to a shard.
pub enum Order {
    /// Serve this plan from the next request on.
    Serve {
        /// The plan.
        plan: Arc<Plan>,
        /// What its upstreams' names resolve to.
        addresses: Arc<Addresses>,
        /// Counts the plans since the start.
        generation: u64,
    },
    /// Names resolve to this now.
    Resolved(Arc<Addresses>),
    /// The journal has promised more of quotas.
    Reserved,
    /// These keys are switched on or off, whatever the plan says.
    Keys(Arc<Switches>),
    /// Keys of issuers, and whom to ask for others.
    KeySets(Arc<KeyBook>, AskIssuer),
    /// Whom to ask for passwords to be hashed, and the key of what is said about them.
    Passwords(Arc<ClaimKey>, Ask<basic::Question>),
    /// Whether a password is its user's.
    Password(Verdict<basic::Claim>),
    /// Whom to ask for signatures that take long.
    Signatures(Ask<SignatureQuestion>),
    /// Whether a signature is sound.
    Signature(Verdict<SignatureClaim>),
    /// Send your numbers.
    Count {
        /// To be told with them.
        round: u64,
        /// Where to.
        to: Sender<Reported>,
    },
    /// Say what you have of these accounts.
    View {
        /// Which, for all shards.
        watched: Arc<Watched>,
        /// Where to.
        to: Sender<Viewed>,
    },
    /// Take no new connection, finish what is in flight in this time, then end.
    Drain(Duration),
}

/// A shard's life, on its own executor.
///
/// # Errors
/// When a listening socket cannot be used.
pub async fn live(runtime: Runtime, build: Build) -> std::io::Result<()> {
    let Build {
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
    } = build;
    let spends = (ledger, number);
    let local = Rc::new(Local::new(runtime.clone(), plan, &addresses, log, seed, spends));
    local.switch(switches);
    let doors = Doors::open(&local, number, entrances, handing, clients_max)?;
    runtime.spawn(keep_house(Rc::clone(&local)));
    runtime.spawn(reconcile(Rc::clone(&local)));
    let drain = loop {
        match orders.receive(&runtime).await {
            Order::Drain(drain) => break drain,
            order => follow(&local, number, order),
        }
    };
    // Before the last are let in: they are no more handed to others.
    local.start_draining(drain);
    doors.close();
    let deadline = runtime.now() + drain;
    loop {
        // At first this is for connections that the kernel accepted before the listeners stopped:
        // their clients wait for answers, but no task has a seat for them yet.
        runtime.sleep(DRAIN_STEP).await;
        while let Some(order) = orders.try_receive() {
            follow(&local, number, order);
        }
        if local.seats.is_empty() || runtime.now() >= deadline {
            break;
        }
    }
    local.installed().pools.iter().for_each(|pool| pool.close_idle());
    local.purse.borrow_mut().give_all_back(runtime.now());
    local.close_log();
    Ok(())
}

async fn keep_house(local: Rc<Local>) {
    for round in 1_u32.. {
        local.runtime.sleep(HOUSEKEEPING_WAIT).await;
        local.flush_log();
        if round.is_multiple_of(SWEEP_ROUNDS) {
            local.sweep();
        }
    }
}

async fn reconcile(local: Rc<Local>) {
    loop {
        let wait = local.reconcile();
        local.runtime.sleep(wait).await;
    }
}

fn follow(local: &Local, number: usize, order: Order) {
    match order {
        Order::Serve { plan, addresses, generation } => {
            local.replace(plan, &addresses);
            local.count(|telemetry| telemetry.shard.plan_generation = generation);
        }
        Order::Resolved(addresses) => local.resolve(&addresses),
        Order::Reserved => local.promises.tell(),
        Order::Keys(switches) => local.switch(switches),
        Order::KeySets(book, ask) => local.issuers.tell(book, ask),
        Order::Passwords(key, ask) => local.passwords.open(key, ask),
        Order::Password(verdict) => local.passwords.tell(&local.runtime, &verdict),
        Order::Signatures(ask) => local.signatures.open(ask),
        Order::Signature(verdict) => local.signatures.tell(&verdict),
        Order::Count { round, to } => {
            let report = Reported { shard: number, round, snapshot: local.snapshot() };
            // Full means that nobody reads: whoever asked has given up.
            drop(to.try_send(report));
        }
        Order::View { watched, to } => drop(to.try_send(view::view(local, number, &watched))),
        // A second wish to end changes nothing: the control loop ends the process.
        Order::Drain(_) => {}
    }
}
