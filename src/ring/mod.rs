//! The io_uring driver: how a shard talks to the kernel. The only folder with `unsafe`.
//!
//! | file | what it is |
//! |---|---|
//! | `driver` | [`Driver`]: one shard's ring, and its heartbeat |
//! | `socket`, `receive`, `send` | connected sockets |
//! | `accept` | listeners |
//! | `sleep`, `wheel` | timers |
//! | `buffers`, `slab` | the blocks that the kernel fills, the slots of everything |
//! | `kernel`, `uring` | what is asked of the kernel, and the real one |
//! | `probe` | whether this machine can run it, in sentences |
//! | `inherited` | sockets that systemd passes on |
//! | `prefetch` | a hint to the processor: it stands here for its `unsafe` |
//! | `simulation` | a kernel in virtual time, for tests |
//!
//! It knows no executor (`runtime/` runs the tasks that it wakes) and no protocol.
#![expect(unsafe_code, reason = "the one folder that talks to the kernel through memory")]

mod accept;
mod buffers;
mod driver;
mod inherited;
mod kernel;
mod prefetch;
mod probe;
mod receive;
mod send;
pub mod simulation;
mod slab;
mod sleep;
mod socket;
mod uring;
mod wheel;

pub use accept::Listener;
pub use driver::{Counts, Driver, Holdings};
pub use inherited::{Inherited, inherited};
pub use kernel::{Bell, Completion, Kernel, Key, Kind, Operation, Token, is_out_of_descriptors};
pub use prefetch::prefetch;
pub use probe::{descriptors_max, probe, step_back};
pub use sleep::Sleep;
pub use socket::{Outgoing, Socket};
pub use uring::Uring;
