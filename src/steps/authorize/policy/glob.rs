//! Texts with `*` and `?` in them, and variables: what a policy compares with.
//!
//! A pattern is cut at its stars. The first part stands at the beginning, the last at the end, and
//! those between are looked for from the left, each once: the leftmost place is as good as any
//! other, so nothing is ever tried twice and no pattern is exponential. A part of plain text
//! is found by a search that is linear whatever it is; one with `?` or variables in it is
//! tried at each place, and is bounded for that (`limits::POLICY_PART_BYTES_MAX`).

use memchr::memmem::Finder;

use super::key::{Key, View};
use crate::base::limits::{POLICY_PART_BYTES_MAX, POLICY_VARIABLES_MAX};

/// A pattern, compiled.
pub(super) enum Pattern {
    /// `*`
    Any,
    /// No star in it, nor anything else.
    Exact(Box<[u8]>),
    /// `x*`
    Prefix(Box<[u8]>),
    /// Anything else.
    Parts(Box<Parts>),
}

/// What stands between stars; there are at least two parts, or one with signs in it.
pub(super) struct Parts {
    first: Part,
    middle: Box<[Middle]>,
    /// `None` without a star.
    last: Option<Part>,
    variables: Box<[Variable]>,
    /// No shorter text is like it: variables may be empty.
    least: usize,
}

struct Middle {
    part: Part,
    /// For plain text.
    finder: Option<Finder<'static>>,
}

type Part = Box<[Unit]>;

#[derive(Clone, Debug, PartialEq)]
enum Unit {
    Text(Box<[u8]>),
    /// `?`: one byte.
    One,
    /// Its place in the variables.
    Variable(usize),
}

/// `${aws:username, 'nobody'}`
pub(super) struct Variable {
    pub(super) key: Key,
    default: Option<Box<[u8]>>,
}

/// What a star and a question mark are, and `${`.
#[derive(Clone, Copy)]
pub(super) struct Syntax {
    pub(super) has_globs: bool,
    pub(super) has_variables: bool,
}

/// A sign of a pattern's source.
enum Sign {
    Star,
    Unit(Unit),
}

impl Pattern {
    /// Compiles a text.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, (String, String)> {
        let mut variables = Vec::new();
        let signs = signs(text, syntax, &mut variables)?;
        let mut parts: Vec<Vec<Unit>> = vec![Vec::new()];
        for sign in signs {
            let last = parts.last_mut().expect("there is one");
            match sign {
                Sign::Star => parts.push(Vec::new()),
                Sign::Unit(unit) => push(last, unit),
            }
        }
        // Several stars in a row are one.
        let count = parts.len();
        let mut place = 0;
        parts.retain(|part| {
            place += 1;
            !part.is_empty() || place == 1 || place == count
        });
        let mut parts = parts.into_iter().map(Vec::into_boxed_slice);
        let first: Part = parts.next().expect("there is one");
        let mut rest: Vec<Part> = parts.collect();
        let last = rest.pop();
        if let Some(simple) = Self::simple(&first, &rest, last.as_ref()) {
            return Ok(simple);
        }
        let parts = [&first].into_iter().chain(&rest).chain(&last);
        let least = parts.map(|part| length(part, &NOTHING)).sum();
        let middle: Result<_, _> = rest.into_iter().map(Middle::compile).collect();
        let variables = variables.into();
        Ok(Self::Parts(Box::new(Parts { first, middle: middle?, last, variables, least })))
    }

    fn simple(first: &[Unit], middle: &[Part], last: Option<&Part>) -> Option<Self> {
        let bytes: &[u8] = match first {
            [] => b"",
            [Unit::Text(text)] => text,
            _ => return None,
        };
        match (middle, last) {
            ([], None) => Some(Self::Exact(bytes.into())),
            ([], Some(last)) if last.is_empty() && bytes.is_empty() => Some(Self::Any),
            ([], Some(last)) if last.is_empty() => Some(Self::Prefix(bytes.into())),
            _ => None,
        }
    }

    /// Whether a text is like this; not when a variable of it has no value.
    #[inline]
    pub(super) fn matches(&self, text: &[u8], view: &View<'_>, case: Case) -> bool {
        match (self, case) {
            (Self::Any, _) => true,
            (Self::Exact(own), Case::Sensitive) => text == &**own,
            (Self::Exact(own), Case::Ignored) => text.eq_ignore_ascii_case(own),
            (Self::Prefix(own), _) => text.starts_with(own),
            (Self::Parts(parts), _) => parts.matches(text, view, case),
        }
    }

    /// Whether all its variables have a value.
    pub(super) fn is_known(&self, view: &View<'_>) -> bool {
        self.variables().iter().all(|variable| variable.has_value(view))
    }

    /// The variables that it names.
    pub(super) fn variables(&self) -> &[Variable] {
        match self {
            Self::Parts(parts) => &parts.variables,
            _ => &[],
        }
    }

    /// Whether a text that begins with `start` can be like this.
    pub(super) fn may_begin_with(&self, start: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(own) => own.starts_with(start),
            Self::Prefix(own) => own.starts_with(start) || start.starts_with(own),
            Self::Parts(parts) => parts.may_begin_with(start),
        }
    }
}

/// Whether capitals differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Ignored,
}

type Values<'a> = [&'a [u8]; POLICY_VARIABLES_MAX];
const NOTHING: Values<'static> = [b""; POLICY_VARIABLES_MAX];

impl Parts {
    fn matches<'v>(&'v self, text: &[u8], view: &'v View<'_>, case: Case) -> bool {
        if text.len() < self.least {
            return false;
        }
        let mut values: Values<'v> = NOTHING;
        for (value, variable) in values.iter_mut().zip(&self.variables) {
            match variable.value(view) {
                Some(found) => *value = found,
                None => return false,
            }
        }
        let Some(start) = begins(&self.first, text, &values, case) else { return false };
        let Some(last) = &self.last else { return start == text.len() };
        let end_length = length(last, &values);
        let Some(end) = text.len().checked_sub(end_length).filter(|end| *end >= start) else {
            return false;
        };
        if begins(last, &text[end..], &values, case).is_none() {
            return false;
        }
        let mut rest = &text[start..end];
        for middle in &self.middle {
            match middle.find(rest, &values, case) {
                Some(after) => rest = &rest[after..],
                None => return false,
            }
        }
        true
    }

    /// Variables may be anything.
    fn may_begin_with(&self, mut start: &[u8]) -> bool {
        for unit in &self.first {
            match unit {
                Unit::Text(text) => {
                    let common = text.len().min(start.len());
                    if text[..common] != start[..common] {
                        return false;
                    }
                    start = &start[common..];
                }
                Unit::One => start = start.get(1..).unwrap_or_default(),
                Unit::Variable(_) => return true,
            }
        }
        start.is_empty() || self.last.is_some()
    }
}

impl Middle {
    fn compile(part: Part) -> Result<Self, (String, String)> {
        if let [Unit::Text(text)] = &*part {
            let finder = Finder::new(text).into_owned();
            return Ok(Self { part, finder: Some(finder) });
        }
        let bytes = part.iter().map(|unit| match unit {
            Unit::Text(text) => text.len(),
            Unit::One | Unit::Variable(_) => 1,
        });
        if bytes.sum::<usize>() > POLICY_PART_BYTES_MAX {
            return Err((
                format!(
                    "has more than {POLICY_PART_BYTES_MAX} characters between two *, with a ? or \
                     a variable among them"
                ),
                "shorten it, or write the ? as *".to_owned(),
            ));
        }
        Ok(Self { part, finder: None })
    }

    /// Where its leftmost place ends.
    fn find(&self, text: &[u8], values: &Values<'_>, case: Case) -> Option<usize> {
        if let (Some(finder), Case::Sensitive) = (&self.finder, case) {
            return finder.find(text).map(|start| start + finder.needle().len());
        }
        let last = text.len().checked_sub(length(&self.part, values))?;
        (0..=last).find_map(|start| {
            begins(&self.part, &text[start..], values, case).map(|length| start + length)
        })
    }
}

fn length(part: &[Unit], values: &Values<'_>) -> usize {
    let lengths = part.iter().map(|unit| match unit {
        Unit::Text(text) => text.len(),
        Unit::One => 1,
        Unit::Variable(place) => values[*place].len(),
    });
    lengths.sum()
}

/// How much of `text` the part takes when it stands at its beginning.
fn begins(part: &[Unit], text: &[u8], values: &Values<'_>, case: Case) -> Option<usize> {
    let mut at = 0;
    for unit in part {
        let wanted: &[u8] = match unit {
            Unit::Text(wanted) => wanted,
            Unit::Variable(place) => values[*place],
            Unit::One => {
                at += 1;
                continue;
            }
        };
        let found = text.get(at..at + wanted.len())?;
        let is_same = match case {
            Case::Sensitive => found == wanted,
            Case::Ignored => found.eq_ignore_ascii_case(wanted),
        };
        if !is_same {
            return None;
        }
        at += wanted.len();
    }
    (at <= text.len()).then_some(at)
}

fn push(part: &mut Vec<Unit>, unit: Unit) {
    match (part.last_mut(), unit) {
        (Some(Unit::Text(before)), Unit::Text(text)) => {
            *before = [&**before, &*text].concat().into();
        }
        (_, unit) => part.push(unit),
    }
}

fn signs(
    text: &str,
    syntax: Syntax,
    variables: &mut Vec<Variable>,
) -> Result<Vec<Sign>, (String, String)> {
    let mut signs = Vec::new();
    let mut rest = text;
    let literal = |text: &str| Sign::Unit(Unit::Text(text.as_bytes().into()));
    while !rest.is_empty() {
        if syntax.has_variables && rest.starts_with("${") {
            let Some(end) = rest.find('}') else {
                let fix = "write ${aws:NAME}, or ${$} for the sign itself".to_owned();
                return Err(("has a ${ that nothing closes".to_owned(), fix));
            };
            match &rest[2..end] {
                sign @ ("*" | "?" | "$") => signs.push(literal(sign)),
                name => {
                    if variables.len() == POLICY_VARIABLES_MAX {
                        let what = format!("has more than {POLICY_VARIABLES_MAX} variables");
                        return Err((what, "make several of it".to_owned()));
                    }
                    signs.push(Sign::Unit(Unit::Variable(variables.len())));
                    variables.push(Variable::parse(name)?);
                }
            }
            rest = &rest[end + 1..];
            continue;
        }
        let stops = |sign: char| {
            syntax.has_globs && matches!(sign, '*' | '?') || syntax.has_variables && sign == '$'
        };
        match rest.as_bytes()[0] {
            b'*' if syntax.has_globs => {
                signs.push(Sign::Star);
                rest = &rest[1..];
            }
            b'?' if syntax.has_globs => {
                signs.push(Sign::Unit(Unit::One));
                rest = &rest[1..];
            }
            _ => {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                let end = rest[first..].find(stops).map_or(rest.len(), |end| end + first);
                signs.push(literal(&rest[..end]));
                rest = &rest[end..];
            }
        }
    }
    Ok(signs)
}

impl Variable {
    pub(super) fn has_value(&self, view: &View<'_>) -> bool {
        self.value(view).is_some()
    }

    /// One that is longer than any name is none.
    fn value<'v>(&'v self, view: &'v View<'_>) -> Option<&'v [u8]> {
        let found = view.text_of(&self.key).or(self.default.as_deref());
        found.filter(|found| found.len() <= POLICY_PART_BYTES_MAX)
    }

    /// `aws:username`, or `aws:username, 'nobody'`.
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let fix = || "write ${aws:NAME} or ${aws:NAME, 'default'}".to_owned();
        let (name, default) = match text.split_once(',') {
            None => (text, None),
            Some((name, default)) => {
                let inner = default.trim().strip_prefix('\'');
                let Some(inner) = inner.and_then(|inner| inner.strip_suffix('\'')) else {
                    let what = format!("has a default without '' in the variable ${{{text}}}");
                    return Err((what, fix()));
                };
                (name, Some(inner.as_bytes().into()))
            }
        };
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err((format!("has the variable ${{{text}}}, which is no name"), fix()));
        }
        Ok(Self { key: Key::parse(name), default })
    }
}
