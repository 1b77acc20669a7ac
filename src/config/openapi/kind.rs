//! Which kind of document this is: OpenAPI 3.0 and 3.1 are read, everything else gets the
//! sentence that helps its writer.

use super::{fault::shorten, report::Report};
use crate::config::{document::Node, suggest::nearest};

/// Whether `root` is an OpenAPI 3.0 or 3.1 document; told when not.
pub(super) fn check(root: Node<'_>, report: &mut Report<'_>) -> bool {
    if !root.is_mapping() {
        let message = format!("an OpenAPI document is a mapping; this is {}", root.kind());
        report.error(&root, message, "begin it with openapi: 3.0.1");
        return false;
    }
    if let Some(entry) = root.entry("openapi") {
        return check_version(entry.value, report);
    }
    if let Some(entry) = root.entry("swagger") {
        let message = "this is a Swagger 2.0 document, which describes a REST API; an HTTP API \
                       is described in OpenAPI 3.0 or 3.1";
        report.error(&entry, message.into(), "REST APIs are not yet served: convert it");
        return false;
    }
    let template = ["AWSTemplateFormatVersion", "Resources", "Transform"];
    if let Some(entry) = template.iter().find_map(|key| root.entry(key)) {
        let message = "this is a CloudFormation or SAM template, not an OpenAPI document";
        let fix = "take out the API's own definition (its Body or DefinitionBody) and give that";
        report.error(&entry, message.into(), fix);
        return false;
    }
    let near = root.entries().find(|entry| nearest(entry.key, ["openapi"]).is_some());
    let message = "this is no OpenAPI document: it has no key openapi".to_owned();
    match near {
        Some(entry) => report.error(&entry, message, "did you mean openapi?"),
        None => report.error(&root, message, "begin it with openapi: 3.0.1"),
    }
    false
}

fn check_version(node: Node<'_>, report: &mut Report<'_>) -> bool {
    let text = node.scalar_text().unwrap_or_default();
    let mut parts = text.split('.');
    let is_known = parts.next() == Some("3")
        && matches!(parts.next(), Some("0" | "1"))
        && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_known {
        let found = if text.is_empty() { node.kind().to_string() } else { shorten(text) };
        let message = format!("openapi is {found}; versions 3.0 and 3.1 are read");
        report.error(&node, message, "write openapi: 3.0.1");
    }
    is_known
}
