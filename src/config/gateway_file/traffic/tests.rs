use super::{super::tests::check, *};

/// A file with the APIs `pets` (stages `prod`, `dev`) and `orders` (`$default`), and more.
#[track_caller]
fn check_more(more: &str, expected: &[&str]) {
    let apis = "apis: [{name: pets, definition: b, stages: [{stageName: prod}, {stageName: dev}]}, \
                {name: orders, definition: b}]";
    check(&format!("{apis}\n{more}"), expected);
}

const ON: &str = "apiStages: [{api: pets, stage: prod}]";

#[test]
fn plans_differ_and_name_stages() {
    let plans = |plans: &str| format!("usagePlans: [{plans}]");
    let two = |one: &str, other: &str| plans(&format!("{{{one}, {ON}}}, {{{other}, {ON}}}"));
    check_more(&two("name: a", "name: b"), &[]);
    check_more(&two("name: a, id: x", "name: b, id: y"), &[]);
    check_more(&two("name: a", "name: a"), &["two usage plans have the name a"]);
    check_more(&two("name: a, id: x", "name: a, id: y"), &["two usage plans have the name a"]);
    check_more(&two("name: a", "name: b, id: a"), &["two usage plans have the id a: the first"]);
    check_more(&two("name: a, id: b", "name: b, id: c"), &[]);
    check_more(&plans("{name: a}"), &["it is about no stage"]);
    let on = |stages: &str| plans(&format!("{{name: a, apiStages: [{stages}]}}"));
    check_more(&on("{api: pets, stage: prod}, {api: orders, stage: $default}"), &[]);
    check_more(&on("{api: pet, stage: prod}"), &["no API pet; did you mean pets?"]);
    check_more(&on("{api: pets, stage: pord}"), &["pets has no stage pord; did you mean prod?"]);
    check_more(&on("{api: orders, stage: prod}"), &["no stage prod; its stages are $default"]);
    let twice = "{api: pets, stage: prod}, {api: pets, stage: prod}";
    check_more(&on(twice), &["stage prod of API pets is there twice: the first is in line 2"]);
    check_more(&plans("{name: ''}"), &["no stage", "\"\" does not fit; write 1 to 1024"]);
    let long = |count| plans(&format!("{{name: {}, {ON}}}", "n".repeat(count)));
    check_more(&long(1_024), &[]);
    check_more(&long(1_025), &["does not fit"]);
}

#[test]
fn there_are_as_many_plans_as_aws_has_and_ten_times_as_many() {
    let many = |count: usize| {
        let plans: String = (0..count).map(|at| format!("{{name: p{at}, {ON}}}, ")).collect();
        format!("usagePlans: [{plans}]")
    };
    check_more(&many(300), &[]);
    check_more(&many(301), &["301 usage plans; AWS takes 300"]);
    check_more(&many(3_000), &["3000 usage plans"]);
    check_more(&many(3_001), &["3001 items; at most 3000 are taken", "3001 usage plans"]);
}

#[test]
fn a_throttle_says_a_rate() {
    let plan = |throttle: &str| format!("usagePlans: [{{name: a, {ON}, throttle: {throttle}}}]");
    check_more(&plan("{rateLimit: 0.1, burstLimit: 1}"), &[]);
    check_more(&plan(""), &[]);
    check_more(&plan("{}"), &["usage plan a, throttle: it has no rateLimit; write {rateLimit"]);
    check_more(&plan("{rateLimit:}"), &["it has no rateLimit"]);
    check_more(&plan("{burstLimit: 1}"), &["rateLimit is missing, which says how many a second"]);
    check_more(&plan("{rateLimit: 2.1}"), &["without burstLimit it is the rate, rounded up: 3"]);
    check_more(&plan("{rateLimit: 0.1}"), &["rounded up: 1"]);
    check_more(&plan("{rateLimit: 1e12}"), &["rounded up: 2147483647"]);
    check_more(&plan("{rateLimit: 0, burstLimit: 1}"), &["with 0 every request is refused"]);
    check_more(&plan("{rateLimit: 1, burstLimit: 0}"), &["with 0 every request is refused"]);
    check_more(&plan("{rateLimit: -1, burstLimit: 1}"), &["-1 is out of range; write 0 to"]);
    check_more(&plan("{rateLimit: 1.1e12, burstLimit: 1}"), &["is out of range"]);
    check_more(&plan("{rateLimit: .inf, burstLimit: 1}"), &[".inf is out of range"]);
    check_more(&plan("{rateLimit: .nan, burstLimit: 1}"), &[".nan is out of range"]);
    check_more(&plan("{rateLimit: 1, burstLimit: 2147483647}"), &[]);
    check_more(&plan("{rateLimit: 1, burstLimit: 2147483648}"), &["is out of range"]);
    check_more(&plan("{rateLimit: 1, burstLimit: 1.5}"), &["expected a whole number"]);
    check_more(&plan("7"), &["expected a mapping"]);
}

#[test]
fn a_quota_says_what_and_when() {
    let plan = |quota: &str| format!("usagePlans: [{{name: a, {ON}, quota: {quota}}}]");
    check_more(&plan("{limit: 1, period: DAY}"), &[]);
    check_more(&plan("{limit: 1, period: WEEK, offset: 6}"), &[]);
    check_more(&plan("{limit: 1, period: MONTH, offset: 30}"), &[]);
    check_more(&plan("{limit: 1, period: WEEK, offset: 7}"), &["offset 7 is no day"]);
    check_more(&plan("{limit: 1, period: MONTH, offset: 31}"), &["offset 31 is no day"]);
    check_more(&plan("{limit: 1, period: DAY, offset: 1}"), &["offset 1 is no day"]);
    check_more(&plan("{limit: 1, period: DAY, offset: 0}"), &[]);
    check_more(&plan("{limit: 0, period: DAY}"), &["with limit 0 every request is refused"]);
    check_more(&plan("{limit: -1, period: DAY}"), &["out of range"]);
    check_more(&plan("{period: DAY}"), &["the key limit is missing"]);
    check_more(&plan("{limit: 1, period: day}"), &["did you mean DAY?"]);
}

#[test]
fn routes_are_named_as_in_aws_or_by_key() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(route_key(text).map(|key| key.to_string()).as_deref(), Ok(expected), "{text}");
    }
    check("/pets/{id}/GET", "GET /pets/{id}");
    check("GET /pets/{id}", "GET /pets/{id}");
    check("//POST", "POST /");
    check("/pets//ANY", "ANY /pets/");
    check("/GET/GET", "GET /GET");
    check("$default", "$default");
    for wrong in ["", "/", "/GET", "/pets", "/pets/get", "/pets/GET/", "pets/GET", "GET", "//"] {
        assert!(route_key(wrong).is_err(), "{wrong}");
    }
    let plan = |throttles: &str| {
        format!(
            "usagePlans: [{{name: a, apiStages: [{{api: pets, stage: prod, throttle: {{{throttles}}}}}]}}]"
        )
    };
    let one = "{rateLimit: 1, burstLimit: 1}";
    check_more(
        &plan(&format!("/GET: {one}")),
        &["it has no path; for the path / it is written //GET"],
    );
    check_more(&plan(&format!("/pets: {one}")), &["it does not end in a verb"]);
    check_more(
        &plan(&format!("/a/GET: {one}, GET /a: {one}")),
        &["GET /a is the route /a/GET again"],
    );
    check_more(
        &plan("/a/GET: {burstLimit: 1}"),
        &["usage plan a, throttle /a/GET: burstLimit says"],
    );
    let many =
        |count: usize| -> String { (0..count).map(|at| format!("/p{at}/GET: {one}, ")).collect() };
    check_more(&plan(&many(20)), &[]);
    check_more(&plan(&many(21)), &["21 throttles in one stage; at most 20 are taken"]);
}

#[test]
fn settings_of_routes_are_throttles_too() {
    let stage = |more: &str| {
        format!("apis: [{{name: a, definition: b, stages: [{{stageName: s, {more}}}]}}]")
    };
    check(&stage("defaultRouteSettings: {throttlingRateLimit: 1, throttlingBurstLimit: 2}"), &[]);
    check(
        &stage("defaultRouteSettings: {throttlingRateLimit: 1}"),
        &["API a, stage s, defaultRouteSettings: without throttlingBurstLimit"],
    );
    check(
        &stage("defaultRouteSettings: {throttlingBurstLimit: 1}"),
        &["throttlingRateLimit is missing"],
    );
    let settings = "{throttlingRateLimit: 0, throttlingBurstLimit: 2}";
    check(
        &stage(&format!("routeSettings: {{GET /a: {settings}}}")),
        &["routeSettings GET /a: with 0"],
    );
    check(&stage("routeSettings: {GET /a: {}, /a/GET: {}}"), &["expected a method and a path"]);
    check(&stage("routeSettings: {GET /a: {}, GET a: {}}"), &["a route's path starts with '/'"]);
}

#[test]
fn limits_of_our_own_are_whole() {
    let limit = |more: &str| format!("throttling: {{limits: [{{name: a, {more}}}]}}");
    let all = "key: {type: ALL}";
    let bucket = "rateLimit: 1, burstLimit: 1";
    check_more(&limit(&format!("{all}, {bucket}")), &[]);
    check_more(&limit(&format!("{all}, concurrentRequests: 5, dryRun: true")), &[]);
    check_more(&limit(&format!("{all}, concurrentRequests: 0")), &["with 0 every request"]);
    check_more(&limit(&format!("key: {{type: CLAIM, name: sub}}, {bucket}")), &[]);
    check_more(
        &limit(&format!("key: {{type: CLAIM}}, {bucket}")),
        &["its key does not say which claim"],
    );
    check_more(&limit(all), &["limit a: it says nothing of how many requests"]);
    check_more(&limit(&format!("{all}, burstLimit: 1")), &["rateLimit is missing"]);
    let both = format!("{all}, {bucket}, concurrentRequests: 5");
    check_more(&limit(&both), &["concurrentRequests stands beside a rate or burst"]);
    check_more(&limit(bucket), &["the key key is missing"]);
    let key = |key: &str| limit(&format!("key: {{{key}}}, {bucket}"));
    check_more(&key("type: HEADER, name: X-Tenant"), &[]);
    check_more(&key("type: HEADER"), &["its key does not say which header field"]);
    check_more(&key("type: HEADER, name: 'x tenant'"), &["is no name of a header field"]);
    check_more(&key("type: HEADER, name: ''"), &["is no name", "has 0 characters"]);
    check_more(&key("type: ALL, name: x"), &["name means nothing to a key of type ALL"]);
    check_more(&key("type: ADDRESS, ipv4PrefixLength: 0, ipv6PrefixLength: 128"), &[]);
    check_more(&key("type: ADDRESS, ipv4PrefixLength: 33"), &["out of range; write 0 to 32"]);
    check_more(&key("type: ADDRESS, ipv6PrefixLength: 129"), &["out of range; write 0 to 128"]);
    check_more(&key("type: HEADER, name: x, ipv4PrefixLength: 1"), &["means nothing to a key"]);
    check_more(&key("type: IP"), &["not known"]);
    let named = |name: &str| format!("throttling: {{limits: [{{name: {name}, {all}, {bucket}}}]}}");
    check_more(&named(&"n".repeat(64)), &[]);
    check_more(&named(&"n".repeat(65)), &["does not fit"]);
    check_more(&named("a b"), &["does not fit; write 1 to 64 of A-Z"]);
    let many = |count: usize| {
        let limits: String =
            (0..count).map(|at| format!("{{name: l{at}, {all}, {bucket}}}, ")).collect();
        format!("throttling: {{limits: [{limits}]}}")
    };
    check_more(&many(60), &[]);
    check_more(&many(61), &["61 items; at most 60 are taken"]);
    let twins = format!(
        "throttling: {{limits: [{{name: a, {all}, {bucket}}}, {{name: a, {all}, {bucket}}}]}}"
    );
    check_more(&twins, &["two limits have the name a"]);
}

#[test]
fn limits_name_routes() {
    let limit = |routes: &str| {
        format!(
            "throttling: {{limits: [{{name: a, key: {{type: ALL}}, rateLimit: 1, burstLimit: 1, \
             routes: {routes}}}]}}"
        )
    };
    check_more(&limit("[{api: pets, stage: dev, routeKey: GET /a}, {stage: $default}]"), &[]);
    check_more(&limit("[]"), &["routes: the list is empty"]);
    let many = |count: usize| limit(&format!("[{}]", "{routeKey: GET /a}, ".repeat(count)));
    check_more(&many(300), &[]);
    check_more(&many(301), &["routes: 301 items; at most 300 are taken"]);
    check_more(&limit("[{}]"), &["is every route"]);
    check_more(&limit("[{api: pet}]"), &["limit a: there is no API pet; did you mean pets?"]);
    check_more(&limit("[{stage: def}]"), &["no API has a stage def; did you mean dev?"]);
    check_more(&limit("[{api: orders, stage: dev}]"), &["API orders has no stage dev"]);
    check_more(&limit("[{routeKey: /a}]"), &["expected a method and a path"]);
}

#[test]
fn what_holds_of_all_throttles_has_ranges() {
    let all = |more: &str| format!("throttling: {{{more}}}");
    check_more(&all("retryAfter: true, rateLimitHeaders: true, reconciliationMillis: 10"), &[]);
    check_more(&all("reconciliationMillis: 1000"), &[]);
    check_more(&all("reconciliationMillis: 9"), &["out of range; write 10 to 1000"]);
    check_more(&all("reconciliationMillis: 1001"), &["out of range; write 10 to 1000"]);
    check_more(&all("account: {rateLimit: 10000, burstLimit: 5000}"), &[]);
    check_more(&all("account: {}"), &["throttling.account: it has no rateLimit"]);
    check_more(&all("acount: {}"), &["did you mean account?"]);
}
