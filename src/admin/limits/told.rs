//! Limits as JSON.

use std::fmt::Write;

use super::{KeyType, Level, LimitView, LimitsView, PlanLimits, QuotaView, State};
use crate::{
    admin::{
        Answer,
        answers::{array, json, quoted},
        usage::ApiKey,
    },
    http::Status,
    ledger::{AccountView, LeaseView, Period, Terms},
    telemetry::Throttled,
};

/// `GET /limits`.
#[must_use]
pub fn told(view: &LimitsView) -> Answer {
    let LimitsView { key, plans, limits, left_out, missing } = view;
    let mut text = String::from("{");
    if let Some(ApiKey { id, name, enabled, .. }) = key {
        let (id, name) = (quoted(id), quoted(name));
        push(
            &mut text,
            format_args!("\"key\":{{\"id\":{id},\"name\":{name},\"enabled\":{enabled}}},"),
        );
        let plans = array(plans.iter().map(plan_text));
        push(&mut text, format_args!("\"usagePlans\":{plans},"));
    }
    let limits = array(limits.iter().map(limit_text));
    let missing = array(missing.iter().map(ToString::to_string));
    push(
        &mut text,
        format_args!(
            "\"limits\":{limits},\"limitsLeftOut\":{left_out},\"shardsMissing\":{missing}}}\n"
        ),
    );
    json(Status::OK, text)
}

fn plan_text(of: &PlanLimits) -> String {
    let PlanLimits { plan, methods, quota } = of;
    let stages = plan.stages.iter().map(|(api, stage)| {
        let (api, stage) = (quoted(api), quoted(stage));
        format!("{{\"apiId\":{api},\"stage\":{stage}}}")
    });
    let (id, name) = (quoted(&plan.id), quoted(&plan.name));
    let mut text = format!("{{\"id\":{id},\"name\":{name},\"stages\":{}", array(stages));
    if let Some(quota) = quota {
        push(&mut text, format_args!(",\"quota\":{}", quota_text(quota)));
    }
    if let Some((rate, burst)) = plan.throttle {
        let terms = format!("{{\"rateLimit\":{rate},\"burstLimit\":{burst}}}");
        push(&mut text, format_args!(",\"throttle\":{terms}"));
    }
    let methods = methods.iter().map(|(name, terms)| {
        let name = quoted(name);
        format!("{{\"name\":{name},{}}}", terms_text(terms))
    });
    push(&mut text, format_args!(",\"methods\":{}}}", array(methods)));
    text
}

fn quota_text(quota: &QuotaView) -> String {
    let QuotaView { terms, ledger: (counters, leased), resets_at, shards, counted } = quota;
    let period = match terms.period {
        Period::Day => "DAY",
        Period::Week => "WEEK",
        Period::Month => "MONTH",
    };
    let untold: u64 = shards.iter().map(|(_, lease)| u64::from(lease.spent)).sum();
    let used = counters.used.saturating_add(untold);
    let shards = shards.iter().map(|(shard, LeaseView { tokens, spent, .. })| {
        format!("{{\"shard\":{shard},\"left\":{tokens},\"spent\":{spent}}}")
    });
    format!(
        "{{\"limit\":{},\"offset\":{},\"period\":\"{period}\",\"used\":{used},\
         \"remaining\":{},\"reserved\":{},\"leased\":{leased},\"resetsAt\":{},\
         \"refusedByAll\":{},\"shards\":{}}}",
        counters.limit,
        terms.offset,
        counters.limit.saturating_sub(used),
        counters.reserved,
        quoted(resets_at),
        counted.refused,
        array(shards)
    )
}

fn limit_text(limit: &LimitView) -> String {
    let LimitView { name, level, plan, terms, is_dry, key, state, counted } = limit;
    let level = match level {
        Level::Own => "OWN",
        Level::KeyAndMethod => "KEY_AND_METHOD",
        Level::Key => "KEY",
        Level::Route => "ROUTE",
        Level::Account => "ACCOUNT",
    };
    let mut text = format!("{{\"name\":{},\"level\":\"{level}\"", quoted(name));
    if let Some(plan) = plan {
        push(&mut text, format_args!(",\"usagePlanId\":{}", quoted(plan)));
    }
    let key = match key {
        KeyType::All => "{\"type\":\"ALL\"}".to_owned(),
        KeyType::ApiKey => "{\"type\":\"API_KEY\"}".to_owned(),
        KeyType::Address => "{\"type\":\"ADDRESS\"}".to_owned(),
        KeyType::Header(name) => format!("{{\"type\":\"HEADER\",\"name\":{}}}", quoted(name)),
        KeyType::Claim(name) => format!("{{\"type\":\"CLAIM\",\"name\":{}}}", quoted(name)),
    };
    let mode = if *is_dry { "DRY_RUN" } else { "ENFORCE" };
    let terms_text = terms_text(terms);
    push(&mut text, format_args!(",\"key\":{key},{terms_text},\"mode\":\"{mode}\""));
    let Throttled { refused, dry } = counted;
    push(&mut text, format_args!(",\"byAll\":{{\"refused\":{refused},\"dryRun\":{dry}}}"));
    if let State::Of { ledger, shards } = state {
        text.push_str(&state_text(terms, *ledger, shards));
    }
    text.push('}');
    text
}

fn state_text(terms: &Terms, ledger: Option<AccountView>, shards: &[(usize, LeaseView)]) -> String {
    let capacity = capacity(terms);
    let AccountView { level, out, refused } =
        ledger.unwrap_or(AccountView { level: capacity, out: 0, refused: 0 });
    let sum = |number: fn(&LeaseView) -> u32| {
        shards.iter().map(|(_, lease)| u64::from(number(lease))).sum::<u64>()
    };
    // Places are the ledger's, and its level of them stays what it was.
    let level = match terms {
        Terms::Bucket { .. } => level.min(capacity),
        Terms::InFlight { .. } => capacity.saturating_sub(out),
    };
    let remaining = (u64::from(level) + sum(|lease| lease.tokens)).min(u64::from(capacity));
    let all_refused = u64::from(refused) + sum(|lease| lease.refused);
    let shards = shards.iter().map(|(shard, LeaseView { tokens, spent, refused })| {
        format!("{{\"shard\":{shard},\"tokens\":{tokens},\"spent\":{spent},\"refused\":{refused}}}")
    });
    format!(
        ",\"remaining\":{remaining},\"refused\":{all_refused},\
         \"ledger\":{{\"level\":{level},\"out\":{out},\"refused\":{refused}}},\
         \"shards\":{}",
        array(shards)
    )
}

/// What there is at most; of what lets nothing through none.
fn capacity(terms: &Terms) -> u32 {
    match *terms {
        Terms::Bucket { rate, .. } if rate.is_zero() => 0,
        Terms::Bucket { burst, .. } => burst,
        Terms::InFlight { max } => max,
    }
}

fn terms_text(terms: &Terms) -> String {
    match *terms {
        Terms::Bucket { rate, burst } => {
            format!("\"rateLimit\":{rate},\"burstLimit\":{burst}")
        }
        Terms::InFlight { max } => format!("\"concurrentRequests\":{max}"),
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a String takes everything");
}
