//! A Rust file as the house rules read it: its text, and its code with comments, strings and
//! test modules blanked out, line for line. No parser: enough lexing to not be fooled.

use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Source {
    /// Below the repository, with `/`: `src/http/name.rs`.
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// Comments and literals blanked; same lines, same columns in bytes.
    pub(crate) code: String,
    /// As `code`, with `#[cfg(test)]` items blanked too.
    pub(crate) shipped: String,
    /// Declared below `#[cfg(test)]`, or not below src/.
    pub(crate) is_test: bool,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_literals(text);
        let shipped = blank_test_items(&code);
        let is_test = !path.starts_with("src/") && !path.starts_with("loadtest/src/");
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped, is_test }
    }

    /// The folder below src/: `src/http/name.rs` is in `http`, `src/main.rs` in ``.
    pub(crate) fn folder(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or("");
        below.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// `src/steps/route/tree.rs` is `[steps, route, tree]`, `src/steps/mod.rs` is `[steps]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let below = self.path.strip_prefix("src/").unwrap_or("");
        let mut module: Vec<&str> = below.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        module
    }

    /// The code that ships: nothing for a test's file.
    pub(crate) fn shipped(&self) -> &str {
        if self.is_test { "" } else { &self.shipped }
    }

    /// Every path that starts with `root::` in the shipped code, use trees spread out, with its
    /// line: `use crate::{a, b::{c, d}}` gives a, b::c and b::d.
    pub(crate) fn paths(&self, root: &str) -> Vec<(usize, Vec<String>)> {
        let code = self.shipped();
        let mut found = Vec::new();
        for at in words(code, root) {
            let Some(rest) = code[at + root.len()..].strip_prefix("::") else { continue };
            let before = code[..at].trim_end();
            if before.ends_with("::") {
                continue;
            }
            let mut paths = Vec::new();
            spread(rest, &mut Vec::new(), &mut paths);
            found.extend(paths.into_iter().map(|path| (line_of(code, at), path)));
        }
        found
    }

    /// The lines of the shipped code where `word` stands alone.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        words(self.shipped(), word).map(|at| line_of(self.shipped(), at)).collect()
    }

    /// Functions with a body: first line, name, lines from `fn` to the closing brace.
    pub(crate) fn functions(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        for at in words(&self.code, "fn") {
            let rest = &self.code[at + 2..];
            let name = identifier(rest.trim_start());
            let Some(length) = body_end(rest).filter(|_| !name.is_empty()) else { continue };
            let lines = rest[..length].matches('\n').count() + 1;
            found.push((line_of(&self.code, at), name.to_owned(), lines));
        }
        found
    }

    /// The files that `mod x;` lines declare: path below the repository, and whether the line
    /// stands below `#[cfg(test)]`.
    pub(crate) fn declared(&self) -> Vec<(String, bool)> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let mut found = Vec::new();
        for at in words(&self.code, "mod") {
            let rest = self.code[at + 3..].trim_start();
            let name = identifier(rest);
            if !name.is_empty() && rest[name.len()..].starts_with(';') {
                let is_test = words(&self.shipped, "mod").all(|shipped| shipped != at);
                found.push((format!("{folder}/{name}"), is_test));
            }
        }
        found
    }
}

/// Every .rs file below `folder`, sorted by path.
pub(crate) fn read_tree(repository: &Path, folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![repository.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().map(|path| read(repository, path)).collect()
}

fn read(repository: &Path, path: &PathBuf) -> Source {
    let text = std::fs::read_to_string(path).expect("a readable source in UTF-8");
    let below = path.strip_prefix(repository).expect("below the repository");
    Source::new(&below.to_string_lossy(), &text)
}

/// Where `word` stands in `code` as a whole identifier.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = code.as_bytes();
        let before = at.checked_sub(1).is_some_and(|at| is_part(bytes[at]));
        !before && !bytes.get(at + word.len()).is_some_and(|byte| is_part(*byte))
    })
}

pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

pub(crate) fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Spreads the use tree (or plain path) at the start of `text`; returns what follows it.
fn spread<'a>(text: &'a str, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let before = rest.len();
            rest = spread(rest, above, found).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest);
            if rest.len() == before || rest.is_empty() {
                return rest;
            }
        }
    }
    let name = if text.starts_with('*') { "*" } else { identifier(text) };
    let mut rest = &text[name.len()..];
    above.push(name.to_owned());
    match rest.strip_prefix("::") {
        Some(after) if !after.starts_with('<') => rest = spread(after, above, found),
        _ => found.push(above.clone()),
    }
    above.pop();
    let renamed = rest.trim_start().strip_prefix("as ").map(str::trim_start);
    renamed.map_or(rest, |renamed| &renamed[identifier(renamed).len()..])
}

/// From after `fn`: where the body's closing brace stands; `None` for a declaration.
fn body_end(rest: &str) -> Option<usize> {
    let (mut braces, mut groups) = (0_usize, 0_usize);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' | b'[' => groups += 1,
            b')' | b']' => groups = groups.checked_sub(1)?,
            b';' | b',' | b'}' if braces == 0 && groups == 0 && byte != b',' => return None,
            b'{' => braces += 1,
            b'}' if braces == 1 && groups == 0 => return Some(at),
            b'}' => braces = braces.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn blank_test_items(code: &str) -> String {
    let mut kept = code.as_bytes().to_vec();
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        let item = &code[at + attribute.len()..];
        let end = match (item.find(';'), item.find('{')) {
            (Some(semicolon), brace) if brace.is_none_or(|brace| semicolon < brace) => semicolon,
            (_, Some(brace)) => brace + 1 + body_end(&item[brace..]).unwrap_or(item.len()) - 1,
            _ => continue,
        };
        let end = (at + attribute.len() + end + 1).min(kept.len());
        blank(&mut kept[at..end]);
    }
    String::from_utf8(kept).expect("blanked with spaces")
}

fn blank_comments_and_literals(text: &str) -> String {
    let mut kept = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = comment(rest).or_else(|| raw_string(rest)).or_else(|| quoted(rest));
        match length {
            Some(length) => {
                blank(&mut kept[at..at + length]);
                at += length;
            }
            // A whole identifier at once, so that the r of `for"` starts no raw string.
            None => {
                let word = identifier(rest).len();
                at += word.max(rest.chars().next().map_or(1, char::len_utf8));
            }
        }
    }
    String::from_utf8(kept).expect("blanked with spaces")
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let (mut at, mut depth) = (rest.starts_with("/*").then_some(2)?, 1);
    while depth > 0 && at < rest.len() {
        match &rest.as_bytes()[at..rest.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(at)
}

fn raw_string(rest: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].iter().find_map(|start| rest.strip_prefix(start))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body_length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + body_length)
}

/// A string or a character; a lifetime is neither.
fn quoted(rest: &str) -> Option<usize> {
    let prefix = usize::from(rest.starts_with(['b', 'c']));
    let body = &rest[prefix..];
    let quote = body.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    if quote == '\'' {
        let mut inside = body[1..].chars();
        let first = inside.next()?;
        if first != '\\' && inside.next() != Some('\'') {
            return None;
        }
    }
    let mut escaped = false;
    for (at, character) in body.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(prefix + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}
