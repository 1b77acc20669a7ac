//! Problems for eyes (each drawn into the lines it is about) and for programs (JSON).
//!
//! Not here: where the text goes to, and whether that is a terminal.

use std::{
    collections::HashMap,
    fmt::Write as _,
    ops::Range,
    path::{Path, PathBuf},
};

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};
use serde_json::json;

use super::{Problems, document};
use crate::base::{Place, Problem, Severity, fingerprint, limits::DOCUMENT_BYTES_MAX};

/// A line that is longer is not drawn: its place is told only.
const LINE_BYTES_MAX: usize = 300;

/// Whether the text may carry colours (ANSI escapes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// For a terminal.
    On,
    /// For a file or a pipe.
    Off,
}

/// The texts that places point into, by file.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: HashMap<PathBuf, Text>,
    /// Of what no place points into (it may be secret), whether it has changed is all that matters.
    beside: HashMap<PathBuf, Beside>,
    /// Byte ranges whose lines are not drawn, sorted.
    secret: HashMap<PathBuf, Box<[(u32, u32)]>>,
}

/// A text, and where its keys stand as far as the text alone tells: see [`keys_of`].
#[derive(Clone, Debug)]
struct Text {
    text: Box<str>,
    keys: Vec<Range<usize>>,
}

/// A file that is no document.
#[derive(Clone, Copy, Debug)]
struct Beside {
    fingerprint: u64,
    /// How much of it was looked at.
    bytes_max: usize,
}

impl Sources {
    /// Keeps the text of a file, whether it can be parsed or not.
    pub fn add(&mut self, path: &Path, bytes: &[u8]) {
        let text: Box<str> = document::text_of(bytes).into();
        let keys = keys_of(&text);
        self.texts.insert(path.to_path_buf(), Text { text, keys });
    }

    /// Notes what is no document: its bytes are not kept.
    pub(super) fn add_beside(&mut self, path: &Path, bytes: &[u8]) {
        self.add_long(path, bytes, DOCUMENT_BYTES_MAX);
    }

    /// The same of a file of which at most one byte more than `bytes_max` was read.
    pub(super) fn add_long(&mut self, path: &Path, bytes: &[u8], bytes_max: usize) {
        let fingerprint = fingerprint(bytes);
        self.beside.insert(path.to_path_buf(), Beside { fingerprint, bytes_max });
    }

    /// Whether the file still is what was kept of it. `look` gives at most one byte more than it is
    /// asked for, and `None` for an unreadable one.
    pub(super) fn holds(&self, path: &Path, look: impl FnOnce(usize) -> Option<Vec<u8>>) -> bool {
        if let Some(kept) = self.beside.get(path) {
            let found = look(kept.bytes_max).as_deref().map(fingerprint);
            return found == Some(kept.fingerprint);
        }
        let kept = self.texts.get(path).map(|text| &*text.text);
        kept == look(DOCUMENT_BYTES_MAX).as_deref().map(document::text_of).as_deref()
    }

    /// Keeps the lines of these byte ranges of a file from being drawn: problems are printed, and
    /// what is printed is kept in logs.
    pub(super) fn hide(&mut self, path: &Path, mut ranges: Vec<(u32, u32)>) {
        ranges.sort_unstable();
        self.secret.insert(path.to_path_buf(), ranges.into());
    }

    /// Whether a secret begins in this range of a file, or one of its ranges reaches into it.
    fn is_secret(&self, place: &Place, line: Range<usize>) -> bool {
        let known = self.secret.get(place.file.as_path()).filter(|ranges| !ranges.is_empty());
        let Some(ranges) = known else {
            // The text is broken, or the list has a wrong name.
            let keys = self.texts.get(place.file.as_path()).map(|text| text.keys.as_slice());
            let mut keys = keys.unwrap_or_default().iter();
            return keys.any(|keys| line.start < keys.end && line.end > keys.start);
        };
        let after = ranges.partition_point(|range| (range.0 as usize) < line.end);
        ranges[..after].last().is_some_and(|range| range.1 as usize > line.start)
    }

    fn text(&self, place: &Place) -> Option<&str> {
        self.texts.get(place.file.as_path()).map(|text| &*text.text)
    }
}

/// All problems, for eyes: errors and warnings drawn, then what is noted, one line each, then
/// the counts. Empty when there is nothing to tell.
#[must_use]
pub fn render(problems: &Problems, sources: &Sources, colours: Colours) -> String {
    let renderer = match colours {
        Colours::On => Renderer::styled(),
        Colours::Off => Renderer::plain(),
    };
    let mut out = String::new();
    let is_info = |problem: &&Problem| problem.severity == Severity::Info;
    for problem in problems.iter().filter(|problem| !is_info(problem)) {
        let report = [draw(problem, sources)];
        let _ = writeln!(out, "{}\n", renderer.render(&report));
    }
    if problems.count(Severity::Info) > 0 {
        out.push_str("Noted: what is left out, and how the rest is read (the gateway runs):\n");
    }
    for problem in problems.iter().filter(is_info) {
        let _ = writeln!(out, "  {}", normalize_untrusted_str(&problem.to_string()));
    }
    if let Some(summary) = summary(problems) {
        let _ = writeln!(out, "{summary}");
    }
    out
}

/// All problems, for programs: one JSON object.
#[must_use]
pub fn to_json(problems: &Problems) -> serde_json::Value {
    let list: Vec<_> = problems.iter().map(problem_to_json).collect();
    json!({
        "valid": problems.errors() == 0,
        "errors": problems.errors(),
        "warnings": problems.count(Severity::Warning),
        "leftOut": problems.count(Severity::Info),
        "notShown": problems.left_out(),
        "problems": list,
    })
}

/// `2 errors, 1 warning, 3 notes`; `None` when there is nothing.
#[must_use]
pub fn summary(problems: &Problems) -> Option<String> {
    let parts = [
        counted(problems.errors(), "error", "errors"),
        counted(problems.count(Severity::Warning), "warning", "warnings"),
        counted(problems.count(Severity::Info), "note", "notes"),
    ];
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if problems.left_out() > 0 {
        let _ = write!(text, " ({} more are not shown)", problems.left_out());
    }
    (!text.is_empty()).then_some(text)
}

fn counted(count: usize, one: &str, many: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
}

fn draw<'p>(problem: &'p Problem, sources: &'p Sources) -> Group<'p> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let mut group =
        Group::with_title(level.primary_title(normalize_untrusted_str(&problem.message)));
    if let Some(place) = &problem.place {
        let path = place.file.display().to_string();
        let excerpt = excerpt(sources, place);
        group = match excerpt {
            Some(Excerpt { lines, first_line, span }) => group.element(
                Snippet::source(lines)
                    .path(path)
                    .line_start(first_line)
                    .annotation(AnnotationKind::Primary.span(span)),
            ),
            None => group.element(
                Origin::path(path).line(place.line as usize).char_column(place.column as usize),
            ),
        };
    }
    if problem.fix.is_empty() {
        return group;
    }
    group.element(Level::HELP.message(normalize_untrusted_str(&problem.fix)))
}

/// The line of a place, and the part of it that the place is about.
struct Excerpt<'t> {
    lines: &'t str,
    first_line: usize,
    span: Range<usize>,
}

fn excerpt<'t>(sources: &'t Sources, place: &Place) -> Option<Excerpt<'t>> {
    let text = sources.text(place)?;
    let (start, end) = (place.bytes.0 as usize, place.bytes.1 as usize);
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let lines = text[line_start..line_end].trim_end();
    if lines.len() > LINE_BYTES_MAX || sources.is_secret(place, line_start..line_end) {
        return None;
    }
    let start = (start - line_start).min(lines.len());
    let end = (end - line_start).clamp(start, lines.len());
    Some(Excerpt { lines, first_line: place.line as usize, span: start..end })
}

/// Where the API keys and the principals of a gateway file stand, as far as a text that may be
/// broken tells: up to the next key of the file, or in JSON's style to the end.
fn keys_of(text: &str) -> Vec<Range<usize>> {
    const KEYS: [&str; 2] = ["apikeys", "principals"];
    let lower = text.to_ascii_lowercase();
    let is_theirs = |line: &str| {
        let is = |start, but| line.starts_with(start) && !line.starts_with(but);
        is("apikey", "apikeyfiles") || is("principal", "principalfiles")
    };
    let mut found = Vec::new();
    let (mut at, mut start) = (0, None);
    for line in lower.split_inclusive('\n') {
        if line.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            if let Some(start) = start.take() {
                found.push(start..at);
            }
            start = is_theirs(line).then_some(at);
        }
        at += line.len();
    }
    found.extend(start.map(|start| start..text.len()));
    let is_key = |at: usize, key: &str| {
        lower[at + key.len()..].trim_start_matches(['"', '\'']).starts_with(':')
    };
    if found.is_empty() && text.starts_with('{') {
        let places = KEYS.into_iter().flat_map(|key| lower.match_indices(key));
        let places = places.filter(|(at, key)| is_key(*at, key));
        found.extend(places.map(|(at, _)| at).min().map(|start| start..text.len()));
    }
    found
}

fn problem_to_json(problem: &Problem) -> serde_json::Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "leftOut",
    };
    let mut object = json!({ "severity": severity, "message": problem.message });
    if !problem.fix.is_empty() {
        object["fix"] = problem.fix.clone().into();
    }
    if let Some(place) = &problem.place {
        object["file"] = place.file.display().to_string().into();
        object["line"] = place.line.into();
        object["column"] = place.column.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::document::Document;

    fn rendered(text: &str, pointer: &str) -> String {
        let mut problems = Problems::new();
        let document = Document::parse(Path::new("a.yaml"), text.as_bytes(), &mut problems);
        let document = document.expect("sound");
        let mut sources = Sources::default();
        sources.add(Path::new("a.yaml"), text.as_bytes());
        let place = document.root().pointer(pointer).expect("there").place();
        problems.error(place, "the port is taken\u{1b}[31m", "take another");
        render(&problems, &sources, Colours::Off)
    }

    #[test]
    fn a_problem_is_drawn_into_its_line() {
        let expected = "\
error: the port is taken␛[31m
 --> a.yaml:2:6
  |
2 |   b: 😀 [1
  |      ^^^^^
  |
  = help: take another

1 error
";
        assert_eq!(rendered("a:\n  b: 😀 [1\n  c: 2\n", "/a/b"), expected);
    }

    #[test]
    fn a_long_line_is_not_drawn() {
        let text = format!("a: {}\nb: 1", "x".repeat(LINE_BYTES_MAX));
        assert!(rendered(&text, "/a").contains("--> a.yaml:1:4\n"));
        assert!(!rendered(&text, "/a").contains("xxx"));
        assert!(rendered(&text, "/b").contains("2 | b: 1\n"));
    }

    #[test]
    fn the_lines_of_secrets_are_not_drawn() {
        let text = "a: 1\nb: secret\nc: 3\nd: secret\n";
        let mut sources = Sources::default();
        sources.add(Path::new("a.yaml"), text.as_bytes());
        let secret = |from: usize| text[from..].find("secret").map(|at| from + at).unwrap();
        let range = |at: usize| (u32::try_from(at).unwrap(), u32::try_from(at + 6).unwrap());
        sources.hide(Path::new("a.yaml"), vec![range(secret(20)), range(secret(0))]);
        let drawn = |line: u32, at: usize| {
            let at = u32::try_from(at).unwrap();
            let file = Arc::new("a.yaml".into());
            let mut problems = Problems::new();
            problems.error(Place { file, line, column: 1, bytes: (at, at + 1) }, "no", "");
            render(&problems, &sources, Colours::Off)
        };
        for (line, key, is_drawn) in
            [(1, 'a', true), (2, 'b', false), (3, 'c', true), (4, 'd', false)]
        {
            let drawn = drawn(line, text.find(&format!("{key}:")).unwrap());
            assert_eq!(drawn.contains(&format!("| {key}: ")), is_drawn, "{drawn}");
            assert!(drawn.contains(&format!("a.yaml:{line}:1")) && !drawn.contains("secret"));
        }
    }

    /// Of a text in which they could not be found otherwise.
    #[test]
    fn lines_of_api_keys_are_not_drawn() {
        let check = |text: &str, pointer: &str, is_drawn: bool| {
            let drawn = rendered(text, pointer);
            assert_eq!(drawn.contains(" | "), is_drawn, "{text}:\n{drawn}");
            assert!(!drawn.contains("secret"), "{text}:\n{drawn}");
        };
        let block = "a: 1\napiKeys:\n  - {name: x, value: secret}\n# c\nb: 2\n";
        for (pointer, is_drawn) in
            [("/a", true), ("/apiKeys/0/name", false), ("/apiKeys", false), ("/b", true)]
        {
            check(block, pointer, is_drawn);
        }
        check("b: 2\napikeys:\n- value: secret\n", "/apikeys/0/value", false);
        check("apiKeys: [{value: secret}]\nb: {apiKeys: [x]}", "/b", true);
        check("apiKeyFiles: [keys.csv]\nb: 1", "/apiKeyFiles/0", true);
        check("{\"apiKeys\": [{\"value\": \"secret\"}], \"b\": 1}", "/b", false);
        check("{\"a\": {\"type\": \"apiKey\"},\n\"b\": 1}", "/b", true);
    }

    #[test]
    fn many_lines_are_drawn_as_their_first() {
        let drawn = rendered("a:\n  - 1\n  - 2\n", "/a");
        assert!(
            drawn.contains("2 |   - 1\n  |     ^^^\n") || drawn.contains("2 |   - 1\n"),
            "{drawn}"
        );
        assert!(!drawn.contains("- 2"), "{drawn}");
    }

    #[test]
    fn programs_get_counts_and_places() {
        let mut problems = Problems::new();
        problems.error_nowhere("no file", "");
        let place = Place { file: Arc::new("a".into()), line: 3, column: 4, bytes: (0, 0) };
        problems.info(place, "x", "y");
        let expected = json!({
            "valid": false, "errors": 1, "warnings": 0, "leftOut": 1, "notShown": 0,
            "problems": [
                {"severity": "error", "message": "no file"},
                {"severity": "leftOut", "message": "x", "fix": "y",
                 "file": "a", "line": 3, "column": 4},
            ],
        });
        assert_eq!(to_json(&problems), expected);
        assert_eq!(summary(&problems).as_deref(), Some("1 error, 1 note"));
        assert_eq!(summary(&Problems::new()), None);
    }
}
