use super::*;
use crate::{
    ledger::{Period, Rate, Subject},
    plan::{
        ApiDraft, PlanDraft, RouteDraft,
        tests::{api, route, stage},
    },
    steps::api_key,
};

fn bucket(burst: u32) -> Terms {
    Terms::Bucket { rate: Rate::per_second(f64::from(burst)).expect("small"), burst }
}

/// Two APIs: `pets` with the stages `prod` and `dev`, `orders` with `prod`; each stage with
/// `GET /x` and `GET /y`. All of `pets` takes a key.
fn apis() -> Vec<ApiDraft> {
    let routes = |api_key_required| {
        let route = |key| RouteDraft { api_key_required, ..route(key, "http://h/") };
        vec![route("GET /x"), route("GET /y")]
    };
    vec![
        api("pets", vec![stage("prod", routes(true)), stage("dev", routes(true))]),
        api("orders", vec![stage("prod", routes(false))]),
    ]
}

fn key(id: &str) -> ApiKeyDraft {
    let digest = Digest::of(format!("{id}: a value long enough").as_bytes());
    ApiKeyDraft { id: id.to_owned(), name: id.to_uppercase(), enabled: id != "off", digest }
}

fn usage_plan(id: &str, stages: &[(usize, usize)], keys: &[usize]) -> UsagePlanDraft {
    let place = |&(api, stage)| PlanStageDraft { api, stage, methods: Vec::new() };
    UsagePlanDraft {
        id: id.to_owned(),
        name: id.to_uppercase(),
        throttle: None,
        quota: None,
        stages: stages.iter().map(place).collect(),
        keys: keys.to_vec(),
    }
}

fn own(name: &str, routes: OwnRoutes) -> OwnLimitDraft {
    let (name, by, terms) = (name.to_owned(), By::All, Terms::InFlight { max: 5 });
    OwnLimitDraft { name, by, terms, mode: Mode::DryRun, routes }
}

fn compile(apis: Vec<ApiDraft>, traffic: TrafficDraft) -> Result<Plan, Vec<String>> {
    Plan::compile(PlanDraft { apis, traffic, ..PlanDraft::default() }, &[])
}

fn names(plan: &Plan, limits: &[LimitIndex]) -> Vec<String> {
    limits.iter().map(|limit| plan.limits()[limit.0 as usize].name.clone()).collect()
}

#[test]
fn every_route_learns_its_limits_in_order() {
    let mut apis = apis();
    apis[0].stages[1].routes[1].throttle = Some(bucket(7));
    let traffic = TrafficDraft {
        own: vec![
            own("everybody", OwnRoutes::All),
            own("some", OwnRoutes::Some(vec![(0, 1, 1), (1, 0, 0), (1, 0, 0)])),
        ],
        account: Some(bucket(9)),
        ..TrafficDraft::default()
    };
    let plan = compile(apis, traffic).expect("sound");
    let told: Vec<_> = plan
        .routes()
        .map(|(_, _, route)| (names(&plan, &route.guards), names(&plan, &route.limits)))
        .collect();
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let plain = || (list(&["everybody"]), list(&["account"]));
    let both = || list(&["everybody", "some"]);
    let expected = [
        plain(),
        plain(),
        plain(),
        (both(), list(&["pets/dev GET /y", "account"])),
        (both(), list(&["account"])),
        plain(),
    ];
    assert_eq!(told, expected);
    let levels: Vec<_> = plan.limits().iter().map(|limit| (limit.level, limit.mode)).collect();
    let (dry, enforced) = (Mode::DryRun, Mode::Enforce);
    let expected = [
        (Level::Own, dry),
        (Level::Own, dry),
        (Level::Route, enforced),
        (Level::Account, enforced),
    ];
    assert_eq!(levels, expected);
    assert!(plan.routes().all(|(api, _, route)| route.api_key_required == (api.id == "pets")));
}

#[test]
fn a_key_has_the_plan_of_the_stage() {
    let mut gold = usage_plan("gold", &[(0, 0), (1, 0)], &[0, 1]);
    gold.throttle = Some(bucket(2));
    gold.quota = Some(QuotaTerms { limit: 10, period: Period::Day, offset: 0 });
    gold.stages[0].methods.push((1, bucket(1)));
    let traffic = TrafficDraft {
        keys: vec![key("b"), key("a"), key("off")],
        usage_plans: vec![gold, usage_plan("dev", &[(0, 1)], &[0])],
        ..TrafficDraft::default()
    };
    let plan = compile(apis(), traffic).expect("sound");
    let plans = |id| {
        let key = plan.keys().named(id).expect("it is there");
        [0, 1, 2].map(|stage| plan.keys().plan(key, stage).map(|plan| plan.0))
    };
    assert_eq!(plans("b"), [Some(0), Some(1), Some(0)]);
    assert_eq!(plans("a"), [Some(0), None, Some(0)]);
    assert_eq!(plans("off"), [None, None, None]);
    let found = plan.keys().find(b"a: a value long enough").expect("it is there");
    let keys = plan.keys();
    assert_eq!((keys.id(found), keys.name(found), found.enabled), ("a", "A", true));
    assert_eq!(found.subject, api_key::subject_of("a"));
    assert_ne!(found.subject, Subject::default());
    assert!(!plan.keys().named("off").expect("it is there").enabled);
    let gold = &plan.usage_plans()[0];
    assert_eq!(names(&plan, gold.throttle.as_slice()), ["GOLD"]);
    assert_eq!(gold.quota.as_ref().map(|quota| quota.terms.limit), Some(10));
    let methods: Vec<_> = (0..6).map(|route| gold.method(RouteIndex(route))).collect();
    assert_eq!(methods.iter().filter(|limit| limit.is_some()).count(), 1);
    let limit = &plan.limits()[methods[1].expect("GET /y of pets/prod").0 as usize];
    assert_eq!(limit.name, "GOLD pets/prod GET /y");
    assert_eq!((limit.level, &limit.by), (Level::KeyAndMethod, &By::Key));
    let ids: Vec<u64> = plan.limits().iter().map(|limit| limit.id.0).collect();
    assert_eq!(ids[0], Digest::of(b"plan\0gold\0throttle").first_8());
    assert_eq!(
        gold.quota.as_ref().map(|quota| quota.id.0),
        Some(Digest::of(b"plan\0gold\0quota").first_8())
    );
}

#[track_caller]
fn check_fault(traffic: TrafficDraft, expected: &str) {
    let faults = compile(apis(), traffic).err().expect("a fault");
    assert_eq!(faults, [expected]);
}

#[test]
fn what_cannot_be_is_told() {
    let default = TrafficDraft::default;
    let keys = || vec![key("a")];
    let two = vec![usage_plan("gold", &[(0, 0)], &[0]), usage_plan("dev", &[(0, 0)], &[0])];
    let shared = "key A: the plans GOLD and DEV share a stage";
    check_fault(TrafficDraft { keys: keys(), usage_plans: two, ..default() }, shared);
    let twice = || vec![own("a", OwnRoutes::All), own("a", OwnRoutes::All)];
    let one = "the limits a and a are one to the ledger; rename one";
    check_fault(TrafficDraft { own: twice(), ..default() }, one);
    let nowhere = vec![usage_plan("gold", &[(0, 2)], &[])];
    check_fault(
        TrafficDraft { usage_plans: nowhere, ..default() },
        "usage plan GOLD: no such stage",
    );
    let of_nobody = vec![usage_plan("gold", &[], &[1])];
    let traffic = TrafficDraft { keys: keys(), usage_plans: of_nobody, ..default() };
    check_fault(traffic, "usage plan GOLD: no such key");
    let mut method = usage_plan("gold", &[(0, 0)], &[]);
    method.stages[0].methods.push((2, bucket(1)));
    let traffic = TrafficDraft { usage_plans: vec![method], ..default() };
    check_fault(traffic, "usage plan GOLD: no such route");
    let lost = vec![own("a", OwnRoutes::Some(vec![(0, 0, 2)]))];
    check_fault(TrafficDraft { own: lost, ..default() }, "limit a: no such route");
    let many = |count: usize| (0..count).map(|at| own(&at.to_string(), OwnRoutes::All)).collect();
    assert!(compile(apis(), TrafficDraft { own: many(60), ..default() }).is_ok());
    check_fault(TrafficDraft { own: many(61), ..default() }, "61 limits; at most 60 are taken");
}
