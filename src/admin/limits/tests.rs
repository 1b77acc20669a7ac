use serde_json::{Value, json};

use super::{LeaseView as Lease, *};
use crate::{
    http::Method,
    ledger::{AccountId, LimitId, Period, Rate, Subject, period::Day},
};

#[track_caller]
fn check(method: Method, target: &str, expected: Result<LimitsQuestion, (u16, &str)>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let found = parse(method, path.as_bytes(), Some(query.as_bytes())).expect("the path is known");
    match (&found, &expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{target}"),
        (Err(answer), Err((status, words))) => {
            assert_eq!(answer.status.code(), *status, "{target}");
            assert!(answer.body.contains(words), "{target}: {}", answer.body);
        }
        _ => panic!("{target}: {found:?}"),
    }
}

#[test]
fn what_is_asked_is_read_and_nothing_is_ignored() {
    let question = |key: Option<&str>, address: Option<&str>, headers: &[(&str, &str)]| {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(LimitsQuestion {
            key: key.map(str::to_owned),
            source_ip: address.map(|address| address.parse().expect("an address")),
            headers: headers.iter().map(pair).collect(),
        })
    };
    check(Method::Get, "/limits", question(None, None, &[]));
    check(Method::Head, "/limits?", question(None, None, &[]));
    check(Method::Get, "/limits?keyId=a%2Fb+c", question(Some("a/b c"), None, &[]));
    check(Method::Get, "/limits?keyId=", question(Some(""), None, &[]));
    check(
        Method::Get,
        "/limits?sourceIp=2001:db8::1&header=x-t:a:b&header=y:%20",
        question(None, Some("2001:db8::1"), &[("x-t", "a:b"), ("y", "")]),
    );
    check(Method::Post, "/limits", Err((405, "GET, HEAD")));
    check(Method::Get, "/limits?keyid=a", Err((400, "is not known")));
    check(Method::Get, "/limits?keyId=a&keyId=b", Err((400, "twice")));
    check(Method::Get, "/limits?sourceIp=::1&sourceIp=::1", Err((400, "twice")));
    check(Method::Get, "/limits?sourceIp=localhost", Err((400, "write an IP address")));
    check(Method::Get, "/limits?header=x-tenant", Err((400, "write name:value")));
    check(Method::Get, "/limits?header=:a", Err((400, "write name:value")));
    check(Method::Get, "/limits?header=a:b%0d%0ac:d", Err((400, "write name:value")));
    for other in ["/limits/", "/limit", "/", "/limits/a"] {
        assert!(parse(Method::Get, other.as_bytes(), None).is_none(), "{other}");
    }
    let answer = parse(Method::Get, b"/limits", Some(b"keyId=\xff")).expect("known");
    assert!(answer.is_err_and(|answer| answer.body.contains("no UTF-8")));
}

fn bucket(rate: f64, burst: u32) -> Terms {
    Terms::Bucket { rate: Rate::per_second(rate).expect("in range"), burst }
}

fn limit(terms: Terms, state: State) -> LimitView {
    LimitView {
        name: "a \"limit\"".to_owned(),
        level: Level::Own,
        plan: None,
        terms,
        is_dry: false,
        key: KeyType::All,
        state,
        counted: Throttled { refused: 9, dry: 1 },
    }
}

fn told_of(view: &LimitsView) -> Value {
    let answer = told(view);
    assert_eq!(answer.status.code(), 200);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[track_caller]
fn check_state(
    terms: Terms,
    ledger: Option<AccountView>,
    leases: &[Lease],
    (remaining, refused, level): (u64, u64, u64),
) {
    let shards = (0..).zip(leases.iter().copied()).collect();
    let limits = vec![limit(terms, State::Of { ledger, shards })];
    let value = told_of(&LimitsView { limits, ..LimitsView::default() });
    let told = &value["limits"][0];
    let found = [&told["remaining"], &told["refused"], &told["ledger"]["level"]];
    assert_eq!(found.map(Value::as_u64), [remaining, refused, level].map(Some), "{told}");
}

/// What is left is the ledger's and the leases' together, and so is what was refused.
#[test]
fn numbers_add_up() {
    let account = |level, out, refused| Some(AccountView { level, out, refused });
    let lease = |tokens, spent, refused| Lease { tokens, spent, refused };
    check_state(bucket(5.0, 10), None, &[], (10, 0, 10));
    check_state(bucket(5.0, 10), account(4, 3, 7), &[lease(1, 2, 1)], (5, 8, 4));
    check_state(bucket(5.0, 10), account(0, 2, 0), &[lease(1, 0, 0), lease(1, 0, 2)], (2, 2, 0));
    // A reload made the burst smaller; nobody has asked since.
    check_state(bucket(5.0, 3), account(9, 0, 0), &[], (3, 0, 3));
    check_state(bucket(5.0, 3), account(3, 0, 0), &[lease(2, 0, 0)], (3, 0, 3));
    // What lets nothing through has nothing, though its account is as new.
    check_state(bucket(0.0, 10), None, &[], (0, 0, 0));
    check_state(bucket(5.0, 0), None, &[], (0, 0, 0));
    check_state(Terms::InFlight { max: 5 }, account(5, 2, 4), &[lease(0, 0, 0)], (3, 4, 3));
    check_state(Terms::InFlight { max: 1 }, account(5, 2, 0), &[], (0, 0, 0));
}

#[test]
fn a_key_is_told_with_its_plans_and_never_its_value() {
    let id = AccountId::new(LimitId(1), Subject(2));
    let counters = Counters::new(id, Day(20_758), Day(20_783));
    let counters = Counters { limit: 100, used: 40, reserved: 50, ..counters };
    let lease = Lease { tokens: 3, spent: 2, refused: 0 };
    let quota = QuotaView {
        terms: QuotaTerms { limit: 100, period: Period::Month, offset: 0 },
        ledger: (counters, 5),
        resets_at: "2026-12-01T00:00:00Z".to_owned(),
        shards: vec![(1, lease)],
        counted: Throttled { refused: 6, dry: 0 },
    };
    let plan = UsagePlan {
        id: "gold".to_owned(),
        name: "Gold".to_owned(),
        stages: vec![("p3ts".to_owned(), "prod".to_owned())],
        throttle: Some((0.5, 10)),
        quota: None,
        keys: Vec::new(),
    };
    let methods = vec![("Gold pets/prod GET /".to_owned(), bucket(0.1, 1))];
    let (id, name) = ("alice-1".to_owned(), "alice".to_owned());
    let key = ApiKey { id, name, description: None, enabled: false, subject: Subject(2) };
    let of_header = LimitView {
        key: KeyType::Header("x-tenant".to_owned()),
        is_dry: true,
        level: Level::KeyAndMethod,
        plan: Some("gold".to_owned()),
        ..limit(Terms::InFlight { max: 4 }, State::Unasked)
    };
    let value = told_of(&LimitsView {
        key: Some(key),
        plans: vec![PlanLimits { plan, methods, quota: Some(quota) }],
        limits: vec![of_header],
        left_out: 2,
        missing: vec![0, 7],
    });
    let expected = json!({
        "key": {"id": "alice-1", "name": "alice", "enabled": false},
        "usagePlans": [{
            "id": "gold", "name": "Gold", "stages": [{"apiId": "p3ts", "stage": "prod"}],
            "quota": {
                "limit": 100, "offset": 0, "period": "MONTH", "used": 42, "remaining": 58,
                "reserved": 50, "leased": 5, "resetsAt": "2026-12-01T00:00:00Z",
                "refusedByAll": 6, "shards": [{"shard": 1, "left": 3, "spent": 2}]
            },
            "throttle": {"rateLimit": 0.5, "burstLimit": 10},
            "methods": [{"name": "Gold pets/prod GET /", "rateLimit": 0.1, "burstLimit": 1}]
        }],
        "limits": [{
            "name": "a \"limit\"", "level": "KEY_AND_METHOD", "usagePlanId": "gold",
            "key": {"type": "HEADER", "name": "x-tenant"}, "concurrentRequests": 4,
            "mode": "DRY_RUN", "byAll": {"refused": 9, "dryRun": 1}
        }],
        "limitsLeftOut": 2,
        "shardsMissing": [0, 7]
    });
    assert_eq!(value, expected);
    let nothing = json!({"limits": [], "limitsLeftOut": 0, "shardsMissing": []});
    assert_eq!(told_of(&LimitsView::default()), nothing);
}
