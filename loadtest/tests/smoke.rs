//! The load test itself, run small: real processes on loopback, bounded in time by its own limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn loadtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(arguments).output().unwrap()
}

/// The last core may be the only one.
fn load_core() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("--load-core={}", cores.saturating_sub(1).min(1))
}

#[track_caller]
fn check_succeeds(arguments: &[&str]) -> String {
    let core = load_core();
    let output = loadtest(&[arguments, &[&core]].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}\n{said}\n{errors}", output.status);
    said
}

/// A folder of this test's own, so that tests can run at once.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn a_quick_comparison_measures_the_floor_and_records_it() {
    let out = folder("quick");
    let text = out.to_str().unwrap();
    let said = check_succeeds(&["compare", "--quick", "--only", "floor", "--out", text]);
    assert!(said.contains("### 1 connection, small responses"), "{said}");
    assert!(said.contains("### 64 connections, small responses"), "{said}");
    assert!(said.contains("### 64 connections, /64k"), "{said}");
    assert!(said.contains("### Fixed rate"), "{said}");
    let files: Vec<PathBuf> = fs::read_dir(&out).unwrap().map(|f| f.unwrap().path()).collect();
    let read = |extension: &str| {
        let path = files.iter().find(|path| path.extension().is_some_and(|e| e == extension));
        fs::read_to_string(path.unwrap()).unwrap()
    };
    let record: serde_json::Value = serde_json::from_str(&read("json")).unwrap();
    let row = &record["tables"][1]["rows"][0];
    assert_eq!(row["gateway"], "floor");
    assert_eq!(row["errors"], 0);
    assert!(row["cpu_us"]["median"].as_f64().unwrap() > 0.0);
    assert!((row["to_floor"]["median"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!(row["runs"][0]["driven"]["requests"].as_u64().unwrap() >= 300);
    assert_eq!(record["fixed_rate"][0]["driven"]["errors"], 0);
    for key in ["date", "commit", "dirty", "kernel", "cpu", "command_line", "versions"] {
        assert!(!record[key].is_null(), "{key} is recorded");
    }
    assert!(read("svg").starts_with("<svg xmlns="));
    assert!(read("md").contains("| floor |"));
}

#[test]
fn short_connections_leave_nothing_in_the_floor() {
    let small = ["--connections", "600", "--warm-up", "200"];
    let said = check_succeeds(&[&["soak", "--gateway", "floor"], &small[..]].concat());
    assert!(said.contains("met: everything came back"), "{said}");
}

#[test]
fn idle_connections_are_held_and_others_are_served() {
    let said = check_succeeds(&["idle", "--gateway", "floor", "--connections", "300"]);
    assert!(said.contains("300 of 300 are still open; another client is served: true"), "{said}");
}

/// What does not answer by 2xx must never become a figure.
#[test]
fn a_gateway_that_never_answers_is_named() {
    let output = loadtest(&["soak", "--gateway", "/bin/false", &load_core()]);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("other at 127.0.0.1:") && errors.contains("does not answer"),
        "{errors}"
    );
}

#[test]
fn unknown_gateways_are_refused() {
    let output = loadtest(&["compare", "--quick", "--only", "apache"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--only apache: expected some of floor, ringway"), "{errors}");
}
