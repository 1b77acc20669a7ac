//! A connection that speaks TLS, with the methods of [`crate::net::Stream`].

use std::{
    cell::{Cell, OnceCell, RefCell},
    io,
    task::{Context, Poll, ready},
};

use super::{
    alert::Alert,
    handshake::{self, HandshakeFault, Negotiated, Party},
    session::{End, Session},
};
use crate::{base::Buffer, net::tcp::Tcp, ring::Outgoing};

/// A connection under TLS. Before the handshake is over nothing can be received or sent.
pub(in crate::net) struct Tls {
    pub(in crate::net) tcp: Tcp,
    /// What the handshake begins with; `None` once it has begun.
    party: Cell<Option<Party>>,
    /// `None` until the handshake is over.
    session: RefCell<Option<Session>>,
    negotiated: OnceCell<Negotiated>,
    /// The end is not to look like one: see [`Tls::omit_farewell`].
    abrupt: Cell<bool>,
}

impl Tls {
    pub(in crate::net) const fn new(tcp: Tcp, party: Party) -> Self {
        Self {
            tcp,
            party: Cell::new(Some(party)),
            session: RefCell::new(None),
            negotiated: OnceCell::new(),
            abrupt: Cell::new(false),
        }
    }

    /// Runs the handshake, the first time.
    pub(in crate::net) async fn handshake(&self) -> Result<(), HandshakeFault> {
        let Some(party) = self.party.take() else { return Ok(()) };
        // It is large and short: most connections are idle.
        let (session, negotiated) = Box::pin(handshake::run(&self.tcp, party)).await?;
        let _first = self.negotiated.set(negotiated);
        self.session.replace(Some(session));
        Ok(())
    }

    pub(in crate::net) fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.get()
    }

    /// Why nothing more is received; `None` as long as more may come.
    pub(in crate::net) fn end(&self) -> Option<End> {
        self.session.borrow().as_ref().and_then(|session| session.end)
    }

    pub(in crate::net) fn poll_receive(
        &self,
        context: &Context<'_>,
    ) -> Poll<io::Result<Option<Buffer>>> {
        let mut place = self.session.borrow_mut();
        let Some(session) = &mut *place else { return Poll::Ready(Err(unready())) };
        loop {
            if let Some(plain) = session.take() {
                return Poll::Ready(Ok(Some(plain)));
            }
            if let Some(end) = session.end {
                return Poll::Ready(end.outcome());
            }
            match ready!(self.tcp.poll_receive(context))? {
                Some(block) => self.open(session, block),
                None => session.end = Some(End::Cut),
            }
        }
    }

    fn open(&self, session: &mut Session, block: Buffer) {
        session.receive(block, self.tcp.joints());
        if session.take_urgency() && self.tcp.may_send() {
            let mut out = self.tcp.outgoing();
            session.flush(&mut out);
            self.tcp.start_send(out);
        }
    }

    pub(in crate::net) fn start_send(&self, plain: Outgoing) {
        let mut place = self.session.borrow_mut();
        let Some(session) = &mut *place else { return };
        let mut out = self.tcp.outgoing();
        let sealed = session.seal(&plain, &mut out, self.tcp.large_shelf(), self.tcp.now());
        drop(place);
        self.tcp.keep_outgoing(plain);
        if sealed {
            self.tcp.start_send(out);
        } else {
            self.tcp.keep_outgoing(out);
        }
    }

    pub(in crate::net) fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match &*self.session.borrow() {
            Some(session) if !session.is_broken() => self.tcp.poll_sent(context),
            Some(_) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            None => Poll::Ready(Err(unready())),
        }
    }

    pub(in crate::net) fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        if self.end().is_some_and(End::is_failure) {
            return Poll::Ready(());
        }
        self.tcp.poll_failure(context)
    }

    /// What came meanwhile is looked at: tickets and new keys are nothing unasked.
    pub(in crate::net) fn is_reusable(&self) -> bool {
        let mut place = self.session.borrow_mut();
        let Some(session) = &mut *place else { return false };
        while session.is_quiet()
            && let Some(block) = self.tcp.take_received()
        {
            self.open(session, block);
        }
        session.is_quiet() && self.tcp.is_reusable()
    }

    pub(in crate::net) fn shutdown_send(&self) {
        self.say_farewell();
        self.tcp.shutdown_send();
    }

    /// The end is to look like a cut: what was sent is not all that was to be sent.
    pub(in crate::net) fn omit_farewell(&self) {
        self.abrupt.set(true);
    }

    /// Sends `close_notify`, once, and what else waits, unless an earlier send still does: a peer
    /// that takes nothing is not waited for.
    fn say_farewell(&self) {
        let mut place = self.session.borrow_mut();
        let Some(session) = &mut *place else { return };
        if self.abrupt.get() || !self.tcp.may_send() {
            return;
        }
        session.close(Alert::CLOSE_NOTIFY);
        if session.waiting.is_empty() {
            return;
        }
        let mut out = self.tcp.outgoing();
        session.flush(&mut out);
        drop(place);
        self.tcp.start_send(out);
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.say_farewell();
    }
}

impl End {
    /// What the reader gets.
    fn outcome(self) -> io::Result<Option<Buffer>> {
        match self {
            Self::Closed => Ok(None),
            Self::Cut => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Unsound(_) => Err(io::ErrorKind::InvalidData.into()),
            Self::Alerted(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            Self::Crowded => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    pub(super) const fn is_failure(self) -> bool {
        matches!(self, Self::Unsound(_) | Self::Alerted(_) | Self::Crowded)
    }
}

fn unready() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
