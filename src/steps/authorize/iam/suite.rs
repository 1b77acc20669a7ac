//! Botocore's copy of AWS's own suite, every case of it (`sigv4-botocore` of the suites): the
//! canonical request, the string to sign, and the signature, which is taken from `.authz`: the
//! `.sreq` of `get-vanilla-with-session-token` has another case's.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::{Canonical, Claim, Signed};
use crate::{http::Fields, steps::fixture};

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Cases that cannot hold here, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("get-relative", DOTS),
    ("get-relative-relative", DOTS),
    ("get-slash-dot-slash", DOTS),
    ("get-slash-pointless-dot", DOTS),
];
const DOTS: &str = "paths with dot segments are refused before (400): nothing is resolved";

/// The suite; `RINGWAY_SUITES` says where it is, else beside the repository.
fn root() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/suites");
    let suites = env::var_os("RINGWAY_SUITES").map_or_else(|| beside.into(), PathBuf::from);
    let root = suites.join("sigv4-botocore");
    if !root.is_dir() {
        assert!(env::var_os("CI").is_none(), "no suite at {}", root.display());
        eprintln!("SKIPPED: no suite at {}; RINGWAY_SUITES says where it is", root.display());
        return None;
    }
    Some(root)
}

#[test]
fn every_case_of_the_suite() {
    let Some(root) = root() else { return };
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the suite is there") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "sreq") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let fault = judge(&path).err();
                match (EXCEPTIONS.iter().any(|(known, _)| *known == name), fault) {
                    (false, Some(fault)) => wrong.push(format!("{name}: {fault}")),
                    (true, None) => wrong.push(format!("{name}: is no exception")),
                    _ => {}
                }
                seen.push(name);
            }
        }
    }
    assert!(seen.len() >= 25, "{seen:?}");
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), seen.len(), wrong.join("\n"));
}

fn judge(path: &Path) -> Result<(), String> {
    let read = |kind: &str| {
        fs::read_to_string(path.with_extension(kind)).unwrap_or_default().replace("\r\n", "\n")
    };
    let text = read("sreq");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let line = lines.next().ok_or("no request line")?;
    let (method, rest) = line.split_once(' ').ok_or("no method")?;
    let target = rest.rsplit_once(' ').ok_or("no version")?.0;
    let (url, query) = target.split_once('?').map_or((target, None), |(a, b)| (a, Some(b)));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with("Authorization:") {
            headers.push(("Authorization".to_owned(), read("authz")));
            continue;
        }
        match (line.starts_with([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            // A folded line: the gateway refuses it, a value before it has the same canonical form.
            (true, _, Some((_, value))) => *value += &format!(" {}", line.trim()),
            (_, Some((name, value)), _) => headers.push((name.into(), value.trim().into())),
            _ => return Err(format!("no field: {line}")),
        }
    }
    let list: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (bytes, fields) = fixture::fields(&list);
    let fields = Fields::new(&bytes, &fields);
    let query = query.map(str::as_bytes);
    let signed = Signed { method, path: url.as_bytes(), query, fields };
    let payload = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let payload = super::canonical::hex(payload.as_ref());
    let claim = Claim::read(&signed).map_err(|fault| format!("{fault:?}"))?;
    let (canonical, outcome) = Canonical::judge(&claim, &signed, &payload, SECRET);
    if canonical.request() != read("creq") {
        return Err(format!("{:?} instead of {:?}", canonical.request(), read("creq")));
    }
    if canonical.string_to_sign() != read("sts") {
        return Err(format!("{:?}", canonical.string_to_sign()));
    }
    outcome.map_err(|fault| format!("{fault:?}"))
}
