//! What a mapping does to a request: header fields, query parameters, the path.

use super::{
    Action, Edits,
    encode::{decode_query, encode_path, encode_query},
    names,
    value::{Scope, Side, Sources, Value},
};
use crate::{
    base::limits::{MAPPED_VALUE_BYTES_MAX, MAPPING_ENTRIES_MAX},
    http::HeadSink,
    steps::reject::{Client, Reject},
};

/// The compiled `requestParameters` of an integration; the default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct RequestMapping {
    headers: Edits,
    query: Edits,
    path: Rule,
    host: Rule,
}

/// What happens to a thing that there is always one of.
#[derive(Clone, Debug, Default)]
enum Rule {
    #[default]
    Keep,
    Overwrite(Value),
}

impl RequestMapping {
    /// Compiles keys such as `append:header.x` and their values, in the document's order.
    ///
    /// # Errors
    /// One sentence for each entry that is wrong, with the entry's key.
    pub fn compile<'t>(
        entries: impl IntoIterator<Item = (&'t str, &'t str)>,
        scope: Scope<'_>,
    ) -> Result<Self, Vec<String>> {
        let mut mapping = Self::default();
        let mut problems = Vec::new();
        let mut count = 0;
        for (key, text) in entries {
            count += 1;
            if let Err(fault) = mapping.insert(key, text, scope) {
                problems.push(format!("{key}: {fault}"));
            }
        }
        if count > MAPPING_ENTRIES_MAX {
            problems.push(format!("{count} mapped parameters; at most {MAPPING_ENTRIES_MAX}"));
        }
        if problems.is_empty() { Ok(mapping) } else { Err(problems) }
    }

    /// Whether the body has to be collected before the mapping can be applied.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.path.reads_body()
            || self.host.reads_body()
            || self.headers.reads_body()
            || self.query.reads_body()
    }

    /// Whether a header field of the client is not passed on.
    #[must_use]
    pub fn drops_field(&self, name: &[u8]) -> bool {
        self.headers.drops_field(name)
    }

    /// Whether the header fields are passed on as they came.
    #[must_use]
    pub const fn leaves_fields(&self) -> bool {
        self.headers.dropped.is_empty()
    }

    /// Writes a Host in place of the integration's; `false` when the mapping has no value for it.
    pub fn write_host(
        &self,
        sources: &Sources<'_>,
        scratch: &mut Vec<u8>,
        sink: &mut impl HeadSink,
    ) -> bool {
        let Rule::Overwrite(value) = &self.host else { return false };
        scratch.clear();
        value.render(sources, scratch);
        let sound = is_host(scratch);
        if sound {
            sink.field(b"host", &[scratch]);
        }
        sound
    }

    /// Writes the fields that the mapping adds. `scratch` is overwritten.
    pub fn write_fields(
        &self,
        sources: &Sources<'_>,
        scratch: &mut Vec<u8>,
        sink: &mut impl HeadSink,
    ) {
        self.headers.write_fields(sources, scratch, sink);
    }

    /// The value that stands in for the integration's path: appends it, encoded, to `out`.
    /// `false` when the mapping leaves the path alone, or has no value for it.
    ///
    /// # Errors
    /// [`Client::MappedPath`] when the value holds dot segments or is too long.
    pub fn write_path(
        &self,
        sources: &Sources<'_>,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Reject> {
        let Rule::Overwrite(value) = &self.path else { return Ok(false) };
        scratch.clear();
        value.render(sources, scratch);
        if scratch.is_empty() {
            return Ok(false);
        }
        if scratch.len() > MAPPED_VALUE_BYTES_MAX || holds_dot_segments(scratch) {
            return Err(Reject::Client(Client::MappedPath));
        }
        if scratch[0] != b'/' {
            out.push(b'/');
        }
        encode_path(scratch, out);
        Ok(true)
    }

    /// Appends the query that is passed on, without `?`: the client's parameters that are not
    /// dropped, as sent, then the added ones. Before each, `separator` is asked for a `?` or `&`.
    pub fn write_query(
        &self,
        sources: &Sources<'_>,
        scratch: &mut Vec<u8>,
        mut separator: impl FnMut(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        if let Some(query) = sources.query {
            if self.query.dropped.is_empty() {
                separator(out);
                out.extend_from_slice(query);
            } else {
                for pair in query.split(|&byte| byte == b'&') {
                    let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
                    let same = |dropped: &Vec<u8>| decode_query(name).eq(dropped.iter().copied());
                    if !self.query.dropped.iter().any(same) {
                        separator(out);
                        out.extend_from_slice(pair);
                    }
                }
            }
        }
        for (name, value) in &self.query.added {
            scratch.clear();
            value.render(sources, scratch);
            if scratch.is_empty() || scratch.len() > MAPPED_VALUE_BYTES_MAX {
                continue;
            }
            separator(out);
            encode_query(name, out);
            out.push(b'=');
            encode_query(scratch, out);
        }
    }

    fn insert(&mut self, key: &str, text: &str, scope: Scope<'_>) -> Result<(), String> {
        let expected = "expected append|overwrite|remove:header.NAME, \
                        append|overwrite|remove:querystring.NAME or overwrite:path";
        let (action, target) = Action::split(key).ok_or(expected)?;
        let value = Value::compile(text, Side::Request, scope)?;
        if action == Action::Remove && value.as_text() != Some(b"") {
            return Err("the value of 'remove' must be ''".to_owned());
        }
        if let Some(name) = target.strip_prefix("header.") {
            let name = names::writable_header(name)?;
            if name == b"host" {
                return match action {
                    Action::Overwrite => self.host.insert(value),
                    _ => Err("a request has one Host; it can only be overwritten".to_owned()),
                };
            }
            return self.headers.insert(action, name, value);
        }
        if let Some(name) = target.strip_prefix("querystring.") {
            return self.query.insert(action, names::query(name)?, value);
        }
        match (action, target) {
            (Action::Overwrite, "path") => self.path.insert(value),
            _ => Err(expected.to_owned()),
        }
    }
}

impl Rule {
    fn reads_body(&self) -> bool {
        matches!(self, Self::Overwrite(value) if value.reads_body())
    }

    fn insert(&mut self, value: Value) -> Result<(), String> {
        if matches!(self, Self::Overwrite(_)) {
            return Err("contradicts another entry for the same name".to_owned());
        }
        *self = Self::Overwrite(value);
        Ok(())
    }
}

/// Whether a value may be a Host: a name or an address, and perhaps a port.
fn is_host(value: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    (1..=255).contains(&value.len()) && value.iter().all(plain)
}

/// Whether a segment is `.` or `..`, plain or percent-encoded: another server may resolve it.
fn holds_dot_segments(path: &[u8]) -> bool {
    path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let mut dots = 0;
        for byte in decode_query(segment) {
            if byte != b'.' || dots == 2 {
                return false;
            }
            dots += 1;
        }
        dots > 0
    })
}
