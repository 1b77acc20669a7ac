use super::*;
use crate::{
    http::Method,
    ledger::{Period, period::Day},
};

fn plans() -> UsagePlans {
    let plan = |id: &str, quota, keys: &[&str]| UsagePlan {
        id: id.to_owned(),
        name: format!("The {id} plan"),
        stages: vec![("pets\"1".to_owned(), "prod".to_owned())],
        throttle: Some((0.5, 2)),
        quota,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    let terms = QuotaTerms { limit: 1_000, period: Period::Week, offset: 1 };
    let key = |id: &str, number| ApiKey {
        id: id.to_owned(),
        name: format!("key of {id}"),
        description: (id == "bob").then(|| "for tests".to_owned()),
        enabled: id != "carol",
        subject: Subject(number),
    };
    UsagePlans::new(
        vec![
            plan("silver", None, &["bob"]),
            plan("gold", Some((LimitId(1), terms)), &["carol", "bob"]),
        ],
        vec![key("carol", 3), key("bob", 2), key("alice", 1)],
    )
}

fn page(position: Option<&str>, limit: usize) -> Page {
    Page { position: position.map(str::to_owned), limit }
}

#[track_caller]
fn check(method: Method, target: &str, body: &str, expected: &UsageQuestion) {
    let (path, query) = target.split_once('?').unzip();
    let path = path.unwrap_or(target).as_bytes();
    let found = parse(method, path, query.map(str::as_bytes), body.as_bytes());
    assert_eq!(found, Some(Ok(expected.clone())), "{target}");
}

#[track_caller]
fn check_refused(method: Method, target: &str, body: &str, status: u16, words: &str) {
    let (path, query) = target.split_once('?').unzip();
    let path = path.unwrap_or(target).as_bytes();
    let found = parse(method, path, query.map(str::as_bytes), body.as_bytes());
    let Some(Err(answer)) = found else { panic!("{target}: {found:?}") };
    assert_eq!(answer.status.code(), status, "{answer:?}");
    assert!(answer.body.contains(words), "{answer:?}");
    let error_type = if status == 400 { Some("BadRequestException") } else { None };
    assert_eq!(answer.error_type, error_type);
}

#[test]
fn requests_are_read_as_aws_s_clients_write_them() {
    let text = |text: &str| text.to_owned();
    let all = page(None, 25);
    check(Method::Get, "/apikeys", "", &UsageQuestion::Keys(None, all.clone()));
    let named = UsageQuestion::Keys(Some(text("a b&c")), page(Some("x/y"), 500));
    check(Method::Get, "/apikeys?name=a+b%26c&limit=500&position=x%2Fy", "", &named);
    check(Method::Head, "/apikeys/a%20b", "", &UsageQuestion::Key(text("a b")));
    check(Method::Get, "/usageplans", "", &UsageQuestion::Plans(None, all.clone()));
    let of_key = UsageQuestion::Plans(Some(text("k")), page(None, 1));
    check(Method::Get, "/usageplans?keyId=k&limit=1", "", &of_key);
    check(Method::Get, "/usageplans/gold", "", &UsageQuestion::Plan(text("gold")));
    let keys = UsageQuestion::PlanKeys(text("gold"), all.clone());
    check(Method::Get, "/usageplans/gold/keys", "", &keys);
    let key = UsageQuestion::PlanKey(text("gold"), text("bob"));
    check(Method::Get, "/usageplans/gold/keys/bob", "", &key);
    let (plan, days) = (text("gold"), (Day(20_758), Day(20_783)));
    let usage =
        UsageQuestion::Usage { plan: plan.clone(), key: Some(text("bob")), days, page: all };
    let target = "/usageplans/gold/usage?keyId=bob&startDate=2026-11-01&endDate=2026-11-26";
    check(Method::Get, target, "", &usage);
    let patch = |path: &str, value: &str| {
        format!(r#"{{"patchOperations":[{{"op":"replace","path":"{path}","value":"{value}"}}]}}"#)
    };
    let extend = UsageQuestion::Extend { plan, key: text("bob"), remaining: u64::MAX };
    let body = patch("/remaining", "18446744073709551615");
    check(Method::Patch, "/usageplans/gold/keys/bob/usage", &body, &extend);
    let switch = |enabled| UsageQuestion::Switch(text("bob"), enabled);
    check(Method::Patch, "/apikeys/bob", &patch("/enabled", "False"), &switch(false));
    check(Method::Patch, "/apikeys/bob", &patch("/enabled", "true"), &switch(true));
}

#[test]
fn what_cannot_be_answered_is_refused_with_a_reason() {
    let get = |target: &str, words: &str| check_refused(Method::Get, target, "", 400, words);
    get("/apikeys?limit=0", "write 1 to 500");
    get("/apikeys?limit=501", "write 1 to 500");
    get("/apikeys?limit=-1", "write 1 to 500");
    get("/usageplans/gold/usage", "startDate is missing");
    get("/usageplans/gold/usage?startDate=2026-11-26", "endDate is missing");
    get("/usageplans/gold/usage?startDate=2026-13-01&endDate=2026-11-26", "YYYY-MM-DD");
    get("/usageplans/gold/usage?startDate=2026-11-27&endDate=2026-11-26", "is before");
    get("/usageplans/gold/usage?startDate=2026-01-01&endDate=2026-04-01", "more than 90 days");
    let patch = |body: &str, words: &str| {
        check_refused(Method::Patch, "/apikeys/bob", body, 400, words);
    };
    patch("", "write {\\\"patchOperations\\\"");
    patch("{}", "write {");
    patch("[1", "write {");
    patch(r#"{"patchOperations":[]}"#, "write {");
    let one = |op: &str, path: &str, value: &str| {
        format!(r#"{{"op":"{op}","path":"{path}","value":"{value}"}}"#)
    };
    let body =
        |operations: &[String]| format!(r#"{{"patchOperations":[{}]}}"#, operations.join(","));
    patch(&body(&[one("add", "/enabled", "true")]), "this takes replace /enabled");
    patch(&body(&[one("replace", "/name", "x")]), "this takes replace /enabled");
    patch(&body(&[one("replace", "/enabled", "yes")]), "write true or false");
    let good = one("replace", "/enabled", "true");
    patch(&body(&[good.clone(), one("remove", "/description", "")]), "patchOperations[1]");
    patch(&body(&vec![good; 11]), "patchOperations[10]");
    let usage = "/usageplans/gold/keys/bob/usage";
    for value in ["-1", "1.5", "18446744073709551616", ""] {
        let body = body(&[one("replace", "/remaining", value)]);
        check_refused(Method::Patch, usage, &body, 400, "write a number from 0 on");
    }
    check_refused(Method::Post, "/apikeys", "", 405, "takes GET, HEAD");
    check_refused(Method::Delete, "/apikeys/bob", "", 405, "takes GET, HEAD, PATCH");
    check_refused(Method::Get, usage, "", 405, "takes PATCH");
    check_refused(Method::Patch, "/usageplans/gold", "", 405, "takes GET, HEAD");
    check_refused(Method::Put, "/usageplans/gold/keys/bob", "", 405, "takes GET, HEAD");
    for path in ["/", "/apikeys/", "/apikeys/a/b", "/usageplans/a/b", "/healthz", "apikeys"] {
        let found = parse(Method::Get, path.as_bytes(), None, b"");
        let is_key = matches!(&found, Some(Ok(UsageQuestion::Key(id))) if id.is_empty());
        assert!(found.is_none() || is_key, "{path}: {found:?}");
    }
}

fn value(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.status.code(), 200);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[test]
fn keys_and_plans_are_told_in_aws_s_members() {
    let plans = plans();
    let is_enabled = |key: &ApiKey| key.id != "bob";
    let all = value(&api_keys(&plans, None, &page(None, 25), &is_enabled));
    let bob = serde_json::json!({
        "id": "bob", "name": "key of bob", "description": "for tests", "enabled": false,
        "enabledInFile": true, "stageKeys": ["pets\"1/prod", "pets\"1/prod"]
    });
    assert_eq!(all["item"][1], bob);
    assert_eq!(all["item"].as_array().map(Vec::len), Some(3));
    let some = value(&api_keys(&plans, Some("key of c"), &page(None, 25), &is_enabled));
    assert_eq!((&some["item"][0]["id"], &some["item"][1]), (&"carol".into(), &().into()));
    let gold = value(&usage_plan(plans.plan("gold").expect("there")));
    let expected = serde_json::json!({
        "id": "gold", "name": "The gold plan", "apiStages": [{"apiId": "pets\"1", "stage": "prod"}],
        "throttle": {"rateLimit": 0.5, "burstLimit": 2},
        "quota": {"limit": 1000, "offset": 1, "period": "WEEK"}
    });
    assert_eq!(gold, expected);
    let of_carol = value(&usage_plans(&plans, Some("carol"), &page(None, 25)));
    assert_eq!(of_carol["item"].as_array().map(Vec::len), Some(1));
    let keys = value(&usage_plan_keys(&plans, plans.plan("gold").expect("there"), &page(None, 9)));
    assert_eq!(keys["item"][1]["type"], "API_KEY");
    let days = vec![[1, 2], [u64::MAX, 0]];
    let told =
        usage(plans.plan("gold").expect("there"), (Day(0), Day(1)), &[("b\"", days)], Some("b"));
    let expected = serde_json::json!({
        "usagePlanId": "gold", "startDate": "1970-01-01", "endDate": "1970-01-02",
        "values": {"b\"": [[1, 2], [u64::MAX, 0]]}, "position": "b"
    });
    assert_eq!(value(&told), expected);
}

#[test]
fn pages_follow_one_another_to_the_end() {
    let (plans, mut position, mut seen) = (plans(), None, Vec::new());
    loop {
        let page = value(&api_keys(&plans, None, &page(position.as_deref(), 2), &|_| true));
        let items = page["item"].as_array().expect("items");
        seen.extend(items.iter().map(|key| key["id"].as_str().expect("an id").to_owned()));
        match page["position"].as_str() {
            Some(next) => position = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, ["alice", "bob", "carol"]);
}

#[test]
fn what_is_not_there_is_aws_s_404() {
    let plans = plans();
    let type_of = |answer: Option<Answer>| {
        let answer = answer.expect("refused");
        assert_eq!(answer.status.code(), 404);
        answer.error_type
    };
    let not_found = Some("NotFoundException");
    assert_eq!(type_of(plans.plan("bronze").err()), not_found);
    assert_eq!(type_of(plans.key("dave").err()), not_found);
    assert_eq!(type_of(plans.plan_and_key("gold", "alice").err()), not_found);
    assert!(plans.plan_and_key("gold", "carol").is_ok());
    let accounts: Vec<AccountId> = plans.accounts().collect();
    let account = |key| AccountId::new(LimitId(1), Subject(key));
    assert_eq!(accounts, [account(2), account(3)]);
}
