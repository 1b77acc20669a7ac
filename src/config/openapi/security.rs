//! Who may call a route, as the document says it. This version has no authorizers yet, so every
//! demand is an error: a route is never served with less protection than its document asks for.

use std::collections::BTreeSet;

use super::{fault::shorten, report::Report};
use crate::config::{
    document::{Kind, Node},
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
    is_inherited_told: bool,
}

impl<'d> Security<'d> {
    /// The demands of the document under `root`.
    pub(super) fn new(root: Node<'d>) -> Self {
        Self {
            schemes: root.find("components").and_then(|found| found.find("securitySchemes")),
            everywhere: root.find("security"),
            used: BTreeSet::new(),
            is_inherited_told: false,
        }
    }

    /// Tells what `operation` demands.
    pub(super) fn check(&mut self, operation: Node<'d>, label: &str, report: &mut Report<'_>) {
        if let Some(own) = operation.find("security") {
            self.check_demands(own, label, report);
        } else if let Some(inherited) = self.everywhere.filter(|_| !self.is_inherited_told) {
            self.is_inherited_told = true;
            self.check_demands(inherited, &format!("{label} (and others)"), report);
        }
        if let Some(auth) = operation.find("x-amazon-apigateway-auth") {
            check_auth(auth, label, report);
        }
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

    fn check_demands(&mut self, demands: Node<'d>, label: &str, report: &mut Report<'_>) {
        if demands.kind() != Kind::Sequence {
            let message = format!("{label}: security is {}; a list is expected", demands.kind());
            report.error(&demands, message, "write it as in security: [{name: []}]");
            return;
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
                let (what, fix) = self.describe(named.key, report.is_full());
                let message = format!(
                    "{label} demands {what}, which is not yet supported: this version would serve \
                     the route without it"
                );
                report.error(&named, message, &fix);
            }
        }
    }

    /// A scheme in words, and what to do about it.
    fn describe(&self, name: &str, is_brief: bool) -> (String, String) {
        const FIX: &str = "remove the demand if the route may be open to all";
        let short = shorten(name);
        let Some(scheme) = self.schemes.and_then(|schemes| schemes.find(name)) else {
            let known = self.schemes.filter(|_| !is_brief).into_iter().flat_map(Node::entries);
            let names = known.map(|entry| entry.key).filter(|name| name.len() <= NAME_BYTES_MAX);
            let fix = match nearest(name, names) {
                Some(near) => format!("did you mean {near}?"),
                None => FIX.to_owned(),
            };
            return (format!("{short} (a scheme that components.securitySchemes lacks)"), fix);
        };
        let text = |node: Option<Node<'d>>| node.and_then(Node::scalar_text).map(shorten);
        let authorizer = scheme.find("x-amazon-apigateway-authorizer");
        let kind = match (authorizer, text(scheme.find("x-amazon-apigateway-authtype"))) {
            (Some(authorizer), _) => {
                let kind = text(authorizer.find("type")).unwrap_or_default();
                format!("an authorizer of type {kind}")
            }
            (None, Some(kind)) => format!("authorization of type {kind}"),
            (None, None) => match text(scheme.find("type")).as_deref() {
                Some("apiKey") => "an API key".to_owned(),
                Some(kind) => format!("a scheme of type {kind}"),
                None => "a scheme without a type".to_owned(),
            },
        };
        (format!("{short} ({kind})"), FIX.to_owned())
    }
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
