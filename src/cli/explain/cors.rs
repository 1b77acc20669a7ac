//! What browsers are told of the page that asks, and what they make of it.

use std::{fmt::Write, ops::ControlFlow};

use super::story::text;
use crate::{
    http::{HeadSink, Method, Name, RequestHead, Status},
    plan::Api,
    steps::{
        context::CrossOrigin,
        cors::{Cors, PreflightVerdict},
    },
};

/// Tells it, when the API has CORS; breaks when the request is a preflight, which is answered here.
pub(super) fn tell(api: &Api, head: &RequestHead, out: &mut String) -> ControlFlow<()> {
    let Some(cors) = &api.cors else { return ControlFlow::Continue(()) };
    let fields = head.fields();
    let origin = text(fields.find(Name::Origin).unwrap_or_default());
    if let Some(told) = cors.preflight(head.method, fields) {
        tell_preflight(cors, head, told, out);
        return ControlFlow::Break(());
    }
    let mut lines = Lines(String::new());
    let told = cors.actual(fields);
    match told {
        CrossOrigin::Unasked => {
            out.push_str(
                "CORS   the request has no Origin: nothing is said, and what the integration says \
                 passes\n",
            );
            return ControlFlow::Continue(());
        }
        CrossOrigin::Refused => {
            let allowed = cors.origins_text();
            let _ =
                writeln!(out, "CORS   {origin} is not allowed: its pages cannot read the answer");
            let _ = writeln!(out, "       allowed: {allowed}");
        }
        CrossOrigin::Allowed { .. } => {
            let _ = writeln!(out, "CORS   {origin} is allowed: its pages can read the answer");
        }
    }
    told.write(&mut lines);
    out.push_str(&lines.0);
    ControlFlow::Continue(())
}

fn tell_preflight(cors: &Cors, head: &RequestHead, told: CrossOrigin<'_>, out: &mut String) {
    let origin = text(head.fields().find(Name::Origin).unwrap_or_default());
    let (allowed, not) = match cors.judge_preflight(head.fields()) {
        PreflightVerdict::Follows => (format!("{origin} is allowed"), ""),
        PreflightVerdict::Origin => {
            (format!("{origin} is not allowed; allowed: {}", cors.origins_text()), "not ")
        }
        PreflightVerdict::Method(method) => (format!("{method} is not in allowMethods"), "not "),
        PreflightVerdict::Header(name) => (format!("{name} is not in allowHeaders"), "not "),
    };
    let _ = writeln!(out, "CORS   a preflight: {allowed}");
    let _ = writeln!(out, "       the browser will {not}send the request");
    out.push_str("Answer 204 (by the gateway: no route, key or throttle is asked)\n");
    let mut lines = Lines(String::new());
    told.write_preflight(&mut lines);
    out.push_str(&lines.0);
}

/// The fields of an answer, as lines.
struct Lines(String);

impl HeadSink for Lines {
    /// Answers have none.
    fn request_line(&mut self, _method: Method, _target: &[u8]) {}

    fn status_line(&mut self, _status: Status) {}

    fn field(&mut self, name: &[u8], value: &[&[u8]]) {
        let _ = writeln!(self.0, "       {}: {}", text(name), text(&value.concat()));
    }
}
