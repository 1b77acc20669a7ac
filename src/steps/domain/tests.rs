use super::*;
use crate::steps::fixture;

fn key(text: &str) -> ApiMappingKey {
    ApiMappingKey::parse(text).unwrap()
}

const fn to(api: usize) -> Destination {
    Destination { api, stage: 0 }
}

fn draft(name: &str) -> DomainDraft {
    DomainDraft {
        name: DomainName::parse(name).unwrap(),
        routing_mode: RoutingMode::RoutingRuleThenApiMapping,
        api_mappings: Vec::new(),
        routing_rules: Vec::new(),
        catalogue: Catalogue::HttpApi,
    }
}

/// A rule without conditions.
fn rule(priority: u32, api: usize) -> RoutingRule {
    RoutingRule {
        priority,
        id: format!("rule-{priority}"),
        headers: Vec::new(),
        base_paths: Vec::new(),
        destination: to(api),
        base_path: BasePathFate::Kept,
    }
}

fn mapping(text: &str, api: usize) -> ApiMapping {
    ApiMapping { key: key(text), destination: to(api) }
}

fn header(name: &str, glob: &str) -> MatchHeader {
    MatchHeader::parse(name, glob).unwrap()
}

/// A domain with all kinds of rules and mappings.
fn example(routing_mode: RoutingMode) -> Domain {
    let beta = RoutingRule {
        headers: vec![
            vec![header("x-v", "beta*"), header("x-beta", "*")],
            vec![header("Accept", "*json*")],
        ],
        ..rule(10, 1)
    };
    let strips = RoutingRule {
        base_paths: vec![key("v2"), key("v2/admin")],
        base_path: BasePathFate::Stripped,
        ..rule(20, 2)
    };
    let both = RoutingRule {
        headers: vec![vec![header("x-v", "gamma")]],
        base_paths: vec![key("v3")],
        ..rule(15, 3)
    };
    Domain::compile(DomainDraft {
        routing_mode,
        api_mappings: vec![mapping("v2/admin/x", 4), mapping("v3", 5), mapping("", 6)],
        routing_rules: vec![strips, beta, both],
        ..draft("a.b")
    })
    .unwrap()
}

/// `expected` is the API, the path that its stage sees, the base path and the rule's id.
#[track_caller]
fn check(
    mode: RoutingMode,
    path: &str,
    fields: &[(&str, &str)],
    expected: Option<(usize, &str, &str, &str)>,
) {
    let domain = example(mode);
    let (bytes, list) = fixture::fields(fields);
    let found = domain.map(path.as_bytes(), Fields::new(&bytes, &list)).ok().map(|mapped| {
        let seen = str::from_utf8(mapped.path).unwrap();
        let CustomDomain { base_path, routing_rule_id } = mapped.matched;
        (mapped.destination.api, seen, base_path, routing_rule_id)
    });
    assert_eq!(found, expected, "{path} {fields:?}");
}

const BOTH: RoutingMode = RoutingMode::RoutingRuleThenApiMapping;
const BETA: &[(&str, &str)] = &[("X-V", "beta-2"), ("accept", "application/json")];

#[test]
fn rules_are_asked_by_priority_and_then_the_mappings() {
    check(BOTH, "/v2/x", BETA, Some((1, "/v2/x", "", "rule-10")));
    check(BOTH, "/v3", &[("x-beta", ""), ("Accept", "text/json")], Some((1, "/v3", "", "rule-10")));
    check(BOTH, "/v2/x", &BETA[..1], Some((2, "/x", "v2", "rule-20")));
    check(BOTH, "/v2/x", &BETA[1..], Some((2, "/x", "v2", "rule-20")));
    check(BOTH, "/v2/admin/x", &[], Some((2, "/x", "v2/admin", "rule-20")));
    check(BOTH, "/v2/admin", &[], Some((2, "/", "v2/admin", "rule-20")));
    check(BOTH, "/v3/x", &[("x-v", "gamma")], Some((3, "/v3/x", "v3", "rule-15")));
    check(BOTH, "/v3/x", &[("x-v", "GAMMA")], Some((5, "/x", "v3", "")));
    check(BOTH, "/v22", &[], Some((6, "/v22", "", "")));
    check(BOTH, "/", &[], Some((6, "/", "", "")));
}

#[test]
fn the_routing_mode_leaves_out_what_is_not_asked() {
    let (mappings, rules) = (RoutingMode::ApiMappingOnly, RoutingMode::RoutingRuleOnly);
    check(mappings, "/v2/admin/x", BETA, Some((4, "/", "v2/admin/x", "")));
    check(mappings, "/v2/x", BETA, Some((6, "/v2/x", "", "")));
    check(rules, "/v2/x", BETA, Some((1, "/v2/x", "", "rule-10")));
    check(rules, "/v3", &[], None);
    check(rules, "/", &[], None);
}

#[test]
fn a_rule_without_conditions_takes_every_request() {
    let rules = vec![rule(2, 2), RoutingRule { base_paths: vec![key("a")], ..rule(1, 1) }];
    let domain = Domain::compile(DomainDraft { routing_rules: rules, ..draft("a.b") }).unwrap();
    let (bytes, list) = fixture::fields(&[]);
    let api = |path: &str| {
        domain.map(path.as_bytes(), Fields::new(&bytes, &list)).map(|found| found.destination.api)
    };
    assert_eq!([api("/a/b"), api("/b"), api("/")], [Ok(1), Ok(2), Ok(2)]);
}

#[test]
fn a_refusal_is_in_the_words_of_the_domain_s_apis() {
    for (catalogue, status) in [(Catalogue::HttpApi, 404), (Catalogue::RestApi, 403)] {
        let domain = Domain::compile(DomainDraft { catalogue, ..draft("a.b") }).unwrap();
        let (bytes, list) = fixture::fields(&[]);
        let reject = domain.map(b"/", Fields::new(&bytes, &list)).unwrap_err();
        assert_eq!(reject.status().code(), status);
    }
}

#[test]
fn what_stands_twice_is_told_with_its_domain() {
    let faulty = DomainDraft {
        api_mappings: vec![mapping("x", 0), mapping("x", 1)],
        routing_rules: vec![
            rule(1, 0),
            RoutingRule { id: "rule-1".to_owned(), ..rule(1, 0) },
            rule(0, 0),
            rule(1_000_001, 0),
            RoutingRule { headers: vec![Vec::new(); 3], ..rule(5, 0) },
            RoutingRule { base_paths: vec![ApiMappingKey::NONE], ..rule(6, 0) },
        ],
        ..draft("a.b")
    };
    let sentences = Domains::compile(vec![faulty, draft("A.B"), draft("*.b")]).unwrap_err();
    let parts = [
        "domain name a.b: it stands there twice",
        "domain name a.b: rule priority 0: a priority is 1 to 1000000",
        "domain name a.b: two rules have the priority 1",
        "domain name a.b: two rules have the id rule-1",
        "domain name a.b: rule priority 5: at most two",
        "domain name a.b: rule priority 6: a base path is empty",
        "domain name a.b: rule priority 1000001: a priority",
        "domain name a.b: two mappings have the key 'x'",
    ];
    assert_eq!(sentences.len(), parts.len(), "{sentences:#?}");
    for (sentence, part) in sentences.iter().zip(parts) {
        assert!(sentence.starts_with(part), "{sentence}");
    }
}

#[test]
fn every_rule_has_a_verdict() {
    let domain = example(BOTH);
    let verdicts = |path: &str, fields: &[(&str, &str)]| {
        let (bytes, list) = fixture::fields(fields);
        let rules = domain.rule_candidates(path.as_bytes(), Fields::new(&bytes, &list));
        rules.iter().map(|candidate| candidate.verdict).collect::<Vec<_>>()
    };
    use RuleVerdict::{Chosen, OtherHeaders, OtherPath, TooLate};
    assert_eq!(verdicts("/v2", BETA), [Chosen, OtherPath, TooLate]);
    assert_eq!(verdicts("/v3", &[]), [OtherHeaders, OtherHeaders, OtherPath]);
    let texts: Vec<String> = domain.routing_rules().iter().map(ToString::to_string).collect();
    assert_eq!(texts[0], "x-v: beta* or x-beta: * and accept: *json*");
    assert_eq!(texts[1], "x-v: gamma and base path v3");
    assert_eq!(rule(1, 0).to_string(), "every request");
}

#[test]
fn only_the_two_paths_are_health_checks() {
    assert!(is_ping(b"/ping") && is_ping(b"/sping"));
    for path in ["/", "/ping/", "/PING", "/pinga", "/sping/x", "//ping", "/v1/ping", "/%70ing"] {
        assert!(!is_ping(path.as_bytes()), "{path}");
    }
}

/// The first seed and how many; `RINGWAY_SEED` replays one.
fn seeds(rounds: u64) -> std::ops::Range<u64> {
    let base = std::env::var("RINGWAY_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    base.map_or(1..1 + rounds, |seed| seed..seed + 1)
}

fn pick<'t>(random: &mut fastrand::Rng, texts: &[&'t str]) -> &'t str {
    random.choice(texts).unwrap()
}

fn random_path(random: &mut fastrand::Rng, parts: &[&str], least: usize) -> String {
    let count = random.usize(least..5);
    (0..count).map(|_| format!("/{}", pick(random, parts))).collect()
}

/// Matching by comparing lists of segments: nothing shared with the tree or with `strip`.
fn naive_rest(key: &str, path: &str) -> Option<String> {
    let segments: Vec<&str> = path[1..].split('/').collect();
    let wanted: Vec<&str> = if key.is_empty() { Vec::new() } else { key.split('/').collect() };
    let begins = segments.len() >= wanted.len() && segments[..wanted.len()] == wanted[..];
    begins.then(|| format!("/{}", segments[wanted.len()..].join("/")))
}

#[test]
fn mappings_equal_a_scan_of_all_keys() {
    let (mut lookups, mut hits) = (0, 0);
    for seed in seeds(2_000) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..random.usize(0..12) {
            let path = random_path(&mut random, &["a", "b", "ab", "a.b", "A", "$"], 0);
            let key = path.trim_start_matches('/').to_owned();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let list = keys.iter().enumerate().map(|(api, key)| mapping(key, api)).collect();
        let mappings = ApiMappings::compile(list).unwrap();
        for _ in 0..40 {
            let path = random_path(&mut random, &["a", "b", "ab", "a.b", "A", "$", "", "abc"], 1);
            let matching = keys.iter().enumerate();
            let matching = matching.filter_map(|(at, key)| Some((at, naive_rest(key, &path)?)));
            let best = matching.max_by_key(|(at, _)| keys[*at].len());
            let found = mappings.find(path.as_bytes()).map(|(mapping, rest)| {
                (mapping.destination.api, String::from_utf8(rest.to_vec()).unwrap())
            });
            assert_eq!(found, best, "RINGWAY_SEED={seed}: {path} in {keys:?}");
            lookups += 1;
            hits += usize::from(best.is_some());
        }
    }
    assert!(hits * 3 > lookups, "the property is about hits: {hits} of {lookups}");
}

/// Every way to split the value at each star.
fn naive_glob(glob: &[u8], value: &[u8]) -> bool {
    match glob.split_first() {
        None => value.is_empty(),
        Some((b'*', rest)) => (0..=value.len()).any(|at| naive_glob(rest, &value[at..])),
        Some((byte, rest)) => value.first() == Some(byte) && naive_glob(rest, &value[1..]),
    }
}

#[test]
fn globs_equal_a_search_for_every_split() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut tried, mut taken, mut refused) = (0, 0, 0);
    let letters = |random: &mut fastrand::Rng, most| -> String {
        (0..random.usize(0..most)).map(|_| pick(random, &["a", "b", "A", "?"])).collect()
    };
    for _ in 0..20_000 {
        let ends = [pick(&mut random, &["", "*"]), pick(&mut random, &["", "*"])];
        let middle = if random.u8(0..20) == 0 { "*" } else { "" };
        let inner = letters(&mut random, 4) + middle + &letters(&mut random, 3);
        let text = [ends[0], &inner, ends[1]].concat();
        let stars = text.matches('*').count();
        let glob = ValueGlob::parse(&text);
        let inner = text.trim_matches('*');
        let sound = text == "*" || (!inner.is_empty() && !inner.contains('*') && stars <= 2);
        let at_ends = !text.contains("**");
        assert_eq!(glob.is_ok(), sound && at_ends, "{text}");
        let Ok(glob) = glob else {
            refused += 1;
            continue;
        };
        let value = letters(&mut random, 7);
        let expected = naive_glob(text.as_bytes(), value.as_bytes());
        assert_eq!(glob.matches(value.as_bytes()), expected, "{text} against {value}");
        tried += 1;
        taken += usize::from(expected);
    }
    assert!(taken * 20 > tried && refused > 100, "{taken} of {tried}, {refused} refused");
}

/// A host by its text alone: exact names first, then wildcards by their whole rest.
fn naive_host(names: &[String], host: &str) -> Option<usize> {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let is_it = |name: &String| name.to_ascii_lowercase() == host && !name.starts_with('*');
    let exact = names.iter().position(is_it);
    exact.or_else(|| {
        let (label, rest) = host.split_once('.')?;
        let is_label = !label.is_empty() && label != "*";
        let covers = |name: &String| name.to_ascii_lowercase() == format!("*.{rest}");
        names.iter().position(covers).filter(|_| is_label)
    })
}

#[test]
fn hosts_equal_a_scan_of_all_names() {
    let labels = ["a", "b", "A", "xn--a", "abcdefgh", "ABCDEFGHI", "example", "com"];
    let hosts = ["a", "b", "A", "xn--A", "abcdefgH", "abcdefghi", "example", "com", "", "*"];
    let join = |random: &mut fastrand::Rng, labels: &[&str]| {
        let count = random.usize(1..4);
        (0..count).map(|_| pick(random, labels)).collect::<Vec<_>>().join(".")
    };
    let (mut lookups, mut hits) = (0, 0);
    for seed in seeds(1_000) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut names: Vec<String> = Vec::new();
        for _ in 0..random.usize(0..60) {
            let name = pick(&mut random, &["", "*."]).to_owned() + &join(&mut random, &labels);
            if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                names.push(name);
            }
        }
        let domains = Domains::compile(names.iter().map(|name| draft(name)).collect()).unwrap();
        for _ in 0..60 {
            let host = join(&mut random, &hosts) + pick(&mut random, &["", ".", "", ".."]);
            let found = domains.find(host.as_bytes()).map(|id| id.0 as usize);
            let expected = naive_host(&names, &host);
            assert_eq!(found, expected, "RINGWAY_SEED={seed}: {host} in {names:?}");
            lookups += 1;
            hits += usize::from(found.is_some());
        }
    }
    assert!(hits * 6 > lookups, "the property is about hits: {hits} of {lookups}");
}
