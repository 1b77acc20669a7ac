//! Per-shard counters and hdrhistograms, merge, Prometheus text; the shard's half of the access
//! log. Recording is plain arithmetic on what the shard owns: no atomics, no allocation, no clock.
//!
//! [`Telemetry`] is one shard's; [`Telemetry::snapshot`] makes a [`Snapshot`] that can be sent
//! away and merged; [`prometheus::render`] makes the text of `GET /metrics` of all shards.
//! [`access_log::channel`] makes one [`access_log::AccessLog`] for each shard and the end that
//! the writer thread (`shard::log_writer`) reads.

pub mod access_log;
mod counters;
mod distribution;
pub mod prometheus;
mod series;
mod throttles;

pub use counters::{Kind, Refused, Row, ShardCounters, Unproxied};
pub use distribution::{DURATION_US_MAX, Distribution, Summary};
pub use series::{
    Answers, OTHER, Outcome, Reported, RouteSeries, SeriesKey, SeriesMap, Snapshot, StageNames,
    StageSeries, Telemetry,
};
pub use throttles::{Throttled, Throttles};
