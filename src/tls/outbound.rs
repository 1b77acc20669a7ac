//! TLS toward upstreams: whom to trust, what to show, under which name.

use std::sync::{Arc, OnceLock};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use super::certificate::{Named, certify, parse_chain};
use crate::{base::fingerprint, http::Http2};

/// Sessions that one shard keeps of one upstream, to go on with.
const SESSIONS_KEPT: usize = 16;

/// What an upstream's section says of TLS.
#[derive(Clone, Debug, Default)]
pub struct CallerParts {
    roots: Option<(Arc<RootCertStore>, u64)>,
    own: Option<(Arc<CertifiedKey>, u64)>,
    /// Instead of the URI's host.
    pub server_name: Option<String>,
    /// Take any certificate.
    pub skips_verification: bool,
}

/// How one upstream is called by TLS.
#[derive(Debug)]
pub struct Caller {
    key: CallerKey,
    name: ServerName<'static>,
    config: ClientConfig,
}

/// What makes two callers the same: connections made by one may be used by the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerKey {
    name: String,
    skips_verification: bool,
    roots: Option<u64>,
    own: Option<u64>,
    http2: bool,
}

impl CallerKey {
    /// The name that the upstream's certificate must be for, in lower case and without brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Any certificate is taken.
    #[must_use]
    pub const fn skips_verification(&self) -> bool {
        self.skips_verification
    }
}

impl CallerParts {
    /// Trusts these authorities (PEM) instead of the system's.
    ///
    /// # Errors
    /// One sentence.
    pub fn trust(&mut self, authorities: Named<'_>) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        for (place, certificate) in parse_chain(authorities)?.into_iter().enumerate() {
            roots.add(certificate).map_err(|_| {
                format!("{}: certificate {} cannot be read", authorities.0, place + 1)
            })?;
        }
        self.roots = Some((Arc::new(roots), fingerprint(authorities.1)));
        Ok(())
    }

    /// Shows this certificate to upstreams that ask for one.
    ///
    /// # Errors
    /// One sentence.
    pub fn show(&mut self, chain: Named<'_>, key: Named<'_>) -> Result<(), String> {
        let own = certify(chain.0, parse_chain(chain)?, key)?;
        self.own = Some((Arc::new(own), fingerprint(&(chain.1, key.1))));
        Ok(())
    }

    /// The same for one route, whose document goes over what is said of the upstream.
    #[must_use]
    pub fn with(mut self, server_name: Option<&str>, skips_verification: Option<bool>) -> Self {
        if let Some(name) = server_name {
            self.server_name = Some(name.to_owned());
        }
        self.skips_verification = skips_verification.unwrap_or(self.skips_verification);
        self
    }

    /// Whether the system's authorities are asked.
    #[must_use]
    pub const fn asks_system(&self) -> bool {
        self.roots.is_none() && !self.skips_verification
    }
}

impl Caller {
    /// How the upstream at `host` is called.
    ///
    /// # Errors
    /// One sentence.
    pub fn compile(parts: &CallerParts, host: &str, http2: Http2) -> Result<Self, String> {
        let shown = parts.server_name.as_deref().unwrap_or(host);
        let bare = shown.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let name = ServerName::try_from(bare.clone())
            .map_err(|_| format!("{shown} is no name that a certificate can be for"))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &parts.roots {
            _ if parts.skips_verification => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
            Some((roots, _)) => builder.with_root_certificates(Arc::clone(roots)),
            None => builder.with_root_certificates(system()?),
        };
        let mut config = match &parts.own {
            None => builder.with_no_client_auth(),
            Some((own, _)) => builder.with_client_cert_resolver(Arc::new(Own(Arc::clone(own)))),
        };
        config.alpn_protocols = match http2 {
            Http2::Offered => vec![b"h2".to_vec()],
            Http2::NotOffered => vec![b"http/1.1".to_vec()],
        };
        config.resumption = Resumption::disabled();
        // Records are sealed and opened by `net::tls`.
        config.enable_secret_extraction = true;
        let key = CallerKey {
            name: bare,
            skips_verification: parts.skips_verification,
            roots: parts.roots.as_ref().map(|(_, fingerprint)| *fingerprint),
            own: parts.own.as_ref().map(|(_, fingerprint)| *fingerprint),
            http2: http2 == Http2::Offered,
        };
        Ok(Self { key, name, config })
    }

    /// rustls's configuration for one shard, with sessions of its own.
    #[must_use]
    pub fn config_of_shard(&self) -> Arc<ClientConfig> {
        let mut config = self.config.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_KEPT);
        Arc::new(config)
    }

    /// The name that the upstream must prove to have.
    #[must_use]
    pub const fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// What tells it from others.
    #[must_use]
    pub const fn key(&self) -> &CallerKey {
        &self.key
    }

    /// HTTP/2 is to be agreed on.
    #[must_use]
    pub const fn speaks_http2(&self) -> bool {
        self.key.http2
    }
}

static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();

/// Whether the system's authorities were given.
#[must_use]
pub fn knows_system() -> bool {
    SYSTEM.get().is_some()
}

/// Gives the system's authorities, once in a process's life. Those that cannot be read are left
/// out, as every client of the system does.
pub fn keep_system(certificates: Vec<CertificateDer<'static>>) {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if !roots.is_empty() {
        let _first = SYSTEM.set(Arc::new(roots));
    }
}

fn system() -> Result<Arc<RootCertStore>, String> {
    SYSTEM.get().cloned().ok_or_else(|| {
        "this machine has no authorities to trust: install ca-certificates, or name the upstream's \
         in upstreams (tls: {caCertificates: FILE})"
            .to_owned()
    })
}

/// What went wrong in a handshake with an upstream, for the log.
#[must_use]
pub fn explain(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(fault) => explain_certificate(fault),
        Error::AlertReceived(_) => "it refused the handshake with an alert",
        Error::PeerIncompatible(_) => "it and the gateway have no version or cipher in common",
        Error::PeerMisbehaved(_)
        | Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. } => "what it says is not TLS",
        Error::NoCertificatesPresented => "it showed no certificate",
        _ => "the handshake failed",
    }
}

fn explain_certificate(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        CertificateError::UnknownIssuer => "its certificate is of an unknown authority",
        CertificateError::Revoked => "its certificate was revoked",
        _ => "its certificate is not sound",
    }
}

/// The gateway's own certificate, for whoever asks.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesClientCert for Own {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// `insecureSkipVerification`: any certificate is taken, but its key must have signed the
/// handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _staple: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::self_signed;

    #[test]
    fn callers_are_the_same_when_all_that_matters_is() {
        let (pem, key) = self_signed().unwrap();
        let (other, _) = self_signed().unwrap();
        let parts = |authorities: &str| {
            let mut parts = CallerParts::default();
            parts.trust(("ca", authorities.as_bytes())).unwrap();
            parts
        };
        let compile = |parts: &CallerParts, host: &str| {
            Caller::compile(parts, host, Http2::NotOffered).unwrap().key().clone()
        };
        let one = compile(&parts(&pem), "a.example");
        assert_eq!(one, compile(&parts(&pem), "A.example"));
        assert_ne!(one, compile(&parts(&other), "a.example"));
        assert_ne!(one, compile(&parts(&pem), "b.example"));
        let named = CallerParts { server_name: Some("b.example".to_owned()), ..parts(&pem) };
        assert_eq!(compile(&named, "a.example"), compile(&parts(&pem), "b.example"));
        let skips = CallerParts { skips_verification: true, ..parts(&pem) };
        assert_ne!(one, compile(&skips, "a.example"));
        let mut shows = parts(&pem);
        shows.show(("a.pem", pem.as_bytes()), ("a.key", key.as_bytes())).unwrap();
        assert_ne!(one, compile(&shows, "a.example"));
        let http2 = Caller::compile(&parts(&pem), "a.example", Http2::Offered).unwrap();
        assert_ne!(&one, http2.key());
        assert!(!parts(&pem).asks_system() && !skips.asks_system());
        assert!(CallerParts::default().asks_system());
    }

    #[test]
    fn addresses_are_names_too_and_nonsense_is_not() {
        let parts = CallerParts { skips_verification: true, ..CallerParts::default() };
        for host in ["127.0.0.1", "[::1]", "localhost", "a_b.example"] {
            let caller = Caller::compile(&parts, host, Http2::NotOffered);
            assert!(caller.is_ok(), "{host}");
        }
        let caller = Caller::compile(&parts, "a b", Http2::NotOffered);
        assert!(caller.unwrap_err().contains("a b is no name"));
    }
}
