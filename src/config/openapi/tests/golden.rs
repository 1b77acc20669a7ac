//! Golden documents: each file of `golden/` is a small OpenAPI document, followed (below the line
//! `# =>`) by what it becomes: the routes of its stage, then all problems. One rule per file.
//!
//! Comment lines at the top choose how it is read: `# stage: NAME KEY=VALUE ..` and
//! `# basepath: MODE`. With `RINGWAY_BLESS=1` the tests write what they found into the files.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    base::Place,
    config::{
        Problems,
        document::Document,
        openapi::{ApiDefinition, BasePath, ImportOptions, StageInputs, import},
        user_pools::UserPools,
    },
    plan::StageDraft,
    steps::{
        authorize::Authorizer,
        context::StageVariables,
        integrate::{IntegrationMethod, PathRule},
        stage::StageName,
    },
};

/// What a file of keys holds.
const KEYS: &[u8] = br#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k",
    "x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",
    "y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}]}"#;
const MARK: &str = "# =>\n";

#[test]
fn every_golden_document_becomes_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/openapi/tests/golden");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 50, "only {} golden documents", files.len());
    let wrong: Vec<String> = files.iter().filter_map(|file| differs(file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differs(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let (source, expected) = text.split_once(MARK).unwrap_or((&text, ""));
    let found: String = outcome(source).lines().map(|line| format!("# {line}\n")).collect();
    if found == expected {
        return None;
    }
    if std::env::var_os("RINGWAY_BLESS").is_some() {
        std::fs::write(file, format!("{source}{MARK}{found}")).unwrap();
        return None;
    }
    Some(format!("== {}\nexpected:\n{expected}found:\n{found}", file.display()))
}

fn outcome(source: &str) -> String {
    let mut options = ImportOptions::default();
    let mut stage = "$default".to_owned();
    let mut pairs = Vec::new();
    for line in source.lines().filter_map(|line| line.strip_prefix("# ")) {
        if let Some(mode) = line.strip_prefix("basepath: ") {
            options.basepath = BasePath::parse(mode).unwrap();
        }
        if let Some(line) = line.strip_prefix("stage: ") {
            let mut words = line.split(' ');
            stage = words.next().unwrap().to_owned();
            pairs = words.map(|word| word.split_once('=').unwrap()).collect();
        }
    }
    let mut problems = Problems::new();
    let document = Document::parse(Path::new("api.yaml"), source.as_bytes(), &mut problems);
    let mut definition = document.and_then(|document| import(&document, &options, &mut problems));
    let mut out = String::new();
    if let Some(definition) = &mut definition {
        let read = |_: &str, _: &Place, _, _: &mut Problems| Some(KEYS.to_vec());
        definition.read_keys(read, &mut UserPools::default(), &mut problems);
        let name = StageName::parse(&stage).unwrap();
        let variables = StageVariables::compile(pairs).unwrap();
        let inputs = StageInputs { name: &name, variables: &variables };
        let draft = definition.compile(&inputs, &mut problems);
        assert_eq!(draft.is_some(), problems.errors() == 0);
        draft.iter().for_each(|draft| render(definition, draft, &mut out));
    } else {
        assert!(problems.errors() > 0, "refused without a sentence:\n{source}");
    }
    problems.sort();
    for problem in problems.iter() {
        writeln!(out, "{:?} {problem}", problem.severity).unwrap();
    }
    out
}

fn render(definition: &ApiDefinition, draft: &StageDraft, out: &mut String) {
    for (route, defined) in draft.routes.iter().zip(definition.routes()) {
        let integration = &route.integration;
        let method = match integration.method {
            IntegrationMethod::Client => "ANY",
            IntegrationMethod::Fixed(method) => method.as_str(),
        };
        let uri = &integration.uri;
        let pieces = format!("{uri:?}");
        let pieces = pieces.split_once("path: ").unwrap().1.trim_end_matches(" }");
        let rule = match integration.path {
            PathRule::Template => "",
            PathRule::AppendRequestPath => " then the request's path",
        };
        let timeout = integration.timeout.as_millis();
        write!(out, "{} -> {method} {}:{}", route.key, uri.host, uri.port).unwrap();
        let key = if route.api_key_required { ", for API keys" } else { "" };
        let token = route.authorizer.as_ref().map_or_else(String::new, |demand| {
            match &*demand.authorizer {
                Authorizer::Jwt(jwt) => {
                    let issuers: Vec<&str> =
                        jwt.issuers().iter().map(|issuer| &*issuer.name).collect();
                    let (name, issuers) = (&jwt.name, issuers.join(", "));
                    format!(", for tokens of {name} ({issuers}) [{}]", demand.scopes())
                }
                other => format!(", by {}", other.name()),
            }
        });
        writeln!(out, " path {pieces}{rule}, {timeout} ms{key}{token}").unwrap();
        for mapping in &defined.integration.request {
            writeln!(out, "  {} = {}", mapping.key, mapping.value).unwrap();
        }
        for response in &defined.integration.responses {
            for mapping in &response.mappings {
                writeln!(out, "  {} {} = {}", response.status, mapping.key, mapping.value).unwrap();
            }
        }
    }
}
