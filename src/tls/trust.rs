//! Mutual TLS: whose certificates a domain takes (`api-gateway.md` 1.7).
//!
//! rustls checks signatures, dates, names of the chain and revocation. Added is what AWS says
//! beyond that: how long a chain may be. Keys and signatures weaker than RSA-2048, P-256 and
//! SHA-256 are not known to rustls.

use std::{fmt, sync::Arc};

use rustls::{
    CertRevocationListError, CertificateError, DigitallySignedStruct, DistinguishedName,
    OtherError, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    certificate::{Named, parse_chain, parse_pem},
    x509::Read,
};
use crate::base::{
    WallTime,
    limits::{TRUST_STORE_BYTES_MAX, TRUST_STORE_CERTIFICATES_MAX},
};

/// Certificates of a chain, its root among them.
const CHAIN_MAX: usize = 4;
/// Names of authorities are sent along in each handshake, so that a client can choose a
/// certificate: as long as there are few.
const HINT_BYTES_MAX: usize = 4 * 1_024;

/// The authorities whose certificates a domain takes, and what they have taken back.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

impl Trust {
    /// Reads a trust store and, if there is one, a revocation list. `complain` hears what is odd
    /// and does not keep it from being used.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(
        store: Named<'_>,
        revoked: Option<Named<'_>>,
        now: WallTime,
        mut complain: impl FnMut(String),
    ) -> Result<Self, String> {
        let (name, pem) = store;
        if pem.len() > TRUST_STORE_BYTES_MAX {
            return Err(format!(
                "the trust store {name} has {} bytes; at most {TRUST_STORE_BYTES_MAX} are taken",
                pem.len()
            ));
        }
        let certificates = parse_chain(store)?;
        if certificates.len() > TRUST_STORE_CERTIFICATES_MAX {
            return Err(format!(
                "the trust store {name} holds {} certificates; at most \
                 {TRUST_STORE_CERTIFICATES_MAX} are taken",
                certificates.len()
            ));
        }
        let mut roots = RootCertStore::empty();
        for (place, certificate) in certificates.into_iter().enumerate() {
            let number = place + 1;
            let read = Read::parse(&certificate);
            let Some(read) = read.filter(|_| roots.add(certificate.clone()).is_ok()) else {
                return Err(format!("{name}: certificate {number} cannot be read"));
            };
            if read.is_weak() {
                return Err(format!(
                    "{name}: certificate {number} ({}) has an RSA key of fewer than 2,048 bits",
                    read.subject()
                ));
            }
            let (from, until) = read.validity();
            let seconds = now.seconds();
            if seconds > 0 && !(from..=until).contains(&seconds) {
                let (from, until) = read.dates();
                complain(format!(
                    "{name}: certificate {number} ({}) is valid from {from} to {until} only",
                    read.subject()
                ));
            }
        }
        let revoked = revoked.map(parse_revoked).transpose()?.unwrap_or_default();
        Ok(Self { roots: Arc::new(roots), revoked })
    }

    /// The verifier of a domain.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let roots = Arc::clone(&self.roots);
        // A list speaks for its own authority alone: of the others nothing is known.
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
            .with_crls(self.revoked.iter().cloned())
            .allow_unknown_revocation_status();
        let hints = self.roots.subjects().iter().map(|name| name.as_ref().len()).sum::<usize>();
        if hints > HINT_BYTES_MAX {
            builder = builder.clear_root_hint_subjects();
        }
        let inner = builder.build().map_err(|error| match error {
            VerifierBuilderError::InvalidCrl(error) => explain(&error),
            error => error.to_string(),
        })?;
        Ok(Arc::new(Verifier { inner, roots: Arc::clone(&self.roots) }))
    }
}

fn explain(error: &CertRevocationListError) -> String {
    format!("the revocation list cannot be used: {error:?}")
}

/// PEM, or one list in DER as authorities publish it.
fn parse_revoked(list: Named<'_>) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    if list.1.first() == Some(&0x30) {
        return Ok(vec![list.1.to_vec().into()]);
    }
    parse_pem(list, "revocation list", "X509 CRL")
}

/// What is wrong with a chain of more than [`CHAIN_MAX`] certificates.
#[derive(Debug)]
struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the chain has more than {CHAIN_MAX} certificates")
    }
}

impl std::error::Error for TooLong {}

/// rustls's verifier, and the length of the chain.
#[derive(Debug)]
struct Verifier {
    inner: Arc<dyn ClientCertVerifier>,
    roots: Arc<RootCertStore>,
}

impl Verifier {
    /// The chain's length with its root, which need not be sent.
    fn length(&self, own: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> usize {
        let is_root = self.knows(others.last().unwrap_or(own));
        1 + others.len() + usize::from(!is_root)
    }

    /// Whether a certificate is an authority's: has the subject and the key of one.
    fn knows(&self, certificate: &CertificateDer<'_>) -> bool {
        let mut alone = RootCertStore::empty();
        // What rustls does not take for an authority is none of ours.
        let _ = alone.add(CertificateDer::from(certificate.as_ref()));
        let same = |one: &TrustAnchor<'_>, other: &TrustAnchor<'_>| {
            one.subject == other.subject
                && one.subject_public_key_info == other.subject_public_key_info
        };
        alone.roots.iter().any(|it| self.roots.roots.iter().any(|root| same(root, it)))
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if others.len() >= CHAIN_MAX || self.length(own, others) > CHAIN_MAX {
            return Err(CertificateError::Other(OtherError(Arc::new(TooLong))).into());
        }
        self.inner.verify_client_cert(own, others, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
