//! The vocabulary of HTTP, independent of the wire: what a request and an answer are.
//!
//! Heads are bytes plus offsets: a [`RequestHead`] keeps the receive buffer it was parsed in, and
//! every name and value it hands out is a slice of it. No IO, no serde here.

mod certificate;
mod fields;
mod flood;
mod framing;
mod head;
mod hex;
mod hop;
mod method;
mod name;
mod sink;
mod status;
mod target;

pub use certificate::{ClientCertificate, Secured};
pub use fields::{Field, FieldList, Fields, Span};
pub use flood::Flood;
pub use framing::{ConnectionOptions, Framing};
pub use head::{Http2, RequestHead, ResponseHead, Version};
pub use hex::{hex_digest, hex_digit};
pub use hop::{connection_names_fields, is_hop_by_hop, listed_in_connection};
pub use method::Method;
pub use name::Name;
pub use sink::{Case, HeadSink};
pub use status::Status;
pub use target::{Authority, Target};
