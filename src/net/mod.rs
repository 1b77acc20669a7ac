//! Listeners and streams over the ring: plain TCP now, TLS later, so `Stream` hides which.

mod listener;
mod stream;

pub use listener::Listener;
pub use stream::Stream;

pub use crate::ring::Outgoing;

#[cfg(test)]
mod tests;
