//! What TLS is decided by: certificates, policies, which name shows which, whom to trust. No IO, no
//! connection.
//!
//! Compiled from files by `config`, carried by the plan, used by [`crate::net`]'s handshakes. What
//! is built here are rustls's own configurations: rustls and AWS-LC do all that is secret.
//!
//! | file | what it is |
//! |---|---|
//! | `face` | a listener's handshakes: by name, a configuration |
//! | `shown` | by name and algorithm, a certificate |
//! | `certificate`, `x509` | a certificate and its key; what it says |
//! | `policy` | AWS's security policies |
//! | `trust` | mutual TLS: whose certificates are taken |
//! | `outbound` | toward upstreams: whom to trust, what to show |
//! | `guard` | which connection a request may come on |

mod certificate;
mod face;
mod guard;
mod names;
mod outbound;
mod policy;
mod shown;
mod trust;
mod x509;

pub use certificate::{Certificate, Named, self_signed};
pub use face::{DomainDraft, Face, FaceDraft, Faces};
pub use guard::{Breach, DomainKey, Guard, Guards, Shake};
pub use outbound::{Caller, CallerKey, CallerParts, explain, keep_system, knows_system};
pub use policy::Policy;
pub use trust::Trust;

use crate::http::ClientCertificate;

/// What a client's certificate says; `None` when it cannot be read.
#[must_use]
pub fn read_client(der: &rustls::pki_types::CertificateDer<'_>) -> Option<ClientCertificate> {
    x509::Read::parse(der).map(|read| read.of_client())
}
