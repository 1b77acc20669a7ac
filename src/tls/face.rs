//! What a listener shows to those who come to it by TLS.

use std::sync::{Arc, OnceLock};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Certificate, Policy};
use crate::http::Http2;

/// The protocols that are offered over TLS, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The faces of all listeners, by the listener's name.
#[derive(Clone, Debug, Default)]
pub struct Faces(Vec<(String, Arc<Face>)>);

impl Faces {
    /// Adds a listener's face.
    pub fn add(&mut self, listener: &str, face: Arc<Face>) {
        self.0.push((listener.to_owned(), face));
    }

    /// The face of a listener; `None` for one that speaks plain text, or is not known.
    #[must_use]
    pub fn find(&self, listener: &str) -> Option<&Arc<Face>> {
        self.0.iter().find(|(name, _)| name == listener).map(|(_, face)| face)
    }
}

/// One listener's certificates and policy.
#[derive(Debug)]
pub struct Face {
    base: Arc<ServerConfig>,
}

impl Face {
    /// A listener that shows these certificates, the first one to those who name nothing known.
    ///
    /// # Errors
    /// When rustls refuses the configuration.
    pub fn compile(
        certificates: Vec<Certificate>,
        policy: &Policy,
        http2: Http2,
    ) -> Result<Self, String> {
        let resolver = Arc::new(Shown { certificates });
        let mut config = ServerConfig::builder_with_provider(policy.provider())
            .with_protocol_versions(policy.versions())
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        let offered = match http2 {
            Http2::Offered => &PROTOCOLS[..],
            Http2::NotOffered => &PROTOCOLS[1..],
        };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        config.ticketer = tickets()?;
        // Tickets are all that is kept of a session, and the client keeps them.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        // Records are sealed and opened by `net::tls`.
        config.enable_secret_extraction = true;
        Ok(Self { base: Arc::new(config) })
    }

    /// The configuration for everybody, when the client's name decides nothing.
    #[must_use]
    pub const fn only(&self) -> Option<&Arc<ServerConfig>> {
        Some(&self.base)
    }

    /// The configuration for a client that comes to this name.
    #[must_use]
    pub fn find(&self, _name: Option<&str>) -> Option<&Arc<ServerConfig>> {
        Some(&self.base)
    }
}

/// The process's session tickets: all shards and all plans open what one of them sealed, so that
/// a reload costs no client its session. rustls makes new keys every six hours, and opens tickets
/// for twelve.
fn tickets() -> Result<Arc<dyn ProducesTickets>, String> {
    static TICKETS: OnceLock<Option<Arc<dyn ProducesTickets>>> = OnceLock::new();
    let tickets = TICKETS.get_or_init(|| Ticketer::new().ok());
    tickets.clone().ok_or_else(|| "the machine gives no randomness for session tickets".to_owned())
}

/// Finds the certificate for a name.
#[derive(Debug)]
struct Shown {
    certificates: Vec<Certificate>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificates.first().map(|certificate| Arc::clone(&certificate.key))
    }
}
