//! The private port: health, metrics, inspection, reload. Plain HTTP/1.1 on an address that only
//! operators reach; it serves no traffic and is never on a public listener.
//!
//! [`answers`], [`usage`] and [`limits`] decide and render without IO; [`serve`] is the socket
//! loop; [`census`] asks every shard for its numbers and does not wait for one that is stuck.

pub mod answers;
pub mod census;
pub mod limits;
mod serve;
pub mod usage;

pub use answers::{Answer, Health, PlanView};
pub use census::Census;
pub use serve::{Inspected, serve};
