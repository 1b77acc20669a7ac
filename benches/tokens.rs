//! What it costs to verify a token that is new, by algorithm, and to find one that was verified.
//!
//! `cargo bench --bench tokens` prints nanoseconds for each (quiet machines only), and instructions
//! when valgrind is there: from the difference of two runs, so that start-up does not count. The
//! estimate beside them is what a shard's budget of a turn counts for the key
//! (`VERIFICATION_TURN`). Under `cargo test --benches` all of it runs a few times.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

use std::{
    env,
    hint::black_box,
    io::{self, Write},
    process::Command,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ringway::{
    base::WallTime,
    steps::authorize::jwt::{
        Algorithm, Algorithms, IdentitySource, Issuer, IssuerKeys, JwtAuthorizer, JwtDraft, KeySet,
        Manner, TokenCache,
    },
};

/// Cases, and instructions that each may use. Ratchets, with room for another version of the crate.
const CASES: [(&str, u64); 9] = [
    (HIT, 1_500),
    ("RS256/2048", 500_000),
    ("RS384/2048", 500_000),
    ("RS512/2048", 500_000),
    ("RS256/4096", 2_000_000),
    ("RS256/8192", 8_000_000),
    ("ES256", 1_000_000),
    ("ES384", 3_000_000),
    ("EdDSA", 1_000_000),
];
const HIT: &str = "hit";
const NOW: WallTime = WallTime(1_772_651_717_000);
const ISSUER: &str = "https://issuer.example";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    if let [_, case, jwk, token, count] = arguments.as_slice()
        && let Ok(count) = count.parse()
    {
        Desk::of(case, jwk.clone(), token.clone()).run(count);
        return Ok(());
    }
    let mut out = io::stdout().lock();
    if !arguments.iter().any(|argument| argument == "--bench") {
        let quick = CASES.iter().filter(|(case, _)| !case.contains("/8192"));
        quick.for_each(|(case, _)| Desk::new(case).run(3));
        return writeln!(out, "tokens: runs (not asked to measure)");
    }
    let valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    for (case, most) in CASES {
        let mut desk = Desk::new(case);
        let nanoseconds = desk.time();
        let bytes = desk.token.len();
        write!(out, "{case:>10}, a token of {bytes:>4} bytes: {nanoseconds:>9.0} ns")?;
        write!(out, ", estimate {:>4} us", desk.estimate_us())?;
        if valgrind {
            let (few, many) = (20, 120);
            let each = (desk.count(case, many)? - desk.count(case, few)?) / (many - few);
            write!(out, ", {each:>8} instructions")?;
            assert!(each <= most, "over its budget of {most}");
        }
        writeln!(out)?;
    }
    Ok(())
}

/// An authorizer, and a token for it.
struct Desk {
    is_hit: bool,
    jwk: String,
    token: String,
    authorizer: JwtAuthorizer,
    keys: Arc<KeySet>,
    cache: TokenCache,
}

impl Desk {
    fn new(case: &str) -> Self {
        let (alg, bits) = case.split_once('/').unwrap_or((case, "2048"));
        let alg = if alg == HIT { "RS256" } else { alg };
        let (jwk, token) = sign(alg, bits);
        Self::of(case, jwk, token)
    }

    fn of(case: &str, jwk: String, token: String) -> Self {
        let is_hit = case == HIT;
        let keys = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
        let keys = Arc::new(keys);
        let authorizer = JwtAuthorizer::compile(JwtDraft {
            name: "bench".to_owned(),
            source: IdentitySource::parse("$request.header.Authorization").unwrap(),
            issuers: vec![Issuer {
                name: ISSUER.into(),
                keys: IssuerKeys::Fixed(Arc::clone(&keys)),
                says_use: false,
            }],
            manner: Manner::Jwt { audience: ["pets".into()].into() },
            algorithms: Algorithms::of(&Algorithm::ALL),
        });
        let mut cache = TokenCache::default();
        let verified = authorizer.verify(token.as_bytes(), 0, &keys, NOW).unwrap();
        let key = cache.key(token.as_bytes(), authorizer.id());
        cache.keep(&key, Rc::new(verified));
        Self { is_hit, jwk, token, authorizer, keys, cache }
    }

    fn run(&mut self, count: u64) {
        for _ in 0..count {
            let token = black_box(self.token.as_bytes());
            if self.is_hit {
                let key = self.cache.key(token, self.authorizer.id());
                assert!(black_box(self.cache.find(&key, NOW)).is_some());
            } else {
                assert!(black_box(self.authorizer.verify(token, 0, &self.keys, NOW)).is_ok());
            }
        }
    }

    /// The best of several goes.
    fn time(&mut self) -> f64 {
        let each: u64 = if self.is_hit { 200_000 } else { 300 };
        let goes = (0..7).map(|_| {
            let started = Instant::now();
            self.run(each);
            started.elapsed().as_secs_f64() * 1e9 / each as f64
        });
        goes.fold(f64::INFINITY, f64::min)
    }

    fn estimate_us(&self) -> u128 {
        let candidate = self.authorizer.prepare(self.token.as_bytes(), 0, &self.keys).unwrap();
        candidate.cost().as_micros()
    }

    /// All instructions of a process that does it so many times.
    fn count(&self, case: &str, times: u64) -> io::Result<u64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe()?)
            .args([case, &self.jwk, &self.token, &times.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let collected = text.lines().find_map(|line| line.split_once("Collected : "));
        let number = collected.and_then(|(_, number)| number.trim().parse().ok());
        number.ok_or_else(|| io::Error::other(format!("callgrind did not count: {text}")))
    }
}

/// A new key as a JWK, and a token of about 800 bytes that it signs.
fn sign(alg: &str, bits: &str) -> (String, String) {
    let random = SystemRandom::new();
    let header = format!(r#"{{"alg":"{alg}","kid":"k"}}"#);
    let roles = "a role that a token has in it;".repeat(6);
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"pets","sub":"u1","exp":1772655317,"scope":"a b","roles":"{roles}"}}"#
    );
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let point = |curve: &str, key: &[u8]| {
        let (x, y) = key[1..].split_at(key.len() / 2);
        format!(r#""kty":"EC","crv":"{curve}","x":"{}","y":"{}""#, encode(x), encode(y))
    };
    let (jwk, signature) = match alg {
        "ES256" | "ES384" => {
            let (curve, scheme) = match alg {
                "ES256" => ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
                _ => ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            };
            let pair = EcdsaKeyPair::generate(scheme).unwrap();
            let signature = pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec();
            (point(curve, pair.public_key().as_ref()), signature)
        }
        "EdDSA" => {
            let pair = Ed25519KeyPair::generate().unwrap();
            let x = encode(pair.public_key().as_ref());
            let signature = pair.sign(signed.as_bytes()).as_ref().to_vec();
            (format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}""#), signature)
        }
        _ => {
            let (size, scheme): (_, &'static dyn RsaEncoding) = match (bits, alg) {
                ("8192", _) => (KeySize::Rsa8192, &RSA_PKCS1_SHA256),
                ("4096", _) => (KeySize::Rsa4096, &RSA_PKCS1_SHA256),
                (_, "RS384") => (KeySize::Rsa2048, &RSA_PKCS1_SHA384),
                (_, "RS512") => (KeySize::Rsa2048, &RSA_PKCS1_SHA512),
                _ => (KeySize::Rsa2048, &RSA_PKCS1_SHA256),
            };
            let pair = rsa::KeyPair::generate(size).unwrap();
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(scheme, &random, signed.as_bytes(), &mut signature).unwrap();
            let public = pair.public_key();
            let (n, e) = (
                public.modulus().big_endian_without_leading_zero().to_vec(),
                public.exponent().big_endian_without_leading_zero().to_vec(),
            );
            (format!(r#""kty":"RSA","n":"{}","e":"{}""#, encode(&n), encode(&e)), signature)
        }
    };
    (format!(r#"{{{jwk},"kid":"k"}}"#), format!("{signed}.{}", encode(&signature)))
}

/// base64url.
fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
