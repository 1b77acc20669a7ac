//! What a comparison found, in the form in which it is kept: JSON for machines, Markdown for
//! people. The summary numbers are computed here from the single runs, which are all kept.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::drive::Driven;
use crate::idle::Idle;
use crate::workload::Workload;

/// One gateway driven once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) cpu_us_per_request: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) driven: Driven,
}

/// The middle of several rounds and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match (sorted.len(), sorted.len() % 2) {
            (0, _) => f64::NAN,
            (_, 0) => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        let lowest = sorted.first().copied().unwrap_or(f64::NAN);
        let highest = sorted.last().copied().unwrap_or(f64::NAN);
        Self { median, lowest, highest }
    }
}

/// One gateway under one load, over all rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) gateway: String,
    pub(crate) runs: Vec<Run>,
    pub(crate) cpu_us: Spread,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// CPU per request divided by the floor's in the same round.
    pub(crate) to_floor: Option<Spread>,
    /// The same against nginx's, HAProxy's, and that of the better of them.
    pub(crate) to_nginx: Option<Spread>,
    pub(crate) to_haproxy: Option<Spread>,
    pub(crate) to_peer: Option<Spread>,
    /// Of Ringway with more (limits, an authorizer): against Ringway without.
    pub(crate) to_bare: Option<Spread>,
}

impl Row {
    pub(crate) fn new(gateway: &str, runs: Vec<Run>) -> Self {
        let middle = |of: fn(&Run) -> f64| Spread::of(runs.iter().map(of)).median;
        Self {
            gateway: gateway.to_owned(),
            cpu_us: Spread::of(runs.iter().map(|run| run.cpu_us_per_request)),
            requests_per_second: middle(|run| run.requests_per_second),
            p50_us: middle(|run| run.driven.p50_us),
            p99_us: middle(|run| run.driven.p99_us),
            p999_us: middle(|run| run.driven.p999_us),
            resident_bytes: runs.iter().map(|run| run.resident_bytes).max().unwrap_or(0),
            errors: runs.iter().map(|run| run.driven.errors).sum(),
            first_error: runs.iter().find_map(|run| run.driven.first_error.clone()),
            to_floor: None,
            to_nginx: None,
            to_haproxy: None,
            to_peer: None,
            to_bare: None,
            runs,
        }
    }

    /// Per-round ratios of CPU per request, so that what slowed a whole round cancels out.
    pub(crate) fn ratio_to(&self, other: &Self) -> Spread {
        let pairs = self.runs.iter().zip(&other.runs);
        Spread::of(pairs.map(|(own, other)| own.cpu_us_per_request / other.cpu_us_per_request))
    }
}

/// One load over all gateways.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) workload: Workload,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(workload: Workload, mut rows: Vec<Row>) -> Self {
        let find = |name: &str| rows.iter().find(|row| row.gateway == name).cloned();
        let [floor, nginx, haproxy] = &["floor", "nginx", "haproxy"].map(find);
        let bare = workload.bare().and_then(|(name, _)| find(name));
        let peer = better_peer(&rows).cloned();
        for row in &mut rows {
            let others = [floor, nginx, haproxy, &peer, &bare];
            [row.to_floor, row.to_nginx, row.to_haproxy, row.to_peer, row.to_bare] =
                others.map(|other| other.as_ref().map(|other| row.ratio_to(other)));
        }
        Self { workload, rows }
    }

    pub(crate) fn row(&self, gateway: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.gateway == gateway)
    }
}

/// The cheaper of nginx and HAProxy.
pub(crate) fn better_peer(rows: &[Row]) -> Option<&Row> {
    let peers = rows.iter().filter(|row| matches!(row.gateway.as_str(), "nginx" | "haproxy"));
    peers.min_by(|a, b| a.cpu_us.median.total_cmp(&b.cpu_us.median))
}

/// One gateway at a fixed rate; latency from when each request should have left.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FixedRate {
    pub(crate) gateway: String,
    pub(crate) requests_per_second: f64,
    pub(crate) driven: Driven,
}

/// What one gateway and a client over TLS agreed to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Negotiated {
    pub(crate) gateway: String,
    pub(crate) agreed: String,
}

/// A gateway that could not be measured, which makes the comparison fail.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NotMeasured {
    pub(crate) gateway: String,
    pub(crate) what: String,
    pub(crate) why: String,
}

/// One required ratio and whether it was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) ratio: f64,
    pub(crate) at_most: f64,
    pub(crate) met: bool,
}

/// Everything that is recorded of one comparison.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) date: String,
    pub(crate) commit: String,
    /// The working tree had changes that the commit does not have.
    pub(crate) dirty: bool,
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) command_line: String,
    pub(crate) generator: String,
    pub(crate) rounds: usize,
    pub(crate) seconds_each: u64,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) resident_at_start: Vec<(String, u64)>,
    pub(crate) tables: Vec<Table>,
    pub(crate) fixed_rate: Vec<FixedRate>,
    pub(crate) negotiated: Vec<Negotiated>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) not_measured: Vec<NotMeasured>,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Record {
    /// Whether every row is free of errors.
    pub(crate) fn is_valid(&self) -> bool {
        let rows = self.tables.iter().flat_map(|table| &table.rows).map(|row| row.errors);
        let errors = rows.chain(self.fixed_rate.iter().map(|f| f.driven.errors)).sum::<u64>();
        errors == 0 && self.idle.iter().all(|idle| idle.all_well)
    }

    /// The report as Markdown, which is also what the terminal gets.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        let dirty = if self.dirty { " with uncommitted changes" } else { "" };
        writeln!(out, "Commit {}{dirty}, {}, kernel {}", self.commit, self.date, self.kernel)?;
        writeln!(out, "{}, {} cores. `{}`", self.cpu, self.cores, self.command_line)?;
        writeln!(
            out,
            "{} rounds of {} s each. HTTP/1.1 on kept connections is driven by {}, new connections \
             by clients on rustls, HTTP/2 by h2load. Medians over rounds; ratios are medians of \
             per-round ratios of CPU per request [lowest, highest]. Each run opens its connections \
             anew: their handshakes are in its figures.",
            self.rounds, self.seconds_each, self.generator
        )?;
        for table in &self.tables {
            write_table(out, table)?;
        }
        self.write_fixed_rate(out)?;
        self.write_idle(out)?;
        writeln!(out, "\nVersions:")?;
        for (name, version) in &self.versions {
            let resident = self.resident_at_start.iter().find(|(of, _)| of == name);
            let resident = resident.map_or(String::new(), |(_, bytes)| {
                format!(", {} resident before load", mib(*bytes))
            });
            writeln!(out, "- {name}: {version}{resident}")?;
        }
        if !self.negotiated.is_empty() {
            writeln!(out, "\nAgreed with the clients on rustls, which prefer X25519:")?;
        }
        for Negotiated { gateway, agreed } in &self.negotiated {
            writeln!(out, "- {gateway}: {agreed}")?;
        }
        if !self.verdicts.is_empty() {
            writeln!(out, "\nRequired:")?;
        }
        for verdict in &self.verdicts {
            let word = if verdict.met { "met" } else { "**MISSED**" };
            let Verdict { what, ratio, at_most, .. } = verdict;
            writeln!(out, "- {word}: {what}: {ratio:.3}, at most {at_most}")?;
        }
        for NotMeasured { gateway, what, why } in &self.not_measured {
            writeln!(out, "- **NOT MEASURED**: {gateway}, {what}: {why}")?;
        }
        if !self.is_valid() {
            writeln!(
                out,
                "\n**INVALID: rows marked with ! had errors; their figures are not a result.**"
            )?;
        }
        Ok(())
    }

    fn write_fixed_rate(&self, out: &mut String) -> std::fmt::Result {
        let Some(first) = self.fixed_rate.first() else { return Ok(()) };
        writeln!(
            out,
            "\n### Fixed rate: {:.0} requests per second, 64 connections\n\n\
             Latency from when each request should have left (coordinated omission corrected).\n",
            first.requests_per_second
        )?;
        writeln!(out, "| gateway | p50 us | p99 us | p99.9 us | answered/s | errors |")?;
        writeln!(out, "|---|--:|--:|--:|--:|--:|")?;
        for row in &self.fixed_rate {
            let Driven { p50_us, p99_us, p999_us, errors, .. } = &row.driven;
            let (name, rate) = (&row.gateway, row.driven.requests_per_second());
            writeln!(
                out,
                "| {name} | {p50_us:.0} | {p99_us:.0} | {p999_us:.0} | {rate:.0} | {errors} |"
            )?;
        }
        Ok(())
    }

    fn write_idle(&self, out: &mut String) -> std::fmt::Result {
        let Some(first) = self.idle.first() else { return Ok(()) };
        writeln!(
            out,
            "\n### {} idle connections over TLS 1.3, each answered once\n\n\
             Resident memory of the gateway; the kernel's is not in it. {} were asked for.\n",
            first.connections, first.connections_wanted
        )?;
        writeln!(out, "| gateway | connections | RSS before | RSS | bytes each | all served |")?;
        writeln!(out, "|---|--:|--:|--:|--:|---|")?;
        for idle in &self.idle {
            let Idle { gateway, connections, bytes_each, .. } = idle;
            let (before, after) = (mib(idle.resident_bytes_before), mib(idle.resident_bytes));
            let well = if idle.all_well { "yes" } else { "**no**" };
            writeln!(
                out,
                "| {gateway} | {connections} | {before} | {after} | {bytes_each} | {well} |"
            )?;
        }
        Ok(())
    }
}

fn write_table(out: &mut String, table: &Table) -> std::fmt::Result {
    writeln!(out, "\n### {}\n", table.workload.title())?;
    writeln!(
        out,
        "| gateway | CPU us/request | to floor | to nginx | to HAProxy | requests/s | p50 us \
         | p99 us | p99.9 us | RSS | errors |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    let mut beside = vec![];
    for row in &table.rows {
        let mark = if row.errors > 0 { "!" } else { "" };
        let cpu = &row.cpu_us;
        writeln!(
            out,
            "| {}{mark} | {:.2} [{:.2}, {:.2}] | {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {} \
             | {} |",
            row.gateway,
            cpu.median,
            cpu.lowest,
            cpu.highest,
            ratio(row.to_floor.as_ref()),
            ratio(row.to_nginx.as_ref()),
            ratio(row.to_haproxy.as_ref()),
            row.requests_per_second,
            row.p50_us,
            row.p99_us,
            row.p999_us,
            mib(row.resident_bytes),
            row.errors
        )?;
        if let Some(to_bare) = &row.to_bare {
            beside.push(format!("{} {}", row.gateway, ratio(Some(to_bare))));
        }
        if let Some(error) = &row.first_error {
            eprintln!("{}: INVALID: {}: {error}", table.workload.title(), row.gateway);
        }
    }
    if let (false, Some((_, what))) = (beside.is_empty(), table.workload.bare()) {
        writeln!(out, "\nTo the same without {what}: {}.", beside.join(", "))?;
    }
    Ok(())
}

fn ratio(spread: Option<&Spread>) -> String {
    spread
        .map_or("-".to_owned(), |s| format!("{:.3} [{:.2}, {:.2}]", s.median, s.lowest, s.highest))
}

fn mib(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}

/// The commit of the workspace, and whether files differ from it.
pub(crate) fn commit(workspace: &Path) -> io::Result<(String, bool)> {
    let git = |arguments: &[&str]| {
        Command::new("git").current_dir(workspace).args(arguments).output().map(|o| o.stdout)
    };
    // The results of an earlier comparison change nothing that is measured.
    let status = ["status", "--porcelain", "--", ".", ":!loadtest/results"];
    let commit = String::from_utf8_lossy(&git(&["rev-parse", "--short=12", "HEAD"])?).trim().into();
    Ok((commit, !git(&status)?.is_empty()))
}

/// Kernel release and CPU model.
pub(crate) fn machine() -> (String, String) {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    (kernel, model.map_or("unknown CPU".to_owned(), |(_, name)| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(gateway: &str, cpu: &[f64]) -> Row {
        let driven = Driven {
            requests: 10,
            seconds: 1.0,
            p50_us: 1.0,
            p99_us: 2.0,
            p999_us: 3.0,
            errors: 0,
            first_error: None,
        };
        let run = |&cpu_us_per_request: &f64| Run {
            cpu_us_per_request,
            requests_per_second: 10.0,
            resident_bytes: 1 << 20,
            driven: driven.clone(),
        };
        Row::new(gateway, cpu.iter().map(run).collect())
    }

    #[test]
    fn a_spread_has_its_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, lowest: 1.0, highest: 3.0 });
        assert!((Spread::of([1.0, 2.0, 4.0, 9.0]).median - 3.0).abs() < 1e-9);
        assert!(Spread::of([]).median.is_nan());
    }

    /// The second round was twice as slow for everybody: the ratio must not notice.
    #[test]
    fn ratios_are_taken_within_a_round() {
        let rows = vec![
            row("floor", &[10.0, 20.0]),
            row("ringway", &[11.0, 22.0]),
            row("nginx", &[20.0, 40.0]),
            row("haproxy", &[22.0, 44.0]),
        ];
        let workload = Workload::plain("/", 64);
        let table = Table::new(workload, rows);
        let ringway = table.row("ringway").unwrap();
        assert_eq!(format!("{:.3}", ringway.to_floor.unwrap().median), "1.100");
        assert_eq!(format!("{:.3}", ringway.to_peer.unwrap().highest), "0.550");
        assert_eq!(format!("{:.3}", ringway.to_haproxy.unwrap().median), "0.500");
    }
}
