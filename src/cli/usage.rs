//! `ringway usage FILE`: what each key used of its quotas on each day, and what remained. Reads the
//! state folder, also while a gateway writes to it, and changes nothing.

use std::{collections::BTreeMap, fmt::Write, path::Path, process::ExitCode};

use super::{INVALID_FILE, args::UsageArgs, colours, print, tell};
use crate::{
    admin::usage::UsagePlans,
    base::limits::USAGE_DAYS_KEPT,
    config::{self, Overrides, Source, report},
    ledger::{AccountId, period::Day, quota::ClosedDay, usage::by_day},
    serve::{
        books::{explain, usage_plans},
        keeper::{read_day, read_journal},
        state_folder,
    },
};

/// Prints the table; 1 when the file or the folder cannot be read.
pub(super) fn usage(args: &UsageArgs) -> ExitCode {
    let (stage_variables, now) = (args.set.clone(), super::now());
    let overrides = Overrides { stage_variables, now, ..Overrides::default() };
    let source = Source::File(args.file.clone());
    let loaded = config::load(&source, &overrides);
    let Some(plan) = &loaded.plan else {
        let colours = colours(&std::io::stderr());
        tell(&report::render(&loaded.problems, &loaded.sources, colours));
        return ExitCode::from(INVALID_FILE);
    };
    let days = match days(args, Day::of(now)) {
        Ok(days) => days,
        Err(sentence) => {
            tell(&format!("ringway: {sentence}\n"));
            return ExitCode::from(2);
        }
    };
    let plans = usage_plans(plan);
    let rows = asked(&plans, args.plan.as_deref(), args.key.as_deref())
        .and_then(|asked| rows(&state_folder(&loaded.settings), &asked, days));
    match rows {
        Ok(rows) if args.json => print(&to_json(&rows)),
        Ok(rows) => print(&to_table(&rows)),
        Err(sentence) => {
            tell(&format!("ringway: {sentence}\n"));
            ExitCode::from(INVALID_FILE)
        }
    }
}

fn days(args: &UsageArgs, today: Day) -> Result<(Day, Day), String> {
    let to = args.to.unwrap_or(today).min(today);
    let from = args.from.unwrap_or(to);
    if from > to {
        return Err(format!("--from {from} is after the last day, {to}"));
    }
    if to.0 - from.0 >= USAGE_DAYS_KEPT {
        return Err(format!("from {from} to {to} are more days than the {USAGE_DAYS_KEPT} kept"));
    }
    Ok((from, to))
}

/// An account that is asked about.
struct Asked<'a> {
    plan: &'a str,
    key: &'a str,
    id: AccountId,
    terms: crate::ledger::QuotaTerms,
}

fn asked<'a>(
    plans: &'a UsagePlans,
    only_plan: Option<&str>,
    only_key: Option<&str>,
) -> Result<Vec<Asked<'a>>, String> {
    let is_known = |wanted: Option<&str>, known: &mut dyn Iterator<Item = &str>, what: &str| {
        let known: Vec<&str> = known.collect();
        match wanted.filter(|wanted| !known.contains(wanted)) {
            None => Ok(()),
            Some(wanted) if known.is_empty() => Err(format!("no {what} {wanted}: there is none")),
            Some(wanted) => {
                let some = known[..known.len().min(10)].join(", ");
                Err(format!("no {what} has the id {wanted}; there are {some}"))
            }
        }
    };
    is_known(only_plan, &mut plans.plans().iter().map(|plan| plan.id.as_str()), "usage plan")?;
    is_known(only_key, &mut plans.keys().iter().map(|key| key.id.as_str()), "API key")?;
    let mut asked = Vec::new();
    for plan in plans.plans().iter().filter(|plan| only_plan.is_none_or(|only| only == plan.id)) {
        let Some((limit, terms)) = plan.quota else { continue };
        let keys = plan.keys.iter().filter(|key| only_key.is_none_or(|only| only == key.as_str()));
        for key in keys.filter_map(|key| plans.key(key).ok()) {
            let id = AccountId::new(limit, key.subject);
            asked.push(Asked { plan: &plan.id, key: &key.id, id, terms });
        }
    }
    Ok(asked)
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    plan: String,
    key: String,
    day: Day,
    used: u64,
    remaining: u64,
    limit: u64,
    /// Beyond `used`, what a crash now would count as used.
    reserved: u64,
}

fn rows(folder: &Path, asked: &[Asked<'_>], (from, to): (Day, Day)) -> Result<Vec<Row>, String> {
    let first = asked.iter().map(|asked| asked.terms.start(from)).min().unwrap_or(from);
    let mut closed: BTreeMap<AccountId, Vec<ClosedDay>> = BTreeMap::new();
    for day in first.0..=to.0 {
        for day in read_day(folder, Day(day)).map_err(|fault| explain(&fault))? {
            closed.entry(day.id).or_default().push(day);
        }
    }
    let (replay, _) = read_journal(folder).map_err(|fault| explain(&fault))?;
    let mut rows = Vec::new();
    for Asked { plan, key, id, terms } in asked {
        let now = replay.counted().get(id);
        let past = closed.get(id).map(Vec::as_slice).unwrap_or_default();
        let usage = by_day(terms, now, past, (from, to));
        for (day, [used, remaining]) in (from.0..=to.0).map(Day).zip(usage) {
            let current = now.filter(|now| terms.start(day) == terms.start(now.period));
            let limit = current.map_or(terms.limit, |now| now.limit);
            let reserved = current.map_or(0, |now| now.reserved.saturating_sub(now.used));
            let (plan, key) = ((*plan).to_owned(), (*key).to_owned());
            rows.push(Row { plan, key, day, used, remaining, limit, reserved });
        }
    }
    Ok(rows)
}

fn to_json(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|Row { plan, key, day, used, remaining, limit, reserved }| {
            serde_json::json!({
                "usagePlanId": plan,
                "keyId": key,
                "date": day.to_string(),
                "used": used,
                "remaining": remaining,
                "limit": limit,
                "reserved": reserved,
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(rows))
}

fn to_table(rows: &[Row]) -> String {
    const NAMES: [&str; 6] = ["PLAN", "KEY", "DAY", "USED", "REMAINING", "LIMIT"];
    if rows.is_empty() {
        return "no usage plan with a quota has an API key\n".to_owned();
    }
    let lines: Vec<[String; 6]> = std::iter::once(NAMES.map(str::to_owned))
        .chain(rows.iter().map(|row| {
            let Row { plan, key, day, used, remaining, limit, .. } = row;
            let numbers = [used, remaining, limit].map(u64::to_string);
            let [used, remaining, limit] = numbers;
            [plan.clone(), key.clone(), day.to_string(), used, remaining, limit]
        }))
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..NAMES.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        let mut drawn = String::new();
        for (column, (word, width)) in line.iter().zip(&widths).enumerate() {
            // Names to the left, numbers to the right.
            let cell =
                if column < 3 { format!("{word:<width$}") } else { format!("{word:>width$}") };
            write!(drawn, "{}{cell}", if column == 0 { "" } else { "  " })
                .expect("a String takes everything");
        }
        text.push_str(drawn.trim_end());
        text.push('\n');
    }
    if rows.iter().any(|row| row.reserved > 0) {
        text.push_str(
            "While the gateway runs, or after a crash, up to a hundredth of a limit more may have \
             been used.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_for_people() {
        let row = |key: &str, used, remaining, reserved| Row {
            plan: "gold".to_owned(),
            key: key.to_owned(),
            day: Day(20_783),
            used,
            remaining,
            limit: 10_000,
            reserved,
        };
        let table = to_table(&[row("alice-and-others", 12, 9_988, 0), row("bob", 0, 10_000, 0)]);
        let expected = "\
PLAN  KEY               DAY         USED  REMAINING  LIMIT
gold  alice-and-others  2026-11-26    12       9988  10000
gold  bob               2026-11-26     0      10000  10000
";
        assert_eq!(table, expected);
        assert!(to_table(&[row("a", 1, 2, 3)]).contains("after a crash"));
        assert!(to_table(&[]).contains("no usage plan"));
    }
}
