use serde_json::json;

use super::*;

fn limit(name: &str, key: &Value, shards: &[u64]) -> Value {
    let shards: Vec<Value> = (0..)
        .zip(shards)
        .map(|(shard, tokens): (u64, _)| json!({"shard": shard, "tokens": tokens}))
        .collect();
    json!({
        "name": name, "level": "KEY_AND_METHOD", "key": key, "rateLimit": 0.5, "burstLimit": 10,
        "mode": "ENFORCE", "byAll": {"refused": 12, "dryRun": 1}, "remaining": 7, "refused": 3,
        "ledger": {"level": 4, "out": 3, "refused": 1}, "shards": shards
    })
}

#[test]
fn the_table_is_for_people() {
    let unasked = json!({
        "name": "by-tenant", "level": "OWN", "key": {"type": "HEADER", "name": "x-tenant"},
        "concurrentRequests": 4, "mode": "DRY_RUN", "byAll": {"refused": 0, "dryRun": 2}
    });
    let told = json!({
        "key": {"id": "alice-1", "name": "alice\u{1b}[2J", "enabled": true},
        "usagePlans": [{
            "name": "gold", "stages": [{"apiId": "p3ts", "stage": "prod"}],
            "quota": {
                "limit": 100, "period": "MONTH", "used": 42, "remaining": 58, "refusedByAll": 6,
                "resetsAt": "2026-12-01T00:00:00Z", "shards": [{"left": 3}, {"left": 1}]
            }
        }],
        "limits": [unasked, limit("gold", &json!({"type": "API_KEY"}), &[2, 1])],
        "limitsLeftOut": 3,
        "shardsMissing": [2]
    });
    let expected = "\
Key    alice-1 (alice\u{fffd}[2J): enabled
Plan   gold: on p3ts/prod
Quota  100 a month: 42 used, 58 left (4 of it leased to shards) until 2026-12-01T00:00:00Z; \
         refused to the plan's keys 6 times

LIMIT      LEVEL           ALLOWS           LEFT  REFUSED  TO ALL  LEDGER  SHARD 0  SHARD 1
by-tenant  own, dry run    4 in flight         -        -       2       -        -        -
gold       key and method  0.5/s, burst 10     7        3      13       4        2        1
What is left by the value of x-tenant: add -H 'x-tenant: VALUE'
3 more limits of routes are not told
Not told, since they did not answer in time: shards 2
";
    assert_eq!(to_text(&told), expected);
}

#[test]
fn many_shards_share_a_column() {
    let table = |shards: &[u64]| to_table(&[&limit("a", &json!({"type": "ALL"}), shards)]);
    assert!(table(&[1; 8]).contains("SHARD 7"));
    let wide = table(&[1; 9]);
    assert!(wide.contains("LEDGER  SHARDS\n") && wide.ends_with("4       9\n"), "{wide}");
}

#[test]
fn many_routes_that_nobody_uses_are_counted() {
    let route = |refused: u64, remaining: u64| {
        json!({
            "name": format!("route {refused}"), "level": "ROUTE", "key": {"type": "ALL"},
            "rateLimit": 1, "burstLimit": 5, "mode": "ENFORCE", "remaining": remaining,
            "byAll": {"refused": refused, "dryRun": 0}, "refused": 0, "ledger": {"level": 5},
            "shards": []
        })
    };
    let told = |unused: usize| {
        let mut limits = vec![route(0, 5); unused];
        limits.extend([route(1, 5), route(0, 4)]);
        to_text(&json!({"limits": limits}))
    };
    assert_eq!(told(UNUSED_ROUTES_MAX).lines().count(), 1 + UNUSED_ROUTES_MAX + 2);
    let many = told(UNUSED_ROUTES_MAX + 1);
    assert_eq!(many.lines().count(), 1 + 2 + 1, "{many}");
    assert!(many.ends_with("11 limits of routes are full and never refused\n"), "{many}");
}

#[test]
fn nothing_to_tell_is_said() {
    let told = json!({"key": {"id": "a", "name": "a", "enabled": false}, "limits": []});
    let expected = "\
Key    a: disabled
Plan   none: it may not call what asks for a key
No limits hold here
";
    assert_eq!(to_text(&told), expected);
}

#[test]
fn what_is_asked_becomes_a_target() {
    let headers = ["x-tenant: a&b".to_owned(), "y: é".to_owned()];
    assert_eq!(target(None, None, &[]), "/limits");
    let all = target(Some("a b/c"), Some("::1".parse().expect("an address")), &headers);
    let expected = "/limits?keyId=a%20b%2Fc&sourceIp=%3A%3A1&header=x-tenant%3A%20a%26b\
                    &header=y%3A%20%C3%A9";
    assert_eq!(all, expected);
}
