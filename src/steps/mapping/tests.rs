use super::*;
use crate::{
    http::{FieldList, Fields, Method, Status},
    json::Body,
    steps::{
        context::{Facts, Parameters, StageVariables},
        fixture::{self, Said},
    },
};

fn variables() -> StageVariables {
    StageVariables::compile([("v", "one"), ("empty", "")]).unwrap()
}

fn compile(entries: &[(&str, &str)]) -> Result<RequestMapping, Vec<String>> {
    let variables = variables();
    let scope = Scope { parameters: &["id", "rest"], variables: &variables };
    RequestMapping::compile(entries.iter().copied(), scope)
}

fn answers(status: &str, entries: &[(&str, &str)]) -> Result<ResponseMapping, Vec<String>> {
    let variables = variables();
    let scope = Scope { parameters: &["id"], variables: &variables };
    let mut mapping = ResponseMapping::new();
    mapping.insert(status, entries.iter().copied(), scope)?;
    Ok(mapping)
}

/// What a request brings in these tests.
fn with_sources<T>(run: impl FnOnce(&Sources<'_>) -> T) -> T {
    let (bytes, list): (Vec<u8>, FieldList) = fixture::fields(&[
        ("Accept", "a/b"),
        ("X-Multi", "1"),
        ("x-multi", "2"),
        ("X-Evil", "\u{1}"),
    ]);
    let facts = Facts::new(fixture::arrival(Method::Get, b"/prod/pets/7/a/b"));
    let body = Body::new(br#"{"pet":{"name":"Rex","tags":["a","b"],"text":"1\r\nx: y"}}"#);
    let names = ["id".to_owned(), "rest".to_owned()];
    let path = b"/pets/7/a/b";
    let values = fixture::spans(path, &["7", "a/b"]);
    let sources = Sources {
        fields: Fields::new(&bytes, &list),
        query: Some(b"q=a%20b&Q=no&q=c+d&flag&%71=%0a"),
        path,
        parameters: Parameters { names: &names, values: &values, path },
        body: &body,
        facts: &facts,
    };
    run(&sources)
}

#[track_caller]
fn value(text: &str, expected: &str) {
    let variables = variables();
    let scope = Scope { parameters: &["id", "rest"], variables: &variables };
    let value = Value::compile(text, value::Side::Request, scope).unwrap();
    let mut out = Vec::new();
    with_sources(|sources| value.render(sources, &mut out));
    assert_eq!(str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn values_read_the_request() {
    value("static text", "static text");
    value("", "");
    value("$request.header.accept", "a/b");
    value("$request.header.X-Multi", "1,2");
    value("$request.header.none", "");
    value("$request.querystring.q", "a b,c d,\n");
    value("$request.querystring.flag", "");
    value("$request.path", "/pets/7/a/b");
    value("$request.path.id", "7");
    value("$request.path.rest", "a/b");
    value("$request.body.pet.name", "Rex");
    value("$request.body.pet.tags[1]", "b");
    value("$request.body.pet.tags", r#"["a","b"]"#);
    value("$request.body.none", "");
    value("$context.httpMethod", "GET");
    value("$context.path", "/prod/pets/7/a/b");
    value("$context.stage", "");
    value("$stageVariables.v", "one");
    value("$stageVariables.none", "");
    value("${request.path.id}-${stageVariables.v}", "7-one");
    value("x${request.header.none}y${context.httpMethod}", "xyGET");
    value("5 $ and {x}", "5 $ and {x}");
}

#[track_caller]
fn faulty(key: &str, text: &str, part: &str) {
    let sentences = compile(&[(key, text)]).unwrap_err();
    assert!(sentences[0].starts_with(key) && sentences[0].contains(part), "{sentences:?}");
}

#[test]
fn faulty_entries_say_what_was_expected() {
    faulty("add:header.x", "1", "expected append|overwrite|remove:header.NAME");
    faulty("append:path", "/x", "expected append");
    faulty("overwrite:body", "x", "expected append");
    faulty("append:header.", "x", "not a header name");
    faulty("append:header.a b", "x", "not a header name");
    faulty("append:querystring.", "x", "not the name of a query parameter");
    faulty("remove:header.x", "y", "must be ''");
    faulty("append:header.host", "x", "can only be overwritten");
    faulty("append:header.x", "$request.path.none", "only id, rest");
    faulty("append:header.x", "$response.header.x", "only $request");
    faulty("append:header.x", "$foo", "is not a variable");
    faulty("append:header.x", "$request.bodyx", "is not a variable");
    faulty("append:header.x", "${request.path.id", "not closed");
    faulty("append:header.x", "$context.none", "not a variable that HTTP APIs have");
    faulty("append:header.x", "$context.authorizer.property", "not supported by this version");
    faulty("append:header.x", "$request.body..x", "JSON path");
    let twice = [("overwrite:header.x", "1"), ("remove:header.X", "")];
    assert!(compile(&twice).unwrap_err()[0].contains("contradicts"));
}

#[test]
fn reserved_headers_cannot_be_mapped() {
    for name in [
        "Access-Control-Allow-Origin",
        "apigw-x",
        "Authorization",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Location",
        "Forwarded",
        "Keep-Alive",
        "Origin",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailers",
        "Transfer-Encoding",
        "Upgrade",
        "x-amz-x",
        "X-Amzn-Trace-Id",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Via",
        "Trailer",
        "Expect",
    ] {
        faulty(&format!("append:header.{name}"), "1", "is reserved");
        let sentences = answers("200", &[(&format!("remove:header.{name}"), "")]).unwrap_err();
        assert!(sentences[0].contains("is reserved"), "{sentences:?}");
    }
    assert!(
        compile(&[("append:header.amz-x", "1"), ("append:header.X-Forwarded-Port", "1")]).is_ok()
    );
}

#[test]
fn entries_are_bounded_at_the_limit_and_limit_plus_one() {
    let many = |count: usize| {
        let keys: Vec<String> = (0..count).map(|n| format!("append:header.x{n}")).collect();
        let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), "1")).collect();
        compile(&entries)
    };
    assert!(many(crate::base::limits::MAPPING_ENTRIES_MAX).is_ok());
    let sentences = many(crate::base::limits::MAPPING_ENTRIES_MAX + 1).unwrap_err();
    assert!(sentences[0].contains("at most 300"), "{sentences:?}");
}

#[track_caller]
fn fields(entries: &[(&str, &str)], expected: &[&str]) {
    let mapping = compile(entries).unwrap();
    let mut said = Said::default();
    with_sources(|sources| mapping.write_fields(sources, &mut Vec::new(), &mut said));
    assert_eq!(said.fields, expected);
}

#[test]
fn fields_are_added_unless_they_could_break_a_head() {
    fields(&[("append:header.X", "1"), ("overwrite:header.y", " 2 ")], &["x: 1", "y: 2"]);
    fields(&[("append:header.x", "$request.body.pet.text")], &[]);
    fields(&[("append:header.x", "$request.querystring.q")], &[]);
    fields(&[("append:header.x", "$request.header.x-evil")], &[]);
    fields(&[("append:header.x", "a\u{7f}")], &[]);
    fields(&[("append:header.x", "a\tb")], &["x: a\tb"]);
    fields(&[("append:header.x", "$request.header.none")], &[]);
    fields(&[("remove:header.x", "")], &[]);
    let longest = "v".repeat(MAPPED_VALUE_BYTES_MAX);
    fields(&[("append:header.x", &longest)], &[&format!("x: {longest}")]);
    fields(&[("append:header.x", &format!("{longest}v"))], &[]);
}

#[track_caller]
fn query(entries: &[(&str, &str)], expected: &str) {
    let mapping = compile(entries).unwrap();
    let mut out = Vec::new();
    with_sources(|sources| {
        let separator = |out: &mut Vec<u8>| out.push(if out.is_empty() { b'?' } else { b'&' });
        mapping.write_query(sources, &mut Vec::new(), separator, &mut out);
    });
    assert_eq!(str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn query_parameters_are_edited() {
    let all = "?q=a%20b&Q=no&q=c+d&flag&%71=%0a";
    query(&[], all);
    query(
        &[("append:querystring.x", "a&b=c d#\r\n+%")],
        &format!("{all}&x=a%26b%3Dc%20d%23%0D%0A%2B%25"),
    );
    query(&[("append:querystring.q", "1")], &format!("{all}&q=1"));
    query(&[("overwrite:querystring.q", "$request.path.id")], "?Q=no&flag&q=7");
    query(&[("remove:querystring.q", "")], "?Q=no&flag");
    query(&[("overwrite:querystring.flag", "")], "?q=a%20b&Q=no&q=c+d&%71=%0a");
    let none = [
        ("remove:querystring.q", ""),
        ("remove:querystring.Q", ""),
        ("remove:querystring.flag", ""),
    ];
    query(&none, "");
    query(&[("append:querystring.x y", "é")], &format!("{all}&x%20y=%C3%A9"));
}

#[track_caller]
fn path(text: &str, expected: Result<Option<&str>, ()>) {
    let mapping = compile(&[("overwrite:path", text)]).unwrap();
    let mut out = Vec::new();
    let written = with_sources(|sources| mapping.write_path(sources, &mut Vec::new(), &mut out));
    let found = written.map(|written| written.then(|| str::from_utf8(&out).unwrap()));
    assert_eq!(found.map_err(|_| ()), expected);
}

#[test]
fn the_path_is_overwritten_encoded_and_without_dot_segments() {
    path("/x/$y", Ok(Some("/x/$y")));
    path("x/${request.path.id}", Ok(Some("/x/7")));
    path("$request.path", Ok(Some("/pets/7/a/b")));
    path("/a b?c#d%2f%zz\\", Ok(Some("/a%20b%3Fc%23d%2f%25zz%5C")));
    path("$request.querystring.q", Ok(Some("/a%20b,c%20d,%0A")));
    path("$request.header.none", Ok(None));
    for text in ["/a/../b", "/..", "..", "/a/.", "/%2e%2E/x", "/.%2e", "/a\\..\\b"] {
        path(text, Err(()));
    }
    path("/.../..a/b..", Ok(Some("/.../..a/b..")));
}

#[test]
fn only_what_reads_the_body_says_so() {
    let reads = |key, text| compile(&[(key, text)]).unwrap().reads_body();
    assert!(reads("append:header.x", "$request.body"));
    assert!(reads("append:querystring.x", "a${request.body.x}b"));
    assert!(reads("overwrite:path", "$request.body.x"));
    assert!(reads("overwrite:header.host", "$request.body.x"));
    assert!(!reads("append:header.x", "$request.path"));
    let mapping = answers("200", &[("overwrite:statuscode", "$response.body.code")]).unwrap();
    assert!(mapping.reads_body(Status::OK));
    assert!(!mapping.reads_body(Status::NOT_FOUND));
}

#[track_caller]
fn status(text: &str, expected: u16) {
    let mapping = answers("404", &[("overwrite:statuscode", text)]).unwrap();
    let rules = mapping.find(Status::NOT_FOUND).unwrap();
    let status = with_sources(|sources| rules.status(Status::NOT_FOUND, sources, &mut Vec::new()));
    assert_eq!(status.code(), expected);
}

#[test]
fn a_status_is_overwritten_by_a_status_only() {
    status("403", 403);
    status("$response.header.none", 404);
    status("$response.header.x-multi", 404);
    status("${response.header.none}599", 599);
    for bad in ["99", "199", "600", "2x0", "+200", ""] {
        assert!(answers("404", &[("overwrite:statuscode", bad)]).is_err(), "{bad}");
    }
    for bad in ["199", "600", "default", "2XX"] {
        assert!(answers(bad, &[]).unwrap_err()[0].contains("200 to 599"), "{bad}");
    }
    assert!(answers("200", &[("append:querystring.x", "1")]).is_err());
    assert!(answers("200", &[("append:header.x", "$request.header.x")]).is_err());
    assert!(answers("200", &[("append:header.x", "$response.querystring.x")]).is_err());
}

/// Whatever values hold, a target stays one target and a head stays one head.
#[test]
fn random_values_break_neither_head_nor_target() {
    for seed in 1..=400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let text: String = (0..random.usize(0..40)).map(|_| random.char('\0'..='\u{ff}')).collect();
        let text = text.replace("${", "").replace('$', "");
        let entries = [
            ("append:header.x", text.as_str()),
            ("append:querystring.x", text.as_str()),
            ("overwrite:path", text.as_str()),
        ];
        let mapping = compile(&entries).unwrap();
        let (mut said, mut target) = (Said::default(), Vec::new());
        with_sources(|sources| {
            mapping.write_fields(sources, &mut Vec::new(), &mut said);
            let mut scratch = Vec::new();
            if mapping.write_path(sources, &mut scratch, &mut target).is_err() {
                target.clear();
            }
            let before = target.len();
            mapping.write_query(sources, &mut scratch, |out| out.push(b'&'), &mut target);
            let added = &target[before..];
            let pairs = added.iter().filter(|&&byte| byte == b'&').count();
            assert!((5..=6).contains(&pairs), "seed {seed}: {added:?}");
        });
        let sound = |byte: &u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(byte);
        assert!(target.iter().all(sound), "seed {seed}: {target:?}");
        let broken = |line: &String| line.contains(['\r', '\n', '\0']);
        assert!(!said.fields.iter().any(broken), "seed {seed}: {said:?}");
    }
}

#[test]
fn encoding_and_decoding_agree() {
    for seed in 1..=200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let text: Vec<u8> = (0..random.usize(0..50)).map(|_| random.u8(..)).collect();
        let mut encoded = Vec::new();
        encode_query(&text, &mut encoded);
        assert!(decode_query(&encoded).eq(text.iter().copied()), "seed {seed}");
    }
}
