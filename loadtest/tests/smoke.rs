//! The load test itself, run small: real processes on loopback, bounded in time by its own limits.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

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
    assert!(said.contains("### 64 connections, /1m"), "{said}");
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

/// Every other row, through nginx: Ringway is another package, whose binary may not be there.
#[test]
fn a_quick_comparison_measures_every_row_of_a_peer() {
    if !["nginx", "h2load"].into_iter().all(is_installed) {
        return;
    }
    let rows = "tls,handshakes,h2,h2c,idle";
    let said = check_succeeds(&["compare", "--quick", "--only", "nginx", "--rows", rows]);
    let titles = [
        "HTTPS, 1 connection, small responses",
        "HTTPS, 64 connections, /1m",
        "HTTPS, a new connection for each request, TLS 1.3, full",
        "HTTPS, a new connection for each request, TLS 1.3, resumed",
        "HTTPS, a new connection for each request, TLS 1.2, full",
        "HTTPS, a new connection for each request, TLS 1.2, resumed",
        "HTTP/2 over TLS, 8 connections of 16 streams, small responses",
        "HTTP/2 over TLS, 8 connections of 16 streams, /64k",
        "HTTP/2 over TLS, 8 connections of 16 streams, /1m",
        "HTTP/2 without TLS, 8 connections of 16 streams, small responses",
        "100 idle connections over TLS 1.3, each answered once",
    ];
    for title in titles {
        assert!(said.contains(&format!("### {title}\n")), "{title}: {said}");
    }
    let agreed = "TLS 1.3: TLS13_AES_256_GCM_SHA384 X25519, resumes (2 tickets); \
                  TLS 1.2: TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 X25519, resumes";
    assert!(said.contains(&format!("- nginx: {agreed}\n")), "{said}");
}

/// Whether a program is there. Where all must be (`CI` is set), it is an error when not.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("-v").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "{program} is not installed");
    if !found {
        eprintln!("NOT TESTED: {program} is not installed");
    }
    found
}

#[test]
fn rows_that_nobody_knows_are_refused() {
    let output = loadtest(&["compare", "--quick", "--rows", "h3"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--rows h3: expected all, a group (plain, tls, "), "{errors}");
}

#[test]
fn short_connections_leave_nothing_in_the_floor() {
    let small = ["--connections", "600", "--warm-up", "200"];
    let said = check_succeeds(&[&["soak", "--gateway", "floor"], &small[..]].concat());
    assert!(said.contains("met: everything came back"), "{said}");
}

#[test]
fn idle_connections_over_tls_are_held_and_others_are_served() {
    if is_installed("nginx") {
        let said = check_succeeds(&["idle", "--gateway=nginx", "--tls", "--connections=300"]);
        let served = "300 of 300 are still open; another client is served: true";
        assert!(said.contains(served), "{said}");
    }
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

/// A second ctrl-c, the OOM killer: no gateway stays behind on its core.
#[test]
#[expect(clippy::disallowed_methods, reason = "the end of another process is waited for")]
fn children_die_with_the_program() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["soak", "--gateway", "floor", &load_core()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("floor at ").unwrap().split_once(": ").unwrap().0;
    assert!(TcpStream::connect(address).is_ok(), "{line}");
    program.kill().unwrap();
    program.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "the floor at {address} still listens");
        std::thread::sleep(Duration::from_millis(10));
    }
}
