//! From an operator's name and its values to a condition: every operator of AWS, with `IfExists`,
//! `ForAnyValue:` and `ForAllValues:`.

use super::{
    condition::{
        ARN_PARTS, ArnPattern, Comparison, Condition, Quantifier, Test, number as number_of, truth,
    },
    glob::{Case, Pattern, Syntax},
    key::{Key, Kind},
    network::Network,
    time,
};

/// An operator, as its name says it.
#[derive(Clone, Copy)]
pub(super) struct Operator {
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    base: Base,
}

#[derive(Clone, Copy)]
enum Base {
    Text(Case),
    Like,
    Number(Comparison),
    Time(Comparison),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

const OPERATORS: &[(&str, Base, bool)] = &[
    ("StringEquals", Base::Text(Case::Sensitive), false),
    ("StringNotEquals", Base::Text(Case::Sensitive), true),
    ("StringEqualsIgnoreCase", Base::Text(Case::Ignored), false),
    ("StringNotEqualsIgnoreCase", Base::Text(Case::Ignored), true),
    ("StringLike", Base::Like, false),
    ("StringNotLike", Base::Like, true),
    ("NumericEquals", Base::Number(Comparison::Equals), false),
    ("NumericNotEquals", Base::Number(Comparison::Equals), true),
    ("NumericLessThan", Base::Number(Comparison::LessThan), false),
    ("NumericLessThanEquals", Base::Number(Comparison::LessThanEquals), false),
    ("NumericGreaterThan", Base::Number(Comparison::GreaterThan), false),
    ("NumericGreaterThanEquals", Base::Number(Comparison::GreaterThanEquals), false),
    ("DateEquals", Base::Time(Comparison::Equals), false),
    ("DateNotEquals", Base::Time(Comparison::Equals), true),
    ("DateLessThan", Base::Time(Comparison::LessThan), false),
    ("DateLessThanEquals", Base::Time(Comparison::LessThanEquals), false),
    ("DateGreaterThan", Base::Time(Comparison::GreaterThan), false),
    ("DateGreaterThanEquals", Base::Time(Comparison::GreaterThanEquals), false),
    ("Bool", Base::Bool, false),
    ("BinaryEquals", Base::Binary, false),
    ("IpAddress", Base::Address, false),
    ("NotIpAddress", Base::Address, true),
    ("ArnEquals", Base::Arn, false),
    ("ArnLike", Base::Arn, false),
    ("ArnNotEquals", Base::Arn, true),
    ("ArnNotLike", Base::Arn, true),
    ("Null", Base::Null, false),
];

/// What is wrong with a value, and how to mend it.
type Fault = (String, String);

impl Operator {
    /// The operator of this name.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub(super) fn parse(name: &str) -> Result<Self, Fault> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (Quantifier::None, name),
            Some(("ForAnyValue", rest)) => (Quantifier::ForAnyValue, rest),
            Some(("ForAllValues", rest)) => (Quantifier::ForAllValues, rest),
            Some(_) => return Err(unknown()),
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let known = OPERATORS.iter().find(|(known, ..)| *known == base);
        let Some((_, base, negated)) = known.copied() else { return Err(unknown()) };
        if matches!(base, Base::Null) && (if_exists || quantifier != Quantifier::None) {
            let fix = "write Null alone: it asks whether the request has the key";
            return Err(("takes neither IfExists nor a quantifier".to_owned(), fix.to_owned()));
        }
        Ok(Self { quantifier, if_exists, negated, base })
    }

    /// The condition on a key; the errors are by the value's place.
    pub(super) fn compile(
        self,
        name: &str,
        key_name: &str,
        values: &[String],
        has_variables: bool,
    ) -> Result<Condition, Vec<(usize, Fault)>> {
        let test = match self.base {
            Base::Text(case) => {
                let syntax = Syntax { has_globs: false, has_variables };
                Test::Text(case, all(values, |text| Pattern::parse(text, syntax))?)
            }
            Base::Like => {
                let syntax = Syntax { has_globs: true, has_variables };
                Test::Text(Case::Sensitive, all(values, |text| Pattern::parse(text, syntax))?)
            }
            Base::Number(comparison) => Test::Number(comparison, all(values, number)?),
            Base::Time(comparison) => Test::Time(comparison, all(values, moment)?),
            Base::Bool => Test::Bool(both(&all(values, boolean)?)),
            Base::Binary => Test::Binary(all(values, binary)?),
            Base::Address => Test::Address(all(values, network)?),
            Base::Arn => Test::Arn(all(values, |text| arn(text, has_variables))?),
            Base::Null => Test::Null(both(&all(values, boolean)?)),
        };
        Ok(Condition {
            key: Key::parse(key_name),
            quantifier: self.quantifier,
            if_exists: self.if_exists,
            negated: self.negated,
            test,
            text: format!("{name} {key_name}").into(),
        })
    }
}

impl Condition {
    /// Whether values of the key are of no kind that the operator compares.
    pub(super) fn is_mismatched(&self) -> bool {
        let kind = self.key.kind();
        let fits = match self.test {
            Test::Text(..) | Test::Binary(_) | Test::Null(_) => true,
            Test::Number(..) => matches!(kind, Kind::Number | Kind::Epoch | Kind::Free),
            Test::Time(..) => matches!(kind, Kind::Time | Kind::Epoch | Kind::Free),
            Test::Bool(_) => matches!(kind, Kind::Bool | Kind::Free),
            Test::Address(_) => matches!(kind, Kind::Address | Kind::Free),
            Test::Arn(_) => matches!(kind, Kind::Arn | Kind::Free),
        };
        !fits
    }
}

fn unknown() -> Fault {
    let names: Vec<&str> = OPERATORS.iter().map(|(name, ..)| *name).collect();
    ("is no condition operator".to_owned(), format!("there are {}", names.join(", ")))
}

fn all<T>(
    values: &[String],
    parse: impl Fn(&str) -> Result<T, Fault>,
) -> Result<Box<[T]>, Vec<(usize, Fault)>> {
    let (mut sound, mut faults) = (Vec::new(), Vec::new());
    for (place, value) in values.iter().enumerate() {
        match parse(value) {
            Ok(value) => sound.push(value),
            Err(fault) => faults.push((place, fault)),
        }
    }
    if faults.is_empty() { Ok(sound.into()) } else { Err(faults) }
}

fn both(values: &[bool]) -> [bool; 2] {
    [values.contains(&true), values.contains(&false)]
}

fn fault<T>(what: &str, fix: &str) -> Result<T, Fault> {
    Err((what.to_owned(), fix.to_owned()))
}

fn number(text: &str) -> Result<f64, Fault> {
    number_of(text.as_bytes()).map_or_else(|| fault("is no number", "write it as in 7"), Ok)
}

fn moment(text: &str) -> Result<i64, Fault> {
    let fix = "write it as in 2026-11-26T11:30:00Z, or as seconds since 1970";
    time::parse(text.as_bytes()).map_or_else(|| fault("is no date", fix), Ok)
}

fn boolean(text: &str) -> Result<bool, Fault> {
    let parsed = truth(text.as_bytes());
    parsed.map_or_else(|| fault("is neither true nor false", "write one of them"), Ok)
}

fn network(text: &str) -> Result<Network, Fault> {
    let fix = "write it as in 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32";
    Network::parse(text).map_or_else(|| fault("is no address and no network", fix), Ok)
}

fn binary(text: &str) -> Result<Box<[u8]>, Fault> {
    let decoded = decode_base64(text.as_bytes());
    decoded.map_or_else(|| fault("is no base64", "encode it with padding"), Ok)
}

fn arn(text: &str, has_variables: bool) -> Result<ArnPattern, Fault> {
    let syntax = Syntax { has_globs: true, has_variables };
    let mut parts = if text == "*" { vec!["*"; ARN_PARTS] } else { arn_parts(text) };
    if parts.len() == ARN_PARTS - 1 && parts.last().is_some_and(|last| last.ends_with('*')) {
        parts.push("*");
    }
    if parts.len() != ARN_PARTS {
        let fix = "write it as in arn:aws:iam::123456789012:user/*";
        return fault("is no ARN: it has six parts, colons between them", fix);
    }
    let mut patterns = Vec::new();
    for part in parts {
        patterns.push(Pattern::parse(part, syntax)?);
    }
    patterns.try_into().map(ArnPattern).or_else(|_| fault("is no ARN", ""))
}

/// Cut at its first five colons, those in variables aside.
fn arn_parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_inside) = (Vec::new(), 0, false);
    for (at, sign) in text.char_indices() {
        match sign {
            '$' if text[at..].starts_with("${") => is_inside = true,
            '}' => is_inside = false,
            ':' if !is_inside && parts.len() + 1 < ARN_PARTS => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// RFC 4648 4, padding and all.
fn decode_base64(text: &[u8]) -> Option<Box<[u8]>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text[..text.len() - padding].chunks(4) {
        let mut bits = 0_u32;
        for byte in chunk {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - chunk.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(out.into())
}
