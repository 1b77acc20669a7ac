//! An API as its OpenAPI document defines it, before a stage's variables are known.
//!
//! One definition serves all stages of an API: `compile.rs` makes a stage's part of the plan.

use std::{sync::Arc, time::Duration};

use super::{
    authorizer::Authorizer,
    text::{Substitutions, stage_variables},
};
use crate::{
    base::Place,
    config::access::Endpoint,
    http::Method,
    steps::{authorize::policy::Policy, cors::Cors, integrate::TlsConfig, route::RouteKey},
};

/// What an import does with the base path of the document's `servers` (AWS's `basepath`), shown
/// for the base path `/a/b/c` and the path `/e`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasePath {
    /// `/e`.
    #[default]
    Ignore,
    /// `/a/b/c/e`.
    Prepend,
    /// `/b/c/e`: the first part is dropped.
    Split,
}

impl BasePath {
    /// The mode of this name: `ignore`, `prepend` or `split`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ignore" => Some(Self::Ignore),
            "prepend" => Some(Self::Prepend),
            "split" => Some(Self::Split),
            _ => None,
        }
    }
}

/// How a document is imported.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// What becomes of the servers' base path.
    pub basepath: BasePath,
    /// The API's ARN, which `execute-api:/..` in its policy stands for.
    pub api_arn: String,
    /// What `${AWS::Region}`, `Ref` and `Fn::Sub` may name, by name.
    pub substitutions: Substitutions,
}

impl Default for ImportOptions {
    /// Base path ignored, as at AWS; the names that AWS's import substitutes, with the values
    /// that local stand-ins of AWS commonly use.
    fn default() -> Self {
        let known = [
            ("AWS::Region", "us-east-1"),
            ("AWS::AccountId", "000000000000"),
            ("AWS::Partition", "aws"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut options = Self {
            basepath: BasePath::Ignore,
            api_arn: String::new(),
            substitutions: known.map(own).into(),
        };
        options.name_api("0123456789");
        options
    }
}

impl ImportOptions {
    /// Makes the ARN, from the region and account that are known, of the API of this id.
    pub fn name_api(&mut self, id: &str) {
        let known = |name| self.substitutions.get(name).map_or("", String::as_str);
        let partition = known("AWS::Partition");
        let (region, account) = (known("AWS::Region"), known("AWS::AccountId"));
        self.api_arn = format!("arn:{partition}:execute-api:{region}:{account}:{id}");
    }
}

/// An API: its routes and what each calls.
#[derive(Clone)]
pub struct ApiDefinition {
    pub(super) title: String,
    pub(super) routes: Vec<RouteDefinition>,
    pub(super) authorizers: Vec<Authorizer>,
    pub(super) disables_endpoint: Option<bool>,
    /// Who may reach it by which listener, if it says so.
    pub(in crate::config) endpoint: Option<Endpoint>,
    /// What it tells browsers, if it says so.
    pub(in crate::config) cors: Option<Cors>,
    /// Who may call it at all, if it says so.
    pub(in crate::config) policy: Option<Arc<Policy>>,
    /// Its import told no error.
    pub(super) is_sound: bool,
}

impl ApiDefinition {
    /// The document's `info.title`; empty when it has none.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it says of `disableExecuteApiEndpoint`, if anything.
    #[must_use]
    pub const fn disables_endpoint(&self) -> Option<bool> {
        self.disables_endpoint
    }

    /// Whether its import told no error; a faulty one never becomes a stage.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// The stage variables that its texts name; a name may come again.
    pub fn stage_variables(&self) -> impl Iterator<Item = &str> {
        let texts = self.routes.iter().flat_map(|route| route.integration.texts());
        texts.flat_map(stage_variables)
    }

    /// The routes in the order of the document; those of a faulty definition are not all.
    #[must_use]
    pub fn routes(&self) -> &[RouteDefinition] {
        &self.routes
    }
}

/// One route of an API.
#[derive(Clone, Debug)]
pub struct RouteDefinition {
    /// Method and path, base path included; or `$default`.
    pub key: RouteKey,
    /// Where its operation stands.
    pub place: Place,
    /// Whether it demands an API key.
    pub api_key_required: bool,
    /// Which authorizer of the definition asks for a token, and for which scopes.
    pub(super) authorizer: Option<(usize, Vec<String>)>,
    pub(super) integration: Arc<Integration>,
}

/// An `http_proxy` integration: what a route calls.
#[derive(Debug)]
pub(super) struct Integration {
    pub(super) place: Place,
    /// `None` sends the client's own method (`ANY`).
    pub(super) method: Option<Method>,
    /// As the document has it, known names put in; stage variables are still open.
    pub(super) uri: Placed<String>,
    /// How it goes there, when that is `https`.
    pub(super) tls: TlsConfig,
    /// 50 ms to 30 s.
    pub(super) timeout: Duration,
    pub(super) request: Vec<Mapping>,
    /// By the upstream's status.
    pub(super) responses: Vec<ResponseMapping>,
}

impl Integration {
    /// All mappings, of the request and of answers.
    pub(super) fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        let answered = self.responses.iter().flat_map(|response| &response.mappings);
        self.request.iter().chain(answered)
    }

    /// Whether any of its texts depends on the stage.
    pub(super) fn has_stage_variables(&self) -> bool {
        self.texts().any(|text| stage_variables(text).next().is_some())
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let own = [&self.uri.value].into_iter().chain(&self.tls.server_name);
        self.mappings().map(|mapping| &mapping.value).chain(own).map(String::as_str)
    }
}

/// The mappings for one status of the upstream.
#[derive(Debug)]
pub(super) struct ResponseMapping {
    /// 200 to 599, as the document has it.
    pub(super) status: String,
    pub(super) mappings: Vec<Mapping>,
}

/// One entry of `requestParameters` or of a status in `responseParameters`.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) place: Place,
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}
