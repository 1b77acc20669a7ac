//! What the API's policy says of a request, statement by statement.

use std::fmt::Write;

use super::super::now;
use super::story::text;
use crate::{
    http::{Name, RequestHead},
    plan::Selected,
    steps::{
        authorize::{
            policy::{self, Action, Asked, Conditions, Decision, Effect, MethodArn, Miss, Policy},
            principal::Principal,
        },
        integrate::Protocol,
        reject::{Client, Reject},
    },
};

/// Tells it for a request of whoever signed it, from loopback, now. `Err` when it is refused.
pub(super) fn tell(
    selected: &Selected<'_, '_>,
    principal: Option<&Principal>,
    (head, protocol): (&RequestHead, Option<Protocol>),
    out: &mut String,
) -> Result<(), ()> {
    let policy = selected.api.policy.as_deref();
    if policy.is_none() && principal.is_none() {
        return Ok(());
    }
    let fields = head.fields();
    let mut referers = fields.all(Name::Referer);
    let conditions = Conditions {
        now: now(),
        source_ip: b"127.0.0.1",
        user_agent: fields.find(Name::UserAgent),
        referer: referers.next().filter(|_| referers.next().is_none()),
        is_secure: protocol == Some(Protocol::Https),
        labels: &[],
    };
    let (arn, stage) = (&selected.api.arn, selected.stage.name.as_str());
    let mut buffer = Vec::new();
    let method = head.method.as_str().as_bytes();
    let resource = MethodArn::new(&mut buffer, arn, stage, method, selected.path);
    for reading in resource.readings() {
        let asked = Asked { action: Action::Invoke, resource: reading, principal, conditions };
        let _ = writeln!(out, "Policy asked for {}", text(reading));
        let who = match principal {
            Some(principal) => format!("signed by {}", principal.arn),
            None => "unsigned".to_owned(),
        };
        let _ = writeln!(out, "       from 127.0.0.1, now, by a listener without labels, {who}");
        for policy in policy.into_iter().chain(principal.into_iter().flat_map(|it| &*it.policies)) {
            tell_statements(policy, &asked, out);
        }
        let account = arn.split(':').nth(4).unwrap_or_default();
        if let Decision::Refuse(denial) = policy::judge(policy, account, &asked) {
            let reject = Reject::Client(Client::AccessDenied(denial));
            let words = policy::refusal(principal, Action::Invoke, reading, denial);
            let (status, reason) = (reject.status().code(), reject.reason());
            let _ = writeln!(out, "Answer {status} {words} ({reason})");
            return Err(());
        }
    }
    Ok(())
}

fn tell_statements(policy: &Policy, asked: &Asked<'_>, out: &mut String) {
    const TOLD_MAX: usize = 50;
    let all = policy.explain(asked);
    let decided = match policy.evaluate(asked) {
        Effect::Silent => None,
        effect => all.iter().find(|(_, of, miss)| *of == effect && miss.is_none()),
    };
    match decided {
        Some((name, Effect::Deny, _)) => {
            let _ = writeln!(out, "       denied by {name}");
        }
        Some((name, _, _)) => {
            let _ = writeln!(out, "       allowed by {name}");
        }
        None => out.push_str("       no statement allows it\n"),
    }
    for (name, effect, miss) in all.iter().take(TOLD_MAX) {
        let Some(miss) = miss else { continue };
        let verb = if *effect == Effect::Deny { "deny" } else { "allow" };
        let _ = match miss {
            Miss::Action => writeln!(out, "       {name} does not {verb} it: another action"),
            Miss::Principal => writeln!(out, "       {name} does not {verb} it: other callers"),
            Miss::Resource => writeln!(out, "       {name} does not {verb} it: another resource"),
            Miss::Condition(condition) => {
                writeln!(out, "       {name} does not {verb} it: {condition} does not hold")
            }
        };
    }
    if all.len() > TOLD_MAX {
        let _ = writeln!(out, "       .. and {} more", all.len() - TOLD_MAX);
    }
}
