//! The plan with limits: every route asks for a key, a few requests may be in flight, and each
//! caller has a bucket. Whatever became of the exchanges, at the end nothing of it is held.

use std::{fs, path::Path, sync::Arc};

use ringway::{
    ledger::{AccountId, Ledger, Subject, Terms},
    plan::Plan,
};

use super::{DEFINITION, load_file, script::GOOD_KEY, world::World};
use crate::harness::{Folder, gateway_file};

/// A dry limit takes part in counting, too.
const LIMITS: &str = "
apiKeys: [{name: good, value: KEY}]
usagePlans:
  - {name: plan, apiStages: [{api: it, stage: $default}], apiKeys: [good], throttle: {rateLimit: 10, burstLimit: 4}}
throttling:
  account: {rateLimit: 200, burstLimit: 20}
  limits:
    - {name: places, key: {type: ALL}, concurrentRequests: 3}
    - {name: dry, key: {type: ALL}, concurrentRequests: 2, dryRun: true}
    - {name: reads, key: {type: ALL}, concurrentRequests: 1, routes: [{routeKey: 'ANY /reads/{id}'}]}
";

/// The gateway of `gateway.yaml` with limits.
pub(super) fn load(upstreams: [u16; 3]) -> Arc<Plan> {
    load_with(LIMITS, upstreams)
}

/// The same with others, `KEY` standing for the value of a key.
pub(super) fn load_with(limits: &str, upstreams: [u16; 3]) -> Arc<Plan> {
    let definition = Path::new(env!("CARGO_MANIFEST_DIR")).join(DEFINITION);
    let keyed = "x-amazon-apigateway-any-method:\n      security: [{key: []}]";
    let definition = fs::read_to_string(definition)
        .unwrap()
        .replace("x-amazon-apigateway-any-method:", keyed)
        + "\ncomponents: {securitySchemes: {key: {type: apiKey, name: x-api-key, in: header}}}\n";
    let folder = Folder::new();
    folder.write("api.yaml", &definition);
    let file = limits.replace("KEY", GOOD_KEY);
    let file = gateway_file("api.yaml", &["{stageName: $default}"], &file);
    load_file(folder.write("gateway.yaml", &file), upstreams)
}

/// No request is in flight: every place was given back, once.
pub(super) fn check_places(world: &World, ledger: &Ledger, plan: &Plan) {
    let mut count = 0;
    for limit in plan.limits() {
        if matches!(limit.terms, Terms::InFlight { .. }) {
            count += 1;
            check(world, ledger, &limit.name, AccountId::new(limit.id, Subject(0)));
        }
    }
    assert_eq!(count, 3, "the limits of requests in flight");
}

/// The shard has ended: no lease is out.
pub(super) fn check_leases(world: &World, ledger: &Ledger, plan: &Plan) {
    let key = plan.keys().find(GOOD_KEY.as_bytes()).expect("the key").subject;
    for limit in plan.limits() {
        for subject in [Subject(0), key] {
            check(world, ledger, &limit.name, AccountId::new(limit.id, subject));
        }
    }
}

fn check(world: &World, ledger: &Ledger, name: &str, account: AccountId) {
    let out = ledger.view(account, world.runtime.now()).map_or(0, |view| view.out);
    if out > 0 {
        world.violate(format!("limit {name}: {out} are out at the end"));
    }
}
