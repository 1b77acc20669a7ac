//! Pieces of a body into one send, with chunked framing put on where the next hop needs it.

use std::task::{Context, Poll};

use super::body::{BodyFault, Incoming};
use crate::{
    base::{Buffer, limits},
    net::{Outgoing, Stream},
    wire::http1,
};

/// Pieces up to this size are copied behind the head; a larger one travels in its own buffer.
const COPIED_BYTES_MAX: usize = 4_096;
/// One send gathers at most this much.
const GATHERED_BYTES_MAX: usize = 4 * limits::LARGE_BLOCK_BYTES;

/// Adds the pieces that are here to `out`, waiting only while there is none. Says whether the body
/// ended; then the last chunk and the trailers are in `out` too.
pub(super) fn poll_fill(
    body: &mut Incoming,
    from: &Stream,
    chunked: bool,
    out: &mut Outgoing,
    cx: &mut Context<'_>,
) -> Poll<Result<bool, BodyFault>> {
    let mut gathered = 0;
    loop {
        if body.is_done() {
            end(body, chunked, out);
            return Poll::Ready(Ok(true));
        }
        // A large piece is the last of its send when chunked: its line end must follow it.
        let full = out.pieces.len() >= limits::SEND_PIECES_MAX
            || gathered >= GATHERED_BYTES_MAX
            || (chunked && !out.pieces.is_empty());
        if full {
            return Poll::Ready(Ok(false));
        }
        match body.poll_next(from, cx) {
            Poll::Ready(Ok(Some(piece))) => {
                gathered += piece.len();
                add(piece, chunked, out);
            }
            Poll::Ready(Ok(None)) => {}
            Poll::Ready(Err(fault)) if gathered == 0 => return Poll::Ready(Err(fault)),
            // What came before the fault is sent first; the fault shows again at the next call.
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(false)),
            Poll::Pending if gathered == 0 => return Poll::Pending,
            Poll::Pending => return Poll::Ready(Ok(false)),
        }
    }
}

fn add(piece: Buffer, chunked: bool, out: &mut Outgoing) {
    if chunked {
        http1::write_chunk_head(&mut out.text, piece.len());
    }
    if piece.len() <= COPIED_BYTES_MAX && out.pieces.is_empty() {
        out.text.extend_from_slice(&piece);
        if chunked {
            out.text.extend_from_slice(b"\r\n");
        }
    } else {
        out.pieces.push(piece);
    }
}
