//! What a plain scalar is, by YAML's core schema (YAML 1.2.2, 10.3.2): `yes` and `on` are strings.

use super::StoredValue;

/// A plain (unquoted) scalar's value.
pub(super) fn resolve(text: &str) -> StoredValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => StoredValue::Null,
        "true" | "True" | "TRUE" => StoredValue::Bool(true),
        "false" | "False" | "FALSE" => StoredValue::Bool(false),
        _ if is_number(text) => StoredValue::Number(text.into()),
        _ => StoredValue::String(text.into()),
    }
}

/// An integer that fits in 64 bits, from a number's source text.
pub(super) fn integer(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok();
    }
    text.parse().ok()
}

/// A float, from a number's source text.
pub(super) fn number(text: &str) -> Option<f64> {
    if text.starts_with("0x") || text.starts_with("0o") {
        #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
        return integer(text).map(|integer| integer as f64);
    }
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match size {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => size.parse::<f64>().ok().map(|size| sign * size),
    }
}

fn is_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let size = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(size, ".inf" | ".Inf" | ".INF") || is_decimal(size)
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    if exponent.is_some_and(|digits| !is_digits(digits.strip_prefix(['-', '+']).unwrap_or(digits)))
    {
        return false;
    }
    match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::Kind;

    #[track_caller]
    fn check(text: &str, kind: Kind) {
        let found = match resolve(text) {
            StoredValue::Null => Kind::Null,
            StoredValue::Bool(_) => Kind::Bool,
            StoredValue::Number(_) => Kind::Number,
            _ => Kind::String,
        };
        assert_eq!(found, kind, "{text}");
        if kind == Kind::Number {
            assert!(number(text).is_some(), "{text}");
        }
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for text in ["", "~", "null", "Null", "NULL"] {
            check(text, Kind::Null);
        }
        for text in ["true", "False", "TRUE"] {
            check(text, Kind::Bool);
        }
        for text in ["0", "-1", "+12", "0x1F", "0o17", "1.5", "1.", ".5", "1e3", "-1.5E-3", ".inf"]
        {
            check(text, Kind::Number);
        }
        for text in
            ["-.INF", ".nan", "007", "123456789012345678901234567890", "0x7fffffffffffffffff"]
        {
            assert!(matches!(resolve(text), StoredValue::Number(_)), "{text}");
        }
        for text in
            ["yes", "no", "on", "nULL", "tRUE", "1_000", "0b1", "1:30", ".", "-", "e3", "1e"]
        {
            check(text, Kind::String);
        }
        for text in ["0x", "0o8", "-0x1", "1.2.3", "--1", "+.nan", "2024-01-01", "inf", "NaN", "１"]
        {
            check(text, Kind::String);
        }
    }

    #[test]
    fn numbers_have_values() {
        assert_eq!(integer("0x1F"), Some(31));
        assert_eq!(integer("0o17"), Some(15));
        assert_eq!(integer("+12"), Some(12));
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer("9223372036854775808"), None);
        assert_eq!(number("9223372036854775808"), Some(9_223_372_036_854_775_808.0));
        assert_eq!(number("-.5"), Some(-0.5));
        assert_eq!(number("-.inf"), Some(f64::NEG_INFINITY));
    }
}
