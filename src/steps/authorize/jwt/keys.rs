//! A set of public keys (JWKS, RFC 7517), compiled: what can verify a signature stays, the rest is
//! left out with a reason.

use std::time::Duration;

use aws_lc_rs::digest;
use jsonwebtoken::DecodingKey;

use super::{
    algorithm::{Algorithm, Algorithms},
    base64url,
    token::{Unverified, is_key_id},
};
use crate::{
    base::limits::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX},
    json::strict::{Fault, Value},
    steps::reject::TokenFault,
};

/// The keys of an issuer.
pub struct KeySet {
    keys: Vec<Key>,
    /// Of its text: another text is another set.
    id: u128,
    /// What is to be told about it.
    notes: Vec<String>,
}

pub(super) struct Key {
    kid: Option<String>,
    /// What it may verify.
    algorithms: Algorithms,
    key: DecodingKey,
    /// Its place in the set.
    pub(super) number: usize,
    /// How long that takes, about.
    pub(super) cost: Duration,
}

/// Bits of an RSA key: shorter ones are no protection, longer ones take too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// What verifying takes, with some room (`benches/tokens.rs`): a multiplication of 2,048 bits, and
/// what comes with all of them; the signatures of one key of each other kind.
const RSA_STEP: Duration = Duration::from_nanos(1_500);
const RSA_FIXED: Duration = Duration::from_micros(5);
const P256_COST: Duration = Duration::from_micros(60);
const P384_COST: Duration = Duration::from_micros(220);
const ED25519_COST: Duration = Duration::from_micros(60);

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// One half of a sentence, that begins with a verb.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(format!("has more than {KEY_SET_BYTES_MAX} bytes"));
        }
        let value = Value::parse(text).map_err(|fault| match fault {
            Fault::NotJson => "is not JSON".to_owned(),
            Fault::DuplicateMember => "has a member twice in one object".to_owned(),
        })?;
        let Some(Value::List(list)) = value.find("keys") else {
            return Err("is not {\"keys\": [..]}".to_owned());
        };
        if list.len() > KEY_SET_KEYS_MAX {
            return Err(format!("has {} keys; at most {KEY_SET_KEYS_MAX} fit", list.len()));
        }
        let digest = digest::digest(&digest::SHA256, text);
        let id = u128::from_be_bytes(*digest.as_ref().first_chunk().expect("it has 32 bytes"));
        let mut set = Self { keys: Vec::new(), id, notes: Vec::new() };
        for (place, jwk) in list.iter().enumerate() {
            let name = jwk.find("kid").and_then(Value::as_text).filter(|kid| is_key_id(kid));
            let name = name.map_or_else(|| format!("number {}", place + 1), str::to_owned);
            if jwk.find("d").is_some() {
                set.notes.push(format!("key {name} has its private part beside it"));
            }
            match Key::compile(jwk, place) {
                Ok(key) if set.has_like(&key) => {
                    return Err(format!("has two keys with the id of key {name}"));
                }
                Ok(key) => set.keys.push(key),
                Err(why) => set.notes.push(format!("key {name} {why}; it is left out")),
            }
        }
        Ok(set)
    }

    /// Two keys of one id, for the same algorithms, would make it chance which one verifies.
    fn has_like(&self, key: &Key) -> bool {
        self.keys.iter().any(|known| known.kid == key.kid && known.shares(key))
    }

    /// What was left out, and what should not be in it.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many keys can verify.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none can.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Tells it from others.
    #[must_use]
    pub const fn id(&self) -> u128 {
        self.id
    }

    /// The key which the token names. One without `kid` is taken when there is no choice.
    pub(super) fn choose(&self, token: &Unverified<'_>) -> Result<&Key, TokenFault> {
        let named = |key: &&Key| token.kid.is_none() || key.kid == token.kid;
        let fits = |key: &&Key| key.algorithms.has(token.algorithm);
        let mut fitting = self.keys.iter().filter(named).filter(fits);
        if let (Some(key), None) = (fitting.next(), fitting.next()) {
            return Ok(key);
        }
        match self.keys.iter().any(|key| named(&key)) && token.kid.is_some() {
            true => Err(TokenFault::UnfitKey),
            false => Err(TokenFault::UnknownKey),
        }
    }
}

impl Key {
    /// Whether the token's signature is this key's.
    pub(super) fn verify(&self, token: &Unverified<'_>) -> Result<(), TokenFault> {
        let algorithm = token.algorithm.of_crate();
        match jsonwebtoken::crypto::verify(token.signature, token.signed, &self.key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(TokenFault::Signature),
        }
    }

    fn compile(jwk: &Value, number: usize) -> Result<Self, String> {
        let text = |name| jwk.find(name).and_then(Value::as_text);
        let kid = match jwk.find("kid") {
            None => None,
            Some(Value::Text(kid)) if is_key_id(kid) => Some(kid.clone()),
            Some(_) => return Err("has a kid that is no id".to_owned()),
        };
        if jwk.find("use").is_some_and(|found| found.as_text() != Some("sig")) {
            return Err("is not for signatures (use)".to_owned());
        }
        let operations = jwk.find("key_ops").map(|found| found.as_texts().unwrap_or_default());
        if operations.is_some_and(|all| !all.contains(&"verify")) {
            return Err("is not for verifying (key_ops)".to_owned());
        }
        let (family, key, cost) = match text("kty") {
            Some("RSA") => rsa(jwk)?,
            Some("EC") => elliptic(jwk)?,
            Some("OKP") => edwards(jwk)?,
            Some("oct") => return Err("is a shared secret, no public key".to_owned()),
            _ => return Err("has a kty that is not RSA, EC or OKP".to_owned()),
        };
        let algorithms = match jwk.find("alg") {
            None => Algorithms::of(family),
            Some(alg) => {
                let named = alg.as_text().and_then(Algorithm::parse);
                let named = named.filter(|one| family.contains(one));
                Algorithms::of(&[named.ok_or("has an alg that its kind of key is not for")?])
            }
        };
        Ok(Self { kid, algorithms, key, number, cost })
    }

    fn shares(&self, other: &Self) -> bool {
        let both = |one: &Algorithm| self.algorithms.has(*one) && other.algorithms.has(*one);
        Algorithm::ALL.iter().any(both)
    }
}

type Family = &'static [Algorithm];

fn rsa(jwk: &Value) -> Result<(Family, DecodingKey, Duration), String> {
    let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(format!("has {bits} bits; 2048 to 8192 are taken"));
    }
    // An exponent of 1 verifies anything; longer ones than 32 bits only take time.
    let is_sound = e.len() <= 4 && e.last().is_some_and(|byte| byte % 2 == 1) && e != [1];
    if !is_sound {
        return Err("has an exponent that is not sound".to_owned());
    }
    const FAMILY: Family = &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];
    Ok((FAMILY, DecodingKey::from_rsa_raw_components(&n, &e), rsa_cost(bits, &e)))
}

/// A multiplication for each bit of the exponent and one more for each that is set, of as many
/// digits squared.
fn rsa_cost(bits: usize, e: &[u8]) -> Duration {
    let e = e.iter().fold(0_u32, |e, byte| e << 8 | u32::from(*byte));
    let steps = e.ilog2() + e.count_ones();
    let digits = u32::try_from(bits.div_ceil(64)).unwrap_or(u32::MAX);
    RSA_STEP * steps * digits.pow(2) / 1_024 + RSA_FIXED
}

/// Whether the point is on the curve is asked at each signature, by the crate.
fn elliptic(jwk: &Value) -> Result<(Family, DecodingKey, Duration), String> {
    let crv = jwk.find("crv").and_then(Value::as_text);
    let (family, length, cost): (Family, _, _) = match crv {
        Some("P-256") => (&[Algorithm::Es256], 32, P256_COST),
        Some("P-384") => (&[Algorithm::Es384], 48, P384_COST),
        _ => return Err("has a curve that is not P-256 or P-384".to_owned()),
    };
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(format!("has coordinates that do not have {length} bytes"));
    }
    let point = [&[4], x.as_slice(), &y].concat();
    Ok((family, DecodingKey::from_ec_der(&point), cost))
}

fn edwards(jwk: &Value) -> Result<(Family, DecodingKey, Duration), String> {
    let x = bytes(jwk, "x")?;
    match jwk.find("crv").and_then(Value::as_text) {
        Some("Ed25519") if x.len() == 32 => {
            Ok((&[Algorithm::EdDsa], DecodingKey::from_ed_der(&x), ED25519_COST))
        }
        Some("Ed25519") => Err("has an x that does not have 32 bytes".to_owned()),
        _ => Err("has a curve that is not Ed25519".to_owned()),
    }
}

fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = jwk.find(name).and_then(Value::as_text);
    let bytes = text.and_then(|text| base64url::decode(text.as_bytes()));
    bytes.ok_or_else(|| format!("has no {name} in base64url"))
}

/// Without the zeros that some issuers begin it with.
fn number(jwk: &Value, name: &str) -> Result<Vec<u8>, String> {
    let bytes = bytes(jwk, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}
