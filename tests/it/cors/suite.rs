//! The third-party suite `cors-rs`: 28 cases of the tests of rs/cors, a middleware in Go. Each is
//! an API of its own with the case's options; what its answer says is judged as a browser would
//! (the Fetch Standard, "CORS check" and "CORS-preflight fetch"), and compared with what the
//! suite's answer comes to by the same judge. AWS's answers differ in form: always 204, always the
//! lists.

use std::{fmt::Write, fs};

use serde_json::Value;

use crate::harness::{Client, Folder, Launch, Upstream, ok, proxy_all, ringway, suite};

/// What becomes of a case that is not as the suite says.
#[derive(Clone, Copy)]
enum Differs {
    /// The configuration is refused, with this in the sentence.
    Refused(&'static str),
    /// It depends on a Go function: there is no such thing in a document.
    NotApplicable,
    /// The browser comes to another end: whether the page's request goes through.
    Decides(bool),
}

/// Every case that differs, with the reason.
const DIFFERS: &[(&str, Differs, &str)] = &[
    (
        "MatchAllOriginWithCredentials",
        Differs::Refused("allowCredentials is true and allowOrigins has *"),
        "AWS: \"allow-credentials is not supported if 'allow-origin' is *\"",
    ),
    (
        "WildcardOrigin",
        Differs::Refused("has a * within its host"),
        "AWS has wildcards for whole hosts only (9.1)",
    ),
    (
        "DisallowedWildcardOrigin",
        Differs::Refused("has a * within its host"),
        "AWS has wildcards for whole hosts only (9.1)",
    ),
    ("AllowedOriginFuncMatch", Differs::NotApplicable, "a Go function decides"),
    ("AllowOriginRequestFuncMatch", Differs::NotApplicable, "a Go function decides"),
    ("AllowOriginVaryRequestFuncMatch", Differs::NotApplicable, "a Go function decides"),
    ("AllowOriginRequestFuncNotMatch", Differs::NotApplicable, "a Go function decides"),
    ("AllowedOriginsPlusAllowOriginFunc", Differs::NotApplicable, "a Go function decides"),
    (
        "DefaultAllowedHeaders",
        Differs::Decides(false),
        "rs/cors has default headers (x-requested-with); AWS allows what is listed",
    ),
    (
        "OptionPassthrough",
        Differs::Decides(false),
        "rs/cors allows all origins when none is listed; AWS allows none",
    ),
    (
        "AllowedPrivateNetwork",
        Differs::Decides(true),
        "AWS has no private-network access: its field is not said, the rest is as the suite has it",
    ),
];

/// What a browser comes to: whether the page's request goes through, and what it may read.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    goes_through: bool,
    credentials: bool,
    exposed: Vec<String>,
    /// A preflight's, in seconds; less than one is none.
    max_age: Option<i64>,
}

/// The page's side: what it asked with.
struct Page {
    is_preflight: bool,
    origin: Option<String>,
    method: String,
    headers: Vec<String>,
}

fn list(value: &str) -> Vec<String> {
    let items = value.split(',').map(|item| item.trim().to_ascii_lowercase());
    items.filter(|item| !item.is_empty()).collect()
}

impl Page {
    fn of(case: &Value) -> Self {
        let fields = case["request_headers"].as_object().unwrap();
        let all = |name: &str| -> Vec<&str> {
            let values = fields.get(name).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(Value::as_str).collect()
        };
        let asked = all("Access-Control-Request-Method");
        let is_preflight = case["method"] == "OPTIONS" && !asked.is_empty();
        let method = asked.first().copied().or(case["method"].as_str()).unwrap();
        Self {
            is_preflight,
            origin: all("Origin").first().map(|origin| (*origin).to_owned()),
            method: method.to_owned(),
            headers: list(&all("Access-Control-Request-Headers").join(",")),
        }
    }

    fn judge(&self, fields: &[(String, String)]) -> Outcome {
        let all = |name: &str| -> Vec<&str> {
            let named = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_str()).collect()
        };
        let joined = |name: &str| list(&all(name).join(","));
        let allowed = all("access-control-allow-origin");
        let is_allowed = match (allowed.as_slice(), &self.origin) {
            (_, None) => true,
            ([allowed], Some(origin)) => *allowed == "*" || allowed == origin,
            _ => false,
        };
        let methods = joined("access-control-allow-methods");
        let headers = joined("access-control-allow-headers");
        let has_method = ["GET", "HEAD", "POST"].contains(&self.method.as_str())
            || methods.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(&self.method));
        let has_headers = self.headers.iter().all(|name| {
            headers.contains(name)
                || headers.iter().any(|any| any == "*") && name != "authorization"
        });
        let goes_through = is_allowed && (!self.is_preflight || has_method && has_headers);
        let age = all("access-control-max-age").first().map(|text| text.parse().unwrap());
        Outcome {
            goes_through,
            credentials: goes_through && all("access-control-allow-credentials") == ["true"],
            exposed: joined("access-control-expose-headers"),
            max_age: age.filter(|_| self.is_preflight).map(|seconds: i64| seconds.max(0)),
        }
    }
}

/// The case's options as `corsConfiguration`; `None` when it is not applicable.
fn configuration(options: &Value) -> String {
    let mut text = String::from("{");
    let lists = [
        ("allowOrigins", "AllowedOrigins"),
        ("allowMethods", "AllowedMethods"),
        ("allowHeaders", "AllowedHeaders"),
        ("exposeHeaders", "ExposedHeaders"),
    ];
    for (name, theirs) in lists {
        if options[theirs].is_array() {
            let _ = write!(text, "{name}: {}, ", options[theirs]);
        }
    }
    // Theirs is 0 when it is not said, and says nothing then.
    if options["MaxAge"] != 0 {
        let _ = write!(text, "maxAge: {}, ", options["MaxAge"]);
    }
    let _ = write!(text, "allowCredentials: {}}}", options["AllowCredentials"]);
    text
}

fn differs(name: &str) -> Option<Differs> {
    DIFFERS.iter().find(|(known, ..)| *known == name).map(|(_, how, _)| *how)
}

/// A gateway file with the cases that can be served; of the others it is checked that they cannot.
fn served(cases: &[Value], api: &str) -> String {
    let entry = |place: usize, case: &Value| {
        let cors = configuration(&case["options"]);
        format!(
            "  - {{name: 'case {place}', apiId: case{place:06}, definition: api.yaml, \
             corsConfiguration: {cors}}}\n"
        )
    };
    let mut file = String::from("apis:\n");
    for (place, case) in cases.iter().enumerate() {
        match differs(case["name"].as_str().unwrap()) {
            Some(Differs::NotApplicable) => assert_eq!(case["origin_func"], true),
            Some(Differs::Refused(why)) => {
                let folder = Folder::new();
                folder.write("api.yaml", api);
                folder.write("gateway.yaml", &format!("apis:\n{}", entry(place, case)));
                let ran = ringway(folder.path(), &["validate", "gateway.yaml"]);
                assert!(ran.code == Some(1), "{case}");
                assert!(
                    (ran.said.clone() + &ran.output).contains(why),
                    "{}{}",
                    ran.said,
                    ran.output
                );
            }
            Some(Differs::Decides(_)) | None => file.push_str(&entry(place, case)),
        }
    }
    file
}

#[test]
fn every_case_of_cors_rs_ends_as_it_says_or_differs_for_a_reason() {
    let Some(path) = suite("cors-rs/cases.json") else { return };
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 28);
    let upstream = Upstream::answering(ok("hi"));
    let api = proxy_all(upstream.address());
    let file = served(&cases, &api);
    let gateway = Launch::file("gateway.yaml", &file).beside("api.yaml", &api).start();
    let mut as_they_say = 0;
    for (place, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let how = differs(name);
        if matches!(how, Some(Differs::NotApplicable | Differs::Refused(_))) {
            continue;
        }
        let page = Page::of(case);
        let method = case["method"].as_str().unwrap();
        let mut head =
            format!("{method} / HTTP/1.1\r\nhost: a\r\nx-apigw-api-id: case{place:06}\r\n");
        for (name, values) in case["request_headers"].as_object().unwrap() {
            for value in values.as_array().unwrap() {
                let _ = write!(head, "{name}: {}\r\n", value.as_str().unwrap());
            }
        }
        let mut client = Client::connect(gateway.address);
        client.send(head + "\r\n");
        let answer = client.answer_to(method);
        assert_eq!(answer.status, if page.is_preflight { 204 } else { 200 }, "{name}");
        let found = page.judge(&answer.fields);
        let mut theirs = Vec::new();
        for (name, values) in case["response_headers"].as_object().unwrap() {
            let values = values.as_array().unwrap().iter().filter_map(Value::as_str);
            theirs.extend(values.map(|value| (name.clone(), value.to_owned())));
        }
        let expected = page.judge(&theirs);
        match how {
            Some(Differs::Decides(goes_through)) => {
                assert_eq!(found.goes_through, goes_through, "{name}: {found:?}");
            }
            _ => {
                assert_eq!(found, expected, "{name}");
                as_they_say += 1;
            }
        }
    }
    assert_eq!(as_they_say, 28 - DIFFERS.len());
}
