//! Whether a caller is let in: who it is, as an authorizer of its route finds out, and what the
//! policies say of it (`api-gateway.md` 3).
//!
//! One folder or file for each kind of authorizer: [`jwt`], [`basic`], [`webhook`],
//! [`iam`]. Time is an
//! argument, and so is whatever the shard remembers. Not here: fetching keys (`serve::issuers`),
//! API keys (`steps::api_key`), hashing passwords (`serve::proofs`).

pub mod basic;
pub mod iam;
pub mod jwt;
pub mod policy;
pub mod principal;
pub mod proof;
pub mod webhook;

use std::sync::Arc;

use self::{
    basic::BasicAuthorizer,
    jwt::{JwtAuthorizer, KeySource, Verified},
    webhook::WebhookAuthorizer,
};
use crate::steps::reject::TokenFault;

/// What finds out who calls.
pub enum Authorizer {
    /// By a token of an issuer (`JWT`), or of a user pool (`COGNITO_USER_POOLS`).
    Jwt(JwtAuthorizer),
    /// By user and password.
    Basic(BasicAuthorizer),
    /// By a signature over the body.
    Webhook(WebhookAuthorizer),
    /// By a signature of version 4 (`AWS_IAM`), made by one of the gateway's principals.
    Iam,
}

impl Authorizer {
    /// The name of its security scheme.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Jwt(jwt) => &jwt.name,
            Self::Basic(basic) => &basic.name,
            Self::Webhook(webhook) => &webhook.name,
            Self::Iam => "AWS_IAM",
        }
    }

    /// Whether who is let in has claims.
    #[must_use]
    pub const fn has_claims(&self) -> bool {
        match self {
            Self::Jwt(_) => true,
            Self::Basic(_) | Self::Webhook(_) | Self::Iam => false,
        }
    }

    /// The issuers whose keys are fetched.
    pub fn fetched(&self) -> impl Iterator<Item = &Arc<KeySource>> {
        let jwt = match self {
            Self::Jwt(jwt) => Some(jwt),
            Self::Basic(_) | Self::Webhook(_) | Self::Iam => None,
        };
        jwt.into_iter().flat_map(JwtAuthorizer::fetched)
    }
}

/// What a route asks of its callers.
#[derive(Clone)]
pub struct Demand {
    /// To be let in by this authorizer,
    pub authorizer: Arc<Authorizer>,
    /// with one of these scopes, if there are any.
    scopes: Box<[Box<str>]>,
    scopes_text: String,
}

impl Demand {
    /// To be let in by this authorizer, with one of these scopes; with any, when there are none.
    #[must_use]
    pub fn new(authorizer: Arc<Authorizer>, scopes: &[String]) -> Self {
        let scopes_text = scopes.join(" ");
        let scopes = scopes.iter().map(|scope| scope.as_str().into()).collect();
        Self { authorizer, scopes, scopes_text }
    }

    /// The scopes, a space between them.
    #[must_use]
    pub fn scopes(&self) -> &str {
        &self.scopes_text
    }

    /// Whether the token is for what the route asks, and has one of its scopes.
    ///
    /// # Errors
    /// Which it is not.
    pub fn check_scopes(&self, verified: &Verified) -> Result<(), TokenFault> {
        verified.check_use(!self.scopes.is_empty())?;
        let mut scopes = self.scopes.iter();
        match self.scopes.is_empty() || scopes.any(|scope| verified.has_scope(scope)) {
            true => Ok(()),
            false => Err(TokenFault::InsufficientScope),
        }
    }
}
