//! What a listener shows to those who come to it by TLS.

use std::sync::{Arc, OnceLock};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert},
};

use super::{Certificate, DomainKey, Policy, Trust, names::Names, shown::Shown};
use crate::http::Http2;

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

/// One listener's handshakes.
#[derive(Debug)]
pub struct Face {
    /// For names that no domain has; `None` without a certificate to show them.
    base: Option<Arc<ServerConfig>>,
    /// Every domain; `None` for one that asks for nothing of its own.
    domains: Names<Option<Mask>>,
}

/// A domain's handshakes.
#[derive(Clone, Debug)]
struct Mask {
    config: Arc<ServerConfig>,
    key: DomainKey,
}

/// A listener, as a document describes it.
pub struct FaceDraft {
    /// Its own certificates; the first one is for clients that name nothing known.
    pub certificates: Vec<Certificate>,
    /// Its policy.
    pub policy: Policy,
    /// Whether HTTP/2 is offered.
    pub http2: Http2,
}

/// A domain, as a document describes it.
#[derive(Clone)]
pub struct DomainDraft {
    /// The name, such as `api.example.com` or `*.example.com`.
    pub name: String,
    /// Its own certificates; without any, the listener's are shown.
    pub certificates: Vec<Certificate>,
    /// Its policy; without one, the listener's holds.
    pub policy: Option<Policy>,
    /// Whom it asks for a certificate.
    pub trust: Option<Trust>,
}

impl FaceDraft {
    /// Whether a client that comes to this domain here sees a certificate that is for it.
    #[must_use]
    pub fn covers(&self, domain: &DomainDraft) -> bool {
        let own = &domain.certificates;
        let seen = if own.is_empty() { &self.certificates } else { own };
        seen.iter().any(|certificate| certificate.covers(&domain.name))
    }
}

impl Face {
    /// A listener's face.
    ///
    /// # Errors
    /// One sentence.
    pub fn compile(draft: FaceDraft, domains: &[DomainDraft]) -> Result<Self, String> {
        let FaceDraft { certificates, policy, http2 } = draft;
        let shown = Arc::new(Shown::new(certificates));
        let mut face = Self { base: None, domains: Names::default() };
        if !shown.is_empty() {
            face.base = Some(configure(Arc::clone(&shown) as _, &policy, None, http2)?);
        }
        for domain in domains {
            let own = Arc::new(Shown::new(domain.certificates.clone()));
            let seen = if own.is_empty() { &shown } else { &own };
            let asks = !own.is_empty() || domain.policy.is_some() || domain.trust.is_some();
            let mask = face.domains.entry(&domain.name);
            if asks && !seen.is_empty() {
                let policy = domain.policy.as_ref().unwrap_or(&policy);
                let (seen, trust) = (Arc::clone(seen) as _, domain.trust.as_ref());
                let config = configure(seen, policy, trust, http2)?;
                *mask = Some(Mask { config, key: DomainKey::of(&domain.name) });
            }
        }
        Ok(face)
    }

    /// The configuration for everybody, when the client's name decides nothing.
    #[must_use]
    pub fn only(&self) -> Option<&Arc<ServerConfig>> {
        self.base.as_ref().filter(|_| self.domains.is_empty())
    }

    /// The configuration for a client that comes to this name, and the domain that it is of, when
    /// the domain has one of its own.
    #[must_use]
    pub fn find(&self, name: Option<&str>) -> Option<(&Arc<ServerConfig>, Option<DomainKey>)> {
        match name.and_then(|name| self.domains.find(name.as_bytes())) {
            Some(Some(mask)) => Some((&mask.config, Some(mask.key))),
            Some(None) | None => self.base.as_ref().map(|config| (config, None)),
        }
    }
}

fn configure(
    shown: Arc<dyn ResolvesServerCert>,
    policy: &Policy,
    trust: Option<&Trust>,
    http2: Http2,
) -> Result<Arc<ServerConfig>, String> {
    let provider = policy.provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(policy.versions())
        .map_err(|error| error.to_string())?;
    let mut config = match trust {
        None => builder.with_no_client_auth().with_cert_resolver(shown),
        Some(trust) => {
            let verifier = trust.verifier(&provider)?;
            builder.with_client_cert_verifier(verifier).with_cert_resolver(shown)
        }
    };
    config.alpn_protocols = match http2 {
        Http2::Offered => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Http2::NotOffered => vec![b"http/1.1".to_vec()],
    };
    // Tickets are all that is kept of a session, and the client keeps them.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    match trust {
        None => config.ticketer = tickets()?,
        // A session that goes on shows no certificate again, although it may have been revoked
        // since, or its authority have gone from the trust store.
        Some(_) => config.send_tls13_tickets = 0,
    }
    // Records are sealed and opened by `net::tls`.
    config.enable_secret_extraction = true;
    Ok(Arc::new(config))
}

/// The process's session tickets: all shards and all plans open what one of them sealed, so that
/// a reload costs no client its session. rustls makes new keys every six hours, and opens tickets
/// for twelve.
fn tickets() -> Result<Arc<dyn ProducesTickets>, String> {
    static TICKETS: OnceLock<Option<Arc<dyn ProducesTickets>>> = OnceLock::new();
    let tickets = TICKETS.get_or_init(|| Ticketer::new().ok());
    tickets.clone().ok_or_else(|| "the machine gives no randomness for session tickets".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        Certificate::parse(("a.pem", chain.as_bytes()), ("a.key", key.as_bytes()), None).unwrap()
    }

    fn domain(name: &str, certificates: Vec<Certificate>) -> DomainDraft {
        DomainDraft { name: name.to_owned(), certificates, policy: None, trust: None }
    }

    #[test]
    fn a_name_finds_the_configuration_of_its_domain() {
        let http2 = Http2::NotOffered;
        let draft = |certificates| FaceDraft { certificates, policy: Policy::default(), http2 };
        let own = || vec![certificate(&["*.example.com"])];
        let domains = [domain("*.example.com", own()), domain("plain.example.com", Vec::new())];
        let base = draft(vec![certificate(&["localhost"])]);
        assert!(base.covers(&domains[0]) && !base.covers(&domains[1]));
        let face = Face::compile(base, &domains).unwrap();
        let key = |name: Option<&str>| face.find(name).unwrap().1;
        assert_eq!(key(Some("a.example.com")), Some(DomainKey::of("*.example.com")));
        assert_eq!(key(Some("plain.example.com")), None);
        assert_eq!(key(Some("elsewhere")), None);
        assert_eq!(key(None), None);
        assert!(face.only().is_none());
        // Without a certificate of its own the listener knows its domains only.
        let face = Face::compile(draft(Vec::new()), &domains[..1]).unwrap();
        assert!(face.find(Some("a.example.com")).is_some());
        assert!(face.find(Some("elsewhere")).is_none() && face.find(None).is_none());
        let face = Face::compile(draft(own()), &[]).unwrap();
        assert!(face.only().is_some());
    }
}
