//! What JWT authorizers and Cognito user pools do differently: for whom a token has to be, whether
//! it has to be an ID or an access token, and in whose words it is refused.

use std::fmt::Write;

use regex_lite::Regex;

use super::claims;
use crate::{
    base::limits::VALIDATION_EXPRESSION_BYTES_MAX,
    json::strict::Value,
    steps::reject::{Catalogue, TokenFault},
};

/// Whose rules an authorizer goes by.
pub enum Manner {
    /// JWT authorizers' of HTTP APIs: `aud` or `client_id` is one of these.
    Jwt {
        /// What `aud`, or `client_id`, may be.
        audience: Box<[Box<str>]>,
    },
    /// Cognito user pools' of REST APIs: an ID token, or an access token where a route has scopes.
    UserPools {
        /// What `aud`, or `client_id`, has to look like.
        validation: Option<Validation>,
    },
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// Whatever is asked: the authorizer does not tell one from the other, or the issuer does not.
    Any,
    /// To say who its bearer is.
    Id,
    /// To let its bearer do something.
    Access,
    /// Something else, or it does not say, and its issuer's do.
    Other,
}

/// A compiled `identityValidationExpression`.
pub struct Validation {
    text: String,
    whole: Regex,
}

impl Manner {
    /// In whose words it refuses: AWS has user pools for REST APIs only.
    #[must_use]
    pub const fn catalogue(&self) -> Catalogue {
        match self {
            Self::Jwt { .. } => Catalogue::HttpApi,
            Self::UserPools { .. } => Catalogue::RestApi,
        }
    }

    /// What tells it from others.
    pub(super) fn describe(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Jwt { audience } => audience.iter().try_for_each(|one| write!(out, "{one}\0")),
            Self::UserPools { validation: None } => write!(out, "pools"),
            Self::UserPools { validation: Some(rule) } => write!(out, "pools\0{}", rule.text),
        };
    }

    pub(super) fn check_audience(&self, claims: &Value) -> Result<(), TokenFault> {
        match self {
            Self::Jwt { audience } => {
                claims::check_audience(claims, |found| audience.iter().any(|one| **one == *found))
            }
            Self::UserPools { validation: None } => Ok(()),
            Self::UserPools { validation: Some(rule) } => {
                claims::check_audience(claims, |found| rule.matches(found))
            }
        }
    }

    /// `token_use` is Cognito's. Other servers that stand in for a pool have no such claim: then an
    /// access token is known by its header (RFC 9068), and otherwise taken for what is asked.
    pub(super) fn token_use(&self, claims: &Value, says_use: bool, is_access: bool) -> TokenUse {
        if matches!(self, Self::Jwt { .. }) {
            return TokenUse::Any;
        }
        match claims.find("token_use") {
            Some(Value::Text(said)) if said == "id" && !is_access => TokenUse::Id,
            Some(Value::Text(said)) if said == "access" => TokenUse::Access,
            None if !says_use && is_access => TokenUse::Access,
            None if !says_use => TokenUse::Any,
            Some(_) | None => TokenUse::Other,
        }
    }
}

impl Validation {
    /// Compiles AWS's text, which has to match the whole claim, as Java's `matches` does.
    ///
    /// # Errors
    /// Half a sentence that begins with a verb.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > VALIDATION_EXPRESSION_BYTES_MAX {
            return Err(format!("has to be 1 to {VALIDATION_EXPRESSION_BYTES_MAX} bytes"));
        }
        // By itself first: brackets that are closed and opened again would undo the anchors.
        let compile = |text: &str| Regex::new(text).map_err(|why| format!("is not taken: {why}"));
        compile(text)?;
        let whole = compile(&format!(r"\A(?:{text})\z"))?;
        Ok(Self { text: text.to_owned(), whole })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn matches(&self, claim: &str) -> bool {
        self.whole.is_match(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_the_whole_claim() {
        let check = |text: &str, claim: &str, expected: bool| {
            assert_eq!(Validation::parse(text).unwrap().matches(claim), expected, "{text} {claim}");
        };
        check("pets", "pets", true);
        check("pets", "pets2", false);
        check("pets", "my pets", false);
        check("pets|dogs", "dogs", true);
        check("pets|dogs", "petsdogs", false);
        check("pets|dogs", "xdogs", false);
        check("pets$", "pets\n", false);
        check("(?m)^pets$", "x\npets", false);
        check("[a-z]{4}", "pets", true);
        check(".*", "", true);
    }

    #[test]
    fn what_is_no_expression_is_told() {
        // The second would be one between the anchors, and match anything that ends in b.
        let longest = "a".repeat(VALIDATION_EXPRESSION_BYTES_MAX);
        assert!(Validation::parse(&longest).is_ok());
        for text in ["(", "a)|(?:b", "", "a(?=b)", r"(a)\1", &format!("{longest}a")] {
            assert!(Validation::parse(text).is_err(), "{text}");
        }
        assert!(Validation::parse("(a{1000}){1000}").is_err(), "it takes megabytes");
    }
}
