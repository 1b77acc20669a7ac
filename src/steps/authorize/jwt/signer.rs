// Who signs tokens for the tests: keys made anew, their public halves as JWKs.

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub(super) enum Signer {
    Rsa(rsa::KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// Making one takes a while.
pub(super) static RSA: LazyLock<Signer> =
    LazyLock::new(|| Signer::Rsa(rsa::KeyPair::generate(KeySize::Rsa2048).unwrap()));

impl Signer {
    pub(super) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(super) fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub(super) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// The public key with these members more, such as `"kid":"a"`.
    pub(super) fn jwk(&self, more: &str) -> String {
        let members = match self {
            Self::Rsa(pair) => {
                let (n, e) = modulus_and_exponent(pair);
                format!(r#""kty":"RSA","n":"{}","e":"{}""#, encode(&n), encode(&e))
            }
            Self::P256(pair) => point("P-256", pair.public_key().as_ref()),
            Self::P384(pair) => point("P-384", pair.public_key().as_ref()),
            Self::Ed(pair) => {
                let x = encode(pair.public_key().as_ref());
                format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}""#)
            }
        };
        format!("{{{members},{more}}}")
    }

    /// A token of these two JSON texts; the algorithm is the one that the header names.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let (message, random) = (signed.as_bytes(), SystemRandom::new());
        let signature = match self {
            Self::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                let scheme: &'static dyn aws_lc_rs::signature::RsaEncoding = match header {
                    _ if header.contains("RS384") => &RSA_PKCS1_SHA384,
                    _ if header.contains("RS512") => &RSA_PKCS1_SHA512,
                    _ if header.contains("PS256") => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(scheme, &random, message, &mut out).unwrap();
                out
            }
            Self::P256(pair) | Self::P384(pair) => {
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(&signature))
    }
}

/// The DER of an RSA public key is two integers in a sequence.
fn modulus_and_exponent(pair: &rsa::KeyPair) -> (Vec<u8>, Vec<u8>) {
    let der: Vec<u8> = pair.public_key().as_ref().to_vec();
    let mut rest = &contents(&mut der.as_slice())[..];
    let (n, e) = (contents(&mut rest), contents(&mut rest));
    let from = usize::from(n[0] == 0);
    (n[from..].to_vec(), e)
}

fn contents(der: &mut &[u8]) -> Vec<u8> {
    let (length, start) = match usize::from(der[1]) {
        short @ 0..0x80 => (short, 2),
        long => {
            let bytes = &der[2..2 + (long - 0x80)];
            let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, 2 + bytes.len())
        }
    };
    let found = der[start..start + length].to_vec();
    *der = &der[start + length..];
    found
}

fn point(curve: &str, bytes: &[u8]) -> String {
    let (x, y) = bytes[1..].split_at(bytes.len() / 2);
    format!(r#""kty":"EC","crv":"{curve}","x":"{}","y":"{}""#, encode(x), encode(y))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
