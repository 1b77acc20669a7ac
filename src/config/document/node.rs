//! How a document is read: a [`Node`] is a cheap handle on one value and knows its place.

use std::fmt;

use super::{Document, Stored, StoredEntry, StoredValue};
use crate::base::Place;

/// What a value is, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Bool,
    /// An integer or a float.
    Number,
    /// Text.
    String,
    /// `[a, b]`.
    Sequence,
    /// `{key: value}`.
    Mapping,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Null => "no value",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Sequence => "a list",
            Self::Mapping => "a mapping",
        })
    }
}

/// A value, for `match`.
#[derive(Clone)]
pub enum Value<'d> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number's source text (`1e3`, `0x1F`, `.inf`).
    Number(&'d str),
    /// A string.
    String(&'d str),
    /// A list's items.
    Sequence(Items<'d>),
    /// A mapping's entries.
    Mapping(Entries<'d>),
}

/// A handle on one value of a [`Document`].
#[derive(Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document,
    index: u32,
}

/// A key with its value.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'d> {
    /// The key's text; a scalar of another type keeps its source text (`200:` is `"200"`).
    pub key: &'d str,
    /// The value.
    pub value: Node<'d>,
    key_bytes: (u32, u32),
}

impl Entry<'_> {
    /// Where the key stands.
    #[must_use]
    pub fn key_place(&self) -> Place {
        self.value.document.place_of(self.key_bytes)
    }
}

impl<'d> Node<'d> {
    pub(super) const fn new(document: &'d Document, index: u32) -> Self {
        Self { document, index }
    }

    fn stored(self) -> &'d Stored {
        &self.document.stored[self.index as usize]
    }

    /// The document this value is of.
    #[must_use]
    pub const fn document(self) -> &'d Document {
        self.document
    }

    /// What the value is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.stored().value {
            StoredValue::Null => Kind::Null,
            StoredValue::Bool(_) => Kind::Bool,
            StoredValue::Number(_) => Kind::Number,
            StoredValue::String(_) => Kind::String,
            StoredValue::Sequence(_) => Kind::Sequence,
            StoredValue::Mapping(_) => Kind::Mapping,
        }
    }

    /// The value, for `match`.
    #[must_use]
    pub fn value(self) -> Value<'d> {
        match &self.stored().value {
            StoredValue::Null => Value::Null,
            StoredValue::Bool(truth) => Value::Bool(*truth),
            StoredValue::Number(text) => Value::Number(text),
            StoredValue::String(text) => Value::String(text),
            StoredValue::Sequence(_) => Value::Sequence(self.items()),
            StoredValue::Mapping(_) => Value::Mapping(self.entries()),
        }
    }

    /// Where the value stands: its first character, and its byte range.
    #[must_use]
    pub fn place(self) -> Place {
        self.document.place_of(self.stored().bytes)
    }

    /// Its byte range in the text; unlike a place, it costs nothing.
    #[must_use]
    pub(in crate::config) fn bytes(self) -> (u32, u32) {
        self.stored().bytes
    }

    /// Whether this is a mapping.
    #[must_use]
    pub fn is_mapping(self) -> bool {
        self.kind() == Kind::Mapping
    }

    /// Whether this is `null` or nothing.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The text of a string; nothing else is a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'d str> {
        let StoredValue::String(text) = &self.stored().value else { return None };
        Some(text)
    }

    /// The text of a string, the source text of a number, `true` or `false`: for places where
    /// AWS takes a number or a string (`statusCode: 200`).
    #[must_use]
    pub fn scalar_text(self) -> Option<&'d str> {
        match &self.stored().value {
            StoredValue::String(text) | StoredValue::Number(text) => Some(text),
            StoredValue::Bool(true) => Some("true"),
            StoredValue::Bool(false) => Some("false"),
            StoredValue::Null | StoredValue::Sequence(_) | StoredValue::Mapping(_) => None,
        }
    }

    /// A truth value.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        let StoredValue::Bool(truth) = self.stored().value else { return None };
        Some(truth)
    }

    /// A number that is an integer (`0x1F` and `0o17` too) and fits in 64 bits.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        super::scalar::integer(self.number_text()?)
    }

    /// A number, as near as 64 bits of float get.
    #[must_use]
    pub fn as_number(self) -> Option<f64> {
        super::scalar::number(self.number_text()?)
    }

    /// A number's source text.
    #[must_use]
    pub fn number_text(self) -> Option<&'d str> {
        let StoredValue::Number(text) = &self.stored().value else { return None };
        Some(text)
    }

    /// A mapping's entries in the order of the text; none for anything else.
    #[must_use]
    pub fn entries(self) -> Entries<'d> {
        let entries = match &self.stored().value {
            StoredValue::Mapping(mapping) => mapping.entries.as_slice(),
            _ => &[],
        };
        Entries { document: self.document, rest: entries.iter() }
    }

    /// A list's items in order; none for anything else.
    #[must_use]
    pub fn items(self) -> Items<'d> {
        let items = match &self.stored().value {
            StoredValue::Sequence(items) => items.as_slice(),
            _ => &[],
        };
        Items { document: self.document, rest: items.iter() }
    }

    /// The value at `key`, when this is a mapping that has it.
    #[must_use]
    pub fn find(self, key: &str) -> Option<Self> {
        self.entry(key).map(|entry| entry.value)
    }

    /// The entry of `key`, when this is a mapping that has it.
    #[must_use]
    pub fn entry(self, key: &str) -> Option<Entry<'d>> {
        let StoredValue::Mapping(mapping) = &self.stored().value else { return None };
        mapping.find(key).map(|entry| self.entry_of(entry))
    }

    fn entry_of(self, entry: &'d StoredEntry) -> Entry<'d> {
        let value = Self::new(self.document, entry.value);
        Entry { key: &entry.key, value, key_bytes: entry.bytes }
    }

    /// The value at a JSON pointer (RFC 6901) from here: `/paths/~1pets/get/tags/0`; `""` is this
    /// value itself.
    #[must_use]
    pub fn pointer(self, pointer: &str) -> Option<Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut node = self;
        for token in pointer.strip_prefix('/')?.split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            node = match node.kind() {
                Kind::Sequence => node.items().nth(token.parse().ok()?)?,
                _ => node.find(&token)?,
            };
        }
        Some(node)
    }

    /// The value as serde's JSON value, for deserialising what was checked already. Numbers out
    /// of JSON's reach (`.inf`, 30 digits) become the nearest float, or null.
    #[must_use]
    pub fn to_json(self) -> serde_json::Value {
        match self.value() {
            Value::Null => serde_json::Value::Null,
            Value::Bool(truth) => truth.into(),
            Value::String(text) => text.into(),
            Value::Number(_) => match self.as_integer() {
                Some(integer) => integer.into(),
                None => self.as_number().into(),
            },
            Value::Sequence(items) => items.map(Self::to_json).collect(),
            Value::Mapping(entries) => {
                let pairs = entries.map(|entry| (entry.key.to_owned(), entry.value.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.to_json())
    }
}

/// A mapping's entries, in the order of the text.
#[derive(Clone)]
pub struct Entries<'d> {
    document: &'d Document,
    rest: std::slice::Iter<'d, StoredEntry>,
}

impl<'d> Iterator for Entries<'d> {
    type Item = Entry<'d>;

    fn next(&mut self) -> Option<Entry<'d>> {
        let entry = self.rest.next()?;
        let value = Node::new(self.document, entry.value);
        Some(Entry { key: &entry.key, value, key_bytes: entry.bytes })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Entries<'_> {}

/// A list's items, in order.
#[derive(Clone)]
pub struct Items<'d> {
    document: &'d Document,
    rest: std::slice::Iter<'d, u32>,
}

impl<'d> Iterator for Items<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        self.rest.next().map(|index| Node::new(self.document, *index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Items<'_> {}
