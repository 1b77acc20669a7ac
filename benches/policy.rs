//! What it costs to ask a policy of 1,000 statements, none of which matches until the last.
//!
//! `cargo bench --bench policy` prints microseconds for each kind of policy (quiet machines only).
//! The worst is what a policy's writer and a caller could do together. Under `cargo test --benches`
//! all of it runs a few times.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    env,
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

use ringway::{
    base::WallTime,
    json::strict::Value,
    steps::authorize::policy::{Action, Asked, Conditions, Effect, Policy, PolicyKind},
};

const STATEMENTS: usize = 1_000;
const PREFIX: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234";

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let rounds = if env::args().any(|argument| argument == "--bench") { 2_000_u32 } else { 2 };
    let short = format!("{PREFIX}/prod/GET/pets/7");
    let long = format!("{PREFIX}/prod/GET/{}", "a".repeat(1_530));
    let address = r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#;
    let rows: [(&str, &str, &str, &str); 5] = [
        ("exact", "/prod/GET/orders/#", "", &short),
        ("prefix", "/prod/GET/orders-#/*", "", &short),
        ("several stars", "/*/GET/*/orders-#/*", "", &short),
        ("a condition", "/*", address, &short),
        ("worst: many stars, a long path", "/*a*a*a*a*a?b*#*", "", &long),
    ];
    for (name, pattern, condition, resource) in rows {
        let policy = policy(pattern, condition);
        let rounds = if resource.len() > 1_000 { rounds.div_ceil(1_000) } else { rounds };
        let started = Instant::now();
        for _ in 0..rounds {
            assert!(black_box(&policy).evaluate(&asked(resource.as_bytes())) != Effect::Deny);
        }
        let each = started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
        writeln!(out, "1,000 statements, {name:<30}: {each:>10.1} us")?;
    }
    Ok(())
}

fn policy(pattern: &str, condition: &str) -> Policy {
    let statement = |number: usize| {
        let resource = pattern.replace('#', &number.to_string());
        format!(
            r#"{{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:{resource}"{condition}}}"#
        )
    };
    let all: Vec<String> = (0..STATEMENTS).map(statement).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, all.join(","));
    let document = Value::parse(text.as_bytes()).expect("JSON");
    let compiled = Policy::compile(&document, PolicyKind::Resource(PREFIX));
    compiled.map(|(policy, _)| policy).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn asked(resource: &[u8]) -> Asked<'_> {
    let conditions = Conditions {
        now: WallTime(1_795_692_600_000),
        source_ip: b"192.0.2.7",
        user_agent: Some(b"curl/8"),
        referer: None,
        is_secure: true,
        labels: &[],
    };
    Asked { action: Action::Invoke, resource, principal: None, conditions }
}
