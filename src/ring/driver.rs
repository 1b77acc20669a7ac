//! The driver: owns the kernel's ring, the slots of all sockets, the timers and the buffers of
//! one shard. [`Driver::turn`] is its heartbeat; everything else only queues or looks up.
//!
//! It is not an executor: who polls the tasks that it wakes is `runtime/`'s business. Sockets
//! are in `socket.rs`, listeners in `accept.rs`, sleeping in `sleep.rs`.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use super::{
    accept::ListenerSlot,
    buffers::{Group, GroupId},
    kernel::{Bell, Completion, Kernel, Key, Kind, Operation, Token},
    slab::Slab,
    sleep::Sleeper,
    socket::{Gather, Outgoing, Slot},
    wheel::Wheel,
};
use crate::base::{
    Joints, Moment, Shelf, Supply, WallTime,
    limits::{
        JOINT_BLOCK_BYTES, JOINT_BLOCKS_MAX, LARGE_BLOCK_BYTES, LARGE_BLOCKS_MAX, LINGER_WAIT,
        LISTENERS_MAX, SMALL_BLOCK_BYTES, SMALL_BLOCKS_MAX, SOCKETS_MAX,
    },
};

/// The longest wait in the kernel: what nobody rings the bell for is noticed this late.
const CONTROL_TICK: Duration = Duration::from_millis(250);
/// Turns that a stopping driver waits for its last completions.
const STOP_TURNS_MAX: usize = 1_000;
/// Places in the small buffer ring, and the blocks in it at first: 512 KiB.
const SMALL_ENTRIES: u16 = 1_024;
const SMALL_WINDOW: usize = 128;
/// Places in the large buffer ring, and the blocks in it at first: 1 MiB.
const LARGE_ENTRIES: u16 = 128;
const LARGE_WINDOW: usize = 16;

/// The io_uring driver of one shard. All methods take `&self`; it lives in an `Rc`.
pub struct Driver {
    /// `None` once stopped.
    state: RefCell<Option<State>>,
    now: Cell<Moment>,
    /// The wall clock in this turn, once somebody has asked.
    wall: Cell<Option<WallTime>>,
    bell: Arc<Bell>,
    small: Rc<Shelf>,
    large: Rc<Shelf>,
    joints: Joints,
}

/// What the driver holds at the moment; for tests and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Sockets that are open or still closing.
    pub sockets: usize,
    /// Listeners that have not been dropped.
    pub listeners: usize,
    /// Timers in the wheel.
    pub timers: usize,
    /// Blocks lent to the kernel, both sizes.
    pub lent_blocks: usize,
    /// Receives that wait for a buffer.
    pub starved: usize,
    /// Completions of no known operation: always 0, or the driver has a bug.
    pub strays: u64,
}

/// What happened on a driver so far, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Receives that had to wait because every block was in use.
    pub starved: u64,
    /// Times that accepting rested for want of descriptors or memory.
    pub accept_pauses: u64,
    /// Accepted connections that were closed at once: no descriptor or slot was left.
    pub turned_away: u64,
}

pub(super) struct State {
    pub(super) kernel: Box<dyn Kernel>,
    pub(super) slots: Slab<Slot>,
    pub(super) listeners: Slab<ListenerSlot>,
    pub(super) sleepers: Slab<Sleeper>,
    pub(super) wheel: Wheel<Alarm>,
    pub(super) groups: [Group; 2],
    /// How many blocks there are, by group; as it was at the start of this turn.
    pub(super) supply: [Supply; 2],
    /// Sockets whose receive ended for want of a buffer, first come first served.
    pub(super) starved: Vec<Key>,
    #[expect(clippy::vec_box, reason = "the kernel reads them while they move to a slot")]
    pub(super) gathers: Vec<Box<Gather>>,
    /// Emptied, for their memory.
    pub(super) outgoings: Vec<Outgoing>,
    pub(super) now: Moment,
    /// Woken after the borrow of the state has ended.
    pub(super) wakes: Vec<Waker>,
    /// Sockets with a quiet send that has not been confirmed; see `send.rs`.
    pub(super) quiet: Vec<Key>,
    pub(super) turns: u32,
    bell_wakers: Vec<Waker>,
    turn_wakers: Vec<Waker>,
    completions: Vec<Completion>,
    fired: Vec<Alarm>,
    strays: u64,
    pub(super) counts: Counts,
}

/// What a timer in the wheel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    Socket(Key),
    Sleeper(Key),
    Listener(Key),
}

impl Driver {
    /// A driver on this kernel.
    ///
    /// # Errors
    /// When the kernel refuses the first buffer group or the bell.
    pub fn new(mut kernel: Box<dyn Kernel>) -> io::Result<Rc<Self>> {
        let bell = kernel.bell()?;
        let now = kernel.now();
        let small = Shelf::new(SMALL_BLOCK_BYTES, SMALL_BLOCKS_MAX);
        let large = Shelf::new(LARGE_BLOCK_BYTES, LARGE_BLOCKS_MAX);
        let joints = Joints::new(JOINT_BLOCK_BYTES, JOINT_BLOCKS_MAX);
        let mut groups = [
            Group::new(GroupId::Small, Rc::clone(&small), SMALL_ENTRIES, SMALL_WINDOW),
            Group::new(GroupId::Large, Rc::clone(&large), LARGE_ENTRIES, LARGE_WINDOW),
        ];
        groups[0].open(&mut *kernel)?;
        let mut state = State {
            kernel,
            slots: Slab::new(SOCKETS_MAX),
            listeners: Slab::new(LISTENERS_MAX),
            sleepers: Slab::new(SOCKETS_MAX),
            wheel: Wheel::new(now),
            groups,
            supply: [Supply::Plenty; 2],
            starved: Vec::new(),
            gathers: Vec::new(),
            outgoings: Vec::new(),
            now,
            wakes: Vec::new(),
            quiet: Vec::new(),
            turns: 0,
            bell_wakers: Vec::new(),
            turn_wakers: Vec::new(),
            completions: Vec::new(),
            fired: Vec::new(),
            strays: 0,
            counts: Counts::default(),
        };
        if let Some(eventfd) = bell.eventfd() {
            state.watch_bell(eventfd);
        }
        let state = RefCell::new(Some(state));
        let (now, wall) = (Cell::new(now), Cell::new(None));
        Ok(Rc::new(Self { state, now, wall, bell, small, large, joints }))
    }

    /// The monotonic clock, as it was at the start of this turn.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now.get()
    }

    /// The wall clock, as it was when this turn first asked.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        let read = || self.with(|state| state.kernel.wall()).unwrap_or_default();
        let wall = self.wall.get().unwrap_or_else(read);
        self.wall.set(Some(wall));
        wall
    }

    /// An empty [`Outgoing`], with the memory of an earlier one where there is one.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        self.with(|state| state.outgoings.pop()).flatten().unwrap_or_default()
    }

    /// Keeps the memory of an [`Outgoing`] whose bytes are of no use any more.
    pub fn keep_outgoing(&self, outgoing: Outgoing) {
        self.with(|state| state.keep_outgoing(outgoing));
    }

    /// The bell that other threads ring to end this driver's wait.
    #[must_use]
    pub const fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// The shelf of small blocks, for those who must gather bytes themselves.
    #[must_use]
    pub const fn small_shelf(&self) -> &Rc<Shelf> {
        &self.small
    }

    /// The shelf of large blocks.
    #[must_use]
    pub const fn large_shelf(&self) -> &Rc<Shelf> {
        &self.large
    }

    /// Blocks that hold a whole TLS record.
    #[must_use]
    pub const fn joints(&self) -> &Joints {
        &self.joints
    }

    /// Wakes `waker` when the bell is rung next.
    pub fn wake_on_bell(&self, waker: &Waker) {
        self.with(|state| {
            if !state.bell_wakers.iter().any(|known| known.will_wake(waker)) {
                state.bell_wakers.push(waker.clone());
            }
        });
    }

    /// How many turns there were; from one number to the next, whatever came meanwhile was seen.
    #[must_use]
    pub fn turns(&self) -> u32 {
        self.with(|state| state.turns).unwrap_or_default()
    }

    /// Wakes `waker` in the next turn, which does not wait then, behind all that it finds.
    pub fn wake_on_turn(&self, waker: &Waker) {
        self.with(|state| state.turn_wakers.push(waker.clone()));
    }

    /// The monotonic clock as it is now, in the middle of a turn.
    #[must_use]
    pub fn clock(&self) -> Moment {
        self.with(|state| state.kernel.now()).unwrap_or_else(|| self.now())
    }

    /// One heartbeat: submits what is queued, waits (if it may) until something completes, a
    /// timer is due, the bell rings or a control tick is over, and wakes who waited for it.
    ///
    /// # Errors
    /// When the kernel refuses for a reason that no retry mends.
    pub fn turn(&self, may_wait: bool) -> io::Result<()> {
        let turned = self.with(|state| {
            let result = state.turn(may_wait, &self.bell);
            self.now.set(state.now);
            self.wall.set(None);
            (result, std::mem::take(&mut state.wakes))
        });
        let Some((result, mut wakes)) = turned else { return Ok(()) };
        for waker in wakes.drain(..) {
            waker.wake();
        }
        self.with(|state| {
            if state.wakes.is_empty() {
                state.wakes = wakes;
            }
        });
        result
    }

    /// Closes everything, waits for the kernel to let go of it, and gives up the ring. Whoever
    /// still holds a socket gets errors from it.
    pub fn stop(&self) {
        // What is dropped here may hold tasks, and these sockets: never under the borrow.
        let dropped = self.with(State::close_all);
        drop(dropped);
        let patience = self.now() + LINGER_WAIT;
        for _ in 0..STOP_TURNS_MAX {
            let quiet = self.with(|state| state.is_quiet()).unwrap_or(true);
            if quiet || self.turn(true).is_err() {
                break;
            }
            if self.now() > patience {
                self.with(State::cut_all);
            }
        }
        let state = self.state.borrow_mut().take();
        if let Some(mut state) = state {
            state.bell_wakers.clear();
            state.turn_wakers.clear();
            state.give_up();
        }
    }

    /// What the driver holds now.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        self.with(|state| Holdings {
            sockets: state.slots.len(),
            listeners: state.listeners.len(),
            timers: state.wheel.len(),
            lent_blocks: state.groups.iter().map(Group::published).sum(),
            starved: state.starved.len(),
            strays: state.strays,
        })
        .unwrap_or_default()
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.with(|state| state.counts).unwrap_or_default()
    }

    /// `None` when the driver has stopped.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.state.borrow_mut().as_mut().map(act)
    }
}

impl State {
    fn turn(&mut self, may_wait: bool, bell: &Bell) -> io::Result<()> {
        for group in &mut self.groups {
            group.refill(&mut *self.kernel);
        }
        self.note_supply();
        self.feed_starved();
        let may_wait = may_wait && self.turn_wakers.is_empty() && !self.is_send_awaited();
        let until = if may_wait { self.next_alarm() } else { self.now };
        let entered = self.kernel.enter(Some(until));
        self.now = self.kernel.now();
        self.turns = self.turns.wrapping_add(1);
        let mut completions = std::mem::take(&mut self.completions);
        self.kernel.drain(&mut completions);
        // Asked before the completions are looked at: what they make is for the next enter.
        let submitted_all = self.kernel.has_submitted_all();
        for completion in completions.drain(..) {
            self.dispatch(completion);
        }
        self.completions = completions;
        if submitted_all {
            let mut quiet = std::mem::take(&mut self.quiet);
            self.confirm_sends(&mut quiet, self.turns);
            quiet.append(&mut self.quiet);
            self.quiet = quiet;
        }
        self.fire();
        if bell.take() {
            self.wakes.append(&mut self.bell_wakers);
        }
        self.wakes.append(&mut self.turn_wakers);
        entered
    }

    fn next_alarm(&self) -> Moment {
        let tick = self.now + CONTROL_TICK;
        self.wheel.next().map_or(tick, |next| next.min(tick))
    }

    fn dispatch(&mut self, completion: Completion) {
        let known = match completion.token.kind {
            Kind::Receive => self.received(completion),
            Kind::Send => self.sent(completion),
            Kind::Connect => self.connected(completion),
            Kind::Accept => self.accepted(completion),
            Kind::Close => self.closed(completion),
            // It failed: its target had completed already.
            Kind::Cancel => true,
            Kind::Bell => {
                if !completion.more {
                    self.watch_bell(i32::try_from(completion.token.key.index).unwrap_or(-1));
                }
                true
            }
        };
        if !known {
            self.strays += 1;
            debug_assert!(known, "completion of no known operation: {completion:?}");
        }
    }

    fn watch_bell(&mut self, eventfd: i32) {
        let index = u32::try_from(eventfd).expect("descriptors are not negative");
        let token = Token { kind: Kind::Bell, key: Key { index, generation: 0 } };
        // SAFETY: the operation points to no memory.
        unsafe { self.kernel.push(token, Operation::Bell { eventfd }) };
    }

    fn fire(&mut self) {
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel.advance(self.now, &mut fired);
        for alarm in fired.drain(..) {
            match alarm {
                Alarm::Socket(key) => self.socket_alarm(key),
                Alarm::Sleeper(key) => self.sleeper_alarm(key),
                Alarm::Listener(key) => self.listener_alarm(key),
            }
        }
        self.fired = fired;
    }

    /// All wakers, to be dropped or woken after the borrow.
    fn close_all(&mut self) -> Vec<Waker> {
        let mut wakers = std::mem::take(&mut self.bell_wakers);
        for key in self.listeners.keys() {
            wakers.extend(self.stop_listening(key));
        }
        for key in self.slots.keys() {
            let [one, two] = self.close_socket(key);
            wakers.extend(one);
            wakers.extend(two);
        }
        for key in self.sleepers.keys() {
            wakers.extend(self.forget_sleeper(key));
        }
        wakers
    }

    fn cut_all(&mut self) {
        for key in self.slots.keys() {
            self.cut_send(key);
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.slots.len() == 0 && self.open_listeners() == 0
    }

    /// The end of the ring. Memory that the kernel may still write or read is leaked.
    fn give_up(self) {
        let Self { mut kernel, mut slots, mut groups, mut listeners, .. } = self;
        for key in listeners.keys() {
            listeners.remove(key).into_iter().for_each(|slot| slot.close(&mut *kernel));
        }
        drop(kernel);
        if slots.len() == 0 {
            groups.iter_mut().for_each(Group::take_back);
            return;
        }
        groups.iter_mut().for_each(Group::leak);
        for key in slots.keys() {
            std::mem::forget(slots.remove(key));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}
