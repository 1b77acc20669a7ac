//! Which keys may stand where in a document, and what becomes of those that this version does
//! not act on. One walk over the whole document, so that nothing is silently left out.
//!
//! Told: every `x-amazon-*` key that is not implemented or stands where it means nothing, keys
//! that OpenAPI does not have, other tools' `x-` keys. Not told: documentation. What protects an
//! API and is not supported is an error: nothing is served with less protection than its
//! document asks for. Read elsewhere: routes (`paths.rs`), integrations, `security.rs`.

use std::collections::BTreeMap;

use super::{cors, fault::shorten, policy, report::Report};
use crate::{
    base::Severity,
    config::{
        cors::flag,
        document::{Entry, Node},
        suggest::nearest,
    },
};

/// Where in a document a mapping stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Root,
    /// A list of servers, or (wrongly) one server.
    Servers,
    Tags,
    Paths,
    PathItem,
    Operation,
    Components,
    Schemes,
    Scheme,
    /// An integration's own fields are checked where integrations are read.
    Integration,
    /// Documentation; examples and schemas may hold anything.
    Elsewhere,
}

/// What becomes of an extension where it may stand.
#[derive(Clone, Copy)]
enum Fate {
    /// Another file of this folder reads it.
    Read,
    /// It protects the API in a way that this version does not.
    Protects,
    /// A REST API's; AWS ignores it in an HTTP API too.
    RestOnly(Severity),
    /// Of no meaning for a gateway that runs from a file.
    Idle,
    /// Depends on its value.
    Judged(fn(Entry<'_>, &mut Report<'_>)),
}

struct Extension {
    name: &'static str,
    /// `[]`: anywhere.
    places: &'static [Where],
    fate: Fate,
}

const fn extension(name: &'static str, places: &'static [Where], fate: Fate) -> Extension {
    Extension { name, places, fate }
}

/// `api-gateway.md` 1.4.
const EXTENSIONS: &[Extension] = &[
    extension("x-amazon-apigateway-any-method", &[Where::PathItem], Fate::Read),
    extension("x-amazon-apigateway-integration", &[Where::Operation], Fate::Read),
    extension("x-amazon-apigateway-integrations", &[Where::Components], Fate::Read),
    extension("x-amazon-apigateway-auth", &[Where::Operation], Fate::Read),
    extension("x-amazon-apigateway-authorizer", &[Where::Scheme], Fate::Read),
    extension("x-amazon-apigateway-authtype", &[Where::Scheme], Fate::Read),
    extension(cors::EXTENSION, &[Where::Root], Fate::Read),
    extension(policy::EXTENSION, &[Where::Root], Fate::Read),
    extension("x-amazon-apigateway-security-policy", &[Where::Root], Fate::Protects),
    extension(
        "x-amazon-apigateway-endpoint-access-mode",
        &[Where::Root, Where::Servers],
        Fate::Judged(judge_access_mode),
    ),
    extension(
        "x-amazon-apigateway-endpoint-configuration",
        &[Where::Root, Where::Servers],
        Fate::Judged(judge_endpoint),
    ),
    extension(
        "x-amazon-apigateway-importexport-version",
        &[Where::Root],
        Fate::Judged(judge_version),
    ),
    extension(
        "x-amazon-apigateway-request-validator",
        &[Where::Root, Where::Operation],
        Fate::RestOnly(Severity::Warning),
    ),
    extension(
        "x-amazon-apigateway-request-validators",
        &[Where::Root],
        Fate::RestOnly(Severity::Warning),
    ),
    extension(
        "x-amazon-apigateway-api-key-source",
        &[Where::Root],
        Fate::Judged(judge_api_key_source),
    ),
    extension(
        "x-amazon-apigateway-binary-media-types",
        &[Where::Root],
        Fate::RestOnly(Severity::Info),
    ),
    extension("x-amazon-apigateway-documentation", &[Where::Root], Fate::RestOnly(Severity::Info)),
    extension(
        "x-amazon-apigateway-gateway-responses",
        &[Where::Root],
        Fate::RestOnly(Severity::Info),
    ),
    extension(
        "x-amazon-apigateway-minimum-compression-size",
        &[Where::Root],
        Fate::RestOnly(Severity::Info),
    ),
    extension("x-amazon-apigateway-tag-value", &[Where::Tags], Fate::Idle),
];

/// Extensions whose loss, by a wrong place or a slip of the pen, would open an API.
const PROTECTIVE: &[&str] = &[
    "x-amazon-apigateway-auth",
    "x-amazon-apigateway-authorizer",
    "x-amazon-apigateway-authtype",
    "x-amazon-apigateway-cors",
    "x-amazon-apigateway-policy",
    "x-amazon-apigateway-security-policy",
    "x-amazon-apigateway-endpoint-access-mode",
    "x-amazon-apigateway-endpoint-configuration",
];

const ROOT_KEYS: &[&str] = &[
    "openapi",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
    "externalDocs",
];
/// The verbs first: they are also what an unknown key is compared with.
const PATH_ITEM_KEYS: &[&str] = &[
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
    "$ref",
    "summary",
    "description",
    "servers",
    "parameters",
    "x-amazon-apigateway-any-method",
];
const OPERATION_KEYS: &[&str] = &[
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
    "isDefaultRoute",
    "x-amazon-apigateway-integration",
    "x-amazon-apigateway-auth",
];
/// Operation keys that change who is let in or what is called.
const OPERATION_DECIDING: &[&str] =
    &["security", "isDefaultRoute", "x-amazon-apigateway-integration", "x-amazon-apigateway-auth"];

/// Tells what of the document under `root` is not acted on.
pub(super) fn check(root: Node<'_>, report: &mut Report<'_>) {
    let mut foreign = BTreeMap::new();
    let mut open = vec![(root, Where::Root)];
    while let Some((node, place)) = open.pop() {
        open.extend(node.items().map(|item| (item, place)));
        for entry in node.entries() {
            if is_amazons(entry.key) {
                check_extension(entry, place, report);
            } else if entry.key.starts_with("x-") {
                let is_ours = place == Where::Scheme && entry.key == "x-ringway-authorizer";
                if place != Where::Elsewhere && !is_ours {
                    foreign.entry(entry.key).or_insert((entry, 0_usize)).1 += 1;
                }
                continue;
            } else {
                check_key(entry, place, report);
            }
            if let Some(inner) = inside(place, entry.key) {
                open.push((entry.value, inner));
            }
        }
    }
    for (name, (entry, count)) in foreign {
        let times = if count == 1 { String::new() } else { format!(" ({count} times)") };
        let message =
            format!("{}{times} is another tool's extension; it is left out", shorten(name));
        report.info(&entry, message, "");
    }
}

/// Keys are case-sensitive; one in capitals is a slip that must be told like any other.
fn is_amazons(key: &str) -> bool {
    const PREFIX: &str = "x-amazon-";
    key.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Where the value of `key` stands; `None` for what is not walked.
fn inside(place: Where, key: &str) -> Option<Where> {
    let inner = match (place, key) {
        (Where::Root, "servers") => Where::Servers,
        (Where::Root, "tags") => Where::Tags,
        (Where::Root, "paths") | (Where::Components, "pathItems") => Where::Paths,
        (Where::Root, "components") => Where::Components,
        (Where::Paths, _) => Where::PathItem,
        (Where::PathItem, "get" | "put" | "post" | "delete" | "options" | "head" | "patch")
        | (Where::PathItem, "trace" | "x-amazon-apigateway-any-method") => Where::Operation,
        (Where::Components, "securitySchemes") => Where::Schemes,
        (Where::Components, "x-amazon-apigateway-integrations")
        | (Where::Operation, "x-amazon-apigateway-integration") => Where::Integration,
        (Where::Schemes, _) => Where::Scheme,
        (_, key) if is_amazons(key) => return None,
        // Told as no verb; what is in it would be told for the wrong reason.
        (Where::PathItem, key) if !PATH_ITEM_KEYS.contains(&key) => return None,
        (Where::Integration, _) => Where::Integration,
        _ => Where::Elsewhere,
    };
    Some(inner)
}

fn check_extension(entry: Entry<'_>, place: Where, report: &mut Report<'_>) {
    let name = entry.key;
    let Some(extension) = EXTENSIONS.iter().find(|extension| extension.name == name) else {
        return unknown_extension(entry, report);
    };
    if !extension.places.contains(&place) {
        let homes: Vec<&str> = extension.places.iter().map(|&place| describe(place)).collect();
        let message = format!("{name} means nothing here");
        let fix = format!("it belongs {}", homes.join(" or "));
        let is_grave = PROTECTIVE.contains(&name) || matches!(extension.fate, Fate::Read);
        let severity = if is_grave { Severity::Error } else { Severity::Warning };
        return report.add(severity, &entry, message, &fix);
    }
    match extension.fate {
        Fate::Read => {}
        Fate::Protects => refuse_unprotected(entry, name, report),
        Fate::RestOnly(severity) => {
            let message = format!("{name} is for REST APIs; an HTTP API does without it");
            report.add(severity, &entry, message, "");
        }
        Fate::Idle => report.info(&entry, format!("{name} has no use here; it is left out"), ""),
        Fate::Judged(judge) => judge(entry, report),
    }
}

fn unknown_extension(entry: Entry<'_>, report: &mut Report<'_>) {
    let name = shorten(entry.key);
    let near = nearest_extension(entry.key);
    let fix = near.map(|near| format!("did you mean {near}?")).unwrap_or_default();
    let is_grave = near.is_some();
    let severity = if is_grave { Severity::Error } else { Severity::Warning };
    report.add(severity, &entry, format!("{name} is no extension of API Gateway"), &fix);
}

/// Compared without what all of them begin with, or all of them would be near.
fn nearest_extension(name: &str) -> Option<&'static str> {
    const COMMON: &str = "x-amazon-apigateway-";
    let known = EXTENSIONS.iter().filter_map(|extension| extension.name.strip_prefix(COMMON));
    let start = name.get(..COMMON.len())?;
    if !start.eq_ignore_ascii_case(COMMON) {
        return None;
    }
    let near = nearest(&name[COMMON.len()..], known)?;
    EXTENSIONS.iter().map(|extension| extension.name).find(|name| &name[COMMON.len()..] == near)
}

fn check_key(entry: Entry<'_>, place: Where, report: &mut Report<'_>) {
    let known = match place {
        Where::Root => ROOT_KEYS,
        Where::PathItem => PATH_ITEM_KEYS,
        Where::Operation => OPERATION_KEYS,
        _ => return,
    };
    if known.contains(&entry.key) {
        return note_unused(entry, place, report);
    }
    let name = shorten(entry.key);
    if entry.key.starts_with("Fn::") {
        let message = format!("{name} is a function that only CloudFormation can do");
        return report.error(&entry, message, "write what it results in");
    }
    let near = nearest(entry.key, known.iter().copied());
    let fix = match (near, place) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, Where::PathItem) if entry.key.eq_ignore_ascii_case("any") => {
            "did you mean x-amazon-apigateway-any-method?".to_owned()
        }
        _ => "remove it".to_owned(),
    };
    let is_grave = match place {
        Where::PathItem => true,
        Where::Operation => near.is_some_and(|near| OPERATION_DECIDING.contains(&near)),
        _ => near == Some("security"),
    };
    let severity = if is_grave { Severity::Error } else { Severity::Warning };
    let message = format!("{name} is no key of OpenAPI 3 {}", describe(place));
    report.add(severity, &entry, message, &fix);
}

/// Keys of OpenAPI that say something about behaviour and are not acted on, as at AWS.
fn note_unused(entry: Entry<'_>, place: Where, report: &mut Report<'_>) {
    match (place, entry.key) {
        (Where::PathItem | Where::Operation, "servers") => {
            let message = "servers is read at the top of a document only; here it is left out";
            report.info(&entry, message.to_owned(), "");
        }
        (Where::Root, "webhooks") | (Where::Operation, "callbacks") => {
            let message = format!("{} describes calls by the API; they are left out", entry.key);
            report.info(&entry, message, "");
        }
        _ => {}
    }
}

fn refuse_unprotected(entry: Entry<'_>, what: &str, report: &mut Report<'_>) {
    let message =
        format!("{what} is not yet supported: this version would serve the API without it");
    report.error(&entry, message, "remove it if the API may be served so");
}

fn judge_access_mode(entry: Entry<'_>, report: &mut Report<'_>) {
    if entry.value.as_str() != Some("BASIC") {
        refuse_unprotected(entry, "x-amazon-apigateway-endpoint-access-mode STRICT", report);
    }
}

fn judge_endpoint(entry: Entry<'_>, report: &mut Report<'_>) {
    for field in entry.value.entries() {
        let is_harmless = match field.key {
            "disableExecuteApiEndpoint" => {
                if flag(field.value).is_none() {
                    let message = "disableExecuteApiEndpoint is neither true nor false".to_owned();
                    report.error(&field, message, "write one of them");
                }
                true
            }
            // Read in `endpoint`.
            "types" | "vpcEndpointIds" => true,
            "ipAddressType" => {
                let message = "ipAddressType is decided by the listener's address; it is left out";
                report.info(&field, message.to_owned(), "");
                true
            }
            _ => false,
        };
        if !is_harmless {
            refuse_unprotected(field, &shorten(field.key), report);
        }
    }
    if !entry.value.is_mapping() {
        let message = format!("{} is {}; a mapping is expected", entry.key, entry.value.kind());
        report.error(&entry, message, "write it as in {disableExecuteApiEndpoint: false}");
    }
}

fn judge_api_key_source(entry: Entry<'_>, report: &mut Report<'_>) {
    const NAME: &str = "x-amazon-apigateway-api-key-source";
    match entry.value.scalar_text() {
        Some("HEADER") => {}
        Some("AUTHORIZER") => {
            let message = format!(
                "{NAME} AUTHORIZER is not yet supported: it takes the key from a Lambda \
                 authorizer, and this version has none"
            );
            report.error(&entry, message, "write HEADER if callers may send it in x-api-key");
        }
        other => {
            let found = other.map_or_else(|| entry.value.kind().to_string(), shorten);
            report.error(&entry, format!("{NAME} is {found}"), "write HEADER");
        }
    }
}

fn judge_version(entry: Entry<'_>, report: &mut Report<'_>) {
    let version = entry.value.scalar_text().unwrap_or_default();
    if version != "1.0" {
        let message = format!("{} is {}; version 1.0 is known", entry.key, shorten(version));
        report.warning(&entry, message, "write \"1.0\"");
    }
}

const fn describe(place: Where) -> &'static str {
    match place {
        Where::Root => "at the top of the document",
        Where::Servers => "in a server",
        Where::Tags => "in a tag",
        Where::Paths => "in paths",
        Where::PathItem => "in a path item",
        Where::Operation => "in an operation",
        Where::Components => "in components",
        Where::Schemes | Where::Scheme => "in a security scheme",
        Where::Integration => "in an integration",
        Where::Elsewhere => "elsewhere",
    }
}
