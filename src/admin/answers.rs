//! What the private port answers, as pure functions.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 `{"status":"ok",..}`; 503 while draining or while a shard is missing |
//! | `GET /metrics` | Prometheus text |
//! | `GET /plan` | JSON: generation, listeners, domain names, APIs, stages, routes |
//! | `POST /reload` | 200 when the new plan serves; 422 with the reason, nothing changed |
//!
//! Keys, usage plans and quotas are [`super::usage`]'s, what is left of limits [`super::limits`]'s.
//!
//! HEAD works as GET. Another method is 405 with Allow, another path 404.

use std::fmt::Write;

use crate::{
    http::{Method, Status},
    telemetry::{StageNames, prometheus},
};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is the process well?
    Health,
    /// All numbers.
    Metrics,
    /// What is being served?
    Plan,
    /// Read the documents again.
    Reload,
}

/// An answer, before it is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The content type.
    pub content_type: &'static str,
    /// The Allow field's value, for 405.
    pub allow: Option<&'static str>,
    /// AWS's name of an error, where the answer is one of its API.
    pub error_type: Option<&'static str>,
    /// The body.
    pub body: String,
}

/// How the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// It finishes what is in flight and takes nothing new.
    pub draining: bool,
    /// Shards that serve.
    pub shards_up: usize,
    /// Shards that should.
    pub shards: usize,
    /// The plan's generation, from 1.
    pub generation: u64,
}

/// What is being served, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanView {
    /// Counts the plans since the start, from 1.
    pub generation: u64,
    /// Addresses, as bound.
    pub listeners: Vec<String>,
    /// The custom domain names.
    pub domain_names: Vec<String>,
    /// Stages and their routes; those of one API next to each other.
    pub stages: Vec<StageNames>,
}

/// Which question this is.
///
/// # Errors
/// The 404 or 405 to send instead.
pub fn parse(method: Method, path: &[u8]) -> Result<Question, Answer> {
    let (question, allow) = match path {
        b"/healthz" => (Question::Health, "GET, HEAD"),
        b"/metrics" => (Question::Metrics, "GET, HEAD"),
        b"/plan" => (Question::Plan, "GET, HEAD"),
        b"/reload" => (Question::Reload, "POST"),
        _ => {
            let paths = "GET /healthz, GET /metrics, GET /plan, GET /limits, POST /reload, and of \
                         AWS's API /apikeys and /usageplans";
            return Err(message(Status::NOT_FOUND, &format!("not found; there are {paths}")));
        }
    };
    let reads = matches!(method, Method::Get | Method::Head);
    if reads == (question != Question::Reload) && (reads || method == Method::Post) {
        return Ok(question);
    }
    Err(not_allowed(allow))
}

/// 405.
pub(super) fn not_allowed(allow: &'static str) -> Answer {
    let answer = message(METHOD_NOT_ALLOWED, &format!("this path takes {allow}"));
    Answer { allow: Some(allow), ..answer }
}

/// An answer in JSON.
pub(super) const fn json(status: Status, body: String) -> Answer {
    Answer { status, content_type: JSON, allow: None, error_type: None, body }
}

const METHOD_NOT_ALLOWED: Status = known(405);
const UNPROCESSABLE: Status = known(422);

const fn known(code: u16) -> Status {
    match Status::new(code) {
        Some(status) => status,
        None => panic!("a constant status from 100 to 599"),
    }
}

/// `GET /healthz`.
#[must_use]
pub fn health(health: &Health) -> Answer {
    let (status, word) = match health {
        Health { draining: true, .. } => (Status::SERVICE_UNAVAILABLE, "draining"),
        Health { shards_up, shards, .. } if shards_up < shards => {
            (Status::SERVICE_UNAVAILABLE, "degraded")
        }
        _ => (Status::OK, "ok"),
    };
    let version = env!("CARGO_PKG_VERSION");
    let Health { shards_up, shards, generation, .. } = health;
    let body = format!(
        "{{\"status\":\"{word}\",\"version\":\"{version}\",\"generation\":{generation},\
         \"shards\":{shards},\"shardsUp\":{shards_up}}}\n"
    );
    json(status, body)
}

/// `GET /metrics`: the text of [`prometheus::render`].
#[must_use]
pub fn metrics(text: String) -> Answer {
    Answer { content_type: prometheus::CONTENT_TYPE, ..json(Status::OK, text) }
}

/// `GET /plan`, in AWS's field names.
#[must_use]
pub fn plan(view: &PlanView) -> Answer {
    let apis = view.stages.chunk_by(|one, two| one.api == two.api).map(|stages| {
        let each = stages.iter().map(|stage| {
            let routes = stage.routes.iter().map(|route| quoted(route));
            format!("{{\"stageName\":{},\"routes\":{}}}", quoted(&stage.stage), array(routes))
        });
        format!("{{\"name\":{},\"stages\":{}}}", quoted(&stages[0].api), array(each))
    });
    let listeners = view.listeners.iter().map(|address| quoted(address));
    let body = format!(
        "{{\"generation\":{},\"listeners\":{},\"domainNames\":{},\"apis\":{}}}\n",
        view.generation,
        array(listeners),
        array(view.domain_names.iter().map(|name| quoted(name))),
        array(apis)
    );
    json(Status::OK, body)
}

/// `POST /reload`: the new generation, or the problems as the operator's log shows them.
#[must_use]
pub fn reloaded(outcome: Result<u64, String>) -> Answer {
    match outcome {
        Ok(generation) => {
            let body = format!("{{\"status\":\"ok\",\"generation\":{generation}}}\n");
            json(Status::OK, body)
        }
        Err(problems) => Answer {
            content_type: TEXT,
            ..json(UNPROCESSABLE, format!("nothing was changed:\n{problems}\n"))
        },
    }
}

/// A JSON body with one sentence, as AWS words its errors.
#[must_use]
pub fn message(status: Status, sentence: &str) -> Answer {
    let body = format!("{{\"message\":{}}}\n", quoted(sentence));
    json(status, body)
}

pub(super) fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A JSON string (RFC 8259 section 7).
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => {
                write!(out, "\\u{:04x}", u32::from(control)).expect("a String takes everything");
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, expected: Result<Question, (u16, Option<&str>)>) {
        let found =
            parse(method, path.as_bytes()).map_err(|answer| (answer.status.code(), answer.allow));
        assert_eq!(found, expected, "{method:?} {path}");
    }

    #[test]
    fn each_path_takes_its_methods() {
        check(Method::Get, "/healthz", Ok(Question::Health));
        check(Method::Head, "/healthz", Ok(Question::Health));
        check(Method::Get, "/metrics", Ok(Question::Metrics));
        check(Method::Head, "/plan", Ok(Question::Plan));
        check(Method::Post, "/reload", Ok(Question::Reload));
        check(Method::Get, "/reload", Err((405, Some("POST"))));
        check(Method::Delete, "/reload", Err((405, Some("POST"))));
        check(Method::Post, "/metrics", Err((405, Some("GET, HEAD"))));
        check(Method::Options, "/healthz", Err((405, Some("GET, HEAD"))));
        check(Method::Get, "/", Err((404, None)));
        check(Method::Get, "/healthz/", Err((404, None)));
        check(Method::Get, "/HEALTHZ", Err((404, None)));
    }

    #[track_caller]
    fn check_health(draining: bool, shards_up: usize, status: u16, word: &str) {
        let answer = health(&Health { draining, shards_up, shards: 2, generation: 3 });
        assert_eq!(answer.status.code(), status);
        let value: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(value["status"], word);
        assert_eq!((&value["generation"], &value["shardsUp"]), (&3.into(), &shards_up.into()));
    }

    #[test]
    fn health_says_what_a_balancer_must_know() {
        check_health(false, 2, 200, "ok");
        check_health(false, 1, 503, "degraded");
        check_health(true, 2, 503, "draining");
        check_health(true, 0, 503, "draining");
    }

    #[test]
    fn the_plan_is_json_whatever_the_names() {
        let names = |api: &str, stage: &str, routes: &[&str]| StageNames {
            api: api.into(),
            stage: stage.into(),
            routes: routes.iter().map(|route| (*route).into()).collect(),
        };
        let view = PlanView {
            generation: 2,
            listeners: vec!["[::1]:8080".to_owned()],
            domain_names: vec!["*.example.com".to_owned()],
            stages: vec![
                names("pets", "$default", &["GET /pets", "GET /\"\\\n\u{1}é"]),
                names("pets", "prod", &[]),
                names("cars", "prod", &["$default"]),
            ],
        };
        let value: serde_json::Value = serde_json::from_str(&plan(&view).body).expect("JSON");
        assert_eq!(value["listeners"][0], "[::1]:8080");
        assert_eq!(value["domainNames"][0], "*.example.com");
        assert_eq!(value["apis"].as_array().map(Vec::len), Some(2));
        assert_eq!(value["apis"][0]["stages"][0]["routes"][1], "GET /\"\\\n\u{1}é");
        assert_eq!(value["apis"][0]["stages"][1]["stageName"], "prod");
        assert_eq!(value["apis"][1]["name"], "cars");
    }

    #[test]
    fn a_reload_says_what_came_of_it() {
        assert_eq!(reloaded(Ok(4)).body, "{\"status\":\"ok\",\"generation\":4}\n");
        let refused = reloaded(Err("pets.yaml:3:5: unknown key".to_owned()));
        assert_eq!(refused.status.code(), 422);
        assert!(refused.body.contains("nothing was changed:\npets.yaml:3:5"));
    }
}
