//! JWT authorizers of HTTP APIs: whether the caller's token lets it in (`api-gateway.md` 3.3).
//!
//! A token is found ([`IdentitySource`]), taken apart and its header judged (`token`), its
//! signature verified with a key of the issuer's ([`KeySet`]), its claims checked (`claims`). Time
//! is an argument: the crate that verifies signatures is asked for nothing else. What is refused,
//! and why, is told in [`attacks`].
//!
//! Not here: fetching keys (`serve::issuers`); who remembers tokens ([`TokenCache`] is a shard's).

mod algorithm;
#[doc = include_str!("attacks.md")]
pub mod attacks {}
mod base64url;
mod book;
mod cache;
mod claims;
mod identity;
mod keys;
mod token;

use std::sync::Arc;

use aws_lc_rs::digest;

use self::{claims::Times, token::Unverified};
use crate::{
    base::WallTime,
    steps::{context::Claims, reject::TokenFault},
};

pub use algorithm::{Algorithm, Algorithms};
pub use book::{IssuerKeys, KeyBook, KeySource, Page};
pub use cache::{CacheKey, TokenCache};
pub use identity::IdentitySource;
pub use keys::KeySet;

/// A JWT authorizer, compiled.
pub struct JwtAuthorizer {
    /// The name of its security scheme.
    pub name: String,
    /// Where it looks for the token.
    pub source: IdentitySource,
    issuer: Box<str>,
    audience: Box<[Box<str>]>,
    algorithms: Algorithms,
    keys: IssuerKeys,
    /// Tells it from others that judge otherwise.
    id: u128,
}

/// An authorizer as a document describes it.
pub struct JwtDraft {
    /// See [`JwtAuthorizer::name`].
    pub name: String,
    /// See [`JwtAuthorizer::source`].
    pub source: IdentitySource,
    /// What `iss` has to be.
    pub issuer: String,
    /// What `aud`, or `client_id`, may be.
    pub audience: Vec<String>,
    /// What `alg` may be.
    pub algorithms: Algorithms,
    /// The issuer's keys.
    pub keys: IssuerKeys,
}

/// A token that was verified: by one authorizer, with its keys as they were.
#[derive(Debug)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    scopes: Box<[Box<str>]>,
    times: Times,
}

impl JwtAuthorizer {
    /// Compiles one.
    #[must_use]
    pub fn compile(draft: JwtDraft) -> Self {
        let JwtDraft { name, source, issuer, audience, algorithms, keys } = draft;
        let mut text = format!("{algorithms}\0{issuer}").into_bytes();
        for one in &audience {
            text.extend_from_slice(b"\0");
            text.extend_from_slice(one.as_bytes());
        }
        let digest = digest::digest(&digest::SHA256, &text);
        let id = u128::from_be_bytes(*digest.as_ref().first_chunk().expect("it has 32 bytes"));
        let audience = audience.into_iter().map(Into::into).collect();
        Self { name, source, issuer: issuer.into(), audience, algorithms, keys, id }
    }

    /// What `iss` has to be.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What `aud`, or `client_id`, may be.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.iter().map(|one| &**one)
    }

    /// What `alg` may be.
    #[must_use]
    pub const fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The issuer whose keys are fetched, if they are.
    #[must_use]
    pub const fn fetched(&self) -> Option<&Arc<KeySource>> {
        match &self.keys {
            IssuerKeys::Fetched(source) => Some(source),
            IssuerKeys::Fixed(_) => None,
        }
    }

    /// Its keys, or where they are.
    #[must_use]
    pub const fn keys(&self) -> &IssuerKeys {
        &self.keys
    }

    /// Judges a token's header, which needs no key.
    ///
    /// # Errors
    /// The first fault.
    pub fn check_header(&self, token: &[u8]) -> Result<(), TokenFault> {
        Unverified::parse(token, self.algorithms).map(|_| ())
    }

    /// Where a token that it has verified is remembered.
    #[must_use]
    pub fn cache_key(&self, token: &[u8], keys: &KeySet) -> CacheKey {
        CacheKey::new(token, self.id, keys.id())
    }

    /// Verifies a token: header, key, signature, then claims.
    ///
    /// # Errors
    /// The first fault.
    pub fn verify(
        &self,
        token: &[u8],
        keys: &KeySet,
        now: WallTime,
    ) -> Result<Verified, TokenFault> {
        let token = Unverified::parse(token, self.algorithms)?;
        keys.verify(&token)?;
        let claims = token.claims()?;
        claims::check_issuer(&claims, &self.issuer)?;
        let times = Times::of(&claims)?;
        times.check(now)?;
        claims::check_audience(&claims, &self.audience)?;
        let scopes = claims::scopes(&claims);
        Ok(Verified { claims: Claims::of(&claims), scopes, times })
    }
}

impl Verified {
    /// Whether `scope` or `scp` has this one.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|one| **one == *scope)
    }

    /// Whether it holds now.
    ///
    /// # Errors
    /// Why not.
    pub const fn check_times(&self, now: WallTime) -> Result<(), TokenFault> {
        self.times.check(now)
    }

    /// One that expires at this time.
    #[cfg(test)]
    fn example(expires: u64) -> Self {
        let text = format!(r#"{{"exp":{}}}"#, expires / 1_000);
        let claims = crate::json::strict::Value::parse(text.as_bytes()).unwrap();
        let times = Times::of(&claims).unwrap();
        Self { claims: Claims::of(&claims), scopes: Box::default(), times }
    }
}

#[cfg(test)]
mod signer;
#[cfg(test)]
mod suites;
#[cfg(test)]
mod tests;
