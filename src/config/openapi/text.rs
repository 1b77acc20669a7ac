//! `${..}` in a document's texts: what is known at import is put in, the rest stays.
//!
//! AWS substitutes `${AWS::Region}`, `${AWS::AccountId}` and `${AWS::Partition}` at import and
//! `${stageVariables.x}` per stage (`steps::context::StageVariables`); any other `${..}` is left
//! as it stands (`api-gateway.md` 1.3, 1.5). CloudFormation's functions: `intrinsic.rs`.

use std::collections::BTreeMap;

/// What a text may name besides stage variables: `AWS::Region` and what else the user defined.
pub type Substitutions = BTreeMap<String, String>;

/// One part of a text, cut at `${` and `}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// As it stands.
    Literal(&'a str),
    /// What stood between the braces.
    Hole(&'a str),
}

/// `source` with its `${AWS::..}` put in where `known` has them.
pub(super) fn substitute(source: &str, known: &Substitutions) -> String {
    let mut out = String::new();
    for segment in segments(source) {
        match segment {
            Segment::Literal(text) => out.push_str(text),
            Segment::Hole(name) => match known.get(name).filter(|_| name.starts_with("AWS::")) {
                Some(value) => out.push_str(value),
                None => push_hole(&mut out, name),
            },
        }
    }
    out
}

/// The names `x` of all `stageVariables.x` in a text, in order: in braces, and bare as the
/// mapping language has them.
pub(super) fn stage_variables(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("stageVariables.").map(move |(at, word)| {
        let name = &text[at + word.len()..];
        &name[..name.find(|c| !is_name(c)).unwrap_or(name.len())]
    })
}

/// Writes `${name}`.
pub(super) fn push_hole(out: &mut String, name: &str) {
    out.push_str("${");
    out.push_str(name);
    out.push('}');
}

/// Cuts `source` at its `${..}`; a `${` that nothing closes is literal.
pub(super) fn segments(source: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = source;
    let mut hole = None;
    std::iter::from_fn(move || {
        if let Some(name) = hole.take() {
            return Some(Segment::Hole(name));
        }
        if rest.is_empty() {
            return None;
        }
        let found = rest.find("${").and_then(|open| {
            let len = rest[open + 2..].find('}')?;
            Some((open, &rest[open + 2..open + 2 + len], open + 3 + len))
        });
        let Some((open, name, after)) = found else {
            return Some(Segment::Literal(std::mem::take(&mut rest)));
        };
        let literal = &rest[..open];
        rest = &rest[after..];
        if literal.is_empty() {
            return Some(Segment::Hole(name));
        }
        hole = Some(name);
        Some(Segment::Literal(literal))
    })
}

#[cfg(test)]
mod tests {
    use super::{Substitutions, stage_variables, substitute};

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let known = Substitutions::from([
            ("AWS::Region".to_owned(), "eu-west-1".to_owned()),
            ("Table".to_owned(), "never".to_owned()),
        ]);
        assert_eq!(substitute(source, &known), expected, "{source}");
    }

    #[test]
    fn only_what_aws_substitutes_is_put_in() {
        check("", "");
        check("plain", "plain");
        check("s.${AWS::Region}.x", "s.eu-west-1.x");
        check("${AWS::Region}${AWS::Region}", "eu-west-1eu-west-1");
        check("${AWS::Nothing}", "${AWS::Nothing}");
        check("${other}${Table}", "${other}${Table}");
        check("${stageVariables.a}", "${stageVariables.a}");
        check("${AWS::Region", "${AWS::Region");
        check("$", "$");
        check("${}", "${}");
        check("}${AWS::Region}{", "}eu-west-1{");
    }

    #[test]
    fn stage_variables_are_found() {
        let names = |text| stage_variables(text).collect::<Vec<_>>();
        assert_eq!(names("a${stageVariables.b}c$stageVariables.d_1-x"), ["b", "d_1"]);
        assert_eq!(names("${stageVariables.}"), [""]);
        assert_eq!(names("${stageVariable.x}"), Vec::<&str>::new());
    }
}
