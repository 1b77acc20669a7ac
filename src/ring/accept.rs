//! Listeners: a multishot accept each, a short queue of accepted connections, and patience when
//! descriptors run out.

use std::{
    collections::VecDeque,
    io,
    os::fd::{IntoRawFd, OwnedFd, RawFd},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{
    driver::{Alarm, Driver, State},
    kernel::{Completion, Kernel, Key, Kind, Operation, Token, is_out_of_descriptors},
    socket::Socket,
    uring::address_of,
    wheel::TimerId,
};
use crate::base::{
    Address,
    limits::{ACCEPT_QUEUE_MAX, ACCEPT_RETRY_WAIT},
};

/// A listening socket. Dropping it stops it.
pub struct Listener {
    driver: Rc<Driver>,
    key: Key,
    address: Address,
}

pub(super) struct ListenerSlot {
    descriptor: RawFd,
    accepted: VecDeque<RawFd>,
    waker: Option<Waker>,
    accept: Accept,
    open: bool,
    /// The handle is gone: the slot goes with the last completion.
    abandoned: bool,
    retry: Option<TimerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accept {
    Idle,
    Armed,
    Ending,
}

impl Driver {
    /// Listens on `address`; with `reuse_port` next to others that do so too.
    ///
    /// # Errors
    /// As bind(2) and listen(2).
    pub fn listen(self: &Rc<Self>, address: &Address, reuse_port: bool) -> io::Result<Listener> {
        let made = self.with(|state| state.listen(address, reuse_port));
        let (key, address) = made.unwrap_or_else(|| Err(stopped()))?;
        Ok(Listener { driver: Rc::clone(self), key, address })
    }
}

impl Driver {
    /// Accepts on a socket that listens already; TCP's `NODELAY` should be set on it.
    ///
    /// # Errors
    /// When it has no address, or there are too many listeners.
    pub fn adopt(self: &Rc<Self>, socket: OwnedFd) -> io::Result<Listener> {
        let known = socket2::SockRef::from(&socket);
        let address = address_of(&known.local_addr()?)?;
        // The ring does not wait on a non-blocking listener: it would spin.
        known.set_nonblocking(false)?;
        let made = self.with(|state| state.adopt_listener(socket.into_raw_fd()));
        let key = made.unwrap_or_else(|| Err(stopped()))?;
        Ok(Listener { driver: Rc::clone(self), key, address })
    }

    /// A connection that another driver has accepted ([`Listener::poll_accept_for_others`]).
    ///
    /// # Errors
    /// As getpeername(2), or `QuotaExceeded` when the shard has as many sockets as it may.
    pub fn take_in(self: &Rc<Self>, connection: OwnedFd) -> io::Result<Socket> {
        let descriptor = connection.into_raw_fd();
        let taken = self.with(|state| state.take_in(descriptor));
        let (key, peer) = taken.unwrap_or_else(|| Err(stopped()))?;
        Ok(Socket::new(Rc::clone(self), key, peer))
    }
}

impl Listener {
    /// The address that it is bound to, with the port that the kernel chose for port 0.
    #[must_use]
    pub const fn local_addr(&self) -> &Address {
        &self.address
    }

    /// The next connection, ready to receive.
    ///
    /// # Errors
    /// `NotConnected` after [`Listener::stop`], once all accepted connections were handed out.
    /// Running out of descriptors is not an error: it waits.
    pub fn poll_accept(&self, context: &Context<'_>) -> Poll<io::Result<Socket>> {
        loop {
            let descriptor = std::task::ready!(self.poll_next(context))?;
            // A connection that was reset meanwhile has no peer: not worth a word.
            let taken = self.driver.with(|state| state.take_in(descriptor));
            if let Some(Ok((key, peer))) = taken {
                return Poll::Ready(Ok(Socket::new(Rc::clone(&self.driver), key, peer)));
            }
        }
    }

    /// The next connection, for any driver to take in ([`Driver::take_in`]).
    ///
    /// # Errors
    /// As [`Listener::poll_accept`].
    pub fn poll_accept_for_others(&self, context: &Context<'_>) -> Poll<io::Result<OwnedFd>> {
        let descriptor = std::task::ready!(self.poll_next(context))?;
        let connection = self.driver.with(|state| state.kernel.let_go(descriptor));
        Poll::Ready(connection.ok_or_else(stopped))
    }

    fn poll_next(&self, context: &Context<'_>) -> Poll<io::Result<RawFd>> {
        match self.driver.with(|state| state.poll_accept(self.key, context.waker())) {
            None | Some(Accepted::Stopped) => Poll::Ready(Err(stopped())),
            Some(Accepted::Nothing(before)) => {
                drop(before);
                Poll::Pending
            }
            Some(Accepted::Connection(descriptor)) => Poll::Ready(Ok(descriptor)),
        }
    }

    /// Accepts no more. What the kernel accepted before is still handed out.
    pub fn stop(&self) {
        if let Some(Some(waker)) = self.driver.with(|state| state.stop_listening(self.key)) {
            waker.wake();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waker = self.driver.with(|state| state.abandon_listener(self.key));
        drop(waker);
    }
}

pub(super) fn stopped() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

enum Accepted {
    Connection(RawFd),
    /// The waker that was registered before, to be dropped after the borrow.
    Nothing(Option<Waker>),
    Stopped,
}

impl State {
    fn listen(&mut self, address: &Address, reuse_port: bool) -> io::Result<(Key, Address)> {
        let (descriptor, address) = self.kernel.listen(address, reuse_port)?;
        Ok((self.adopt_listener(descriptor)?, address))
    }

    fn adopt_listener(&mut self, descriptor: RawFd) -> io::Result<Key> {
        let slot = ListenerSlot {
            descriptor,
            accepted: VecDeque::new(),
            waker: None,
            accept: Accept::Idle,
            open: true,
            abandoned: false,
            retry: None,
        };
        let Ok(key) = self.listeners.insert(slot) else {
            self.kernel.close(descriptor);
            return Err(io::Error::other("too many listeners"));
        };
        self.arm_accept(key);
        Ok(key)
    }

    fn poll_accept(&mut self, key: Key, waker: &Waker) -> Accepted {
        let Some(slot) = self.listeners.find(key) else { return Accepted::Stopped };
        let Some(descriptor) = slot.accepted.pop_front() else {
            if !slot.open && slot.accept == Accept::Idle {
                return Accepted::Stopped;
            }
            return Accepted::Nothing(slot.waker.replace(waker.clone()));
        };
        self.arm_accept(key);
        Accepted::Connection(descriptor)
    }

    /// A slot for an accepted descriptor, and its peer.
    fn take_in(&mut self, descriptor: RawFd) -> io::Result<(Key, Address)> {
        let peer = self.kernel.peer_of(descriptor);
        let taken = peer.and_then(|peer| match self.adopt(descriptor) {
            Some(key) => Ok((key, peer)),
            None => {
                self.counts.turned_away += 1;
                Err(io::ErrorKind::QuotaExceeded.into())
            }
        });
        if taken.is_err() {
            self.kernel.close(descriptor);
        }
        taken
    }

    pub(super) fn accepted(&mut self, completion: Completion) -> bool {
        let key = completion.token.key;
        let Some(slot) = self.listeners.find(key) else { return false };
        if !completion.more {
            slot.accept = Accept::Idle;
        }
        match completion.result {
            descriptor if descriptor >= 0 => {
                slot.accepted.push_back(descriptor);
                if slot.accepted.len() >= ACCEPT_QUEUE_MAX {
                    self.end_accept(key);
                }
            }
            error => self.accept_failed(key, -error),
        }
        let Some(slot) = self.listeners.find(key) else { return true };
        self.wakes.extend(slot.waker.take());
        if slot.open {
            self.arm_accept(key);
        } else if slot.accept == Accept::Idle {
            self.close_listener(key);
        }
        true
    }

    fn accept_failed(&mut self, key: Key, error: i32) {
        let Some(slot) = self.listeners.find(key) else { return };
        let passes = [libc::ECANCELED, libc::ECONNABORTED, libc::EINTR, libc::EAGAIN, libc::EPROTO];
        if passes.contains(&error) || !slot.open || slot.accept != Accept::Idle {
            return;
        }
        // Out of descriptors or memory; or something new, which must not make us spin.
        if slot.retry.is_none() {
            let timer = self.wheel.insert(self.now + ACCEPT_RETRY_WAIT, Alarm::Listener(key));
            slot.retry = Some(timer);
            self.counts.accept_pauses += 1;
        }
        if is_out_of_descriptors(error) {
            let turned_away = self.kernel.shed(slot.descriptor);
            self.counts.turned_away += u64::from(turned_away);
        }
    }

    pub(super) fn listener_alarm(&mut self, key: Key) {
        let Some(slot) = self.listeners.find(key) else { return };
        slot.retry = None;
        self.arm_accept(key);
    }

    fn arm_accept(&mut self, key: Key) {
        let Some(slot) = self.listeners.find(key) else { return };
        let room = slot.accepted.len() < ACCEPT_QUEUE_MAX / 2;
        if slot.open && slot.accept == Accept::Idle && slot.retry.is_none() && room {
            slot.accept = Accept::Armed;
            let token = Token { kind: Kind::Accept, key };
            let listener = slot.descriptor;
            // SAFETY: the operation points to no memory.
            unsafe { self.kernel.push(token, Operation::Accept { listener }) };
        }
    }

    fn end_accept(&mut self, key: Key) {
        let Some(slot) = self.listeners.find(key) else { return };
        if slot.accept == Accept::Armed {
            slot.accept = Accept::Ending;
            let target = Token { kind: Kind::Accept, key };
            let token = Token { kind: Kind::Cancel, key };
            // SAFETY: the operation points to no memory.
            unsafe { self.kernel.push(token, Operation::Cancel { target }) };
        }
    }

    /// Who waited for a connection, to be woken after the borrow.
    pub(super) fn stop_listening(&mut self, key: Key) -> Option<Waker> {
        let slot = self.listeners.find(key)?;
        if !slot.open {
            return None;
        }
        slot.open = false;
        if let Some(timer) = slot.retry.take() {
            self.wheel.remove(timer);
        }
        let waker = slot.waker.take();
        if slot.accept == Accept::Idle {
            self.close_listener(key);
        } else {
            self.end_accept(key);
        }
        waker
    }

    /// The accept has ended: takes what waits in the kernel's queue (its clients believe to be
    /// connected), then closes.
    fn close_listener(&mut self, key: Key) {
        let Some(slot) = self.listeners.find(key) else { return };
        if slot.descriptor < 0 {
            return;
        }
        while slot.accepted.len() < 2 * ACCEPT_QUEUE_MAX && !slot.abandoned {
            let Some(connection) = self.kernel.accept_now(slot.descriptor) else { break };
            slot.accepted.push_back(connection);
        }
        self.kernel.close(slot.descriptor);
        slot.descriptor = -1;
        if slot.abandoned {
            self.drop_listener(key);
        }
    }

    fn abandon_listener(&mut self, key: Key) -> Option<Waker> {
        self.listeners.find(key)?.abandoned = true;
        let waker = self.stop_listening(key);
        if self.listeners.find(key).is_some_and(|slot| slot.descriptor < 0) {
            self.drop_listener(key);
        }
        waker
    }

    fn drop_listener(&mut self, key: Key) {
        if let Some(slot) = self.listeners.remove(key) {
            slot.close(&mut *self.kernel);
        }
    }

    /// Listeners whose descriptor is still open.
    pub(super) fn open_listeners(&mut self) -> usize {
        let keys = self.listeners.keys();
        let open = |key: &Key| self.listeners.find(*key).is_some_and(|slot| slot.descriptor >= 0);
        keys.iter().copied().filter(open).count()
    }
}

impl ListenerSlot {
    /// Closes all that it holds.
    pub(super) fn close(self, kernel: &mut dyn Kernel) {
        for connection in self.accepted {
            kernel.close(connection);
        }
        if self.descriptor >= 0 {
            kernel.close(self.descriptor);
        }
    }
}
