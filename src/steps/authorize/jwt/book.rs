//! Keys that are fetched from their issuers: which issuers there are, and what is known of them.
//! Fetching is `serve::issuers`'s; a shard has the book as it was told last.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use aws_lc_rs::digest;

use super::KeySet;

/// Where an authorizer's keys are fetched from.
#[derive(Clone, Debug)]
pub struct KeySource {
    /// The issuer, whose address it is too.
    pub issuer: String,
    /// Whom TLS trusts there (PEM); `None` for the system's authorities.
    pub authorities: Option<Vec<u8>>,
    /// Of both: requests find its page by it, and PEM is long.
    id: u128,
}

impl PartialEq for KeySource {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for KeySource {}

impl Hash for KeySource {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl KeySource {
    /// An issuer, and whom TLS trusts there.
    #[must_use]
    pub fn new(issuer: String, authorities: Option<Vec<u8>>) -> Self {
        let mut text = format!("{issuer}\0").into_bytes();
        if let Some(authorities) = &authorities {
            text.push(1);
            text.extend_from_slice(authorities);
        }
        let digest = digest::digest(&digest::SHA256, &text);
        let id = u128::from_be_bytes(*digest.as_ref().first_chunk().expect("it has 32 bytes"));
        Self { issuer, authorities, id }
    }

    /// Whether the system's authorities are asked.
    #[must_use]
    pub fn asks_system(&self) -> bool {
        self.authorities.is_none() && self.issuer.starts_with("https://")
    }
}

/// Where an authorizer's keys are.
#[derive(Clone)]
pub enum IssuerKeys {
    /// In the documents.
    Fixed(Arc<KeySet>),
    /// With their issuer.
    Fetched(Arc<KeySource>),
}

/// What is known of an issuer's keys.
#[derive(Clone, Default)]
pub struct Page {
    /// The keys as they were fetched last; they stay when fetching fails.
    pub keys: Option<Arc<KeySet>>,
    /// How often the issuer was asked, or could have been.
    pub tries: u64,
}

/// What is known of all issuers' keys.
#[derive(Clone, Default)]
pub struct KeyBook(pub HashMap<Arc<KeySource>, Page>);

#[cfg(test)]
mod tests {
    use super::KeySource;

    #[test]
    fn a_source_is_its_issuer_and_whom_tls_trusts_there() {
        let source = |issuer: &str, authorities: Option<&str>| {
            KeySource::new(issuer.to_owned(), authorities.map(|pem| pem.as_bytes().to_vec()))
        };
        assert_eq!(source("https://a", Some("x")), source("https://a", Some("x")));
        for other in [source("https://b", Some("x")), source("https://a", Some("y"))] {
            assert_ne!(source("https://a", Some("x")), other);
        }
        assert_ne!(source("https://a", None), source("https://a", Some("")));
        assert!(source("https://a", None).asks_system());
        assert!(!source("https://a", Some("x")).asks_system());
        assert!(!source("http://localhost", None).asks_system());
    }
}
