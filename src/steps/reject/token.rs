//! What can be wrong with a token, in the words of `www-authenticate` (RFC 6750 3.1) and of the
//! access log. AWS documents one of its sentences ("the token does not have a valid audience"); the
//! others are in its manner.

use super::Catalogue;
use crate::http::Status;

/// Why a token does not let its bearer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// There is none where the authorizer looks.
    Missing,
    /// There is more than one.
    Several,
    /// It is longer than [`crate::base::limits::TOKEN_BYTES_MAX`].
    TooLong,
    /// It is not three parts with dots between them.
    NotThreeParts,
    /// A part is no base64url, or not in its one shortest form.
    NotBase64Url,
    /// The header is no JSON object.
    HeaderNotJson,
    /// The claims are no JSON object.
    ClaimsNotJson,
    /// An object of header or claims has a name twice.
    DuplicateMember,
    /// `alg` is none that the authorizer takes: `none`, an HMAC, or not named by it.
    Algorithm,
    /// The header brings its own key, or says where to find one (`jwk`, `jku`, `x5c`, `x5u`).
    KeyInHeader,
    /// The header has extensions that must be understood (`crit`).
    Critical,
    /// The claims would not be encoded (`b64`, RFC 7797).
    Unencoded,
    /// `kid` is no text, too long, or a path or an address.
    KeyId,
    /// The authorizer's key set cannot be had.
    KeysUnavailable,
    /// No key of the set has this id.
    UnknownKey,
    /// The key is not for this algorithm.
    UnfitKey,
    /// The signature is not the key's.
    Signature,
    /// `iss` is not the authorizer's.
    Issuer,
    /// Neither `aud` nor, in its absence, `client_id` is one of the authorizer's.
    Audience,
    /// `exp`, `nbf` or `iat` is no time.
    Time,
    /// There is no `exp`.
    NoExpiry,
    /// `exp` has passed.
    Expired,
    /// `nbf` is still to come.
    NotYetValid,
    /// `iat` is still to come.
    IssuedLater,
    /// The route asks for an ID token of a user pool.
    NotAnIdToken,
    /// The route asks for an access token of a user pool: it has scopes.
    NotAnAccessToken,
    /// It has none of the route's scopes: 403, but 401 in REST APIs' words.
    InsufficientScope,
}

impl TokenFault {
    /// 401, but 403 for a token that is sound and not enough, where the words are HTTP APIs'.
    #[must_use]
    pub const fn status(self, of: Catalogue) -> Status {
        match (of, self) {
            (Catalogue::HttpApi, Self::InsufficientScope) => Status::FORBIDDEN,
            _ => Status::UNAUTHORIZED,
        }
    }

    /// What its bearer sees. Only REST APIs say of a token that it has expired.
    pub(super) const fn body(self, of: Catalogue) -> &'static str {
        match (of, self) {
            (Catalogue::HttpApi, Self::InsufficientScope) => r#"{"message":"Forbidden"}"#,
            (Catalogue::RestApi, Self::Expired) => {
                r#"{"message":"The incoming token has expired"}"#
            }
            _ => r#"{"message":"Unauthorized"}"#,
        }
    }

    /// `error` and `error_description`; none when the request had no token (RFC 6750 3.1).
    #[must_use]
    pub const fn error(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Missing => None,
            Self::InsufficientScope => Some(("insufficient_scope", self.reason())),
            _ => Some(("invalid_token", self.reason())),
        }
    }

    /// The sentence, which tells nothing of the token's contents: sound in a quoted string.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "there is no token",
            Self::Several => "there is more than one token",
            Self::TooLong => "the token is too long",
            Self::NotThreeParts => "the token does not have three parts",
            Self::NotBase64Url => "the token is not base64url encoded",
            Self::HeaderNotJson => "the header of the token is not a JSON object",
            Self::ClaimsNotJson => "the claims of the token are not a JSON object",
            Self::DuplicateMember => "the token has a member twice",
            Self::Algorithm => "the token does not have a valid signing algorithm",
            Self::KeyInHeader => "the token brings its own key",
            Self::Critical => "the token has critical header members",
            Self::Unencoded => "the token has an unencoded payload",
            Self::KeyId => "the token does not have a valid key id",
            Self::KeysUnavailable => "the keys of the issuer are not available",
            Self::UnknownKey => "the token is signed with an unknown key",
            Self::UnfitKey => "the key of the token is not for its signing algorithm",
            Self::Signature => "the token does not have a valid signature",
            Self::Issuer => "the token does not have a valid issuer",
            Self::Audience => "the token does not have a valid audience",
            Self::Time => "the token does not have valid times",
            Self::NoExpiry => "the token does not expire",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::IssuedLater => "the token was issued in the future",
            Self::NotAnIdToken => "the token is not an ID token",
            Self::NotAnAccessToken => "the token is not an access token",
            Self::InsufficientScope => "the token does not have a required scope",
        }
    }
}
