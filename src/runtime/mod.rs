//! Executors pinned to cores: tasks, clock, sleep, and mailboxes between shards.
//!
//! [`start`] runs a shard's main future on a thread with its own glommio executor and its own
//! [`crate::ring::Driver`]; [`simulate`] runs the same code on a kernel in virtual time. No
//! other part of the crate names glommio.

mod executor;
mod mailbox;
mod seats;
mod simulate;
mod waiters;

pub use executor::{ExecutorSpec, JoinHandle, Runtime, start};
pub use mailbox::{Full, Mailbox, Sender, mailbox};
pub use simulate::simulate;
pub use waiters::{News, Waiters};

pub use crate::ring::prefetch;
