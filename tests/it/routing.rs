//! Routes, stages, variables, mappings through the real program (`api-gateway.md` 2.2, 6.2).

use crate::harness::{
    Client, Gateway, Launch, Route, Upstream, exchange, gateway_file, ok, openapi,
};

/// Answers with the target that it was asked for.
fn telling() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(format!("{} {}", request.method, request.target)));
        }
    })
}

#[track_caller]
fn check(gateway: &Gateway, line: &str, expected: &str) {
    let answer = exchange(gateway.address, format!("{line} HTTP/1.1\r\nhost: it\r\n\r\n"));
    let found = match answer.status {
        200 => answer.text(),
        status => status.to_string(),
    };
    assert_eq!(found, expected, "{line}");
}

/// Exact over greedy over `$default`; static over `{param}`; a verb over ANY.
#[test]
fn priorities_are_aws_s() {
    let upstream = telling();
    let to = upstream.address();
    let gateway = Launch::file(
        "api.yaml",
        &openapi(&[
            Route::new("GET", "/pets", format!("http://{to}/list")),
            Route::new("ANY", "/pets", format!("http://{to}/any-list")),
            Route::new("GET", "/pets/{id}", format!("http://{to}/one/{{id}}")),
            Route::new("GET", "/pets/mine", format!("http://{to}/mine")),
            Route::new("GET", "/pets/{proxy+}", format!("http://{to}/deep/{{proxy}}")),
            Route::new("ANY", "/pets/dogs/{proxy+}", format!("http://{to}/dogs/{{proxy}}")),
            Route::new("ANY", "/{proxy+}", format!("http://{to}/rest/{{proxy}}")),
            Route::new("ANY", "/$default", format!("http://{to}/default")),
        ]),
    )
    .start();
    let table = [
        ("GET /pets", "GET /list"),
        ("POST /pets", "POST /any-list"),
        ("GET /pets/7", "GET /one/7"),
        ("GET /pets/mine", "GET /mine"),
        ("GET /pets/a/b", "GET /deep/a/b"),
        ("DELETE /pets/dogs/rex/1", "DELETE /dogs/rex/1"),
        ("POST /pets/a/b", "POST /rest/pets/a/b"),
        ("PUT /elsewhere", "PUT /rest/elsewhere"),
        ("GET /pets?x=1&x=2", "GET /list?x=1&x=2"),
        ("GET /pets/a%20b", "GET /one/a%20b"),
        ("GET /pets/a%2Fb", "GET /one/a%2Fb"),
    ];
    for (line, expected) in table {
        check(&gateway, line, expected);
    }
    let answer = exchange(gateway.address, "GET / HTTP/1.1\r\nhost: it\r\n\r\n");
    assert!(answer.status == 200 && answer.text().starts_with("GET /default"), "{answer:?}");
}

#[test]
fn stages_are_chosen_by_the_first_segment() {
    let upstream = telling();
    let uri = format!("http://{}/${{stageVariables.name}}/{{id}}", upstream.address());
    let stages = [
        "{stageName: $default, stageVariables: {name: def}}",
        "{stageName: prod, stageVariables: {name: live}}",
    ];
    let gateway = Launch::file("gateway.yaml", &gateway_file("api.yaml", &stages, ""))
        .beside("api.yaml", &openapi(&[Route::new("GET", "/pets/{id}", uri)]))
        .start();
    check(&gateway, "GET /pets/1", "GET /def/1");
    check(&gateway, "GET /prod/pets/1", "GET /live/1");
    check(&gateway, "GET /test/pets/1", "404");
    check(&gateway, "GET /prod", "404");
}

#[test]
fn without_a_default_stage_nothing_else_is_found() {
    let upstream = telling();
    let route = Route::new("GET", "/pets", format!("http://{}/p", upstream.address()));
    let gateway = Launch::file("gateway.yaml", &gateway_file("api.yaml", &["{stageName: v1}"], ""))
        .beside("api.yaml", &openapi(&[route]))
        .start();
    check(&gateway, "GET /v1/pets", "GET /p");
    check(&gateway, "GET /pets", "404");
}

#[test]
fn set_overrides_a_stage_variable() {
    let upstream = telling();
    let route = Route::new("GET", "/x", "http://${stageVariables.backend}/x");
    let gateway = Launch::file("api.yaml", &openapi(&[route]))
        .flag("--set", &format!("backend={}", upstream.address()))
        .start();
    check(&gateway, "GET /x", "GET /x");
}

#[test]
fn request_mappings_append_overwrite_and_remove() {
    let upstream = telling();
    let mapping = "requestParameters:\n  append:header.x-list: $request.querystring.a\n  \
                   overwrite:header.x-one: '${request.path.id}-${stageVariables.v}'\n  \
                   remove:header.x-gone: ''\n  overwrite:querystring.q: $request.header.x-q\n  \
                   remove:querystring.secret: ''\n  overwrite:path: '/mapped/${request.path.id}'";
    let route = Route::new("GET", "/m/{id}", format!("http://{}/base/{{id}}", upstream.address()))
        .more(mapping);
    let gateway = Launch::file("api.yaml", &openapi(&[route])).flag("--set", "v=one").start();
    let answer = exchange(
        gateway.address,
        "GET /m/7?a=b&secret=1&q=old HTTP/1.1\r\nhost: it\r\nx-list: first\r\nx-one: mine\r\n\
         x-gone: here\r\nx-q: new\r\n\r\n",
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let request = upstream.only_request();
    assert_eq!(request.field("x-one"), Some("7-one"));
    assert_eq!(request.field("x-gone"), None);
    let list: Vec<&str> = request
        .fields
        .iter()
        .filter(|field| field.0.eq_ignore_ascii_case("x-list"))
        .flat_map(|field| field.1.split(',').map(str::trim))
        .collect();
    assert_eq!(list, ["first", "b"]);
    let (path, query) = request.target.split_once('?').unwrap();
    assert!(path.ends_with("/mapped/7"), "{path}");
    assert!(query.contains("a=b") && query.contains("q=new"), "{query}");
    assert!(!query.contains("secret") && !query.contains("old"), "{query}");
}

#[test]
fn response_mappings_follow_the_status() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let status = request.target.trim_start_matches('/').to_owned();
            peer.send(format!(
                "HTTP/1.1 {status} X\r\nx-old: a\r\nx-drop: b\r\ncontent-length: 0\r\n\r\n"
            ));
        }
    });
    let mapping = "responseParameters:\n  '200':\n    \
                   append:header.x-new: $response.header.x-old\n    \
                   remove:header.x-drop: ''\n  '404':\n    overwrite:statuscode: '403'\n    \
                   overwrite:header.x-old: static";
    let route = Route::new("GET", "/{status}", format!("http://{}/{{status}}", upstream.address()))
        .more(mapping);
    let gateway = Launch::file("api.yaml", &openapi(&[route])).start();
    let mut client = Client::connect(gateway.address);
    let answer = client.get("/200");
    assert_eq!((answer.field("x-new"), answer.field("x-drop")), (Some("a"), None));
    let answer = client.get("/404");
    assert_eq!((answer.status, answer.field("x-old")), (403, Some("static")));
    let answer = client.get("/500");
    assert_eq!((answer.status, answer.field("x-drop")), (500, Some("b")));
}

/// Each route has its own `timeoutInMillis`.
#[test]
fn timeouts_are_per_route() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            std::thread::sleep(std::time::Duration::from_millis(400));
            peer.send(ok("late"));
        }
    });
    let to = upstream.address();
    let routes = [
        Route::new("GET", "/short", format!("http://{to}/")).timeout(100),
        Route::new("GET", "/long", format!("http://{to}/")).timeout(5_000),
    ];
    let gateway = Launch::file("api.yaml", &openapi(&routes)).start();
    check(&gateway, "GET /short", "503");
    check(&gateway, "GET /long", "200".replace("200", "late").as_str());
}
