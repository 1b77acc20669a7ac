//! A second evaluator, slow and plain, written from AWS's texts over the JSON itself, and random
//! policies and requests on which the two have to agree.

use super::{super::*, alice, asked, compile};

/// A generator of numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn pick<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }

    fn list(&mut self, all: &[&str]) -> String {
        let count = 1 + self.below(2);
        let items: Vec<String> = (0..count).map(|_| format!("{:?}", self.pick(all))).collect();
        format!("[{}]", items.join(","))
    }
}

/// By trying everything: fit for short texts only.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            glob(&pattern[1..], text) || !text.is_empty() && glob(pattern, &text[1..])
        }
        (Some(b'?'), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some(one), Some(other)) => one == other && glob(&pattern[1..], &text[1..]),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The values of a key in a request.
fn values(key: &str, asked: &Asked<'_>) -> Vec<String> {
    let principal = asked.principal;
    let text = |bytes: Option<&[u8]>| {
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).into_iter().collect()
    };
    match key {
        "aws:username" => text(principal.and_then(|p| p.user_name.as_deref().map(str::as_bytes))),
        "aws:PrincipalTag/level" => text(principal.map(|_| b"7".as_slice())),
        "aws:SourceVpce" => asked.conditions.labels.to_vec(),
        "aws:UserAgent" => text(asked.conditions.user_agent),
        "aws:Referer" => text(asked.conditions.referer),
        _ => Vec::new(),
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) => vec![text.clone()],
        Value::List(items) => items.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

fn is_like(base: &str, wanted: &str, found: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    match base {
        "StringEquals" => wanted == found,
        "StringEqualsIgnoreCase" => wanted.to_lowercase() == found.to_lowercase(),
        "StringLike" => glob(wanted.as_bytes(), found.as_bytes()),
        "NumericEquals" => number(found).is_some_and(|found| Some(found) == number(wanted)),
        "NumericLessThan" => number(found).is_some_and(|found| Some(found) < number(wanted)),
        _ => panic!("{base}"),
    }
}

fn holds(operator: &str, key: &str, wanted: &[String], asked: &Asked<'_>) -> bool {
    let found = values(key, asked);
    if operator == "Null" {
        return wanted.contains(&found.is_empty().to_string());
    }
    let (quantifier, rest) = operator.split_once(':').unwrap_or(("", operator));
    let base = rest.trim_end_matches("IfExists");
    let plain = base.replace("Not", "");
    let is_negated = plain != base;
    if found.is_empty() {
        return match quantifier {
            "ForAllValues" => true,
            "ForAnyValue" => rest.ends_with("IfExists"),
            _ => rest.ends_with("IfExists") || is_negated,
        };
    }
    let one =
        |found: &String| wanted.iter().any(|wanted| is_like(&plain, wanted, found)) != is_negated;
    match quantifier {
        "ForAllValues" => found.iter().all(one),
        "ForAnyValue" => found.iter().any(one),
        _ if is_negated => found.iter().all(one),
        _ => found.iter().any(one),
    }
}

fn is_meant(statement: &Value, asked: &Asked<'_>) -> bool {
    let resource = String::from_utf8_lossy(asked.resource).into_owned();
    let matches = |value: &Value| {
        strings(value).iter().any(|pattern| {
            let full = pattern.replace("execute-api:/", &format!("{}/", super::PREFIX));
            glob(full.as_bytes(), resource.as_bytes())
        })
    };
    let resource = statement.find("Resource").map(&matches);
    let other = statement.find("NotResource").map(|value| !matches(value));
    let is_alice = |value: &Value| match value {
        Value::Text(_) => true,
        _ => asked.principal.is_some(),
    };
    let principal = statement.find("Principal").map(is_alice);
    let not_principal = statement.find("NotPrincipal").map(|value| !is_alice(value));
    let Some(Value::Object(operators)) = statement.find("Condition") else { panic!("none") };
    let conditions = operators.iter().all(|(operator, keys)| {
        let Value::Object(keys) = keys else { panic!("no keys") };
        keys.iter().all(|(key, wanted)| holds(operator, key, &strings(wanted), asked))
    });
    resource.or(other).unwrap() && principal.or(not_principal).unwrap() && conditions
}

fn evaluate(document: &Value, asked: &Asked<'_>) -> Effect {
    let Some(Value::List(statements)) = document.find("Statement") else { panic!("none") };
    let has = |effect: &str| {
        statements.iter().any(|statement| {
            statement.find("Effect").and_then(Value::as_text) == Some(effect)
                && is_meant(statement, asked)
        })
    };
    if has("Deny") {
        Effect::Deny
    } else if has("Allow") {
        Effect::Allow
    } else {
        Effect::Silent
    }
}

fn policy(random: &mut Random) -> String {
    let count = 1 + random.below(3);
    let statements: Vec<String> = (0..count).map(|_| statement(random)).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn statement(random: &mut Random) -> String {
    const ALICE: &str = r#"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#;
    let principal = match random.below(4) {
        0 => format!(r#""Principal":{ALICE}"#),
        1 => format!(r#""NotPrincipal":{ALICE}"#),
        _ => r#""Principal":"*""#.to_owned(),
    };
    let globs = [
        "*",
        "execute-api:/*",
        "execute-api:/a*",
        "execute-api:/*b",
        "execute-api:/a?b*",
        "execute-api:/*a*b*",
        "execute-api:/*?b?a*",
        "execute-api:/ab",
        "execute-api:/*a?*b",
    ];
    let (effect, element) =
        (random.pick(&["Allow", "Deny"]), random.pick(&["Resource", "Resource", "NotResource"]));
    let resources = random.list(&globs);
    let conditions: Vec<String> =
        (0..random.below(3)).map(|place| condition(random, place)).collect();
    format!(
        r#"{{"Effect":"{effect}",{principal},"Action":"*","{element}":{resources},"Condition":{{{}}}}}"#,
        conditions.join(",")
    )
}

/// `place` keeps the operators of one statement apart.
fn condition(random: &mut Random, place: usize) -> String {
    let bases: &[&str] = if place == 0 {
        &["StringEquals", "StringNotLike", "NumericEquals", "StringNotEqualsIgnoreCase"]
    } else {
        &["StringNotEquals", "StringLike", "NumericLessThan", "NumericNotEquals", "Null"]
    };
    let base = random.pick(bases);
    let key = random.pick(&[
        "aws:username",
        "aws:PrincipalTag/level",
        "aws:SourceVpce",
        "aws:UserAgent",
        "aws:Referer",
        "aws:nothing",
    ]);
    if base == "Null" {
        return format!(r#""Null":{{"{key}":{}}}"#, random.list(&["true", "false"]));
    }
    let wanted = match base.starts_with("Numeric") {
        true => random.list(&["7", "8", "7.0"]),
        false => {
            random.list(&["alice", "ALICE", "a*", "lab", "l?b", "*", "internal", "curl/8", "7"])
        }
    };
    let (before, after) =
        (random.pick(&["", "", "ForAnyValue:", "ForAllValues:"]), random.pick(&["", "IfExists"]));
    format!(r#""{before}{base}{after}":{{"{key}":{wanted}}}"#)
}

#[test]
fn the_two_evaluators_agree_on_random_policies_and_requests() {
    let mut counts = [0; 3];
    for seed in 0..4_000 {
        let mut random = Random(seed);
        let text = policy(&mut random);
        let document = Value::parse(text.as_bytes()).unwrap();
        let (policy, _) = compile(&text).unwrap_or_else(|faults| panic!("seed {seed}: {faults:?}"));
        let (alice, labels) = (alice(), ["internal".to_owned(), "lab".to_owned()]);
        for _ in 0..8 {
            let path: String =
                (0..random.below(6)).map(|_| random.pick(&["a", "b", "/"])).collect();
            let resource = format!("{}/{path}", super::PREFIX);
            let principal = (random.below(2) == 0).then_some(&alice);
            let mut asked =
                asked(resource.as_bytes(), principal, &labels[..random.below(labels.len() + 1)]);
            asked.conditions.referer = (random.below(2) == 0).then_some(b"lab".as_slice());
            let expected = evaluate(&document, &asked);
            assert_eq!(policy.evaluate(&asked), expected, "seed {seed}: {path}: {text}");
            // Before the authorizer nothing is denied that would not be denied after it.
            let nobody = Asked { principal: None, ..asked };
            assert!(!policy.forbids(&nobody) || expected == Effect::Deny, "seed {seed}: {text}");
            counts[expected as usize] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}

/// Any JSON at all: an answer, and never a panic.
#[test]
fn the_compiler_takes_any_json() {
    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"Statement\"",
        "\"Effect\"",
        "\"Allow\"",
        "\"Principal\"",
        "\"*\"",
        "\"AWS\"",
        "\"Action\"",
        "\"Resource\"",
        "\"Condition\"",
        "\"${\"",
        "\"${a,\"",
        "\"execute-api:/${*}é\"",
        "\"StringLike\"",
        "\"ArnLike\"",
        "\"arn:::::\"",
        "null",
        "1",
        "\"Bool\"",
        "true",
        "\"DateEquals\"",
        "\"2026-\"",
        "\"::/129\"",
        "\"IpAddress\"",
    ];
    fn value(random: &mut Random, depth: usize) -> String {
        let word = |random: &mut Random| random.pick(&WORDS[6..]);
        match random.below(if depth == 0 { 1 } else { 4 }) {
            0 => word(random).to_owned(),
            1 => {
                let items: Vec<_> =
                    (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let members: Vec<_> = (0..random.below(6))
                    .map(|_| {
                        let name = word(random).trim_matches('"').to_owned();
                        format!("\"{name}\":{}", value(random, depth - 1))
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
    let mut read = 0;
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let statement = value(&mut random, 4);
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let Ok(document) = Value::parse(text.as_bytes()) else { continue };
        read += 1;
        for kind in [PolicyKind::Resource("arn:aws:execute-api:r:a:i"), PolicyKind::Identity] {
            if let Ok((policy, _)) = Policy::compile(&document, kind) {
                let _ = policy.evaluate(&asked(b"arn:aws:execute-api:r:a:i/x", None, &[]));
            }
        }
    }
    assert!(read > 5_000, "{read}");
}
