//! Where a head is written to: how the steps say what to send without knowing the wire.
//!
//! A codec implements it (`wire::http1` over a `Vec<u8>`); tests collect what was said. Framing
//! fields (`content-length`, `transfer-encoding`, `connection`) are the forwarder's: the steps
//! never write them, except `connection: upgrade` for an upgrade that was accepted.

use super::{Method, Status};

/// A head being written: first its start line, then its fields in order.
pub trait HeadSink {
    /// The start line of a request. `target` is in origin form, checked: nothing in it can end
    /// the line.
    fn request_line(&mut self, method: Method, target: &[u8]);

    /// The start line of an answer.
    fn status_line(&mut self, status: Status);

    /// One field. The value's pieces follow each other with nothing between them; neither name
    /// nor value holds CR, LF or NUL.
    fn field(&mut self, name: &[u8], value: &[&[u8]]);
}
