use std::{sync::Arc, time::Duration};

use super::{admit::*, *};
use crate::{
    base::{Moment, WallTime},
    http::{FieldList, Fields},
    json::strict::Value,
    ledger::{AccountId, Ledger, LimitId, Paid, Period, Purse, Rate, Subject},
    steps::{
        context::{Claims, Left},
        fixture,
    },
};

const NOW: Moment = Moment(1_000_000_000);
const WALL: WallTime = WallTime(1_773_342_238_390);

fn limit(number: u64, burst: u32) -> Limit {
    let rate = Rate::per_second(0.5).unwrap();
    Limit {
        id: LimitId(number),
        name: format!("limit {number}"),
        level: Level::Route,
        terms: Terms::Bucket { rate, burst },
        by: By::All,
        mode: Mode::Enforce,
    }
}

struct World {
    ledger: Arc<Ledger>,
    purse: Purse,
    table: Vec<Limit>,
    head: (Vec<u8>, FieldList),
    dry: Vec<LimitIndex>,
}

impl World {
    fn new(table: Vec<Limit>) -> Self {
        let ledger = Arc::new(Ledger::new(1).0);
        let purse = Purse::new(Arc::clone(&ledger), 0, Duration::from_millis(50));
        Self { ledger, purse, table, head: fixture::fields(&[]), dry: Vec::new() }
    }

    fn asked(&self) -> Asked<'_> {
        let fields = Fields::new(&self.head.0, &self.head.1);
        let caller = Caller { source_ip: b"203.0.113.9", fields, key: Subject(7), claims: None };
        Asked { table: &self.table, quota: None, of_key: [None; 2], others: &[], caller }
    }
}

/// The verdict on a request that comes under these limits.
macro_rules! ask {
    ($world:ident, { $($member:ident: $value:expr),* }) => {{
        let fields = Fields::new(&$world.head.0, &$world.head.1);
        let caller = Caller { source_ip: b"203.0.113.9", fields, key: Subject(7), claims: None };
        let none = Asked {
            table: &$world.table, quota: None, of_key: [None; 2], others: &[], caller,
        };
        let asked = Asked { $($member: $value,)* ..none };
        let dry = &mut $world.dry;
        asked.admit(&mut $world.purse, NOW, WALL, |limit| dry.push(limit))
    }};
}

const ADMITTED: Verdict = Verdict::Admitted(Held(0));
const HOLDS_FIRST: Verdict = Verdict::Admitted(Held(1));

#[test]
fn the_first_limit_that_is_empty_names_the_refusal_and_the_others_lose_nothing() {
    let mut world = World::new(vec![limit(0, 3), limit(1, 2), limit(2, 9)]);
    let [method, key, route] = [0, 1, 2].map(LimitIndex);
    let all = [Some(method), Some(key)];
    assert_eq!(ask!(world, { of_key: all, others: &[route] }), ADMITTED);
    assert_eq!(ask!(world, { of_key: all, others: &[route] }), ADMITTED);
    let until = Moment(NOW.0 + 2_000_000_000);
    for _ in 0..5 {
        let refused = ask!(world, { of_key: all, others: &[route] });
        assert_eq!(refused, Verdict::Throttled(key, until));
    }
    // The method's third token is still there, and no fourth.
    assert_eq!(ask!(world, { of_key: [Some(method), None] }), ADMITTED);
    assert_eq!(ask!(world, { of_key: all }), Verdict::Throttled(method, until));
    let seven = (0..9).filter(|_| ask!(world, { others: &[route] }) == ADMITTED).count();
    assert_eq!(seven, 7);
}

#[test]
fn a_quota_is_asked_first_and_keeps_what_a_throttle_refuses() {
    let mut world = World::new(vec![limit(0, 1)]);
    let terms = QuotaTerms { limit: 2, period: Period::Day, offset: 0 };
    let quota = Some((AccountId::new(LimitId(9), Subject(7)), &terms));
    let throttle = [LimitIndex(0)];
    assert_eq!(ask!(world, { quota: quota, others: &throttle }), Verdict::Unreserved);
    assert_eq!(ask!(world, { quota: quota, others: &throttle }), ADMITTED);
    for _ in 0..5 {
        let refused = ask!(world, { quota: quota, others: &throttle });
        assert!(matches!(refused, Verdict::Throttled(LimitIndex(0), _)), "{refused:?}");
    }
    assert_eq!(ask!(world, { quota: quota }), ADMITTED);
    assert_eq!(ask!(world, { quota: quota, others: &throttle }), Verdict::QuotaExceeded);
}

#[test]
fn a_dry_run_refuses_nothing_and_is_told() {
    let dry = Limit { mode: Mode::DryRun, ..limit(0, 1) };
    let mut world = World::new(vec![dry, limit(1, 2)]);
    let both = [LimitIndex(0), LimitIndex(1)];
    assert_eq!(ask!(world, { others: &both }), ADMITTED);
    assert_eq!(ask!(world, { others: &both }), ADMITTED);
    assert!(matches!(ask!(world, { others: &both }), Verdict::Throttled(LimitIndex(1), _)));
    assert_eq!(world.dry, [LimitIndex(0), LimitIndex(0)]);
}

#[test]
fn a_place_in_flight_is_held_until_it_is_given_up() {
    let places = Limit { terms: Terms::InFlight { max: 1 }, ..limit(0, 0) };
    let mut world = World::new(vec![places, limit(1, 5)]);
    let both = [LimitIndex(0), LimitIndex(1)];
    assert_eq!(ask!(world, { others: &both }), HOLDS_FIRST);
    assert!(matches!(ask!(world, { others: &both }), Verdict::Throttled(LimitIndex(0), _)));
    let held = Asked { others: &both, ..world.asked() }.places(Held(1), &world.purse);
    assert_eq!(held, [AccountId::new(LimitId(0), Subject(0))]);
    world.ledger.leave(held[0]);
    assert_eq!(ask!(world, { others: &both }), HOLDS_FIRST);
    // A later limit's refusal gives the place back at once.
    world.ledger.leave(held[0]);
    let tight = [LimitIndex(0), LimitIndex(1)];
    while ask!(world, { others: &[LimitIndex(1)] }) == ADMITTED {}
    assert!(matches!(ask!(world, { others: &tight }), Verdict::Throttled(LimitIndex(1), _)));
    assert_eq!(ask!(world, { others: &[LimitIndex(0)] }), HOLDS_FIRST);
}

/// A dry limit that had no place left gave one up at the end of each request all the same.
#[test]
fn a_place_that_a_dry_limit_had_not_is_not_given_up() {
    let places = |number, max| Limit { terms: Terms::InFlight { max }, ..limit(number, 0) };
    let dry = Limit { mode: Mode::DryRun, ..places(0, 1) };
    let mut world = World::new(vec![dry, places(1, 9)]);
    let both = [LimitIndex(0), LimitIndex(1)];
    assert_eq!(ask!(world, { others: &both }), Verdict::Admitted(Held(0b11)));
    let second = Held(0b10);
    assert_eq!(ask!(world, { others: &both }), Verdict::Admitted(second));
    let held = Asked { others: &both, ..world.asked() }.places(second, &world.purse);
    assert_eq!(held, [AccountId::new(LimitId(1), Subject(0))]);
    held.iter().for_each(|account| world.ledger.leave(*account));
    assert_eq!(ask!(world, { others: &both }), Verdict::Admitted(second));
    assert_eq!(world.dry, [LimitIndex(0), LimitIndex(0)]);
}

#[track_caller]
fn check_same(by: &By, one: (&[u8], &[(&str, &str)]), two: (&[u8], &[(&str, &str)]), same: bool) {
    let world = World::new(vec![Limit { by: by.clone(), ..limit(0, 1) }]);
    let account = |(source_ip, fields): (&[u8], &[(&str, &str)])| {
        let (bytes, list) = fixture::fields(fields);
        let fields = Fields::new(&bytes, &list);
        let caller = Caller { source_ip, fields, key: Subject(7), claims: None };
        let asked = Asked { caller, ..world.asked() };
        asked.account(&world.table[0], &world.purse)
    };
    assert_eq!(account(one) == account(two), same, "{by:?}: {one:?} and {two:?}");
}

#[test]
fn callers_are_told_apart_by_what_the_limit_says() {
    let none: &[(&str, &str)] = &[];
    let address = |ipv4_prefix, ipv6_prefix| By::Address { ipv4_prefix, ipv6_prefix };
    let check_address = |by: &By, one: &str, two: &str, same| {
        check_same(by, (one.as_bytes(), none), (two.as_bytes(), none), same);
    };
    check_address(&address(32, 64), "10.0.0.1", "10.0.0.1", true);
    check_address(&address(32, 64), "10.0.0.1", "10.0.0.2", false);
    check_address(&address(24, 64), "10.0.0.1", "10.0.0.255", true);
    check_address(&address(24, 64), "10.0.0.1", "10.0.1.1", false);
    check_address(&address(0, 0), "10.0.0.1", "200.0.1.1", true);
    check_address(&address(0, 0), "::1", "fe80::1", true);
    check_address(&address(32, 64), "2001:db8::1", "2001:db8::ffff:1:2:3", true);
    check_address(&address(32, 64), "2001:db8::1", "2001:db8:0:1::1", false);
    check_address(&address(32, 128), "2001:db8::1", "2001:db8::2", false);
    check_address(&address(32, 64), "::ffff:10.0.0.1", "10.0.0.1", true);
    check_address(&address(32, 64), "unknown", "unknown", true);
    check_address(&address(32, 64), "unknown", "_hidden", false);
    let header = By::Header(b"x-tenant".to_vec());
    let tenant = |name: &'static str| [("X-Tenant", name)];
    let ip: &[u8] = b"10.0.0.1";
    check_same(&header, (ip, &tenant("a")), (b"10.0.0.2", &tenant("a")), true);
    check_same(&header, (ip, &tenant("a")), (ip, &tenant("b")), false);
    check_same(&header, (ip, &tenant("a")), (ip, none), false);
    check_same(&header, (ip, none), (b"10.0.0.2", none), true);
    check_same(&By::All, (ip, &tenant("a")), (b"10.0.0.2", none), true);
}

#[test]
fn callers_are_told_apart_by_a_claim() {
    let world = World::new(vec![Limit { by: By::Claim("sub".into()), ..limit(0, 1) }]);
    let account = |claims: Option<&str>| {
        let claims = claims.map(|text| Claims::of(&Value::parse(text.as_bytes()).unwrap()));
        let asked = world.asked();
        let asked = Asked { caller: Caller { claims: claims.as_ref(), ..asked.caller }, ..asked };
        asked.account(&world.table[0], &world.purse)
    };
    let alice = account(Some(r#"{"sub":"alice","tenant":"a"}"#));
    assert_eq!(account(Some(r#"{"tenant":"b","sub":"alice"}"#)), alice);
    let others = [account(Some(r#"{"sub":"bob"}"#)), account(Some(r#"{"tenant":"alice"}"#))];
    assert!(!others.contains(&alice));
    assert_eq!(account(None), others[1]);
}

#[test]
fn what_is_left_is_told_of_the_limit_with_the_least() {
    let mut world = World::new(vec![limit(0, 10), limit(1, 4)]);
    let both = [LimitIndex(0), LimitIndex(1)];
    assert_eq!(ask!(world, { others: &both }), ADMITTED);
    let asked = Asked { others: &both, ..world.asked() };
    let left = asked.least_left((&world.ledger, &world.purse), "", NOW, WALL);
    let expected = Left { name: "limit 1", quota: 4, window: 8, remaining: 3, reset: 2 };
    assert_eq!(left, Some(expected));
    let terms = QuotaTerms { limit: 100, period: Period::Day, offset: 0 };
    let of_quota = left_of_quota("gold", &terms, 5, WALL);
    // 2026-03-12T19:03:58.390Z
    let expected = Left { name: "gold", quota: 100, window: 86_400, remaining: 5, reset: 17_762 };
    assert_eq!(of_quota, expected);
}

#[test]
fn a_paid_token_is_small() {
    assert_eq!(size_of::<Option<Paid>>(), 1);
}
