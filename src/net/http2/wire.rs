//! The connection's stream under h2: bytes in as they come, frames out gathered into few sends.

use std::{
    io::{self, IoSlice},
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Link;
use crate::{
    base::{Buffer, limits},
    net::Outgoing,
    ring::Sleep,
};

/// What h2 reads from and writes to.
pub(super) struct Wire {
    link: Rc<Link>,
    pending: Buffer,
    out: Outgoing,
    /// Runs while the socket takes nothing.
    patience: Option<Sleep>,
}

impl Wire {
    /// `pending` was received already.
    pub(super) fn new(link: Rc<Link>, pending: Buffer) -> Self {
        link.received(&pending);
        Self { link, pending, out: Outgoing::default(), patience: None }
    }

    /// Hands what was gathered to the socket once it takes more.
    fn poll_push(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Poll::Ready(sent) = self.link.stream.poll_sent(cx) else {
            let runtime = &self.link.runtime;
            let patience = self.patience.get_or_insert_with(|| runtime.sleep(limits::SEND_WAIT));
            ready!(Pin::new(patience).poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        self.patience = None;
        sent?;
        self.link.stream.start_send(mem::take(&mut self.out));
        Poll::Ready(Ok(()))
    }

    /// Room for more frames, after a send where there was none.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.out.text.len() >= limits::HTTP2_GATHERED_BYTES_MAX {
            ready!(self.poll_push(cx))?;
        }
        if self.out.text.capacity() == 0 {
            self.out = self.link.runtime.outgoing();
        }
        Poll::Ready(Ok(limits::HTTP2_GATHERED_BYTES_MAX - self.out.text.len()))
    }

    fn gather(&mut self, bytes: &[u8]) {
        self.link.sent(bytes);
        self.out.text.extend_from_slice(bytes);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.link.flood.get().is_some() {
            // Nothing more is heard from this peer; who polls the connection ends it now.
            return Poll::Pending;
        }
        if self.pending.is_empty() {
            match ready!(self.link.stream.poll_receive(cx)) {
                Ok(Some(bytes)) => {
                    self.link.received(&bytes);
                    self.pending = bytes;
                }
                Ok(None) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.link.expired.set(true);
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        let count = self.pending.len().min(into.remaining());
        into.put_slice(&self.pending[..count]);
        self.pending.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.poll_room(cx))?.min(bytes.len());
        self.gather(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(cx))?;
        let mut taken = 0;
        for slice in slices {
            let count = slice.len().min(room - taken);
            self.gather(&slice[..count]);
            taken += count;
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_push(cx)
    }

    /// The FIN is the connection's owner's to send, which also takes what the peer still sends.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
