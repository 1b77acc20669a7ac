//! What was signed: the canonical request, the string to sign, and the comparison.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time, digest, hmac};

use super::{
    Claim, Fault, Signed,
    claim::{decode, pairs, unescape},
};

/// A request as its signature sees it.
pub struct Canonical {
    request: String,
    to_sign: String,
    scope: String,
    signature: String,
    /// Is not shown.
    token: Option<String>,
}

impl Canonical {
    /// `payload` is the SHA-256 of the body, in lower-case hex.
    #[must_use]
    pub fn new(claim: &Claim<'_>, signed: &Signed<'_>, payload: &str) -> Self {
        let mut request = format!("{}\n", signed.method);
        encode(signed.path, b"/", &mut request);
        request.push('\n');
        write_query(signed.query.unwrap_or_default(), claim.is_presigned(), &mut request);
        request.push('\n');
        for name in claim.headers.split(';') {
            let _ = write!(request, "{name}:");
            for (place, value) in signed.fields.named(name.as_bytes()).enumerate() {
                request.push_str(if place == 0 { "" } else { "," });
                let text = String::from_utf8_lossy(value);
                for (place, word) in text.split_ascii_whitespace().enumerate() {
                    request.push_str(if place == 0 { "" } else { " " });
                    request.push_str(word);
                }
            }
            request.push('\n');
        }
        let _ = write!(request, "\n{}\n{payload}", claim.headers);
        let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", claim.stamp, claim.scope);
        let (scope, signature) = (claim.scope.to_string(), claim.signature.to_string());
        let token = claim.token.as_ref().map(ToString::to_string);
        Self { request, to_sign, scope, signature, token }
    }

    /// Judges a request: what was signed, and whether it is what was sent. Signers of AWS's join
    /// slashes before they sign, and send the path as it was; so a path with several slashes in a
    /// row may be signed either way. Both lead to one route, and policies are asked of both.
    pub fn judge(
        claim: &Claim<'_>,
        signed: &Signed<'_>,
        payload: &str,
        secret: &[u8],
    ) -> (Self, Result<(), Fault>) {
        let canonical = Self::new(claim, signed, payload);
        let outcome = canonical.prove(secret);
        if outcome.is_err() && signed.path.windows(2).any(|two| two == b"//") {
            let mut path = signed.path.to_vec();
            path.dedup_by(|one, before| *one == b'/' && *before == b'/');
            let joined = Self::new(claim, &Signed { path: &path, ..*signed }, payload);
            if joined.prove(secret).is_ok() {
                return (joined, Ok(()));
            }
        }
        (canonical, outcome)
    }

    /// Whether the signature is made with this secret; takes as long whatever differs.
    ///
    /// # Errors
    /// [`Fault::Mismatch`]
    pub fn prove(&self, secret: &[u8]) -> Result<(), Fault> {
        let mut key = [b"AWS4", secret].concat();
        for part in self.scope.split('/') {
            key = mac(&key, part.as_bytes());
        }
        let made = hex(&mac(&key, self.to_sign.as_bytes()));
        let same =
            constant_time::verify_slices_are_equal(made.as_bytes(), self.signature.as_bytes());
        same.map_err(|_| Fault::Mismatch)
    }

    /// What was hashed and signed.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.to_sign
    }

    /// The canonical request, whatever the signature's owner may read of it: no token.
    #[must_use]
    pub fn shown(&self) -> String {
        let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) else {
            return self.request.clone();
        };
        let mut encoded = String::new();
        encode(token.as_bytes(), b"", &mut encoded);
        self.request.replace(token, "(not shown)").replace(&encoded, "(not shown)")
    }

    #[cfg(test)]
    pub(super) fn request(&self) -> &str {
        &self.request
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

/// Sorted by encoded name, then by encoded value. A plus sign stays one: whether it is a space is
/// for the integration to say, so that it must not pass for `%20` or `%2B` here.
fn write_query(query: &[u8], is_presigned: bool, out: &mut String) {
    let mut sorted: Vec<(String, String)> = pairs(query)
        .filter(|(name, _)| !(is_presigned && decode(name) == "X-Amz-Signature"))
        .map(|(name, value)| {
            let encoded = |text: &[u8]| {
                let mut out = String::new();
                for (place, piece) in text.split(|&byte| byte == b'+').enumerate() {
                    out.push_str(if place == 0 { "" } else { "+" });
                    encode(&unescape(piece), b"", &mut out);
                }
                out
            };
            (encoded(name), encoded(value))
        })
        .collect();
    sorted.sort_unstable();
    for (place, (name, value)) in sorted.iter().enumerate() {
        let _ = write!(out, "{}{name}={value}", if place == 0 { "" } else { "&" });
    }
}

/// RFC 3986's unreserved bytes stay, and those of `kept`.
fn encode(text: &[u8], kept: &[u8], out: &mut String) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
