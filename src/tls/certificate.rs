//! A certificate chain and its key, read from PEM and checked.

use std::sync::Arc;

use rustls::{
    InconsistentKeys,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// A chain and its key, ready to be shown.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// What rustls signs with.
    pub key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads a chain, the certificate itself first, and its private key.
    ///
    /// # Errors
    /// One sentence; `chain_name` and `key_name` are what it calls the files.
    pub fn parse(chain: (&str, &[u8]), key: (&str, &[u8])) -> Result<Self, String> {
        let ((chain_name, chain), (key_name, key)) = (chain, key);
        let certificates = parse_chain(chain_name, chain)?;
        let key = parse_key(key_name, key)?;
        let provider = aws_lc_rs::default_provider();
        let key =
            CertifiedKey::from_der(certificates, key, &provider).map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("the key {key_name} does not belong to the certificate {chain_name}")
                }
                rustls::Error::InvalidCertificate(_) => {
                    format!("{chain_name}: the first certificate cannot be read: {error}")
                }
                error => format!("{key_name}: the key cannot be used: {error}"),
            })?;
        Ok(Self { key: Arc::new(key) })
    }
}

/// The certificates of a PEM file, at least one.
pub(super) fn parse_chain(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{name} holds no certificate: expected PEM (-----BEGIN CERTIFICATE-----)"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{name} is no sound PEM file: {error}")),
    }
}

fn parse_key(name: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let is_encrypted = |word: &[u8]| pem.windows(word.len()).any(|window| window == word);
    if is_encrypted(b"BEGIN ENCRYPTED PRIVATE KEY") || is_encrypted(b"Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "the key {name} is encrypted, and nobody is there to type its password: decrypt it \
             with `openssl pkey -in {name} -out FILE`, readable for this user alone"
        ));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        format!("{name} holds no private key: expected PEM (-----BEGIN PRIVATE KEY-----)")
    })
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
        let parsed = Certificate::parse(("a.pem", chain.as_bytes()), ("a.key", key.as_bytes()));
        let sentence = parsed.err().unwrap();
        assert!(sentence.contains(said), "{sentence}");
    }

    #[test]
    fn a_chain_and_its_key_are_taken() {
        let (chain, key) = self_signed().unwrap();
        Certificate::parse(("a.pem", chain.as_bytes()), ("a.key", key.as_bytes())).unwrap();
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
        let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        check(cut, &key, "a.pem is no sound PEM file");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(garbage, &key, "a.pem");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
        check(&chain, encrypted, "openssl pkey -in a.key");
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n";
        check(&chain, old, "is encrypted");
    }
}
