//! TLS over a connection: handshakes by rustls, records in our own buffers.
//!
//! | file | what it is |
//! |---|---|
//! | `stream` | [`Tls`]: a connection's two ends of bytes |
//! | `handshake` | rustls, one whole record at a time |
//! | `session` | after the handshake: what came |
//! | `seal` | after the handshake: what goes |
//! | `record`, `alert` | the two layers below |
//!
//! Not here: certificates, names, policies ([`crate::tls`]).

mod alert;
mod handshake;
mod record;
mod seal;
mod session;
mod stream;
#[cfg(test)]
mod tests;

pub use alert::Alert;
pub use handshake::{HandshakeFault, Negotiated};
pub use session::End;

pub(super) use {handshake::Party, stream::Tls};
