//! `x-amazon-apigateway-integration`: what a route calls (`api-gateway.md` 1.4.1, 7.3, 7.8).
//!
//! This version serves `http_proxy` over the internet; all other types are read as far as needed
//! to say so. The mappings' language is `steps/mapping`; here they are collected with places.

use std::time::Duration;

use super::{
    definition::{Integration, Mapping, Placed, ResponseMapping},
    fault::shorten,
    intrinsic,
    report::Report,
    text::{Substitutions, substitute},
};
use crate::{
    base::limits::{MAPPING_BYTES_OF_INTEGRATION_MAX, MAPPING_ENTRIES_MAX},
    config::{
        document::{Entry, Kind, Node},
        suggest::nearest,
    },
    http::Method,
    steps::integrate::{TIMEOUT_MAX, TIMEOUT_MIN, TlsConfig},
};

const FIELDS: &[&str] = &[
    "type",
    "uri",
    "httpMethod",
    "payloadFormatVersion",
    "connectionType",
    "connectionId",
    "credentials",
    "integrationSubtype",
    "integrationTarget",
    "passthroughBehavior",
    "contentHandling",
    "requestParameters",
    "requestTemplates",
    "responses",
    "responseParameters",
    "cacheNamespace",
    "cacheKeyParameters",
    "timeoutInMillis",
    "tlsConfig",
    "responseTransferMode",
    "description",
];

/// Fields that AWS's HTTP APIs do without.
const REST_ONLY: &[&str] = &[
    "passthroughBehavior",
    "contentHandling",
    "requestTemplates",
    "responses",
    "cacheNamespace",
    "cacheKeyParameters",
    "responseTransferMode",
];

/// An integration while it is read: every message begins with the route that led here.
struct Reading<'r, 'p> {
    label: &'r str,
    known: &'r Substitutions,
    report: &'r mut Report<'p>,
}

/// Reads the integration of the route called `label`; `None` when nothing can be called, which was
/// told then. After an error in one field there is one too, so that the others' are told.
pub(super) fn read(
    node: Node<'_>,
    label: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<Integration> {
    let mut reading = Reading { label, known, report };
    if !node.is_mapping() {
        let what = format!("x-amazon-apigateway-integration is {}", node.kind());
        reading.error(node, &format!("{what}; a mapping is expected"), "");
        return None;
    }
    reading.check_fields(node);
    reading.check_type(node)?;
    reading.check_connection(node);
    reading.check_payload(node);
    let method = reading.method(node);
    let timeout = reading.timeout(node);
    let request = reading.mappings(node.find("requestParameters"), "requestParameters");
    let responses = reading.responses(node);
    reading.check_mapping_bytes(node, &request, &responses);
    let tls = reading.tls_config(node);
    let uri = reading.uri(node);
    Some(Integration {
        place: node.place(),
        method: method.unwrap_or_default(),
        uri: uri?,
        tls,
        timeout: timeout.unwrap_or(TIMEOUT_MAX),
        request,
        responses,
    })
}

impl Reading<'_, '_> {
    fn error(&mut self, at: Node<'_>, what: &str, fix: &str) {
        self.report.error(&at, format!("{}: {what}", self.label), fix);
    }

    fn text(&mut self, node: Node<'_>, field: &str) -> Option<String> {
        let thing = format!("{}: {field}", self.label);
        intrinsic::resolve(node, &thing, self.known, self.report)
    }

    fn check_fields(&mut self, node: Node<'_>) {
        for entry in node.entries() {
            if REST_ONLY.contains(&entry.key) {
                let message = format!(
                    "{}: {} is for REST APIs; an HTTP API does without it",
                    self.label, entry.key
                );
                self.report.info(&entry, message, "");
            } else if !FIELDS.contains(&entry.key) && !entry.key.starts_with("x-") {
                self.unknown_field(entry);
            }
        }
    }

    fn unknown_field(&mut self, entry: Entry<'_>) {
        let fix = match nearest(entry.key, FIELDS.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => "remove it".to_owned(),
        };
        let name = shorten(entry.key);
        let message = format!("{}: {name} is no field of an integration", self.label);
        self.report.error(&entry, message, &fix);
    }

    /// `None` unless this is an `http_proxy` integration.
    fn check_type(&mut self, node: Node<'_>) -> Option<()> {
        const KNOWN: [&str; 5] = ["http_proxy", "http", "aws_proxy", "aws", "mock"];
        let Some(found) = node.find("type") else {
            self.error(node, "the integration has no type", "write type: http_proxy");
            return None;
        };
        let kind = self.text(found, "type")?;
        let lower = kind.to_ascii_lowercase();
        if lower == "http_proxy" {
            return Some(());
        }
        if let Some(subtype) = node.find("integrationSubtype") {
            let name = shorten(subtype.scalar_text().unwrap_or_default());
            let what = format!("integrationSubtype {name} is not yet supported");
            self.error(subtype, &what, "this version serves type http_proxy");
            return None;
        }
        let what = format!("the integration's type is {}", shorten(&kind));
        match lower.as_str() {
            "aws_proxy" => self.error(
                found,
                &format!("{what}, which is not yet supported"),
                "this version serves http_proxy: give the function an HTTP address",
            ),
            "http" | "aws" | "mock" => self.error(
                found,
                &format!("{what}, which only REST APIs have; they are not yet served"),
                "this version serves http_proxy",
            ),
            _ => match nearest(&lower, KNOWN) {
                Some(near) => self.error(found, &what, &format!("did you mean {near}?")),
                None => self.error(found, &what, "write http_proxy"),
            },
        }
        None
    }

    fn check_connection(&mut self, node: Node<'_>) {
        if let Some(found) = node.find("connectionType")
            && let Some(kind) = self.text(found, "connectionType")
        {
            if kind.eq_ignore_ascii_case("VPC_LINK") {
                let fix = "write connectionType: INTERNET and the server's own address as uri";
                self.error(found, "connectionType VPC_LINK is not yet supported", fix);
            } else if !kind.eq_ignore_ascii_case("INTERNET") {
                let what = format!("connectionType is {}", shorten(&kind));
                self.error(found, &what, "write INTERNET");
            }
        }
        let later = ["credentials", "integrationTarget", "integrationSubtype"];
        for field in later {
            if let Some(found) = node.entry(field) {
                let message = format!("{}: {field} is not yet supported", self.label);
                self.report.error(&found, message, "remove it");
            }
        }
        let is_link =
            node.find("connectionType").is_some_and(|found| found.as_str() == Some("VPC_LINK"));
        if let Some(found) = node.entry("connectionId").filter(|_| !is_link) {
            let message = format!("{}: connectionId is for VPC links; it is left out", self.label);
            self.report.warning(&found, message, "remove it");
        }
    }

    /// Only Lambda functions see the format; AWS wants the field all the same.
    fn check_payload(&mut self, node: Node<'_>) {
        let Some(found) = node.find("payloadFormatVersion") else {
            let message = format!(
                "{}: no payloadFormatVersion; 1.0 is assumed, AWS's import demands it",
                self.label
            );
            return self.report.info(&node, message, "write payloadFormatVersion: \"1.0\"");
        };
        let Some(version) = self.text(found, "payloadFormatVersion") else { return };
        if version == "1.0" {
            return;
        }
        let what = format!("payloadFormatVersion is {}", shorten(&version));
        self.error(found, &what, "an http_proxy integration takes \"1.0\"");
    }

    /// The inner `None` is `ANY`: the client's method.
    fn method(&mut self, node: Node<'_>) -> Option<Option<Method>> {
        let Some(found) = node.find("httpMethod") else {
            let fix = "write httpMethod: ANY to send the client's method";
            self.error(node, "the integration has no httpMethod", fix);
            return None;
        };
        let text = self.text(found, "httpMethod")?.to_ascii_uppercase();
        if text == "ANY" {
            return Some(None);
        }
        let method = Method::parse(text.as_bytes());
        if method.is_none() {
            let what = format!("httpMethod is {}", shorten(&text));
            let fix = "write ANY, GET, HEAD, POST, PUT, DELETE, OPTIONS or PATCH";
            self.error(found, &what, fix);
        }
        method.map(Some)
    }

    fn timeout(&mut self, node: Node<'_>) -> Option<Duration> {
        let Some(found) = node.find("timeoutInMillis") else { return Some(TIMEOUT_MAX) };
        let text = self.text(found, "timeoutInMillis")?;
        let value = text.parse().ok().map(Duration::from_millis);
        let value = value.filter(|value| (TIMEOUT_MIN..=TIMEOUT_MAX).contains(value));
        if value.is_none() {
            let what = format!(
                "timeoutInMillis is {}; an HTTP API takes {} to {}",
                shorten(&text),
                TIMEOUT_MIN.as_millis(),
                TIMEOUT_MAX.as_millis()
            );
            self.error(found, &what, "");
        }
        value
    }

    fn uri(&mut self, node: Node<'_>) -> Option<Placed<String>> {
        let Some(found) = node.find("uri") else {
            let fix = "write the server's address, as in uri: http://10.0.0.5:8000/";
            self.error(node, "the integration has no uri", fix);
            return None;
        };
        let text = self.text(found, "uri")?;
        Some(Placed { value: substitute(&text, self.known), place: found.place() })
    }

    fn tls_config(&mut self, node: Node<'_>) -> TlsConfig {
        let mut config = TlsConfig::default();
        let Some(found) = node.find("tlsConfig") else { return config };
        if !self.is_mapping(found, "tlsConfig") {
            return config;
        }
        for entry in found.entries() {
            match entry.key {
                "serverNameToVerify" => {
                    let text = self.text(entry.value, "tlsConfig serverNameToVerify");
                    config.server_name = text.map(|text| substitute(&text, self.known));
                }
                "insecureSkipVerification" => {
                    config.skips_verification = entry.value.as_bool();
                    if config.skips_verification.is_none() {
                        let what = "tlsConfig insecureSkipVerification is neither true nor false";
                        self.error(entry.value, what, "");
                    }
                }
                _ => {
                    let name = shorten(entry.key);
                    let message = format!("{}: {name} is no field of tlsConfig", self.label);
                    let fix = "write serverNameToVerify or insecureSkipVerification";
                    self.report.error(&entry, message, fix);
                }
            }
        }
        config
    }

    fn responses(&mut self, node: Node<'_>) -> Vec<ResponseMapping> {
        let Some(found) = node.find("responseParameters") else { return Vec::new() };
        if !self.is_mapping(found, "responseParameters") {
            return Vec::new();
        }
        let mut out = Vec::new();
        for entry in found.entries() {
            let status = entry.key.to_owned();
            let is_code = status.parse::<u16>().is_ok_and(|code| (200..=599).contains(&code));
            if is_code && status.len() == 3 {
                let field = format!("responseParameters {status}");
                let mappings = self.mappings(Some(entry.value), &field);
                out.push(ResponseMapping { status, mappings });
                continue;
            }
            let message = format!(
                "{}: responseParameters has the status {}; 200 to 599 are mapped",
                self.label,
                shorten(entry.key)
            );
            self.report.error(&entry, message, "write it as in '200': {overwrite:header.x: y}");
        }
        out
    }

    fn mappings(&mut self, node: Option<Node<'_>>, field: &str) -> Vec<Mapping> {
        let Some(node) = node.filter(|&node| self.is_mapping(node, field)) else {
            return Vec::new();
        };
        if node.entries().len() > MAPPING_ENTRIES_MAX {
            let what = format!(
                "{field} has {} entries; at most {MAPPING_ENTRIES_MAX} are taken",
                node.entries().len()
            );
            self.error(node, &what, "");
            return Vec::new();
        }
        let mut out = Vec::new();
        for entry in node.entries() {
            if self.is_rest_mapping(entry, field) {
                continue;
            }
            let thing = format!("{field} {}", shorten(entry.key));
            if let Some(value) = self.text(entry.value, &thing) {
                let value = substitute(&value, self.known);
                out.push(Mapping { key: entry.key.to_owned(), value, place: entry.key_place() });
            }
        }
        out
    }

    fn check_mapping_bytes(
        &mut self,
        node: Node<'_>,
        request: &[Mapping],
        responses: &[ResponseMapping],
    ) {
        let answered = responses.iter().flat_map(|response| &response.mappings);
        let all = request.iter().chain(answered);
        let bytes: usize = all.map(|mapping| mapping.key.len() + mapping.value.len()).sum();
        if bytes > MAPPING_BYTES_OF_INTEGRATION_MAX {
            let what = format!(
                "the mappings have {bytes} bytes; at most {MAPPING_BYTES_OF_INTEGRATION_MAX} are \
                 taken"
            );
            self.error(node, &what, "");
        }
    }

    /// A REST API's mapping (`integration.request.path.id: method.request.path.id`): told, with
    /// the HTTP API's way. Handing a path parameter on by its name is what happens anyway.
    fn is_rest_mapping(&mut self, entry: Entry<'_>, field: &str) -> bool {
        let Some(target) = entry.key.strip_prefix("integration.request.") else { return false };
        let source = entry.value.as_str().and_then(|text| text.strip_prefix("method.request."));
        let is_same_path = target.starts_with("path.") && source == Some(target);
        let label = self.label;
        if is_same_path {
            let message = format!("{label}: {field} {} happens by itself", shorten(entry.key));
            self.report.info(&entry, message, "");
            return true;
        }
        let message = format!("{label}: {field} {} is a REST API's mapping", shorten(entry.key));
        let fix = "an HTTP API writes it as in overwrite:header.name: $request.querystring.name";
        self.report.error(&entry, message, fix);
        true
    }

    fn is_mapping(&mut self, node: Node<'_>, field: &str) -> bool {
        let is_mapping = node.kind() == Kind::Mapping;
        if !is_mapping {
            let what = format!("{field} is {}; a mapping is expected", node.kind());
            self.error(node, &what, "");
        }
        is_mapping
    }
}
