//! The README kept true: its commands are run as printed, and print what it shows.
//!
//! A fenced block ` ```sh serve ` keeps running until the next heading, ` ```sh test ` runs to its
//! end (` ```sh test fails `: with an exit code that is not 0), and the ` ```text ` behind it is
//! what it prints, line by line; `..` stands for any text, a line of `..` for any lines. Each
//! section has a copy of the folders it uses and ports of its own, put in for those printed.

mod blocks;
mod shell;

use std::{fs, path::Path, time::Duration};

use ringway::{base::limits, steps::endpoint::LABELS_MAX};

use self::{
    blocks::{Kind, sections},
    shell::Shell,
};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

#[test]
fn its_commands_print_what_it_shows() {
    let readme = readme();
    let mut ran = 0;
    for blocks in sections(&readme) {
        let mut shell = None;
        for block in blocks {
            let shell = shell.get_or_insert_with(|| Shell::new(repository()));
            match block.kind {
                Kind::Serve => shell.serve(&block),
                Kind::Test | Kind::TestFails => shell.test(&block),
            }
            ran += 1;
        }
    }
    assert!(ran > 20, "only {ran} blocks of the README are marked");
}

#[test]
fn every_file_and_heading_that_it_names_exists() {
    let readme = readme();
    let anchors: Vec<String> =
        readme.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let mut missing = Vec::new();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut count = 0;
    // Results are there once somebody has measured.
    let is_ours = |link: &&str| !link.starts_with("http") && *link != "loadtest/results/";
    for link in links.filter(is_ours) {
        count += 1;
        let exists = match link.strip_prefix('#') {
            Some(name) => anchors.iter().any(|known| known == name),
            None => repository().join(link).exists(),
        };
        if !exists {
            missing.push(link);
        }
    }
    let folders = ["src/", "tests/", "tuning/", "examples/", ".ci/", "benches/"];
    for word in readme.split('`').filter(|word| folders.iter().any(|at| word.starts_with(at))) {
        count += 1;
        if !word.contains(char::is_whitespace) && !repository().join(word).exists() {
            missing.push(word);
        }
    }
    assert!(count > 20, "the links were not found");
    assert!(missing.is_empty(), "README.md names {missing:?}, which do not exist");
}

/// As GitHub and Forgejo make anchors of headings.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-');
    heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

fn slow() -> String {
    let asked = grouped(limits::SIGNATURES_ASKED_MAX as u64);
    format!("{asked}, of one address {}", limits::SIGNATURES_OF_ADDRESS_MAX)
}

#[test]
fn its_limits_are_those_of_the_code() {
    let readme = readme();
    let bytes = |count: usize| format!("{} bytes", grouped(count as u64));
    let mebi = |count: u64| format!("{} MiB", count >> 20);
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    let in_use = format!(
        "{}, of which {} idle",
        grouped(limits::UPSTREAM_CONNECTIONS_MAX as u64),
        limits::UPSTREAM_IDLE_MAX
    );
    let warned = |most: usize, quota: usize, what: &str| {
        format!("{} (a warning from {quota}{what})", grouped(most as u64))
    };
    let routes = warned(limits::ROUTES_MAX, limits::ROUTES_QUOTA, "");
    let mappings =
        warned(limits::API_MAPPINGS_MAX, limits::API_MAPPINGS_QUOTA, " with several segments");
    let rules = warned(limits::ROUTING_RULES_MAX, limits::ROUTING_RULES_QUOTA, "");
    let rows = [
        ("custom domain names", grouped(limits::DOMAIN_NAMES_MAX as u64)),
        ("origins of one API's CORS", grouped(limits::CORS_ORIGINS_MAX as u64)),
        ("API mappings of one domain", mappings),
        ("routing rules of one domain", rules),
        ("request line and header fields", bytes(limits::REQUEST_HEAD_BYTES_MAX)),
        ("request target", bytes(limits::TARGET_BYTES_MAX)),
        ("header fields of one head", limits::HEAD_FIELDS_MAX.to_string()),
        ("request body", mebi(limits::REQUEST_BODY_BYTES_MAX)),
        ("answer's head from an upstream", bytes(limits::RESPONSE_HEAD_BYTES_MAX)),
        ("trailers of a chunked body", bytes(limits::TRAILER_BYTES_MAX)),
        ("chunk-size line", bytes(limits::CHUNK_LINE_BYTES_MAX)),
        ("interim (1xx) answers to one request", limits::INTERIM_RESPONSES_MAX.to_string()),
        ("what a mapping reads of a body", format!("{} KiB", limits::BODY_READ_BYTES_MAX >> 10)),
        ("connections to one upstream, each shard", in_use),
        ("routes of one API", routes),
        ("labels that APIs are private to", LABELS_MAX.to_string()),
        ("API keys", grouped(limits::API_KEYS_MAX as u64)),
        ("usage plans of one key", limits::PLANS_OF_KEY_MAX.to_string()),
        ("Ringway's own limits", limits::OWN_LIMITS_MAX.to_string()),
        ("token (JWT)", bytes(limits::TOKEN_BYTES_MAX)),
        ("slow signatures of tokens that one shard has verified at a time", slow()),
        ("tokens that one shard remembers", grouped(limits::VERIFIED_TOKENS_MAX as u64)),
        ("throttled callers that are remembered", grouped(limits::LEDGER_ACCOUNTS_MAX as u64)),
        ("PROXY header", format!("{}, version 1: 107", bytes(limits::PROXY_HEADER_BYTES_MAX))),
        ("configuration document", mebi(limits::DOCUMENT_BYTES_MAX as u64)),
        ("TLS handshakes at once, each shard", grouped(limits::TLS_HANDSHAKES_MAX as u64)),
        (
            "trust store",
            format!(
                "{}, {} certificates",
                bytes(limits::TRUST_STORE_BYTES_MAX),
                grouped(limits::TRUST_STORE_CERTIFICATES_MAX as u64)
            ),
        ),
        ("TLS handshake", seconds(limits::TLS_HANDSHAKE_WAIT)),
        ("private port", format!("{} connections", limits::ADMIN_CONNECTIONS_MAX)),
        ("PROXY header, where it is expected", seconds(limits::PROXY_HEADER_WAIT)),
        ("head of a request, from its first byte", seconds(limits::HEAD_WAIT)),
        ("body of a request, without progress", seconds(limits::BODY_WAIT)),
        ("client takes nothing of the answer", seconds(limits::SEND_WAIT)),
        ("keep-alive client, idle", seconds(limits::KEEP_ALIVE_WAIT)),
        ("connecting to an upstream", seconds(limits::CONNECT_WAIT)),
        ("pooled upstream connection, idle", seconds(limits::UPSTREAM_IDLE_WAIT)),
    ];
    for (name, value) in rows {
        let row = format!("| {name} | {value} |");
        assert!(readme.contains(&row), "README.md has no row '{row}'");
    }
}

/// 10240 as 10,240.
fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}
