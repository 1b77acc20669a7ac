//! The authorizers of a document: security schemes that find out who calls, one file for each kind.

mod basic;
mod cognito;
mod jwt;
mod own;
mod reading;
mod webhook;

use std::sync::Arc;

use super::{
    definition::{ApiDefinition, RouteDefinition},
    fault::shorten,
    report::Report,
    text::Substitutions,
};
use crate::{
    base::{Place, limits::TRUST_STORE_BYTES_MAX},
    config::{Problems, document::Node, user_pools::UserPools},
    steps::authorize,
};

/// Ringway's own authorizers.
const OWN: &str = "x-ringway-authorizer";
const AUTHTYPE: &str = "x-amazon-apigateway-authtype";
const TYPES: &str = "write type: basic, or type: webhook";

/// An authorizer of the document.
#[derive(Clone)]
pub(super) struct Authorizer {
    kind: Kind,
    /// Once its keys are known.
    pub(super) compiled: Option<Arc<authorize::Authorizer>>,
}

#[derive(Clone)]
enum Kind {
    Jwt(jwt::Jwt),
    Cognito(cognito::Cognito),
    Basic(basic::Basic),
    Webhook(webhook::Webhook),
    /// Has nothing of its own: who may sign, the gateway file says.
    Iam,
}

/// Whose kinds `type` names, or which one it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Jwt,
    Cognito,
    Iam,
    /// One of `x-ringway-authorizer`.
    Own,
}

/// A scheme that is an authorizer of a kind that is known, and where it says so.
#[derive(Clone, Copy)]
pub(super) struct Scheme<'d> {
    form: Form,
    name: &'d str,
    scheme: Node<'d>,
    node: Node<'d>,
}

impl<'d> Scheme<'d> {
    /// The scheme called `name`; `None` when it is no authorizer that is known.
    pub(super) fn of(name: &'d str, scheme: Node<'d>) -> Option<Self> {
        if let Some(node) = scheme.find(OWN) {
            return Some(Self { form: Form::Own, name, scheme, node });
        }
        if let Some(node) = scheme.find(AUTHTYPE).filter(|node| is_sigv4(*node)) {
            return Some(Self { form: Form::Iam, name, scheme, node });
        }
        let node = scheme.find("x-amazon-apigateway-authorizer")?;
        let kind = node.find("type").and_then(Node::scalar_text)?;
        let forms = [("jwt", Form::Jwt), ("cognito_user_pools", Form::Cognito)];
        let found = forms.into_iter().find(|(name, _)| kind.eq_ignore_ascii_case(name));
        found.map(|(_, form)| Self { form, name, scheme, node })
    }

    /// Whether it asks for a signature (`AWS_IAM`): all that do are one authorizer.
    pub(super) fn is_iam(&self) -> bool {
        self.form == Form::Iam
    }

    /// Reads it; `None` after an error.
    pub(super) fn read(self, known: &Substitutions, report: &mut Report<'_>) -> Option<Authorizer> {
        let Self { form, name, scheme, node } = self;
        let is_own = form == Form::Own;
        if is_own && scheme.find("x-amazon-apigateway-authorizer").is_some() {
            let mut reading = own::Reading::new(name, report);
            return reading.error(node, "it is AWS's authorizer and Ringway's", "keep one");
        }
        let kind = match (form, node.find("type").and_then(Node::scalar_text)) {
            (Form::Iam, _) => check_iam(name, scheme, report).map(|()| Kind::Iam),
            (Form::Jwt, _) => jwt::read(name, scheme, node, known, report).map(Kind::Jwt),
            (Form::Cognito, _) => {
                cognito::read(name, scheme, node, known, report).map(Kind::Cognito)
            }
            (Form::Own, Some("basic")) => basic::read(name, scheme, node, report).map(Kind::Basic),
            (Form::Own, Some("webhook")) => {
                webhook::read(name, scheme, node, report).map(Kind::Webhook)
            }
            (Form::Own, other) => {
                let what = match other {
                    Some(other) => format!("there is no type {} here", shorten(other)),
                    None => "its x-ringway-authorizer has no type".to_owned(),
                };
                own::Reading::new(name, report).error(node, &what, TYPES)
            }
        };
        kind.map(|kind| Authorizer { kind, compiled: None })
    }
}

impl Authorizer {
    /// The one that asks for signatures.
    pub(super) const fn iam() -> Self {
        Self { kind: Kind::Iam, compiled: None }
    }

    /// Whether it asks for signatures.
    pub(super) const fn is_iam(&self) -> bool {
        matches!(self.kind, Kind::Iam)
    }
}

fn is_sigv4(node: Node<'_>) -> bool {
    node.scalar_text().is_some_and(|text| text.eq_ignore_ascii_case("awsSigv4"))
}

/// `None` after an error.
fn check_iam(name: &str, scheme: Node<'_>, report: &mut Report<'_>) -> Option<()> {
    let short = shorten(name);
    if let Some(other) = scheme.find("x-amazon-apigateway-authorizer") {
        let message = format!("authorizer {short}: it is awsSigv4, and has another authorizer");
        report.error(&other, message, "remove one of them");
        return None;
    }
    let text = |key| scheme.find(key).and_then(Node::scalar_text).unwrap_or_default();
    let is_header = text("in") == "header" && text("name").eq_ignore_ascii_case("authorization");
    if text("type") != "apiKey" || !is_header {
        let message = format!(
            "authorizer {short}: a signature is in Authorization, or in the query as X-Amz-*, \
             whatever its scheme says"
        );
        let fix = "write {type: apiKey, name: Authorization, in: header, ..}";
        report.warning(&scheme, message, fix);
    }
    Some(())
}

impl ApiDefinition {
    /// Where the first route is that asks for signatures.
    #[must_use]
    pub fn asks_for_signatures(&self) -> Option<&Place> {
        let is_signed = |place: usize| self.authorizers[place].is_iam();
        let demands = |route: &&RouteDefinition| {
            route.authorizer.as_ref().is_some_and(|(place, _)| is_signed(*place))
        };
        self.routes.iter().find(demands).map(|route| &route.place)
    }

    /// Gives the authorizers their keys and users, some of which are those of user pools; `read`
    /// reads a file that stands at a place of the document, at most one byte more than so many, and
    /// tells when it cannot.
    pub fn read_keys(
        &mut self,
        mut read: impl FnMut(&str, &Place, usize, &mut Problems) -> Option<Vec<u8>>,
        pools: &mut UserPools,
        problems: &mut Problems,
    ) {
        let errors_before = problems.errors();
        for authorizer in &mut self.authorizers {
            let compiled = match &authorizer.kind {
                Kind::Jwt(jwt) => {
                    let mut read = |path: &str, place: &Place, problems: &mut Problems| {
                        read(path, place, TRUST_STORE_BYTES_MAX, problems)
                    };
                    jwt.compile(&mut read, problems).map(authorize::Authorizer::Jwt)
                }
                Kind::Cognito(cognito) => {
                    cognito.compile(pools, problems).map(authorize::Authorizer::Jwt)
                }
                Kind::Basic(basic) => {
                    basic.compile(&mut read, problems).map(authorize::Authorizer::Basic)
                }
                Kind::Webhook(webhook) => {
                    webhook.compile(&mut read, problems).map(authorize::Authorizer::Webhook)
                }
                Kind::Iam => Some(authorize::Authorizer::Iam),
            };
            authorizer.compiled = compiled.map(Arc::new);
        }
        self.is_sound &= problems.errors() == errors_before;
    }
}

/// Where the secrets of a document's authorizers stand.
pub fn secrets(root: Node<'_>) -> Vec<(u32, u32)> {
    // Whatever has another name may be one that is misspelt.
    const PUBLIC: [&str; 7] = [
        "type",
        "usersFile",
        "realm",
        "provider",
        "secretFile",
        "secretEnvironment",
        "toleranceSeconds",
    ];
    let schemes = root.find("components").and_then(|found| found.find("securitySchemes"));
    let own = schemes.into_iter().flat_map(Node::entries);
    let own = own.filter_map(|scheme| scheme.value.find(OWN));
    let members = own.flat_map(Node::entries);
    members
        .filter(|member| !PUBLIC.contains(&member.key))
        .map(|member| member.value.bytes())
        .collect()
}
