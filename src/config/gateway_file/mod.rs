//! The gateway file: listeners, APIs, stages, in AWS's field names.
//!
//! [`raw`] holds the types. They are the only source: `ringway schema` prints the JSON Schema
//! generated from them, and a document is checked against that same schema ([`schema`]), which
//! finds every problem with its place; only a document without errors becomes the types.
//! What a schema cannot say (names given twice) is in [`rules`], for domain names in [`domains`],
//! for usage plans and limits in [`traffic`], for CORS in `config::cors`, for principals,
//! which have files of their own too, in [`principals`].
//! Not here: OpenAPI documents, and how all this becomes a plan (`config::compile`).

mod apis;
mod domains;
mod formats;
mod principals;
pub mod raw;
mod rules;
mod schema;
mod traffic;

pub(super) use apis::did_you_mean;
pub(super) use formats::{is_name, time_of};
pub(super) use principals::read_list as read_principals;
pub use schema::json_schema;
pub(super) use traffic::{burst_of, route_key};

use super::{Problems, cors, document::Document};
use raw::GatewayFile;

/// Reads a document as a gateway file. `None` when it has errors; all of them are in `problems`.
pub fn read(document: &Document, problems: &mut Problems) -> Option<GatewayFile> {
    let before = problems.errors();
    schema::check(document.root(), problems);
    rules::check(document, problems);
    domains::check(document.root(), problems);
    traffic::check(document.root(), problems);
    cors::check(document.root(), problems);
    principals::check(document.root(), problems);
    if problems.errors() > before {
        return None;
    }
    match serde_json::from_value(document.root().to_json()) {
        Ok(file) => Some(file),
        // The schema is made of the same types; should they ever disagree, say so.
        Err(error) => {
            let message = format!("the gateway file cannot be read: {error}");
            problems.error(document.root().place(), message, "");
            None
        }
    }
}

#[cfg(test)]
mod tests;
