//! Keys that are fetched from their issuers: which issuers there are, and what is known of them.
//! Fetching is `serve::issuers`'s; a shard has the book as it was told last.

use std::{collections::HashMap, sync::Arc};

use super::KeySet;

/// Where an authorizer's keys are fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySource {
    /// The issuer, whose address it is too.
    pub issuer: String,
    /// Whom TLS trusts there (PEM); `None` for the system's authorities.
    pub authorities: Option<Vec<u8>>,
}

impl KeySource {
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
