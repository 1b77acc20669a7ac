//! The comparison as an SVG for the README: one group of bars for each workload, CPU per request.
//! No background, and colours from the reader's scheme, so that it stands on light and dark pages.

use std::fmt::Write as _;

use crate::record::{Record, Row, Table};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 90.0;
const VALUES: f64 = 190.0;
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;
const TITLE: f64 = 38.0;

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .faint { fill: #59636e; font-size: 12px }
  .bar { fill: #8c959f } .floor { fill: #c3c9d0 } .ringway { fill: #1a7f5a }
  .spread { stroke: #1f2328; stroke-width: 1.2; opacity: .55 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .faint { fill: #9198a1 }
    .bar { fill: #6e7681 } .floor { fill: #444c56 } .ringway { fill: #3fb68b }
    .spread { stroke: #e6edf3 }
  }
";

/// Which tables are in which picture, by the end of its name: a picture for HTTP/1.1, one for all
/// that is spoken in public (named by its group if it has one only), one each for groups in which
/// Ringway is held against itself.
pub(crate) fn sort(tables: &[Table]) -> Vec<(String, Vec<&Table>)> {
    let chart = |table: &&Table| match table.workload.group() {
        "plain" => "",
        group if table.workload.bare().is_some() => group,
        _ => "tls",
    };
    let mut charts: Vec<(&str, Vec<&Table>)> = vec![];
    for table in tables {
        let name = chart(&table);
        match charts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, tables)) => tables.push(table),
            None => charts.push((name, vec![table])),
        }
    }
    charts.into_iter().map(|(name, tables)| (ending(name, &tables), tables)).collect()
}

fn ending(name: &str, tables: &[&Table]) -> String {
    let first = tables[0].workload.group();
    let is_one = tables.iter().all(|table| table.workload.group() == first);
    match name {
        "" => ".svg".to_owned(),
        _ if is_one => format!("-{first}.svg"),
        _ => format!("-{name}.svg"),
    }
}

/// A picture of these tables of a record.
pub(crate) fn render(record: &Record, tables: &[&Table]) -> String {
    let mut body = String::new();
    let mut y = 4.0;
    for table in tables {
        // Writing to a String cannot fail.
        let _ = write_group(&mut body, table, &mut y);
    }
    let note = format!(
        "CPU microseconds of the gateway per request, lower is better: median of {} rounds, line: \
         lowest to highest.",
        record.rounds
    );
    let place = format!("{}, kernel {}, commit {}", record.cpu, record.kernel, record.commit);
    for line in [note, place] {
        y += 16.0;
        let _ = writeln!(body, r#"<text class="faint" x="0" y="{y:.0}">{}</text>"#, escape(&line));
    }
    let height = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"CPU per request of gateways compared\">\n\
         <style>{STYLE}</style>\n{body}</svg>\n"
    )
}

fn write_group(out: &mut String, table: &Table, y: &mut f64) -> std::fmt::Result {
    let title = escape(&table.workload.title());
    writeln!(out, r#"<text class="title" x="0" y="{:.0}">{title}</text>"#, *y + 18.0)?;
    *y += TITLE - GAP;
    let highest = table.rows.iter().map(|row| row.cpu_us.highest).fold(1e-9, f64::max);
    let scale = (WIDTH - LABELS - VALUES) / highest;
    for row in &table.rows {
        write_bar(out, row, *y, scale)?;
        *y += BAR + GAP;
    }
    *y += GAP;
    Ok(())
}

fn write_bar(out: &mut String, row: &Row, y: f64, scale: f64) -> std::fmt::Result {
    let class = match row.gateway.as_str() {
        "ringway" => "bar ringway",
        "floor" => "bar floor",
        _ => "bar",
    };
    let (middle, text_y) = (y + BAR / 2.0, y + BAR / 2.0 + 4.5);
    let [length, low, high] =
        [row.cpu_us.median, row.cpu_us.lowest, row.cpu_us.highest].map(|us| us * scale);
    let name = escape(&row.gateway);
    writeln!(
        out,
        r#"<text x="{:.0}" y="{text_y:.1}" text-anchor="end">{name}</text>"#,
        LABELS - 8.0
    )?;
    write!(out, r#"<rect class="{class}" x="{LABELS}" y="{y:.1}" "#)?;
    writeln!(out, r#"width="{length:.1}" height="{BAR}" rx="3"/>"#)?;
    let (from, to) = (LABELS + low, LABELS + high);
    writeln!(
        out,
        r#"<line class="spread" x1="{from:.1}" x2="{to:.1}" y1="{middle:.1}" y2="{middle:.1}"/>"#
    )?;
    let ratio = match (row.to_bare, row.to_floor, row.to_nginx) {
        (Some(to), ..) => format!("  ({:.3} x without)", to.median),
        (None, Some(to), _) => format!("  ({:.2} x floor)", to.median),
        (None, None, Some(to)) => format!("  ({:.2} x nginx)", to.median),
        (None, None, None) => String::new(),
    };
    let value = if row.errors > 0 {
        "invalid: errors".to_owned()
    } else {
        format!("{:.1} us{ratio}", row.cpu_us.median)
    };
    writeln!(out, r#"<text x="{:.1}" y="{text_y:.1}">{value}</text>"#, LABELS + high + 8.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{escape, sort, write_group};
    use crate::drive::Driven;
    use crate::record::{Row, Run, Table};
    use crate::workload::{self, Workload};

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("a<b>&c"), "a&lt;b&gt;&amp;c");
    }

    #[test]
    fn charts_are_named_by_what_is_in_them() {
        let check = |rows: &str, expected: &[(&str, usize)]| {
            let wanted: Vec<String> = rows.split(',').map(str::to_owned).collect();
            let (rows, _) = workload::choose(&wanted, &[1, 64], true).unwrap();
            let tables: Vec<Table> = rows.into_iter().map(|row| Table::new(row, vec![])).collect();
            let found: Vec<(String, usize)> =
                sort(&tables).into_iter().map(|(ending, of)| (ending, of.len())).collect();
            let expected: Vec<(String, usize)> =
                expected.iter().map(|(ending, of)| ((*ending).to_owned(), *of)).collect();
            assert_eq!(found, expected);
        };
        check("plain", &[(".svg", 4)]);
        check("limits", &[("-limits.svg", 1)]);
        check("jwt", &[("-jwt.svg", 1)]);
        check("h2c", &[("-h2c.svg", 1)]);
        check("tls/1,h2", &[("-tls.svg", 4)]);
        check("all", &[(".svg", 4), ("-tls.svg", 12), ("-limits.svg", 1), ("-jwt.svg", 1)]);
    }

    #[test]
    fn the_longest_bar_fills_the_space_and_errors_show_no_figure() {
        let row = |gateway: &str, cpu_us_per_request, errors| {
            let (p50_us, p99_us, p999_us) = (1.0, 1.0, 1.0);
            let (requests, seconds, first_error) = (1, 1.0, None);
            let driven = Driven { requests, seconds, p50_us, p99_us, p999_us, errors, first_error };
            let (requests_per_second, resident_bytes) = (1.0, 1);
            let run = Run { cpu_us_per_request, requests_per_second, resident_bytes, driven };
            Row::new(gateway, vec![run])
        };
        let workload = Workload::plain("/", 64);
        let rows = vec![row("floor", 10.0, 0), row("ringway", 12.0, 0), row("nginx", 20.0, 3)];
        let (mut out, mut y) = (String::new(), 0.0);
        write_group(&mut out, &Table::new(workload, rows), &mut y).unwrap();
        assert!(out.contains("64 connections, small responses"), "{out}");
        assert!(out.contains(r#"class="bar ringway" x="90" y="#), "{out}");
        assert!(out.contains("12.0 us  (1.20 x floor)"), "{out}");
        assert!(out.contains(r#"width="480.0" height="22""#), "the longest: {out}");
        assert!(out.contains("invalid: errors") && !out.contains("20.0 us"), "{out}");
        assert!(!out.contains('\\'), "{out}");
    }
}
