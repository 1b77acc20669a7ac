//! What in a policy can never match, or always does: warnings.

use super::{Compiler, Condition, Effect, PolicyKind, Statement, key_names, shorten};
use crate::{
    base::WallTime,
    steps::authorize::policy::{
        Action, Asked, Conditions,
        caller::{Callers, Who},
        condition::{Comparison, Quantifier, Test},
        glob::Variable,
        key::Key,
        statement::Resources,
    },
};

impl Compiler<'_> {
    /// A statement that is about nothing at all.
    pub(super) fn note_never(&mut self, statement: &Statement, effect: Effect, path: &str) {
        let word = if effect == Effect::Deny { "denies" } else { "allows" };
        if statement.actions.0 == 0 {
            let sentence = format!("the statement {word} no action: it never matches");
            self.warn(path, sentence, "name execute-api:Invoke");
        }
        if let Callers::Only(all) = &statement.callers
            && all.iter().all(|who| *who == Who::Nobody)
        {
            let sentence = format!("the statement {word} nothing: it names no possible caller");
            self.warn(path, sentence, "name * or an AWS principal");
        }
        if let (Callers::Except(_), Effect::Allow) = (&statement.callers, effect) {
            let sentence =
                "Allow with NotPrincipal lets in everybody else, also who signed nothing";
            self.warn(&format!("{path}/NotPrincipal"), sentence, "name who may call in Principal");
        }
        if let (Resources::Only(all), PolicyKind::Resource(prefix)) =
            (&statement.resources, self.kind)
        {
            let start = format!("{prefix}/");
            if !all.iter().any(|pattern| pattern.may_begin_with(start.as_bytes())) {
                let sentence =
                    format!("the statement {word} nothing of this API: it never matches");
                self.warn(path, sentence, "write execute-api:/STAGE/VERB/PATH");
            }
        }
        self.note_contradictions(&statement.conditions, path);
    }

    fn note_contradictions(&mut self, conditions: &[Condition], path: &str) {
        for condition in conditions {
            let must_be_missing = matches!(condition.test, Test::Null([true, false]));
            let other = conditions
                .iter()
                .find(|other| other.key == condition.key && other.needs_key() && must_be_missing);
            if let Some(other) = other {
                let sentence = format!(
                    "{} and {} contradict each other: the statement never matches",
                    condition.text, other.text
                );
                self.warn(&format!("{path}/Condition"), sentence, "remove one of them");
            }
        }
        for (place, one) in conditions.iter().enumerate() {
            let others = &conditions[place + 1..];
            let clash = others.iter().find(|other| other.key == one.key && is_empty(one, other));
            if let Some(other) = clash {
                let sentence = format!(
                    "{} and {} leave nothing between them: the statement never matches",
                    one.text, other.text
                );
                self.warn(&format!("{path}/Condition"), sentence, "mend one of them");
            }
        }
    }

    /// A key that no request has, or whose values the operator does not compare.
    pub(super) fn note_key(&mut self, condition: &Condition, name: &str, path: &str) {
        let outcome = if condition.needs_key() { "never holds" } else { "always holds" };
        let short = shorten(name);
        match condition.key {
            Key::Unknown => {
                let sentence = format!("no request has the key {short}: the condition {outcome}");
                self.warn(path, sentence, &format!("there are {}", key_names()));
            }
            Key::Never => {
                let sentence = format!("{short} is never set here: the condition {outcome} by it");
                self.warn(path, sentence, "remove it");
            }
            _ if condition.is_mismatched() => {
                let outcome = if condition.negated { "holds for each" } else { "holds for none" };
                let sentence =
                    format!("the values of {short} are of another kind: the operator {outcome}");
                self.warn(path, sentence, "take an operator for its kind");
            }
            _ => {
                let is_missing = matches!(condition.test, Test::Null([true, false]));
                if is_missing && condition.key.is_always_there() {
                    let sentence = format!("every request has {short}: the condition never holds");
                    self.warn(path, sentence, "remove it");
                }
            }
        }
    }

    pub(super) fn note_variables(&mut self, variables: &[Variable], at: &str) {
        for variable in variables {
            if matches!(variable.key, Key::Unknown | Key::Never) {
                let sentence = "a variable names a key that no request has: without its default \
                                the element never matches";
                self.warn(at, sentence, &format!("there are {}", key_names()));
            }
        }
    }

    /// In the old version `${` is text.
    pub(super) fn note_old_variable(&mut self, text: &str, at: &str) {
        if !self.has_variables && text.contains("${") {
            let sentence = format!("{}: variables need the new version", shorten(text));
            self.warn(at, sentence, "write \"Version\": \"2012-10-17\"");
        }
    }
}

/// Whether no one value satisfies both.
fn is_empty(one: &Condition, other: &Condition) -> bool {
    let is_plain = |condition: &Condition| {
        condition.quantifier == Quantifier::None && !condition.if_exists && !condition.negated
    };
    if !is_plain(one) || !is_plain(other) {
        return false;
    }
    match (&one.test, &other.test) {
        (Test::Number(first, some), Test::Number(second, others)) => {
            is_gap((*first, some), (*second, others))
        }
        (Test::Time(first, some), Test::Time(second, others)) => {
            is_gap((*first, some), (*second, others))
        }
        (Test::Bool(some), Test::Bool(others)) => !(some[0] && others[0] || some[1] && others[1]),
        _ => false,
    }
}

fn is_gap<T: PartialOrd + Copy>(
    (first, some): (Comparison, &[T]),
    (second, others): (Comparison, &[T]),
) -> bool {
    // Alternatives make a range as wide as the widest of them.
    let widest = |values: &[T], is_more: fn(&T, &T) -> bool| {
        values.iter().copied().reduce(|one, other| if is_more(&other, &one) { other } else { one })
    };
    let bounds = |comparison, values: &[T]| match comparison {
        Comparison::LessThan => Some((false, true, widest(values, |a, b| a > b)?)),
        Comparison::LessThanEquals => Some((false, false, widest(values, |a, b| a > b)?)),
        Comparison::GreaterThan => Some((true, true, widest(values, |a, b| a < b)?)),
        Comparison::GreaterThanEquals => Some((true, false, widest(values, |a, b| a < b)?)),
        Comparison::Equals => None,
    };
    match (bounds(first, some), bounds(second, others)) {
        (Some((true, low_open, low)), Some((false, high_open, high)))
        | (Some((false, high_open, high)), Some((true, low_open, low))) => {
            low > high || low == high && (low_open || high_open)
        }
        _ => false,
    }
}

/// A request of which nothing is known.
pub(super) const fn nobody() -> Asked<'static> {
    Asked {
        action: Action::Invoke,
        resource: b"",
        principal: None,
        conditions: Conditions {
            now: WallTime(0),
            source_ip: b"",
            user_agent: None,
            referer: None,
            is_secure: false,
            labels: &[],
        },
    }
}
