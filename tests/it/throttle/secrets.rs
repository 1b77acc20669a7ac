//! The value of a key is nowhere in what the program writes, whatever goes wrong.

use std::fs;

use super::{ALICE, DISABLED, UNKNOWN, WITHOUT_PLAN, World, api_keys, bucket, plan};
use crate::harness::{Client, eventually, ringway};

/// What every key's value has in it.
const SECRET: &str = "5ecret";

#[track_caller]
fn check(what: &str, text: &str) {
    assert!(!text.to_lowercase().contains(SECRET), "a key's value is in {what}:\n{text}");
}

fn traffic() -> String {
    let terms = format!("throttle: {}, quota: {{limit: 100, period: DAY}}", bucket(2));
    format!("accessLog: {{destination: access.log}}\n{}{}", api_keys(), plan(&terms))
}

#[test]
fn what_runs_does_not_say_a_keys_value() {
    let world = World::start(&traffic());
    for key in [ALICE, ALICE, ALICE, DISABLED, WITHOUT_PLAN, UNKNOWN] {
        check("an answer", &format!("{:?}", world.get("/nowhere", Some(key))));
        let refused = world.get("/pets", Some(key));
        if refused.status != 200 {
            check("a refusal", &format!("{refused:?}"));
        }
        check("a refusal", &format!("{:?}", world.ask("/pets", &format!("x-api-key {key}\r\n"))));
    }
    let mut private = Client::connect(world.gateway.admin);
    let today = "startDate=2026-01-01&endDate=2026-01-02";
    let table = [
        "/metrics",
        "/plan",
        "/healthz",
        "/apikeys",
        "/apikeys?includeValues=true",
        "/apikeys/alice-1",
        "/apikeys/alice-1?includeValue=true",
        "/usageplans",
        "/usageplans/gold",
        "/usageplans/gold/keys",
        &format!("/usageplans/gold/usage?{today}"),
        &format!("/apikeys/{ALICE}"),
    ];
    for target in table {
        check(target, &private.get(target).text().replace(ALICE, ""));
    }
    let folder = world.gateway.folder.path();
    // A file that is broken in the line of a key is told at a reload, in both ways.
    let file = fs::read_to_string(world.gateway.folder.join("gateway.yaml")).unwrap();
    world.gateway.folder.write("gateway.yaml", &file.replace("enabled: false", "enbled: no"));
    let answer = private.ask("POST /reload HTTP/1.1\r\nhost: it\r\ncontent-length: 0\r\n\r\n");
    assert!(answer.text().contains("enbled"), "{answer:?}");
    check("the answer to a reload", &answer.text());
    eventually("the fault is told", || world.gateway.said().contains("enbled"));
    check("standard error", &world.gateway.said());
    world.gateway.folder.write("gateway.yaml", &file);
    let usage = ringway(folder, &["usage", "gateway.yaml"]);
    assert!(usage.output.contains("alice"), "{usage:?}");
    check("ringway usage", &format!("{usage:?}"));
    let header = format!("x-api-key: {ALICE}");
    let asked = ["explain", "gateway.yaml", "GET", "/pets", "-H", &header];
    let explained = ringway(folder, &asked);
    assert!(explained.output.contains("GET /pets"), "{explained:?}");
    check("ringway explain", &format!("{explained:?}"));
    let log = world.gateway.folder.join("access.log");
    eventually("the log is written", || fs::read(&log).is_ok_and(|log| !log.is_empty()));
    check_files(&world);
}

/// Every file that the program made.
fn check_files(world: &World) {
    let mut folders = vec![world.gateway.folder.path().to_path_buf()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "yaml") {
                count += 1;
                let bytes = fs::read(&path).unwrap();
                check(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
            }
        }
    }
    assert!(count > 2, "the log, the journal and its lock");
}

/// What is wrong stands in the line of a key, or is the value itself: it was drawn, and quoted.
#[test]
fn what_is_wrong_with_a_key_is_told_without_its_value() {
    let world = World::start(&traffic());
    let folder = &world.gateway.folder;
    let file = fs::read_to_string(folder.join("gateway.yaml")).unwrap();
    let value = format!("value: {ALICE}");
    let table = [
        (value.as_str(), format!("vlaue: {ALICE}")),
        (&value, format!("value: [{ALICE}]")),
        (&value, format!("value: {{a: {ALICE}}}")),
        (&value, format!("value: \"{ALICE}")),
        (&value, format!("value: {SECRET}")),
        (&value, format!("value: {ALICE}ü")),
        (&value, format!("value: \"{ALICE} {ALICE}\"")),
        (&value, format!("valueSha256: {ALICE}")),
        (&value, format!("value: {DISABLED}")),
        (&value, format!("value: &a {ALICE}, x: *b")),
        (&value, format!("value: {}", ALICE.repeat(10))),
        ("apiKeys: [alice", format!("apiKeys: [{ALICE}, alice")),
        ("apiKeys:\n", "apikeys:\n".to_owned()),
        ("apiKeys:\n", "apiKey:\n".to_owned()),
        ("apiKeys:\n", "apiKeys: x\n".to_owned()),
    ];
    for (old, new) in table {
        folder.write("gateway.yaml", &file.replacen(old, &new, 1));
        for format in ["text", "json"] {
            let ran = ringway(folder.path(), &["validate", "gateway.yaml", "--format", format]);
            assert_eq!(ran.code, Some(1), "{new}: {ran:?}");
            check(&format!("what validate says of {new}"), &(ran.output + &ran.said));
        }
    }
    let number = file.replacen(&value, "value: 55555555555555555555555", 1);
    folder.write("gateway.yaml", &number);
    let ran = ringway(folder.path(), &["validate", "gateway.yaml"]);
    assert!(!format!("{ran:?}").contains("5555555"), "{ran:?}");
}

#[test]
fn what_is_wrong_in_a_file_of_keys_is_told_without_a_value() {
    let world = World::start(&traffic());
    let folder = &world.gateway.folder;
    let file = fs::read_to_string(folder.join("gateway.yaml")).unwrap();
    let file = file.replacen("apiKeys:\n", "apiKeyFiles: [keys.csv]\napiKeys:\n", 1);
    folder.write("gateway.yaml", &file);
    let rows = [
        format!("Name,Key\nx,{ALICE}"),
        format!("Name,Key\nx,{ALICE} {ALICE}"),
        format!("Name,Key\nx,{SECRET}"),
        format!("Name,Key\n\"x,{UNKNOWN}"),
        format!("Name,Key\nx,{UNKNOWN},y,z"),
        format!("Name,Key,Enabled\nx,{UNKNOWN},maybe"),
        format!("Name,Key,UsagePlanIds\nx,{UNKNOWN},none"),
        format!("Name,Key,UsagePlanIds\nx,{UNKNOWN},\"gold\ny,{ALICE},gold\n"),
        format!("Name,Key\n\"x,{UNKNOWN}\ny\",{ALICE}\n"),
        format!("Name,Key\n{UNKNOWN},x"),
        format!("{UNKNOWN}\n"),
        format!("Name;Key\nx;{UNKNOWN}"),
    ];
    for row in rows {
        folder.write("keys.csv", &row);
        let ran = ringway(folder.path(), &["validate", "gateway.yaml"]);
        assert_eq!(ran.code, Some(1), "{row}: {ran:?}");
        check(&format!("what validate says of {row}"), &(ran.output + &ran.said));
    }
}
