//! The simulated kernel's operations: what is armed, what can complete, and the dice.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsStr,
    io,
    net::SocketAddr,
    os::{fd::RawFd, unix::ffi::OsStrExt},
    path::Path,
    time::Duration,
};

use super::{
    Faults,
    network::{Ended, Network},
};
use crate::{
    base::{Address, Moment},
    ring::kernel::{Completion, Kind, Operation, Token},
};

/// No simulation lasts longer; one that would has lost a wake-up.
const HORIZON: Duration = Duration::from_secs(24 * 3_600);

pub(super) struct World {
    pub(super) now: Moment,
    pub(super) network: Network,
    pub(super) queue: Vec<(Token, Operation)>,
    /// By token; each has at most one operation.
    pub(super) armed: BTreeMap<Token, Armed>,
    pub(super) completed: Vec<Completion>,
    groups: BTreeMap<u16, VecDeque<Provided>>,
    pub(super) turns: u64,
    random: fastrand::Rng,
    faults: Faults,
}

pub(super) struct Armed {
    operation: Operation,
    /// Not before this moment.
    after: Moment,
    /// Bytes of a send that are under way already.
    done: usize,
}

struct Provided {
    buffer: u16,
    bytes: *mut u8,
    length: usize,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: Moment(0),
            network: Network::default(),
            queue: Vec::new(),
            armed: BTreeMap::new(),
            completed: Vec::new(),
            groups: BTreeMap::new(),
            turns: 0,
            random: fastrand::Rng::with_seed(seed),
            faults,
        }
    }

    pub(super) const fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    pub(super) fn open_group(&mut self, group: u16, entries: u16) {
        let fresh = self.groups.insert(group, VecDeque::with_capacity(entries.into())).is_none();
        assert!(fresh, "group {group} is opened twice");
    }

    pub(super) fn provide(&mut self, group: u16, buffer: u16, bytes: *mut u8, length: u32) {
        let queue = self.groups.get_mut(&group).expect("the group is open");
        assert!(queue.iter().all(|known| known.buffer != buffer), "buffer {buffer} given twice");
        let length = usize::try_from(length).expect("64 bits");
        queue.push_back(Provided { buffer, bytes, length });
    }

    pub(super) fn shut(&mut self, socket: RawFd) {
        let at = self.arrival();
        self.network.shut(socket, at);
    }

    pub(super) fn close(&mut self, descriptor: RawFd) {
        let uses = |armed: &Armed| armed.operation.descriptor() == Some(descriptor);
        let used = self.armed.values().any(uses);
        assert!(!used, "descriptor {descriptor} is closed while an operation uses it");
        self.network.close(descriptor);
    }

    /// Submits the queue, then lets time pass until something completes or `until`.
    pub(super) fn enter(&mut self, until: Option<Moment>) -> io::Result<()> {
        self.turns += 1;
        // Computing takes time, too.
        self.now = self.now + Duration::from_micros(1);
        let mut count = self.queue.len();
        let partial = count > 0 && self.chance(self.faults.partial_enters);
        if partial {
            count = self.random.usize(0..count);
        }
        for (token, operation) in self.queue.drain(..count).collect::<Vec<_>>() {
            self.submit(token, operation);
        }
        if partial {
            // As the real one: it does not wait when it could not submit all.
            return Ok(());
        }
        loop {
            self.network.arrive(self.now);
            self.progress();
            if !self.completed.is_empty() {
                return Ok(());
            }
            let later = self.armed.values().map(|armed| armed.after).filter(|at| *at > self.now);
            let next = later.chain(self.network.next_arrival()).chain(until).min();
            let Some(next) = next else {
                return Err(io::Error::other("simulation: nothing can ever happen again"));
            };
            self.now = self.now.max(next);
            if self.now > Moment(0) + HORIZON {
                return Err(io::Error::other("simulation: a day has passed, nobody was woken"));
            }
            if until.is_some_and(|until| self.now >= until) {
                return Ok(());
            }
        }
    }

    fn submit(&mut self, token: Token, operation: Operation) {
        match operation {
            Operation::Cancel { target } => self.cancel(token, target),
            Operation::Close { descriptor } => {
                self.close(descriptor);
                self.complete(token, 0, None, false);
            }
            Operation::Bell { .. } => {}
            Operation::Send { quiet: true, .. } | Operation::SendGathered { quiet: true, .. } => {
                self.send_quietly(token, operation);
            }
            _ => {
                let descriptor = operation.descriptor().expect("the others have one");
                assert!(self.network.is_open(descriptor), "{operation:?} on a closed descriptor");
                let after = if matches!(operation, Operation::Connect { .. }) {
                    self.arrival()
                } else {
                    self.now
                };
                let before = self.armed.insert(token, Armed { operation, after, done: 0 });
                assert!(before.is_none(), "{token:?} is submitted twice");
            }
        }
    }

    fn cancel(&mut self, token: Token, target: Token) {
        match self.armed.remove(&target) {
            Some(Armed { done: 0, .. }) => self.complete(target, -libc::ECANCELED, None, false),
            Some(Armed { done, .. }) => {
                let done = i32::try_from(done).expect("a send is smaller than 2 GiB");
                self.complete(target, done, None, false);
            }
            // As with SKIP_SUCCESS: only a failure is told.
            None => self.complete(token, -libc::ENOENT, None, false),
        }
    }

    /// Gives the armed operations, in random order, the chance to go on.
    fn progress(&mut self) {
        let mut tokens: Vec<Token> = self.armed.keys().copied().collect();
        self.random.shuffle(&mut tokens);
        for token in tokens {
            // Some only later: completions of one turn are never a whole round.
            if self.chance(30) && !self.completed.is_empty() {
                continue;
            }
            let Some(armed) = self.armed.get(&token) else { continue };
            if armed.after > self.now {
                continue;
            }
            match armed.operation {
                Operation::Accept { listener } => self.try_accept(token, listener),
                Operation::Receive { socket, group, once } => {
                    self.try_receive(token, socket, group, once);
                }
                Operation::Watch { socket } => self.try_watch(token, socket),
                Operation::Connect { socket, address, length } => {
                    // SAFETY: the driver keeps the address until the completion below.
                    let address = unsafe { read_address(address, length) };
                    self.try_connect(token, socket, address);
                }
                Operation::Send { .. } | Operation::SendGathered { .. } => self.try_send(token),
                _ => {}
            }
        }
    }

    fn try_accept(&mut self, token: Token, listener: RawFd) {
        if self.network.waiting(listener) == 0 {
            return;
        }
        if self.chance(self.faults.no_descriptors) {
            let error = if self.chance(50) { libc::EMFILE } else { libc::ECONNABORTED };
            self.armed.remove(&token);
            return self.complete(token, -error, None, false);
        }
        let connection = self.network.accept(listener).expect("one waits");
        let more = self.goes_on(token);
        self.complete(token, connection, None, more);
    }

    fn try_receive(&mut self, token: Token, socket: RawFd, group: u16, once: bool) {
        let Some(pipe) = self.network.incoming(socket) else { return };
        let (readable, ended) = (pipe.readable(), pipe.ended);
        if readable == 0 {
            let result = match ended {
                None => return,
                Some(Ended::Fin) => 0,
                Some(Ended::Reset) => -libc::ECONNRESET,
            };
            self.armed.remove(&token);
            return self.complete(token, result, None, false);
        }
        let dry = self.chance(self.faults.no_buffers);
        let queue = self.groups.get_mut(&group).expect("a receive names an open group");
        let Some(provided) = (if dry { None } else { queue.pop_front() }) else {
            self.armed.remove(&token);
            return self.complete(token, -libc::ENOBUFS, None, false);
        };
        let whole = readable.min(provided.length);
        let split = self.chance(self.faults.splits);
        let count = if split { self.random.usize(1..=whole) } else { whole };
        let pipe = self.network.incoming(socket).expect("it was there");
        for (offset, byte) in pipe.read(count).enumerate() {
            // SAFETY: the driver lends the buffer until the completion, `offset` is inside.
            unsafe { provided.bytes.add(offset).write(byte) };
        }
        let more = self.goes_on(token) && !once;
        if once {
            self.armed.remove(&token);
        }
        let result = i32::try_from(count).expect("a buffer is smaller than 2 GiB");
        self.complete(token, result, Some(provided.buffer), more);
    }

    fn try_watch(&mut self, token: Token, socket: RawFd) {
        if self.network.incoming(socket).is_some_and(|pipe| pipe.ended == Some(Ended::Reset)) {
            self.armed.remove(&token);
            self.complete(token, i32::from(libc::POLLERR), None, false);
        }
    }

    fn try_connect(&mut self, token: Token, socket: RawFd, address: Option<Address>) {
        self.armed.remove(&token);
        let found = address.is_some_and(|address| self.network.connect(socket, address));
        self.complete(token, if found { 0 } else { -libc::ECONNREFUSED }, None, false);
    }

    fn try_send(&mut self, token: Token) {
        let (socket, bytes, done) = {
            let armed = &self.armed[&token];
            let socket = armed.operation.descriptor().expect("a send has a socket");
            // SAFETY: the driver keeps the bytes until the completion.
            (socket, unsafe { read_bytes(armed.operation) }, armed.done)
        };
        let room = match self.network.room(socket, self.faults.window_bytes) {
            Ok(room) => room.min(bytes.len() - done),
            Err(_) if done > 0 => return self.finish_send(token, done),
            Err(error) => {
                self.armed.remove(&token);
                return self.complete(token, -error, None, false);
            }
        };
        if room == 0 {
            return;
        }
        if self.chance(self.faults.cuts) {
            return self.network.cut(socket);
        }
        let split = self.chance(self.faults.splits);
        let count = if split { self.random.usize(1..=room) } else { room };
        let at = self.arrival();
        self.network.send(socket, bytes[done..done + count].to_vec(), at);
        let done = done + count;
        if done == bytes.len() || self.chance(self.faults.short_sends) {
            return self.finish_send(token, done);
        }
        self.armed.get_mut(&token).expect("it is armed").done = done;
    }

    /// Sends all at once and says nothing, or says how much was sent.
    fn send_quietly(&mut self, token: Token, operation: Operation) {
        let socket = operation.descriptor().expect("a send has a socket");
        assert!(self.network.is_open(socket), "{operation:?} on a closed descriptor");
        assert!(!self.armed.contains_key(&token), "two sends at a time on {socket}");
        // SAFETY: the driver keeps the bytes until the enter is over.
        let bytes = unsafe { read_bytes(operation) };
        let room = match self.network.room(socket, self.faults.window_bytes) {
            Ok(room) => room,
            Err(error) => return self.complete(token, -error, None, false),
        };
        if self.chance(self.faults.cuts) {
            self.network.cut(socket);
            return self.complete(token, -libc::ECONNRESET, None, false);
        }
        let mut count = room.min(bytes.len());
        if self.chance(self.faults.short_sends) {
            count = self.random.usize(0..=count);
        }
        let at = self.arrival();
        self.network.send(socket, bytes[..count].to_vec(), at);
        let result = match i32::try_from(count).expect("a send is smaller than 2 GiB") {
            0 => -libc::EAGAIN,
            sent => sent,
        };
        if count < bytes.len() {
            self.complete(token, result, None, false);
        }
    }

    fn finish_send(&mut self, token: Token, done: usize) {
        self.armed.remove(&token);
        let done = i32::try_from(done).expect("a send is smaller than 2 GiB");
        self.complete(token, done, None, false);
    }

    /// Whether a multishot goes on after this completion.
    fn goes_on(&mut self, token: Token) -> bool {
        let ends = self.chance(self.faults.multishot_ends);
        if ends {
            self.armed.remove(&token);
        }
        !ends
    }

    fn complete(&mut self, token: Token, result: i32, buffer: Option<u16>, more: bool) {
        debug_assert!(token.kind != Kind::Bell);
        self.completed.push(Completion { token, result, buffer, more });
    }

    fn arrival(&mut self) -> Moment {
        let delay_max = u64::try_from(self.faults.delay_max.as_nanos()).unwrap_or(u64::MAX);
        self.now + Duration::from_nanos(self.random.u64(0..=delay_max))
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.random.u8(0..100) < percent
    }
}

impl Operation {
    /// The descriptor that it works on.
    const fn descriptor(&self) -> Option<RawFd> {
        match *self {
            Self::Accept { listener } => Some(listener),
            Self::Receive { socket, .. }
            | Self::Watch { socket }
            | Self::Send { socket, .. }
            | Self::SendGathered { socket, .. }
            | Self::Connect { socket, .. } => Some(socket),
            Self::Close { descriptor } => Some(descriptor),
            Self::Cancel { .. } | Self::Bell { .. } => None,
        }
    }
}

/// The bytes of a send.
///
/// # Safety
/// What the operation points to must be valid.
unsafe fn read_bytes(operation: Operation) -> Vec<u8> {
    // SAFETY: as the caller promises; a message's ranges are as valid as itself.
    unsafe {
        match operation {
            Operation::Send { bytes, length, .. } => {
                std::slice::from_raw_parts(bytes, length as usize).to_vec()
            }
            Operation::SendGathered { message, .. } => {
                let ranges = std::slice::from_raw_parts((*message).msg_iov, (*message).msg_iovlen);
                let bytes = ranges.iter().flat_map(|range| {
                    std::slice::from_raw_parts(range.iov_base.cast::<u8>(), range.iov_len)
                });
                bytes.copied().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// An IPv4 or IPv6 address, or a path.
///
/// # Safety
/// `address` must point to one of its family's struct, with `length` bytes filled.
unsafe fn read_address(address: *const libc::sockaddr, length: libc::socklen_t) -> Option<Address> {
    // SAFETY: the family tells which struct it is.
    unsafe {
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let found = &*address.cast::<libc::sockaddr_in>();
                let ip = std::net::Ipv4Addr::from(found.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::from((ip, u16::from_be(found.sin_port))).into())
            }
            libc::AF_INET6 => {
                let found = &*address.cast::<libc::sockaddr_in6>();
                let ip = std::net::Ipv6Addr::from(found.sin6_addr.s6_addr);
                Some(SocketAddr::from((ip, u16::from_be(found.sin6_port))).into())
            }
            libc::AF_UNIX => {
                let found = &*address.cast::<libc::sockaddr_un>();
                let bytes = found.sun_path.map(i8::cast_unsigned);
                let filled = length as usize - std::mem::offset_of!(libc::sockaddr_un, sun_path);
                let path = bytes[..filled].split(|&byte| byte == 0).next()?;
                Some(Address::Unix(Path::new(OsStr::from_bytes(path)).into()))
            }
            _ => None,
        }
    }
}
