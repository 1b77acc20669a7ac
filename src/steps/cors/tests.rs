use super::*;
use crate::{
    base::{
        Severity,
        limits::{CORS_NAME_BYTES_MAX, CORS_NAMES_MAX, CORS_ORIGIN_BYTES_MAX, CORS_ORIGINS_MAX},
    },
    steps::fixture::{self, Said},
};

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn of_origins(origins: &[&str]) -> CorsDraft {
    CorsDraft { allow_origins: list(origins), ..CorsDraft::default() }
}

#[track_caller]
fn compile(draft: &CorsDraft) -> Cors {
    let (cors, faults) = Cors::compile(draft);
    cors.unwrap_or_else(|| panic!("{faults:?}"))
}

/// What the answer says to a request with these fields: `-` when it is a preflight's and says
/// nothing.
fn said(cors: &Cors, method: Method, fields: &[(&str, &str)]) -> String {
    let (bytes, list) = fixture::fields(fields);
    let fields = Fields::new(&bytes, &list);
    let mut said = Said::default();
    match cors.preflight(method, fields) {
        Some(told) => {
            told.write_preflight(&mut said);
            format!("preflight|{}", said.fields.join("|"))
        }
        None => {
            cors.actual(fields).write(&mut said);
            said.fields.join("|").replace("access-control-", "")
        }
    }
}

#[test]
fn origins_are_found_as_browsers_send_them() {
    #[track_caller]
    fn check(allowed: &[&str], origin: &str, expected: Option<&str>) {
        let cors = compile(&of_origins(allowed));
        let found = said(&cors, Method::Get, &[("Origin", origin)]);
        let expected = expected.map_or_else(
            || "vary: origin".to_owned(),
            |value| format!("allow-origin: {value}|vary: origin"),
        );
        assert_eq!(found, expected, "{allowed:?} {origin}");
    }
    let own = &["https://a.example", "http://b.example:8080", "capacitor://localhost"];
    for origin in own {
        check(own, origin, Some(origin));
    }
    check(own, "HTTPS://A.example", Some("HTTPS://A.example"));
    for origin in [
        "http://a.example",
        "https://a.example:8443",
        "https://a.example.evil.example",
        "https://evil-a.example",
        "https://a.exampl",
        "https://a.example/",
        "https://a.example ",
        "https://a.example, https://b.example",
        "http://b.example",
        "capacitor://localhosts",
        "null",
        "",
        "*",
        "https://*",
    ] {
        check(own, origin, None);
    }
    // A document's capitals and a scheme's own port are the same origin (RFC 6454 4, 6.1).
    check(&["HTTPS://A.Example:443"], "https://a.example", Some("https://a.example"));
    check(&["http://a.example:80"], "http://a.example", Some("http://a.example"));
    check(&["http://a.example:443"], "http://a.example", None);
    check(&["http://[::1]:3000"], "http://[::1]:3000", Some("http://[::1]:3000"));
    check(&["http://[::1]"], "http://[::1]", Some("http://[::1]"));
    for origin in ["https://a.example", "null", "anything"] {
        check(&["*"], origin, Some("*"));
    }
    check(&["*", "https://a.example"], "https://a.example", Some("*"));
    check(&[], "https://a.example", None);
}

#[test]
fn a_scheme_s_wildcard_stands_for_hosts_and_nothing_else() {
    #[track_caller]
    fn check(allowed: &[&str], origin: &str, expected: bool) {
        let cors = compile(&of_origins(allowed));
        let (bytes, list) = fixture::fields(&[("origin", origin)]);
        let told = cors.actual(Fields::new(&bytes, &list));
        let found =
            matches!(told, CrossOrigin::Allowed { origin: told, .. } if told == origin.as_bytes());
        assert_eq!(found, expected, "{allowed:?} {origin}");
    }
    for good in ["https://a.example", "HTTPS://A.example:8443", "https://[::1]:1", "https://x_y"] {
        check(&["https://*"], good, true);
        check(&["http://*"], good, false);
        check(&["http://*", "https://*"], good, true);
    }
    check(&["http://*"], "http://a.example", true);
    for bad in [
        "https://",
        "https:/a",
        "https",
        "https://a/b",
        "https://a b",
        "https://a,https://b",
        "https://u@a",
        "https://a?b",
        "https://*",
        "https://\u{e9}",
        "null",
        "ftp://a",
    ] {
        check(&["https://*", "http://*"], bad, false);
    }
}

#[test]
fn two_origins_are_none() {
    let cors = compile(&of_origins(&["*", "https://a.example"]));
    let twice = [("origin", "https://a.example"), ("Origin", "https://a.example")];
    assert_eq!(said(&cors, Method::Get, &twice), "vary: origin");
    let asked = [twice[0], twice[1], ("access-control-request-method", "PUT")];
    assert_eq!(said(&cors, Method::Options, &asked), "preflight|");
}

#[test]
fn answers_say_what_was_configured() {
    let draft = CorsDraft {
        allow_origins: list(&["https://a.example"]),
        allow_methods: list(&["PUT", "DELETE"]),
        allow_headers: list(&["X-One", "authorization"]),
        expose_headers: list(&["x-two", "Date"]),
        allow_credentials: true,
        max_age: Some(0),
    };
    let cors = compile(&draft);
    let origin = ("Origin", "https://a.example");
    let asks = ("Access-Control-Request-Method", "PATCH");
    let answer = "preflight|access-control-allow-origin: https://a.example\
                  |access-control-allow-credentials: true\
                  |access-control-allow-methods: PUT,DELETE\
                  |access-control-allow-headers: X-One,authorization\
                  |access-control-max-age: 0";
    assert_eq!(said(&cors, Method::Options, &[origin, asks]), answer);
    let actual = "allow-origin: https://a.example|allow-credentials: true\
                  |expose-headers: x-two,Date|vary: origin";
    for method in Method::ANY {
        assert_eq!(said(&cors, method, &[origin]), actual);
        if method != Method::Options {
            assert_eq!(said(&cors, method, &[origin, asks]), actual);
        }
    }
    assert_eq!(said(&cors, Method::Options, &[asks]), "vary: origin");
    assert_eq!(said(&cors, Method::Get, &[]), "vary: origin");
    let other = ("Origin", "https://b.example");
    assert_eq!(said(&cors, Method::Options, &[other, asks]), "preflight|");
    assert_eq!(said(&cors, Method::Get, &[other]), "vary: origin");
    let bare = compile(&of_origins(&["*"]));
    let answer = "preflight|access-control-allow-origin: *";
    assert_eq!(said(&bare, Method::Options, &[origin, asks]), answer);
    let never = compile(&CorsDraft { max_age: Some(-1), ..of_origins(&["*"]) });
    let answer = "preflight|access-control-allow-origin: *|access-control-max-age: -1";
    assert_eq!(said(&never, Method::Options, &[origin, asks]), answer);
}

#[test]
fn what_integrations_say_passes_only_where_nobody_asks() {
    let cors = compile(&of_origins(&["https://a.example"]));
    let drops = |fields: &[(&str, &str)]| {
        let (bytes, list) = fixture::fields(fields);
        let told = cors.actual(Fields::new(&bytes, &list));
        told.drops_field(Name::Other, b"Access-Control-Allow-Origin")
    };
    assert!(!drops(&[]));
    assert!(drops(&[("origin", "https://a.example")]));
    assert!(drops(&[("origin", "https://b.example")]));
    assert!(drops(&[("origin", "")]));
}

/// The first fault of a draft: its severity, member, item, and sentence.
#[track_caller]
fn fault(draft: &CorsDraft, expected: &str) {
    let (cors, faults) = Cors::compile(draft);
    let told: Vec<String> = faults
        .iter()
        .map(|fault| {
            let Fault { member, item, severity, message, fix } = fault;
            let item = item.map_or_else(String::new, |item| format!("[{item}]"));
            format!("{severity:?} {}{item}: {message}; {fix}", member.name())
        })
        .collect();
    let is_wrong = faults.iter().any(|fault| fault.severity == Severity::Error);
    assert_eq!(cors.is_none(), is_wrong);
    assert_eq!(told.join("\n"), expected);
}

#[test]
fn origins_that_are_none_are_told() {
    const FORM: &str = "write scheme, host and, if need be, port, as in https://app.example.com";
    let table = [
        ("a.example", "has no scheme; an origin has one; FORM"),
        ("", "has no scheme; an origin has one; FORM"),
        ("null", "is what every sandboxed page and local file sends as its origin; FORM"),
        ("1https://a", "has a scheme that is none; FORM"),
        ("https://", "names no host; write it behind ://"),
        ("https://:80", "names no host; write it behind ://"),
        (
            "https://A.example/",
            "ends in a slash; browsers send none, so it would match nothing; write https://a.example",
        ),
        (
            "https://a.example/x/",
            "has a path; an origin ends with its host and port; write https://a.example",
        ),
        ("https://a?b", "has a path; an origin ends with its host and port; write https://a"),
        (
            "https://*.a.example",
            "has a * within its host; only a whole host may be one; list the hosts one by one, or \
             write https://* for all",
        ),
        ("https://u:p@a", "has user information; an origin has none; remove it with the @"),
        (
            "https://m\u{fc}ller.example",
            "has letters beyond ASCII, which browsers do not send; write the host as they do, in \
             Punycode (xn--..)",
        ),
        ("https://a b", "has a host that is none; write a name, an IPv4 address, or [an IPv6 one]"),
        (
            "https://[::g]",
            "has a host that is none; write a name, an IPv4 address, or [an IPv6 one]",
        ),
        ("https://::1", "has a host that is none; write a name, an IPv4 address, or [an IPv6 one]"),
        ("https://a:0", "has a port that is none; write 1 to 65535, without a zero before it"),
        ("https://a:65536", "has a port that is none; write 1 to 65535, without a zero before it"),
        ("https://a:", "has a port that is none; write 1 to 65535, without a zero before it"),
        ("https://a:+1", "has a port that is none; write 1 to 65535, without a zero before it"),
    ];
    for (origin, told) in table {
        let told = told.replace("FORM", FORM);
        let expected = format!("Error allowOrigins[1]: the origin {origin:?} {told}");
        fault(&of_origins(&["https://fine.example:1", origin]), &expected);
    }
    let same = ["https://a.example", "HTTPS://a.example:443"];
    let twice = "Error allowOrigins[1]: allowOrigins has \"HTTPS://a.example:443\" twice; write it \
                 once";
    fault(&of_origins(&same), twice);
    fault(&of_origins(&[]), "");
    let more = "Warning allowOrigins: allowOrigins has * and more, and * stands for all; keep one \
                or the other";
    fault(&of_origins(&["*", "https://a.example"]), more);
}

#[test]
fn methods_and_names_that_are_none_are_told() {
    #[track_caller]
    fn check(methods: &[&str], headers: &[&str], exposed: &[&str], expected: &str) {
        let draft = CorsDraft {
            allow_methods: list(methods),
            allow_headers: list(headers),
            expose_headers: list(exposed),
            ..of_origins(&["*"])
        };
        fault(&draft, expected);
    }
    check(&["GET", "PATCH", "OPTIONS"], &["x-a", "*"][..1], &["x-a"], "");
    check(&["*"], &["*", "authorization"], &["*"], "");
    let no_method =
        "Error allowMethods[1]: \"get\" is no method; methods are in capitals: write GET";
    check(&["PUT", "get"], &[], &[], no_method);
    let any = "Error allowMethods[0]: \"ANY\" is no method; write * for all methods";
    check(&["ANY"], &[], &[], any);
    let trace = "Error allowMethods[0]: \"TRACE\" is no method; write * or some of GET, HEAD, POST, \
                 PUT, DELETE, OPTIONS, PATCH";
    check(&["TRACE"], &[], &[], trace);
    let twice = "Error allowMethods[1]: allowMethods has \"PUT\" twice; write it once";
    check(&["PUT", "PUT"], &[], &[], twice);
    let more = "Warning allowMethods: allowMethods has * and more, and * stands for all; keep one \
                or the other";
    check(&["*", "PUT"], &[], &[], more);
    let token = "is no name of a header field; write a name of letters, digits and -, or *";
    for name in ["", "x y", "x:y", "x-\u{e9}", "a,b", "a\r\nb: c"] {
        check(&[], &["x-a", name], &[], &format!("Error allowHeaders[1]: {name:?} {token}"));
        check(&[], &[], &[name], &format!("Error exposeHeaders[0]: {name:?} {token}"));
    }
    let twice = "Error allowHeaders[1]: allowHeaders has \"X-A\" twice; write it once";
    check(&[], &["x-a", "X-A"], &[], twice);
    let twice = "Error exposeHeaders[1]: exposeHeaders has \"*\" twice; write it once";
    let more = "Warning exposeHeaders: exposeHeaders has * and more, and * stands for all; keep \
                one or the other";
    check(&[], &[], &["*", "*"], &format!("{twice}\n{more}"));
}

#[test]
fn credentials_go_with_listed_origins_only() {
    let with = |origins: &[&str]| CorsDraft { allow_credentials: true, ..of_origins(origins) };
    fault(&with(&["https://a.example"]), "");
    let error = "Error allowCredentials: allowCredentials is true and allowOrigins has *: neither \
                 browsers nor AWS take the two together; list the origins that may";
    fault(&with(&["*"]), error);
    let warning = "Warning allowCredentials: allowCredentials is true and allowOrigins stands for \
                   every host: each site may call with the cookies of its visitors; list the \
                   origins that may";
    fault(&with(&["https://*"]), warning);
    let literal = "Warning allowHeaders: allowHeaders has *, which browsers take for a name and not \
                   for all when a request has credentials; list what may be used";
    fault(&CorsDraft { allow_headers: list(&["*"]), ..with(&["https://a.example"]) }, literal);
}

#[test]
fn bounds_hold_at_their_limits_and_not_beyond() {
    let aged = |max_age| CorsDraft { max_age: Some(max_age), ..of_origins(&["*"]) };
    for seconds in [-1, 0, 86_400] {
        fault(&aged(seconds), "");
    }
    for seconds in [-2, 86_401, i64::MIN, i64::MAX] {
        let expected = format!(
            "Error maxAge: maxAge is {seconds} and out of range; write seconds from 0 to 86400, or \
             -1: remember nothing"
        );
        fault(&aged(seconds), &expected);
    }
    let origins = |count: usize| (0..count).map(|n| format!("https://a{n}")).collect();
    let draft = CorsDraft { allow_origins: origins(CORS_ORIGINS_MAX), ..CorsDraft::default() };
    let cors = compile(&draft);
    for n in [0, 1, 9, 10, 99, CORS_ORIGINS_MAX - 1] {
        let origin = format!("https://a{n}");
        let expected = format!("allow-origin: {origin}|vary: origin");
        assert_eq!(said(&cors, Method::Get, &[("origin", &origin)]), expected);
    }
    assert_eq!(said(&cors, Method::Get, &[("origin", "https://a1000")]), "vary: origin");
    assert!(cors.origins_text().ends_with("https://a18, https://a19, .."));
    let is_taken = |draft: CorsDraft| Cors::compile(&draft).0.is_some();
    let long = |bytes: usize| format!("https://{}", "a".repeat(bytes - "https://".len()));
    let names = |count: usize| (0..count).map(|n| format!("x-{n}")).collect::<Vec<_>>();
    for over in [0, 1] {
        let allow_origins = origins(CORS_ORIGINS_MAX + over);
        assert_eq!(is_taken(CorsDraft { allow_origins, ..CorsDraft::default() }), over == 0);
        assert_eq!(is_taken(of_origins(&[&long(CORS_ORIGIN_BYTES_MAX + over)])), over == 0);
        let allow_headers = names(CORS_NAMES_MAX + over);
        assert_eq!(is_taken(CorsDraft { allow_headers, ..of_origins(&["*"]) }), over == 0);
        let expose_headers = vec!["x".repeat(CORS_NAME_BYTES_MAX + over)];
        assert_eq!(is_taken(CorsDraft { expose_headers, ..of_origins(&["*"]) }), over == 0);
    }
}

#[test]
fn a_browser_s_next_step_is_foreseen() {
    #[track_caller]
    fn check(draft: &CorsDraft, method: &str, headers: &[&str], expected: PreflightVerdict) {
        let mut fields = vec![("origin", "https://a"), ("Access-Control-Request-Method", method)];
        fields.extend(headers.iter().map(|value| ("Access-Control-Request-Headers", *value)));
        let (bytes, list) = fixture::fields(&fields);
        let found = compile(draft).judge_preflight(Fields::new(&bytes, &list));
        assert_eq!(found, expected, "{method} {headers:?}");
    }
    use PreflightVerdict::{Follows, Header, Method, Origin};
    let draft = |methods: &[&str], headers: &[&str]| CorsDraft {
        allow_methods: list(methods),
        allow_headers: list(headers),
        ..of_origins(&["https://a"])
    };
    check(&of_origins(&["https://b"]), "GET", &[], Origin);
    let bare = draft(&[], &[]);
    for method in ["GET", "HEAD", "POST"] {
        check(&bare, method, &[], Follows);
    }
    check(&bare, "PUT", &[], Method("PUT".to_owned()));
    check(&bare, "get", &[], Method("get".to_owned()));
    check(&bare, "GET", &["x-a"], Header("x-a".to_owned()));
    let some = draft(&["PUT"], &["X-A", "x-b"]);
    check(&some, "PUT", &["x-a,x-b"], Follows);
    check(&some, "PUT", &["x-a\t", " ", " x-b"], Follows);
    check(&some, "PATCH", &[], Method("PATCH".to_owned()));
    check(&some, "PUT", &["x-a", "x-c"], Header("x-c".to_owned()));
    let all = draft(&["*"], &["*"]);
    check(&all, "DELETE", &["x-a"], Follows);
    check(&all, "DELETE", &["x-a,authorization"], Header("authorization".to_owned()));
    check(&draft(&["*"], &["*", "Authorization"]), "PUT", &["authorization"], Follows);
}
