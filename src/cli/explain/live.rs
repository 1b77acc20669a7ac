//! `ringway explain FILE --key ID`: what is left of a caller's limits in the running gateway, which
//! is asked at its private port.

use std::{fmt::Write, net::IpAddr, process::ExitCode};

use serde_json::Value;

use crate::{
    base::ListenAddress,
    cli::{INVALID_FILE, args::ExplainArgs, print, private, tell},
    config::Settings,
};

/// With more shards than this the table has one column for all of them.
const SHARD_COLUMNS_MAX: usize = 8;
/// Routes that nobody has used for a while are told when they are no more than this.
const UNUSED_ROUTES_MAX: usize = 10;

/// Asks and prints; 1 when there is no answer.
pub(super) fn explain(args: &ExplainArgs, settings: &Settings) -> ExitCode {
    let address = args.private.as_ref().unwrap_or(&settings.admin);
    let target = target(args.key.as_deref(), args.source_ip, &args.header);
    let told = ask(address, &target).map_err(|why| match why {
        Refused::Unanswered(why) => format!(
            "the private port {address}: {why}; start the gateway (ringway run {}), or say where \
             it listens with --private ADDR",
            args.file.display()
        ),
        Refused::Answered(sentence) => sentence,
    });
    match told {
        Ok((text, _)) if args.json => print(&text),
        Ok((_, told)) => print(&to_text(&told)),
        Err(sentence) => {
            tell(&format!("ringway: {sentence}\n"));
            ExitCode::from(INVALID_FILE)
        }
    }
}

enum Refused {
    Unanswered(String),
    Answered(String),
}

fn ask(address: &ListenAddress, target: &str) -> Result<(String, Value), Refused> {
    let unanswered = |why: String| Refused::Unanswered(why);
    let (status, body) =
        private::get(address, target).map_err(|why| unanswered(why.to_string()))?;
    let told: Value = serde_json::from_str(&body).map_err(|_| {
        unanswered("whoever listens there is no private port: its answer is no JSON".to_owned())
    })?;
    let message = || told["message"].as_str().unwrap_or("no reason is given").to_owned();
    match status {
        200 if told["limits"].is_array() => Ok((body, told)),
        404 if told["message"].as_str().is_some_and(|text| text.starts_with("Invalid API Key")) => {
            let sentence = "the running gateway has no API key with this id; its ids are told by \
                            GET /apikeys of its private port";
            Err(Refused::Answered(sentence.to_owned()))
        }
        400 => Err(Refused::Answered(message())),
        _ => Err(unanswered(format!("it answers {status} ({})", message()))),
    }
}

fn target(key: Option<&str>, source_ip: Option<IpAddr>, headers: &[String]) -> String {
    let mut members = Vec::new();
    members.extend(key.map(|key| format!("keyId={}", encoded(key))));
    members.extend(source_ip.map(|address| format!("sourceIp={}", encoded(&address.to_string()))));
    members.extend(headers.iter().map(|header| format!("header={}", encoded(header))));
    match members.is_empty() {
        true => "/limits".to_owned(),
        false => format!("/limits?{}", members.join("&")),
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn to_text(told: &Value) -> String {
    let mut out = String::new();
    if let Some(id) = told["key"]["id"].as_str() {
        let state = if told["key"]["enabled"] == true { "enabled" } else { "disabled" };
        let name = match text(&told["key"]["name"]) {
            name if name == id => String::new(),
            name => format!(" ({name})"),
        };
        let _ = writeln!(out, "Key    {id}{name}: {state}");
        let plans = items(&told["usagePlans"]);
        plans.iter().for_each(|plan| tell_plan(plan, &mut out));
        if plans.is_empty() {
            out.push_str("Plan   none: it may not call what asks for a key\n");
        }
    }
    match items(&told["limits"]) {
        [] => out.push_str("No limits hold here\n"),
        limits => {
            out.push_str(if out.is_empty() { "" } else { "\n" });
            let (unused, mut shown): (Vec<&Value>, Vec<&Value>) =
                limits.iter().partition(|limit| is_unused_route(limit));
            if unused.len() <= UNUSED_ROUTES_MAX {
                shown = limits.iter().collect();
            }
            out.push_str(&to_table(&shown));
            let hidden = limits.len() - shown.len();
            if hidden > 0 {
                let _ = writeln!(out, "{hidden} limits of routes are full and never refused");
            }
        }
    }
    let left_out = number(&told["limitsLeftOut"]);
    if left_out > 0 {
        let _ = writeln!(out, "{left_out} more limits of routes are not told");
    }
    let missing: Vec<String> = items(&told["shardsMissing"]).iter().map(text).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let _ = writeln!(out, "Not told, since they did not answer in time: shards {missing}");
    }
    out
}

fn is_unused_route(limit: &Value) -> bool {
    let is_full = limit["remaining"] == limit["burstLimit"];
    limit["level"] == "ROUTE" && is_full && number(&limit["refused"]) + by_all(limit) == 0
}

fn tell_plan(plan: &Value, out: &mut String) {
    let stages = items(&plan["stages"]).iter().map(|stage| {
        let (api, stage) = (text(&stage["apiId"]), text(&stage["stage"]));
        format!("{api}/{stage}")
    });
    let stages: Vec<String> = stages.collect();
    let _ = writeln!(out, "Plan   {}: on {}", text(&plan["name"]), stages.join(", "));
    let quota = &plan["quota"];
    if quota.is_object() {
        let numbers = ["limit", "used", "remaining"].map(|name| number(&quota[name]));
        let [limit, used, remaining] = numbers;
        let period = text(&quota["period"]).to_lowercase();
        let held = items(&quota["shards"]).iter().map(|shard| number(&shard["left"]));
        let (held, resets) = (held.sum::<u64>(), text(&quota["resetsAt"]));
        let refused = number(&quota["refusedByAll"]);
        let _ = writeln!(
            out,
            "Quota  {limit} a {period}: {used} used, {remaining} left ({held} of it leased to \
             shards) until {resets}; refused to the plan's keys {refused} times"
        );
    }
}

fn to_table(limits: &[&Value]) -> String {
    let shards = limits.iter().map(|limit| items(&limit["shards"])).max_by_key(|all| all.len());
    let shards: Vec<u64> =
        shards.unwrap_or_default().iter().map(|shard| number(&shard["shard"])).collect();
    let mut names: Vec<String> =
        ["LIMIT", "LEVEL", "ALLOWS", "LEFT", "REFUSED", "TO ALL", "LEDGER"].map(Into::into).into();
    let is_wide = shards.len() <= SHARD_COLUMNS_MAX;
    match is_wide {
        true => names.extend(shards.iter().map(|shard| format!("SHARD {shard}"))),
        false => names.push("SHARDS".to_owned()),
    }
    let mut lines = vec![names];
    for limit in limits {
        let mut line = vec![text(&limit["name"]), level(limit), allows(limit)];
        line.extend(["remaining", "refused"].map(|name| cell(&limit[name])));
        line.push(by_all(limit).to_string());
        line.push(cell(&limit["ledger"]["level"]));
        let of_shards = items(&limit["shards"]);
        let tokens = |shard: &Value| number(&shard["tokens"]);
        match is_wide {
            true => line.extend(shards.iter().map(|at| {
                let found = of_shards.iter().find(|shard| number(&shard["shard"]) == *at);
                found.map_or("-".to_owned(), |shard| tokens(shard).to_string())
            })),
            false => line.push(of_shards.iter().map(tokens).sum::<u64>().to_string()),
        }
        lines.push(line);
    }
    let mut out = String::new();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> =
        (0..lines[0].len()).map(|column| width(column).unwrap_or_default()).collect();
    for line in &lines {
        let mut drawn = String::new();
        for (column, (word, width)) in line.iter().zip(&widths).enumerate() {
            // Words to the left, numbers to the right.
            let gap = if column == 0 { "" } else { "  " };
            let _ = match column < 3 {
                true => write!(drawn, "{gap}{word:<width$}"),
                false => write!(drawn, "{gap}{word:>width$}"),
            };
        }
        out.push_str(drawn.trim_end());
        out.push('\n');
    }
    tell_unasked(limits, &mut out);
    out
}

/// What would have to be said to see more.
fn tell_unasked(limits: &[&Value], out: &mut String) {
    let unasked: Vec<&Value> =
        limits.iter().copied().filter(|limit| limit["ledger"].is_null()).collect();
    if unasked.iter().any(|limit| limit["key"]["type"] == "ADDRESS") {
        out.push_str("What is left by client address: add --source-ip IP\n");
    }
    let mut headers: Vec<String> = unasked
        .iter()
        .filter(|limit| limit["key"]["type"] == "HEADER")
        .map(|limit| text(&limit["key"]["name"]))
        .collect();
    headers.sort();
    headers.dedup();
    for header in headers {
        let _ = writeln!(out, "What is left by the value of {header}: add -H '{header}: VALUE'");
    }
}

fn level(limit: &Value) -> String {
    let level = text(&limit["level"]).to_lowercase().replace('_', " ");
    match limit["mode"] == "DRY_RUN" {
        true => format!("{level}, dry run"),
        false => level,
    }
}

fn allows(limit: &Value) -> String {
    match limit["concurrentRequests"].as_u64() {
        Some(most) => format!("{most} in flight"),
        None => format!("{}/s, burst {}", limit["rateLimit"], number(&limit["burstLimit"])),
    }
}

/// What the limit did to all callers: refusals, or what would have been one.
fn by_all(limit: &Value) -> u64 {
    number(&limit["byAll"]["refused"]) + number(&limit["byAll"]["dryRun"])
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn cell(value: &Value) -> String {
    value.as_u64().map_or("-".to_owned(), |number| number.to_string())
}

/// For a terminal: a name's control characters are not sent to it.
fn text(value: &Value) -> String {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    match value {
        Value::String(text) => text.chars().map(plain).collect(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
