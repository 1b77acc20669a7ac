//! OpenAPI 3.0 and 3.1 documents with AWS's extensions, in; an API's definition, and per stage
//! its part of the plan, out (`api-gateway.md` 1.3, 1.4, 1.5, 2.2, 6.2, 7.3, 7.8).
//!
//! [`import`] reads a document once; [`ApiDefinition::compile`] makes a stage of it. Both tell
//! all problems, each with its place. Nothing that a document says about behaviour is silently
//! left out, and nothing that it protects is served without that protection.
//!
//! Reading order: `kind` (is it OpenAPI), `vocabulary` (what is left out), `servers` (base path),
//! `paths` (routes), `security` and `authorizer` (who may call them), `integration` (what a route
//! calls), `endpoint` (who may call by API id), `cors` (which pages may), `policy` (who
//! may at all), `compile`. Below them:
//! `reference` (`$ref`), `intrinsic` (CloudFormation's functions), `text` (`${..}`), `uri`.
//!
//! Not here: Swagger 2 and REST APIs; the gateway file; reading files.

mod authorizer;
mod compile;
mod cors;
mod definition;
mod endpoint;
mod fault;
mod integration;
mod intrinsic;
mod kind;
mod paths;
mod policy;
mod reference;
mod report;
mod security;
mod servers;
mod text;
mod uri;
mod vocabulary;

pub use authorizer::secrets;
pub use compile::StageInputs;
pub use definition::{ApiDefinition, BasePath, ImportOptions, RouteDefinition};
pub use text::Substitutions;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::report::Report;
use super::{Problems, document::Document};

/// Reads the API that `document` defines, as far as it can be read; `None` when it is no OpenAPI
/// document at all. Errors, warnings and the import report (what was left out) are in `problems`;
/// after an error there is a definition too, so that its stages can tell theirs.
pub fn import(
    document: &Document,
    options: &ImportOptions,
    problems: &mut Problems,
) -> Option<ApiDefinition> {
    let root = document.root();
    let mut report = Report::new(problems);
    if !kind::check(root, &mut report) {
        return None;
    }
    vocabulary::check(root, &mut report);
    let base = servers::read(root, options.basepath, &options.substitutions, &mut report);
    let (routes, authorizers) = paths::read(root, &base, options, &mut report);
    let title = root.find("info").and_then(|info| info.find("title"));
    let title = title.and_then(|title| title.as_str()).unwrap_or_default().to_owned();
    let disables_endpoint = endpoint::read(root);
    let endpoint = endpoint::read_access(root, &options.substitutions, &mut report);
    let cors = cors::read(root, &options.substitutions, &mut report);
    let policy = policy::read(root, &options.api_arn, &options.substitutions, &mut report);
    let policy = policy.map(Arc::new);
    let is_sound = !report.has_errors();
    Some(ApiDefinition {
        title,
        routes,
        authorizers,
        disables_endpoint,
        endpoint,
        cors,
        policy,
        is_sound,
    })
}
