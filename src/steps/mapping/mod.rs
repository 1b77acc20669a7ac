//! HTTP API parameter mapping (`api-gateway.md` 6.2): a small language, compiled when a document
//! is imported, applied to requests by `integrate` and to answers by `respond`.
//!
//! The rules where AWS's documents are silent:
//! - A value that is missing or empty sets nothing. `overwrite` then still drops what the client
//!   sent, so that nobody can bring his own value for a field that the gateway vouches for.
//! - In a concatenation (`${..}-${..}`) a missing part is empty.
//! - A value for a header that holds CR, LF, NUL or another control byte sets nothing, and so does
//!   a value longer than `MAPPED_VALUE_BYTES_MAX`.
//! - Values into path and query are percent-encoded where needed (`encode`).
//! - `overwrite` and `remove` act on what was sent; then `append` adds.
//!
//! Here: what the keys say. [`value`] is what the values say.

mod encode;
mod names;
mod request;
mod response;
mod value;

pub use encode::{decode_query, encode_path, encode_query};
pub use request::RequestMapping;
pub use response::{ForStatus, ResponseMapping};
pub use value::{Scope, Sources, Value};

use crate::{base::limits::MAPPED_VALUE_BYTES_MAX, http::HeadSink};

/// What is done to the header fields, or to the query parameters, of one message.
#[derive(Clone, Debug, Default)]
struct Edits {
    /// Names, lower case for header fields, of what is not passed on.
    dropped: Vec<Vec<u8>>,
    /// Names and values of what is added.
    added: Vec<(Vec<u8>, Value)>,
}

/// The first word of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Append,
    Overwrite,
    Remove,
}

impl Action {
    fn split(key: &str) -> Option<(Self, &str)> {
        let (word, rest) = key.split_once(':')?;
        let action = match word {
            "append" => Self::Append,
            "overwrite" => Self::Overwrite,
            "remove" => Self::Remove,
            _ => return None,
        };
        Some((action, rest))
    }
}

impl Edits {
    /// Refused: the same action on the same name twice, and `remove` beside `overwrite`.
    fn insert(&mut self, action: Action, name: Vec<u8>, value: Value) -> Result<(), String> {
        let added = self.added.iter().any(|(known, _)| *known == name);
        let dropped = self.dropped.contains(&name);
        let contradicts = match action {
            Action::Append => added && !dropped,
            Action::Overwrite | Action::Remove => dropped,
        };
        if contradicts {
            return Err("contradicts another entry for the same name".to_owned());
        }
        if action != Action::Append {
            self.dropped.push(name.clone());
        }
        if action != Action::Remove {
            self.added.push((name, value));
        }
        Ok(())
    }

    fn reads_body(&self) -> bool {
        self.added.iter().any(|(_, value)| value.reads_body())
    }

    /// Whether a header field of this name is not passed on.
    fn drops_field(&self, name: &[u8]) -> bool {
        self.dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(name))
    }

    fn write_fields(&self, sources: &Sources<'_>, scratch: &mut Vec<u8>, sink: &mut impl HeadSink) {
        for (name, value) in &self.added {
            scratch.clear();
            value.render(sources, scratch);
            if is_field_value(scratch) {
                sink.field(name, &[scratch.trim_ascii()]);
            }
        }
    }
}

/// Whether bytes may be set as a field's value (RFC 9110 5.5); white space around it is dropped.
fn is_field_value(bytes: &[u8]) -> bool {
    let control = |&byte: &u8| (byte < 0x20 && byte != b'\t') || byte == 0x7f;
    let sized = bytes.len() <= MAPPED_VALUE_BYTES_MAX && !bytes.trim_ascii().is_empty();
    sized && !bytes.iter().any(control)
}

#[cfg(test)]
mod tests;
