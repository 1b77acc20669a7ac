//! A token taken apart and its header judged, before anything of it is believed.
//!
//! Whatever a header could do to choose the key, other than naming one of the authorizer's by its
//! id, is refused here.

use super::{
    algorithm::{Algorithm, Algorithms},
    base64url,
};
use crate::{
    base::limits::{KEY_ID_BYTES_MAX, TOKEN_BYTES_MAX},
    json::strict::{self, Value},
    steps::reject::TokenFault,
};

/// A token whose header is sound. Its claims are not read, its signature is not checked.
pub(super) struct Unverified<'t> {
    /// What is signed: header and claims as they were sent.
    pub(super) signed: &'t [u8],
    /// The claims, encoded.
    pub(super) claims: &'t [u8],
    /// The signature, encoded.
    pub(super) signature: &'t str,
    pub(super) algorithm: Algorithm,
    /// Which key signed it, as it says.
    pub(super) kid: Option<String>,
    /// Its header says that it is an access token (`typ` `at+jwt`, RFC 9068).
    pub(super) is_access: bool,
}

/// Members of a header that bring a key, or say where one is.
const KEYS_IN_HEADER: [&str; 4] = ["jwk", "jku", "x5c", "x5u"];

impl<'t> Unverified<'t> {
    pub(super) fn parse(token: &'t [u8], allowed: Algorithms) -> Result<Self, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::TooLong);
        }
        let mut parts = token.split(|&byte| byte == b'.');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(header), Some(claims), Some(signature), None) = parts else {
            return Err(TokenFault::NotThreeParts);
        };
        if [header, claims, signature].iter().any(|part| part.is_empty()) {
            return Err(TokenFault::NotThreeParts);
        }
        let bytes = base64url::decode(header).ok_or(TokenFault::NotBase64Url)?;
        base64url::decode(signature).ok_or(TokenFault::NotBase64Url)?;
        let signature = str::from_utf8(signature).map_err(|_| TokenFault::NotBase64Url)?;
        let header = object(&bytes, TokenFault::HeaderNotJson)?;
        let (algorithm, kid) = judge(&header, allowed)?;
        let signed = &token[..token.len() - signature.len() - 1];
        let kind = header.find("typ").and_then(Value::as_text).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        let is_access = matches!(kind.as_str(), "at+jwt" | "application/at+jwt");
        Ok(Self { signed, claims, signature, algorithm, kid, is_access })
    }

    /// The claims, to be read once the signature is known to be sound.
    pub(super) fn claims(&self) -> Result<Value, TokenFault> {
        let bytes = base64url::decode(self.claims).ok_or(TokenFault::NotBase64Url)?;
        object(&bytes, TokenFault::ClaimsNotJson)
    }
}

fn object(text: &[u8], otherwise: TokenFault) -> Result<Value, TokenFault> {
    match Value::parse(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Err(strict::Fault::DuplicateMember) => Err(TokenFault::DuplicateMember),
        Ok(_) | Err(strict::Fault::NotJson) => Err(otherwise),
    }
}

fn judge(header: &Value, allowed: Algorithms) -> Result<(Algorithm, Option<String>), TokenFault> {
    let algorithm = header.find("alg").and_then(Value::as_text).and_then(Algorithm::parse);
    let algorithm = algorithm.filter(|one| allowed.has(*one)).ok_or(TokenFault::Algorithm)?;
    if KEYS_IN_HEADER.iter().any(|name| header.find(name).is_some()) {
        return Err(TokenFault::KeyInHeader);
    }
    // `b64: false` comes with `crit`: the more telling fault first.
    if header.find("b64").is_some() {
        return Err(TokenFault::Unencoded);
    }
    if header.find("crit").is_some() {
        return Err(TokenFault::Critical);
    }
    let kid = match header.find("kid") {
        None => None,
        Some(Value::Text(kid)) if is_key_id(kid) => Some(kid.clone()),
        Some(_) => return Err(TokenFault::KeyId),
    };
    Ok((algorithm, kid))
}

/// An id is compared and nothing else. All the same, one that looks like a path or an address is
/// told from one that is merely unknown, which may have the issuer asked for its keys. Cognito's
/// ids are base64, in which a `/` may stand.
pub(super) fn is_key_id(kid: &str) -> bool {
    let fits = (1..=KEY_ID_BYTES_MAX).contains(&kid.len())
        && kid.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let is_base64 = kid.len().is_multiple_of(4)
        && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let is_path = kid.contains(['/', '\\']) || kid.contains("..");
    fits && (is_base64 || !is_path)
}
