//! Which certificate a client sees: by the name that it comes to, then by what it can check.

use std::sync::Arc;

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Certificate, names::Names};

/// Certificates to be shown. For one name there may be several, of different algorithms.
#[derive(Debug, Default)]
pub(super) struct Shown {
    certificates: Vec<Certificate>,
    /// Places in `certificates`.
    named: Names<Vec<usize>>,
    /// For a name that nobody has, or none.
    others: Vec<usize>,
}

impl Shown {
    /// The certificates in the order of their preference: the first one is for unknown names, and
    /// with it those of its names that have another algorithm.
    pub(super) fn new(certificates: Vec<Certificate>) -> Self {
        let mut named: Names<Vec<usize>> = Names::default();
        let mut by_speed: Vec<usize> = (0..certificates.len()).collect();
        by_speed.sort_by_key(|&place| !certificates[place].is_short());
        for &place in &by_speed {
            for name in certificates[place].names() {
                named.entry(name).push(place);
            }
        }
        let is_like_first =
            |place: &&usize| certificates[**place].names() == certificates[0].names();
        let others = by_speed.iter().filter(is_like_first).copied().collect();
        Self { certificates, named, others }
    }

    /// The certificates for a host name.
    pub(super) fn find(&self, name: Option<&str>) -> impl Iterator<Item = &Certificate> {
        let found = name.and_then(|name| self.named.find(name.as_bytes())).unwrap_or(&self.others);
        found.iter().map(|&place| &self.certificates[place])
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        self.find(hello.server_name())
            .map(Certificate::key)
            .find(|key| key.key.choose_scheme(schemes).is_some())
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

    use super::*;

    fn made(file: &str, names: &[&str], is_rsa: bool) -> Certificate {
        let algorithm = if is_rsa { &PKCS_RSA_SHA256 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let chain = CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
        let key = key.serialize_pem();
        Certificate::parse((file, chain.as_bytes()), ("key", key.as_bytes()), None).unwrap()
    }

    #[test]
    fn the_name_decides_and_short_keys_go_first() {
        let shown = Shown::new(vec![
            made("first-rsa", &["a.example.com"], true),
            made("wildcard", &["*.example.com"], false),
            made("first-ec", &["a.example.com"], false),
        ]);
        let check = |name: Option<&str>, expected: &[&str]| {
            let found: Vec<&str> = shown.find(name).map(Certificate::name).collect();
            assert_eq!(found, expected, "{name:?}");
        };
        check(Some("a.example.com"), &["first-ec", "first-rsa"]);
        check(Some("b.example.com"), &["wildcard"]);
        check(Some("a.b.example.com"), &["first-ec", "first-rsa"]);
        check(None, &["first-ec", "first-rsa"]);
        let wildcard = shown.find(Some("b.example.com")).next().unwrap();
        assert!(wildcard.covers("b.example.com") && wildcard.covers("*.example.com"));
        assert!(!wildcard.covers("*.a.example.com"));
        let none = Shown::new(Vec::new());
        assert!(none.is_empty() && none.find(None).next().is_none());
    }
}
