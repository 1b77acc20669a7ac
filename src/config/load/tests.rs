use std::{ffi::OsStr, fs};

use super::*;
use crate::{
    config::{
        AccessLogTo, Shards,
        report::{self, Colours},
    },
    demo,
};

const GOLDEN: &str = "tests/golden";

/// What `validate` would print of a file, its paths relative to the project.
fn rendered(path: &str) -> String {
    let loaded = load(&Source::File(path.into()), &Overrides::default());
    assert_eq!(loaded.plan.is_some(), loaded.problems.errors() == 0, "{path}");
    report::render(&loaded.problems, &loaded.sources, Colours::Off)
}

/// Each `tests/golden/NAME.yaml` (or .json) is told as `NAME.txt` says; with the variable
/// RINGWAY_BLESS the text is written anew, for reading in the diff.
#[test]
fn golden_files_are_told_as_expected() {
    let mut seen = 0;
    for entry in fs::read_dir(GOLDEN).unwrap() {
        let path = entry.unwrap().path();
        let is_input = |end: &OsStr| end == "yaml" || end == "json";
        if !path.extension().is_some_and(is_input) {
            continue;
        }
        seen += 1;
        let found = rendered(path.to_str().unwrap());
        let expected = path.with_extension("txt");
        if std::env::var_os("RINGWAY_BLESS").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(found, expected, "{}", path.display());
    }
    assert!(seen >= 10, "the golden files are missing");
}

#[test]
fn a_sound_gateway_file_becomes_a_plan_and_settings() {
    let path = format!("{GOLDEN}/sound.yaml");
    let loaded = load(&Source::File(path.clone().into()), &Overrides::default());
    let plan = loaded.plan.expect("sound");
    let ids: Vec<_> = plan.apis().iter().map(|api| (api.name.as_str(), api.id.as_str())).collect();
    assert_eq!(ids[0], ("pets", "x7k2m9q4ab"));
    assert_eq!(ids[1].0, "more pets");
    assert_eq!((plan.stage_count(), plan.route_count(), plan.upstreams().len()), (3, 3, 1));
    let stages = &plan.apis()[0].stages;
    assert_eq!(stages[1].name.as_str(), "$default");
    assert_eq!(stages[1].variables.find("color"), Some("green"));
    assert_eq!(stages[1].variables.find("backend"), Some("127.0.0.1:9000"));
    let settings = loaded.settings;
    assert_eq!(settings.listeners.len(), 2);
    assert_eq!(settings.admin.to_string(), "127.0.0.1:9902");
    assert_eq!(settings.shards, Shards::Exactly(2));
    assert_eq!(settings.access_log, AccessLogTo::File(format!("{GOLDEN}/access.log").into()));
    let files: Vec<_> = loaded.files_read.iter().map(|file| file.to_str().unwrap()).collect();
    assert_eq!(files, [path.as_str(), &format!("{GOLDEN}/definitions/pets.yaml")]);
}

#[test]
fn a_definition_is_served_by_itself() {
    let path = format!("{GOLDEN}/definitions/pets.yaml");
    let set = |pairs: &[(&str, &str)]| Overrides {
        stage_variables: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..Overrides::default()
    };
    let source = Source::File(path.into());
    let twice = set(&[("backend", "a:9001"), ("backend", "b:9002")]);
    let plan = load(&source, &twice).plan.expect("sound");
    assert_eq!((plan.apis()[0].name.as_str(), plan.stage_count()), ("pets", 1));
    assert_eq!(plan.apis()[0].stages[0].name.as_str(), "$default");
    assert_eq!(plan.upstreams()[0].host, "b", "the last of a name wins");
    let wrong = load(&source, &set(&[("backend", "a:9001"), ("a-b", "x")]));
    assert_eq!(wrong.problems.errors(), 1, "{:?}", told(&wrong));
    // A misspelt name said nothing, where the file's own value stood in for it.
    let unread = load(&source, &set(&[("backend", "a:9001"), ("backends", "b:9002")]));
    let sentence = "--set backends: nothing reads a stage variable of this name; did you mean \
                    backend?";
    assert_eq!(told(&unread), [sentence]);
    assert!(unread.plan.is_some());
}

#[test]
fn a_file_that_is_not_there_is_told_and_watched() {
    let loaded = load(&Source::File("tests/golden/none.yaml".into()), &Overrides::default());
    let expected = "tests/golden/none.yaml cannot be read: No such file or directory (os error 2)";
    assert_eq!(told(&loaded), [expected]);
    assert_eq!(loaded.files_read, [PathBuf::from("tests/golden/none.yaml")]);
}

#[test]
fn the_demo_is_a_plan_without_a_problem() {
    let backend = (demo::BACKEND.to_owned(), "127.0.0.1:9000".to_owned());
    let overrides = Overrides { stage_variables: vec![backend], ..Overrides::default() };
    let loaded = load(&Source::Demo, &overrides);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let plan = loaded.plan.expect("there is no problem");
    assert_eq!((plan.apis().len(), plan.stage_count(), plan.route_count()), (1, 1, 5));
    assert_eq!(plan.apis()[0].name, "petstore");
}

fn told(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(ToString::to_string).collect()
}
