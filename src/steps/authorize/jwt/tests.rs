use super::{
    signer::{RSA, Signer, encode},
    *,
};
use crate::{
    base::limits::TOKEN_BYTES_MAX,
    steps::{
        authorize::{Authorizer, Demand},
        fixture,
    },
};

/// 2026-03-04T19:15:17Z.
const NOW: WallTime = WallTime(1_772_651_717_000);
const SOUND: &str = r#"{"iss":"https://issuer.example","aud":"pets","sub":"u1","exp":1772651777,
                        "nbf":1772651717,"iat":1772651717,"scope":"read write"}"#;

fn issuer(name: &str, keys: KeySet, says_use: bool) -> Issuer {
    Issuer { name: name.into(), keys: IssuerKeys::Fixed(Arc::new(keys)), says_use }
}

/// An authorizer with these JWKs and algorithms.
fn authorizer(jwks: &[String], algorithms: Algorithms) -> JwtAuthorizer {
    let keys = KeySet::parse(format!(r#"{{"keys":[{}]}}"#, jwks.join(",")).as_bytes()).unwrap();
    assert_eq!(keys.notes(), [""; 0]);
    JwtAuthorizer::compile(JwtDraft {
        name: "jwt".to_owned(),
        source: IdentitySource::parse("$request.header.Authorization").unwrap(),
        issuers: vec![issuer("https://issuer.example", keys, false)],
        manner: Manner::Jwt { audience: ["pets".into(), "toys".into()].into() },
        algorithms,
    })
}

impl JwtAuthorizer {
    fn try_token(&self, token: &[u8], now: WallTime) -> Result<Verified, TokenFault> {
        let issuer = self.choose(token)?;
        let IssuerKeys::Fixed(keys) = &self.issuers[usize::from(issuer)].keys else {
            panic!("its keys are not here")
        };
        self.verify(token, issuer, keys, now)
    }
}

fn rsa_authorizer() -> JwtAuthorizer {
    authorizer(&[RSA.jwk(r#""kid":"a""#)], Algorithms::AWS)
}

/// The header and claims, signed with the issuer's RSA key, come to this.
#[track_caller]
fn check(header: &str, claims: &str, expected: Result<(), TokenFault>) {
    let token = RSA.sign(header, claims);
    let found = rsa_authorizer().try_token(token.as_bytes(), NOW).map(|_| ());
    assert_eq!(found, expected, "{header} {claims}");
}

#[track_caller]
fn check_header(header: &str, fault: TokenFault) {
    check(header, SOUND, Err(fault));
}

/// The sound claims with one member more or, if it is there, another one.
fn claims_with(name: &str, value: &str) -> String {
    let value = serde_json::from_str(value).unwrap();
    let mut claims: serde_json::Value = serde_json::from_str(SOUND).unwrap();
    claims[name] = value;
    claims.to_string()
}

fn claims_without(name: &str) -> String {
    let mut claims: serde_json::Value = serde_json::from_str(SOUND).unwrap();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims.to_string()
}

const HEADER: &str = r#"{"alg":"RS256","kid":"a"}"#;

#[test]
fn a_sound_token_of_each_algorithm_is_taken() {
    let (p256, p384, ed) = (Signer::p256(), Signer::p384(), Signer::ed());
    let all = Algorithms::of(&Algorithm::ALL);
    let jwks = [
        RSA.jwk(r#""kid":"r","use":"sig","key_ops":["verify"],"x5t":"_""#),
        p256.jwk(r#""kid":"p256","alg":"ES256""#),
        p384.jwk(r#""kid":"p384""#),
        ed.jwk(r#""kid":"ed""#),
    ];
    let authorizer = authorizer(&jwks, all);
    let cases: [(&Signer, &str, &str); 6] = [
        (&RSA, "RS256", "r"),
        (&RSA, "RS384", "r"),
        (&RSA, "RS512", "r"),
        (&p256, "ES256", "p256"),
        (&p384, "ES384", "p384"),
        (&ed, "EdDSA", "ed"),
    ];
    for (signer, alg, kid) in cases {
        let header = format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"{kid}"}}"#);
        let token = signer.sign(&header, SOUND);
        let verified = authorizer.try_token(token.as_bytes(), NOW).unwrap();
        assert_eq!(verified.claims.subject(), Some("u1"), "{alg}");
        // One bit of the signature, of the claims, of the header: another token.
        for place in [token.len() - 8, token.len() / 2, 10] {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert!(authorizer.try_token(&bytes, NOW).is_err(), "{alg} {place}");
        }
    }
    // What the authorizer does not name is not taken, though it has the key.
    let aws = super::JwtAuthorizer { algorithms: Algorithms::AWS, ..authorizer };
    let token = p256.sign(r#"{"alg":"ES256","kid":"p256"}"#, SOUND);
    assert_eq!(aws.try_token(token.as_bytes(), NOW).unwrap_err(), TokenFault::Algorithm);
}

#[test]
fn attack_alg_none() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = format!(r#"{{"alg":"{alg}","kid":"a"}}"#);
        check_header(&header, TokenFault::Algorithm);
        let bare = format!("{}.{}.", encode(header.as_bytes()), encode(SOUND.as_bytes()));
        let found = rsa_authorizer().try_token(bare.as_bytes(), NOW).unwrap_err();
        assert_eq!(found, TokenFault::NotThreeParts);
    }
    check_header(r#"{"kid":"a"}"#, TokenFault::Algorithm);
    check_header(r#"{"alg":null,"kid":"a"}"#, TokenFault::Algorithm);
    check_header(r#"{"alg":["RS256"],"kid":"a"}"#, TokenFault::Algorithm);
    check_header(r#"{"alg":"rs256","kid":"a"}"#, TokenFault::Algorithm);
}

#[test]
fn attack_hmac_with_the_public_key_as_secret() {
    use aws_lc_rs::hmac;
    let jwk = RSA.jwk(r#""kid":"a""#);
    for secret in [jwk.as_bytes(), jwk.split('"').nth(7).unwrap().as_bytes()] {
        let signed =
            format!("{}.{}", encode(br#"{"alg":"HS256","kid":"a"}"#), encode(SOUND.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let token = format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes()).as_ref()));
        let found = rsa_authorizer().try_token(token.as_bytes(), NOW).unwrap_err();
        assert_eq!(found, TokenFault::Algorithm);
    }
}

#[test]
fn attack_another_padding_of_the_same_key() {
    check_header(r#"{"alg":"PS256","kid":"a"}"#, TokenFault::Algorithm);
    // Signed with PSS, said to be PKCS 1.
    check_header(r#"{"alg":"RS256","kid":"a","x":"PS256"}"#, TokenFault::Signature);
}

#[test]
fn attack_a_key_in_the_header() {
    let own = Signer::p256();
    let jwk = own.jwk(r#""kid":"a""#);
    let members = [
        format!(r#""jwk":{jwk}"#),
        r#""jku":"https://evil.example/keys""#.to_owned(),
        r#""x5u":"https://evil.example/cert""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
    ];
    for member in members {
        let header = format!(r#"{{"alg":"ES256","kid":"a",{member}}}"#);
        let all = Algorithms::of(&Algorithm::ALL);
        let authorizer = authorizer(&[RSA.jwk(r#""kid":"a""#)], all);
        let token = own.sign(&header, SOUND);
        assert_eq!(
            authorizer.try_token(token.as_bytes(), NOW).unwrap_err(),
            TokenFault::KeyInHeader
        );
        check_header(&format!(r#"{{"alg":"RS256","kid":"a",{member}}}"#), TokenFault::KeyInHeader);
    }
}

#[test]
fn attack_a_key_id_that_is_a_path_or_an_address() {
    let long = "a".repeat(257);
    let kids = [
        "../../dev/null",
        "/dev/null",
        "/etc/passwd",
        "..",
        r"..\\..\\a",
        "https://evil.example/keys",
        "file:///etc/passwd",
        "keys/2026-01",
        r"a\u0000",
        r"a\n",
        "",
        &long,
    ];
    for kid in kids {
        check_header(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), TokenFault::KeyId);
    }
    for kid in ["1", "null", "{}", r#"["a"]"#] {
        check_header(&format!(r#"{{"alg":"RS256","kid":{kid}}}"#), TokenFault::KeyId);
    }
    // Not in the set, and no attack: Cognito's ids are base64. 256 bytes are the limit.
    let most = "a".repeat(256);
    for kid in ["HWfpgRJ3XG8/SVdGkI3l/F1RBIGCGvxqjZmX7pHmXgE=", "b", "' OR 1=1 --", &most] {
        check_header(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), TokenFault::UnknownKey);
    }
}

#[test]
fn attack_critical_and_unencoded() {
    check_header(r#"{"alg":"RS256","kid":"a","crit":["exp"]}"#, TokenFault::Critical);
    check_header(r#"{"alg":"RS256","kid":"a","crit":[]}"#, TokenFault::Critical);
    check_header(r#"{"alg":"RS256","kid":"a","b64":false,"crit":["b64"]}"#, TokenFault::Unencoded);
    check_header(r#"{"alg":"RS256","kid":"a","b64":true}"#, TokenFault::Unencoded);
}

#[test]
fn attack_duplicate_members() {
    check_header(r#"{"alg":"none","kid":"a","alg":"RS256"}"#, TokenFault::DuplicateMember);
    check_header(r#"{"alg":"RS256","kid":"b","kid":"a"}"#, TokenFault::DuplicateMember);
    let twice = |member: &str| SOUND.replacen('{', &format!("{{{member},"), 1);
    for member in [r#""aud":"toys""#, r#""exp":9999999999"#, r#""\u0073ub":"root""#] {
        check(HEADER, &twice(member), Err(TokenFault::DuplicateMember));
    }
    check(HEADER, &claims_with("o", r#"{"a":1}"#), Ok(()));
    let nested = SOUND.replacen('{', r#"{"o":{"a":1,"a":2},"#, 1);
    check(HEADER, &nested, Err(TokenFault::DuplicateMember));
}

#[test]
fn attack_a_token_that_is_no_token() {
    let sound = RSA.sign(HEADER, SOUND);
    let parts: Vec<&str> = sound.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let cases = [
        (String::new(), TokenFault::NotThreeParts),
        (header.to_owned(), TokenFault::NotThreeParts),
        (format!("{header}.{claims}"), TokenFault::NotThreeParts),
        (format!("{header}.{claims}."), TokenFault::NotThreeParts),
        (format!("{header}..{signature}"), TokenFault::NotThreeParts),
        (format!(".{claims}.{signature}"), TokenFault::NotThreeParts),
        (format!("{sound}."), TokenFault::NotThreeParts),
        (format!("{sound}.{signature}.{signature}"), TokenFault::NotThreeParts),
        (format!("{header}=.{claims}.{signature}"), TokenFault::NotBase64Url),
        (format!("{header}.{claims}.{signature}=="), TokenFault::NotBase64Url),
        (format!("{header}.{claims}.{signature} "), TokenFault::NotBase64Url),
        (format!("{header}\n.{claims}.{signature}"), TokenFault::NotBase64Url),
        (format!("{header}.{claims} .{signature}"), TokenFault::Signature),
        (format!("{}.{claims}.{signature}", encode(b"[]")), TokenFault::HeaderNotJson),
        (format!("{}.{claims}.{signature}", encode(b"{")), TokenFault::HeaderNotJson),
        (format!("{}.{claims}.{signature}", encode(b"\xff\xfe")), TokenFault::HeaderNotJson),
        (r#"{"payload":"","signatures":[]}"#.to_owned(), TokenFault::NotThreeParts),
    ];
    for (token, fault) in cases {
        let found = rsa_authorizer().try_token(token.as_bytes(), NOW).unwrap_err();
        assert_eq!(found, fault, "{token}");
    }
    for claims in ["[]", "\"a\"", "1", "", "{\"a\":1}x", "null"] {
        let token = RSA.sign(HEADER, claims);
        let found = rsa_authorizer().try_token(token.as_bytes(), NOW).unwrap_err();
        let expected = match claims {
            "" => TokenFault::NotThreeParts,
            _ => TokenFault::ClaimsNotJson,
        };
        assert_eq!(found, expected, "{claims}");
    }
}

#[test]
fn attack_a_signature_in_another_form() {
    // The last character of an RSA signature of 256 bytes has four bits that stand for nothing.
    let sound = RSA.sign(HEADER, SOUND);
    let last = sound.chars().last().unwrap();
    let other = char::from(last as u8 + 1);
    let token = format!("{}{other}", &sound[..sound.len() - 1]);
    let found = rsa_authorizer().try_token(token.as_bytes(), NOW).unwrap_err();
    assert_eq!(found, TokenFault::NotBase64Url);
}

#[test]
fn attack_a_token_over_the_size_limit() {
    let sized = |length: usize| {
        let base = RSA.sign(HEADER, &claims_with("pad", "\"\"")).len();
        let pad = (length - base) * 3 / 4;
        (pad.saturating_sub(4)..pad + 4)
            .map(|pad| RSA.sign(HEADER, &claims_with("pad", &format!("\"{}\"", "x".repeat(pad)))))
            .find(|token| token.len() == length)
    };
    let most = sized(TOKEN_BYTES_MAX).or_else(|| sized(TOKEN_BYTES_MAX - 1)).unwrap();
    assert!(rsa_authorizer().try_token(most.as_bytes(), NOW).is_ok());
    let longer = format!("{most}{}", "A".repeat(TOKEN_BYTES_MAX + 1 - most.len()));
    let found = rsa_authorizer().try_token(longer.as_bytes(), NOW).unwrap_err();
    assert_eq!(found, TokenFault::TooLong);
}

#[test]
fn attack_json_that_is_nested_deep() {
    let deep = format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000));
    check_header(&format!(r#"{{"alg":"RS256","kid":"a","x":{deep}}}"#), TokenFault::HeaderNotJson);
    let claims = SOUND.replacen('{', &format!("{{\"x\":{deep},"), 1);
    check(HEADER, &claims, Err(TokenFault::ClaimsNotJson));
}

#[test]
fn attack_the_key_of_another_algorithm() {
    let (p256, ed) = (Signer::p256(), Signer::ed());
    let jwks = [RSA.jwk(r#""kid":"a","alg":"RS512""#), p256.jwk(r#""kid":"b""#)];
    let authorizer = authorizer(&jwks, Algorithms::of(&Algorithm::ALL));
    let check = |token: String, fault| {
        assert_eq!(authorizer.try_token(token.as_bytes(), NOW).unwrap_err(), fault, "{token}");
    };
    check(RSA.sign(HEADER, SOUND), TokenFault::UnfitKey);
    check(RSA.sign(r#"{"alg":"RS256","kid":"b"}"#, SOUND), TokenFault::UnfitKey);
    check(p256.sign(r#"{"alg":"ES384","kid":"b"}"#, SOUND), TokenFault::UnfitKey);
    check(ed.sign(r#"{"alg":"ES256","kid":"b"}"#, SOUND), TokenFault::Signature);
    check(Signer::p256().sign(r#"{"alg":"ES256","kid":"b"}"#, SOUND), TokenFault::Signature);
}

#[test]
fn a_token_without_a_key_id_is_taken_when_there_is_no_choice() {
    check(r#"{"alg":"RS256"}"#, SOUND, Ok(()));
    let other =
        Signer::Rsa(aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());
    let two = authorizer(&[RSA.jwk(r#""kid":"a""#), other.jwk(r#""kid":"b""#)], Algorithms::AWS);
    let token = RSA.sign(r#"{"alg":"RS256"}"#, SOUND);
    assert_eq!(two.try_token(token.as_bytes(), NOW).unwrap_err(), TokenFault::UnknownKey);
    assert!(two.try_token(RSA.sign(HEADER, SOUND).as_bytes(), NOW).is_ok());
    assert!(two.try_token(other.sign(HEADER, SOUND).as_bytes(), NOW).is_err());
}

#[test]
fn issuer_and_audience() {
    for other in ["https://issuer.example/", "https://evil.example", "HTTPS://issuer.example", ""] {
        check(HEADER, &claims_with("iss", &format!("\"{other}\"")), Err(TokenFault::Issuer));
    }
    check(HEADER, &claims_with("iss", r#"["https://issuer.example"]"#), Err(TokenFault::Issuer));
    check(HEADER, &claims_without("iss"), Err(TokenFault::Issuer));
    for sound in [r#""toys""#, r#"["x","toys"]"#, r#"["pets"]"#] {
        check(HEADER, &claims_with("aud", sound), Ok(()));
    }
    for other in [r#""Pets""#, r#""pets ""#, r#"["x"]"#, "[]", "1", "null", r#"["pets",1]"#, "{}"] {
        check(HEADER, &claims_with("aud", other), Err(TokenFault::Audience));
    }
    // `client_id` counts where there is no `aud`.
    let by_client =
        |value: &str| claims_without("aud").replacen('{', &format!("{{\"client_id\":{value},"), 1);
    check(HEADER, &by_client(r#""pets""#), Ok(()));
    check(HEADER, &by_client(r#""other""#), Err(TokenFault::Audience));
    check(HEADER, &claims_without("aud"), Err(TokenFault::Audience));
    let both = claims_with("aud", r#""x""#).replacen('{', r#"{"client_id":"pets","#, 1);
    check(HEADER, &both, Err(TokenFault::Audience));
}

#[test]
fn times_at_the_moment_and_one_beside_it() {
    let seconds = NOW.0 / 1_000;
    let at = |name: &str, time: u64| claims_with(name, &time.to_string());
    check(HEADER, &at("exp", seconds), Err(TokenFault::Expired));
    check(HEADER, &at("exp", seconds + 1), Ok(()));
    check(HEADER, &claims_with("exp", "1772651717.001"), Ok(()));
    check(HEADER, &at("nbf", seconds), Ok(()));
    check(HEADER, &at("nbf", seconds + 1), Err(TokenFault::NotYetValid));
    check(HEADER, &at("iat", seconds), Ok(()));
    check(HEADER, &at("iat", seconds + 1), Err(TokenFault::IssuedLater));
    check(HEADER, &claims_without("exp"), Err(TokenFault::NoExpiry));
    check(HEADER, &claims_without("nbf"), Ok(()));
    check(HEADER, &claims_without("iat"), Ok(()));
    for odd in ["\"1772651777\"", "null", "true", "-1", "1e300", "[1]", "253402300801"] {
        for name in ["exp", "nbf", "iat"] {
            check(HEADER, &claims_with(name, odd), Err(TokenFault::Time));
        }
    }
}

#[test]
fn scopes_of_a_route() {
    let authorizer = Arc::new(Authorizer::Jwt(rsa_authorizer()));
    let ask = |claims: &str, scopes: &[&str]| {
        let token = RSA.sign(HEADER, claims);
        let verified = rsa_authorizer().try_token(token.as_bytes(), NOW).unwrap();
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        Demand::new(Arc::clone(&authorizer), &scopes).check_scopes(&verified)
    };
    let missing = Err(TokenFault::InsufficientScope);
    assert_eq!(ask(SOUND, &[]), Ok(()));
    assert_eq!(ask(SOUND, &["write"]), Ok(()));
    assert_eq!(ask(SOUND, &["admin", "read"]), Ok(()));
    for other in [&["admin"][..], &["Read"], &["rea"], &["read write"], &["read write "]] {
        assert_eq!(ask(SOUND, other), missing, "{other:?}");
    }
    let list = claims_with("scope", r#"["read","a b"]"#);
    assert_eq!(ask(&list, &["read"]), Ok(()));
    let scp = claims_without("scope").replacen('{', r#"{"scp":["read"],"#, 1);
    assert_eq!(ask(&scp, &["read"]), Ok(()));
    assert_eq!(ask(&claims_without("scope"), &["read"]), missing);
    assert_eq!(ask(&claims_without("scope"), &[]), Ok(()));
    assert_eq!(ask(&claims_with("scope", "7"), &["read"]), missing);
}

#[test]
fn where_a_token_is_looked_for() {
    #[track_caller]
    fn check(source: &str, list: &[(&str, &str)], query: &str, expected: Result<&str, TokenFault>) {
        let source = IdentitySource::parse(source).unwrap();
        let (bytes, fields) = fixture::fields(list);
        let fields = crate::http::Fields::new(&bytes, &fields);
        let found = source.find(fields, Some(query.as_bytes()));
        assert_eq!(found.map(|token| str::from_utf8(token).unwrap()), expected);
    }
    let header = "$request.header.Authorization";
    for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "a.b.c"] {
        check(header, &[("authorization", value)], "", Ok("a.b.c"));
    }
    check(header, &[("authorization", "Basic dTpw")], "", Ok("Basic dTpw"));
    check(header, &[("authorization", "Bearera.b.c")], "", Ok("Bearera.b.c"));
    let missing = Err(TokenFault::Missing);
    for value in ["", "Bearer", "Bearer "] {
        check(header, &[("authorization", value)], "", missing);
    }
    check(header, &[("x", "a.b.c")], "authorization=a.b.c", missing);
    let twice = [("authorization", "Bearer a.b.c"), ("Authorization", "Bearer d.e.f")];
    check(header, &twice, "", Err(TokenFault::Several));
    let query = "$request.querystring.token";
    check(query, &[], "x=1&token=a.b.c", Ok("a.b.c"));
    check(query, &[], "token=Bearer%20a.b.c", Ok("a.b.c"));
    check(query, &[], "token=Bearer+a.b.c", Ok("a.b.c"));
    check(query, &[], "Token=a&tokens=b&xtoken=c", missing);
    check(query, &[], "token=", missing);
    check(query, &[], "t%6Fken=a.b.c", Ok("a.b.c"));
    check(query, &[], "token=a.b.c&%74oken=d.e.f", Err(TokenFault::Several));
    check(query, &[], "token=a.b.c&token=d.e.f", Err(TokenFault::Several));
    for odd in ["", "$request.header.", "$request.body.a", "Authorization", "$request.header.a b"] {
        assert!(IdentitySource::parse(odd).is_err(), "{odd}");
    }
}

#[test]
fn key_sets_leave_out_what_cannot_verify_and_say_so() {
    let sound = RSA.jwk(r#""kid":"a""#);
    let n = sound.split('"').nth(7).unwrap();
    let short = encode(&[0xff; 128]);
    let zeros = [b"AAAA", n.as_bytes()].concat();
    let zeros = String::from_utf8(zeros).unwrap();
    let p256 = Signer::p256().jwk(r#""kid":"e""#);
    let cases = [
        (r#"{"kty":"oct","kid":"a","k":"AAAA"}"#.to_owned(), "key a is a shared secret"),
        (r#"{"kid":"a"}"#.to_owned(), "kty that is not RSA, EC or OKP"),
        (RSA.jwk(r#""kid":"a","use":"enc""#), "not for signatures (use)"),
        (RSA.jwk(r#""kid":"a","key_ops":["sign"]"#), "not for verifying (key_ops)"),
        (RSA.jwk(r#""kid":"a","key_ops":"verify""#), "not for verifying (key_ops)"),
        (RSA.jwk(r#""kid":"a","alg":"ES256""#), "alg that its kind of key is not for"),
        (RSA.jwk(r#""kid":"a","alg":"PS256""#), "alg that its kind of key is not for"),
        (RSA.jwk(r#""kid":"../a""#), "key number 1 has a kid that is no id"),
        (sound.replace(n, &short), "has 1024 bits; 2048 to 8192 are taken"),
        (sound.replace("AQAB", "AQ"), "an exponent that is not sound"),
        (sound.replace("AQAB", "AQAA"), "an exponent that is not sound"),
        (sound.replace("AQAB", "AQAB="), "has no e in base64url"),
        (p256.replace("P-256", "P-521"), "a curve that is not P-256 or P-384"),
        (p256.replace("P-256", "P-384"), "coordinates that do not have 48 bytes"),
        (Signer::ed().jwk(r#""kid":"o""#).replace("Ed25519", "Ed448"), "not Ed25519"),
    ];
    for (jwk, note) in cases {
        let set = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
        assert!(set.is_empty(), "{jwk}");
        assert!(set.notes()[0].contains(note), "{:?}, not {note}", set.notes());
    }
    // Zeros before the modulus are no bits.
    let set = KeySet::parse(format!(r#"{{"keys":[{}]}}"#, sound.replace(n, &zeros)).as_bytes());
    assert_eq!(set.unwrap().len(), 1);
    let private = RSA.jwk(r#""kid":"a","d":"AAAA""#);
    let set = KeySet::parse(format!(r#"{{"keys":[{private}]}}"#).as_bytes()).unwrap();
    assert_eq!(
        (set.len(), set.notes()),
        (1, &["key a has its private part beside it".to_owned()][..])
    );
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    let twice = format!(r#"{{"keys":[{sound},{sound}]}}"#);
    assert!(KeySet::parse(twice.as_bytes()).is_err_and(|why| why.contains("two keys")));
    let many = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; count].join(","));
    assert!(KeySet::parse(many(100).as_bytes()).is_ok());
    assert!(KeySet::parse(many(101).as_bytes()).is_err());
    let long = |length: usize| format!(r#"{{"keys":[]{}}}"#, " ".repeat(length - 11));
    assert!(KeySet::parse(long(150_000).as_bytes()).is_ok());
    assert!(KeySet::parse(long(150_001).as_bytes()).is_err());
}
