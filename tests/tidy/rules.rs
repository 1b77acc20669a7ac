//! The house's rules, each a function from one file to its faults. The table of imports is
//! `src/architecture.md`'s; change both together.

use crate::source::{Source, identifier, line_of, words};

/// What is wrong, where, and how to mend it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: String,
    pub(crate) fix: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}: {}; {}", self.path, self.line, self.rule, self.fix)
    }
}

/// A folder of src/ and what it may import of the crate.
pub(crate) const IMPORTS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("http", &["base"]),
    ("json", &["base"]),
    ("ledger", &["base"]),
    ("telemetry", &["base", "http"]),
    ("wire", &["base", "http"]),
    ("steps", &["base", "http", "json", "ledger"]),
    ("tls", &["base", "http"]),
    ("plan", &["base", "http", "ledger", "steps", "tls"]),
    ("demo", &[]),
    ("config", &["base", "http", "json", "ledger", "steps", "tls", "plan", "demo"]),
    ("ring", &["base"]),
    ("runtime", &["base", "ring"]),
    ("net", &["base", "http", "tls", "ring", "runtime"]),
    ("upstream", &["base", "http", "wire", "tls", "runtime", "net"]),
    ("gateway", GATEWAY),
    ("websocket", WEBSOCKET),
    ("shard", SHARD),
    ("admin", ADMIN),
    ("serve", TOP),
    ("cli", TOP),
    ("", TOP),
];
const GATEWAY: &[&str] = &[
    "base",
    "http",
    "json",
    "ledger",
    "telemetry",
    "wire",
    "steps",
    "tls",
    "plan",
    "ring",
    "runtime",
    "net",
    "upstream",
];
const WEBSOCKET: &[&str] = &[
    "base",
    "http",
    "json",
    "ledger",
    "telemetry",
    "wire",
    "steps",
    "tls",
    "plan",
    "ring",
    "runtime",
    "net",
    "upstream",
    "gateway",
];
const SHARD: &[&str] = &[
    "base",
    "http",
    "json",
    "ledger",
    "telemetry",
    "wire",
    "steps",
    "tls",
    "plan",
    "ring",
    "runtime",
    "net",
    "upstream",
    "gateway",
    "websocket",
];
const ADMIN: &[&str] =
    &["base", "http", "json", "ledger", "telemetry", "wire", "plan", "config", "net", "runtime"];
const TOP: &[&str] = &["*"];

/// No IO, clock, randomness or async here.
const PURE: &[&str] = &[
    "base",
    "http",
    "json",
    "ledger",
    "telemetry",
    "wire",
    "steps",
    "tls",
    "plan",
    "config",
    "demo",
];

/// A crate of `Cargo.toml` and the only places that may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("glommio", &["src/runtime/", "src/ring/"]),
    ("io_uring", &["src/ring/"]),
    ("matchit", &["src/steps/route/"]),
    ("httparse", &["src/wire/"]),
    ("simd_json", &["src/json/"]),
    ("hdrhistogram", &["src/telemetry/"]),
    ("serde", &["src/config/", "src/cli/", "/config.rs"]),
    ("serde_json", &["src/config/", "src/cli/", "src/demo/"]),
    ("schemars", &["src/config/", "src/cli/"]),
    ("saphyr_parser", &["src/config/"]),
    ("csv", &["src/config/key_files.rs"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("h2", &["src/net/http2/"]),
    ("tokio", &["src/net/http2/"]),
    (
        "rustls",
        &[
            "src/tls/",
            "src/net/",
            "src/upstream/pool.rs",
            "src/config/files.rs",
            "src/serve/issuers/",
        ],
    ),
    (
        "aws_lc_rs",
        &["src/net/tls/record.rs", "src/tls/", "src/steps/api_key/", "src/steps/authorize/"],
    ),
    ("jsonwebtoken", &["src/steps/authorize/"]),
    ("bcrypt", &["src/steps/authorize/basic/"]),
    ("argon2", &["src/steps/authorize/basic/"]),
    ("rcgen", &["src/tls/"]),
];

/// Words that mean a clock, a lock or randomness, the folders they are banned from, and the fix.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("async", PURE, "let the gateway await and pass the result in"),
    ("await", PURE, "let the gateway await and pass the result in"),
    ("Instant", PURE, "take `now: Moment` as an argument"),
    ("SystemTime", PURE, "take `now: WallTime` as an argument"),
    ("fastrand", PURE, "take the random value as an argument"),
    ("libc", PURE, "move the system call to ring/, net/ or serve/"),
    ("TcpStream", PURE, "move the IO to net/"),
    ("TcpListener", PURE, "move the IO to net/"),
    ("UdpSocket", PURE, "move the IO to net/"),
    ("Mutex", UNLOCKED, "let one shard own it"),
    ("RwLock", UNLOCKED, "let one shard own it"),
    ("AtomicU64", UNLOCKED, "count on the shard and merge snapshots"),
    ("AtomicUsize", UNLOCKED, "count on the shard and merge snapshots"),
    ("AtomicBool", UNLOCKED, "send the shard a message"),
];
const UNLOCKED: &[&str] =
    &["base", "http", "json", "telemetry", "wire", "steps", "plan", "net", "upstream", "gateway"];

/// The only file of config/ that may touch the file system.
const CONFIG_READS: &str = "src/config/files.rs";

/// Functions over 70 lines: path, name, lines, reason. May only shrink.
pub(crate) const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[];

const WIDTH_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 700;

/// Every fault of one file.
pub(crate) fn check(source: &Source) -> Vec<Fault> {
    let rules: [fn(&Source) -> Vec<Fault>; 11] = [
        imports,
        steps,
        io,
        crates,
        banned_words,
        unsafe_code,
        width,
        functions,
        length,
        marks,
        names,
    ];
    rules.iter().flat_map(|rule| rule(source)).collect()
}

fn fault(source: &Source, line: usize, rule: String, fix: &str) -> Fault {
    Fault { path: source.path.clone(), line, rule, fix: fix.to_owned() }
}

/// Paths from the crate's root, also by way of `super`.
fn crate_paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let mut paths = source.paths("crate");
    let depth = source.module().len();
    for (line, path) in source.paths("super") {
        let supers = 1 + path.iter().take_while(|name| *name == "super").count();
        let mut full: Vec<String> = source.module()[..depth.saturating_sub(supers)]
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        full.extend_from_slice(&path[supers - 1..]);
        paths.push((line, full));
    }
    paths
}

fn imports(source: &Source) -> Vec<Fault> {
    let folder = source.folder();
    if !source.path.starts_with("src/") || matches!(source.path.as_str(), "src/lib.rs") {
        return Vec::new();
    }
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == folder) else {
        let rule = format!("src/{folder}/ is not a folder of the house");
        return vec![fault(source, 1, rule, "put it in a folder of architecture.md's table")];
    };
    let known = |name: &str| IMPORTS.iter().any(|(folder, _)| *folder == name);
    crate_paths(source)
        .into_iter()
        .filter(|(_, path)| known(&path[0]) && path[0] != folder)
        .filter(|(_, path)| !allowed.contains(&"*") && !allowed.contains(&path[0].as_str()))
        .map(|(line, path)| {
            let rule = format!("{folder}/ imports {}/ (`{}`)", path[0], path.join("::"));
            let fix = format!("it may import only {}: move what both need down", list(allowed));
            fault(source, line, rule, &fix)
        })
        .collect()
}

fn list(allowed: &[&str]) -> String {
    if allowed.is_empty() { "nothing of the crate".to_owned() } else { allowed.join(", ") }
}

/// A step knows no other step; `mapping` is a language, context and reject are the shared words.
fn steps(source: &Source) -> Vec<Fault> {
    let module = source.module();
    if module.first() != Some(&"steps") || module.len() < 2 {
        return Vec::new();
    }
    let shared = ["mapping", "context", "reject", module[1]];
    crate_paths(source)
        .into_iter()
        .filter(|(_, path)| path.len() > 1 && path[0] == "steps")
        .filter(|(_, path)| !shared.contains(&path[1].as_str()))
        .filter(|(_, path)| path[1].starts_with(char::is_lowercase))
        .map(|(line, path)| {
            let rule = format!("the step {} imports the step {}", module[1], path[1]);
            fault(source, line, rule, "let the pipeline pass the value from one to the other")
        })
        .collect()
}

fn io(source: &Source) -> Vec<Fault> {
    if !PURE.contains(&source.folder()) || source.path == CONFIG_READS {
        return Vec::new();
    }
    let banned = |path: &[String]| match path[0].as_str() {
        "fs" | "thread" | "process" | "env" => true,
        // Writing into a Vec<u8> is no IO.
        "io" => path.get(1).is_none_or(|name| name != "Write"),
        _ => false,
    };
    source
        .paths("std")
        .into_iter()
        .filter(|(_, path)| banned(path))
        .map(|(line, path)| {
            let rule =
                format!("std::{} in {}/, which does no IO", path.join("::"), source.folder());
            fault(source, line, rule, "do it above ring/ and pass the result in")
        })
        .collect()
}

fn crates(source: &Source) -> Vec<Fault> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (name, places) in CRATES {
        let here = places.iter().any(|place| match place.strip_prefix('/') {
            Some(_) => source.path.ends_with(place) && source.folder() == "steps",
            None => source.path.starts_with(place),
        });
        if here {
            continue;
        }
        faults.extend(source.lines_with(name).into_iter().map(|line| {
            let rule = format!("the crate {name} is named outside {}", places.join(", "));
            fault(source, line, rule, "wrap what you need there, in the house's own words")
        }));
    }
    faults
}

fn banned_words(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (word, folders, fix) in WORDS.iter().filter(|(_, f, _)| f.contains(&source.folder())) {
        debug_assert!(!folders.is_empty());
        faults.extend(
            source
                .lines_with(word)
                .into_iter()
                .map(|line| fault(source, line, format!("`{word}` in {}/", source.folder()), fix)),
        );
    }
    faults
}

fn unsafe_code(source: &Source) -> Vec<Fault> {
    if !source.path.starts_with("src/") || source.folder() == "ring" {
        return Vec::new();
    }
    words(&source.code, "unsafe")
        .map(|at| {
            let rule = "`unsafe` outside src/ring/".to_owned();
            fault(source, line_of(&source.code, at), rule, "let ring/ offer a safe call")
        })
        .collect()
}

/// A literal in a test may be as long as what it stands for.
fn width(source: &Source) -> Vec<Fault> {
    let is_literal = |line: &str, code: &str| {
        let left: usize = code.split_whitespace().map(|word| word.len() + 1).sum();
        source.is_test && left <= WIDTH_MAX && !line.trim_start().starts_with("//")
    };
    (1..)
        .zip(source.text.lines().zip(source.code.lines()))
        .map(|(number, (line, code))| (number, line, code, line.trim_end().chars().count()))
        .filter(|(_, line, code, columns)| *columns > WIDTH_MAX && !is_literal(line, code))
        .map(|(number, _, _, columns)| {
            let rule = format!("{columns} columns, the house has {WIDTH_MAX}");
            fault(source, number, rule, "break the line")
        })
        .collect()
}

fn functions(source: &Source) -> Vec<Fault> {
    source
        .functions()
        .into_iter()
        .filter(|(_, name, lines)| *lines > allowed_lines(&source.path, name))
        .map(|(line, name, lines)| {
            let rule = format!("fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}");
            fault(source, line, rule, "give a part of it a name of its own")
        })
        .collect()
}

fn allowed_lines(path: &str, name: &str) -> usize {
    LONG_FUNCTIONS
        .iter()
        .find(|(long_path, long_name, ..)| *long_path == path && *long_name == name)
        .map_or(FUNCTION_LINES_MAX, |(_, _, lines, _)| *lines)
}

fn length(source: &Source) -> Vec<Fault> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let rule = format!("{lines} lines, at most {FILE_LINES_MAX}");
    vec![fault(source, FILE_LINES_MAX + 1, rule, "split the file by concept, tests first")]
}

/// A file starts with what it is; nothing is left for later.
fn marks(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_unit_test = source.is_test && source.path.starts_with("src/");
    if !source.text.starts_with("//!") && !is_unit_test {
        let fix = "start with `//!`: what it is, what it is not";
        faults.push(fault(source, 1, "no word about what this file is".to_owned(), fix));
    }
    for mark in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
        faults.extend(words(&source.text, mark).map(|at| {
            let line = line_of(&source.text, at);
            fault(source, line, format!("a {mark}"), "do it now, or file an issue and leave it out")
        }));
    }
    faults
}

/// AWS's word, else the RFC's, else plain English.
fn names(source: &Source) -> Vec<Fault> {
    const EMPTY_WORDS: [&str; 7] =
        ["Manager", "Helper", "Util", "Handler", "Processor", "Data", "Info"];
    let mut faults = Vec::new();
    for keyword in ["struct", "enum", "trait", "type", "fn"] {
        for at in words(&source.code, keyword) {
            let name = identifier(source.code[at + keyword.len()..].trim_start());
            let empty = EMPTY_WORDS.iter().find(|word| name.ends_with(*word));
            let line = line_of(&source.code, at);
            if let Some(word) = empty.filter(|_| keyword != "fn") {
                let rule = format!("{name}: `{word}` says nothing");
                faults.push(fault(
                    source,
                    line,
                    rule,
                    "name what it is: AWS's word, else the RFC's",
                ));
            }
            if keyword == "fn" && name.starts_with("get_") {
                let rule = format!("fn {name}: `get_` says nothing");
                faults.push(fault(source, line, rule, "call it by what it returns, or find_ it"));
            }
        }
    }
    faults
}
