//! What TLS is decided by: certificates, policies, which name shows which. No IO, no connection.
//!
//! Compiled from files by `config`, carried by the plan, used by [`crate::net`]'s handshakes. What
//! is built here are rustls's own configurations: rustls and AWS-LC do all that is secret.

mod certificate;
mod face;
mod policy;

pub use certificate::{Certificate, self_signed};
pub use face::{Face, Faces};
pub use policy::Policy;
