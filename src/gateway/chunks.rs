//! Pieces of a body into one send, with chunked framing put on where the next hop needs it.

use std::task::{Context, Poll};

use super::body::{BodyFault, Incoming};
use crate::{
    base::{Buffer, limits},
    net::{Outgoing, Stream},
    wire::http1::{CHUNK_END, LAST_CHUNK, write_chunk_head, write_last_chunk},
};

/// A send's text may grow to this by pieces that are copied behind the head: cheaper than having
/// the kernel gather them. A piece that does not fit travels in its own buffer.
const PLAIN_TEXT_BYTES_MAX: usize = 6 * 1_024;
/// The same in chunks, where a piece in its own buffer ends the send.
const CHUNKS_TEXT_BYTES_MAX: usize = 15 * 1_024;
/// One send gathers at most this much, when nothing says less.
pub(super) const GATHERED_BYTES_MAX: usize = 4 * limits::LARGE_BLOCK_BYTES;

/// How a body is framed on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reframe {
    /// The head told the length, or the close will.
    Plain,
    /// In chunks.
    Chunks,
    /// In chunks; the last one sent still lacks its line end.
    ChunkOpen,
}

impl Reframe {
    /// Adds what was collected of the body already.
    pub(super) fn begin(self, begun: &[u8], out: &mut Outgoing) {
        if self == Self::Plain || begun.is_empty() {
            out.text.extend_from_slice(begun);
            return;
        }
        write_chunk_head(&mut out.text, begun.len());
        out.text.extend_from_slice(begun);
        out.text.extend_from_slice(CHUNK_END);
    }

    /// Adds the pieces that are here to `out`, up to about `most` bytes, waiting only while there
    /// is nothing to send at all. Says whether the body ended; then the last chunk and the trailers
    /// are in `out` too.
    pub(super) fn poll_fill(
        &mut self,
        body: &mut Incoming,
        from: &Stream,
        most: usize,
        out: &mut Outgoing,
        cx: &Context<'_>,
    ) -> Poll<Result<bool, BodyFault>> {
        let mut gathered = 0;
        // Pieces of a stream of HTTP/2 are no blocks of a shelf, which bounds the others.
        let most = if from.marks_ends() { most.min(limits::LARGE_BLOCK_BYTES) } else { most };
        loop {
            // A chunk in a buffer of its own is the last of its send: its line end must follow,
            // also where the body ends with it, as one does whose last piece was held back.
            if *self == Self::ChunkOpen && !out.pieces.is_empty() {
                return Poll::Ready(Ok(false));
            }
            if body.is_done() {
                self.end(body, out);
                return Poll::Ready(Ok(true));
            }
            if out.pieces.len() >= limits::SEND_PIECES_MAX || gathered >= most {
                return Poll::Ready(Ok(false));
            }
            match body.poll_next(from, cx) {
                Poll::Ready(Ok(Some(piece))) => {
                    gathered += piece.len();
                    self.add(piece, out);
                }
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(fault)) if gathered == 0 => return Poll::Ready(Err(fault)),
                // A head in `out` does not wait for its body: it may be long in coming.
                Poll::Pending if out.is_empty() => return Poll::Pending,
                // What came before a fault is sent first; the fault shows again at the next call.
                Poll::Ready(Err(_)) | Poll::Pending => return Poll::Ready(Ok(false)),
            }
        }
    }

    fn add(&mut self, piece: Buffer, out: &mut Outgoing) {
        if *self == Self::Plain {
            let fits = out.text.len() + piece.len() <= PLAIN_TEXT_BYTES_MAX;
            if out.pieces.is_empty() && fits {
                out.text.extend_from_slice(&piece);
            } else {
                out.pieces.push(piece);
            }
            return;
        }
        if *self == Self::ChunkOpen {
            out.text.extend_from_slice(CHUNK_END);
        }
        write_chunk_head(&mut out.text, piece.len());
        if out.text.len() + piece.len() <= CHUNKS_TEXT_BYTES_MAX {
            out.text.extend_from_slice(&piece);
            out.text.extend_from_slice(CHUNK_END);
            *self = Self::Chunks;
        } else {
            out.pieces.push(piece);
            *self = Self::ChunkOpen;
        }
    }

    fn end(self, body: &Incoming, out: &mut Outgoing) {
        if self == Self::Plain {
            return;
        }
        if self == Self::ChunkOpen {
            out.text.extend_from_slice(CHUNK_END);
        }
        match body.trailers() {
            Some(trailers) => write_last_chunk(&mut out.text, trailers),
            None => out.text.extend_from_slice(LAST_CHUNK),
        }
    }
}
