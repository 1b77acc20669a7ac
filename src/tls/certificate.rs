//! A certificate chain and its key, read from PEM and checked.

use std::sync::Arc;

use rustls::{
    InconsistentKeys, SignatureAlgorithm,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use super::x509::Read;
use crate::base::WallTime;

/// A file, and what it is called.
pub type Named<'f> = (&'f str, &'f [u8]);

/// A chain and its key, ready to be shown.
#[derive(Clone, Debug)]
pub struct Certificate {
    name: String,
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    valid: (u64, u64),
    dates: (String, String),
}

impl Certificate {
    /// Reads a chain, the certificate itself first, and its private key; with `staple`, the answer
    /// of an OCSP responder about it.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(
        chain: Named<'_>,
        key: Named<'_>,
        staple: Option<Named<'_>>,
    ) -> Result<Self, String> {
        let certificates = parse_chain(chain)?;
        let read = certificates.first().and_then(Read::parse);
        let read = read.ok_or_else(|| {
            format!("{}: the first certificate cannot be read, it is no X.509", chain.0)
        })?;
        let (names, valid, dates) = (read.dns_names(), read.validity(), read.dates());
        let mut certified = certify(chain.0, certificates, key)?;
        certified.ocsp = staple.map(parse_staple).transpose()?;
        Ok(Self { name: chain.0.to_owned(), key: Arc::new(certified), names, valid, dates })
    }

    /// What rustls signs with.
    pub(super) const fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The names that it is for.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Its key is an elliptic curve's: short, and quick to sign with.
    pub(super) fn is_short(&self) -> bool {
        self.key.key.algorithm() != SignatureAlgorithm::RSA
    }

    /// Whether clients that come to `name` will take it.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        // Of a wildcard, any of its names stands for all.
        let name =
            name.strip_prefix('*').map_or_else(|| name.to_owned(), |rest| format!("a{rest}"));
        let (Ok(name), Some(own)) = (ServerName::try_from(name), self.key.cert.first()) else {
            return false;
        };
        let parsed = ParsedCertificate::try_from(own);
        parsed.is_ok_and(|own| rustls::client::verify_server_name(&own, &name).is_ok())
    }

    /// What clients will hold against it at this time, in a sentence.
    #[must_use]
    pub fn complaint(&self, now: WallTime) -> Option<String> {
        let now = now.seconds();
        let (from, until) = self.valid;
        match now {
            0 => None,
            _ if now < from => {
                Some(format!("the certificate {} is valid from {} on", self.name, self.dates.0))
            }
            _ if now > until => {
                Some(format!("the certificate {} has expired on {}", self.name, self.dates.1))
            }
            _ => None,
        }
    }

    /// What its file is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Chain and key as rustls takes them.
pub(super) fn certify(
    chain_name: &str,
    chain: Vec<CertificateDer<'static>>,
    (key_name, key): Named<'_>,
) -> Result<CertifiedKey, String> {
    let key = parse_key((key_name, key))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(
        |error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                format!("the key {key_name} does not belong to the certificate {chain_name}")
            }
            rustls::Error::InvalidCertificate(_) => {
                format!("{chain_name}: the first certificate cannot be read: {error}")
            }
            error => format!("{key_name}: the key cannot be used: {error}"),
        },
    )
}

/// The certificates of a PEM file, at least one.
pub(super) fn parse_chain(chain: Named<'_>) -> Result<Vec<CertificateDer<'static>>, String> {
    parse_pem(chain, "certificate", "CERTIFICATE")
}

/// All of one kind that a PEM file holds, at least one: what people call it, and what PEM does.
pub(super) fn parse_pem<T: PemObject>(
    (name, pem): Named<'_>,
    kind: &str,
    label: &str,
) -> Result<Vec<T>, String> {
    let all: Result<Vec<T>, _> = T::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err(format!("{name} holds no {kind}: expected PEM (-----BEGIN {label}-----)"))
        }
        Ok(all) => Ok(all),
        Err(error) => Err(format!("{name} is no sound PEM file: {error}")),
    }
}

fn parse_key((name, pem): Named<'_>) -> Result<PrivateKeyDer<'static>, String> {
    let holds = |words: &[u8]| pem.windows(words.len()).any(|window| window == words);
    if holds(b"BEGIN ENCRYPTED PRIVATE KEY") || holds(b"Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "the key {name} is encrypted, and nobody is there to type its password: decrypt it \
             with `openssl pkey -in {name} -out FILE`, readable for this user alone"
        ));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        format!("{name} holds no private key: expected PEM (-----BEGIN PRIVATE KEY-----)")
    })
}

/// An OCSP answer is passed on as it is; that it is DER at all is checked, its responder is not.
fn parse_staple((name, der): Named<'_>) -> Result<Vec<u8>, String> {
    match der {
        [0x30, _, ..] => Ok(der.to_vec()),
        _ => Err(format!(
            "{name} is no OCSP answer: expected DER, as `openssl ocsp -respout` has it"
        )),
    }
}

/// A new certificate for localhost, signed by itself, and its key, in PEM.
///
/// # Errors
/// When the machine has no randomness.
pub fn self_signed() -> Result<(String, String), String> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| error.to_string())?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chain: &str, key: &str, said: &str) {
        let (chain, key) = (("a.pem", chain.as_bytes()), ("a.key", key.as_bytes()));
        let sentence = Certificate::parse(chain, key, None).err().unwrap();
        assert!(sentence.contains(said), "{sentence}");
    }

    #[test]
    fn a_chain_and_its_key_are_taken() {
        let (chain, key) = self_signed().unwrap();
        let (chain, key) = (("a.pem", chain.as_bytes()), ("a.key", key.as_bytes()));
        let certificate = Certificate::parse(chain, key, Some(("a.ocsp", &[0x30, 0]))).unwrap();
        assert!(certificate.covers("localhost") && certificate.covers("LocalHost"));
        assert!(!certificate.covers("a.example") && !certificate.covers("*.example"));
        assert_eq!(certificate.names(), ["localhost"]);
        assert!(certificate.is_short());
        let at = |seconds: u64| certificate.complaint(WallTime(seconds * 1_000));
        assert_eq!(at(0), None);
        assert_eq!(at(1_700_000_000), None);
        assert!(at(1).unwrap().contains("a.pem is valid from Jan  1 00:00:00 1975 GMT on"));
        assert!(at(80_000_000_000).unwrap().contains("a.pem has expired on Jan  1"));
        let sentence = Certificate::parse(chain, key, Some(("a.ocsp", b"hello"))).err().unwrap();
        assert!(sentence.contains("a.ocsp is no OCSP answer"), "{sentence}");
    }

    #[test]
    fn what_is_wrong_is_told_in_one_sentence() {
        let (chain, key) = self_signed().unwrap();
        let (other_chain, _) = self_signed().unwrap();
        check(&other_chain, &key, "does not belong to the certificate a.pem");
        check("", &key, "a.pem holds no certificate");
        check(&key, &key, "a.pem holds no certificate");
        check(&chain, &chain, "a.key holds no private key");
        check(&chain, "", "a.key holds no private key");
        check("-----BEGIN CERTIFICATE-----\nMIIB\n", &key, "a.pem is no sound PEM file");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(garbage, &key, "a.pem: the first certificate cannot be read");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
        check(&chain, encrypted, "openssl pkey -in a.key");
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n";
        check(&chain, old, "is encrypted");
    }
}
