//! What a token's claims have to say: whom it is from and for, when it holds, what it allows.

use crate::{base::WallTime, json::strict::Value, steps::reject::TokenFault};

/// When a token holds, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    expires: u64,
    not_before: u64,
    issued: u64,
}

/// The year 9999 in seconds: what is later is no time that anybody meant.
const SECONDS_MAX: f64 = 253_402_300_800.0;

impl Times {
    /// `exp` has to be there; `nbf` and `iat` may be.
    pub(super) fn of(claims: &Value) -> Result<Self, TokenFault> {
        let expires = time(claims, "exp")?.ok_or(TokenFault::NoExpiry)?;
        let not_before = time(claims, "nbf")?.unwrap_or(0);
        let issued = time(claims, "iat")?.unwrap_or(0);
        Ok(Self { expires, not_before, issued })
    }

    /// Without leeway, as AWS has none: `exp` is the first moment at which it no longer holds.
    pub(super) const fn check(self, now: WallTime) -> Result<(), TokenFault> {
        if now.0 >= self.expires {
            return Err(TokenFault::Expired);
        }
        if now.0 < self.not_before {
            return Err(TokenFault::NotYetValid);
        }
        if now.0 < self.issued {
            return Err(TokenFault::IssuedLater);
        }
        Ok(())
    }
}

/// A NumericDate: seconds, possibly with a fraction (RFC 7519 2).
fn time(claims: &Value, name: &str) -> Result<Option<u64>, TokenFault> {
    #[expect(clippy::cast_precision_loss, reason = "what is over 2^53 is out of range")]
    let seconds = match claims.find(name) {
        None => return Ok(None),
        Some(Value::Integer(seconds)) => *seconds as f64,
        Some(Value::Float(seconds)) => *seconds,
        Some(_) => return Err(TokenFault::Time),
    };
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(TokenFault::Time);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in range, and the fraction of a millisecond may go"
    )]
    let milliseconds = (seconds * 1_000.0) as u64;
    Ok(Some(milliseconds))
}

/// `iss` is this one, to the letter.
pub(super) fn check_issuer(claims: &Value, issuer: &str) -> Result<(), TokenFault> {
    match claims.find("iss").and_then(Value::as_text) {
        Some(found) if found == issuer => Ok(()),
        _ => Err(TokenFault::Issuer),
    }
}

/// `aud` has one of ours; `client_id` counts only where there is no `aud`.
pub(super) fn check_audience(
    claims: &Value,
    is_ours: impl Fn(&str) -> bool,
) -> Result<(), TokenFault> {
    let is_for_us = match claims.find("aud") {
        Some(Value::Text(found)) => is_ours(found),
        Some(list) => list.as_texts().is_some_and(|all| all.into_iter().any(&is_ours)),
        None => claims.find("client_id").and_then(Value::as_text).is_some_and(&is_ours),
    };
    if is_for_us { Ok(()) } else { Err(TokenFault::Audience) }
}

/// The scopes of `scope`, or of `scp` where there is none: a text with spaces, or a list.
pub(super) fn scopes(claims: &Value) -> Box<[Box<str>]> {
    match claims.find("scope").or_else(|| claims.find("scp")) {
        Some(Value::Text(text)) => text.split_ascii_whitespace().map(Into::into).collect(),
        Some(list) => list.as_texts().unwrap_or_default().into_iter().map(Into::into).collect(),
        None => Box::default(),
    }
}
