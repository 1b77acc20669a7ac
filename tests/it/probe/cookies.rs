//! Cookies: end-to-end fields like any other; only their bytes are checked.

use super::{BAD, Case, OK, Want, case, get};

pub(super) fn cases() -> Vec<Case> {
    let cookie = |value: &str| get(&format!("cookie: {value}\r\n"));
    let many: Vec<String> = (0..500).map(|number| format!("k{number}=v")).collect();
    vec![
        case("COOK-CONTROL-CHARS", BAD, cookie("foo=b\u{1}r\u{7f}")),
        case("COOK-ECHO", OK, cookie("foo=bar")),
        case("COOK-EMPTY", OK, cookie("")),
        case("COOK-MALFORMED", OK, cookie("===;;; =x; novalue")),
        case("COOK-MANY-PAIRS", OK, cookie(&many.join("; "))),
        case("COOK-MULTI-HEADER", OK, get("cookie: a=1\r\ncookie: b=2\r\n")),
        case("COOK-NUL", BAD, cookie("foo=b\0r")),
        case("COOK-OVERSIZED", Want::Statuses(&[431]), cookie(&"c".repeat(65_536))),
        case("COOK-PARSED-BASIC", OK, cookie("foo=bar")),
        case("COOK-PARSED-EMPTY-VAL", OK, cookie("foo=")),
        case("COOK-PARSED-MULTI", OK, cookie("a=1; b=2; c=3")),
        case("COOK-PARSED-SPECIAL", OK, cookie("a=\"x y\"; b=%20<>[]{}")),
    ]
}
