//! The judges judged: small examples, bad ones found, good ones let through.

use crate::{
    mark_tests, reachable,
    rules::{self, IMPORTS},
    source::{Source, words},
};

/// `text` as the file `path` has exactly these faults, given as `line: start of the rule`.
#[track_caller]
fn check(path: &str, text: &str, expected: &[&str]) {
    let source = Source::new(path, &format!("//! A file.\n{text}"));
    let found: Vec<String> = rules::check(&source)
        .iter()
        .map(|fault| format!("{}: {}", fault.line, fault.rule))
        .collect();
    let all_found = found.iter().zip(expected).all(|(found, start)| found.starts_with(start));
    assert!(all_found && found.len() == expected.len(), "{expected:?} wanted, found {found:#?}");
}

#[test]
fn imports_go_down_the_table_only() {
    check("src/http/a.rs", "use crate::base::Buffer;", &[]);
    check("src/http/a.rs", "use crate::http::Name;", &[]);
    check("src/http/a.rs", "use crate::wire::http1;", &["2: http/ imports wire/ (`wire::http1`)"]);
    check("src/base/a.rs", "\nfn f() { crate::http::f() }", &["3: base/ imports http/"]);
    check(
        "src/http/a.rs",
        "use crate::{base::{A, B}, json, plan::{C, D}};",
        &[
            "2: http/ imports json/ (`json`)",
            "2: http/ imports plan/ (`plan::C`)",
            "2: http/ imports plan/ (`plan::D`)",
        ],
    );
    check("src/http/a.rs", "use super::super::json::View;", &["2: http/ imports json/"]);
    check("src/http/a.rs", "use super::json;", &[]);
    check("src/http/mod.rs", "use super::json;", &["2: http/ imports json/"]);
    check(
        "src/gateway/a.rs",
        "use crate::{config, shard, admin};",
        &[
            "2: gateway/ imports config/",
            "2: gateway/ imports shard/",
            "2: gateway/ imports admin/",
        ],
    );
    check("src/cli/a.rs", "use crate::{config, shard, admin};", &[]);
    check("src/attic/a.rs", "", &["1: src/attic/ is not a folder of the house"]);
}

#[test]
fn text_and_tests_import_nothing() {
    check("src/base/a.rs", "// use crate::http::Name;", &[]);
    check("src/base/a.rs", "/* crate::http /* nested */ crate::http */", &[]);
    check(
        "src/base/a.rs",
        r##"const A: &str = "crate::http"; const B: &str = r#"crate::http"#;"##,
        &[],
    );
    check("src/base/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::http::Name;\n}", &[]);
    check(
        "src/base/a.rs",
        "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::http;",
        &["4: base/ imports http/"],
    );
    check("src/base/a.rs", "fn f<'a>(x: &'a str, c: char) { g('\"'); } // crate::http\n", &[]);
    check("src/base/a.rs", "const Q: char = '\\''; use crate::http;", &["2: base/ imports http/"]);
}

#[test]
fn a_step_knows_no_other_step() {
    check("src/steps/route/mod.rs", "use crate::steps::mapping::Mapping;", &[]);
    check("src/steps/route/mod.rs", "use super::{context::Facts, reject::Reject};", &[]);
    check("src/steps/route/mod.rs", "use super::stage::Stage;", &["2: the step route imports"]);
    check("src/steps/route/tree.rs", "use super::stage::Stage;", &[]);
    check("src/steps/route/tree.rs", "use super::super::stage;", &["2: the step route imports"]);
    check("src/steps/cors/mod.rs", "use crate::steps::{respond, cors};", &["2: the step cors"]);
    check("src/steps/mod.rs", "use self::stage::Stage;", &[]);
}

#[test]
fn below_the_ring_nothing_waits_or_reads() {
    check("src/wire/a.rs", "async fn f() { g().await }", &["2: `async` in wire/", "2: `await`"]);
    check("src/net/a.rs", "async fn f() { g().await }", &[]);
    check("src/steps/a.rs", "use std::time::{Duration, Instant};", &["2: `Instant` in steps/"]);
    check("src/telemetry/a.rs", "use std::{fmt, fs::File};", &["2: std::fs::File in telemetry/"]);
    check("src/config/sub.rs", "fn f() { std::fs::read(p) }", &["2: std::fs::read in config/"]);
    check("src/config/files.rs", "fn f() { std::fs::read(p) }", &[]);
    check("src/wire/a.rs", "use std::io::Write;", &[]);
    check("src/wire/a.rs", "use std::io::{Read, Write};", &["2: std::io::Read in wire/"]);
    check("src/http/a.rs", "use std::net::{IpAddr, TcpStream};", &["2: `TcpStream` in http/"]);
    check("src/gateway/a.rs", "use std::sync::Mutex;", &["2: `Mutex` in gateway/"]);
    check("src/plan/a.rs", "fn f() -> u64 { fastrand::u64(..) }", &["2: `fastrand` in plan/"]);
}

#[test]
fn each_crate_has_its_place() {
    check("src/gateway/a.rs", "use glommio::spawn_local;", &["2: the crate glommio is named"]);
    check("src/runtime/a.rs", "use glommio::spawn_local;", &[]);
    check("src/steps/route/a.rs", "use matchit::Router;", &[]);
    check("src/steps/stage/a.rs", "use matchit::Router;", &["2: the crate matchit is named"]);
    check("src/steps/route/config.rs", "use serde::Deserialize;", &[]);
    check("src/plan/config.rs", "use serde::Deserialize;", &["2: the crate serde is named"]);
    check("src/http/a.rs", "use httparse::Header;", &["2: the crate httparse is named"]);
    check("src/config/a.rs", "use simd_json::Value;", &["2: the crate simd_json is named"]);
}

#[test]
fn unsafe_stands_in_ring_only() {
    check("src/ring/a.rs", "fn f() { unsafe { g() } }", &[]);
    check("src/net/a.rs", "fn f() { unsafe { g() } }", &["2: `unsafe` outside src/ring/"]);
    check("src/net/a.rs", "#![deny(unsafe_code)]", &[]);
    check("src/net/a.rs", "#[cfg(test)]\nmod tests { unsafe fn f() {} }", &["3: `unsafe`"]);
}

#[test]
fn shape_is_bounded_at_the_limit() {
    let line = |columns: usize| format!("//{}", "é".repeat(columns - 2));
    check("src/base/a.rs", &line(100), &[]);
    check("src/base/a.rs", &line(101), &["2: 101 columns"]);
    let literal = format!("const A: &str = \"{}\";", "x".repeat(100));
    check("src/base/a.rs", &literal, &["2: 119 columns"]);
    check("tests/it/a.rs", &literal, &[]);
    check("tests/it/a.rs", &line(101), &["2: 101 columns"]);
    let function = |lines: usize| format!("fn long(a: [u8; 2]) {{{}}}", "\n".repeat(lines - 1));
    check("src/base/a.rs", &function(70), &[]);
    check("src/base/a.rs", &function(71), &["2: fn long has 71 lines"]);
    check("src/base/a.rs", "type F = fn(u8) -> u8;\ntrait T { fn short(&self);\n }", &[]);
    check("src/base/a.rs", &"//\n".repeat(699), &[]);
    check("src/base/a.rs", &"//\n".repeat(700), &["701: 701 lines"]);
}

#[test]
fn nothing_is_left_for_later_and_words_say_something() {
    check("src/base/a.rs", concat!("// TO", "DO: later"), &[concat!("2: a TO", "DO")]);
    check("src/base/a.rs", concat!("// FIX", "ME"), &[concat!("2: a FIX", "ME")]);
    check(
        "src/base/a.rs",
        "struct PlanManager;\nfn get_plan() {}",
        &["2: PlanManager", "3: fn get_"],
    );
    check("src/base/a.rs", "struct Plan;\nfn target() {}", &[]);
    let source = Source::new("src/base/a.rs", "use std::fmt;\n");
    assert_eq!(rules::check(&source)[0].rule, "no word about what this file is");
}

#[test]
fn orphans_and_test_files_are_told_apart() {
    let mut sources: Vec<Source> = [
        ("src/lib.rs", "pub mod a;\n// mod lost;\n"),
        ("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod tests;\n"),
        ("src/a/b.rs", "mod c;"),
        ("src/a/b/c.rs", ""),
        ("src/a/tests.rs", "mod more;\nuse std::fs;"),
        ("src/a/tests/more.rs", ""),
        ("src/lost.rs", ""),
    ]
    .map(|(path, text)| Source::new(path, text))
    .into();
    let reached = reachable(&sources);
    assert!(!reached.contains_key("src/lost.rs"));
    assert_eq!(reached.len(), sources.len() - 1);
    mark_tests(&mut sources);
    let tests: Vec<&str> =
        sources.iter().filter(|source| source.is_test).map(|source| source.path.as_str()).collect();
    assert_eq!(tests, ["src/a/tests.rs", "src/a/tests/more.rs"]);
}

#[test]
fn words_stand_alone() {
    assert_eq!(words("fn fnord_fn(fn)", "fn").collect::<Vec<_>>(), [0, 12]);
}

#[test]
fn the_table_has_no_way_up() {
    let place = |name: &str| IMPORTS.iter().position(|(folder, _)| *folder == name);
    for (folder, allowed) in IMPORTS {
        for name in allowed.iter().filter(|name| **name != "*") {
            assert!(place(name) < place(folder), "{folder}/ may import {name}/, which is above it");
        }
    }
}
