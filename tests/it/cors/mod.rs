//! CORS through the real program, as browsers ask (`api-gateway.md` 9.1): preflights, answers that
//! pages may read, refusals that they may read too.

mod browser;
mod programs;
mod suite;

use std::fs;

use crate::harness::{
    Answer, Client, Folder, Gateway, Launch, Route, Upstream, eventually, exchange, gateway_file,
    openapi, ringway,
};

const APP: &str = "https://app.example.com";
const CORS: &str = "x-amazon-apigateway-cors:
  allowOrigins: ['https://app.example.com', 'http://localhost:3000']
  allowMethods: [GET, PUT]
  allowHeaders: [x-one, authorization]
  exposeHeaders: [x-told, date]
  allowCredentials: true
  maxAge: 300
";

/// Answers with fields of its own about CORS, which are nobody's to say where the gateway does.
fn telling() -> Upstream {
    Upstream::answering(
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-expose-headers: x-a\r\n\
         Access-Control-Made-Up: 1\r\nvary: accept\r\nx-told: yes\r\ncontent-length: 2\r\n\r\nhi",
    )
}

fn definition(upstream: &Upstream, cors: &str) -> String {
    let to = format!("http://{}", upstream.address());
    let routes = [
        Route::new("GET", "/pets", format!("{to}/pets")),
        Route::new("PUT", "/pets", format!("{to}/pets")),
        Route::new("GET", "/keyed", format!("{to}/keyed")).keyed(),
        Route::new("GET", "/mapped", format!("{to}/mapped"))
            .more("responseParameters: {'200': {'overwrite:statuscode': '503'}}"),
        Route::new("GET", "/gone", format!("http://{}/", crate::harness::dead_address())),
        Route::new("OPTIONS", "/own", format!("{to}/own")),
    ];
    openapi(&routes) + cors
}

fn start(upstream: &Upstream, cors: &str) -> Gateway {
    Launch::file("api.yaml", &definition(upstream, cors)).start()
}

/// `request` is `METHOD TARGET`; `lines` end in CRLF.
fn ask(gateway: &Gateway, request: &str, lines: &str) -> Answer {
    let method = request.split(' ').next().unwrap();
    let mut client = Client::connect(gateway.address);
    client.send(format!("{request} HTTP/1.1\r\nhost: it.test\r\n{lines}\r\n"));
    client.answer_to(method)
}

/// What an answer says of CORS, and what it varies by, in its order.
fn told(answer: &Answer) -> Vec<String> {
    let is_told = |name: &str| name.starts_with("access-control-") || name == "vary";
    let fields = answer.fields.iter().filter(|(name, _)| is_told(&name.to_ascii_lowercase()));
    fields
        .map(|(name, value)| format!("{}: {value}", name.replace("access-control-", "")))
        .collect()
}

const ALLOWED: [&str; 4] = [
    "allow-origin: https://app.example.com",
    "allow-credentials: true",
    "expose-headers: x-told,date",
    "vary: origin",
];

fn origin(origin: &str) -> String {
    format!("origin: {origin}\r\n")
}

#[test]
fn preflights_are_answered_by_the_gateway() {
    let upstream = telling();
    let gateway = start(&upstream, CORS);
    let asks = |origin: &str| {
        format!(
            "Origin: {origin}\r\nAccess-Control-Request-Method: PATCH\r\n\
             Access-Control-Request-Headers: x-anything\r\n"
        )
    };
    // With an OPTIONS route, without one, without any route; for a method that nobody listed.
    for target in ["/pets", "/own", "/nowhere", "/keyed", "/pets?a=b"] {
        let answer = ask(&gateway, &format!("OPTIONS {target}"), &asks(APP));
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{target}");
        let expected = [
            "allow-origin: https://app.example.com",
            "allow-credentials: true",
            "allow-methods: GET,PUT",
            "allow-headers: x-one,authorization",
            "max-age: 300",
        ];
        assert_eq!(told(&answer), expected, "{target}");
        assert_eq!(answer.field("content-length"), None, "RFC 9110 8.6");
        assert!(answer.field("apigw-requestid").is_some_and(|id| id.ends_with('=')));
        assert!(answer.field("date").is_some());
        let refused = ask(&gateway, &format!("OPTIONS {target}"), &asks("https://evil.example"));
        assert_eq!((refused.status, told(&refused).len()), (204, 0), "{target}");
    }
    assert_eq!(upstream.requests().len(), 0, "no preflight went on");
    // Half a preflight is none.
    let only_origin = ask(&gateway, "OPTIONS /own", &origin(APP));
    assert_eq!((only_origin.status, told(&only_origin)), (200, with_own_vary()));
    let method = "Access-Control-Request-Method: PUT\r\n";
    assert_eq!(ask(&gateway, "OPTIONS /own", method).status, 200);
    ask(&gateway, "OPTIONS /pets", method).assert_refusal(404, "Not Found");
    let put = ask(&gateway, "PUT /pets", &asks(APP));
    assert_eq!((put.status, upstream.requests().len()), (200, 3), "PUT is no preflight");
}

/// As [`ALLOWED`], behind what the integration says that its answer varies by.
fn with_own_vary() -> Vec<String> {
    ["vary: accept"].iter().chain(&ALLOWED).map(|line| (*line).to_owned()).collect()
}

#[test]
fn answers_say_who_may_read_them_and_integrations_do_not() {
    let upstream = telling();
    let gateway = start(&upstream, CORS);
    let table = [
        (APP, with_own_vary()),
        ("HTTPS://APP.example.com", {
            let mut lines = with_own_vary();
            lines[1] = "allow-origin: HTTPS://APP.example.com".to_owned();
            lines
        }),
        ("https://evil.example", vec!["vary: accept".to_owned(), "vary: origin".to_owned()]),
        ("null", vec!["vary: accept".to_owned(), "vary: origin".to_owned()]),
    ];
    for (from, expected) in table {
        let answer = ask(&gateway, "GET /pets", &origin(from));
        assert_eq!((answer.status, answer.text().as_str()), (200, "hi"), "{from}");
        assert_eq!(told(&answer), expected, "{from}");
        assert_eq!(answer.field("x-told"), Some("yes"));
    }
    // Nobody asks: what the integration says passes.
    let plain = ask(&gateway, "GET /pets", "");
    let own =
        ["allow-origin: *", "expose-headers: x-a", "made-up: 1", "vary: accept", "vary: origin"];
    assert_eq!(
        told(&plain)
            .iter()
            .map(|line| line.replace("Access-Control-", "").to_lowercase())
            .collect::<Vec<_>>(),
        own
    );
    assert_eq!(upstream.requests()[0].field("origin"), Some(APP), "the integration sees it");
}

/// The most common complaint about CORS: errors that no page can read.
#[test]
fn refusals_can_be_read_too() {
    let upstream = telling();
    let settings = "{'PUT /pets': {throttlingRateLimit: 0.001, throttlingBurstLimit: 8}}";
    let stage = format!("{{stageName: prod, routeSettings: {settings}}}");
    let file = gateway_file("api.yaml", &[&stage], "");
    let gateway = Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &definition(&upstream, CORS))
        .start();
    let check = |request: &str, lines: &str, status: u16| {
        let answer = ask(&gateway, request, &(origin(APP) + lines));
        let found = told(&answer).into_iter().filter(|line| line != "vary: accept");
        assert_eq!((answer.status, found.collect()), (status, ALLOWED.map(str::to_owned).to_vec()));
        let evil = ask(&gateway, request, &(origin("https://evil.example") + lines));
        assert!(told(&evil).iter().all(|line| line.starts_with("vary")), "{request}");
        let plain = ask(&gateway, request, lines);
        assert!(!told(&plain).iter().any(|line| line.starts_with("allow")) || status == 200);
    };
    check("GET /prod/nowhere", "", 404);
    check("GET /nostage", "", 404);
    check("GET /prod/keyed", "", 403);
    check("GET /prod/gone", "", 503);
    (0..10).for_each(|_| drop(ask(&gateway, "PUT /prod/pets", "")));
    check("PUT /prod/pets", "", 429);
    // A preflight asks for no key, and no throttle of a route.
    let preflight = origin(APP) + "access-control-request-method: PUT\r\n";
    for target in ["/prod/keyed", "/prod/pets"] {
        assert_eq!(ask(&gateway, &format!("OPTIONS {target}"), &preflight).status, 204);
    }
    // A head that is refused as it is read belongs to no API.
    let long = origin(APP) + "content-length: 99999999\r\n";
    let answer = ask(&gateway, "PUT /prod/pets", &long);
    assert_eq!((answer.status, told(&answer).len()), (413, 0));
    // What has no stage has no answer of the API's.
    ask(&gateway, "OPTIONS /nostage", &preflight).assert_refusal(404, "Not Found");
}

#[test]
fn a_preflight_is_counted_in_its_stage_and_logged() {
    let upstream = telling();
    let api = definition(&upstream, CORS);
    let file = gateway_file("api.yaml", &["{stageName: prod}"], "");
    let gateway =
        Launch::file("gateway.yaml", &file).beside("api.yaml", &api).logging("access.log").start();
    let preflight = origin(APP) + "access-control-request-method: PUT\r\n";
    // Keep-alive, body and all: the connection lives on.
    let mut client = Client::connect(gateway.address);
    for body in ["", "content-length: 3\r\n"] {
        let rest = if body.is_empty() { "" } else { "abc" };
        client.send(format!("OPTIONS /prod/x HTTP/1.1\r\nhost: a\r\n{preflight}{body}\r\n{rest}"));
        assert_eq!(client.answer_to("OPTIONS").status, 204);
    }
    let path = gateway.folder.join("access.log");
    let log = || fs::read_to_string(&path).unwrap_or_default();
    eventually("both are logged", || log().lines().count() == 2);
    for line in log().lines() {
        for part in [
            "\"httpMethod\":\"OPTIONS\"",
            "\"path\":\"/prod/x\"",
            "\"routeKey\":\"-\"",
            "\"stage\":\"prod\"",
            "\"status\":204",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("errorMessage"), "{line}");
    }
    let counted = |line: &str| {
        line.starts_with("ringway_count") && line.contains("stage=\"prod\"") && line.ends_with(" 2")
    };
    let metrics = gateway.metrics();
    assert!(metrics.lines().any(counted), "{metrics}");
}

#[test]
fn without_cors_nothing_is_added_or_dropped() {
    let upstream = telling();
    let gateway = start(&upstream, "");
    let asks = origin(APP) + "access-control-request-method: PUT\r\n";
    for lines in ["", &origin(APP), &asks] {
        let answer = ask(&gateway, "GET /pets", lines);
        assert_eq!(told(&answer).len(), 4, "{lines}");
        assert_eq!(answer.field("access-control-made-up"), Some("1"));
        let missing = ask(&gateway, "GET /nowhere", lines);
        assert_eq!((missing.status, told(&missing).len()), (404, 0));
    }
    ask(&gateway, "OPTIONS /pets", &asks).assert_refusal(404, "Not Found");
    assert_eq!(ask(&gateway, "OPTIONS /own", &asks).status, 200);
}

#[test]
fn the_gateway_file_is_over_the_definition_and_a_reload_changes_it() {
    let upstream = telling();
    let file = |cors: &str| {
        format!("apis: [{{name: it, definition: api.yaml, corsConfiguration: {{{cors}}}}}]\n")
    };
    let gateway = Launch::file("gateway.yaml", &file("allowOrigins: ['https://*']"))
        .beside("api.yaml", &definition(&upstream, CORS))
        .start();
    let allowed = |from: &str| {
        let answer = ask(&gateway, "GET /pets", &origin(from));
        answer.field("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(allowed("https://any.example").as_deref(), Some("https://any.example"));
    assert_eq!(allowed("http://localhost:3000"), None);
    gateway.folder.write("gateway.yaml", &file("allowOrigins: ['*']"));
    gateway.signal("HUP");
    eventually("the new file holds", || allowed("http://localhost:3000").as_deref() == Some("*"));
}

/// Whatever a client sends as its origin: one answer, and no line of it that the client made up.
#[test]
fn odd_origins_are_not_echoed() {
    let upstream = telling();
    let cors = "x-amazon-apigateway-cors: {allowOrigins: ['https://*', 'http://*']}\n";
    let gateway = start(&upstream, cors);
    let long = format!("https://{}", "a".repeat(9_000));
    for (from, is_echoed) in [
        ("https://a.example", true),
        ("https://a.example:1", true),
        (long.as_str(), true),
        ("", false),
        ("https://", false),
        ("https://a, https://b", false),
        ("https://a\tb", false),
        ("https://a/b", false),
        ("https://a\"", false),
        ("https://\u{fc}", false),
        ("null", false),
    ] {
        let answer = ask(&gateway, "GET /pets", &origin(from));
        assert_eq!(answer.status, 200, "{from}");
        let found = answer.field("access-control-allow-origin");
        assert_eq!(found, is_echoed.then_some(from), "{from}");
    }
    let twice = origin("https://a") + &origin("https://a");
    let answer = ask(&gateway, "GET /pets", &twice);
    assert_eq!(answer.field("access-control-allow-origin"), None);
    let broken = "GET /pets HTTP/1.1\r\nhost: a\r\norigin: https://a\0b\r\n\r\n";
    assert_eq!(exchange(gateway.address, broken).status, 400);
}

/// `explain` says what the gateway does, and what a browser makes of it.
#[test]
fn explain_tells_what_a_browser_will_make_of_it() {
    let folder = Folder::new();
    folder.write("api.yaml", &definition(&telling(), CORS));
    folder.write("plain.yaml", &definition(&telling(), ""));
    let explain = |file: &str, method: &str, url: &str, headers: &[&str]| {
        let mut arguments = vec!["explain", file, method, url];
        headers.iter().for_each(|header| arguments.extend(["-H", header]));
        let ran = ringway(folder.path(), &arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        ran.output
    };
    let (app, evil) = ("Origin: https://app.example.com", "Origin: https://evil.example");
    let asks = |method: &str| format!("access-control-request-method: {method}");
    let told = explain("api.yaml", "OPTIONS", "/nowhere", &[app, &asks("PUT")]);
    let expected = "CORS   a preflight: https://app.example.com is allowed\n       the browser will \
                    send the request\nAnswer 204 (by the gateway: no route, key or throttle is \
                    asked)\n       access-control-allow-origin: https://app.example.com\n       \
                    access-control-allow-credentials: true\n       access-control-allow-methods: \
                    GET,PUT\n       access-control-allow-headers: x-one,authorization\n       \
                    access-control-max-age: 300\n";
    assert!(told.ends_with(expected), "{told}");
    for (origin, method, more, because) in [
        (
            evil,
            "PUT",
            "x: 1",
            "https://evil.example is not allowed; allowed: https://app.example.com",
        ),
        (app, "DELETE", "x: 1", "DELETE is not in allowMethods"),
        (app, "PUT", "access-control-request-headers: x-one, x-b", "x-b is not in allowHeaders"),
    ] {
        let told = explain("api.yaml", "OPTIONS", "/pets", &[origin, &asks(method), more]);
        assert!(told.contains(&format!("CORS   a preflight: {because}")), "{told}");
        assert!(told.contains("the browser will not send the request\nAnswer 204"), "{told}");
    }
    let told = explain("api.yaml", "GET", "/pets", &[app]);
    assert!(
        told.contains("CORS   https://app.example.com is allowed: its pages can read"),
        "{told}"
    );
    assert!(told.contains("       vary: origin\nRoute  GET /pets\n"), "{told}");
    let told = explain("api.yaml", "GET", "/pets", &[evil]);
    assert!(
        told.contains("CORS   https://evil.example is not allowed: its pages cannot"),
        "{told}"
    );
    let told = explain("api.yaml", "GET", "/pets", &[]);
    assert!(told.contains("CORS   the request has no Origin"), "{told}");
    let told = explain("plain.yaml", "OPTIONS", "/own", &[app, &asks("PUT")]);
    assert!(!told.contains("CORS") && told.contains("Route  OPTIONS /own"), "{told}");
}
