//! Boundaries and attacks of signatures that are made here; the suite's are in `suite`.

use super::{Canonical, Claim, Fault, Signed, Told, canonical::hex, stamp};
use crate::{base::WallTime, http::Fields, steps::fixture};

const NOW: &str = "20150830T123600Z";
const SCOPE: &str = "20150830/us-east-1/execute-api/aws4_request";
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request that a test changes after it was signed.
#[derive(Clone)]
struct Sent {
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    payload: String,
}

fn sent() -> Sent {
    let headers = [("host", "it"), ("x-amz-date", NOW)];
    Sent {
        path: "/prod/pets".to_owned(),
        query: Some("b=2&a=1".to_owned()),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        payload: EMPTY.to_owned(),
    }
}

impl Sent {
    /// Shows it as the gateway sees it.
    fn show<R>(&self, look: impl FnOnce(&Signed<'_>) -> R) -> R {
        let list: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (bytes, fields) = fixture::fields(&list);
        let signed = Signed {
            method: "GET",
            path: self.path.as_bytes(),
            query: self.query.as_deref().map(str::as_bytes),
            fields: Fields::new(&bytes, &fields),
        };
        look(&signed)
    }

    fn judge(&self, now: u64) -> Result<(), Fault> {
        self.show(|signed| {
            let claim = Claim::read(signed)?;
            claim.check(signed, ("us-east-1", "execute-api"), WallTime(now))?;
            Canonical::new(&claim, signed, &self.payload).prove(SECRET)
        })
    }

    /// The body of the refusal.
    fn told(&self, fault: Fault, now: u64) -> String {
        self.show(|signed| {
            let claim = Claim::read(signed).ok();
            let canonical =
                claim.as_ref().map(|claim| Canonical::new(claim, signed, &self.payload));
            let (claim, canonical, now) = (claim.as_ref(), canonical.as_ref(), WallTime(now));
            Told { region: "us-east-1", signed: *signed, claim, canonical, now }.body(fault)
        })
    }

    /// Adds the `Authorization` that fits.
    fn signed(mut self, scope: &str, headers: &str) -> Self {
        self.authorize(scope, headers, "x");
        let to_sign = self.show(|signed| {
            let claim = Claim::read(signed).unwrap();
            Canonical::new(&claim, signed, &self.payload).string_to_sign().to_owned()
        });
        let hmac = |key: &[u8], text: &[u8]| {
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
            aws_lc_rs::hmac::sign(&key, text).as_ref().to_vec()
        };
        let key = [b"AWS4", SECRET].concat();
        let key = scope.split('/').fold(key, |key, part| hmac(&key, part.as_bytes()));
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        self.headers.pop();
        self.authorize(scope, headers, &signature);
        self
    }

    fn authorize(&mut self, scope: &str, headers: &str, signature: &str) {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={headers}, \
             Signature={signature}"
        );
        self.headers.push(("Authorization".to_owned(), value));
    }
}

const HEADERS: &str = "host;x-amz-date";

fn millis() -> u64 {
    stamp::parse(NOW).unwrap() * 1000
}

#[test]
fn a_signature_holds_five_minutes_either_way_and_no_longer() {
    let good = sent().signed(SCOPE, HEADERS);
    for (now, expected) in [
        (millis(), Ok(())),
        (millis() + 300_000, Ok(())),
        (millis() + 300_001, Err(Fault::Expired)),
        (millis() - 300_000, Ok(())),
        (millis() - 300_001, Err(Fault::NotYet)),
    ] {
        assert_eq!(good.judge(now), expected, "{now}");
    }
}

#[test]
fn scopes_of_other_days_regions_and_services_are_refused() {
    for (scope, fault) in [
        ("20150829/us-east-1/execute-api/aws4_request", Fault::ScopeDate),
        ("20150830/eu-west-1/execute-api/aws4_request", Fault::Region),
        ("20150830/us-east-1/s3/aws4_request", Fault::Service),
        ("20150830/us-east-1/execute-api/aws4", Fault::Terminator),
    ] {
        assert_eq!(sent().signed(scope, HEADERS).judge(millis()), Err(fault), "{scope}");
    }
}

#[test]
fn attack_a_request_changed_after_it_was_signed_is_refused() {
    let change = |change: &dyn Fn(&mut Sent)| {
        let mut changed = sent().signed(SCOPE, HEADERS);
        change(&mut changed);
        changed.judge(millis())
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(change(&|_| {}), Ok(()));
    let mismatch = Err(Fault::Mismatch);
    assert_eq!(change(&|sent| sent.path = "/prod/pet%73".to_owned()), mismatch);
    assert_eq!(change(&|sent| sent.path = "/prod//pets".to_owned()), mismatch);
    assert_eq!(change(&|sent| sent.query = Some("a=1&b=3".to_owned())), mismatch);
    assert_eq!(change(&|sent| sent.query = Some("a=1&b=2&c=".to_owned())), mismatch);
    assert_eq!(change(&|sent| sent.payload = "0".repeat(64)), mismatch);
    assert_eq!(change(&|sent| sent.headers[0].1 = "other".to_owned()), mismatch);
    assert_eq!(change(&|sent| sent.headers.insert(0, header("host", "it"))), mismatch);
    assert_eq!(change(&|sent| sent.headers.push(header("x-amz-a", "1"))), Err(Fault::Unsigned));
    let twice = |sent: &mut Sent| sent.headers.push(sent.headers[2].clone());
    assert_eq!(change(&twice), Err(Fault::Several));
    let both = |sent: &mut Sent| sent.query = Some("a=1&b=2&X-Amz-Signature=0".to_owned());
    assert_eq!(change(&both), Err(Fault::Several));
    let cut = |sent: &mut Sent| {
        let value = sent.headers[2].1.clone();
        sent.headers[2].1 = value[..value.len() - 1].to_owned();
    };
    assert_eq!(change(&cut), mismatch);
    let upper = |sent: &mut Sent| {
        let (before, signature) = sent.headers[2].1.split_once("Signature=").unwrap();
        sent.headers[2].1 = format!("{before}Signature={}", signature.to_ascii_uppercase());
    };
    assert_eq!(change(&upper), mismatch);
}

#[test]
fn a_plus_sign_passes_for_no_space() {
    let mut plus = sent();
    plus.query = Some("a=x+y".to_owned());
    let mut plus = plus.signed(SCOPE, HEADERS);
    assert_eq!(plus.judge(millis()), Ok(()));
    for other in ["a=x%20y", "a=x%2By"] {
        plus.query = Some(other.to_owned());
        assert_eq!(plus.judge(millis()), Err(Fault::Mismatch), "{other}");
    }
}

#[test]
fn a_payload_is_what_was_received_and_nothing_else() {
    for said in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &"0".repeat(64)] {
        let mut request = sent();
        request.headers.insert(1, ("x-amz-content-sha256".to_owned(), said.to_owned()));
        request.authorize(SCOPE, "host;x-amz-content-sha256;x-amz-date", "0");
        assert_eq!(request.judge(millis()), Err(Fault::Mismatch), "{said}");
    }
}

#[test]
fn presigned_requests_hold_for_1_to_604800_seconds() {
    for (expires, after, fault) in [
        ("0", 0, Fault::Expires),
        ("604801", 0, Fault::Expires),
        ("+60", 0, Fault::Expires),
        ("", 0, Fault::Expires),
        ("1", 1_000, Fault::Mismatch),
        ("1", 1_001, Fault::Expired),
        ("604800", 604_800_000, Fault::Mismatch),
        ("604800", 604_800_001, Fault::Expired),
    ] {
        let mut request = sent();
        request.headers.pop();
        request.query = Some(format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F{}&X-Amz-Date={NOW}\
             &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=00",
            SCOPE.replace('/', "%2F")
        ));
        assert_eq!(request.judge(millis() + after), Err(fault), "{expires} after {after}");
    }
}

#[test]
fn missing_parts_are_told_in_one_text_that_shows_nothing() {
    assert_eq!(sent().judge(millis()), Err(Fault::Missing));
    let mut request = sent();
    request.headers.push(("Authorization".to_owned(), "AWS4-HMAC-SHA256 Signature=5ec2e7".into()));
    let fault = request.judge(millis()).unwrap_err();
    let told = request.told(fault, millis());
    let expected = r#"{"message":"Authorization header requires 'Credential' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization="#;
    assert!(told.starts_with(expected) && !told.contains("5ec2e7"), "{told}");
    request.headers[2].1 = "Bearer 5ec2e7".to_owned();
    let fault = request.judge(millis()).unwrap_err();
    assert_eq!(fault, Fault::NotKeyValue);
    let told = request.told(fault, millis());
    assert!(told.contains("not a valid key=value pair (missing equal-sign)"), "{told}");
    assert!(!told.contains("5ec2e7"), "{told}");
}

/// The texts that say how late is too late, and what should have been signed.
#[test]
fn times_and_a_mismatch_are_told_as_aws_does() {
    let request = sent().signed(SCOPE, HEADERS);
    for (now, expected) in [
        (
            millis() + 301_000,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
             (20150830T124101Z - 5 min.)",
        ),
        (
            millis() - 301_000,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
             (20150830T123059Z + 5 min.)",
        ),
    ] {
        let fault = request.judge(now).unwrap_err();
        assert_eq!(request.told(fault, now), format!(r#"{{"message":"{expected}"}}"#));
    }
    let mut changed = request;
    changed.query = Some("b=2&a=9".to_owned());
    let told = changed.told(Fault::Mismatch, millis());
    let told = crate::json::strict::Value::parse(told.as_bytes()).expect("it is JSON");
    let text = told.find("message").and_then(|text| text.as_text()).unwrap();
    let canonical = format!(
        "\n\nThe Canonical String for this request should have been\n'GET\n/prod/pets\na=9&b=2\n\
         host:it\nx-amz-date:{NOW}\n\nhost;x-amz-date\n{EMPTY}'\n\nThe String-to-Sign should have \
         been\n'AWS4-HMAC-SHA256\n{NOW}\n{SCOPE}\n"
    );
    assert!(text.starts_with("The request signature we calculated does not match"), "{text}");
    assert!(text.contains(&canonical), "{text}");
}

#[test]
fn a_query_is_passed_on_without_the_signature_in_it() {
    for (sent, kept) in [
        ("", ""),
        ("a=1&X-Amz-Signature=00&b=2&X-Amz-Date=1", "a=1&b=2"),
        ("X%2DAmz%2DSignature=00&x-amz-security-token=t&c", "c"),
        ("X-Amz-Other=1", "X-Amz-Other=1"),
    ] {
        assert_eq!(super::unsigned_query(sent.as_bytes()), kept.as_bytes(), "{sent}");
    }
}
