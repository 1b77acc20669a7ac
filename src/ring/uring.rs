//! The real kernel: one io_uring per shard. What must be asked in which order is the driver's
//! business; how it is asked is here.

use std::{
    fs::File,
    io,
    mem::size_of,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use super::kernel::{Bell, Completion, Kernel, Operation, Token};
use crate::base::{Address, Moment, WallTime};

/// Submissions between two enters; more of them cost an enter in between.
const SUBMISSIONS: u32 = 1_024;
/// Completions that fit the ring; more go to a list inside the kernel and are not lost.
const COMPLETIONS: u32 = 8_192;
/// Connections that the kernel completes before the driver accepts them.
const BACKLOG: i32 = 4_096;

/// One io_uring, owned by the thread that made it.
pub struct Uring {
    // Dropped first: the kernel lets go of the rings before their memory is freed.
    ring: IoUring,
    groups: Vec<BufferRing>,
    /// Entries for which the submission queue had no room.
    backlog: Vec<squeue::Entry>,
    reserve: Option<File>,
}

/// The shared memory of one provided-buffer ring.
struct BufferRing {
    id: u16,
    entries: *mut types::BufRingEntry,
    mask: u16,
    tail: u16,
    dirty: bool,
}

impl Uring {
    /// A ring for this thread.
    ///
    /// # Errors
    /// As io_uring_setup(2); [`super::probe`] turns them into sentences.
    pub fn new() -> io::Result<Self> {
        let ring = open_own()?;
        Ok(Self { ring, groups: Vec::new(), backlog: Vec::new(), reserve: open_reserve() })
    }

    /// Whether a buffer group can be registered; for the probe, before any driver uses this ring.
    pub(super) fn try_group(&mut self) -> io::Result<()> {
        self.open_group(0, 8)
    }

    fn push_entry(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: whoever made the entry promised that its memory outlives the operation.
        unsafe { self.ring.submission().push(entry).is_ok() }
    }

    fn push_backlog(&mut self) {
        let mut pushed = 0;
        while pushed < self.backlog.len() {
            let entry = self.backlog[pushed].clone();
            if !self.push_entry(&entry) {
                break;
            }
            pushed += 1;
        }
        self.backlog.drain(..pushed);
    }

    fn wait_time(&mut self, until: Option<Moment>) -> types::Timespec {
        let wait = match until {
            Some(until) => until.since(self.now()),
            None => std::time::Duration::from_secs(3_600),
        };
        types::Timespec::from(wait)
    }
}

fn socket_for(address: &Address) -> io::Result<socket2::Socket> {
    let (domain, protocol) = match address {
        Address::Ip(address) => {
            (socket2::Domain::for_address(*address), Some(socket2::Protocol::TCP))
        }
        Address::Unix(_) | Address::Unnamed => (socket2::Domain::UNIX, None),
    };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, protocol)?;
    if matches!(address, Address::Ip(_)) {
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

/// An address as the kernel takes it.
pub(super) fn sockaddr_of(address: &Address) -> io::Result<socket2::SockAddr> {
    match address {
        Address::Ip(address) => Ok((*address).into()),
        Address::Unix(path) => socket2::SockAddr::unix(path),
        Address::Unnamed => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// An address as the kernel says it.
pub(super) fn address_of(address: &socket2::SockAddr) -> io::Result<Address> {
    if let Some(ip) = address.as_socket() {
        return Ok(Address::Ip(ip));
    }
    match (address.is_unix(), address.as_pathname()) {
        (true, Some(path)) => Ok(Address::Unix(path.into())),
        (true, None) => Ok(Address::Unnamed),
        (false, _) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// A ring with the flags that the kernel has, asking for the best first.
pub(super) fn open_own() -> io::Result<IoUring> {
    let builder = || {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all();
        builder.setup_cqsize(COMPLETIONS).dontfork();
        builder
    };
    match builder().setup_no_sqarray().build(SUBMISSIONS) {
        // Before 6.6 the kernel does not know NO_SQARRAY.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => builder().build(SUBMISSIONS),
        result => result,
    }
}

/// Since the first time that somebody asked: the same on all shards, which share a ledger.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
fn elapsed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

impl Kernel for Uring {
    fn now(&mut self) -> Moment {
        Moment(u64::try_from(elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wall(&mut self) -> WallTime {
        wall()
    }

    unsafe fn push(&mut self, token: Token, operation: Operation) {
        let entry = entry_of(operation).user_data(token.pack());
        if self.backlog.is_empty() && self.push_entry(&entry) {
            return;
        }
        // A failure to submit shows again, with its reason, in the next `enter`.
        let _ = self.ring.submit();
        self.backlog.push(entry);
        self.push_backlog();
    }

    fn enter(&mut self, until: Option<Moment>) -> io::Result<()> {
        for group in &mut self.groups {
            group.publish();
        }
        self.push_backlog();
        let time = self.wait_time(until);
        let arguments = types::SubmitArgs::new().timespec(&time);
        match self.ring.submitter().submit_with_args(1, &arguments) {
            Ok(_) => Ok(()),
            // Time, signals, and a completion queue to be drained first: all mended by a turn.
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    fn has_submitted_all(&mut self) -> bool {
        let queue = self.ring.submission();
        self.backlog.is_empty() && queue.is_empty() && !queue.cq_overflow()
    }

    fn drain(&mut self, into: &mut Vec<Completion>) {
        loop {
            into.extend(self.ring.completion().filter_map(|entry| completion_of(&entry)));
            if !self.ring.submission().cq_overflow() {
                return;
            }
            // The kernel kept completions aside: there is room for them now. Without an enter
            // that asks for events they would stay there.
            if self.ring.submit().is_err() {
                return;
            }
        }
    }

    fn open_group(&mut self, group: u16, entries: u16) -> io::Result<()> {
        let made = BufferRing::new(group, entries)?;
        // SAFETY: the memory is as large as `entries` say and is unmapped only after the ring.
        unsafe {
            let address = made.entries as u64;
            self.ring.submitter().register_buf_ring_with_flags(address, entries, group, 0)?;
        }
        self.groups.push(made);
        Ok(())
    }

    unsafe fn provide(&mut self, group: u16, buffer: u16, bytes: *mut u8, length: u32) {
        let ring = self.groups.iter_mut().find(|ring| ring.id == group);
        let ring = ring.expect("a group is opened before buffers are given to it");
        ring.put(buffer, bytes, length);
    }

    fn listen(&mut self, address: &Address, reuse_port: bool) -> io::Result<(RawFd, Address)> {
        let socket = socket_for(address)?;
        if let Address::Ip(address) = address {
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(reuse_port)?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
        }
        socket.bind(&sockaddr_of(address)?)?;
        socket.listen(BACKLOG)?;
        let bound = address_of(&socket.local_addr()?)?;
        Ok((socket.into_raw_fd(), bound))
    }

    fn open_socket(&mut self, address: &Address) -> io::Result<RawFd> {
        Ok(socket_for(address)?.into_raw_fd())
    }

    fn let_go(&mut self, descriptor: RawFd) -> OwnedFd {
        // SAFETY: the driver owns the descriptor and forgets it with this call.
        unsafe { OwnedFd::from_raw_fd(descriptor) }
    }

    fn peer_of(&mut self, socket: RawFd) -> io::Result<Address> {
        // SAFETY: the driver owns the descriptor and does not close it during this call.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        address_of(&socket2::SockRef::from(&socket).peer_addr()?)
    }

    fn local_of(&mut self, socket: RawFd) -> io::Result<Address> {
        // SAFETY: as in `peer_of`.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        address_of(&socket2::SockRef::from(&socket).local_addr()?)
    }

    fn shutdown_send(&mut self, socket: RawFd) -> io::Result<()> {
        // SAFETY: as in `peer_of`.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        socket2::SockRef::from(&socket).shutdown(std::net::Shutdown::Write)
    }

    fn accept_now(&mut self, listener: RawFd) -> Option<RawFd> {
        // SAFETY: as in `peer_of`.
        let borrowed = unsafe { BorrowedFd::borrow_raw(listener) };
        let socket = socket2::SockRef::from(&borrowed);
        // The ring needs a blocking listener (a non-blocking one would not arm), so only now.
        socket.set_nonblocking(true).ok()?;
        let taken = socket.accept();
        socket.set_nonblocking(false).ok()?;
        taken.ok().map(|(connection, _)| connection.into_raw_fd())
    }

    fn shed(&mut self, listener: RawFd) -> bool {
        self.reserve = None;
        let connection = self.accept_now(listener);
        let is_there = connection.is_some();
        if let Some(connection) = connection {
            self.close(connection);
        }
        self.reserve = open_reserve();
        is_there
    }

    fn close(&mut self, descriptor: RawFd) {
        // SAFETY: the driver owns the descriptor and forgets it with this call.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }

    fn bell(&mut self) -> io::Result<Arc<Bell>> {
        // SAFETY: eventfd touches no memory of ours.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let file = unsafe { File::from_raw_fd(descriptor) };
        Ok(Arc::new(Bell::new(Some(file))))
    }
}

fn entry_of(operation: Operation) -> squeue::Entry {
    match operation {
        Operation::Accept { listener } => {
            opcode::AcceptMulti::new(types::Fd(listener)).flags(libc::SOCK_CLOEXEC).build()
        }
        Operation::Receive { socket, group, once: true } => {
            // The length is the buffer's.
            opcode::Recv::new(types::Fd(socket), ptr::null_mut(), 0)
                .buf_group(group)
                .build()
                .flags(squeue::Flags::BUFFER_SELECT)
        }
        Operation::Receive { socket, group, once: false } => {
            opcode::RecvMulti::new(types::Fd(socket), group).build()
        }
        // POLLERR and POLLHUP need not be asked for. POLLRDHUP neither, and it is there: a single
        // poll would end at once.
        Operation::Watch { socket } => {
            opcode::PollAdd::new(types::Fd(socket), 0).multi(true).build()
        }
        Operation::Send { socket, bytes, length, quiet } => {
            let (message, entry) = send_flags(quiet);
            let send = opcode::Send::new(types::Fd(socket), bytes, length);
            send.flags(message).build().flags(entry)
        }
        Operation::SendGathered { socket, message, quiet } => {
            let (flags, entry) = send_flags(quiet);
            let send = opcode::SendMsg::new(types::Fd(socket), message);
            send.flags(flags.cast_unsigned()).build().flags(entry)
        }
        Operation::Connect { socket, address, length } => {
            opcode::Connect::new(types::Fd(socket), address, length).build()
        }
        Operation::Cancel { target } => {
            opcode::AsyncCancel::new(target.pack()).build().flags(squeue::Flags::SKIP_SUCCESS)
        }
        Operation::Close { descriptor } => opcode::Close::new(types::Fd(descriptor)).build(),
        Operation::Bell { eventfd } => {
            let events = u32::from(libc::POLLIN.cast_unsigned());
            opcode::PollAdd::new(types::Fd(eventfd), events).multi(true).build()
        }
    }
}

/// `MSG_WAITALL` makes the kernel count a short send as a failure, so that a quiet one tells it,
/// and continue a waiting one by itself.
const fn send_flags(quiet: bool) -> (i32, squeue::Flags) {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
    if quiet {
        (flags | libc::MSG_DONTWAIT, squeue::Flags::SKIP_SUCCESS)
    } else {
        (flags, squeue::Flags::empty())
    }
}

fn completion_of(entry: &cqueue::Entry) -> Option<Completion> {
    Some(Completion {
        token: Token::unpack(entry.user_data())?,
        result: entry.result(),
        buffer: cqueue::buffer_select(entry.flags()),
        more: cqueue::more(entry.flags()),
    })
}

impl BufferRing {
    fn new(id: u16, entries: u16) -> io::Result<Self> {
        assert!(entries.is_power_of_two() && entries <= 1 << 15);
        let bytes = usize::from(entries) * size_of::<types::BufRingEntry>();
        // SAFETY: a new private mapping; nothing else is touched.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { id, entries: memory.cast(), mask: entries - 1, tail: 0, dirty: false })
    }

    fn put(&mut self, buffer: u16, bytes: *mut u8, length: u32) {
        // SAFETY: the index is masked, so inside the mapping. The kernel reads an entry only
        // once `publish` has moved the tail past it, and more buffers than entries are never
        // given (the driver has one per id).
        let entry = unsafe { &mut *self.entries.add(usize::from(self.tail & self.mask)) };
        entry.set_addr(bytes as u64);
        entry.set_len(length);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        self.dirty = true;
    }

    fn publish(&mut self) {
        if !self.dirty {
            return;
        }
        self.dirty = false;
        // SAFETY: the tail lies inside the mapping, is aligned, and is only written here; the
        // kernel reads it with acquire order.
        let tail = unsafe {
            AtomicU16::from_ptr(types::BufRingEntry::tail(self.entries.cast_const()).cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        let entries = usize::from(self.mask) + 1;
        let bytes = entries * size_of::<types::BufRingEntry>();
        // SAFETY: the mapping was made in `new` with this length; the ring is closed already.
        unsafe { libc::munmap(self.entries.cast(), bytes) };
    }
}

impl AsRawFd for Uring {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}
