//! One shard's connections to upstreams: a bounded LIFO pool for each, and checking out.
//!
//! Idle connections keep their receive armed, so a peer's close is known before reuse. What is
//! said on a connection (heads, bodies) is `gateway::forward`'s business.

mod pool;
mod shared;

pub use pool::{Checkout, CheckoutFault, Connection, Pool, Tally};
