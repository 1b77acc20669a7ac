use std::path::{Path, PathBuf};

use super::*;
use crate::{
    config::{Loaded, Overrides, Source, load},
    plan::Plan,
    steps::throttle::{Level, LimitIndex},
};

fn loaded() -> Loaded {
    load(&Source::File("tests/golden/traffic.yaml".into()), &Overrides::default())
}

/// Limits in words: level, name, terms, by.
fn told(plan: &Plan, limits: impl IntoIterator<Item = LimitIndex>) -> Vec<String> {
    let limits = limits.into_iter().map(|index| &plan.limits()[index.0 as usize]);
    let told = limits.map(|limit| {
        let terms = match limit.terms {
            Terms::Bucket { rate, burst } => format!("{}/{burst}", rate.millionths()),
            Terms::InFlight { max } => format!("={max}"),
        };
        format!("{:?} {}: {terms} {:?} {:?}", limit.level, limit.name, limit.by, limit.mode)
    });
    told.collect()
}

#[test]
fn a_gateway_file_becomes_limits_keys_and_usage_plans() {
    let loaded = loaded();
    let plan = loaded.plan.expect("sound");
    let route = |api: &str, stage: &str, key: &str| {
        let is_it = |(a, s, r): &(&crate::plan::Api, &crate::plan::Stage, &crate::plan::Route)| {
            (a.name.as_str(), s.name.as_str(), r.key_text.as_str()) == (api, stage, key)
        };
        plan.routes().find(is_it).expect("it is there").2
    };
    let account = "Account account: 10000000000/5000 All Enforce";
    let limits = |key| told(&plan, route("pets", "prod", key).limits.iter().copied());
    assert_eq!(limits("GET /pets"), ["Route pets/prod GET /pets: 500000/1 All Enforce", account]);
    let by_default = "Route pets/prod ANY /pets/{id}: 100000000/50 All Enforce";
    assert_eq!(limits("ANY /pets/{id}"), [by_default, account]);
    assert_eq!(told(&plan, route("pets", "dev", "GET /").limits.iter().copied()), [account]);
    let guards = |stage, key| told(&plan, route("pets", stage, key).guards.iter().copied());
    let client = "Own per-client: 5000000/10 Address { ipv4_prefix: 32, ipv6_prefix: 56 } Enforce";
    let header = By::Header(b"x-tenant".to_vec());
    let tenant = format!("Own per-tenant: =50 {header:?} DryRun");
    assert_eq!(guards("prod", "GET /"), [client]);
    assert_eq!(guards("dev", "GET /pets"), [client, &tenant]);
    let open = told(&plan, route("open", "$default", "GET /pets").guards.iter().copied());
    assert_eq!(open, [client, &tenant]);
    let asks = |key| route("pets", "prod", key).api_key_required;
    assert_eq!([asks("GET /"), asks("GET /pets"), asks("ANY /pets/{id}")], [false, true, true]);
    let [gold, silver] = plan.usage_plans() else { panic!("two usage plans") };
    assert_eq!((gold.id.as_str(), silver.id.as_str()), ("gold", "silver-2"));
    assert_eq!(told(&plan, gold.throttle), ["Key gold: 10000000/20 Key Enforce"]);
    let method = |key| told(&plan, gold.method(route("pets", "prod", key).index));
    let name = "KeyAndMethod gold pets/prod ANY /pets/{id}: 5000000/10 Key Enforce";
    assert_eq!(method("ANY /pets/{id}"), [name]);
    assert_eq!(method("GET /"), Vec::<String>::new());
    let quota = gold.quota.as_ref().map(|quota| quota.terms);
    let terms = QuotaTerms { limit: 10_000, period: Period::Month, offset: 14 };
    assert_eq!((quota, silver.throttle), (Some(terms), None));
    let throttling = plan.throttling();
    assert!(throttling.retry_after && throttling.rate_limit_headers);
    assert_eq!(throttling.reconciliation, Duration::from_millis(100));
    assert_eq!(plan.limits().iter().filter(|limit| limit.level == Level::Route).count(), 3);
}

#[test]
fn the_keys_of_the_file_and_of_its_files_are_found_by_value() {
    let loaded = loaded();
    let plan = loaded.plan.expect("sound");
    let stage = |api: &str, name: &str| {
        let found = plan.routes().find(|(a, s, _)| (&*a.name, s.name.as_str()) == (api, name));
        found.expect("it is there").1.index.0
    };
    let stages = [stage("pets", "prod"), stage("pets", "dev"), stage("open", "$default")];
    let key = |value: &str| {
        let key = plan.keys().find(value.as_bytes())?;
        let plans = stages.map(|stage| plan.keys().plan(key, stage).map_or(9, |plan| plan.0));
        Some((plan.keys().id(key).to_owned(), key.enabled, plans))
    };
    let found = |id: &str, enabled, plans| Some((id.to_owned(), enabled, plans));
    assert_eq!(key("alice-0123456789-0123456789"), found("alice-1", true, [0, 0, 9]));
    assert_eq!(key("idle-0123456789-0123456789"), found("idle", true, [9, 9, 9]));
    assert_eq!(key("partner-1-0123456789abcdef"), found("partner-1", true, [0, 0, 9]));
    assert_eq!(key("partner-2-0123456789abcdef"), found("partner-2", false, [9, 9, 1]));
    assert_eq!(key("partner-3-0123456789abcdef"), found("partner-3", true, [9, 9, 1]));
    assert_eq!(key("partner-4-0123456789abcdef"), None);
    assert_eq!(plan.keys().len(), 6);
    let bob = plan.keys().named("bob").expect("by his digest");
    assert!(!bob.enabled && plan.keys().plan(bob, stages[0]).is_some());
}

#[test]
fn a_file_of_keys_is_watched() {
    let loaded = loaded();
    let keys = PathBuf::from("tests/golden/keys/partners.csv");
    assert!(loaded.files_read.contains(&keys), "{:?}", loaded.files_read);
    assert!(loaded.is_current(&Source::File("tests/golden/traffic.yaml".into())));
    let folder = PathBuf::from("tests/golden/state");
    assert_eq!(loaded.settings.state_folder.resolve(None), folder);
}

/// Problems are printed, and what is printed is kept.
#[test]
fn no_value_is_ever_printed() {
    for name in ["traffic", "traffic-wrong", "traffic-lost"] {
        let loaded =
            load(&Source::File(format!("tests/golden/{name}.yaml").into()), &Overrides::default());
        let drawn = crate::config::report::render(
            &loaded.problems,
            &loaded.sources,
            crate::config::report::Colours::Off,
        );
        let json = crate::config::report::to_json(&loaded.problems).to_string();
        for file in [format!("{name}.yaml"), "keys/wrong.csv".into(), "keys/headless.csv".into()] {
            let text = std::fs::read_to_string(Path::new("tests/golden").join(file)).unwrap();
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            for word in words.filter(|word| word.contains("123456789") || *word == "too-short") {
                assert!(!drawn.contains(word) && !json.contains(word), "{name}: {word}");
            }
        }
    }
}

#[test]
fn a_limit_by_a_claim_is_for_routes_that_ask_for_a_token() {
    let folder = std::env::temp_dir().join(format!("ringway-claims-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let integration = "x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: \
                       'http://127.0.0.1:9000/', payloadFormatVersion: '1.0'}";
    let api = format!(
        "openapi: 3.0.1\ncomponents: {{securitySchemes: {{jwt: {{type: oauth2, \
         x-amazon-apigateway-authorizer: {{type: jwt, identitySource: \
         $request.header.Authorization, jwtConfiguration: {{issuer: 'https://issuer.example', \
         audience: [a]}}}}}}}}}}\npaths:\n  /a: {{get: {{security: [{{jwt: []}}], {integration}}}}}\n  \
         /b: {{get: {{{integration}}}}}\n"
    );
    std::fs::write(folder.join("api.yaml"), api).unwrap();
    let told = |routes: &str| {
        let file = format!(
            "apis: [{{name: a, definition: api.yaml}}]\nthrottling: {{limits: [{{name: u, key: \
             {{type: CLAIM, name: sub}}, rateLimit: 1, burstLimit: 1{routes}}}]}}\n"
        );
        std::fs::write(folder.join("gateway.yaml"), file).unwrap();
        let source = Source::File(folder.join("gateway.yaml"));
        let loaded = load(&source, &Overrides::default());
        let limits: Option<Vec<usize>> =
            loaded.plan.map(|plan| plan.routes().map(|(.., route)| route.limits.len()).collect());
        (limits, loaded.problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>())
    };
    assert_eq!(told(""), (Some(vec![1, 0]), vec![]));
    assert_eq!(told(", routes: [{routeKey: GET /a}]"), (Some(vec![1, 0]), vec![]));
    let (limits, problems) = told(", routes: [{api: a}]");
    assert_eq!(limits, Some(vec![1, 0]));
    assert_eq!(problems, ["limit u: 1 of its 2 routes ask for no token and are left out"]);
    let (limits, problems) = told(", routes: [{routeKey: GET /b}]");
    assert_eq!(limits, None);
    assert_eq!(problems, ["limit u: its key is a claim, and none of its routes asks for a token"]);
    std::fs::remove_dir_all(&folder).unwrap();
}
