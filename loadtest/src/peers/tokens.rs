//! The same Ringway without and with a JWT authorizer: what a token that is remembered costs.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Algorithm, ISSUER, Issuer, SCOPE};

/// The path that is asked for there.
pub(crate) const PATH: &str = "/guarded";
/// The gateway that the other is held against.
pub(crate) const NONE: &str = "no authorizer";
const KEYS: &str = "keys.json";

/// What a route asks of its callers, who all bring a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// Nothing.
    None,
    /// An issuer's token with a scope, and there is a throttle for the route.
    Jwt,
}

impl Tokens {
    pub(crate) const ALL: [Self; 2] = [Self::None, Self::Jwt];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => NONE,
            Self::Jwt => "JWT",
        }
    }

    /// A token for it, whose key is written to `folder`.
    pub(super) fn issue(folder: &Path) -> io::Result<String> {
        let issuer = Issuer::new(Algorithm::Rs256)?;
        std::fs::write(folder.join(KEYS), json!({"keys": [issuer.jwk()]}).to_string())?;
        issuer.token(0)
    }

    /// What the stage says of it. Nothing is ever refused.
    pub(super) fn stage(self) -> Value {
        match self {
            Self::None => json!({"stageName": "$default"}),
            Self::Jwt => json!({"stageName": "$default", "routeSettings": {format!("GET {PATH}"):
                {"throttlingRateLimit": 1_000_000, "throttlingBurstLimit": 1_000_000}}}),
        }
    }

    /// What the route asks for.
    pub(super) fn security(self) -> Option<Value> {
        (self == Self::Jwt).then(|| json!([{"issuer": [SCOPE]}]))
    }
}

/// The security scheme `issuer`, whose keys are in a file.
pub(crate) fn scheme(keys_file: &str) -> Value {
    json!({"type": "oauth2", "flows": {}, "x-amazon-apigateway-authorizer": {
        "type": "jwt", "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": ISSUER, "audience": [AUDIENCE], "jwksFile": keys_file,
            "algorithms": ["RS256", "ES384"]}}})
}

/// The same with the keys of [`Tokens::issue`].
pub(super) fn own_scheme() -> Value {
    scheme(KEYS)
}
