//! YAML 1.2 through `saphyr-parser`'s events: one document, core schema, aliases within the
//! builder's bounds, CloudFormation's short tags.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag as YamlTag};

use super::{
    Document, StoredValue,
    build::{Builder, Bytes, Marks},
    scalar,
    tags::Tag,
};
use crate::config::{Problems, shorten};

/// Reads the document's text. `None` when there is no tree; the reason is in `problems`.
pub(super) fn read(document: &mut Document, problems: &mut Problems) -> Option<()> {
    let text = document.text().to_owned();
    let mut builder = Builder::new(document, problems);
    let mut documents = 0;
    for event in Parser::new_from_str(&text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = builder.document.text.byte_of_character(error.marker().index());
                let place = builder.document.place_of((at, at));
                let fix = remedy(text.get(at as usize..).unwrap_or_default());
                builder.problems.error(place, format!("YAML syntax: {}", error.info()), fix);
                return None;
            }
        };
        let bytes = bytes_of(builder.document, span);
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let message = "a second YAML document begins here; one file holds one document";
                let place = builder.document.place_of(bytes);
                builder.problems.error(place, message, "move it into a file of its own");
                return None;
            }
        }
        read_event(&mut builder, event, bytes)?;
    }
    if builder.document.stored.is_empty() {
        builder.scalar(StoredValue::Null, (0, 0), Marks::default())?;
    }
    Some(())
}

/// What helps at a syntax error before `rest`; empty when that is not known. To YAML, a star begins
/// an alias: `*.example.com` is a slip that everybody makes once.
fn remedy(rest: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, ',' | ']' | '}');
    let word = rest.split(ends).next().unwrap_or_default();
    match word.starts_with('*') {
        true => format!("put a text that begins with * in quotes: \"{}\"", shorten(word)),
        false => String::new(),
    }
}

fn read_event(builder: &mut Builder<'_>, event: Event<'_>, bytes: Bytes) -> Option<()> {
    match event {
        Event::Alias(anchor) if builder.expects_key() => builder.alias_key(anchor, bytes),
        Event::Alias(anchor) => builder.alias(anchor, bytes).map(|_| ()),
        Event::Scalar(text, style, anchor, tag) if builder.expects_key() => {
            let plain = style == ScalarStyle::Plain && tag.is_none();
            builder.key(&text, bytes, plain && text == "<<");
            builder.remember_key(anchor, &text, bytes);
            Some(())
        }
        Event::Scalar(text, style, anchor, tag) => {
            read_scalar(builder, &text, style, anchor, tag, bytes)
        }
        Event::SequenceStart(..) | Event::MappingStart(..) if builder.expects_key() => {
            let message = "a key must be text; this one is a list or a mapping";
            let place = builder.document.place_of(bytes);
            builder.problems.error(place, message, "put the key in quotes");
            None
        }
        Event::SequenceStart(anchor, tag) => {
            let function = collection_function(builder, tag, bytes)?;
            builder.open_sequence(bytes.0, Marks { anchor, function })
        }
        Event::MappingStart(anchor, tag) => {
            let function = collection_function(builder, tag, bytes)?;
            builder.open_mapping(bytes.0, Marks { anchor, function })
        }
        Event::SequenceEnd | Event::MappingEnd => builder.close(bytes.1).map(|_| ()),
        Event::Nothing
        | Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(_)
        | Event::DocumentEnd => Some(()),
    }
}

fn read_scalar(
    builder: &mut Builder<'_>,
    text: &str,
    style: ScalarStyle,
    anchor: usize,
    tag: Option<Cow<'_, YamlTag>>,
    bytes: Bytes,
) -> Option<()> {
    let plain = |text: &str| match style {
        ScalarStyle::Plain => scalar::resolve(text),
        _ => StoredValue::String(text.into()),
    };
    let mut function = None;
    let value = match tag.map(|tag| (find_tag(&tag), tag)) {
        None => plain(text),
        Some((Tag::Text, _)) => StoredValue::String(text.into()),
        Some((Tag::Plain(expected), _)) => match (scalar::resolve(text), expected) {
            (value @ StoredValue::Number(_), "an integer" | "a float")
            | (value @ StoredValue::Bool(_), "true or false")
            | (value @ StoredValue::Null, "null") => value,
            _ => {
                let place = builder.document.place_of(bytes);
                let message = format!("the tag before this value says {expected}, and it is not");
                builder.problems.error(place, message, "remove the tag");
                return None;
            }
        },
        Some((Tag::Function(name), _)) => {
            function = Some(name);
            plain(text)
        }
        Some((Tag::Collection | Tag::Unknown, tag)) => {
            refuse_tag(builder, &tag, bytes);
            return None;
        }
    };
    builder.scalar(value, bytes, Marks { anchor, function }).map(|_| ())
}

/// The function that a list's or a mapping's tag names, if any. The outer `None`: refused.
#[expect(clippy::option_option, reason = "refused, or not a function: two different things")]
fn collection_function(
    builder: &mut Builder<'_>,
    tag: Option<Cow<'_, YamlTag>>,
    bytes: Bytes,
) -> Option<Option<&'static str>> {
    let Some(tag) = tag else { return Some(None) };
    match find_tag(&tag) {
        Tag::Collection => Some(None),
        Tag::Function(name) => Some(Some(name)),
        Tag::Text | Tag::Plain(_) | Tag::Unknown => {
            refuse_tag(builder, &tag, bytes);
            None
        }
    }
}

fn find_tag(tag: &YamlTag) -> Tag {
    Tag::find(&tag.handle, &tag.suffix)
}

fn refuse_tag(builder: &mut Builder<'_>, tag: &YamlTag, bytes: Bytes) {
    let place = builder.document.place_of(bytes);
    let message = format!("the tag {tag} is not known here");
    let fix = "remove it; known are YAML's own (!!str) and CloudFormation's functions (!Sub)";
    builder.problems.error(place, message, fix);
}

fn bytes_of(document: &Document, span: Span) -> Bytes {
    let start = document.text.byte_of_character(span.start.index());
    let end = document.text.byte_of_character(span.end.index());
    (start, end.max(start))
}
