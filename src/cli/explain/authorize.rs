//! What a route's authorizer says of the request's token, which is never printed itself.

use std::fmt::Write;

use super::signed;
use super::story::{tell_reject, text};
use crate::{
    cli::now,
    http::{Name, RequestHead},
    plan::{Plan, Route},
    steps::{
        authorize::{
            Authorizer, Demand,
            basic::{self, BasicAuthorizer},
            jwt::{IdentitySource, IssuerKeys, JwtAuthorizer, Manner, Verified},
            webhook::WebhookAuthorizer,
        },
        reject::{Catalogue, Client, Reject, TokenFault},
    },
};

/// Tells it, if the route has an authorizer, and returns the verified token. `Err` when the request
/// is refused.
pub(super) fn tell(
    plan: &Plan,
    route: &Route,
    head: &RequestHead,
    out: &mut String,
) -> Result<Option<Verified>, ()> {
    let Some(demand) = &route.authorizer else { return Ok(None) };
    match &*demand.authorizer {
        Authorizer::Jwt(authorizer) => tell_token(demand, authorizer, head, out),
        Authorizer::Basic(authorizer) => tell_password(authorizer, head, out).map(|()| None),
        Authorizer::Webhook(authorizer) => tell_signature(authorizer, head, out).map(|()| None),
        Authorizer::Iam => signed::tell(plan, head, out).map(|()| None),
    }
}

fn tell_token(
    demand: &Demand,
    authorizer: &JwtAuthorizer,
    head: &RequestHead,
    out: &mut String,
) -> Result<Option<Verified>, ()> {
    let place = match &authorizer.source {
        IdentitySource::Header(name) => format!("header {}", String::from_utf8_lossy(name)),
        IdentitySource::Query(name) => format!("parameter {}", String::from_utf8_lossy(name)),
    };
    let issuers: Vec<&str> = authorizer.issuers().iter().map(|issuer| &*issuer.name).collect();
    let _ = writeln!(
        out,
        "Token  asked for by {}, in the {place}: issuer {}, {}, {}",
        authorizer.name,
        issuers.join(" or "),
        rules(authorizer.manner(), !demand.scopes().is_empty()),
        authorizer.algorithms(),
    );
    let scopes = demand.scopes();
    if !scopes.is_empty() {
        let _ = writeln!(out, "       with one of the scopes {scopes}");
    }
    let of = authorizer.catalogue();
    let found = authorizer.source.find(head.fields(), head.target().query);
    let chosen = found.and_then(|token| Ok((token, authorizer.choose(token)?)));
    let (token, issuer) = match chosen {
        Ok(chosen) => chosen,
        Err(fault) => return refuse(of, fault, out),
    };
    let from = &authorizer.issuers()[usize::from(issuer)];
    if authorizer.issuers().len() > 1 {
        let _ = writeln!(out, "       it says that it is of {}", from.name);
    }
    let keys = match &from.keys {
        IssuerKeys::Fixed(keys) => keys,
        IssuerKeys::Fetched(source) => {
            if let Err(fault) = authorizer.check_header(token) {
                return refuse(of, fault, out);
            }
            let _ = writeln!(out, "       its header is sound; the keys are {}'s", source.issuer);
            out.push_str("       and not fetched here: whether it is let in is not known\n");
            return Ok(None);
        }
    };
    let verified = authorizer.verify(token, issuer, keys, now());
    match verified.and_then(|verified| demand.check_scopes(&verified).map(|()| verified)) {
        Ok(verified) => {
            tell_sound(&verified, out);
            Ok(Some(verified))
        }
        Err(fault) => refuse(of, fault, out),
    }
}

/// What the token has to be, beside sound and of the issuer.
fn rules(manner: &Manner, with_scopes: bool) -> String {
    match manner {
        Manner::Jwt { audience } => format!("audience {}", audience.join(" or ")),
        Manner::UserPools { validation } => {
            let kind = if with_scopes { "an access token" } else { "an ID token" };
            match validation {
                None => kind.to_owned(),
                Some(rule) => format!("{kind}, audience like {}", rule.text()),
            }
        }
    }
}

fn tell_sound(verified: &Verified, out: &mut String) {
    let subject = verified.claims.subject().unwrap_or("nobody (it has no sub)");
    let subject = subject.escape_default();
    let _ =
        writeln!(out, "       sound: signature, issuer, audience and times; it is of {subject}");
}

fn refuse(of: Catalogue, fault: TokenFault, out: &mut String) -> Result<Option<Verified>, ()> {
    let _ = writeln!(out, "       refused: {}", fault.reason());
    tell_reject(Reject::Client(Client::NotAuthorized(of, fault)), out);
    Err(())
}

/// Says what of the signature can be judged without the body, and never the signature.
fn tell_signature(
    authorizer: &WebhookAuthorizer,
    head: &RequestHead,
    out: &mut String,
) -> Result<(), ()> {
    let WebhookAuthorizer { name, provider, .. } = authorizer;
    let (header, provider) = (provider.header(), provider.name());
    let _ = writeln!(out, "Signed asked for by {name}, as {provider} does, in {header}");
    match authorizer.check_form(head.fields(), now()) {
        Ok(()) => {
            out.push_str("       its form and time are sound; the body is not known here, so\n");
            out.push_str("       whether it is let in is not known either\n");
            Ok(())
        }
        Err(fault) => {
            let _ = writeln!(out, "       refused: {}", fault.reason());
            tell_reject(Reject::Client(Client::Unsigned(fault)), out);
            Err(())
        }
    }
}

/// Says whose password it is, and never the password.
fn tell_password(
    authorizer: &BasicAuthorizer,
    head: &RequestHead,
    out: &mut String,
) -> Result<(), ()> {
    let BasicAuthorizer { name, .. } = authorizer;
    let (realm, users) = (authorizer.realm(), authorizer.users());
    let _ = writeln!(out, "User   asked for by {name}, realm {realm}: one of {users}");
    let found = basic::find(head.fields());
    match found.and_then(|credentials| authorizer.verify(&credentials).map(str::to_owned)) {
        Ok(user) => {
            let _ = writeln!(out, "       {}: the password is right", user.escape_debug());
            out.push_str("       Authorization stays here: the integration does not see it\n");
            Ok(())
        }
        Err(fault) => {
            let _ = writeln!(out, "       refused: {}", fault.reason());
            tell_reject(Reject::Client(Client::NotAUser(fault)), out);
            Err(())
        }
    }
}

/// The lines, with the token left out wherever it went.
pub(super) fn without_token(lines: String, route: &Route, head: &RequestHead) -> String {
    let authorizer = route.authorizer.as_ref().map(|demand| &*demand.authorizer);
    let source = match authorizer {
        Some(Authorizer::Jwt(jwt)) => Some(&jwt.source),
        // Whoever is asked for a password has it taken from the head.
        Some(Authorizer::Basic(_)) => {
            let value = head.fields().find(Name::Authorization).unwrap_or_default();
            return without_line(&lines, &text(value));
        }
        Some(Authorizer::Webhook(webhook)) => {
            let name = webhook.provider.header().to_ascii_lowercase();
            let value = head.fields().named(name.as_bytes()).next().unwrap_or_default();
            return without_line(&lines, &text(value));
        }
        Some(Authorizer::Iam) => return signed::without_signature(&lines),
        None => None,
    };
    match source.map(|source| source.find(head.fields(), head.target().query)) {
        Some(Ok(token)) => lines.replace(&*text(token), "(the token)"),
        Some(Err(_)) | None => lines,
    }
}

/// Without the lines that have this value.
fn without_line(lines: &str, value: &str) -> String {
    let kept = lines.lines().filter(|line| value.is_empty() || !line.contains(value));
    kept.map(|line| format!("{line}\n")).collect()
}
