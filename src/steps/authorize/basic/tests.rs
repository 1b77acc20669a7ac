//! Credentials, hashes, users and claims, in tables.

use super::{
    BasicAuthorizer, Claim, ClaimKey, Credentials, PasswordHash, Users, Verified, neighbourhood,
};
use crate::steps::authorize::proof::Question as _;
use crate::{
    base::{
        Moment,
        limits::{BASIC_BYTES_MAX, VERIFIED_PASSWORD_WAIT, VERIFIED_PASSWORDS_MAX},
    },
    steps::reject::BasicFault,
};

/// Of "secret", by Apache's `htpasswd -nbB -C 4`'s form.
fn bcrypt(password: &str) -> String {
    let parts = bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap();
    parts.format_for_version(bcrypt::Version::TwoY)
}

fn encoded(text: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("Basic {encoded}").into_bytes()
}

#[track_caller]
fn check(value: &[u8], expected: Result<(&str, &str), BasicFault>) {
    let parsed = Credentials::parse(value);
    let found = parsed.as_ref().map(|it| (it.user(), str::from_utf8(it.password()).unwrap()));
    assert_eq!(found.map_err(|fault| *fault), expected, "{}", value.escape_ascii());
}

#[test]
fn credentials_are_read_strictly() {
    // RFC 7617 2 and 2.1.
    check(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Ok(("Aladdin", "open sesame")));
    check(b"Basic dGVzdDoxMjPCow==", Ok(("test", "123\u{a3}")));
    check(b"bASIC  YTpi", Ok(("a", "b")));
    check(&encoded(b"a:b:c"), Ok(("a", "b:c")));
    check(&encoded(b"a:"), Ok(("a", "")));
    check(&encoded(b":b"), Err(BasicFault::NoUser));
    check(&encoded(b"ab"), Err(BasicFault::NoColon));
    check(&encoded(b""), Err(BasicFault::NoColon));
    check(b"Basic", Err(BasicFault::NoColon));
    check(b"Bearer abc", Err(BasicFault::OtherScheme));
    check(b"Basicx YTpi", Err(BasicFault::OtherScheme));
    check(b"Ba", Err(BasicFault::OtherScheme));
    // Not padded, padded too much, two readings of the last bits, base64url, inner spaces.
    for value in ["YTpiYw", "YTpi=", "YTpiYx==", "YTp-", "YT pi", "YTpi YTpi", "YTpi,"] {
        check(format!("Basic {value}").as_bytes(), Err(BasicFault::NotBase64));
    }
    check(&encoded(b"a:\xff"), Err(BasicFault::NotUtf8));
    for text in [&b"a:\0"[..], b"a\n:b", b"a:b\x7f", "a:\u{85}".as_bytes()] {
        check(&encoded(text), Err(BasicFault::Control));
    }
    let most = format!("u:{}", "x".repeat(BASIC_BYTES_MAX - 2));
    check(&encoded(most.as_bytes()), Ok(("u", &most[2..])));
    check(&encoded(format!("{most}x").as_bytes()), Err(BasicFault::TooLong));
}

#[test]
fn strong_hashes_are_taken_and_others_told() {
    #[track_caller]
    fn refused(text: &str, what: &str) {
        let fault = PasswordHash::parse(text).unwrap_err();
        let is_kept = text.is_empty() || !fault.contains(text);
        assert!(fault.contains(what) && is_kept, "{fault}");
    }
    let hash = PasswordHash::parse(&bcrypt("secret")).unwrap();
    assert!(hash.verify(b"secret") && !hash.verify(b"Secret") && !hash.verify(b"U*U"));
    assert!(!format!("{hash:?}").contains("$2"));
    // A vector of crypt_blowfish.
    let old = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    assert!(PasswordHash::parse(old).unwrap().verify(b"U*U"));
    // The reference implementation's: argon2 -id -t 2 -m 16 -p 1 with "password" and "somesalt".
    let argon =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hash = PasswordHash::parse(argon).unwrap();
    assert!(hash.verify(b"password") && !hash.verify(b"passwore"));
    refused("$apr1$9Cv/OMGj$ZomWQzuQL.3TRCS81A1g4/", "MD5");
    refused("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1");
    refused("$5$salt$x", "sha-crypt");
    refused("$6$salt$x", "sha-crypt");
    refused("rqXexS6ZhobKA", "crypt(3)");
    refused("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "2x");
    refused("$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQ$x", "not Argon2id");
    refused("secret", "no hash");
    refused("", "no hash");
    refused("$2y$12$short", "broken");
    refused(&bcrypt("x").replace("$04$", "$31$"), "cost 31");
    refused(&bcrypt("x").replace("$04$", "$03$"), "cost 3");
    refused(&argon.replace("m=65536", "m=4000000"), "more than");
    refused(&argon.replace("t=2", "t=100"), "more than");
    refused("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", "broken");
}

#[test]
fn a_file_of_users_is_read_line_by_line() {
    let hash = bcrypt("x");
    let users = Users::parse(format!("# c\n\na:{hash}\r\nb:{hash}\n").as_bytes()).unwrap();
    assert_eq!(users.len(), 2);
    let text = format!("a:{hash}\nb\na:{hash}\n:{hash}\nc:$apr1$x\n");
    let faults = Users::parse(text.as_bytes()).unwrap_err();
    let lines: Vec<u32> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 3, 4, 5]);
    assert!(faults[3].what.contains("the hash of c is MD5") && faults[3].fix.contains("htpasswd"));
    assert!(faults.iter().all(|fault| !fault.what.contains("$2y$")));
}

#[test]
fn a_claim_is_about_all_that_matters() {
    let users = |hash: &str| {
        let mut users = Users::default();
        users.add("a", hash).unwrap();
        users
    };
    let (one, two) = (bcrypt("x"), bcrypt("y"));
    let key = ClaimKey::new(&[1; 32]);
    let claim = |name: &str, realm: &str, hash: &str, text: &str, key: &ClaimKey| -> Claim {
        let authorizer = BasicAuthorizer::compile(name.to_owned(), realm, users(hash));
        let credentials = Credentials::parse(&encoded(text.as_bytes())).unwrap();
        authorizer.ask(key, &credentials).claim
    };
    let first = claim("n", "r", &one, "a:x", &key);
    assert_eq!(first, claim("n", "r", &one, "a:x", &key));
    let others = [
        claim("m", "r", &one, "a:x", &key),
        claim("n", "s", &one, "a:x", &key),
        claim("n", "r", &two, "a:x", &key),
        claim("n", "r", &one, "b:x", &key),
        claim("n", "r", &one, "a:xx", &key),
        claim("n", "r", &one, "a:x", &ClaimKey::new(&[2; 32])),
    ];
    assert!(others.iter().all(|other| *other != first));
    // Nobody becomes somebody by knowing the password that unknown users are hashed against.
    let authorizer = BasicAuthorizer::compile("n".to_owned(), "r", users(&one));
    let nobody = Credentials::parse(&encoded(b"nobody:x")).unwrap();
    let asked = authorizer.ask(&key, &nobody);
    assert!(asked.user.is_none());
    assert!(!asked.question(&nobody, [10, 0, 0, 1].into()).answer());
    let known = Credentials::parse(&encoded(b"a:x")).unwrap();
    assert!(authorizer.ask(&key, &known).question(&known, [10, 0, 0, 1].into()).answer());
    assert_eq!(authorizer.verify(&known), Ok("a"));
    assert_eq!(authorizer.verify(&nobody), Err(BasicFault::Wrong));
}

#[test]
fn what_was_verified_is_bounded_and_ends() {
    let mut verified = Verified::default();
    let claim = |number: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[..2].copy_from_slice(&u16::try_from(number % 3).unwrap().to_be_bytes());
        Claim(bytes)
    };
    let now = Moment(0);
    for number in 0..VERIFIED_PASSWORDS_MAX * 2 {
        verified.keep(claim(number), now);
    }
    let kept = (0..VERIFIED_PASSWORDS_MAX * 2).filter(|at| verified.holds(&claim(*at), now));
    assert_eq!(kept.count(), 12);
    let one = claim(1);
    verified.keep(one, now);
    assert!(verified.holds(&one, now));
    assert!(!verified.holds(&one, now + VERIFIED_PASSWORD_WAIT));
}

#[test]
fn neighbours_are_one_address_or_a_network_of_ipv6() {
    let of = |text: &str| neighbourhood(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
}
