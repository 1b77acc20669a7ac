//! What is wrong with a request that is to be signed, or who signed it. Never shows a secret, a
//! token or a signature. The body is not known here: where the head does not say its hash, it is
//! taken for empty.

use std::fmt::Write;

use super::{super::now, story::tell_reject};
use crate::{
    http::{Name, RequestHead},
    plan::{Plan, Route},
    steps::{
        authorize::{
            Authorizer,
            iam::{Canonical, Claim, Fault, SERVICE, Signed, Told, payload, unsigned_query},
            principal::{AccessKey, Principal},
        },
        reject::{Client, Reject},
    },
};

/// A request that was looked at.
struct Looked<'p> {
    canonical: Option<Canonical>,
    outcome: Result<&'p AccessKey, Fault>,
    sentence: String,
}

/// Tells it. `Err` when the request is refused.
pub(super) fn tell(plan: &Plan, head: &RequestHead, out: &mut String) -> Result<(), ()> {
    let region = plan.region();
    let _ = writeln!(out, "Signed asked for (AWS_IAM), for execute-api in {region}");
    let Looked { canonical, outcome, sentence } = look(plan, head);
    if let Some(canonical) = &canonical {
        if payload::said(head.fields()).is_none() {
            out.push_str(
                "       the body is taken for empty, since the head does not say its hash\n",
            );
        }
        tell_lines("the canonical request is", &canonical.shown(), out);
        tell_lines("the string to sign is", canonical.string_to_sign(), out);
    }
    match outcome {
        Ok(key) => {
            let arn = &plan.principals().owner(key).arn;
            let _ = writeln!(out, "       sound: signed by {arn} with the access key {}", key.id);
            out.push_str("       the signature stays here: the integration does not see it\n");
            Ok(())
        }
        Err(fault) => {
            let _ = writeln!(out, "       refused: {}", fault.reason());
            for line in sentence.lines().take(1) {
                let _ = writeln!(out, "       the client is told: {line}");
            }
            tell_reject(Reject::Client(Client::NotSigned(fault)), out);
            Err(())
        }
    }
}

/// Who signed a request to a route that asks for it, and with which key, if it is sound.
pub(super) fn signer<'p>(
    plan: &'p Plan,
    route: &Route,
    head: &RequestHead,
) -> Option<(&'p AccessKey, &'p Principal)> {
    let demand = route.authorizer.as_ref()?;
    if !matches!(*demand.authorizer, Authorizer::Iam) {
        return None;
    }
    look(plan, head).outcome.ok().map(|key| (key, plan.principals().owner(key)))
}

/// The query that is passed on: of a presigned request without the signature.
pub(super) fn query(head: &RequestHead) -> Option<Vec<u8>> {
    let is_presigned = head.fields().find(Name::Authorization).is_none();
    head.target().query.filter(|_| is_presigned).map(unsigned_query)
}

/// The lines that are passed on, without what is dropped of a signature.
pub(super) fn without_signature(lines: &str) -> String {
    let is_kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        name != "authorization" && name != "x-amz-security-token"
    };
    lines.split_inclusive('\n').filter(is_kept).collect()
}

fn look<'p>(plan: &'p Plan, head: &RequestHead) -> Looked<'p> {
    let target = head.target();
    let (path, query, fields) = (target.path, target.query, head.fields());
    let signed = Signed { method: head.method.as_str(), path, query, fields };
    let (region, now) = (plan.region(), now());
    let claim = Claim::read(&signed);
    let claim = claim.as_ref();
    let hash = payload::hex(&payload::said(fields).unwrap_or_else(|| payload::of(b"")));
    let find = || {
        let claim = claim.map_err(|fault| *fault)?;
        claim.check(&signed, (region, SERVICE), now)?;
        plan.principals().find(&claim.key_id, claim.token.as_deref(), now)
    };
    let (canonical, outcome) = match (claim, find()) {
        (Ok(claim), Ok(key)) => {
            let (canonical, outcome) = Canonical::judge(claim, &signed, &hash, key.secret());
            (Some(canonical), outcome.map(|()| key))
        }
        (Ok(claim), Err(fault)) => (Some(Canonical::new(claim, &signed, &hash)), Err(fault)),
        (Err(_), outcome) => (None, outcome),
    };
    let told = Told { region, signed, claim: claim.ok(), canonical: canonical.as_ref(), now };
    let sentence = outcome.err().map(|fault| told.sentence(fault)).unwrap_or_default();
    // A header that is no signature may be another secret.
    let is_ours = fields.find(Name::Authorization).is_none() || claim.is_ok();
    Looked { canonical: canonical.filter(|_| is_ours), outcome, sentence }
}

fn tell_lines(what: &str, text: &str, out: &mut String) {
    let _ = writeln!(out, "       {what}");
    for line in text.lines() {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(out, "         {line}");
    }
}
