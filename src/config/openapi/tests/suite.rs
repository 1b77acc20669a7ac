//! The third-party suite `openapi-aws`: 273 real documents with AWS's extensions. Each imports
//! or is refused with a sentence and a place; none panics.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    base::{Problem, Severity},
    config::{
        Problems,
        document::Document,
        openapi::{ApiDefinition, ImportOptions, StageInputs, import},
    },
    steps::{context::StageVariables, stage::StageName},
};

/// The documents that import as they are: file, routes, and what the first route calls.
const IMPORTED: &[(&str, usize, &str)] = &[
    (
        "inline/serverless-application-model/integration__resources__templates__combination__\
         api_with_usage_plan__MyApi2.json",
        1,
        "ANY /http/{proxy+} -> httpbin.org:80",
    ),
    (
        "inline/serverless-application-model/integration__resources__templates__single__\
         basic_api_inline_openapi__MyApi.json",
        1,
        "ANY /http/{proxy+} -> httpbin.org:80",
    ),
    // Definitions without routes: SAM adds them elsewhere.
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_custom_domain_private_endpoint_base__MyApi.json",
        0,
        "",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         connector_api_to_function__MyHttpApi.json",
        0,
        "",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         http_api_global_iam_auth_enabled_with_existing_conflicting_authorizer__MyApi.json",
        0,
        "",
    ),
];

/// Why documents are refused, by words of their first error, and how many of them are.
const REFUSED: &[(&str, usize)] = &[
    ("this is a CloudFormation or SAM template", 63),
    ("this is a Swagger 2.0 document", 104),
    ("openapi is 2.0.0", 1),
    ("the tag !Rain::", 2),
    ("is given twice in one mapping", 2),
    ("YAML syntax: invalid indentation", 1),
    ("is a function that only CloudFormation can do", 6),
    ("known only where CloudFormation runs", 3),
    ("this version would serve the route without it", 5),
    // A placeholder of a template.
    ("is no ARN of a user pool", 3),
    ("x-amazon-apigateway-api-key-source AUTHORIZER is not yet supported", 1),
    ("the integration's type is", 64),
    ("integrationSubtype", 3),
    ("connectionType VPC_LINK is not yet supported", 2),
    ("has no x-amazon-apigateway-integration", 4),
    ("any is no key of OpenAPI 3", 1),
    ("x-amazon-apigateway-authorizer means nothing here", 2),
    ("the document has no paths", 1),
];

/// Documents whose routes differ from the index's count of operations when every integration is
/// replaced by one that is served, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "openapi/moto/tests__test_apigateway__resources__test_api.json",
        "its operations have no integration (the index has this document twice)",
    ),
    (
        "openapi/moto/tests__test_apigateway__resources__test_api_invalid.json",
        "paths is misspelt on purpose",
    ),
    (
        "openapi/moto/tests__test_apigateway__resources__test_deep_api.json",
        "its operation has no integration",
    ),
    (
        "inline/serverless-application-model/integration__resources__templates__\
         combination__function_with_http_api_default_path__MyApi.json",
        "its operation has no integration",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_http_paths_with_if_condition__MyApi.json",
        "Fn::If in paths",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_http_paths_with_if_condition_no_value_then_case__MyApi.json",
        "Fn::If in paths",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_open_api_version_override__ApiGatewayCognitoService15108F0B.json",
        "authorizers in Swagger 2's securityDefinitions",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_rest_paths_with_if_condition_openapi__MyApi.json",
        "Fn::If in paths",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_rest_paths_with_if_condition_openapi_no_value_else_case__MyApi.json",
        "Fn::If in paths",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_with_any_method_in_swagger__MyApi.json",
        "the verb any, which OpenAPI does not have",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         api_with_basic_custom_domain_intrinsics__MyApi.json",
        "Fn::If in paths",
    ),
    (
        "inline/serverless-application-model/tests__translator__output__\
         http_api_existing_openapi_conditions__MyApi.json",
        "Fn::If in paths",
    ),
];

fn suite() -> Option<PathBuf> {
    let root = std::env::var_os("RINGWAY_SUITES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/suites"),
        PathBuf::from,
    );
    let folder = root.join("openapi-aws");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no suite at {}", folder.display());
    eprintln!("SKIPPED: no suite at {}; set RINGWAY_SUITES", folder.display());
    None
}

/// A document of the suite: its entry in the index, and its bytes.
fn documents(folder: &Path) -> impl Iterator<Item = (Value, Vec<u8>)> {
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_slice(&index).unwrap();
    assert_eq!(index.len(), 273);
    index.into_iter().map(move |entry| {
        let bytes = std::fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap();
        (entry, bytes)
    })
}

fn read(file: &str, bytes: &[u8], problems: &mut Problems) -> Option<ApiDefinition> {
    let document = Document::parse(file.as_ref(), bytes, problems)?;
    import(&document, &ImportOptions::default(), problems).filter(ApiDefinition::is_sound)
}

/// `ANY /http/{proxy+} -> httpbin.org:80`.
fn first_route(definition: &ApiDefinition, problems: &mut Problems) -> String {
    let name = StageName::parse("$default").unwrap();
    let variables = StageVariables::default();
    let inputs = StageInputs { name: &name, variables: &variables };
    let draft = definition.compile(&inputs, problems).expect("it imported, so it compiles");
    let Some(route) = draft.routes.first() else { return String::new() };
    format!("{} -> {}:{}", route.key, route.integration.uri.host, route.integration.uri.port)
}

fn first_error(problems: &Problems) -> Option<&Problem> {
    problems.iter().find(|problem| problem.severity == Severity::Error)
}

#[test]
fn every_document_imports_or_is_refused_with_a_sentence() {
    let Some(folder) = suite() else { return };
    let mut imported = BTreeMap::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for (entry, bytes) in documents(&folder) {
        let file = entry["file"].as_str().unwrap();
        let mut problems = Problems::new();
        if let Some(definition) = read(file, &bytes, &mut problems) {
            let route = first_route(&definition, &mut problems);
            imported.insert(file.to_owned(), (definition.routes().len(), route));
            assert_eq!(problems.errors(), 0, "{file}");
            continue;
        }
        let first = first_error(&problems).unwrap_or_else(|| panic!("{file}: no sentence"));
        for problem in problems.iter() {
            assert!(problem.place.is_some() && problem.message.len() > 10, "{file}: {problem}");
        }
        let reason = REFUSED.iter().find(|(words, _)| first.message.contains(words));
        let reason = reason.unwrap_or_else(|| panic!("{file}: a new reason: {first}"));
        *refused.entry(reason.0).or_default() += 1;
    }
    for (reason, count) in &refused {
        eprintln!("{count:4} {reason}");
    }
    assert_eq!(refused, REFUSED.iter().copied().collect());
    let expected =
        IMPORTED.iter().map(|&(file, routes, first)| (file.to_owned(), (routes, first.to_owned())));
    assert_eq!(imported, expected.collect());
}

/// The routing of every real document, whatever its integrations are: each is replaced by one
/// that is served, and what protects is taken out. The index counts operations independently.
#[test]
fn every_operation_of_the_suite_becomes_a_route() {
    let Some(folder) = suite() else { return };
    let mut different = BTreeMap::new();
    let mut routes = 0;
    for (entry, bytes) in documents(&folder) {
        let is_openapi = entry["spec"].as_str().unwrap().starts_with("openapi3");
        if entry["kind"] == "template" || !is_openapi {
            continue;
        }
        let file = entry["file"].as_str().unwrap();
        let mut tree: Value = serde_json::from_slice(&bytes).unwrap();
        serve(&mut tree);
        let mut problems = Problems::new();
        let definition = read(file, tree.to_string().as_bytes(), &mut problems);
        let found = definition.as_ref().map(|definition| definition.routes().len() as u64);
        routes += found.unwrap_or_default();
        if found != entry["operations"].as_u64() {
            let first = first_error(&problems).map(ToString::to_string).unwrap_or_default();
            eprintln!("{file}: {found:?} routes, {} operations\n    {first}", entry["operations"]);
            different.insert(file.to_owned(), first);
        }
    }
    assert_eq!(routes, 173);
    let found: Vec<&str> = different.keys().map(String::as_str).collect();
    let mut known: Vec<&str> = DIFFERENT.iter().map(|&(file, _)| file).collect();
    known.sort_unstable();
    assert_eq!(found, known);
}

/// Replaces integrations and takes out what protects, all the way down.
fn serve(tree: &mut Value) {
    match tree {
        Value::Object(map) => {
            for key in ["security", "x-amazon-apigateway-auth", "x-amazon-apigateway-policy"] {
                map.remove(key);
            }
            map.remove("x-amazon-apigateway-api-key-source");
            map.remove("x-amazon-apigateway-endpoint-configuration");
            for (key, value) in map {
                if key == "x-amazon-apigateway-integration" {
                    *value = json!({"type": "http_proxy", "httpMethod": "ANY", "uri": "http://h/"});
                } else {
                    serve(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(serve),
        _ => {}
    }
}
