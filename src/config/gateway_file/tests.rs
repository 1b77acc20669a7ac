use std::path::Path;

use serde_json::Value as Json;

use super::*;

/// The problems of a gateway file in YAML, one line each; sound when there are none.
fn told(text: &str) -> Vec<String> {
    let mut problems = Problems::new();
    let document = Document::parse(Path::new("g"), text.as_bytes(), &mut problems);
    let file = read(&document.expect("the YAML is sound"), &mut problems);
    assert_eq!(file.is_some(), problems.errors() == 0, "{text}");
    problems.sort();
    problems.iter().map(ToString::to_string).collect()
}

/// A file with one stage, in which `stage` are more keys.
#[track_caller]
fn check_stage(stage: &str, expected: &[&str]) {
    let text = format!("apis: [{{name: a, definition: b, stages: [{{stageName: s, {stage}}}]}}]");
    check(&text, expected);
}

#[track_caller]
pub(super) fn check(text: &str, expected: &[&str]) {
    let told = told(text);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn stage_variables_have_aws_limits() {
    let set = |name: usize, value: usize| {
        format!("stageVariables: {{{}: {}}}", "n".repeat(name), "v".repeat(value))
    };
    check_stage(&set(64, 512), &[]);
    check_stage(&set(65, 1), &["stageVariables, key: the text has 65 characters"]);
    check_stage(&set(1, 513), &["the text has 513 characters; write at most 512 characters"]);
    let many = |count: usize| {
        let variables: String = (0..count).map(|index| format!("v{index}: x, ")).collect();
        format!("stageVariables: {{{variables}}}")
    };
    check_stage(&many(100), &[]);
    check_stage(&many(101), &["101 entries; at most 100 are taken"]);
    check_stage("stageVariables: {a: '-._~:/?#&=,9Z'}", &[]);
    for bad in ["a b", "a%20b", "é", "{x}", "$"] {
        check_stage(&format!("stageVariables: {{a: '{bad}'}}"), &["does not fit; write a text of"]);
    }
}

#[test]
fn stage_names_and_counts_have_aws_limits() {
    let named = |name: &str| {
        format!("apis: [{{name: a, definition: b, stages: [{{stageName: '{name}'}}]}}]")
    };
    for good in ["$default", "a", "A_b-9", &"x".repeat(128)] {
        check(&named(good), &[]);
    }
    for bad in ["", "$other", "a.b", &"x".repeat(129)] {
        check(&named(bad), &["does not fit; write $default, or 1 to 128"]);
    }
    let stages = |count: usize| {
        let stages: String = (0..count).map(|index| format!("{{stageName: s{index}}}, ")).collect();
        format!("apis: [{{name: a, definition: b, stages: [{stages}]}}]")
    };
    check(&stages(10), &[]);
    check(&stages(11), &["11 items; at most 10 are taken"]);
}

#[test]
fn numbers_have_ranges() {
    let rest = "\napis: [{name: a, definition: b}]";
    for good in ["shards: 1", "shards: 1024", "drainSeconds: 0", "drainSeconds: 3600", "shards:"] {
        check(&format!("{good}{rest}"), &[]);
    }
    check(&format!("shards: 1025{rest}"), &["shards: 1025 is out of range; write 1 to 1024"]);
    check(&format!("drainSeconds: 3601{rest}"), &["3601 is out of range"]);
    check(&format!("shards: 1.5{rest}"), &["expected a whole number, found a number (1.5)"]);
    let huge = format!("shards: 99999999999999999999{rest}");
    check(&huge, &["expected a whole number"]);
}

#[test]
fn keys_of_later_versions_are_told_only_when_they_ask_for_something() {
    check_stage("autoDeploy: true", &[]);
    check_stage("autoDeploy: false", &["autoDeploy is not supported by this version yet"]);
    check_stage("defaultRouteSettings: {detailedMetricsEnabled: false}", &[]);
    check_stage("defaultRouteSettings: {throttlingRateLimit:}", &[]);
}

/// A file with one API and these domain names.
#[track_caller]
fn check_domains(domains: &str, expected: &[&str]) {
    check(&format!("apis: [{{name: a, definition: b}}]\ndomainNames: [{domains}]"), expected);
}

const TO: &str = "api: a, stage: $default";

#[test]
fn domains_mappings_and_rules_have_limits() {
    let domains = |count: usize| -> String {
        let one = |at| format!("{{domainName: d{at}, apiMappings: [{{{TO}}}]}}, ");
        (0..count).map(one).collect()
    };
    check_domains(&domains(10_000), &[]);
    check_domains(&domains(10_001), &["domainNames: 10001 items; at most 10000 are taken"]);
    let mappings = |count: usize, key: &str| {
        let one = |at| format!("{{{TO}, apiMappingKey: {key}{at}}}, ");
        let all: String = (0..count).map(one).collect();
        format!("{{domainName: d, apiMappings: [{all}]}}")
    };
    check_domains(&mappings(200, "k/"), &[]);
    check_domains(&mappings(201, "k/"), &["domain name d: 201 mappings have several segments"]);
    check_domains(&mappings(2_000, "k"), &[]);
    check_domains(&mappings(2_001, "k"), &["apiMappings: 2001 items; at most 2000 are taken"]);
    let rules = |count: usize| {
        let one = |at| {
            format!(
                "{{priority: {}, conditions: {{matchBasePaths: {{anyOf: [p{at}]}}}}, action: \
                 {{{TO}}}}}, ",
                at + 1
            )
        };
        let all: String = (0..count).map(one).collect();
        format!("{{domainName: d, routingMode: ROUTING_RULE_ONLY, routingRules: [{all}]}}")
    };
    check_domains(&rules(50), &[]);
    check_domains(&rules(51), &["domain name d: 51 routing rules; AWS takes 50"]);
    check_domains(&rules(500), &["500 routing rules"]);
    check_domains(&rules(501), &["501 items; at most 500 are taken", "501 routing rules"]);
}

#[test]
fn conditions_and_priorities_have_limits() {
    let rule = |priority: &str, conditions: &str| {
        format!(
            "{{domainName: d, routingMode: ROUTING_RULE_ONLY, routingRules: [{{priority: \
             {priority}, conditions: {{{conditions}}}, action: {{{TO}}}}}]}}"
        )
    };
    for good in ["1", "1000000"] {
        check_domains(&rule(good, ""), &[]);
    }
    for bad in ["0", "1000001"] {
        check_domains(&rule(bad, ""), &["is out of range; write 1 to 1000000"]);
    }
    let headers = |lists: usize, values: usize| {
        let list = format!("{{anyOf: [{}]}}, ", "{header: x, valueGlob: y}, ".repeat(values));
        rule("1", &format!("matchHeaders: [{}]", list.repeat(lists)))
    };
    check_domains(&headers(2, 20), &[]);
    check_domains(&headers(3, 1), &["matchHeaders: 3 items; at most 2 are taken"]);
    check_domains(&headers(1, 21), &["anyOf: 21 items; at most 20 are taken"]);
    check_domains(&headers(1, 0), &["anyOf: the list is empty"]);
    let paths = |count| rule("1", &format!("matchBasePaths: {{anyOf: [{}]}}", "p, ".repeat(count)));
    check_domains(&paths(20), &[]);
    check_domains(&paths(21), &["anyOf: 21 items; at most 20 are taken"]);
    check_domains(&paths(0), &["anyOf: the list is empty"]);
    let id = |length| {
        format!("{{priority: 1, routingRuleId: {}, action: {{{TO}}}}}", "i".repeat(length))
    };
    let with = |rule: String| {
        format!("{{domainName: d, routingMode: ROUTING_RULE_ONLY, routingRules: [{rule}]}}")
    };
    check_domains(&with(id(64)), &[]);
    check_domains(&with(id(65)), &["does not fit; write 1 to 64 of"]);
}

/// A priority is the id of a rule that has none.
#[test]
fn ids_of_rules_differ() {
    let rules = |first: &str, second: &str| {
        let rule = |more, path| {
            format!(
                "{{{more}, conditions: {{matchBasePaths: {{anyOf: [{path}]}}}}, action: {{{TO}}}}}"
            )
        };
        let (first, second) = (rule(first, "a"), rule(second, "b"));
        format!(
            "{{domainName: d, routingMode: ROUTING_RULE_ONLY, routingRules: [{first}, {second}]}}"
        )
    };
    check_domains(&rules("priority: 1", "priority: 2"), &[]);
    check_domains(
        &rules("priority: 1", "priority: 2, routingRuleId: '1'"),
        &["two rules have the id 1"],
    );
    check_domains(
        &rules("priority: 1, routingRuleId: '2'", "priority: 2"),
        &["two rules have the id 2"],
    );
    check_domains(&rules("priority: 1", "priority: 1"), &["two rules have the priority 1"]);
}

/// Every keyword that the generated schema uses is one that the check knows.
#[test]
fn the_check_knows_every_keyword_of_the_schema() {
    const KNOWN: &[&str] = &[
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "oneOf",
        "pattern",
        "properties",
        "propertyNames",
        "required",
        "title",
        "type",
        "writeOnly",
        "x-ringway-not-yet",
    ];
    fn walk(schema: &Json) {
        let Some(object) = schema.as_object() else { return };
        for (key, value) in object {
            assert!(KNOWN.contains(&key.as_str()), "{key}");
            match key.as_str() {
                "$defs" | "properties" => value.as_object().unwrap().values().for_each(walk),
                "anyOf" | "oneOf" => value.as_array().unwrap().iter().for_each(walk),
                "items" | "additionalProperties" | "propertyNames" => walk(value),
                _ => (),
            }
        }
        let numeric = ["int32", "uint16", "uint32", "uint64", "double"];
        let format = object.get("format").and_then(Json::as_str);
        let known = |name: &str| numeric.contains(&name) || formats::find(name).is_some();
        assert!(format.is_none_or(known), "{format:?}");
        assert!(!object.contains_key("pattern") || format.is_some(), "a pattern needs a format");
    }
    walk(&json_schema());
}

/// The pattern that editors use and the function that the check uses are two texts of one rule;
/// the ends of both are compared here by cases, as no regular expressions are at hand.
#[test]
fn every_format_refuses_and_takes() {
    let cases = [
        ("listen-address", "[::1]:80", "::1"),
        ("connect-address", "unix:/run/a", "unix:a"),
        ("listener-label", "vpce-1", "vpce_1"),
        ("file-mode", "0660", "0690"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
        ("stage-name", "$default", "default$"),
        ("api-id", "abcdefghi0", "abcdefghi"),
        ("region", "eu-central-1", "EU"),
        ("account-id", "000000000000", "00000000000"),
        ("domain-suffix", "a.b", "a b"),
        ("stage-variable-name", "a_B9", "a-b"),
        ("stage-variable-value", "a:/b", "a b"),
        ("name", "gold plan", "gold\tplan"),
        ("sha-256", &"aF".repeat(32), &"a".repeat(63)),
        ("principal-arn", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/r"),
        ("principal-id", "AROAX:session", "a b"),
        ("access-key-id", "AKIA_OSFODNN7EXA", "AKIA-OSFODNN7EXA"),
        ("organization-id", "o-a1", "r-a1"),
        ("iso-time", "2026-11-26T11:30:00+01:00", "20261126"),
        ("limit-name", "per-client", "per client"),
    ];
    assert_eq!(cases.len(), formats::FORMATS.len());
    for (name, good, bad) in cases {
        let format = formats::find(name).expect(name);
        assert!((format.keeps)(good) && !(format.keeps)(bad), "{name}");
    }
}

/// A file that is none, such as a list of passwords, was printed whole.
#[test]
fn a_long_text_is_not_told_whole() {
    let found = format!("found a string ({}..)", "a".repeat(60));
    check(&"a".repeat(61), &[&found]);
}
