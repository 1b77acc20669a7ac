//! A kernel in virtual time, for tests of the driver and of everything above it. Not for use.
//!
//! It follows the rules that the real one taught us: it writes into the buffers it was given,
//! ends multishots when it likes, runs out of buffers and descriptors, sends short, completes
//! in any order across sockets, and makes bytes arrive late and in pieces. All sockets live in
//! it: a test's client, the gateway and a test's upstream connect to each other. What it does
//! depends on its seed alone, which it prints. It panics when the driver breaks a rule: an
//! operation submitted twice, a descriptor closed with an operation armed or used after.
//!
//! `world.rs` has the operations, `network.rs` the bytes under way.

mod network;
mod world;

use std::{
    cell::RefCell,
    io,
    os::fd::{OwnedFd, RawFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use self::world::World;
use super::kernel::{Bell, Completion, Kernel, Operation, Token};
use crate::base::{Address, Moment, WallTime};

/// The environment variable that replays a seed.
const SEED_VARIABLE: &str = "RINGWAY_SEED";

/// How unkind the simulated kernel is: chances in percent, and bounds.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Bytes arrive in other pieces than they were sent in.
    pub splits: u8,
    /// A send completes with fewer bytes than it was given.
    pub short_sends: u8,
    /// A multishot operation ends for no reason.
    pub multishot_ends: u8,
    /// A receive finds no buffer although there are some.
    pub no_buffers: u8,
    /// An enter submits only a part of what is queued.
    pub partial_enters: u8,
    /// An accept fails for want of descriptors.
    pub no_descriptors: u8,
    /// A segment never arrives: the connection is reset instead.
    pub cuts: u8,
    /// A segment arrives at most this much later.
    pub delay_max: Duration,
    /// Bytes under way in one direction of a connection.
    pub window_bytes: usize,
}

impl Faults {
    /// A good network: nothing fails, nothing is short.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            splits: 50,
            short_sends: 0,
            multishot_ends: 0,
            no_buffers: 0,
            partial_enters: 0,
            no_descriptors: 0,
            cuts: 0,
            delay_max: Duration::ZERO,
            window_bytes: 256 * 1024,
        }
    }

    /// All that can go wrong without breaking a connection does, now and then.
    #[must_use]
    pub const fn unkind() -> Self {
        Self {
            splits: 50,
            short_sends: 20,
            multishot_ends: 10,
            no_buffers: 5,
            partial_enters: 10,
            no_descriptors: 10,
            cuts: 0,
            delay_max: Duration::from_millis(20),
            window_bytes: 16 * 1024,
        }
    }
}

/// A simulated machine; clones are the same machine.
#[derive(Clone)]
pub struct Simulation {
    world: Rc<RefCell<World>>,
    seed: u64,
}

impl Simulation {
    /// A machine whose every move depends on `seed`, which is printed.
    #[must_use]
    #[cfg_attr(not(test), expect(clippy::print_stderr, reason = "only tests make one"))]
    pub fn new(seed: u64, faults: Faults) -> Self {
        eprintln!("simulation seed {seed}, replay with {SEED_VARIABLE}={seed}");
        Self { world: Rc::new(RefCell::new(World::new(seed, faults))), seed }
    }

    /// The seeds to try: the one of the environment variable, or else `count` from 0 on.
    #[must_use]
    pub fn seeds(count: u64) -> Vec<u64> {
        let replayed = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
        replayed.map_or_else(|| (0..count).collect(), |seed| vec![seed])
    }

    /// Its kernel, for [`super::Driver::new`] or `runtime::simulate`.
    #[must_use]
    pub fn kernel(&self) -> Box<dyn Kernel> {
        Box::new(Fake { world: Rc::clone(&self.world) })
    }

    /// The seed it was made with.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Virtual time now.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.world.borrow().now
    }

    /// Open descriptors: listeners and sockets, also those not yet accepted.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.world.borrow().network.descriptors()
    }

    /// Operations that the kernel has and has not completed.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.world.borrow().armed.len()
    }

    /// How often the driver has entered the kernel: a busy loop shows here.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.world.borrow().turns
    }

    /// Changes the faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.world.borrow_mut().set_faults(faults);
    }

    /// Resets every connection to or from `address`, as a crashed peer would.
    pub fn reset(&self, address: &Address) {
        self.world.borrow_mut().network.reset_all_of(address);
    }
}

struct Fake {
    world: Rc<RefCell<World>>,
}

impl Kernel for Fake {
    fn now(&mut self) -> Moment {
        self.world.borrow().now
    }

    fn wall(&mut self) -> WallTime {
        // 2026-01-01T00:00:00Z and what has passed since.
        WallTime(1_767_225_600_000 + self.world.borrow().now.0 / 1_000_000)
    }

    unsafe fn push(&mut self, token: Token, operation: Operation) {
        self.world.borrow_mut().queue.push((token, operation));
    }

    fn enter(&mut self, until: Option<Moment>) -> io::Result<()> {
        self.world.borrow_mut().enter(until)
    }

    fn has_submitted_all(&mut self) -> bool {
        self.world.borrow().queue.is_empty()
    }

    fn drain(&mut self, into: &mut Vec<Completion>) {
        into.append(&mut self.world.borrow_mut().completed);
    }

    fn open_group(&mut self, group: u16, entries: u16) -> io::Result<()> {
        self.world.borrow_mut().open_group(group, entries);
        Ok(())
    }

    unsafe fn provide(&mut self, group: u16, buffer: u16, bytes: *mut u8, length: u32) {
        self.world.borrow_mut().provide(group, buffer, bytes, length);
    }

    fn listen(&mut self, address: &Address, _: bool) -> io::Result<(RawFd, Address)> {
        self.world.borrow_mut().network.listen(address.clone())
    }

    fn open_socket(&mut self, _: &Address) -> io::Result<RawFd> {
        Ok(self.world.borrow_mut().network.open_socket())
    }

    fn let_go(&mut self, descriptor: RawFd) -> OwnedFd {
        panic!("descriptor {descriptor} is not the process's")
    }

    fn peer_of(&mut self, socket: RawFd) -> io::Result<Address> {
        self.world
            .borrow()
            .network
            .peer_of(socket)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn local_of(&mut self, socket: RawFd) -> io::Result<Address> {
        let world = self.world.borrow();
        world.network.local_of(socket).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn shutdown_send(&mut self, socket: RawFd) -> io::Result<()> {
        self.world.borrow_mut().shut(socket);
        Ok(())
    }

    fn accept_now(&mut self, listener: RawFd) -> Option<RawFd> {
        self.world.borrow_mut().network.accept(listener)
    }

    fn shed(&mut self, listener: RawFd) -> bool {
        let mut world = self.world.borrow_mut();
        let connection = world.network.accept(listener);
        let is_there = connection.is_some();
        if let Some(connection) = connection {
            world.network.close(connection);
        }
        is_there
    }

    fn close(&mut self, descriptor: RawFd) {
        self.world.borrow_mut().close(descriptor);
    }

    fn bell(&mut self) -> io::Result<Arc<Bell>> {
        Ok(Arc::new(Bell::new(None)))
    }
}
