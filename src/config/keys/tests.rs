use std::path::Path;

use super::*;
use crate::config::{document::Document, key_files};

/// A value of its own for each letter.
fn value(letter: char) -> String {
    letter.to_string().repeat(API_KEY_VALUE_BYTES_MIN)
}

/// `$a` stands for the value of `a`. The keys are `id/name` with the plans they are in.
fn read_all(text: &str, files: &[&str]) -> (Vec<String>, Vec<String>) {
    let fill = |text: &str| {
        ('a'..='z').fold(text.to_owned(), |text, letter| {
            text.replace(&format!("${letter}"), &value(letter))
        })
    };
    let mut problems = Problems::new();
    let text = fill(text);
    let document = Document::parse(Path::new("g"), text.as_bytes(), &mut problems);
    let document = document.expect("the YAML is sound");
    let mut rows = Vec::new();
    for (place, text) in files.iter().enumerate() {
        let file: Arc<PathBuf> = Arc::new(format!("{place}.csv").into());
        let parsed = key_files::parse(&file, fill(text).as_bytes(), &mut problems);
        rows.push(KeyFile { file, rows: parsed });
    }
    let keys = read(document.root(), rows, &mut problems);
    let plans = |key: usize| {
        let plans = keys.of_plans.iter().enumerate();
        let plans = plans.filter(|(_, keys)| keys.contains(&key)).map(|(plan, _)| plan.to_string());
        plans.collect::<String>()
    };
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let hides = |line: &String| ('a'..='z').all(|letter| !line.contains(&value(letter)));
    assert!(told.iter().all(hides), "a value is told: {told:?}");
    let drafts = keys.drafts.iter().enumerate();
    let shown = drafts.map(|(place, key)| {
        let off = if key.enabled { "" } else { " off" };
        format!("{}/{} {}{off}", key.id, key.name, plans(place))
    });
    (shown.collect(), told)
}

#[track_caller]
fn check(text: &str, files: &[&str], keys: &[&str], expected: &[&str]) {
    let (found, told) = read_all(text, files);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(found, keys);
}

/// A file with the keys a, b (id b-1) and c, and these usage plans.
#[track_caller]
fn check_plans(plans: &str, files: &[&str], keys: &[&str], expected: &[&str]) {
    let text = format!(
        "apiKeys: [{{name: a, value: $a}}, {{name: b, id: b-1, value: $b, enabled: false}}]\n\
         usagePlans: [{plans}]"
    );
    check(&text, files, keys, expected);
}

#[test]
fn a_key_has_a_value_or_its_digest() {
    let key = |more: &str| format!("apiKeys: [{{name: k, {more}}}]");
    let idle = "key k: it is in no usage plan, so its requests are refused; name it in";
    check(&key("value: $a"), &[], &["k/k "], &[idle]);
    check(&key(&format!("valueSha256: {}", "0f".repeat(32))), &[], &["k/k "], &[idle]);
    check(&key("id: i, value: $a, enabled: false"), &[], &["i/k  off"], &[idle]);
    check(&key("id:, value: $a, valueSha256:"), &[], &["k/k "], &[idle]);
    check(&key("enabled: true"), &[], &[], &["key k: it has neither value nor valueSha256"]);
    let both = format!("value: $a, valueSha256: {}", "0f".repeat(32));
    check(&key(&both), &[], &[], &["key k: it has both value and valueSha256; remove one"]);
    check(&key("value: '$a b'"), &[], &[], &["character 21 of its value is none"]);
    check(&key("value: '$aä'"), &[], &[], &["character 21 of its value is none"]);
    check(&key("value: '!$a~'"), &[], &["k/k "], &[idle]);
}

#[test]
fn values_have_20_to_128_characters() {
    #[track_caller]
    fn check(value: &str, expected: Result<(), &str>) {
        let found = check_value(value).map_err(|(sentence, _)| sentence);
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|e| *e));
    }
    check(&"x".repeat(20), Ok(()));
    check(&"x".repeat(128), Ok(()));
    check(&"x".repeat(19), Err("its value has 19 characters"));
    check(&"x".repeat(129), Err("its value has 129 characters"));
    check(&"ä".repeat(20), Err("character 1 of its value is none that a header can carry"));
    check(
        "0123456789 0123456789",
        Err("character 11 of its value is none that a header can carry"),
    );
}

#[test]
fn ids_and_values_differ() {
    let keys = |keys: &str| format!("apiKeys: [{keys}]\nusagePlans: [{{name: p, apiKeys: [x]}}]");
    let two = |one: &str, other: &str| keys(&format!("{{{one}}}, {{{other}}}"));
    let told = ["two keys have the id x: the first is in line 1; give one an id of its own"];
    let text = two("name: x, value: $a", "name: x, value: $b");
    check(&text, &[], &["x/x ", "x/x 0"], &[told[0], "key x: it is in no"]);
    let text = two("name: x, value: $a", "name: y, value: $a");
    check(
        &text,
        &[],
        &["x/x 0"],
        &["the keys x and y have the same value: the first is in line 1"],
    );
    let sha = Digest::of(value('a').as_bytes());
    let text = two("name: x, value: $a", &format!("name: y, valueSha256: {sha:?}"));
    check(&text, &[], &["x/x 0"], &["the keys x and y have the same value"]);
    // AWS takes two keys of one name; the plan has to say which.
    let text = two("name: x, id: a, value: $a", "name: x, id: b, value: $b");
    let told = ["usage plan p: x names more than one key", "key x: it is in no", "key x: it is"];
    check(&text, &[], &["a/x ", "b/x "], &told);
    let text = two("name: x, id: a, value: $a", "name: y, id: x, value: $b");
    check(&text, &[], &["a/x ", "x/y "], &["x names more than one key", "key x", "key y"]);
}

#[test]
fn plans_name_keys_by_name_or_id() {
    let plan = |keys: &str| format!("{{name: p, apiKeys: [{keys}]}}");
    check_plans(&plan("a, b"), &[], &["a/a 0", "b-1/b 0 off"], &[]);
    check_plans(&plan("a, b-1"), &[], &["a/a 0", "b-1/b 0 off"], &[]);
    check_plans(&plan("a, b-1, b"), &[], &["a/a 0", "b-1/b 0 off"], &["p: key b is in it already"]);
    let idle = "key b: it is in no usage plan";
    check_plans(&plan("a"), &[], &["a/a 0", "b-1/b  off"], &[idle]);
    let near = "usage plan p: there is no key b-2; did you mean b-1?";
    check_plans(&plan("a, b-2"), &[], &["a/a 0", "b-1/b  off"], &[near, idle]);
    let far = "there is no key zebra; the keys are a, b, b-1";
    check_plans(&plan("a, b, zebra"), &[], &["a/a 0", "b-1/b 0 off"], &[far]);
}

#[test]
fn rows_name_plans_and_plans_name_rows() {
    let plans = "{name: gold, id: g, apiKeys: [a, b, r]}, {name: dev}";
    let file = "Name,Key,UsagePlanIds\nr,$r,\ns,$s,\"g,dev\"\nt,$t,gold\n";
    let keys = ["a/a 0", "b-1/b 0 off", "r/r 0", "s/s 01", "t/t 0"];
    check_plans(plans, &[file], &keys, &[]);
    let file = "Name,Key,UsagePlanIds\nr,$r,golf\n";
    let keys = ["a/a 0", "b-1/b 0 off", "r/r 0"];
    let near = "0.csv:2:1: key r: there is no usage plan golf; did you mean gold?";
    check_plans(plans, &[file], &keys, &[near]);
}

#[test]
fn a_later_row_takes_the_place_of_an_earlier_one() {
    let plans = "{name: p, apiKeys: [a, b]}";
    let first = "Name,Key,UsagePlanIds\nr,$r,p\nr2,$r,p\n";
    let told = "0.csv:3:1: key r2: it has the value of key r in line 2, and takes its place";
    let keys = ["a/a 0", "b-1/b 0 off", "r2/r2 0"];
    check_plans(plans, &[first], &keys, &[told]);
    let (one, two) =
        ("Name,Key,UsagePlanIds\nr,$r,p\n", "Name,Key,Enabled,UsagePlanIds\nr,$r,false,p\n");
    let told =
        "1.csv:2:1: key r: it has the value of key r in line 2 of 0.csv, and takes its place";
    check_plans(plans, &[one, two], &["a/a 0", "b-1/b 0 off", "r/r 0 off"], &[told]);
    // What the gateway file says is not taken back by a file.
    let told = "the keys a and r have the same value: the first is in line 1 of g";
    check_plans(plans, &["Name,Key\nr,$a\n"], &["a/a 0", "b-1/b 0 off"], &[told]);
    let told = "two keys have the name a: the first is in line 1 of g; change one: a row's name";
    let keys = ["a/a ", "b-1/b 0 off", "a/a 0"];
    check_plans(
        plans,
        &["Name,Key,UsagePlanIds\na,$r,p\n"],
        &keys,
        &[told, "key a is in it", "key a: it is in no"],
    );
}

#[test]
fn keys_without_a_plan_are_told_once_for_a_file() {
    let plans = "{name: p, apiKeys: [a, b]}";
    let keys = ["a/a 0", "b-1/b 0 off", "r/r ", "s/s "];
    let told = "0.csv:2:1: 2 keys, this one first, are in no usage plan";
    check_plans(plans, &["Name,Key\nr,$r\ns,$s\n"], &keys, &[told]);
    let told = ["0.csv:2:1: the key is in no usage", "1.csv:2:1: the key is in no usage"];
    check_plans(plans, &["Name,Key\nr,$r\n", "Name,Key\ns,$s\n"], &keys, &told);
}

#[test]
fn a_key_has_ten_plans_and_one_on_a_stage() {
    let many = |count: usize| -> String {
        let plan =
            |at| format!("{{name: p{at}, apiStages: [{{api: x, stage: s{at}}}], apiKeys: [a]}}, ");
        (0..count).map(plan).collect::<String>() + "{name: b, apiKeys: [b]}"
    };
    let (found, told) = read_all(
        &format!(
            "apiKeys: [{{name: a, value: $a}}, {{name: b, value: $b}}]\nusagePlans: [{}]",
            many(10)
        ),
        &[],
    );
    assert_eq!((found, told), (vec!["a/a 0123456789".to_owned(), "b/b 10".to_owned()], vec![]));
    check_plans(
        &many(11),
        &[],
        &["a/a 012345678910", "b-1/b 11 off"],
        &["key a: it is in 11 usage plans; at most 10 fit"],
    );
    let two = |stage: &str| {
        format!(
            "{{name: p, apiStages: [{{api: x, stage: s}}, {{api: x, stage: t}}], apiKeys: [a, b]}}, \
             {{name: q, apiStages: [{{api: y, stage: s}}, {{api: x, stage: {stage}}}], apiKeys: [a, b]}}"
        )
    };
    let keys = ["a/a 01", "b-1/b 01 off"];
    check_plans(&two("u"), &[], &keys, &[]);
    let told =
        "its usage plans p and q both have stage t of API x, and a key has one plan on a stage";
    check_plans(&two("t"), &[], &keys, &[&format!("key a: {told}"), &format!("key b: {told}")]);
}

/// Wrong types are the schema's to tell; nothing is made of them here.
#[test]
fn odd_shapes_are_passed_over() {
    for text in [
        "apiKeys: 7",
        "apiKeys: {a: b}",
        "apiKeys: [7, [], {}, {name: 7, value: 8}, {name: a, value: 7}, {name: a, value: short}]",
        "apiKeys: [{name: a, valueSha256: 12}]",
        "usagePlans: [7, {}, {apiStages: 7, apiKeys: [7, {}]}]",
        "usagePlans: {}",
    ] {
        check(text, &[], &[], &[]);
    }
}

/// It was told, as the name of no key, and its line was drawn.
#[test]
fn a_plan_that_names_a_key_by_its_value_is_told_without_it() {
    let told = "usage plan gold: key a is named by its value; write a";
    let warned = ["key a: it is in no usage plan", "key b: it is in no usage plan"];
    check_plans(
        "{name: gold, apiKeys: [$a]}",
        &[],
        &["a/a ", "b-1/b  off"],
        &[told, warned[0], warned[1]],
    );
}
