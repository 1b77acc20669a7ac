//! The numbers of APIs, stages and routes on one shard, and their names.
//!
//! A series is known by name and outlives the plan that named it: after a reload, `GET /pets` of
//! the same API and stage goes on counting where it was. Slots are only ever added, so a request
//! that still travels through an older plan counts in the right place. A stage or route beyond
//! the bound counts as [`OTHER`]; nothing goes uncounted.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Distribution, ShardCounters, Throttles};
use crate::{
    base::limits::{ROUTE_SERIES_MAX, STAGE_SERIES_MAX},
    http::Status,
};

/// The name under which everything beyond the bound is counted.
pub const OTHER: &str = "(other)";

/// A stage of the plan and its routes, named, in the plan's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageNames {
    /// The API's id or name.
    pub api: Arc<str>,
    /// The stage's name (`$default`, `prod`).
    pub stage: Arc<str>,
    /// The route keys (`GET /pets/{petId}`, `$default`).
    pub routes: Vec<Arc<str>>,
}

/// Where a plan's stages and routes are counted; belongs beside the plan on the shard.
#[derive(Clone, Debug, Default)]
pub struct SeriesMap {
    stages: Vec<(u32, Vec<u32>)>,
}

impl SeriesMap {
    /// Where a request is counted: the plan's stage and the stage's route, by index; no route when
    /// none matched.
    ///
    /// # Panics
    /// When the plan that this map was made for has no such stage or route.
    #[must_use]
    pub fn find(&self, stage: usize, route: Option<usize>) -> SeriesKey {
        let (stage, routes) = &self.stages[stage];
        SeriesKey { stage: *stage, route: route.map(|route| routes[route]) }
    }
}

/// Where one request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesKey {
    stage: u32,
    route: Option<u32>,
}

/// One answered request, as the metrics see it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The status that the client got.
    pub status: Status,
    /// From the request's last head byte to the answer's last byte handed to the kernel.
    pub latency: Duration,
    /// From sending to the upstream to its whole answer; `None` without an integration call.
    pub integration: Option<Duration>,
    /// Body bytes of request and answer together (`DataProcessed`).
    pub data_bytes: u64,
}

/// A stage's numbers: AWS's metrics of an HTTP API (`api-gateway.md` 10.1).
#[derive(Clone, Debug)]
pub struct StageSeries {
    /// The API's id or name.
    pub api: Arc<str>,
    /// The stage's name.
    pub stage: Arc<str>,
    /// Count, 4xx, 5xx.
    pub answers: Answers,
    /// DataProcessed, in bytes.
    pub data_bytes: u64,
    /// Latency.
    pub latency: Distribution,
    /// IntegrationLatency.
    pub integration_latency: Distribution,
}

/// A route's numbers.
#[derive(Clone, Debug)]
pub struct RouteSeries {
    /// Index of its stage in the snapshot.
    pub stage: u32,
    /// The route key.
    pub route: Arc<str>,
    /// Count, 4xx, 5xx.
    pub answers: Answers,
}

/// Count, 4xx, 5xx.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Every answered request.
    pub count: u64,
    /// Answers from 400 to 499.
    pub client_errors: u64,
    /// Answers from 500 to 599.
    pub server_errors: u64,
}

impl Answers {
    fn record(&mut self, status: Status) {
        self.count += 1;
        match status.code() / 100 {
            4 => self.client_errors += 1,
            5 => self.server_errors += 1,
            _ => {}
        }
    }

    /// Adds what `other` counted.
    pub const fn add(&mut self, other: Self) {
        self.count += other.count;
        self.client_errors += other.client_errors;
        self.server_errors += other.server_errors;
    }
}

/// All numbers of one shard, owned by it: recording is plain arithmetic.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// Numbers that belong to no API.
    pub shard: ShardCounters,
    /// Who refused how often.
    pub throttles: Throttles,
    /// Which IP rules refused how often.
    pub ip_rules: Throttles,
    stages: Vec<StageSeries>,
    routes: Vec<RouteSeries>,
}

impl Telemetry {
    /// Finds or makes a slot for each stage and route of a new plan.
    pub fn adopt(&mut self, names: &[StageNames]) -> SeriesMap {
        let mut slots = Slots::of(self);
        let stages = names
            .iter()
            .map(|names| {
                let stage = slots.stage(&mut self.stages, &names.api, &names.stage);
                let routes = names
                    .routes
                    .iter()
                    .map(|route| slots.route(&mut self.routes, stage, route))
                    .collect();
                (stage, routes)
            })
            .collect();
        SeriesMap { stages }
    }

    /// Counts one answered request. No allocation; about 10 ns for each duration.
    pub fn record(&mut self, key: SeriesKey, outcome: &Outcome) {
        let series = &mut self.stages[key.stage as usize];
        series.answers.record(outcome.status);
        series.data_bytes += outcome.data_bytes;
        series.latency.record(outcome.latency);
        if let Some(integration) = outcome.integration {
            series.integration_latency.record(integration);
        }
        if let Some(route) = key.route {
            self.routes[route as usize].answers.record(outcome.status);
        }
    }

    /// A copy of all numbers, to be sent away: one memory copy of about 22 KB for each stage.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            shard: self.shard.clone(),
            throttles: self.throttles.clone(),
            ip_rules: self.ip_rules.clone(),
            stages: self.stages.clone(),
            routes: self.routes.clone(),
        }
    }
}

/// The numbers of one shard at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Numbers that belong to no API.
    pub shard: ShardCounters,
    /// Who refused how often.
    pub throttles: Throttles,
    /// Which IP rules refused how often.
    pub ip_rules: Throttles,
    /// Every stage that the shard ever served.
    pub stages: Vec<StageSeries>,
    /// Every route of these stages.
    pub routes: Vec<RouteSeries>,
}

/// A shard's answer to the question for its numbers.
#[derive(Debug)]
pub struct Reported {
    /// The shard's number, from 0.
    pub shard: usize,
    /// The round of questions that it answers.
    pub round: u64,
    /// The numbers.
    pub snapshot: Snapshot,
}

impl Snapshot {
    /// Adds another shard's stages, routes and throttles, by name; `shard` is left as it is.
    pub fn merge(&mut self, other: &Self) {
        self.throttles.merge(&other.throttles);
        self.ip_rules.merge(&other.ip_rules);
        let mut slots = Slots::of_series(&self.stages, &self.routes);
        let mut places = Vec::with_capacity(other.stages.len());
        for theirs in &other.stages {
            let place = slots.stage(&mut self.stages, &theirs.api, &theirs.stage);
            let mine = &mut self.stages[place as usize];
            mine.answers.add(theirs.answers);
            mine.data_bytes += theirs.data_bytes;
            mine.latency.add(&theirs.latency);
            mine.integration_latency.add(&theirs.integration_latency);
            places.push(place);
        }
        for theirs in &other.routes {
            let stage = places[theirs.stage as usize];
            let place = slots.route(&mut self.routes, stage, &theirs.route);
            self.routes[place as usize].answers.add(theirs.answers);
        }
    }
}

/// Names to slots, made anew for each (rare) adoption or merge.
struct Slots {
    stages: HashMap<(Arc<str>, Arc<str>), u32>,
    routes: HashMap<(u32, Arc<str>), u32>,
}

impl Slots {
    fn of(telemetry: &Telemetry) -> Self {
        Self::of_series(&telemetry.stages, &telemetry.routes)
    }

    fn of_series(stages: &[StageSeries], routes: &[RouteSeries]) -> Self {
        Self {
            stages: (0..)
                .zip(stages)
                .map(|(slot, series)| ((Arc::clone(&series.api), Arc::clone(&series.stage)), slot))
                .collect(),
            routes: (0..)
                .zip(routes)
                .map(|(slot, series)| ((series.stage, Arc::clone(&series.route)), slot))
                .collect(),
        }
    }

    fn stage(&mut self, series: &mut Vec<StageSeries>, api: &Arc<str>, stage: &Arc<str>) -> u32 {
        let mut name = (Arc::clone(api), Arc::clone(stage));
        if series.len() >= STAGE_SERIES_MAX && !self.stages.contains_key(&name) {
            name = (OTHER.into(), OTHER.into());
        }
        *self.stages.entry(name).or_insert_with_key(|(api, stage)| {
            series.push(StageSeries {
                api: Arc::clone(api),
                stage: Arc::clone(stage),
                answers: Answers::default(),
                data_bytes: 0,
                latency: Distribution::default(),
                integration_latency: Distribution::default(),
            });
            slot_of_last(series.len())
        })
    }

    fn route(&mut self, series: &mut Vec<RouteSeries>, stage: u32, route: &Arc<str>) -> u32 {
        let mut name = (stage, Arc::clone(route));
        if series.len() >= ROUTE_SERIES_MAX && !self.routes.contains_key(&name) {
            name.1 = OTHER.into();
        }
        *self.routes.entry(name).or_insert_with_key(|(stage, route)| {
            series.push(RouteSeries {
                stage: *stage,
                route: Arc::clone(route),
                answers: Answers::default(),
            });
            slot_of_last(series.len())
        })
    }
}

fn slot_of_last(len: usize) -> u32 {
    u32::try_from(len - 1).expect("the number of series is bounded far below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stages: &[(&str, &str, &[&str])]) -> Vec<StageNames> {
        stages
            .iter()
            .map(|(api, stage, routes)| StageNames {
                api: (*api).into(),
                stage: (*stage).into(),
                routes: routes.iter().map(|route| (*route).into()).collect(),
            })
            .collect()
    }

    fn outcome(status: u16, latency_us: u64) -> Outcome {
        Outcome {
            status: Status::new(status).expect("a status"),
            latency: Duration::from_micros(latency_us),
            integration: (status < 500).then(|| Duration::from_micros(latency_us / 2)),
            data_bytes: 10,
        }
    }

    /// Every series as text, sorted: what a reader of the metrics could tell apart.
    fn told(snapshot: &Snapshot) -> Vec<String> {
        let stages = snapshot.stages.iter().map(|series| {
            let summary = series.latency.summarise(&[100, 10_000, 1_000_000], &[0.5, 0.99]);
            let integration = &series.integration_latency;
            format!(
                "{} {} {:?} {} {summary:?} {} {} {}",
                series.api,
                series.stage,
                series.answers,
                series.data_bytes,
                series.latency.sum_us(),
                integration.count(),
                integration.sum_us()
            )
        });
        let routes = snapshot.routes.iter().map(|series| {
            let stage = &snapshot.stages[series.stage as usize];
            format!("{} {} {} {:?}", stage.api, stage.stage, series.route, series.answers)
        });
        let mut all: Vec<String> = stages.chain(routes).collect();
        all.sort();
        all
    }

    #[track_caller]
    fn check_answers(status: u16, expected: (u64, u64, u64)) {
        let mut telemetry = Telemetry::default();
        let map = telemetry.adopt(&names(&[("pets", "$default", &["GET /pets"])]));
        telemetry.record(map.find(0, Some(0)), &outcome(status, 5));
        let snapshot = telemetry.snapshot();
        for answers in [snapshot.stages[0].answers, snapshot.routes[0].answers] {
            assert_eq!((answers.count, answers.client_errors, answers.server_errors), expected);
        }
    }

    #[test]
    fn answers_are_counted_by_class() {
        check_answers(101, (1, 0, 0));
        check_answers(200, (1, 0, 0));
        check_answers(399, (1, 0, 0));
        check_answers(400, (1, 1, 0));
        check_answers(429, (1, 1, 0));
        check_answers(499, (1, 1, 0));
        check_answers(500, (1, 0, 1));
        check_answers(599, (1, 0, 1));
    }

    #[test]
    fn a_series_survives_a_reload_that_moves_it() {
        let mut telemetry = Telemetry::default();
        let before = telemetry
            .adopt(&names(&[("a", "prod", &["GET /x", "GET /y"]), ("b", "prod", &["GET /x"])]));
        telemetry.record(before.find(0, Some(1)), &outcome(200, 5));
        let after = telemetry
            .adopt(&names(&[("c", "prod", &["GET /y"]), ("a", "prod", &["GET /y", "GET /z"])]));
        telemetry.record(after.find(1, Some(0)), &outcome(200, 5));
        assert_eq!(before.find(0, Some(1)), after.find(1, Some(0)));
        // A request that began under the old plan ends under it.
        telemetry.record(before.find(1, Some(0)), &outcome(404, 5));
        let told = told(&telemetry.snapshot());
        let starts = |text: &str| told.iter().filter(|line| line.starts_with(text)).count();
        assert_eq!(starts("a prod GET /y Answers { count: 2, client_errors: 0"), 1);
        assert_eq!(starts("b prod GET /x Answers { count: 1, client_errors: 1"), 1);
        assert_eq!(told.len(), 3 + 5);
    }

    #[test]
    fn a_request_without_a_route_counts_in_its_stage_only() {
        let mut telemetry = Telemetry::default();
        let map = telemetry.adopt(&names(&[("a", "prod", &["GET /x"])]));
        telemetry.record(map.find(0, None), &outcome(404, 5));
        let snapshot = telemetry.snapshot();
        assert_eq!(snapshot.stages[0].answers.count, 1);
        assert_eq!(snapshot.routes[0].answers.count, 0);
    }

    #[test]
    fn merging_shards_equals_recording_into_one() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let plan = names(&[("a", "prod", &["GET /x", "$default"]), ("b", "test", &["GET /x"])]);
        // Another shard may have adopted its plans in another order.
        let turned: Vec<StageNames> = plan.iter().rev().cloned().collect();
        let mut shards = [Telemetry::default(), Telemetry::default()];
        let maps = [shards[0].adopt(&plan), shards[1].adopt(&turned)];
        let mut whole = Telemetry::default();
        let whole_map = whole.adopt(&plan);
        for _ in 0..2_000 {
            let (shard, stage) = (random.usize(0..2), random.usize(0..2));
            let route = random.bool().then(|| random.usize(0..2 - stage));
            let outcome = outcome(random.u16(200..600), random.u64(0..2_000_000));
            let stage_there = if shard == 0 { stage } else { 1 - stage };
            shards[shard].record(maps[shard].find(stage_there, route), &outcome);
            whole.record(whole_map.find(stage, route), &outcome);
        }
        let mut merged = Snapshot::default();
        shards.iter().for_each(|shard| merged.merge(&shard.snapshot()));
        assert_eq!(told(&merged), told(&whole.snapshot()));
    }

    #[test]
    fn beyond_the_bound_a_stage_counts_as_other() {
        let mut telemetry = Telemetry::default();
        for number in 0..STAGE_SERIES_MAX {
            telemetry.adopt(&names(&[(&format!("api{number}"), "prod", &[])]));
        }
        let at_bound = telemetry.stages.last().expect("some").api.to_string();
        assert_eq!(at_bound, format!("api{}", STAGE_SERIES_MAX - 1));
        let map = telemetry.adopt(&names(&[
            ("late", "x", &[]),
            ("later", "y", &[]),
            ("api0", "prod", &[]),
        ]));
        assert_eq!(map.find(0, None), map.find(1, None));
        assert_eq!(map.find(2, None).stage, 0);
        assert_eq!(&*telemetry.stages[map.find(0, None).stage as usize].api, OTHER);
        assert_eq!(telemetry.stages.len(), STAGE_SERIES_MAX + 1);
    }

    #[test]
    fn beyond_the_bound_a_route_counts_as_other_of_its_stage() {
        let mut telemetry = Telemetry::default();
        let mut plan = names(&[("a", "prod", &[]), ("b", "prod", &["GET /late"])]);
        plan[0].routes = (0..=ROUTE_SERIES_MAX).map(|n| format!("GET /{n}").into()).collect();
        let map = telemetry.adopt(&plan);
        let route = |stage, route| {
            let slot = map.find(stage, Some(route)).route.expect("a route");
            let series = &telemetry.routes[slot as usize];
            (series.stage, series.route.to_string())
        };
        assert_eq!(route(0, ROUTE_SERIES_MAX - 1).1, format!("GET /{}", ROUTE_SERIES_MAX - 1));
        assert_eq!(route(0, ROUTE_SERIES_MAX), (0, OTHER.to_owned()));
        assert_eq!(route(1, 0), (1, OTHER.to_owned()));
    }
}
