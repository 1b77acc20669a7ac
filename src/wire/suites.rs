//! Third-party suites of the codecs, read in place (`../shared/suites/README.md`).

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// A file of the suites; `None`, loudly, where it is absent (a failure in CI).
pub(super) fn read_text(name: &str) -> Option<String> {
    let root = env::var_os("RINGWAY_SUITES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/suites"),
        PathBuf::from,
    );
    let path = root.join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        let in_ci = env::var("CI").is_ok_and(|value| value == "true");
        assert!(!in_ci, "{} is missing, and this is CI", path.display());
        eprintln!("SKIPPED: the suite {} is missing; set RINGWAY_SUITES", path.display());
        return None;
    };
    Some(text)
}

/// A case's bytes.
pub(super) fn raw(case: &Value) -> Vec<u8> {
    decode_base64(case["raw_b64"].as_str().expect("every case has bytes"))
}

fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for symbol in text.bytes().filter(|symbol| *symbol != b'=') {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("not base64: {text}"),
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    bytes
}
