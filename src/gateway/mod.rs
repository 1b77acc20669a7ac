//! The story of a request, top to bottom; connection loops; forwarding.
//!
//! Read [`pipeline`] first: it is everything the gateway does. [`connection`] reads requests from
//! a client and hands answers back, [`forward`] is one exchange with an upstream, [`deliver`] the
//! answer's way to the client. Here things are done; what is done is decided in `steps/`.

mod admission;
mod authorize;
mod body;
mod chunks;
pub mod connection;
mod deliver;
mod ends;
mod forward;
mod inbound;
mod issuers;
mod local;
mod multiplexed;
mod pace;
mod passwords;
pub mod pipeline;
mod policy;
mod proofs;
mod seats;
mod shake;
mod signatures;
mod signed;
mod tunnel;
mod upload;
mod visit;

pub use admission::Places;
pub use body::{After, BodyFault, Incoming};
pub use issuers::{AskIssuer, Issuers};
pub use local::{Addresses, Installed, Local, stage_names};
pub use passwords::Passwords;
pub use proofs::Ask;
pub use seats::Seats;
pub use shake::Handshakes;
pub use signatures::Signatures;
