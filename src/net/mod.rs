//! Listeners and streams over the ring: TCP and Unix sockets. [`Stream`] hides which, whether it
//! speaks TLS, and whether it is one HTTP/2 stream of many.

pub mod http2;
mod listener;
mod stream;
mod tcp;
mod tls;

pub use listener::Listener;
pub use stream::Stream;
pub use tls::{Alert, End, HandshakeFault, Negotiated};

pub use crate::ring::Outgoing;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unix_tests;
