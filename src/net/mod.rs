//! Listeners and streams over the ring: TCP, or one HTTP/2 stream of many; `Stream` hides which.

pub mod http2;
mod listener;
mod stream;

pub use listener::Listener;
pub use stream::Stream;

pub use crate::ring::Outgoing;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
