//! Who may call a route, as the document says it. An API key in `x-api-key` is taken; this version
//! has no authorizers yet, so every other demand is an error: a route is never served with less
//! protection than its document asks for.

use std::collections::BTreeSet;

use super::{fault::shorten, report::Report};
use crate::config::{
    document::{Entry, Kind, Node},
    suggest::nearest,
};

/// Longer names are not compared with a misspelt one.
const NAME_BYTES_MAX: usize = 100;

/// The demands of a document while its routes are read.
pub(super) struct Security<'d> {
    schemes: Option<Node<'d>>,
    /// Holds for operations without a `security` of their own. AWS's page says that it is not
    /// used, recordings show it applied (`api-gateway.md` 1.3): the safer reading is taken.
    everywhere: Option<Node<'d>>,
    used: BTreeSet<&'d str>,
    /// What came of it, once an operation asked.
    inherited: Option<ApiKey>,
}

/// Whether an operation demands an API key (AWS's `apiKeyRequired`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ApiKey {
    #[default]
    NotRequired,
    Required,
}

/// What a scheme is.
enum Scheme {
    /// An API key as API Gateway takes it.
    ApiKey,
    /// An API key that is elsewhere: where.
    OtherKey(String),
    /// Anything else, in words, and what to do about it.
    Unsupported { what: String, fix: String },
}

impl<'d> Security<'d> {
    /// The demands of the document under `root`.
    pub(super) fn new(root: Node<'d>) -> Self {
        Self {
            schemes: root.find("components").and_then(|found| found.find("securitySchemes")),
            everywhere: root.find("security"),
            used: BTreeSet::new(),
            inherited: None,
        }
    }

    /// Tells what `operation` demands and is not supported. Whether it demands an API key.
    pub(super) fn check(
        &mut self,
        operation: Node<'d>,
        label: &str,
        report: &mut Report<'_>,
    ) -> bool {
        let api_key = match (operation.find("security"), self.everywhere, self.inherited) {
            (Some(own), ..) => self.check_demands(own, label, report),
            (None, Some(_), Some(known)) => known,
            (None, Some(everywhere), None) => {
                let label = format!("{label} (and others)");
                let api_key = self.check_demands(everywhere, &label, report);
                self.inherited = Some(api_key);
                api_key
            }
            (None, None, _) => ApiKey::NotRequired,
        };
        if let Some(auth) = operation.find("x-amazon-apigateway-auth") {
            check_auth(auth, label, report);
        }
        api_key == ApiKey::Required
    }

    /// Tells of authorizers that no route uses.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for scheme in self.schemes.into_iter().flat_map(Node::entries) {
            let is_authorizer = scheme.value.find("x-amazon-apigateway-authorizer").is_some();
            if is_authorizer && !self.used.contains(scheme.key) {
                let message =
                    format!("authorizer {}: no route asks for it; it is left out", scheme.key);
                report.info(&scheme, message, "");
            }
        }
    }

    /// As in AWS's import, one demand of an API key among several is enough to require it.
    fn check_demands(&mut self, demands: Node<'d>, label: &str, report: &mut Report<'_>) -> ApiKey {
        let mut api_key = ApiKey::NotRequired;
        if demands.kind() != Kind::Sequence {
            let message = format!("{label}: security is {}; a list is expected", demands.kind());
            report.error(&demands, message, "write it as in security: [{name: []}]");
            return api_key;
        }
        for demand in demands.items() {
            if !demand.is_mapping() {
                let message = format!(
                    "{label}: security holds {}; a scheme's name is expected",
                    demand.kind()
                );
                report.error(&demand, message, "write it as in security: [{name: []}]");
            }
            for named in demand.entries() {
                self.used.insert(named.key);
                if self.check_demand(named, label, report) == ApiKey::Required {
                    api_key = ApiKey::Required;
                }
            }
        }
        let nothing = demands.items().find(|one| one.is_mapping() && one.entries().len() == 0);
        if let Some(nothing) = nothing.filter(|_| api_key == ApiKey::Required) {
            let message = format!(
                "{label}: an API key or nothing is demanded; API Gateway knows no choice: the key \
                 is required"
            );
            report.warning(&nothing, message, "remove {} from the list, or the key's demand");
        }
        api_key
    }

    fn check_demand(&self, named: Entry<'d>, label: &str, report: &mut Report<'_>) -> ApiKey {
        match self.describe(named.key, report.is_full()) {
            Scheme::ApiKey => {
                if named.value.items().len() > 0 {
                    let message =
                        format!("{label}: scopes mean nothing to an API key; they are left out");
                    report.info(&named, message, "");
                }
                return ApiKey::Required;
            }
            Scheme::OtherKey(place) => {
                let name = shorten(named.key);
                let message = format!(
                    "{label} demands {name}, an API key {place}; API Gateway takes it in the \
                     header x-api-key only"
                );
                report.error(&named, message, "write {type: apiKey, name: x-api-key, in: header}");
            }
            Scheme::Unsupported { what, fix } => {
                let message = format!(
                    "{label} demands {what}, which is not yet supported: this version would serve \
                     the route without it"
                );
                report.error(&named, message, &fix);
            }
        }
        ApiKey::NotRequired
    }

    fn describe(&self, name: &str, is_brief: bool) -> Scheme {
        const FIX: &str = "remove the demand if the route may be open to all";
        let short = shorten(name);
        let Some(scheme) = self.schemes.and_then(|schemes| schemes.find(name)) else {
            let known = self.schemes.filter(|_| !is_brief).into_iter().flat_map(Node::entries);
            let names = known.map(|entry| entry.key).filter(|name| name.len() <= NAME_BYTES_MAX);
            let fix = match nearest(name, names) {
                Some(near) => format!("did you mean {near}?"),
                None => FIX.to_owned(),
            };
            let what = format!("{short} (a scheme that components.securitySchemes lacks)");
            return Scheme::Unsupported { what, fix };
        };
        let text = |key| scheme.find(key).and_then(Node::scalar_text).map(shorten);
        let authorizer = scheme.find("x-amazon-apigateway-authorizer");
        let kind = match (authorizer, text("x-amazon-apigateway-authtype")) {
            (Some(authorizer), _) => {
                let kind = authorizer.find("type").and_then(Node::scalar_text).map(shorten);
                format!("an authorizer of type {}", kind.unwrap_or_default())
            }
            (None, Some(kind)) => format!("authorization of type {kind}"),
            (None, None) => match text("type").as_deref() {
                Some("apiKey") => return api_key(scheme),
                Some(kind) => format!("a scheme of type {kind}"),
                None => "a scheme without a type".to_owned(),
            },
        };
        Scheme::Unsupported { what: format!("{short} ({kind})"), fix: FIX.to_owned() }
    }
}

/// A scheme of type `apiKey`, by where it has the key.
fn api_key(scheme: Node<'_>) -> Scheme {
    let text = |key| scheme.find(key).and_then(Node::scalar_text).unwrap_or_default();
    let (name, place) = (text("name"), text("in"));
    if name.eq_ignore_ascii_case("x-api-key") && place == "header" {
        return Scheme::ApiKey;
    }
    let place = match place {
        "header" | "query" | "cookie" => format!("in the {place} {}", shorten(name)),
        "" => "that is nowhere (it has no in)".to_owned(),
        other => format!("in {} {}", shorten(other), shorten(name)),
    };
    Scheme::OtherKey(place)
}

fn check_auth(auth: Node<'_>, label: &str, report: &mut Report<'_>) {
    let kind = auth.find("type").and_then(Node::scalar_text).unwrap_or_default();
    if kind.eq_ignore_ascii_case("none") {
        return;
    }
    let kind = if kind.is_empty() { "without a type" } else { kind };
    let message = format!(
        "{label} has x-amazon-apigateway-auth {}, which is not yet supported: this version would \
         serve the route without it",
        shorten(kind)
    );
    report.error(&auth, message, "write {type: NONE} if the route may be open to all");
}
