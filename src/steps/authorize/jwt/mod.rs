//! Authorizers that judge tokens: JWT authorizers of HTTP APIs (`api-gateway.md` 3.3), and, in
//! another [`Manner`], Cognito user pools of REST APIs (3.4).
//!
//! A token is found ([`IdentitySource`]), taken apart and its header judged (`token`), its
//! signature verified with a key of the issuer's ([`KeySet`]), its claims checked (`claims`). Time
//! is an argument: the crate that verifies signatures is asked for nothing else. What is refused,
//! and why, is told in [`attacks`].
//!
//! Not here: fetching keys (`serve::issuers`); who remembers tokens ([`TokenCache`] is a shard's);
//! when a signature's turn is (`gateway::pace`).

mod algorithm;
#[doc = include_str!("attacks.md")]
pub mod attacks {}
mod base64url;
mod book;
mod cache;
mod claims;
mod identity;
mod keys;
mod manner;
mod question;
mod token;
mod user_pool;

use std::{net::IpAddr, sync::Arc, time::Duration};

use aws_lc_rs::digest;

use self::{claims::Times, keys::Key, token::Unverified};
use crate::{
    base::WallTime,
    json::strict::Value,
    steps::{
        context::Claims,
        reject::{Catalogue, TokenFault},
    },
};

pub use algorithm::{Algorithm, Algorithms};
pub use book::{IssuerKeys, KeyBook, KeySource, Page};
pub use cache::{CacheKey, TokenCache};
pub use identity::IdentitySource;
pub use keys::KeySet;
pub use manner::{Manner, TokenUse, Validation};
pub use question::{SignatureClaim, SignatureQuestion};
pub use user_pool::PoolArn;

/// An authorizer that judges tokens, compiled.
pub struct JwtAuthorizer {
    /// The name of its security scheme.
    pub name: String,
    /// Where it looks for the token.
    pub source: IdentitySource,
    issuers: Box<[Issuer]>,
    manner: Manner,
    algorithms: Algorithms,
    /// Tells it from others that judge otherwise.
    id: u128,
}

/// Whose tokens an authorizer takes.
#[derive(Clone)]
pub struct Issuer {
    /// What `iss` has to be.
    pub name: Box<str>,
    /// Its keys, or where they are.
    pub keys: IssuerKeys,
    /// Whether all its tokens say what they are for (`token_use`), as Cognito's do.
    pub says_use: bool,
}

/// An authorizer as a document describes it.
pub struct JwtDraft {
    /// See [`JwtAuthorizer::name`].
    pub name: String,
    /// See [`JwtAuthorizer::source`].
    pub source: IdentitySource,
    /// One at least; no two of one name.
    pub issuers: Vec<Issuer>,
    /// Whose rules it goes by.
    pub manner: Manner,
    /// What `alg` may be.
    pub algorithms: Algorithms,
}

/// A token whose signature is the next to be looked at, and the key for it.
pub struct Candidate<'t, 'k> {
    token: Unverified<'t>,
    issuer: u8,
    key: &'k Key,
    key_set: u128,
}

/// Tells a key from all others: its set ([`KeySet::id`]), and its number there.
pub type KeyName = (u128, usize);

/// A token that was verified: by one authorizer, with its keys as they were.
#[derive(Debug)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// Which of the authorizer's issuers it is of.
    pub issuer: u8,
    /// The set whose key has signed it ([`KeySet::id`]).
    pub key_set: u128,
    token_use: TokenUse,
    scopes: Box<[Box<str>]>,
    times: Times,
}

impl JwtAuthorizer {
    /// Compiles one.
    #[must_use]
    pub fn compile(draft: JwtDraft) -> Self {
        let JwtDraft { name, source, issuers, manner, algorithms } = draft;
        debug_assert!(!issuers.is_empty() && issuers.len() <= usize::from(u8::MAX));
        let mut text = algorithms.to_string();
        for issuer in &issuers {
            text.push_str(if issuer.says_use { "\0says " } else { "\0" });
            text.push_str(&issuer.name);
        }
        text.push_str("\0\0");
        manner.describe(&mut text);
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        let id = u128::from_be_bytes(*digest.as_ref().first_chunk().expect("it has 32 bytes"));
        Self { name, source, issuers: issuers.into(), manner, algorithms, id }
    }

    /// Whose tokens it takes.
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Whose rules it goes by.
    #[must_use]
    pub const fn manner(&self) -> &Manner {
        &self.manner
    }

    /// In whose words it refuses.
    #[must_use]
    pub const fn catalogue(&self) -> Catalogue {
        self.manner.catalogue()
    }

    /// What `alg` may be.
    #[must_use]
    pub const fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The issuers whose keys are fetched.
    pub fn fetched(&self) -> impl Iterator<Item = &Arc<KeySource>> {
        self.issuers.iter().filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Fetched(source) => Some(source),
            IssuerKeys::Fixed(_) => None,
        })
    }

    /// Tells it from authorizers that judge otherwise; keys do not count.
    #[must_use]
    pub const fn id(&self) -> u128 {
        self.id
    }

    /// Judges a token's header, which needs no key.
    ///
    /// # Errors
    /// The first fault.
    pub fn check_header(&self, token: &[u8]) -> Result<(), TokenFault> {
        Unverified::parse(token, self.algorithms).map(|_| ())
    }

    /// Which of the issuers a token says that it is of. That is not believed: it chooses whose keys
    /// are asked, and those of another issuer are not.
    ///
    /// # Errors
    /// The first fault.
    pub fn choose(&self, token: &[u8]) -> Result<u8, TokenFault> {
        if self.issuers.len() == 1 {
            return Ok(0);
        }
        let claims = Unverified::parse(token, self.algorithms)?.claims()?;
        let said = claims.find("iss").and_then(Value::as_text).ok_or(TokenFault::Issuer)?;
        let place = self.issuers.iter().position(|issuer| *issuer.name == *said);
        place.and_then(|place| u8::try_from(place).ok()).ok_or(TokenFault::Issuer)
    }

    /// All that can be judged before the signature: header and key.
    ///
    /// # Errors
    /// The first fault.
    pub fn prepare<'t, 'k>(
        &self,
        token: &'t [u8],
        issuer: u8,
        keys: &'k KeySet,
    ) -> Result<Candidate<'t, 'k>, TokenFault> {
        let token = Unverified::parse(token, self.algorithms)?;
        let key = keys.choose(&token)?;
        Ok(Candidate { token, issuer, key, key_set: keys.id() })
    }

    /// Verifies a prepared token: signature, then claims.
    ///
    /// # Errors
    /// The first fault.
    pub fn complete(
        &self,
        candidate: &Candidate<'_, '_>,
        now: WallTime,
    ) -> Result<Verified, TokenFault> {
        let is_signed = candidate.key.verify(&candidate.token).is_ok();
        self.conclude(candidate, is_signed, now)
    }

    /// Verifies a prepared token of which it is known whether it `is_signed`: its claims.
    ///
    /// # Errors
    /// The first fault.
    pub fn conclude(
        &self,
        candidate: &Candidate<'_, '_>,
        is_signed: bool,
        now: WallTime,
    ) -> Result<Verified, TokenFault> {
        let Candidate { token, issuer, key_set, .. } = candidate;
        if !is_signed {
            return Err(TokenFault::Signature);
        }
        let claims = token.claims()?;
        let from = &self.issuers[usize::from(*issuer)];
        claims::check_issuer(&claims, &from.name)?;
        let times = Times::of(&claims)?;
        times.check(now)?;
        self.manner.check_audience(&claims)?;
        let token_use = self.manner.token_use(&claims, from.says_use, token.is_access);
        let (scopes, claims) = (claims::scopes(&claims), Claims::of(&claims));
        Ok(Verified { claims, issuer: *issuer, key_set: *key_set, token_use, scopes, times })
    }

    /// A signature as something to ask another thread, for a client of this address.
    #[must_use]
    pub fn question(&self, token: &[u8], keys: &Arc<KeySet>, source: IpAddr) -> SignatureQuestion {
        SignatureQuestion::new(token, keys, self.algorithms, source)
    }

    /// Verifies a token of an issuer: header, key, signature, then claims.
    ///
    /// # Errors
    /// The first fault.
    pub fn verify(
        &self,
        token: &[u8],
        issuer: u8,
        keys: &KeySet,
        now: WallTime,
    ) -> Result<Verified, TokenFault> {
        self.complete(&self.prepare(token, issuer, keys)?, now)
    }
}

impl Candidate<'_, '_> {
    /// How long verifying its signature takes, about.
    #[must_use]
    pub const fn cost(&self) -> Duration {
        self.key.cost
    }

    /// Which key it is: the set's id, and its number there.
    #[must_use]
    pub const fn key(&self) -> KeyName {
        (self.key_set, self.key.number)
    }

    /// What is asked when its signature is.
    #[must_use]
    pub fn claim(&self, token: &[u8]) -> SignatureClaim {
        SignatureClaim::new(token, self.key_set)
    }
}

impl Verified {
    /// Whether `scope` or `scp` has this one.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|one| **one == *scope)
    }

    /// Whether it is for what is asked: to say who its bearer is, or, `with_scopes`, what that one
    /// may do.
    ///
    /// # Errors
    /// Which it is not.
    pub const fn check_use(&self, with_scopes: bool) -> Result<(), TokenFault> {
        match (self.token_use, with_scopes) {
            (TokenUse::Any, _) | (TokenUse::Id, false) | (TokenUse::Access, true) => Ok(()),
            (TokenUse::Access | TokenUse::Other, false) => Err(TokenFault::NotAnIdToken),
            (TokenUse::Id | TokenUse::Other, true) => Err(TokenFault::NotAnAccessToken),
        }
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
        let (claims, token_use) = (Claims::of(&claims), TokenUse::Any);
        Self { claims, issuer: 0, key_set: 0, token_use, scopes: Box::default(), times }
    }
}

#[cfg(test)]
mod signer;
#[cfg(test)]
mod suites;
#[cfg(test)]
mod tests;
