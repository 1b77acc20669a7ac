//! Somebody who issues tokens: a key pair made at start, its public key as a JWKS, tokens of some
//! 800 bytes as issuers make them.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What `iss` and `aud` say, and a scope that every token has.
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "bench";
pub(crate) const SCOPE: &str = "pets.read";
/// Longer than any run.
const LIFETIME_SECONDS: u64 = 24 * 3_600;

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSA, 2,048 bits.
    Rs256,
    Es384,
}

impl Algorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es384 => "ES384",
        }
    }
}

/// The issuer.
pub(crate) struct Issuer {
    algorithm: Algorithm,
    pair: Pair,
    random: SystemRandom,
    expires: u64,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Elliptic(EcdsaKeyPair),
}

impl Issuer {
    #[expect(clippy::disallowed_methods, reason = "tokens say when they expire, by the calendar")]
    pub(crate) fn new(algorithm: Algorithm) -> io::Result<Self> {
        let pair = match algorithm {
            Algorithm::Rs256 => rsa::KeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::Es384 => {
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Pair::Elliptic)
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        Ok(Self {
            algorithm,
            pair: pair.map_err(io::Error::other)?,
            random: SystemRandom::new(),
            expires: now.as_secs() + LIFETIME_SECONDS,
        })
    }

    /// Its public key, whose id is the algorithm's name.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = encode(public.modulus().big_endian_without_leading_zero());
                let e = encode(public.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": n, "e": e})
            }
            Pair::Elliptic(pair) => {
                // 04, then both coordinates.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y)})
            }
        };
        jwk["kid"] = json!(self.algorithm.name());
        jwk["alg"] = json!(self.algorithm.name());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token; another number is another one.
    pub(crate) fn token(&self, number: u64) -> io::Result<String> {
        let signed = self.unsigned(number);
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, signed.as_bytes(), &mut signature)
                    .map_err(io::Error::other)?;
                encode(&signature)
            }
            Pair::Elliptic(pair) => {
                let signature = pair.sign(&self.random, signed.as_bytes());
                encode(signature.map_err(io::Error::other)?.as_ref())
            }
        };
        Ok(format!("{signed}.{signature}"))
    }

    /// The same with a signature that nobody made, though it could be one by its form.
    pub(crate) fn forged(&self, number: u64) -> String {
        let mut bytes = match &self.pair {
            Pair::Rsa(pair) => vec![0x5a; pair.public_modulus_len()],
            Pair::Elliptic(_) => vec![0x5a; 96],
        };
        bytes[1..9].copy_from_slice(&number.to_be_bytes());
        format!("{}.{}", self.unsigned(number), encode(&bytes))
    }

    fn unsigned(&self, number: u64) -> String {
        let header =
            json!({"alg": self.algorithm.name(), "kid": self.algorithm.name(), "typ": "JWT"});
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": self.expires, "jti": format!("{number:016x}"),
            "sub": "7f3c0a52-4d0e-4b59-a6a1-9d8b3e6f2c41", "scope": format!("openid {SCOPE}"),
            "email": "somebody.with-a-name@mail.example.com", "name": "Somebody With A Name",
            "groups": ["readers", "writers-of-pets", "administrators-of-pets"],
        });
        format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        )
    }
}

/// base64url without padding.
fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_letters() {
        assert_eq!(encode(b"fo"), "Zm8");
        assert_eq!(encode(b"foo"), "Zm9v");
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn tokens_differ_and_are_as_long_as_real_ones() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es384] {
            let issuer = Issuer::new(algorithm).unwrap();
            let (one, other) = (issuer.token(1).unwrap(), issuer.token(2).unwrap());
            assert_ne!(one, other);
            assert!((550..=900).contains(&one.len()), "{algorithm:?}: {}", one.len());
            assert_eq!(issuer.forged(1).len(), one.len(), "{algorithm:?}");
            assert_ne!(issuer.forged(1), issuer.forged(2));
        }
    }
}
