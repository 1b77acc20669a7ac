//! The tree while it grows: both grammars feed this builder, which holds the bounds (depth,
//! number of values with aliases followed) and finds keys given twice. No recursion.

use std::collections::HashMap;

use super::{Document, Stored, StoredEntry, StoredMapping, StoredValue};
use crate::{
    base::limits::{DOCUMENT_DEPTH_MAX, DOCUMENT_NODES_MAX},
    config::Problems,
};

/// A byte range.
pub(super) type Bytes = (u32, u32);

/// What stands before a value: an anchor (0 is none) and a function's short tag.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) anchor: usize,
    pub(super) function: Option<&'static str>,
}

pub(super) struct Builder<'b> {
    pub(super) document: &'b mut Document,
    pub(super) problems: &'b mut Problems,
    open: Vec<Open>,
    /// Of each stored value.
    sizes: Vec<Size>,
    anchors: HashMap<usize, u32>,
}

/// A value's size with all aliases followed: what a walker would meet.
#[derive(Clone, Copy)]
struct Size {
    /// Values, plus one for every 64 bytes of text, so that aliases cannot multiply long texts.
    weight: usize,
    height: usize,
}

struct Open {
    start: u32,
    marks: Marks,
    size: Size,
    contents: Contents,
}

enum Contents {
    Sequence(Vec<u32>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<StoredEntry>,
    seen: HashMap<Box<str>, Bytes>,
    key: Option<Key>,
    /// What `<<` names, in order.
    merged: Vec<u32>,
}

struct Key {
    text: Box<str>,
    bytes: Bytes,
    is_merge: bool,
}

impl<'b> Builder<'b> {
    pub(super) fn new(document: &'b mut Document, problems: &'b mut Problems) -> Self {
        let (open, sizes, anchors) = (Vec::new(), Vec::new(), HashMap::new());
        Self { document, problems, open, sizes, anchors }
    }

    /// Whether the next scalar is a mapping's key.
    pub(super) fn expects_key(&self) -> bool {
        let Some(Open { contents: Contents::Mapping(mapping), .. }) = self.open.last() else {
            return false;
        };
        mapping.key.is_none()
    }

    pub(super) fn open_sequence(&mut self, start: u32, marks: Marks) -> Option<()> {
        self.open(start, marks, Contents::Sequence(Vec::new()))
    }

    pub(super) fn open_mapping(&mut self, start: u32, marks: Marks) -> Option<()> {
        self.open(start, marks, Contents::Mapping(OpenMapping::default()))
    }

    /// The key of the entry whose value comes next. A key given twice is told and kept once.
    pub(super) fn key(&mut self, text: &str, bytes: Bytes, is_merge: bool) {
        let Some(Open { contents: Contents::Mapping(mapping), size, .. }) = self.open.last_mut()
        else {
            return;
        };
        size.weight += text_weight(text);
        mapping.key = Some(Key { text: text.into(), bytes, is_merge });
        if is_merge {
            return;
        }
        let Some(first) = mapping.seen.get(text).copied() else {
            mapping.seen.insert(text.into(), bytes);
            return;
        };
        let first = self.document.place_of(first);
        let message = format!(
            "the key {text:?} is given twice in one mapping: first in line {}, column {}",
            first.line, first.column
        );
        self.problems.error(self.document.place_of(bytes), message, "keep one of them");
    }

    /// A value without children.
    pub(super) fn scalar(&mut self, value: StoredValue, bytes: Bytes, marks: Marks) -> Option<u32> {
        let weight = 1 + match &value {
            StoredValue::String(text) | StoredValue::Number(text) => text_weight(text),
            _ => 0,
        };
        let index = self.store(value, bytes, Size { weight, height: 1 });
        self.finish(index, marks)
    }

    /// The last opened mapping or sequence is complete.
    pub(super) fn close(&mut self, end: u32) -> Option<u32> {
        let mut open = self.open.pop()?;
        let value = match open.contents {
            Contents::Sequence(items) => StoredValue::Sequence(items),
            Contents::Mapping(mapping) => {
                let entries = self.merge(mapping, &mut open.size)?;
                StoredValue::Mapping(StoredMapping::new(entries))
            }
        };
        // A block's end event stands where the next thing begins: drop the white space before.
        let text = &self.document.text.as_str()[open.start as usize..end.max(open.start) as usize];
        let end = open.start + super::text::offset(text.trim_end().len());
        let index = self.store(value, (open.start, end), open.size);
        self.finish(index, open.marks)
    }

    /// `*anchor` as a value: the anchored value, a second time.
    pub(super) fn alias(&mut self, anchor: usize, bytes: Bytes) -> Option<u32> {
        let index = self.anchored(anchor, bytes)?;
        self.attach(index)?;
        Some(index)
    }

    /// `*anchor` as a key.
    pub(super) fn alias_key(&mut self, anchor: usize, bytes: Bytes) -> Option<()> {
        let index = self.anchored(anchor, bytes)?;
        let text = match &self.document.stored[index as usize].value {
            StoredValue::String(text) | StoredValue::Number(text) => text.clone(),
            _ => {
                let message = "a key must be text, and this alias names something else";
                self.problems.error(self.document.place_of(bytes), message, "write the key out");
                return None;
            }
        };
        self.key(&text, bytes, false);
        Some(())
    }

    /// Names a value that stands as a key, for aliases.
    pub(super) fn remember_key(&mut self, anchor: usize, text: &str, bytes: Bytes) {
        if anchor != 0 {
            let size = Size { weight: 1 + text_weight(text), height: 1 };
            let index = self.store(StoredValue::String(text.into()), bytes, size);
            self.anchors.insert(anchor, index);
        }
    }

    fn anchored(&mut self, anchor: usize, bytes: Bytes) -> Option<u32> {
        let found = self.anchors.get(&anchor).copied();
        if found.is_none() {
            let message = "the alias names a value that it is itself a part of";
            self.problems.error(self.document.place_of(bytes), message, "write the value out");
        }
        found
    }

    fn open(&mut self, start: u32, marks: Marks, contents: Contents) -> Option<()> {
        let size = Size { weight: 1, height: 1 };
        self.open.push(Open { start, marks, size, contents });
        // The scalar inside the deepest one is a level too.
        self.check_height(self.open.len(), (start, start))
    }

    fn store(&mut self, value: StoredValue, bytes: Bytes, size: Size) -> u32 {
        self.document.stored.push(Stored { value, bytes });
        self.sizes.push(size);
        super::text::offset(self.document.stored.len() - 1)
    }

    /// Wraps the value in its function, names it, and hands it to what it stands in.
    fn finish(&mut self, index: u32, marks: Marks) -> Option<u32> {
        let index = match marks.function {
            Some(function) => self.wrap(function, index),
            None => index,
        };
        if marks.anchor != 0 {
            self.anchors.insert(marks.anchor, index);
        }
        self.attach(index)?;
        Some(index)
    }

    /// `!Sub x` becomes `{"Fn::Sub": x}`, and `!GetAtt a.b` becomes `{"Fn::GetAtt": [a, b]}`.
    fn wrap(&mut self, function: &'static str, index: u32) -> u32 {
        let bytes = self.document.stored[index as usize].bytes;
        let index = match &self.document.stored[index as usize].value {
            StoredValue::String(text) if function == "Fn::GetAtt" => {
                let (left, right) = text.split_once('.').unwrap_or((text, ""));
                let halves = [left.into(), right.into()].map(StoredValue::String);
                let size = self.sizes[index as usize];
                let halves = halves.map(|half| self.store(half, bytes, size));
                let size = Size { weight: 1 + 2 * size.weight, height: 2 };
                self.store(StoredValue::Sequence(halves.to_vec()), bytes, size)
            }
            _ => index,
        };
        let Size { weight, height } = self.sizes[index as usize];
        let entry = StoredEntry { key: function.into(), bytes, value: index };
        let size = Size { weight: weight + 1, height: height + 1 };
        self.store(StoredValue::Mapping(StoredMapping::new(vec![entry])), bytes, size)
    }

    fn attach(&mut self, index: u32) -> Option<()> {
        let child = self.sizes[index as usize];
        let bytes = self.document.stored[index as usize].bytes;
        let Some(open) = self.open.last_mut() else {
            self.document.root = index;
            return self.check_size(child, bytes);
        };
        open.size.weight += child.weight;
        open.size.height = open.size.height.max(child.height + 1);
        match &mut open.contents {
            Contents::Sequence(items) => items.push(index),
            Contents::Mapping(mapping) => mapping.value(index),
        }
        let size = open.size;
        self.check_size(size, bytes)
    }

    /// A mapping's own entries, then those of what it merges that it does not have itself.
    fn merge(&mut self, mapping: OpenMapping, size: &mut Size) -> Option<Vec<StoredEntry>> {
        let OpenMapping { mut entries, mut seen, merged, .. } = mapping;
        for index in merged {
            let sources = match &self.document.stored[index as usize].value {
                StoredValue::Sequence(items) => items.clone(),
                _ => vec![index],
            };
            for source in sources {
                let bytes = self.document.stored[source as usize].bytes;
                let StoredValue::Mapping(more) = &self.document.stored[source as usize].value
                else {
                    let message = "a merge key (<<) takes a mapping, or a list of mappings";
                    let place = self.document.place_of(bytes);
                    self.problems.error(place, message, "name a mapping by its anchor: <<: *name");
                    return None;
                };
                for entry in more.entries.iter().filter(|entry| !seen.contains_key(&entry.key)) {
                    let child = self.sizes[entry.value as usize];
                    size.weight += text_weight(&entry.key) + child.weight;
                    size.height = size.height.max(child.height + 1);
                    entries.push(entry.clone());
                }
                let added = entries.iter().skip(seen.len());
                seen.extend(added.map(|entry| (entry.key.clone(), entry.bytes)));
                self.check_size(*size, bytes)?;
            }
        }
        Some(entries)
    }

    fn check_size(&mut self, size: Size, bytes: Bytes) -> Option<()> {
        self.check_height(size.height, bytes)?;
        if size.weight <= DOCUMENT_NODES_MAX {
            return Some(());
        }
        let message = format!(
            "the document holds more than {DOCUMENT_NODES_MAX} values here, aliases included"
        );
        let fix = "split the document, or use fewer aliases (*name)";
        self.problems.error(self.document.place_of(bytes), message, fix);
        None
    }

    fn check_height(&mut self, height: usize, bytes: Bytes) -> Option<()> {
        if height <= DOCUMENT_DEPTH_MAX {
            return Some(());
        }
        let message = format!("values are nested deeper than {DOCUMENT_DEPTH_MAX} levels here");
        self.problems.error(self.document.place_of(bytes), message, "flatten the document");
        None
    }
}

impl OpenMapping {
    /// The value of the key that came before.
    fn value(&mut self, value: u32) {
        let Some(Key { text, bytes, is_merge }) = self.key.take() else { return };
        if is_merge {
            self.merged.push(value);
        } else if self.seen.get(&text) == Some(&bytes) {
            self.entries.push(StoredEntry { key: text, bytes, value });
        }
    }
}

fn text_weight(text: &str) -> usize {
    text.len() / 64
}
