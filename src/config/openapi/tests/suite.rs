//! The third-party suite `openapi-aws`: 273 real documents with AWS's extensions. Each imports
//! or is refused with a sentence and a place; none panics.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    base::Severity,
    config::{
        Problems,
        document::Document,
        openapi::{ImportOptions, import},
    },
};

/// What becomes of one document.
struct Outcome {
    file: String,
    spec: String,
    routes: Option<usize>,
    problems: Problems,
}

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

fn outcomes(folder: &PathBuf) -> Vec<Outcome> {
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: Vec<serde_json::Value> = serde_json::from_slice(&index).unwrap();
    index.iter().map(|entry| outcome(folder, entry)).collect()
}

fn outcome(folder: &PathBuf, entry: &serde_json::Value) -> Outcome {
    let file = entry["file"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(folder.join(&file)).unwrap();
    let mut problems = Problems::new();
    let document = Document::parse(file.as_ref(), &bytes, &mut problems);
    let definition =
        document.and_then(|document| import(&document, &ImportOptions::default(), &mut problems));
    let routes = definition.map(|definition| definition.routes().len());
    Outcome { file, spec: entry["spec"].as_str().unwrap().to_owned(), routes, problems }
}

#[test]
fn every_document_imports_or_is_refused_with_a_sentence() {
    let Some(folder) = suite() else { return };
    let mut table: BTreeMap<(String, String), usize> = BTreeMap::new();
    for outcome in outcomes(&folder) {
        let what = match outcome.routes {
            Some(_) => "imports".to_owned(),
            None => outcome
                .problems
                .iter()
                .find(|p| p.severity == Severity::Error)
                .map_or("NONE".into(), |p| p.message.clone()),
        };
        eprintln!("== {} {}", outcome.file, outcome.spec);
        for problem in outcome.problems.iter() {
            eprintln!("   {:?} {problem}", problem.severity);
        }
        *table.entry((outcome.spec, what)).or_default() += 1;
    }
    for ((spec, what), count) in table {
        eprintln!("{count:4} {spec:12} {what}");
    }
}
