//! The ground: limits, buffers, time types, ids, `Problem`. Imports nothing of the crate.

mod address;
mod buffer;
mod checksum;
mod fingerprint;
mod joints;
pub mod limits;
mod pool;
mod problem;
mod text;
mod time;

pub use address::{Address, ListenAddress, UNIX_PATH_BYTES_MAX};
pub use buffer::{Block, Buffer, Shelf, Supply};
pub use checksum::crc32c;
pub use fingerprint::fingerprint;
pub use joints::{Joint, Joints};
pub use pool::{Pool, Pooled};
pub use problem::{Place, Problem, Severity};
pub use text::append;
pub use time::{Moment, WallTime};
