//! What the driver asks of the kernel, as a trait: [`crate::ring::Uring`] asks the real one, the
//! fake of [`crate::ring::simulation`] plays one in tests. No policy lives here.

use std::{
    io,
    os::fd::{OwnedFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::base::{Address, Moment, WallTime};

/// Which operation a completion belongs to; travels through the kernel as `user_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// What was asked.
    pub kind: Kind,
    /// Whose slot it is.
    pub key: Key,
}

/// The place of a slot and how often that place was used before: an old key never matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The place; below 2^28.
    pub index: u32,
    /// Counts up each time the place is freed.
    pub generation: u32,
}

/// The kinds of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Multishot accept.
    Accept,
    /// Multishot receive into a buffer group.
    Receive,
    /// A send, plain or gathered.
    Send,
    /// A connect.
    Connect,
    /// The cancellation of another operation; its own result says nothing.
    Cancel,
    /// The close of a descriptor.
    Close,
    /// Multishot poll of the bell.
    Bell,
}

impl Token {
    /// Kind in the top 4 bits, then 28 bits of index, then 32 of generation.
    #[must_use]
    pub const fn pack(self) -> u64 {
        ((self.kind as u64) << 60) | ((self.key.index as u64) << 32) | self.key.generation as u64
    }

    /// The reverse of [`Token::pack`]; `None` for a number that it does not make.
    #[must_use]
    pub const fn unpack(word: u64) -> Option<Self> {
        let kind = match word >> 60 {
            0 => Kind::Accept,
            1 => Kind::Receive,
            2 => Kind::Send,
            3 => Kind::Connect,
            4 => Kind::Cancel,
            5 => Kind::Close,
            6 => Kind::Bell,
            _ => return None,
        };
        let index = ((word >> 32) & 0x0fff_ffff) as u32;
        let generation = (word & 0xffff_ffff) as u32;
        Some(Self { kind, key: Key { index, generation } })
    }
}

/// One operation for the submission queue.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Multishot: completes with a descriptor per connection.
    Accept {
        /// The listening socket.
        listener: RawFd,
    },
    /// Multishot: completes with bytes in a buffer of the group, 0 at the end of the stream.
    Receive {
        /// The connected socket.
        socket: RawFd,
        /// The buffer group to take buffers from.
        group: u16,
        /// Completes once only.
        once: bool,
    },
    /// Multishot, for a connection that receives nothing now: completes with poll(2)'s events,
    /// `POLLERR` or `POLLHUP` among them when it breaks.
    Watch {
        /// The connected socket.
        socket: RawFd,
    },
    /// Completes with the bytes sent.
    Send {
        /// The connected socket.
        socket: RawFd,
        /// The first byte.
        bytes: *const u8,
        /// How many.
        length: u32,
        /// Decided while it is submitted, without waiting for room in the socket; completes only
        /// when it was short or failed.
        quiet: bool,
    },
    /// As `Send`, for several ranges.
    SendGathered {
        /// The connected socket.
        socket: RawFd,
        /// Names the ranges.
        message: *const libc::msghdr,
        /// As for `Send`.
        quiet: bool,
    },
    /// Completes with 0 once connected.
    Connect {
        /// The socket.
        socket: RawFd,
        /// The peer's address.
        address: *const libc::sockaddr,
        /// The length of `address`.
        length: libc::socklen_t,
    },
    /// Ends the operation of this token, which then completes with `-ECANCELED` or what it had.
    Cancel {
        /// The operation to end.
        target: Token,
    },
    /// Closes a descriptor.
    Close {
        /// The descriptor.
        descriptor: RawFd,
    },
    /// Multishot: completes each time the eventfd is written.
    Bell {
        /// The eventfd.
        eventfd: RawFd,
    },
}

/// One entry of the completion queue.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    /// The operation.
    pub token: Token,
    /// A count or descriptor, or minus an errno.
    pub result: i32,
    /// The buffer that was filled.
    pub buffer: Option<u16>,
    /// A multishot operation goes on (`IORING_CQE_F_MORE`).
    pub more: bool,
}

/// How other threads wake a driver that waits in the kernel.
#[derive(Debug)]
pub struct Bell {
    rung: AtomicBool,
    eventfd: Option<std::fs::File>,
}

impl Bell {
    /// A bell that writes `eventfd` when rung; `None` for a kernel that never waits.
    #[must_use]
    pub const fn new(eventfd: Option<std::fs::File>) -> Self {
        Self { rung: AtomicBool::new(false), eventfd }
    }

    /// Wakes the driver. One system call for the first ring since the driver last heard it.
    pub fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(mut file) = self.eventfd.as_ref() {
            // The counter cannot be full: that takes 2^64 rings. A failed write would only delay
            // the message until the driver's next control tick.
            let _ = io::Write::write(&mut file, &1_u64.to_ne_bytes());
        }
    }

    /// Whether it was rung since the last call.
    pub fn take(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// The eventfd to watch.
    #[must_use]
    pub fn eventfd(&self) -> Option<RawFd> {
        use std::os::fd::AsRawFd;
        self.eventfd.as_ref().map(AsRawFd::as_raw_fd)
    }
}

/// Everything the driver asks of the kernel.
pub trait Kernel {
    /// The monotonic clock.
    fn now(&mut self) -> Moment;

    /// The wall clock.
    fn wall(&mut self) -> WallTime;

    /// Queues an operation for the next [`Kernel::enter`].
    ///
    /// # Safety
    /// What the operation points to must stay valid, and unchanged, until its completion; for a
    /// quiet send also until [`Kernel::has_submitted_all`].
    unsafe fn push(&mut self, token: Token, operation: Operation);

    /// Submits what is queued and waits for a completion, at most until `until` (`None`: without
    /// end).
    ///
    /// # Errors
    /// Only what no retry mends.
    fn enter(&mut self, until: Option<Moment>) -> io::Result<()>;

    /// After [`Kernel::enter`] and [`Kernel::drain`]: nothing that was queued before is left
    /// over, so quiet sends without a completion are done.
    fn has_submitted_all(&mut self) -> bool;

    /// Moves all completions out.
    fn drain(&mut self, into: &mut Vec<Completion>);

    /// Makes a buffer group of `entries` (a power of two) places.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn open_group(&mut self, group: u16, entries: u16) -> io::Result<()>;

    /// Gives one buffer to a group; the kernel sees it at the next [`Kernel::enter`].
    ///
    /// # Safety
    /// The memory must be the caller's alone and stay untouched until a completion names
    /// `buffer` or the kernel is dropped.
    unsafe fn provide(&mut self, group: u16, buffer: u16, bytes: *mut u8, length: u32);

    /// A listening socket, with TCP's `NODELAY` set (its connections inherit it), and its address.
    ///
    /// # Errors
    /// As bind(2) and listen(2).
    fn listen(&mut self, address: &Address, reuse_port: bool) -> io::Result<(RawFd, Address)>;

    /// An unconnected socket for this address, with TCP's `NODELAY` set.
    ///
    /// # Errors
    /// As socket(2).
    fn open_socket(&mut self, address: &Address) -> io::Result<RawFd>;

    /// Lets go of an accepted descriptor, for another ring. Not in a simulation: its descriptors
    /// are not the process's.
    fn let_go(&mut self, descriptor: RawFd) -> OwnedFd;

    /// The peer of a connected socket.
    ///
    /// # Errors
    /// As getpeername(2).
    fn peer_of(&mut self, socket: RawFd) -> io::Result<Address>;

    /// The own end of a connected socket.
    ///
    /// # Errors
    /// As getsockname(2).
    fn local_of(&mut self, socket: RawFd) -> io::Result<Address>;

    /// Sends FIN after what was sent.
    ///
    /// # Errors
    /// As shutdown(2).
    fn shutdown_send(&mut self, socket: RawFd) -> io::Result<()>;

    /// Takes one waiting connection without waiting; `None` when there is none. No accept may
    /// be armed on the listener.
    fn accept_now(&mut self, listener: RawFd) -> Option<RawFd>;

    /// Descriptors have run out: gives up the reserve descriptor, takes and closes one waiting
    /// connection so that its client knows, and takes a new reserve. Whether there was one.
    fn shed(&mut self, listener: RawFd) -> bool;

    /// Closes a descriptor at once: one that no operation uses.
    fn close(&mut self, descriptor: RawFd);

    /// The bell that wakes this kernel's wait.
    ///
    /// # Errors
    /// As eventfd(2).
    fn bell(&mut self) -> io::Result<Arc<Bell>>;
}

/// Whether an `errno` says that the process, or the machine, has no descriptor left.
#[must_use]
pub const fn is_out_of_descriptors(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_word() {
        for kind in [Kind::Accept, Kind::Send, Kind::Bell] {
            for (index, generation) in [(0, 0), ((1 << 28) - 1, u32::MAX), (7, 9)] {
                let token = Token { kind, key: Key { index, generation } };
                assert_eq!(Token::unpack(token.pack()), Some(token));
            }
        }
        assert_eq!(Token::unpack(u64::MAX), None);
    }
}
