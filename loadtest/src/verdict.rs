//! The ratios that issue 2 requires, held against what was measured.

use crate::record::{Row, Spread, Table, Verdict};

const TO_FLOOR_AT_MOST: f64 = 1.15;
const TO_PEER_AT_MOST: f64 = 0.8;
const TO_NGINX_ALONE_AT_MOST: f64 = 1.0;
const RESIDENT_AT_START_MIB_AT_MOST: f64 = 20.0;

/// Every requirement that these tables can decide. Empty without Ringway among the rows.
pub(crate) fn judge(tables: &[Table], resident_at_start: &[(String, u64)]) -> Vec<Verdict> {
    let mut verdicts = vec![];
    let mut judge = |what: &str, ratio: Option<f64>, at_most: f64| {
        let Some(ratio) = ratio else { return };
        verdicts.push(Verdict { what: what.to_owned(), ratio, at_most, met: ratio <= at_most });
    };
    let small = |connections| {
        tables.iter().find(|t| t.workload.is_small() && t.workload.connections == connections)
    };
    if let Some(table) = small(64)
        && let Some(ringway) = table.row("ringway")
    {
        let median = |spread: Option<Spread>| spread.map(|spread| spread.median);
        judge("64 connections, CPU to the floor", median(ringway.to_floor), TO_FLOOR_AT_MOST);
        let what = "64 connections, CPU to the better of nginx and HAProxy";
        judge(what, median(ringway.to_peer), TO_PEER_AT_MOST);
    }
    if let Some(table) = small(1)
        && let (Some(ringway), Some(nginx)) = (table.row("ringway"), table.row("nginx"))
    {
        let ratio = Row::ratio_to(ringway, nginx).median;
        judge("1 connection, CPU to nginx", Some(ratio), TO_NGINX_ALONE_AT_MOST);
    }
    let resident = resident_at_start.iter().find(|(name, _)| name == "ringway");
    #[expect(clippy::cast_precision_loss, reason = "resident memory is far below 2^53")]
    let mebibytes = resident.map(|(_, bytes)| *bytes as f64 / f64::from(1 << 20));
    judge("MiB resident at start (one shard)", mebibytes, RESIDENT_AT_START_MIB_AT_MOST);
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Driven;
    use crate::record::{Run, Workload};

    fn table(connections: usize, cpu: &[(&str, f64)]) -> Table {
        let row = |&(name, cpu_us_per_request): &(&str, f64)| {
            let driven = Driven {
                requests: 1,
                seconds: 1.0,
                p50_us: 1.0,
                p99_us: 1.0,
                p999_us: 1.0,
                errors: 0,
                first_error: None,
            };
            let (requests_per_second, resident_bytes) = (1.0, 1);
            let run = Run { cpu_us_per_request, requests_per_second, resident_bytes, driven };
            Row::new(name, vec![run])
        };
        let workload = Workload { path: "/".to_owned(), connections };
        Table::new(workload, cpu.iter().map(row).collect())
    }

    #[track_caller]
    fn check(connections: usize, cpu: &[(&str, f64)], expected: &[bool]) {
        let verdicts = judge(&[table(connections, cpu)], &[]);
        let met: Vec<bool> = verdicts.iter().map(|verdict| verdict.met).collect();
        assert_eq!(met, expected, "{verdicts:?}");
    }

    #[test]
    fn limits_are_met_at_the_limit_and_missed_beyond() {
        let peers = [("floor", 100.0), ("nginx", 144.0), ("haproxy", 143.75)];
        let with = |ringway: f64| [&peers[..], &[("ringway", ringway)]].concat();
        check(64, &with(115.0), &[true, true]);
        check(64, &with(115.1), &[false, false]);
        check(1, &with(144.0), &[true]);
        check(1, &with(144.1), &[false]);
        check(64, &peers, &[]);
        let at = 20 << 20;
        assert!(judge(&[], &[("ringway".to_owned(), at)])[0].met);
        assert!(!judge(&[], &[("ringway".to_owned(), at + 200)])[0].met);
    }
}
