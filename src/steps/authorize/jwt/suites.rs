// Third-party vectors: `jose-cookbook` (RFC 7520 and its neighbours) and `wycheproof`, read in
// place. A case comes to what its suite says, or stands in a table here with the reason.

use std::path::PathBuf;

use serde_json::Value;

use super::{Algorithm, Algorithms, keys::KeySet, token::Unverified};

fn suite(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/suites");
    let root = std::env::var_os("RINGWAY_SUITES").map_or_else(|| beside.into(), PathBuf::from);
    let path = root.join(name);
    if !path.exists() {
        assert!(std::env::var_os("CI").is_none(), "no suite at {}", path.display());
        eprintln!("SKIPPED: no suite at {}; set RINGWAY_SUITES", path.display());
        return None;
    }
    Some(path)
}

fn read(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Whether header and signature are sound with these keys; what the claims say is another matter
/// (the suites sign any text).
fn verifies(keys: &Value, token: &str) -> bool {
    let set = match keys.get("keys") {
        Some(_) => keys.clone(),
        None => serde_json::json!({ "keys": [keys] }),
    };
    let Ok(set) = KeySet::parse(set.to_string().as_bytes()) else { return false };
    let token = Unverified::parse(token.as_bytes(), Algorithms::of(&Algorithm::ALL));
    token.is_ok_and(|token| set.choose(&token).is_ok_and(|key| key.verify(&token).is_ok()))
}

/// Signatures of the cookbook that are not taken, and why.
const COOKBOOK_REFUSED: &[(&str, &str)] = &[
    ("jws/4_2.rsa-pss_signature.json", "PS384: API Gateway takes RS256, RS384 and RS512"),
    ("jws/4_3.ecdsa_signature.json", "ES512: ES256 and ES384 are taken"),
    ("jws/4_4.hmac-sha2_integrity_protection.json", "HS256: a secret is no public key"),
    ("jws/4_5.signature_with_detached_content.json", "no compact form with its payload; HS256"),
    ("jws/4_6.protecting_specific_header_fields.json", "no compact form; HS256"),
    ("jws/4_7.protecting_content_only.json", "no compact form; HS256"),
    ("jws/4_8.multiple_signatures.json", "no compact form: a token has one signature"),
    ("rfc7797/4.2.hmac-sha2_b64_false.json", "b64: claims are encoded (RFC 7519 3)"),
    ("rfc7797/hmac-sha2_b64_false.json", "b64: claims are encoded (RFC 7519 3)"),
];

#[test]
fn cookbook() {
    let Some(root) = suite("jose-cookbook") else { return };
    let mut files: Vec<String> = Vec::new();
    for folder in ["jws", "rfc7797"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".json") {
                files.push(format!("{folder}/{name}"));
            }
        }
    }
    files.push("curve25519/jws.json".to_owned());
    assert_eq!(files.len(), 11);
    let mut taken = Vec::new();
    for file in &files {
        let case = read(&root.join(file));
        let token = case["output"]["compact"].as_str().unwrap_or_default();
        let is_taken = verifies(&case["input"]["key"], token);
        let expected = !COOKBOOK_REFUSED.iter().any(|(name, _)| name == file);
        assert_eq!(is_taken, expected, "{file}");
        taken.extend(is_taken.then_some(file.as_str()));
    }
    assert_eq!(taken.len(), 2, "{taken:?}");
    // The same keys as the cookbook's own set of them: public and private, no symmetric ones.
    for (file, count) in [
        ("jwk/3_1.ec_public_key.json", 0),
        ("jwk/3_2.ec_private_key.json", 0),
        ("jwk/3_3.rsa_public_key.json", 1),
        ("jwk/3_4.rsa_private_key.json", 1),
        ("jwk/3_5.symmetric_key_mac_computation.json", 0),
        ("jwk/3_6.symmetric_key_encryption.json", 0),
    ] {
        let set = serde_json::json!({ "keys": [read(&root.join(file))] });
        let set = KeySet::parse(set.to_string().as_bytes()).unwrap();
        assert_eq!((set.len(), set.notes().is_empty()), (count, file.contains("3_3")), "{file}");
    }
}

/// Valid signatures that are not taken: by the algorithm of their header.
const VALID_REFUSED: &[(&str, &str)] = &[
    ("HS256", "a secret is no public key"),
    ("HS384", "a secret is no public key"),
    ("HS512", "a secret is no public key"),
    ("PS256", "API Gateway takes RS256, RS384 and RS512"),
    ("PS384", "API Gateway takes RS256, RS384 and RS512"),
    ("PS512", "API Gateway takes RS256, RS384 and RS512"),
    ("ES512", "ES256 and ES384 are taken"),
    ("ES256K", "ES256 and ES384 are taken"),
];

/// Cases that come to the opposite of what the suite says: file, case, why.
const DIFFERENT: &[(&str, u64, &str)] = &[
    (SIGNATURES, 259, EMPTY),
    (SIGNATURES, 264, EMPTY),
    (SIGNATURES, 268, EMPTY),
    (SIGNATURES, 372, "a character that is not base64url's in the header: RFC 7515 2 has none"),
    ("json_web_key_test", 7, ROCA),
    ("json_web_crypto_test", 46, ROCA),
];
const SIGNATURES: &str = "json_web_signature_test";
const EMPTY: &str = "an empty payload is no claims (RFC 7519 3): refused before its signature";
const ROCA: &str = "a key as weak as its maker left it: which keys are in the set is the issuer's";

#[test]
fn wycheproof() {
    let Some(root) = suite("wycheproof/testvectors_v1") else { return };
    let (mut taken, mut count) = (0, 0);
    let files = [SIGNATURES, "json_web_key_test", "json_web_crypto_test"];
    let mut faults = Vec::new();
    for file in files {
        let document = read(&root.join(format!("{file}.json")));
        for group in document["testGroups"].as_array().unwrap() {
            let keys =
                if group["public"].is_object() { &group["public"] } else { &group["private"] };
            for case in group["tests"].as_array().unwrap() {
                // Other cases are of encryption, or in a form that no header field has.
                let Some(token) = case["jws"].as_str() else { continue };
                let (id, comment) = (case["tcId"].as_u64().unwrap(), &case["comment"]);
                let is_taken = verifies(keys, token);
                let is_valid = case["result"] == "valid";
                let algorithm = algorithm(token);
                let is_refused = VALID_REFUSED.iter().any(|(name, _)| *name == algorithm);
                let is_different = DIFFERENT.iter().any(|it| (it.0, it.1) == (file, id));
                let expected = (is_valid && !is_refused) != is_different;
                if is_taken != expected {
                    faults.push(format!("{file} {id} {comment} {algorithm}: taken {is_taken}"));
                }
                count += 1;
                taken += usize::from(is_taken);
            }
        }
    }
    assert!(faults.is_empty(), "{taken} of {count} taken: {faults:#?}");
    assert!(taken > 0 && count > 200, "{taken} of {count} taken");
}

fn algorithm(token: &str) -> String {
    let header = token.split('.').next().and_then(|part| super::base64url::decode(part.as_bytes()));
    let header = header.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    header.and_then(|header| header["alg"].as_str().map(str::to_owned)).unwrap_or_default()
}
