use super::*;

#[track_caller]
fn check(keys: &[&str], method: Method, path: &str, expected: Option<&str>) {
    let router = router(keys);
    let found = router.find(method, path.as_bytes()).map(|matched| keys[matched.route]);
    assert_eq!(found, expected, "{method:?} {path}");
}

fn router(keys: &[&str]) -> Router {
    let parsed = keys.iter().map(|key| RouteKey::parse(key).unwrap()).collect();
    Router::compile(parsed).unwrap()
}

#[test]
fn the_example_of_awss_guide() {
    let keys = [
        "GET /pets/dog/1",
        "GET /pets/dog/{id}",
        "GET /pets/{proxy+}",
        "ANY /{proxy+}",
        "$default",
    ];
    check(&keys, Method::Get, "/pets/dog/1", Some("GET /pets/dog/1"));
    check(&keys, Method::Get, "/pets/dog/2", Some("GET /pets/dog/{id}"));
    check(&keys, Method::Get, "/pets/cat/1", Some("GET /pets/{proxy+}"));
    check(&keys, Method::Post, "/test/5", Some("ANY /{proxy+}"));
    check(&keys, Method::Get, "/", Some("$default"));
}

#[test]
fn a_full_match_goes_before_a_greedy_one() {
    let keys = ["GET /a/{x}/c", "ANY /a/b/{proxy+}", "GET /{p+}"];
    check(&keys, Method::Get, "/a/b/c", Some("GET /a/{x}/c"));
    check(&keys, Method::Post, "/a/b/c", Some("ANY /a/b/{proxy+}"));
    check(&keys, Method::Get, "/a/b/d", Some("GET /{p+}"));
    check(&keys, Method::Post, "/a/b/d", Some("ANY /a/b/{proxy+}"));
    check(&keys, Method::Post, "/a/x", None);
}

#[test]
fn a_path_without_the_method_falls_to_the_next() {
    let keys = ["POST /test", "OPTIONS /{proxy+}", "GET /{one}", "DELETE /{two}"];
    check(&keys, Method::Options, "/test", Some("OPTIONS /{proxy+}"));
    check(&keys, Method::Get, "/test", Some("GET /{one}"));
    check(&keys, Method::Delete, "/test", Some("DELETE /{two}"));
    check(&keys, Method::Put, "/test", None);
}

#[test]
fn verbs_go_before_any_on_one_path_only() {
    let keys = ["ANY /a/b", "GET /a/b", "GET /a/{x}", "ANY /a/c"];
    check(&keys, Method::Get, "/a/b", Some("GET /a/b"));
    check(&keys, Method::Put, "/a/b", Some("ANY /a/b"));
    check(&keys, Method::Get, "/a/c", Some("ANY /a/c"));
    check(&["ANY /a/{p+}", "GET /{p+}"], Method::Get, "/a/b", Some("GET /{p+}"));
}

#[test]
fn slashes_count_and_nothing_is_no_value() {
    check(&["GET /pets"], Method::Get, "/pets/", None);
    check(&["GET /pets/"], Method::Get, "/pets/", Some("GET /pets/"));
    check(&["GET /pets/"], Method::Get, "/pets", None);
    check(&["GET /"], Method::Get, "/", Some("GET /"));
    check(&["GET /{x}"], Method::Get, "/", None);
    check(&["GET /{x+}"], Method::Get, "/", None);
    check(&["GET /{x+}"], Method::Get, "//", Some("GET /{x+}"));
    check(&["GET /a/{x}/b"], Method::Get, "/a//b", None);
    check(&["GET /a/{x+}"], Method::Get, "/a/", None);
    check(&["GET /a/{x+}"], Method::Get, "/a", None);
    check(&["GET /a//b"], Method::Get, "/a//b", Some("GET /a//b"));
    check(&["GET /a%2Fb"], Method::Get, "/a/b", None);
    check(&["GET /Pets"], Method::Get, "/pets", None);
}

#[test]
fn paths_that_are_no_text_are_the_defaults() {
    let router = router(&["GET /{x+}", "$default"]);
    assert_eq!(router.find(Method::Get, b"/\xff").map(|matched| matched.route), Some(1));
    assert_eq!(router.find(Method::Get, b"").map(|matched| matched.route), Some(1));
}

#[track_caller]
fn check_parameters(key: &str, path: &str, expected: &[(&str, &str)]) {
    let router = router(&[key]);
    let matched = router.find(Method::Get, path.as_bytes()).unwrap();
    let parameters = router.parameters(&matched, path.as_bytes());
    let found: Vec<_> =
        parameters.iter().map(|(name, value)| (name, str::from_utf8(value).unwrap())).collect();
    assert_eq!(found, expected);
    for (place, (name, value)) in expected.iter().enumerate() {
        assert_eq!(parameters.find(name), Some(value.as_bytes()));
        assert_eq!(parameters.at(place), Some(value.as_bytes()));
    }
    assert_eq!(parameters.find("none"), None);
    assert_eq!(parameters.at(expected.len()), None);
}

#[test]
fn parameters_are_slices_of_the_path() {
    check_parameters("GET /pets/{id}", "/pets/a%2Fb", &[("id", "a%2Fb")]);
    check_parameters("GET /{a}/x/{b+}", "/1/x/2//3/", &[("a", "1"), ("b", "2//3/")]);
    check_parameters("GET /pets", "/pets", &[]);
    check_parameters("$default", "/pets", &[]);
    let four = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4/5")];
    check_parameters("GET /{a}/{b}/{c}/{d+}", "/1/2/3/4/5", &four);
}

#[test]
fn twins_are_refused() {
    let twins = |keys: &[&str]| {
        let parsed = keys.iter().map(|key| RouteKey::parse(key).unwrap()).collect();
        Router::compile(parsed).err().unwrap_or_default()
    };
    let sentences = twins(&["GET /a/{x}", "GET /a/{y}"]);
    assert_eq!(
        sentences,
        ["route GET /a/{y} matches exactly what route GET /a/{x} matches; keep one of them"]
    );
    assert_eq!(twins(&["$default", "$default"]).len(), 1);
    assert_eq!(twins(&["ANY /{x+}", "ANY /{y+}"]).len(), 1);
    assert!(twins(&["GET /a/{x}", "POST /a/{y}", "ANY /a/{z}", "GET /a/{w+}"]).is_empty());
}

#[test]
fn every_route_gets_a_verdict() {
    let keys = [
        "GET /a/{x}",
        "ANY /a/{y}",
        "GET /{z}/b",
        "POST /a/b",
        "GET /a/{p+}",
        "GET /c",
        "$default",
    ];
    let verdicts: Vec<_> = router(&keys)
        .candidates(Method::Get, b"/a/b")
        .into_iter()
        .map(|candidate| candidate.verdict)
        .collect();
    let expected = [
        Verdict::Chosen,
        Verdict::LostToVerb,
        Verdict::LostToLiteral,
        Verdict::OtherMethod,
        Verdict::LostToFull,
        Verdict::OtherPath,
        Verdict::LostAsDefault,
    ];
    assert_eq!(verdicts, expected);
    let greedy = router(&["ANY /a/{p+}", "GET /{p+}"]).candidates(Method::Get, b"/a/b");
    assert_eq!(greedy[0].verdict, Verdict::LostToVerb);
}

/// Section 2.2 as a sort: the tier, then segment by segment, then verb before `ANY`.
fn rank(key: &RouteKey) -> (u8, Vec<u8>, u8) {
    let RouteKey::Path { method, segments } = key else { return (3, Vec::new(), 0) };
    let any = u8::from(*method == RouteMethod::Any);
    let kinds = segments.iter().map(|segment| match segment {
        Segment::Static(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Greedy(_) => 2,
    });
    let tier = if key.is_greedy() { 1 + any } else { 0 };
    (tier, kinds.collect(), any)
}

/// Matching by splitting whole paths: nothing shared with the router.
fn naive(key: &RouteKey, method: Method, path: &str) -> bool {
    let RouteKey::Path { method: wanted, segments } = key else { return true };
    if *wanted != RouteMethod::Any && *wanted != RouteMethod::Only(method) {
        return false;
    }
    let texts: Vec<&str> = path[1..].split('/').collect();
    let fixed = segments.len() - usize::from(key.is_greedy());
    let same = segments.iter().take(fixed).zip(&texts).all(|(segment, text)| match segment {
        Segment::Static(literal) => literal == text,
        _ => !text.is_empty(),
    });
    let tail = texts.get(fixed..).unwrap_or_default().join("/");
    let length = if key.is_greedy() { !tail.is_empty() } else { texts.len() == fixed };
    texts.len() >= fixed && same && length
}

fn random_path(random: &mut fastrand::Rng, parts: &[&str]) -> String {
    let count = random.usize(1..6);
    (0..count).map(|_| format!("/{}", random.choice(parts).unwrap())).collect()
}

fn random_key(random: &mut fastrand::Rng) -> String {
    let methods = ["GET", "POST", "ANY", "DELETE", "ANY"];
    let parts = ["a", "b", "ab", "abc", "", "{x}", "{x}", "*", "a%2Fb"];
    let mut names = 0;
    let mut path: String = random_path(random, &parts)
        .split('{')
        .enumerate()
        .map(|(place, part)| {
            names += 1;
            if place == 0 { part.to_owned() } else { format!("{{n{names}{part}") }
        })
        .collect();
    if random.u8(0..3) == 0 {
        path.push_str("/{rest+}");
    }
    format!("{} {path}", random.choice(methods).unwrap())
}

#[test]
fn the_router_equals_a_sort_of_all_candidates() {
    let base = std::env::var("RINGWAY_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let (first, rounds) = base.map_or((1, 1_500), |seed| (seed, 1));
    let (mut lookups, mut hits) = (0, 0);
    for seed in first..first + rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut keys: Vec<RouteKey> = Vec::new();
        for _ in 0..random.usize(1..14) {
            let key = RouteKey::parse(&random_key(&mut random)).unwrap();
            let mut both = keys.clone();
            both.push(key.clone());
            if Router::compile(both).is_ok() {
                keys.push(key);
            }
        }
        if random.bool() {
            keys.push(RouteKey::Default);
        }
        let router = Router::compile(keys.clone()).unwrap();
        for _ in 0..40 {
            let path = random_path(&mut random, &["a", "b", "ab", "abc", "", "x", "*", "a%2Fb"]);
            let method = *random.choice(&[Method::Get, Method::Post, Method::Delete]).unwrap();
            let matching = keys.iter().enumerate().filter(|(_, key)| naive(key, method, &path));
            let best = matching.min_by_key(|(_, key)| rank(key)).map(|(place, _)| place);
            let found = router.find(method, path.as_bytes()).map(|matched| matched.route);
            let list: Vec<String> = keys.iter().map(ToString::to_string).collect();
            assert_eq!(found, best, "RINGWAY_SEED={seed}: {method:?} {path} in {list:?}");
            let chosen = router.candidates(method, path.as_bytes());
            let chosen = chosen.iter().find(|candidate| candidate.verdict == Verdict::Chosen);
            assert_eq!(chosen.map(|candidate| candidate.route), best, "RINGWAY_SEED={seed}");
            lookups += 1;
            hits += usize::from(best.is_some());
        }
    }
    assert!(hits * 3 > lookups, "the property is about hits: {hits} of {lookups}");
}
