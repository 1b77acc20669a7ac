//! The house rules, enforced on the real tree: imports between folders, absences, shape, names.
//!
//! `tidy/rules.rs` judges one file, this file judges the tree, `tidy/snippets.rs` tests the
//! judges on small bad examples. Every fault names the place, the rule and the fix.

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/snippets.rs"]
mod snippets;
#[path = "tidy/source.rs"]
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rules::{Fault, IMPORTS, LONG_FUNCTIONS};
use source::{Source, read_tree};

/// The visible top level, fixed by the user.
const TOP_LEVEL: [&str; 7] =
    ["Cargo.toml", "src", "benches", "loadtest", "tuning", "tests", "README.md"];
/// What may stand beside it.
const TOP_LEVEL_MAY: [&str; 5] = ["Cargo.lock", "LICENSE", "CHANGELOG.md", "examples", "target"];
/// Fewer lines of code than this in a folder is an empty room.
const ROOM_LINES_MIN: usize = 3;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources below src/, with `is_test` set on files that only `#[cfg(test)]` declares.
fn read_src() -> Vec<Source> {
    let mut sources = read_tree(repository(), "src");
    mark_tests(&mut sources);
    sources
}

#[track_caller]
fn report(faults: &[Fault]) {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults:\n{}\n", faults.len(), lines.join("\n"));
}

#[test]
fn every_file_keeps_the_rules() {
    let mut sources = read_src();
    for folder in ["tests", "benches", "loadtest", "examples"] {
        sources.extend(read_tree(repository(), folder));
    }
    assert!(sources.len() > 20, "the tree was not found");
    report(&sources.iter().flat_map(rules::check).collect::<Vec<_>>());
}

#[test]
fn the_list_of_long_functions_only_shrinks() {
    let sources = read_src();
    for (path, name, allowed, reason) in LONG_FUNCTIONS {
        assert!(!reason.is_empty(), "{path}: fn {name}: say why it may be long");
        let longest = sources
            .iter()
            .filter(|source| source.path == *path)
            .flat_map(Source::functions)
            .filter(|(_, function, _)| function == name)
            .map(|(_, _, lines)| lines)
            .max();
        assert_eq!(longest, Some(*allowed), "{path}: fn {name}: set the list to its lines");
    }
}

#[test]
fn every_file_is_reachable() {
    let sources = read_src();
    let reached = reachable(&sources);
    let orphans: Vec<&str> = sources
        .iter()
        .map(|source| source.path.as_str())
        .filter(|path| !reached.contains_key(*path))
        .collect();
    assert!(orphans.is_empty(), "no `mod` line leads to {orphans:?}: declare or delete them");
}

#[test]
fn every_folder_is_on_the_map_and_in_the_table() {
    let sources = read_src();
    let map = &sources.iter().find(|source| source.path == "src/lib.rs").expect("lib.rs").text;
    let folders: BTreeSet<&str> = sources.iter().map(Source::folder).collect();
    let mut faults = Vec::new();
    for folder in folders.into_iter().filter(|folder| !folder.is_empty()) {
        if !map.lines().any(|line| line.starts_with(&format!("//! | [`{folder}`]"))) {
            faults.push(format!("src/lib.rs: the map does not show {folder}/: add a row"));
        }
        if !IMPORTS.iter().any(|(name, _)| *name == folder) {
            faults.push(format!("tests/tidy/rules.rs: IMPORTS has no {folder}/: add a row"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_room_is_empty() {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for source in read_src().iter().filter(|source| !source.folder().is_empty()) {
        let code = source.shipped().lines().filter(|line| !line.trim().is_empty()).count();
        *lines.entry(source.folder().to_owned()).or_default() += code;
    }
    lines.retain(|_, count| *count < ROOM_LINES_MIN);
    assert!(lines.is_empty(), "empty folders: {lines:?}: a folder appears with its first feature");
}

#[test]
fn the_top_level_is_the_one_agreed() {
    let found: BTreeSet<String> = std::fs::read_dir(repository())
        .expect("the repository")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !is_ignored(name))
        .collect();
    let may: BTreeSet<String> =
        TOP_LEVEL.iter().chain(&TOP_LEVEL_MAY).map(|name| (*name).to_owned()).collect();
    let unknown: Vec<_> = found.difference(&may).collect();
    assert!(unknown.is_empty(), "not at the top level: {unknown:?}: find a folder for them");
    let missing: Vec<_> = TOP_LEVEL.iter().filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "missing at the top level: {missing:?}");
}

/// By .gitignore's lines, of which one star is all that is understood.
fn is_ignored(name: &str) -> bool {
    let text = std::fs::read_to_string(repository().join(".gitignore")).unwrap_or_default();
    text.lines().any(|line| match line.trim_start_matches('/').split_once('*') {
        Some((start, end)) => name.starts_with(start) && name.ends_with(end),
        None => name == line.trim_start_matches('/'),
    })
}

/// The files that `mod` lines lead to from lib.rs and main.rs; true for those that ship.
fn reachable(sources: &[Source]) -> BTreeMap<String, bool> {
    let by_path: BTreeMap<&str, &Source> =
        sources.iter().map(|source| (source.path.as_str(), source)).collect();
    let mut reached = BTreeMap::new();
    let mut next = vec![("src/lib.rs".to_owned(), true), ("src/main.rs".to_owned(), true)];
    while let Some((path, ships)) = next.pop() {
        let Some(source) = by_path.get(path.as_str()) else { continue };
        if reached.get(&path).is_some_and(|known| *known || !ships) {
            continue;
        }
        reached.insert(path, ships);
        for (stem, is_test) in source.declared() {
            for path in [format!("{stem}.rs"), format!("{stem}/mod.rs")] {
                next.push((path, ships && !is_test));
            }
        }
    }
    reached
}

fn mark_tests(sources: &mut [Source]) {
    let reached = reachable(sources);
    for source in sources {
        source.is_test = reached.get(&source.path) == Some(&false);
    }
}
