//! Header fields: flat, in the order they came, as offsets into the head's bytes.

use super::Name;

/// A range of a head's bytes. Heads are shorter than 64 KiB (`base::limits`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u16,
    /// One past the last byte.
    pub end: u16,
}

impl Span {
    /// The bytes of `head` that this span covers.
    #[must_use]
    pub fn of(self, head: &[u8]) -> &[u8] {
        &head[usize::from(self.start)..usize::from(self.end)]
    }
}

/// One header field as offsets; the value has no white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which name, as a value.
    pub name: Name,
    /// The name as it was sent.
    pub name_span: Span,
    /// The value.
    pub value_span: Span,
}

/// The offsets of a head's fields; kept in a pool so that a request allocates nothing.
pub type FieldList = Vec<Field>;

/// A view of header fields: names and values are slices of the head.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    fields: &'a [Field],
}

impl<'a> Fields<'a> {
    /// The fields at these offsets of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], fields: &'a [Field]) -> Self {
        Self { bytes, fields }
    }

    /// The bytes and offsets that this is a view of.
    #[must_use]
    pub const fn parts(self) -> (&'a [u8], &'a [Field]) {
        (self.bytes, self.fields)
    }

    /// Every field in order: name as a value, name as sent, value.
    pub fn iter(self) -> impl Iterator<Item = (Name, &'a [u8], &'a [u8])> {
        self.fields.iter().map(move |field| {
            (field.name, field.name_span.of(self.bytes), field.value_span.of(self.bytes))
        })
    }

    /// The first value of a known name.
    #[must_use]
    pub fn find(self, name: Name) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Every value of a known name, in order.
    pub fn all(self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |field| field.name == name)
            .map(move |field| field.value_span.of(self.bytes))
    }

    /// Every value of the name in `text` (any case), in order.
    pub fn named(self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(_, name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, _, value)| value)
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.fields.is_empty()
    }
}
