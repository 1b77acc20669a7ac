//! One condition of a statement: an operator, a key, and the values that it is compared with.
//!
//! Values are alternatives; of a negated operator none of them may be the key's. A key that the
//! request does not have fails a condition, but a negated one holds then, and so does one with
//! `IfExists`. Of a key with several values an operator without a quantifier asks for one that
//! holds, a negated one that all hold.

use std::net::IpAddr;

use super::{
    glob::{Case, Pattern, Variable},
    key::{Key, Value, Values, View},
    network::Network,
    time,
};

/// A condition, compiled.
pub(super) struct Condition {
    pub(super) key: Key,
    pub(super) quantifier: Quantifier,
    pub(super) if_exists: bool,
    pub(super) negated: bool,
    pub(super) test: Test,
    /// Operator and key as they are written, for people.
    pub(super) text: Box<str>,
}

/// How many of the key's values have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    None,
    ForAnyValue,
    ForAllValues,
}

/// What is compared, and with what.
pub(super) enum Test {
    Text(Case, Box<[Pattern]>),
    Number(Comparison, Box<[f64]>),
    Time(Comparison, Box<[i64]>),
    /// Whether true, and whether false, is among the values.
    Bool([bool; 2]),
    Binary(Box<[Box<[u8]>]>),
    Address(Box<[Network]>),
    Arn(Box<[ArnPattern]>),
    /// Whether the key may be missing, and whether it may be there.
    Null([bool; 2]),
}

/// A comparison of numbers or times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// An ARN's six parts, each compared with its own: a star does not reach over a colon of the
/// first five.
pub(super) struct ArnPattern(pub(super) [Pattern; ARN_PARTS]);
pub(super) const ARN_PARTS: usize = 6;

impl Condition {
    /// Whether it holds.
    pub(super) fn holds(&self, view: &View<'_>) -> bool {
        let values = view.values(&self.key);
        if let Test::Null([missing, there]) = self.test {
            return if values.is_empty() { missing } else { there };
        }
        if values.is_empty() {
            return match self.quantifier {
                Quantifier::ForAllValues => true,
                Quantifier::ForAnyValue => self.if_exists,
                Quantifier::None => self.if_exists || self.negated,
            };
        }
        // A variable without a value: the element is about nothing, negated or not.
        if self.negated && !self.variables().all(|variable| variable.has_value(view)) {
            return false;
        }
        let holds = |value: Value<'_>| self.matches(value, view) != self.negated;
        let needs_all = match self.quantifier {
            Quantifier::ForAllValues => true,
            Quantifier::ForAnyValue => false,
            Quantifier::None => self.negated,
        };
        let text = |text: &str| holds(Value::Text(text.as_bytes()));
        match (values, needs_all) {
            (Values::None, _) => false,
            (Values::One(value), _) => holds(value),
            (Values::Labels(labels), true) => labels.iter().all(|label| text(label)),
            (Values::Labels(labels), false) => labels.iter().any(|label| text(label)),
            (Values::Paths(paths), true) => paths.iter().all(|path| text(path)),
            (Values::Paths(paths), false) => paths.iter().any(|path| text(path)),
        }
    }

    /// Whether a value is one of those here.
    fn matches(&self, value: Value<'_>, view: &View<'_>) -> bool {
        match &self.test {
            Test::Text(case, patterns) => {
                let text = view.text(value);
                patterns.iter().any(|pattern| pattern.matches(text, view, *case))
            }
            Test::Number(comparison, numbers) => {
                let Some(found) = number_of(value) else { return false };
                numbers.iter().any(|number| comparison.holds(&found, number))
            }
            Test::Time(comparison, times) => {
                let Some(found) = time_of(value) else { return false };
                times.iter().any(|time| comparison.holds(&found, time))
            }
            Test::Bool([is_true, is_false]) => match bool_of(value) {
                Some(true) => *is_true,
                Some(false) => *is_false,
                None => false,
            },
            Test::Binary(all) => all.iter().any(|bytes| **bytes == *view.text(value)),
            Test::Address(networks) => {
                let found: Option<IpAddr> = view.address_of(&self.key, value);
                found.is_some_and(|ip| networks.iter().any(|network| network.contains(ip)))
            }
            Test::Arn(patterns) => {
                let Some(parts) = arn_parts(view.text(value)) else { return false };
                patterns.iter().any(|pattern| pattern.matches(parts, view))
            }
            Test::Null(_) => false,
        }
    }

    /// The variables in its values.
    pub(super) fn variables(&self) -> impl Iterator<Item = &Variable> {
        let (texts, arns): (&[Pattern], &[ArnPattern]) = match &self.test {
            Test::Text(_, patterns) => (patterns, &[]),
            Test::Arn(patterns) => (&[], patterns),
            _ => (&[], &[]),
        };
        let arns = arns.iter().flat_map(|ArnPattern(parts)| parts);
        texts.iter().chain(arns).flat_map(Pattern::variables)
    }

    /// Whether its outcome depends on who signed the request.
    pub(super) fn is_of_principal(&self) -> bool {
        self.key.is_of_principal()
            || self.variables().any(|variable| variable.key.is_of_principal())
    }

    /// Whether it can only hold when the request has the key.
    pub(super) fn needs_key(&self) -> bool {
        match self.test {
            Test::Null([missing, _]) => !missing,
            _ => match self.quantifier {
                Quantifier::ForAllValues => false,
                Quantifier::ForAnyValue => !self.if_exists,
                Quantifier::None => !self.if_exists && !self.negated,
            },
        }
    }
}

impl Comparison {
    fn holds<T: PartialOrd>(self, found: &T, wanted: &T) -> bool {
        match self {
            Self::Equals => found == wanted,
            Self::LessThan => found < wanted,
            Self::LessThanEquals => found <= wanted,
            Self::GreaterThan => found > wanted,
            Self::GreaterThanEquals => found >= wanted,
        }
    }
}

impl ArnPattern {
    fn matches(&self, parts: [&[u8]; ARN_PARTS], view: &View<'_>) -> bool {
        let mut pairs = self.0.iter().zip(parts);
        pairs.all(|(pattern, part)| pattern.matches(part, view, Case::Sensitive))
    }
}

impl Values<'_> {
    const fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::One(_) => false,
            Self::Labels(labels) => labels.is_empty(),
            Self::Paths(paths) => paths.is_empty(),
        }
    }
}

/// A number as a person writes it; `None` for words such as `inf`.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    let is_plain = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let text = str::from_utf8(text).ok().filter(|text| text.as_bytes().iter().all(is_plain))?;
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// `true` or `false`, in any case.
pub(super) fn truth(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

fn number_of(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Text(text) => number(text),
        Value::Number(number) | Value::Epoch(number) => Some(number as f64),
        Value::Time(_) | Value::Bool(_) => None,
    }
}

fn time_of(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Text(text) => time::parse(text),
        Value::Time(time) => i64::try_from(time).ok(),
        Value::Epoch(seconds) => i64::try_from(seconds).ok()?.checked_mul(1000),
        Value::Number(_) | Value::Bool(_) => None,
    }
}

fn bool_of(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Text(text) => truth(text),
        Value::Bool(value) => Some(value),
        Value::Time(_) | Value::Epoch(_) | Value::Number(_) => None,
    }
}

fn arn_parts(text: &[u8]) -> Option<[&[u8]; ARN_PARTS]> {
    let mut parts = text.splitn(ARN_PARTS, |byte| *byte == b':');
    let mut found: [&[u8]; ARN_PARTS] = [b""; ARN_PARTS];
    for part in &mut found {
        *part = parts.next()?;
    }
    Some(found)
}
