//! Bounds, each at the limit and one above, and documents made to cost much.

use std::{fmt::Write as _, path::Path};

use crate::{
    base::{
        Severity,
        limits::{
            MAPPING_BYTES_OF_INTEGRATION_MAX, MAPPING_ENTRIES_MAX, OPENAPI_TEXT_BYTES_MAX,
            PROBLEMS_MAX, ROUTES_MAX, ROUTES_QUOTA,
        },
    },
    config::{
        Problems,
        document::Document,
        openapi::{ApiDefinition, ImportOptions, import},
    },
};

const SERVED: &str = "type: http_proxy, httpMethod: ANY, payloadFormatVersion: '1.0'";

/// The number of routes, or `None` when refused; and all that was told.
fn read(text: &str) -> (Option<usize>, Problems) {
    let mut problems = Problems::new();
    let document = Document::parse(Path::new("api.yaml"), text.as_bytes(), &mut problems);
    let document = document.expect("a tree");
    let definition = import(&document, &ImportOptions::default(), &mut problems);
    let sound = definition.filter(ApiDefinition::is_sound);
    (sound.map(|definition| definition.routes().len()), problems)
}

#[track_caller]
fn check(text: &str, routes: Option<usize>, severity: Severity, words: &str) {
    let (found, problems) = read(text);
    assert_eq!(found, routes, "{:?}", problems.iter().next());
    let is_told = problems.iter().any(|problem| {
        problem.severity == severity && !words.is_empty() && problem.message.contains(words)
    });
    assert_eq!(is_told, !words.is_empty(), "{:?}", problems.iter().next());
    if words.is_empty() {
        assert_eq!(problems.iter().filter(|problem| problem.severity == severity).count(), 0);
    }
}

fn many_routes(count: usize) -> String {
    let mut text = "openapi: 3.0.1\npaths:\n".to_owned();
    for number in 0..count {
        let reference = "$ref: '#/components/x-amazon-apigateway-integrations/a'";
        writeln!(
            text,
            "  /{number}: {{get: {{x-amazon-apigateway-integration: {{{reference}}}}}}}"
        )
        .unwrap();
    }
    writeln!(
        text,
        "components: {{x-amazon-apigateway-integrations: {{a: {{{SERVED}, uri: 'http://h/'}}}}}}"
    )
    .unwrap();
    text
}

fn with_uri(uri: &str) -> String {
    let integration = format!("x-amazon-apigateway-integration: {{{SERVED}, uri: {uri}}}");
    format!("openapi: 3.0.1\npaths: {{/a: {{get: {{{integration}}}}}}}\n")
}

fn with_mappings(mappings: &str) -> String {
    with_uri(&format!("'http://h/', requestParameters: {{{mappings}}}"))
}

#[test]
fn routes_over_the_quota_are_warned_of_and_over_the_limit_refused() {
    check(&many_routes(ROUTES_QUOTA), Some(ROUTES_QUOTA), Severity::Warning, "");
    let more = ROUTES_QUOTA + 1;
    check(&many_routes(more), Some(more), Severity::Warning, "AWS's quota is 300");
    check(&many_routes(ROUTES_MAX), Some(ROUTES_MAX), Severity::Error, "");
    check(&many_routes(ROUTES_MAX + 1), None, Severity::Error, "more than 3000 routes");
}

#[test]
fn texts_are_bounded() {
    let uri = |len: usize| format!("'http://h/{}'", "a".repeat(len - "http://h/".len()));
    check(&with_uri(&uri(OPENAPI_TEXT_BYTES_MAX)), Some(1), Severity::Error, "");
    let over = uri(OPENAPI_TEXT_BYTES_MAX + 1);
    check(&with_uri(&over), None, Severity::Error, "at most 16384 are taken");
}

#[test]
fn mappings_are_bounded() {
    let many = |count: usize| {
        let one = |number| format!("append:querystring.q{number}: v");
        (0..count).map(one).collect::<Vec<_>>().join(", ")
    };
    check(&with_mappings(&many(MAPPING_ENTRIES_MAX)), Some(1), Severity::Error, "");
    let over = many(MAPPING_ENTRIES_MAX + 1);
    check(&with_mappings(&over), None, Severity::Error, "has 301 entries; at most 300");
    // Eight keys and values that together have all bytes that are allowed.
    let large = |more: usize| {
        let key = "append:querystring.a";
        let len = MAPPING_BYTES_OF_INTEGRATION_MAX / 8 - key.len();
        let one = |name: char| {
            let len = if name == 'a' { len + more } else { len };
            format!("append:querystring.{name}: {}", "v".repeat(len))
        };
        ('a'..='h').map(one).collect::<Vec<_>>().join(", ")
    };
    check(&with_mappings(&large(0)), Some(1), Severity::Error, "");
    check(&with_mappings(&large(1)), None, Severity::Error, "the mappings have 65537 bytes");
}

/// Each level doubles the text of the one below: 300 MB if nobody counted.
#[test]
fn functions_in_functions_do_not_explode() {
    let mut uri = "'http://h/'".to_owned();
    for _ in 0..25 {
        uri = format!("{{Fn::Sub: ['${{a}}${{a}}', {{a: {uri}}}]}}");
    }
    let (routes, problems) = read(&with_uri(&uri));
    assert_eq!(routes, None);
    assert!(problems.iter().any(|problem| problem.message.contains("16384 bytes")));
}

#[test]
fn chains_of_references_are_bounded() {
    let chain = |count: usize| {
        let mut text = "openapi: 3.0.1\npaths:\n".to_owned();
        for number in 0..count {
            writeln!(text, "  /{number}: {{$ref: '#/paths/~1{}'}}", number + 1).unwrap();
        }
        let served = format!("{SERVED}, uri: 'http://h/'");
        writeln!(text, "  /{count}: {{get: {{x-amazon-apigateway-integration: {{{served}}}}}}}")
            .unwrap();
        text
    };
    check(&chain(16), Some(17), Severity::Error, "");
    check(&chain(17), None, Severity::Error, "runs in a circle");
}

/// One line of half a megabyte with 20,000 faults: their places are not searched for in vain.
#[test]
fn a_long_line_full_of_faults_is_read_in_time() {
    let faults: Vec<String> = (0..20_000).map(|number| format!("\"fault{number}\": 1")).collect();
    let text = format!("{{\"openapi\": \"3.0.1\", \"paths\": {{}}, {}}}", faults.join(", "));
    let (routes, problems) = read(&text);
    assert_eq!(routes, Some(0));
    assert_eq!(problems.count(Severity::Warning), 20_001);
    assert_eq!(problems.iter().count(), PROBLEMS_MAX);
}

/// Each reference was searched for among all names, one by one, and each misspelt one was compared
/// with all: 6 MB took 9 s in a release build, and this 65 s in a debug build (now 0.7).
#[test]
fn references_into_many_names_are_found_in_time() {
    const NAMES: usize = 100_000;
    let mut text = "openapi: 3.0.1\npaths:\n".to_owned();
    for number in 0..ROUTES_MAX {
        let name = if number % 2 == 0 { NAMES - 15 } else { NAMES + number };
        writeln!(text, "  /{number}: {{$ref: '#/components/pathItems/{name:07}'}}").unwrap();
    }
    text.push_str("components:\n  pathItems:\n");
    for number in 0..NAMES {
        let item = if number < NAMES - 15 {
            "{}".to_owned()
        } else if number < NAMES - 1 {
            format!("{{$ref: '#/components/pathItems/{:07}'}}", number + 1)
        } else {
            format!("{{get: {{x-amazon-apigateway-integration: {{{SERVED}, uri: 'http://h/'}}}}}}")
        };
        writeln!(text, "    '{number:07}': {item}").unwrap();
    }
    let (routes, problems) = read(&text);
    assert_eq!(routes, None);
    assert_eq!(problems.errors(), ROUTES_MAX / 2);
}
