//! Who may call a route, as the document says it. An API key in `x-api-key` and authorizers of
//! known kinds (`authorizer/`) are taken; every other demand is an error: a route is never served
//! with less protection than its document asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    authorizer::{Authorizer, Scheme},
    fault::shorten,
    report::Report,
    text::Substitutions,
};
use crate::base::limits::ROUTE_SCOPES_MAX;
use crate::config::{
    document::{Entry, Kind, Node},
    suggest::nearest,
};

/// Longer names are not compared with a misspelt one.
const NAME_BYTES_MAX: usize = 100;

/// The demands of a document while its routes are read.
pub(super) struct Security<'d, 'r> {
    known: &'r Substitutions,
    schemes: Option<Node<'d>>,
    /// Holds for operations without a `security` of their own. AWS's page says that it is not
    /// used, recordings show it applied (`api-gateway.md` 1.3): the safer reading is taken.
    everywhere: Option<Node<'d>>,
    used: BTreeSet<&'d str>,
    /// What came of it, once an operation asked.
    inherited: Option<Demands>,
    authorizers: Vec<Authorizer>,
    /// Where the authorizers that were asked for are; `None` for a faulty one.
    places: BTreeMap<&'d str, Option<usize>>,
    /// Where the one is that asks for signatures, whatever asks for it.
    iam: Option<usize>,
}

/// What an operation demands of its callers.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    /// An API key (AWS's `apiKeyRequired`).
    pub(super) api_key_required: bool,
    /// A token that an authorizer takes, by its place, with one of some scopes.
    pub(super) authorizer: Option<(usize, Vec<String>)>,
}

/// What a scheme without a known authorizer is.
enum Plain {
    /// An API key as API Gateway takes it.
    ApiKey,
    /// An API key that is elsewhere: where.
    OtherKey(String),
    /// Anything else, in words, and what to do about it.
    Unsupported { what: String, fix: String },
}

impl<'d, 'r> Security<'d, 'r> {
    /// The demands of the document under `root`.
    pub(super) fn new(root: Node<'d>, known: &'r Substitutions) -> Self {
        Self {
            known,
            schemes: root.find("components").and_then(|found| found.find("securitySchemes")),
            everywhere: root.find("security"),
            used: BTreeSet::new(),
            inherited: None,
            authorizers: Vec::new(),
            places: BTreeMap::new(),
            iam: None,
        }
    }

    /// What `operation` demands; what of it is not supported is told.
    pub(super) fn check(
        &mut self,
        operation: Node<'d>,
        label: &str,
        report: &mut Report<'_>,
    ) -> Demands {
        let inherited = self.inherited.clone();
        let mut demands = match (operation.find("security"), self.everywhere, inherited) {
            (Some(own), ..) => self.check_demands(own, label, report),
            (None, Some(_), Some(known)) => known,
            (None, Some(everywhere), None) => {
                let label = format!("{label} (and others)");
                let demands = self.check_demands(everywhere, &label, report);
                self.inherited = Some(demands.clone());
                demands
            }
            (None, None, _) => Demands::default(),
        };
        if let Some(auth) = operation.find("x-amazon-apigateway-auth") {
            self.check_auth(auth, label, &mut demands, report);
        }
        demands
    }

    /// What `x-amazon-apigateway-auth` of an operation adds to its demands.
    fn check_auth(
        &mut self,
        auth: Node<'d>,
        label: &str,
        found: &mut Demands,
        report: &mut Report<'_>,
    ) {
        let kind = auth.find("type").and_then(Node::scalar_text).unwrap_or_default();
        if kind.eq_ignore_ascii_case("none") {
            return;
        }
        if !kind.eq_ignore_ascii_case("aws_iam") {
            return refuse_auth(auth, kind, label, report);
        }
        for entry in auth.entries().filter(|entry| entry.key != "type") {
            let name = shorten(entry.key);
            let message = format!("{label}: {name} means nothing to AWS_IAM; it is left out");
            report.info(&entry, message, "");
        }
        let place = self.iam();
        match &found.authorizer {
            Some((other, _)) if *other != place => {
                let message = format!("{label} demands AWS_IAM and another authorizer");
                report.error(&auth, message, "keep one: a route has one authorizer");
            }
            _ => found.authorizer = Some((place, Vec::new())),
        }
    }

    /// The place of the authorizer that asks for signatures.
    fn iam(&mut self) -> usize {
        *self.iam.get_or_insert_with(|| {
            self.authorizers.push(Authorizer::iam());
            self.authorizers.len() - 1
        })
    }

    /// The authorizers that routes use; tells of those that none does.
    pub(super) fn finish(self, report: &mut Report<'_>) -> Vec<Authorizer> {
        for scheme in self.schemes.into_iter().flat_map(Node::entries) {
            let is_authorizer = ["x-amazon-apigateway-authorizer", "x-ringway-authorizer"]
                .into_iter()
                .any(|key| scheme.value.find(key).is_some());
            if is_authorizer && !self.used.contains(scheme.key) {
                let message =
                    format!("authorizer {}: no route asks for it; it is left out", scheme.key);
                report.info(&scheme, message, "");
            }
        }
        self.authorizers
    }

    /// As in AWS's import, one demand of an API key among several is enough to require it.
    fn check_demands(
        &mut self,
        demands: Node<'d>,
        label: &str,
        report: &mut Report<'_>,
    ) -> Demands {
        let mut found = Demands::default();
        if demands.kind() != Kind::Sequence {
            let message = format!("{label}: security is {}; a list is expected", demands.kind());
            report.error(&demands, message, "write it as in security: [{name: []}]");
            return found;
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
                self.check_demand(named, label, &mut found, report);
            }
        }
        let nothing = demands.items().find(|one| one.is_mapping() && one.entries().len() == 0);
        let what = match &found {
            Demands { authorizer: Some((place, _)), .. } if self.iam == Some(*place) => {
                Some(("a signature", "signature"))
            }
            Demands { authorizer: Some(_), .. } => Some(("a token", "token")),
            Demands { api_key_required: true, .. } => Some(("an API key", "key")),
            Demands { .. } => None,
        };
        if let (Some(nothing), Some((what, short))) = (nothing, what) {
            let message = format!(
                "{label}: {what} or nothing is demanded; API Gateway knows no choice: the {short} \
                 is required"
            );
            let fix = format!("remove {{}} from the list, or the {short}'s demand");
            report.warning(&nothing, message, &fix);
        }
        found
    }

    fn check_demand(
        &mut self,
        named: Entry<'d>,
        label: &str,
        found: &mut Demands,
        report: &mut Report<'_>,
    ) {
        let scheme = self.schemes.and_then(|schemes| schemes.find(named.key));
        if let Some(scheme) = scheme.and_then(|scheme| Scheme::of(named.key, scheme)) {
            return self.demand_authorizer(named, scheme, label, found, report);
        }
        match self.describe(named.key, report.is_full()) {
            Plain::ApiKey => {
                if named.value.items().len() > 0 {
                    let message =
                        format!("{label}: scopes mean nothing to an API key; they are left out");
                    report.info(&named, message, "");
                }
                found.api_key_required = true;
            }
            Plain::OtherKey(place) => {
                let name = shorten(named.key);
                let message = format!(
                    "{label} demands {name}, an API key {place}; API Gateway takes it in the \
                     header x-api-key only"
                );
                report.error(&named, message, "write {type: apiKey, name: x-api-key, in: header}");
            }
            Plain::Unsupported { what, fix } => {
                let message = format!(
                    "{label} demands {what}, which is not yet supported: this version would serve \
                     the route without it"
                );
                report.error(&named, message, &fix);
            }
        }
    }

    /// A route has one authorizer at most, as at AWS.
    fn demand_authorizer(
        &mut self,
        named: Entry<'d>,
        scheme: Scheme<'d>,
        label: &str,
        found: &mut Demands,
        report: &mut Report<'_>,
    ) {
        let known = self.places.get(named.key).copied();
        let place = known.unwrap_or_else(|| {
            let read = scheme.read(self.known, report);
            let place = read.map(|authorizer| match authorizer.is_iam() {
                true => self.iam(),
                false => {
                    self.authorizers.push(authorizer);
                    self.authorizers.len() - 1
                }
            });
            self.places.insert(named.key, place);
            place
        });
        let mut scopes = read_scopes(named, label, report);
        if scheme.is_iam() && !scopes.is_empty() {
            let message = format!("{label}: scopes mean nothing to AWS_IAM; they are left out");
            report.info(&named, message, "");
            scopes.clear();
        }
        let Some(place) = place else { return };
        match &found.authorizer {
            None => {}
            Some((other, _)) if scheme.is_iam() && *other == place => return,
            Some((other, _)) => {
                let what = match scheme.is_iam() || self.iam == Some(*other) {
                    true => "AWS_IAM and another authorizer",
                    false => "the tokens of several authorizers",
                };
                let message = format!("{label} demands {what}");
                return report.error(&named, message, "keep one: a route has one authorizer");
            }
        }
        found.authorizer = Some((place, scopes));
    }

    fn describe(&self, name: &str, is_brief: bool) -> Plain {
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
            return Plain::Unsupported { what, fix };
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
        Plain::Unsupported { what: format!("{short} ({kind})"), fix: FIX.to_owned() }
    }
}

/// The scopes that a demand names: texts that can stand in `www-authenticate` (RFC 6749 3.3).
fn read_scopes(named: Entry<'_>, label: &str, report: &mut Report<'_>) -> Vec<String> {
    let is_scope = |text: &str| {
        let sound = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        !text.is_empty() && text.bytes().all(sound)
    };
    let scopes: Vec<Option<&str>> =
        named.value.items().map(|item| item.as_str().filter(|text| is_scope(text))).collect();
    let is_list = named.value.kind() == Kind::Sequence;
    if !is_list || scopes.len() > ROUTE_SCOPES_MAX || scopes.contains(&None) {
        let message =
            format!("{label}: the scopes of {} are no list of scopes", shorten(named.key));
        let fix = format!("write 0 to {ROUTE_SCOPES_MAX} names, as in [pets.read, pets.write]");
        report.error(&named, message, &fix);
    }
    scopes.into_iter().flatten().map(str::to_owned).collect()
}

/// A scheme of type `apiKey`, by where it has the key.
fn api_key(scheme: Node<'_>) -> Plain {
    let text = |key| scheme.find(key).and_then(Node::scalar_text).unwrap_or_default();
    let (name, place) = (text("name"), text("in"));
    if name.eq_ignore_ascii_case("x-api-key") && place == "header" {
        return Plain::ApiKey;
    }
    let place = match place {
        "header" | "query" | "cookie" => format!("in the {place} {}", shorten(name)),
        "" => "that is nowhere (it has no in)".to_owned(),
        other => format!("in {} {}", shorten(other), shorten(name)),
    };
    Plain::OtherKey(place)
}

/// An `x-amazon-apigateway-auth` of a type that this version does not know.
fn refuse_auth(auth: Node<'_>, kind: &str, label: &str, report: &mut Report<'_>) {
    let kind = if kind.is_empty() { "without a type" } else { kind };
    let message = format!(
        "{label} has x-amazon-apigateway-auth {}, which is not yet supported: this version would \
         serve the route without it",
        shorten(kind)
    );
    let fix = "write {type: AWS_IAM}, or {type: NONE} if the route may be open to all";
    report.error(&auth, message, fix);
}
