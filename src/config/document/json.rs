//! Strict JSON (RFC 8259). `serde_json` judges the syntax and words its errors; then one walk,
//! which may rely on that, finds the values and their places.

use serde::de::IgnoredAny;

use super::{
    Document, StoredValue,
    build::{Builder, Marks},
    text::offset,
};
use crate::config::Problems;

const FIX: &str = "a .json file, or a text that begins with {, is JSON: keys and strings stand in \
                   double quotes, and no comma follows the last item";

/// Reads the document's text. `None` when there is no tree; the reason is in `problems`.
pub(super) fn read(document: &mut Document, problems: &mut Problems) -> Option<()> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(document.text()) {
        let at = document.text.byte_of_line(error.line(), error.column());
        let place = document.place_of((at, at));
        problems.error(place, sentence(&error), FIX);
        return None;
    }
    let text = document.text().to_owned();
    let mut builder = Builder::new(document, problems);
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let start = offset(at);
        at = match byte {
            b'{' => builder.open_mapping(start, Marks::default()).map(|()| at + 1)?,
            b'[' => builder.open_sequence(start, Marks::default()).map(|()| at + 1)?,
            b'}' | b']' => builder.close(start + 1).map(|_| at + 1)?,
            b'"' => read_string(&mut builder, &text, at)?,
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => at + 1,
            _ => read_literal(&mut builder, &text, at)?,
        };
    }
    Some(())
}

/// A string, key or value; the offset behind it.
fn read_string(builder: &mut Builder<'_>, text: &str, start: usize) -> Option<usize> {
    let mut end = start + 1;
    loop {
        match text.as_bytes().get(end)? {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    end += 1;
    let bytes = (offset(start), offset(end));
    let decoded: String = match serde_json::from_str(&text[start..end]) {
        Ok(decoded) => decoded,
        Err(error) => {
            let place = builder.document.place_of(bytes);
            let fix = "write the characters themselves, in UTF-8";
            builder.problems.error(place, sentence(&error), fix);
            return None;
        }
    };
    if builder.expects_key() {
        builder.key(&decoded, bytes, false);
    } else {
        builder.scalar(StoredValue::String(decoded.into()), bytes, Marks::default())?;
    }
    Some(end)
}

/// A number, `true`, `false` or `null`; the offset behind it.
fn read_literal(builder: &mut Builder<'_>, text: &str, start: usize) -> Option<usize> {
    let rest = &text.as_bytes()[start..];
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}');
    let end = start + rest.iter().position(ends).unwrap_or(rest.len());
    let value = match &text[start..end] {
        "null" => StoredValue::Null,
        "true" => StoredValue::Bool(true),
        "false" => StoredValue::Bool(false),
        number => StoredValue::Number(number.into()),
    };
    builder.scalar(value, (offset(start), offset(end)), Marks::default())?;
    Some(end)
}

/// `serde_json` ends its sentences with a line and a column, which the place has already.
fn sentence(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    let message = match message {
        "expected ident" => "expected true, false or null",
        "EOF while parsing a value" => "the text ends too early, where a value is expected",
        "EOF while parsing an object" => "the text ends too early, inside { }",
        "EOF while parsing a list" => "the text ends too early, inside [ ]",
        "EOF while parsing a string" => "the text ends too early, inside a string",
        other => other,
    };
    format!("JSON syntax: {message}")
}
