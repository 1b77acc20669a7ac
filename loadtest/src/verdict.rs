//! The ratios that issues 2 to 5 require, held against what was measured.

use crate::peers::limits::Limits;
use crate::peers::tokens::Tokens;
use crate::record::{Row, Table, Verdict};

/// Rows in which Ringway with more is held against Ringway without: which, and the most that may
/// come out.
const BARE_REQUIRED: [(&str, &str, f64); 3] = [
    ("limits/64", Limits::OneKey.name(), 1.03),
    ("limits/64", Limits::ManyKeys.name(), 1.03),
    ("jwt/64", Tokens::Jwt.name(), 1.1),
];
const RESIDENT_AT_START_MIB_AT_MOST: f64 = 20.0;

/// Whom Ringway is held against.
#[derive(Clone, Copy, Debug)]
enum Against {
    Floor,
    Nginx,
    Haproxy,
    /// The cheaper of nginx and HAProxy.
    Better,
}

impl Against {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "the floor",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Better => "the better of nginx and HAProxy",
        }
    }

    fn ratio(self, row: &Row) -> Option<f64> {
        let spread = match self {
            Self::Floor => row.to_floor,
            Self::Nginx => row.to_nginx,
            Self::Haproxy => row.to_haproxy,
            Self::Better => row.to_peer,
        };
        spread.map(|spread| spread.median)
    }
}

/// CPU per request: a row's name, whose it is divided by, the most that may come out.
const REQUIRED: [(&str, Against, f64); 15] = [
    ("plain/64", Against::Floor, 1.15),
    ("plain/64", Against::Better, 0.8),
    ("plain/1", Against::Nginx, 1.0),
    ("plain/64k", Against::Haproxy, 0.9),
    ("plain/1m", Against::Haproxy, 1.0),
    ("tls/64", Against::Nginx, 1.0),
    ("tls/64", Against::Haproxy, 1.0),
    ("tls/1", Against::Nginx, 1.0),
    ("tls/1", Against::Haproxy, 1.0),
    ("handshakes/tls13-full", Against::Nginx, 1.0),
    ("handshakes/tls13-resumed", Against::Nginx, 1.0),
    ("handshakes/tls12-full", Against::Nginx, 1.0),
    ("handshakes/tls12-resumed", Against::Nginx, 1.0),
    ("h2/small", Against::Nginx, 1.0),
    ("h2/small", Against::Haproxy, 1.15),
];

/// Every requirement that these tables can decide. Empty without Ringway among the rows.
pub(crate) fn judge(tables: &[Table], resident_at_start: &[(String, u64)]) -> Vec<Verdict> {
    let verdict = |what: String, ratio: f64, at_most: f64| Verdict {
        what,
        ratio,
        at_most,
        met: ratio <= at_most,
    };
    let mut verdicts = vec![];
    for (name, against, at_most) in REQUIRED {
        let table = tables.iter().find(|table| table.workload.name == name);
        let Some((table, ringway)) = table.and_then(|t| Some((t, t.row("ringway")?))) else {
            continue;
        };
        let Some(ratio) = against.ratio(ringway) else { continue };
        let what = format!("{}, CPU to {}", table.workload.title(), against.name());
        verdicts.push(verdict(what, ratio, at_most));
    }
    for (name, gateway, at_most) in BARE_REQUIRED {
        let table = tables.iter().find(|table| table.workload.name == name);
        let Some((_, without)) = table.and_then(|table| table.workload.bare()) else { continue };
        let row = table.and_then(|table| Some((table, table.row(gateway)?.to_bare?)));
        let Some((table, ratio)) = row else { continue };
        let title = table.workload.title();
        let what = format!("{title}, {gateway}, CPU to the same without {without}");
        verdicts.push(verdict(what, ratio.median, at_most));
    }
    if let Some((_, bytes)) = resident_at_start.iter().find(|(name, _)| name == "ringway") {
        #[expect(clippy::cast_precision_loss, reason = "resident memory is far below 2^53")]
        let mebibytes = *bytes as f64 / f64::from(1 << 20);
        let what = "MiB resident at start (one shard)".to_owned();
        verdicts.push(verdict(what, mebibytes, RESIDENT_AT_START_MIB_AT_MOST));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Driven;
    use crate::record::Run;
    use crate::workload::{self, Workload};

    fn row(name: &str) -> Workload {
        let (rows, _) = workload::choose(&[name.to_owned()], &[1, 64], true).unwrap();
        rows.first().unwrap().clone()
    }

    fn table(name: &str, cpu: &[(&str, f64)]) -> Table {
        let measured = |&(name, cpu_us_per_request): &(&str, f64)| {
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
        Table::new(row(name), cpu.iter().map(measured).collect())
    }

    #[track_caller]
    fn check(name: &str, cpu: &[(&str, f64)], expected: &[bool]) {
        let verdicts = judge(&[table(name, cpu)], &[]);
        let met: Vec<bool> = verdicts.iter().map(|verdict| verdict.met).collect();
        assert_eq!(met, expected, "{verdicts:?}");
    }

    #[test]
    fn limits_are_met_at_the_limit_and_missed_beyond() {
        let peers = [("floor", 100.0), ("nginx", 144.0), ("haproxy", 143.75)];
        let with = |ringway: f64| [&peers[..], &[("ringway", ringway)]].concat();
        check("plain/64", &with(115.0), &[true, true]);
        check("plain/64", &with(115.1), &[false, false]);
        check("plain/1", &with(144.0), &[true]);
        check("plain/1", &with(144.1), &[false]);
        check("plain/64", &peers, &[]);
        let at = 20 << 20;
        assert!(judge(&[], &[("ringway".to_owned(), at)])[0].met);
        assert!(!judge(&[], &[("ringway".to_owned(), at + 200)])[0].met);
    }

    #[test]
    fn peers_are_judged_one_by_one() {
        let with = |ringway: f64| vec![("nginx", 80.0), ("haproxy", 100.0), ("ringway", ringway)];
        check("plain/64k", &with(90.0), &[true]);
        check("plain/64k", &with(90.1), &[false]);
        check("plain/1m", &with(100.0), &[true]);
        check("tls/64", &with(90.0), &[false, true]);
        check("tls/1", &with(80.0), &[true, true]);
        check("h2/small", &with(115.0), &[false, true]);
        check("handshakes/tls12-resumed", &with(81.0), &[false]);
        check("h2/1m", &with(1.0), &[]);
    }

    #[test]
    fn limits_are_held_against_none() {
        let with = |one: f64, many: f64| {
            let rows = [("no limits", 100.0), ("one key", one), ("100,000 keys", many)];
            [&rows[..], &[("one key, quota", 200.0)]].concat()
        };
        check("limits/64", &with(103.0, 103.1), &[true, false]);
        check("limits/64", &with(103.1, 99.0), &[false, true]);
        check("jwt/64", &[("no authorizer", 100.0), ("JWT", 110.0)], &[true]);
        check("jwt/64", &[("no authorizer", 100.0), ("JWT", 110.1)], &[false]);
    }

    /// A renamed row must not drop a requirement in silence.
    #[test]
    fn every_requirement_has_its_row() {
        for (name, ..) in BARE_REQUIRED {
            assert!(row(name).bare().is_some());
        }
        for (name, ..) in REQUIRED {
            assert_eq!(row(name).name, name);
        }
    }
}
