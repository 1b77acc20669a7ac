//! A small safe face of io_uring: multishot accept and receive into provided buffers, and sends.
//!
//! Deliberately another piece of code than Ringway's own driver: the floor must not be fast or slow
//! for the gateway's reasons. Buffers belong to the ring; a [`Lease`] is one of them while it is ours.
#![expect(unsafe_code, reason = "submission entries carry addresses that the kernel uses later")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

const ACCEPT: u64 = 1;
const RECEIVE: u64 = 2;
const SEND_LEASE: u64 = 3;
const SEND_STATIC: u64 = 4;

/// How many buffers a ring lends, and how large each is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    /// A power of two, at most 32768.
    pub(crate) count: u16,
    pub(crate) bytes: u32,
}

/// Received bytes in one of the ring's buffers. Give it back with [`Ring::release`], or send it.
#[derive(Debug)]
pub(crate) struct Lease {
    index: u16,
    length: u32,
}

impl Lease {
    /// The number of received bytes.
    pub(crate) fn length(&self) -> u32 {
        self.length
    }
}

/// Whether a send will almost certainly complete while it is submitted (small, and the socket's
/// buffer has room). [`Ring::wait`] then waits for one completion more instead of waking for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    AtOnce,
    Later,
}

/// What happened; `token` is what the caller gave with the operation.
#[derive(Debug)]
pub(crate) enum Event {
    Accepted {
        socket: io::Result<OwnedFd>,
    },
    Received {
        token: u32,
        lease: Lease,
    },
    /// The peer closed (`error` is 0) or the receive failed; nothing more will be received.
    Ended {
        token: u32,
        error: i32,
    },
    /// A send ended; `error` is 0 when every byte was taken.
    Sent {
        token: u32,
        error: i32,
    },
}

/// One ring, for one thread.
pub(crate) struct Ring {
    ring: IoUring,
    buffers: BufferRing,
    /// Receives that ended without the peer's doing: armed again when buffers are back.
    starved: Vec<(RawFd, u32)>,
    expected_at_once: usize,
    sockets: Vec<RawFd>,
}

impl Ring {
    /// A ring owned by the calling thread, with `SINGLE_ISSUER | DEFER_TASKRUN`.
    pub(crate) fn new(buffers: Buffers) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all().setup_cqsize(32768);
        let ring: IoUring = builder.build(2048)?;
        let buffers = BufferRing::register(&ring, buffers)?;
        Ok(Self { ring, buffers, starved: vec![], expected_at_once: 0, sockets: vec![] })
    }

    /// Accepts until the listener is closed.
    pub(crate) fn accept(&mut self, listener: RawFd, token: u32) {
        let entry = opcode::AcceptMulti::new(Fd(listener)).flags(libc::SOCK_CLOEXEC).build();
        self.remember(token, listener);
        self.push(&entry.user_data(user_data(ACCEPT, 0, token)));
    }

    /// Receives until the peer closes. The descriptor must stay open until [`Event::Ended`].
    pub(crate) fn receive(&mut self, socket: RawFd, token: u32) {
        let entry = opcode::RecvMulti::new(Fd(socket), 0).build();
        self.remember(token, socket);
        self.push(&entry.user_data(user_data(RECEIVE, 0, token)));
    }

    /// Sends what a lease holds and takes the buffer back when it has left. One at a time a socket.
    pub(crate) fn send_lease(&mut self, socket: RawFd, lease: Lease, token: u32, finish: Finish) {
        let address = self.buffers.address(lease.index);
        let entry = opcode::Send::new(Fd(socket), address, lease.length);
        let entry = entry.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build();
        self.expected_at_once += usize::from(finish == Finish::AtOnce);
        self.push(&entry.user_data(user_data(SEND_LEASE, lease.index, token)));
    }

    /// Sends bytes that live forever. One at a time a socket.
    pub(crate) fn send_static(
        &mut self,
        socket: RawFd,
        bytes: &'static [u8],
        token: u32,
        finish: Finish,
    ) {
        let length = u32::try_from(bytes.len()).expect("canned messages are far below 4 GiB");
        let entry = opcode::Send::new(Fd(socket), bytes.as_ptr(), length);
        let entry = entry.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build();
        self.expected_at_once += usize::from(finish == Finish::AtOnce);
        self.push(&entry.user_data(user_data(SEND_STATIC, 0, token)));
    }

    /// The bytes of a lease.
    pub(crate) fn bytes(&self, lease: &Lease) -> &[u8] {
        // SAFETY: a lease exists only between the completion that filled the buffer and the call that
        // consumes it, so the kernel writes nothing here; the length came with that completion.
        unsafe {
            std::slice::from_raw_parts(self.buffers.address(lease.index), lease.length as usize)
        }
    }

    /// Gives a buffer back to the kernel.
    pub(crate) fn release(&mut self, lease: Lease) {
        self.buffers.give(lease.index);
    }

    /// Submits what is queued, waits for something to happen, at most `at_most`, and appends it.
    pub(crate) fn wait(&mut self, at_most: Duration, events: &mut Vec<Event>) -> io::Result<()> {
        self.rearm_starved();
        self.buffers.publish();
        let want = 1 + std::mem::take(&mut self.expected_at_once);
        let nanoseconds = at_most.subsec_nanos();
        let timeout = Timespec::new().sec(at_most.as_secs()).nsec(nanoseconds);
        let arguments = SubmitArgs::new().timespec(&timeout);
        match self.ring.submitter().submit_with_args(want, &arguments) {
            Ok(_) => {}
            Err(error) if is_harmless(&error) => {}
            Err(error) => return Err(error),
        }
        self.drain(events);
        Ok(())
    }

    fn drain(&mut self, events: &mut Vec<Event>) {
        let Self { ring, buffers, starved, sockets, .. } = self;
        for completion in ring.completion() {
            let (kind, index, token) = split_user_data(completion.user_data());
            let result = completion.result();
            match kind {
                ACCEPT => {
                    if !cqueue::more(completion.flags()) {
                        starved.push((sockets[token as usize], token | ACCEPT_BIT));
                    }
                    events.push(Event::Accepted { socket: accepted(result) });
                }
                RECEIVE => {
                    let again = !cqueue::more(completion.flags());
                    let lease = cqueue::buffer_select(completion.flags());
                    match (lease, u32::try_from(result)) {
                        (Some(index), Ok(length)) if length > 0 => {
                            buffers.lent += 1;
                            events.push(Event::Received { token, lease: Lease { index, length } });
                        }
                        (Some(index), _) => {
                            buffers.lent += 1;
                            buffers.give(index);
                            events.push(Event::Ended { token, error: -result.min(0) });
                            continue;
                        }
                        (None, _) if result == -libc::ENOBUFS => {}
                        (None, _) => {
                            events.push(Event::Ended { token, error: -result.min(0) });
                            continue;
                        }
                    }
                    if again {
                        starved.push((sockets[token as usize], token));
                    }
                }
                SEND_LEASE | SEND_STATIC => {
                    if kind == SEND_LEASE {
                        buffers.give(index);
                    }
                    events.push(Event::Sent { token, error: -result.min(0) });
                }
                _ => unreachable!("every operation of this file carries one of the four kinds"),
            }
        }
    }

    /// A multishot that ended for want of buffers is armed again once there is one.
    fn rearm_starved(&mut self) {
        if self.starved.is_empty() || self.buffers.lent >= self.buffers.count {
            return;
        }
        for (socket, token) in std::mem::take(&mut self.starved) {
            if token & ACCEPT_BIT != 0 {
                self.accept(socket, token & !ACCEPT_BIT);
            } else {
                self.receive(socket, token);
            }
        }
    }

    fn remember(&mut self, token: u32, socket: RawFd) {
        let index = token as usize;
        if self.sockets.len() <= index {
            self.sockets.resize(index + 1, -1);
        }
        self.sockets[index] = socket;
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: what the entry points to is a buffer of this ring (a lease keeps it ours, and the
        // ring takes it back only with the completion) or a static, so it outlives the operation.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit().expect("a ring with room for completions takes submissions");
        }
    }
}

/// Marks a starved listener among the starved receives.
const ACCEPT_BIT: u32 = 1 << 31;

fn user_data(kind: u64, buffer: u16, token: u32) -> u64 {
    kind | u64::from(buffer) << 8 | u64::from(token) << 32
}

#[expect(clippy::cast_possible_truncation, reason = "each part is cut out at its own width")]
fn split_user_data(user_data: u64) -> (u64, u16, u32) {
    (user_data & 0xff, (user_data >> 8) as u16, (user_data >> 32) as u32)
}

fn accepted(result: i32) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    // SAFETY: a non-negative result of accept is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

fn is_harmless(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY))
}

/// The provided-buffer ring: entries that the kernel reads, and the buffers behind them.
struct BufferRing {
    memory: Mapping,
    entries: Mapping,
    count: u16,
    bytes: u32,
    tail: u16,
    lent: u16,
}

impl BufferRing {
    fn register(ring: &IoUring, size: Buffers) -> io::Result<Self> {
        assert!(size.count.is_power_of_two() && size.count <= 32768, "a power of two of buffers");
        let count = usize::from(size.count);
        let memory = Mapping::new(count * size.bytes as usize)?;
        let entries = Mapping::new(count * size_of::<BufRingEntry>())?;
        // SAFETY: the entries are page-aligned, of the registered size, and are unmapped only after
        // the ring is closed (field order of `Ring`).
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                entries.start as u64,
                size.count,
                0,
                0,
            )?;
        }
        let (count, bytes) = (size.count, size.bytes);
        let mut buffers = Self { memory, entries, count, bytes, tail: 0, lent: count };
        for index in 0..count {
            buffers.give(index);
        }
        buffers.publish();
        Ok(buffers)
    }

    fn address(&self, index: u16) -> *const u8 {
        let offset = usize::from(index) * self.bytes as usize;
        assert!(offset + self.bytes as usize <= self.memory.length, "a buffer of this ring");
        // SAFETY: the offset was checked to lie within the mapping.
        unsafe { self.memory.start.add(offset) }
    }

    fn give(&mut self, index: u16) {
        let address = self.address(index) as u64;
        let slot = usize::from(self.tail & (self.count - 1));
        // SAFETY: the slot is masked to the number of entries; the kernel reads an entry only once
        // the tail that `publish` stores has passed it.
        let entry = unsafe { &mut *self.entries.start.cast::<BufRingEntry>().add(slot) };
        entry.set_addr(address);
        entry.set_len(self.bytes);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
        self.lent -= 1;
    }

    fn publish(&mut self) {
        // SAFETY: the tail lies in the first entry of a live mapping and is shared with the kernel
        // as a 16-bit atomic.
        let tail = unsafe {
            AtomicU16::from_ptr(
                BufRingEntry::tail(self.entries.start.cast::<BufRingEntry>()).cast_mut(),
            )
        };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Anonymous memory, unmapped when dropped.
struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    fn new(length: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing else.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; nothing borrows it any more.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}
