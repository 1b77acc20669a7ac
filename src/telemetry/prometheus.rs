//! The text of `GET /metrics`: Prometheus exposition format 0.0.4.
//!
//! Names map 1:1 to AWS's metrics of an HTTP API (`api-gateway.md` 10.1), merged over shards:
//! Count, 4xx, 5xx, Latency, IntegrationLatency, DataProcessed become `ringway_count_total`,
//! `ringway_4xx_total`, `ringway_5xx_total`, `ringway_latency_seconds`,
//! `ringway_integration_latency_seconds`, `ringway_data_processed_bytes_total`; by route,
//! `ringway_route_count_total` and so on. What belongs to no API has a `shard` label.

use std::fmt::{Display, Write};

use super::{
    Answers, Distribution, Kind, Refused, Snapshot, StageSeries, Throttled, Throttles, Unproxied,
};
use crate::http::Flood;

/// The content type of what [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the histograms' buckets.
const BOUNDS_US: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// One shard's part of the answer.
#[derive(Clone, Debug)]
pub struct ShardReport {
    /// The shard's number.
    pub shard: usize,
    /// Whether it answered in time. When not, `snapshot` is its last one, so that sums over shards
    /// do not fall and look like a restart.
    pub answered: bool,
    /// Its numbers; `None` when it never answered.
    pub snapshot: Option<Snapshot>,
}

/// Numbers of the process, not of a shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessNumbers {
    /// Reloads that led to a new plan.
    pub reloads_succeeded: u64,
    /// Reloads refused because the documents had errors.
    pub reloads_failed: u64,
    /// Access-log lines written.
    pub access_log_written: u64,
    /// Access-log lines that the writer could not write.
    pub access_log_failed: u64,
    /// When the process started, in seconds since 1970.
    pub started_seconds: u64,
    /// No new connections are taken; the process is ending.
    pub draining: bool,
    /// Those of quotas; `None` when there are none.
    pub quotas: Option<QuotaNumbers>,
}

/// Numbers of the journal of quotas.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuotaNumbers {
    /// It cannot be written; counting goes on in memory.
    pub journal_failing: bool,
    /// Reservations written.
    pub reservations: u64,
    /// Bytes written.
    pub journal_bytes: u64,
}

/// The whole text.
#[must_use]
pub fn render(reports: &[ShardReport], process: &ProcessNumbers) -> String {
    let mut merged = Snapshot::default();
    for snapshot in reports.iter().filter_map(|report| report.snapshot.as_ref()) {
        merged.merge(snapshot);
    }
    let mut text = Text(String::with_capacity(16 * 1024));
    text.stages(&merged.stages);
    text.routes(&merged);
    text.throttles(&merged.throttles);
    text.ip_rules(&merged.ip_rules);
    text.shards(reports);
    text.process(process);
    text.0
}

/// Name, help, and where the number stands.
type Family<Of, Number> = (&'static str, &'static str, fn(&Of) -> Number);

/// The exposition, growing; each method adds whole families.
struct Text(String);

impl Text {
    fn stages(&mut self, stages: &[StageSeries]) {
        let counts: [Family<StageSeries, u64>; 4] = [
            ("ringway_count_total", "Requests answered (Count).", |s| s.answers.count),
            ("ringway_4xx_total", "Answers from 400 to 499 (4xx).", |s| s.answers.client_errors),
            ("ringway_5xx_total", "Answers from 500 to 599 (5xx).", |s| s.answers.server_errors),
            (
                "ringway_data_processed_bytes_total",
                "Body bytes of requests and answers (DataProcessed).",
                |s| s.data_bytes,
            ),
        ];
        for (name, help, number) in counts {
            self.family(name, "counter", help);
            for series in stages {
                self.sample(name, &stage_labels(series), number(series));
            }
        }
        let what = "from the request's head to the end of its answer (Latency)";
        self.distribution("ringway_latency", what, stages, |s| &s.latency);
        let what = "from the upstream call to the end of its answer (IntegrationLatency)";
        let name = "ringway_integration_latency";
        self.distribution(name, what, stages, |s| &s.integration_latency);
    }

    /// A histogram family, then a gauge family of the quantiles, which hdrhistogram knows better
    /// than any interpolation between buckets.
    fn distribution(
        &mut self,
        base: &str,
        what: &str,
        stages: &[StageSeries],
        of: fn(&StageSeries) -> &Distribution,
    ) {
        let summaries: Vec<_> =
            stages.iter().map(|series| of(series).summarise(&BOUNDS_US, &QUANTILES)).collect();
        let name = format!("{base}_seconds");
        self.family(&name, "histogram", &format!("Time {what}."));
        for (series, summary) in stages.iter().zip(&summaries) {
            let (labels, all) = (stage_labels(series), of(series));
            let bucket = format!("{name}_bucket");
            for (bound, count) in BOUNDS_US.iter().zip(&summary.at_most) {
                self.sample(&bucket, &format!("{labels},le=\"{}\"", Seconds(*bound)), count);
            }
            self.sample(&bucket, &format!("{labels},le=\"+Inf\""), all.count());
            self.sample(&format!("{name}_sum"), &labels, Seconds(all.sum_us()));
            self.sample(&format!("{name}_count"), &labels, all.count());
        }
        let name = format!("{base}_quantile_seconds");
        self.family(&name, "gauge", &format!("Quantiles since the start of the time {what}."));
        for (series, summary) in stages.iter().zip(&summaries) {
            let labels = stage_labels(series);
            for (quantile, us) in QUANTILES.iter().zip(&summary.quantiles_us) {
                self.sample(&name, &format!("{labels},quantile=\"{quantile}\""), Seconds(*us));
            }
        }
    }

    fn routes(&mut self, merged: &Snapshot) {
        let counts: [Family<Answers, u64>; 3] = [
            ("ringway_route_count_total", "Requests answered, by route (Count).", |a| a.count),
            ("ringway_route_4xx_total", "Answers from 400 to 499, by route (4xx).", |a| {
                a.client_errors
            }),
            ("ringway_route_5xx_total", "Answers from 500 to 599, by route (5xx).", |a| {
                a.server_errors
            }),
        ];
        for (name, help, number) in counts {
            self.family(name, "counter", help);
            for series in &merged.routes {
                let stage = stage_labels(&merged.stages[series.stage as usize]);
                let labels = format!("{stage},route=\"{}\"", Escaped(&series.route));
                self.sample(name, &labels, number(&series.answers));
            }
        }
    }

    fn throttles(&mut self, throttles: &Throttles) {
        let counts: [Family<Throttled, u64>; 2] = [
            ("ringway_throttled_total", "Requests refused, by limit or usage plan.", |t| t.refused),
            ("ringway_throttled_dry_total", "Requests that a dry run would have refused.", |t| {
                t.dry
            }),
        ];
        for (name, help, number) in counts {
            self.family(name, "counter", help);
            for (limit, throttled) in throttles.iter() {
                self.sample(name, &format!("limit=\"{}\"", Escaped(limit)), number(&throttled));
            }
        }
    }

    fn ip_rules(&mut self, rules: &Throttles) {
        let name = "ringway_ip_refused_total";
        self.family(name, "counter", "Requests refused for the client's address, by IP rule.");
        for (rule, counts) in rules.iter() {
            self.sample(name, &format!("rule=\"{}\"", Escaped(rule)), counts.refused);
        }
    }

    fn shards(&mut self, reports: &[ShardReport]) {
        self.family("ringway_shard_up", "gauge", "1 when the shard sent its numbers in time.");
        for report in reports {
            self.sample("ringway_shard_up", &shard_label(report), u8::from(report.answered));
        }
        let known: Vec<_> = reports
            .iter()
            .filter_map(|report| Some((shard_label(report), &report.snapshot.as_ref()?.shard)))
            .map(|(label, counters)| (label, counters, counters.rows()))
            .collect();
        let Some((_, _, rows)) = known.first() else { return };
        for (index, row) in rows.iter().enumerate() {
            let kind = match row.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            self.family(row.name, kind, row.help);
            for (label, _, rows) in &known {
                self.sample(row.name, label, rows[index].value);
            }
        }
        let name = "ringway_refused_requests_total";
        self.family(name, "counter", "Requests refused before they reached a stage.");
        for (label, counters, _) in &known {
            for reason in Refused::ALL {
                let labels = format!("{label},reason=\"{}\"", reason.as_str());
                self.sample(name, &labels, counters.refused[reason as usize]);
            }
        }
        let name = "ringway_proxy_protocol_refused_total";
        self.family(name, "counter", "Connections closed for want of a sound PROXY header.");
        for (label, counters, _) in &known {
            for reason in Unproxied::ALL {
                let labels = format!("{label},reason=\"{}\"", reason.as_str());
                self.sample(name, &labels, counters.unproxied[reason as usize]);
            }
        }
        let name = "ringway_http2_floods_total";
        self.family(name, "counter", "HTTP/2 connections ended because of a flood.");
        for (label, counters, _) in &known {
            for flood in Flood::ALL {
                let labels = format!("{label},kind=\"{}\"", flood.as_str());
                self.sample(name, &labels, counters.floods[flood as usize]);
            }
        }
    }

    fn process(&mut self, process: &ProcessNumbers) {
        let name = "ringway_plan_reloads_total";
        self.family(name, "counter", "Reloads of the configuration, by result.");
        self.sample(name, "result=\"ok\"", process.reloads_succeeded);
        self.sample(name, "result=\"failed\"", process.reloads_failed);
        let numbers = [
            (
                "ringway_access_log_written_lines_total",
                "counter",
                "Access-log lines written.",
                process.access_log_written,
            ),
            (
                "ringway_access_log_failed_lines_total",
                "counter",
                "Access-log lines that the log's disk or reader did not take.",
                process.access_log_failed,
            ),
            (
                "ringway_draining",
                "gauge",
                "1 while the process finishes what is in flight and takes nothing new.",
                u64::from(process.draining),
            ),
            (
                "ringway_start_time_seconds",
                "gauge",
                "When the process started, in seconds since 1970.",
                process.started_seconds,
            ),
        ];
        self.numbers(&numbers);
        if let Some(quotas) = &process.quotas {
            self.quotas(quotas);
        }
        let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        self.family("ringway_build_info", "gauge", "1, labelled with the version.");
        self.sample("ringway_build_info", &version, 1);
    }

    fn quotas(&mut self, quotas: &QuotaNumbers) {
        let numbers = [
            (
                "ringway_quota_journal_failing",
                "gauge",
                "1 while the journal of quotas cannot be written and counting goes on in memory.",
                u64::from(quotas.journal_failing),
            ),
            (
                "ringway_quota_reservations_total",
                "counter",
                "Reservations of quotas that were written to the journal.",
                quotas.reservations,
            ),
            (
                "ringway_quota_journal_bytes_total",
                "counter",
                "Bytes written to the journal of quotas.",
                quotas.journal_bytes,
            ),
        ];
        self.numbers(&numbers);
    }

    /// Families of one sample, without labels.
    fn numbers(&mut self, numbers: &[(&str, &str, &str, u64)]) {
        for (name, kind, help, number) in numbers {
            self.family(name, kind, help);
            self.sample(name, "", *number);
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, number: impl Display) {
        if labels.is_empty() {
            self.line(format_args!("{name} {number}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {number}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }
}

fn stage_labels(series: &StageSeries) -> String {
    format!("api=\"{}\",stage=\"{}\"", Escaped(&series.api), Escaped(&series.stage))
}

fn shard_label(report: &ShardReport) -> String {
    format!("shard=\"{}\"", report.shard)
}

/// Microseconds shown as seconds, exactly, without trailing zeros.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, us) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if us == 0 {
            return write!(out, "{whole}");
        }
        let fraction = format!("{us:06}");
        write!(out, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// A label's value: backslash, quote and line feed escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => out.write_str("\\\\")?,
                '"' => out.write_str("\\\"")?,
                '\n' => out.write_str("\\n")?,
                other => out.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
