//! YAML 1.2 (core schema) and strict JSON as one tree of values, each with its place in the text.
//!
//! What a walker may rely on: depth and number of values are bounded (aliases included), keys of
//! one mapping differ, numbers keep their source text, CloudFormation's short tags are in long
//! form (`!Sub x` is `{"Fn::Sub": "x"}`), merge keys (`<<`) are merged: a mapping's own keys win.
//! Not here: what any key means.

mod build;
mod json;
mod node;
mod scalar;
mod tags;
mod text;
mod yaml;

use std::{
    borrow::Cow,
    cell::OnceCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Problems;
use crate::base::{Place, limits::DOCUMENT_BYTES_MAX};
use text::{Text, offset};

pub use node::{Entries, Entry, Items, Kind, Node, Value};

/// A parsed document. Nodes borrow from it.
pub struct Document {
    file: Arc<PathBuf>,
    text: Text,
    stored: Vec<Stored>,
    root: u32,
}

/// A value with its byte range; children are indices, so that an alias is a second index.
struct Stored {
    value: StoredValue,
    bytes: (u32, u32),
}

enum StoredValue {
    Null,
    Bool(bool),
    Number(Box<str>),
    String(Box<str>),
    Sequence(Vec<u32>),
    Mapping(StoredMapping),
}

/// Entries in the order of the text.
struct StoredMapping {
    entries: Vec<StoredEntry>,
    /// The same by key, made when a large one is searched: a hostile document has many references
    /// into it.
    by_key: OnceCell<Box<[u32]>>,
}

#[derive(Clone)]
struct StoredEntry {
    key: Box<str>,
    bytes: (u32, u32),
    value: u32,
}

impl StoredMapping {
    /// Mappings with fewer entries are searched one by one.
    const LARGE: usize = 64;

    const fn new(entries: Vec<StoredEntry>) -> Self {
        Self { entries, by_key: OnceCell::new() }
    }

    fn find(&self, key: &str) -> Option<&StoredEntry> {
        if self.entries.len() < Self::LARGE {
            return self.entries.iter().find(|entry| &*entry.key == key);
        }
        let key_of = |place: &u32| &*self.entries[*place as usize].key;
        let by_key = self.by_key.get_or_init(|| {
            let mut places: Box<[u32]> = (0..offset(self.entries.len())).collect();
            places.sort_unstable_by(|one, two| key_of(one).cmp(key_of(two)));
            places
        });
        let found = by_key.binary_search_by(|place| key_of(place).cmp(key)).ok()?;
        self.entries.get(by_key[found] as usize)
    }
}

/// Which grammar a text is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grammar {
    Yaml,
    Json,
}

impl Document {
    /// Reads `bytes`, the contents of `file`: as JSON when the name ends in `.json` or the text
    /// begins with `{`, else as YAML. `None` when the text has no tree (each reason is in
    /// `problems`); a tree may come with errors too (a key given twice).
    pub fn parse(file: &Path, bytes: &[u8], problems: &mut Problems) -> Option<Self> {
        let file = Arc::new(file.to_path_buf());
        if bytes.len() > DOCUMENT_BYTES_MAX {
            let message = format!(
                "{}: the document has {} bytes; at most {DOCUMENT_BYTES_MAX} are read",
                file.display(),
                bytes.len()
            );
            problems.error_nowhere(message, "split it into several APIs");
            return None;
        }
        let bytes = without_mark(bytes);
        let text = Text::new(String::from_utf8_lossy(bytes).into_owned());
        let mut document = Self { file, text, stored: Vec::new(), root: 0 };
        if let Err(error) = std::str::from_utf8(bytes) {
            let at = offset(error.valid_up_to());
            let place = document.place_of((at, at));
            problems.error(place, "the text is not UTF-8 from here", "save the file as UTF-8");
            return None;
        }
        if let Some(at) = document.text().bytes().position(|byte| byte == 0) {
            let place = document.place_of((offset(at), offset(at + 1)));
            problems.error(place, "the text holds a NUL byte", "remove it");
            return None;
        }
        match document.grammar() {
            Grammar::Json => json::read(&mut document, problems)?,
            Grammar::Yaml => yaml::read(&mut document, problems)?,
        }
        Some(document)
    }

    /// The value that the whole document is.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::new(self, self.root)
    }

    /// The document's path as it was given.
    #[must_use]
    pub fn file(&self) -> &Arc<PathBuf> {
        &self.file
    }

    /// The text that places point into (without a byte order mark).
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// Line, column and file of a byte range of [`Document::text`].
    #[must_use]
    pub fn place_of(&self, bytes: (u32, u32)) -> Place {
        let (line, column) = self.text.line_and_column(bytes.0);
        Place { file: Arc::clone(&self.file), line, column, bytes }
    }

    fn grammar(&self) -> Grammar {
        let named_json = self.file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let looks_json = self.text().trim_start().starts_with('{');
        if named_json || looks_json { Grammar::Json } else { Grammar::Yaml }
    }
}

/// The text that a document of these bytes has, whether it can be parsed or not: without a byte
/// order mark, bytes that are not UTF-8 replaced.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(without_mark(bytes))
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
