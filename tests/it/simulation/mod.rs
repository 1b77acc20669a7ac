//! The gateway in virtual time: the real connection loops, pools and bodies on the simulated
//! kernel, between clients that ask and upstreams that answer as a seed says, over a network that
//! splits, delays and cuts.
//!
//! `script` says what each exchange is meant to be; `client` and `upstream` play it and check what
//! reaches them, byte for byte; `world` judges what became of each. A seed replays exactly:
//!
//! ```text
//! RINGWAY_SEED=17 cargo test --test it simulation::rough -- --nocapture
//! RINGWAY_SEEDS=20000 cargo test --test it simulation
//! ```
//!
//! Not here: the driver alone (`src/net/simulated.rs`), the process and real sockets (the rest of
//! `tests/it`).

mod answer;
mod cases;
mod client;
mod in_flight;
mod message;
mod multiplexed;
mod script;
mod upstream;
mod world;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ringway::{
    base::{Moment, limits},
    config::{self, Overrides, Source},
    gateway::{
        Addresses, Local,
        connection::{self, Door, Terms},
    },
    http::Http2,
    ledger::Ledger,
    net::Listener,
    plan::Plan,
    ring::simulation::{Faults, Simulation},
    runtime::{Runtime, simulate},
};

use self::{
    script::Upstreams,
    world::{Profile, SLACK, World},
};

/// Upstreams, each on a port of its own.
const UPSTREAMS: u16 = 3;
/// Everything that clients do is over by then, timeouts and all.
const PATIENCE: Duration = Duration::from_secs(200);
/// Turns of the driver that one exchange may cost, and one second without any.
const TURNS_PER_EXCHANGE: u64 = 4_000;
const TURNS_PER_SECOND: u64 = 200;
/// So many failed seeds are enough for one run.
const FAILED_SEEDS_MAX: usize = 5;

/// Nothing breaks, however slowly it arrives: every request is answered, replacements or not.
#[test]
fn calm() {
    run_seeds(
        100,
        Profile {
            name: "calm",
            faults: Faults { no_descriptors: 0, ..Faults::unkind() },
            upstreams: Upstreams::Good,
            rude_clients: false,
            breaks: false,
            http2: true,
            clients: 6,
        },
    );
}

/// Upstreams and clients break every rule, on a network that loses nothing.
#[test]
fn rough() {
    run_seeds(
        100,
        Profile {
            name: "rough",
            faults: Faults { no_descriptors: 0, ..Faults::unkind() },
            upstreams: Upstreams::Bad,
            rude_clients: true,
            breaks: false,
            http2: true,
            clients: 8,
        },
    );
}

/// As rough, and connections break at any moment, on both sides.
#[test]
fn cruel() {
    run_seeds(
        100,
        Profile {
            name: "cruel",
            faults: Faults { cuts: 1, ..Faults::unkind() },
            upstreams: Upstreams::Bad,
            rude_clients: true,
            breaks: true,
            http2: true,
            clients: 8,
        },
    );
}

fn run_seeds(count: u64, profile: Profile) {
    let wanted = std::env::var("RINGWAY_SEEDS").ok().and_then(|count| count.parse().ok());
    let [one, other, third] = PLANS;
    let plans = Rc::new([load(one), load(other), in_flight::load(third)]);
    let mut failed = Vec::new();
    for seed in Simulation::seeds(wanted.unwrap_or(count)) {
        if let Err(what) = run_seed(seed, profile, &plans) {
            let name = profile.name;
            failed.push(format!("{name}: replay with RINGWAY_SEED={seed}: {what}"));
        }
        if failed.len() == FAILED_SEEDS_MAX {
            break;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// One simulation, from the first client to the last socket.
fn run_seed(seed: u64, profile: Profile, plans: &Rc<[Arc<Plan>; 3]>) -> Result<(), String> {
    let simulation = Simulation::new(seed, profile.faults);
    let (machine, plans) = (simulation.clone(), Rc::clone(plans));
    let found = Rc::new(RefCell::new(vec!["the simulation did not end".to_owned()]));
    let told = Rc::clone(&found);
    let result = simulate(simulation.kernel(), move |runtime| async move {
        let violations = live(runtime, machine, profile, &plans).await;
        told.replace(violations);
    });
    let mut found = found.take();
    found.extend(result.err().map(|error| error.to_string()));
    if simulation.descriptors() + simulation.operations() > 0 {
        found.push("descriptors or operations are left in the kernel".to_owned());
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// Plays a simulation; gives what went wrong.
async fn live(
    runtime: Runtime,
    simulation: Simulation,
    profile: Profile,
    plans: &[Arc<Plan>; 3],
) -> Vec<String> {
    let gateway = SocketAddr::from(([127, 0, 0, 1], 8080));
    let world = Rc::new(World::new(runtime.clone(), simulation, profile, gateway));
    let mut random = world.random(0);
    let origins: Vec<_> = (1..=UPSTREAMS).map(|n| upstream::open(&world, address(n))).collect();
    let seed = world.seed();
    let ledger = Arc::new(Ledger::new(1).0);
    let (plan, spends) = (plans[0].clone(), (Arc::clone(&ledger), 0));
    let local = Rc::new(Local::new(runtime.clone(), plan, &addresses(), None, seed, spends));
    let terms = Terms { http2: Http2::Offered, ..Terms::default() };
    let door = Rc::new(Door::new(gateway.into(), terms, None));
    let listener = Rc::new(Listener::bind(&runtime, gateway, false).unwrap());
    runtime.spawn(accept(Rc::clone(&world), Rc::clone(&local), Rc::clone(&listener), door));
    let left = Rc::new(Cell::new(profile.clients));
    for number in 1..=profile.clients {
        let (visit, left) = (client::visit(Rc::clone(&world), number), Rc::clone(&left));
        runtime.spawn(async move {
            let _leave = Leave(left);
            visit.await;
        });
    }
    disturb(&world, &local, &listener, plans, &left, &mut random).await;
    drain(&world, &local, &listener).await;
    in_flight::check_places(&world, &ledger, &plans[LIMITED]);
    origins.iter().for_each(|origin| origin.stop());
    drop((local, listener, origins));
    settle(&world).await;
    in_flight::check_leases(&world, &ledger, &plans[LIMITED]);
    world.violations()
}

/// One client less, however its task ends.
struct Leave(Rc<Cell<u64>>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// As `shard::live` does it.
async fn accept(world: Rc<World>, local: Rc<Local>, listener: Rc<Listener>, door: Rc<Door>) {
    while let Ok((stream, peer)) = listener.accept().await {
        world.peers.borrow_mut().push(peer);
        local.runtime.spawn(connection::serve(Rc::clone(&local), Rc::clone(&door), stream));
    }
}

/// Replaces plans, sweeps pools, breaks connections and at times begins to drain, until the
/// clients are done.
async fn disturb(
    world: &World,
    local: &Local,
    listener: &Listener,
    plans: &[Arc<Plan>; 3],
    left: &Cell<u64>,
    random: &mut fastrand::Rng,
) {
    let runtime = &world.runtime;
    let started = runtime.now();
    let drains = random.u8(0..4) == 0;
    let drain_at = started + Duration::from_millis(random.u64(0..800));
    while left.get() > 0 && runtime.now() < started + PATIENCE {
        let turns = (world.simulation.turns(), runtime.now());
        // Most happens in the first seconds, with all that is slow later.
        let early = runtime.now() < started + Duration::from_secs(3);
        let wait = if early { random.u64(1..150) } else { 1_000 };
        runtime.sleep(Duration::from_millis(wait)).await;
        if random.bool() && early {
            let place = random.usize(0..3);
            local.replace(plans[place].clone(), &addresses());
            world.set_limited(place == LIMITED);
        }
        local.reconcile();
        match random.u8(0..8) {
            0 | 1 => local.sweep(),
            2 => local.resolve(&addresses()),
            _ => {}
        }
        if drains && runtime.now() >= drain_at && !world.draining.replace(true) {
            world.tell(|| "the gateway drains".to_owned());
            listener.stop();
            local.start_draining(Duration::from_secs(5));
        }
        if world.profile.breaks && early && random.u8(0..3) == 0 {
            let peers = world.peers.borrow().clone();
            if let Some(peer) = random.choice(peers) {
                world.simulation.reset(&peer);
            }
        }
        check_turns(world, turns);
    }
    if left.get() > 0 {
        world.violate(format!("{} clients wait without end", left.get()));
    }
}

/// No busy loop: the driver turns only as often as there is something to do.
fn check_turns(world: &World, before: (u64, Moment)) {
    let turns = world.simulation.turns() - before.0;
    let seconds = world.runtime.now().since(before.1).as_secs() + 1;
    let bound = TURNS_PER_SECOND * seconds + TURNS_PER_EXCHANGE * world.exchanges();
    if turns > bound {
        world.violate(format!("{turns} turns in {seconds} s"));
    }
}

/// Ends the gateway as a shard does; every connection must end in time.
async fn drain(world: &World, local: &Local, listener: &Listener) {
    let runtime = &world.runtime;
    listener.stop();
    local.start_draining(Duration::from_secs(5));
    world.draining.set(true);
    let began = runtime.now();
    // An upstream's body may be awaited this long, also for a client that is gone.
    let patience = limits::BODY_WAIT + limits::LINGER_WAIT + SLACK;
    while !local.seats.is_empty() && runtime.now() < began + patience {
        runtime.sleep(Duration::from_millis(10)).await;
    }
    if !local.seats.is_empty() {
        world.violate(format!("{} connections outlive the drain", local.seats.len()));
    }
    let installed = local.installed();
    for pool in &installed.pools {
        let (in_use, _) = pool.census();
        if in_use > 0 {
            world.violate(format!("{in_use} upstream connections are in use by nobody"));
        }
    }
}

/// Waits for the peers' ends, then checks that nothing is left of anything.
async fn settle(world: &World) {
    let runtime = &world.runtime;
    world.simulation.set_faults(Faults::none());
    let deadline = runtime.now() + PATIENCE;
    let busy = || runtime.holdings().sockets > 0 || runtime.tasks() > 1;
    while busy() && runtime.now() < deadline {
        runtime.sleep(Duration::from_millis(50)).await;
    }
    let held = runtime.holdings();
    let check = |what: &str, found: u64| {
        if found > 0 {
            world.violate(format!("at the end: {found} {what}"));
        }
    };
    check("sockets", held.sockets as u64);
    check("listeners", held.listeners as u64);
    check("timers", held.timers as u64);
    check("starved receives", held.starved as u64);
    check("stray completions", held.strays);
    check("tasks besides this one", runtime.tasks() as u64 - 1);
    check("panics", runtime.panics());
    let driver = runtime.driver();
    let out = limits::SMALL_BLOCKS_MAX - driver.small_shelf().available()
        + limits::LARGE_BLOCKS_MAX
        - driver.large_shelf().available();
    check("blocks that are neither home nor lent", (out - held.lent_blocks) as u64);
}

/// A gateway that accepts at `gateway` until the simulation's end.
fn open_gateway(runtime: &Runtime, gateway: SocketAddr) -> Rc<Local> {
    open_gateway_of(runtime, gateway, load(PLANS[0]), Ledger::new(1).0)
}

/// The same with this plan, spending from this ledger.
fn open_gateway_of(
    runtime: &Runtime,
    gateway: SocketAddr,
    plan: Arc<Plan>,
    ledger: Ledger,
) -> Rc<Local> {
    let spends = (Arc::new(ledger), 0);
    let local = Local::new(runtime.clone(), plan, &addresses(), None, 1, spends);
    let local = Rc::new(local);
    let terms = Terms { http2: Http2::Offered, ..Terms::default() };
    let door = Rc::new(Door::new(gateway.into(), terms, None));
    let listener = Listener::bind(runtime, gateway, false).unwrap();
    let accepting = Rc::clone(&local);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (local, door) = (Rc::clone(&accepting), Rc::clone(&door));
            accepting.runtime.spawn(connection::serve(local, door, stream));
        }
    });
    local
}

fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9000 + number))
}

/// What the upstreams' names resolve to.
fn addresses() -> Addresses {
    let upstream = |number| ringway::plan::Upstream::named("up.test", 9000 + number);
    (1..=UPSTREAMS).map(|number| (upstream(number), vec![address(number).into()])).collect()
}

/// The upstreams of the routes, by number: some stay from plan to plan, one comes and goes.
const PLANS: [[u16; 3]; 3] = [[1, 2, 1], [2, 1, 1], [3, 1, 2]];
/// The one with limits.
const LIMITED: usize = 2;

/// The gateway of `gateway.yaml`, with these upstreams.
fn load(upstreams: [u16; 3]) -> Arc<Plan> {
    load_file(Path::new(env!("CARGO_MANIFEST_DIR")).join(DEFINITION), upstreams)
}

const DEFINITION: &str = "tests/it/simulation/gateway.yaml";

fn load_file(path: PathBuf, upstreams: [u16; 3]) -> Arc<Plan> {
    let variables = ["plain", "reads", "maps"].iter().zip(upstreams).map(|(name, number)| {
        let port = address(number).port();
        ((*name).to_owned(), format!("up.test:{port}"))
    });
    let overrides = Overrides { stage_variables: variables.collect(), ..Overrides::default() };
    let loaded = config::load(&Source::File(path), &overrides);
    loaded.plan.unwrap_or_else(|| panic!("gateway.yaml: {:?}", loaded.problems))
}
