//! Paths and verbs become routes (`api-gateway.md` 1.2, 1.4, 2.2): each with its key, its place
//! and what it calls. Two routes that would match the same requests are told.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    authorizer::Authorizer,
    compile::Compiling,
    definition::{ImportOptions, Integration, RouteDefinition},
    fault::shorten,
    integration, reference,
    report::Report,
    security::{Demands, Security},
};
use crate::{
    base::limits::{ROUTES_MAX, ROUTES_QUOTA},
    config::{
        document::{Entry, Kind, Node},
        suggest::nearest,
    },
    http::Method,
    steps::{
        context::StageVariables,
        route::{RouteKey, RouteMethod, Segment},
    },
};

const ANY: &str = "x-amazon-apigateway-any-method";
const INTEGRATION: &str = "x-amazon-apigateway-integration";
const ITEM_HOMES: &[&str] = &["/paths/", "/components/pathItems/"];
const INTEGRATION_HOMES: &[&str] = &["/components/x-amazon-apigateway-integrations/"];

/// The routes while they are read.
struct Reading<'d, 'r, 'p> {
    options: &'r ImportOptions,
    base: &'r str,
    security: Security<'d, 'r>,
    report: &'r mut Report<'p>,
    routes: Vec<RouteDefinition>,
    /// Where each shape of route was first seen: `GET /pets/{}`.
    taken: HashMap<String, RouteKey>,
    /// Integrations that several routes may share, by the reference that leads to them. `None`
    /// is one that cannot be served; that is told once.
    shared: HashMap<String, Option<Arc<Integration>>>,
    no_variables: StageVariables,
}

/// One operation on its way to a route.
struct Operation<'d, 'i> {
    entry: Entry<'d>,
    key: RouteKey,
    label: String,
    /// The `$ref` that led to its path item, if one did.
    item_reference: Option<&'i str>,
}

/// Reads all routes of the document under `root`; `base` stands before each path.
pub(super) fn read(
    root: Node<'_>,
    base: &str,
    options: &ImportOptions,
    report: &mut Report<'_>,
) -> (Vec<RouteDefinition>, Vec<Authorizer>) {
    let Some(paths) = root.find("paths") else {
        let near =
            root.entries().find_map(|entry| nearest(entry.key, ["paths"]).map(|_| entry.key));
        let fix = match near {
            Some(near) => format!("{} looks like a misspelt paths", shorten(near)),
            None => "write paths: {/: {get: ..}}".to_owned(),
        };
        report.error(&root, "the document has no paths".to_owned(), &fix);
        return Default::default();
    };
    if paths.kind() != Kind::Mapping {
        let message = format!("paths is {}; a mapping is expected", paths.kind());
        report.error(&paths, message, "write paths: {/: {get: ..}}");
        return Default::default();
    }
    let mut reading = Reading {
        options,
        base,
        security: Security::new(root, &options.substitutions),
        report,
        routes: Vec::new(),
        taken: HashMap::new(),
        shared: HashMap::new(),
        no_variables: StageVariables::default(),
    };
    let items = paths.entries().filter(|entry| !entry.key.starts_with("x-"));
    for (count, item) in items.enumerate() {
        reading.item(item);
        if reading.taken.len().max(count) > ROUTES_MAX {
            let message = format!("the document has more than {ROUTES_MAX} routes or paths");
            reading.report.error(&paths, message, "split it into several APIs");
            break;
        }
    }
    reading.finish(paths)
}

impl<'d> Reading<'d, '_, '_> {
    fn finish(self, paths: Node<'d>) -> (Vec<RouteDefinition>, Vec<Authorizer>) {
        let count = self.taken.len();
        if count == 0 && !self.report.has_errors() {
            let message = "the document has no routes: every request gets 404".to_owned();
            self.report.warning(&paths, message, "write paths: {/: {get: ..}}");
        }
        if count > ROUTES_QUOTA && count <= ROUTES_MAX {
            let message = format!("the document has {count} routes; AWS's quota is {ROUTES_QUOTA}");
            self.report.warning(&paths, message, "they are served here all the same");
        }
        (self.routes, self.security.finish(self.report))
    }

    fn item(&mut self, item: Entry<'d>) {
        let path = shorten(item.key);
        if item.key.starts_with("Fn::") {
            let message = format!("paths: {path} is a function that only CloudFormation can do");
            return self.report.error(&item, message, "write the paths that it results in");
        }
        let thing = format!("path {path}");
        let item_reference = item.value.find("$ref").and_then(Node::as_str);
        let Some(node) = reference::follow(item.value, &thing, ITEM_HOMES, self.report) else {
            return;
        };
        if node.kind() != Kind::Mapping {
            let message = format!("{thing} is {}; a mapping is expected", node.kind());
            return self.report.error(&item, message, "write {get: ..}");
        }
        for entry in node.entries() {
            if let Some(operation) = self.operation(item, entry, item_reference) {
                self.route(operation);
            }
        }
    }

    /// `None` for keys that are no operations, and for operations that can be no route.
    fn operation<'i>(
        &mut self,
        item: Entry<'d>,
        entry: Entry<'d>,
        item_reference: Option<&'i str>,
    ) -> Option<Operation<'d, 'i>> {
        let method = self.method(item, entry)?;
        let name = format!("route {method} {}", shorten(item.key));
        if entry.value.kind() != Kind::Mapping {
            let message =
                format!("{name}: an operation is a mapping; this is {}", entry.value.kind());
            self.report.error(&entry, message, "");
            return None;
        }
        let key = self.key(item, entry, method, &name)?;
        let label = format!("route {key}");
        Some(Operation { entry, key, label, item_reference })
    }

    fn method(&mut self, item: Entry<'d>, entry: Entry<'d>) -> Option<RouteMethod> {
        let method = match entry.key {
            ANY => return Some(RouteMethod::Any),
            "get" => Method::Get,
            "head" => Method::Head,
            "post" => Method::Post,
            "put" => Method::Put,
            "delete" => Method::Delete,
            "options" => Method::Options,
            "patch" => Method::Patch,
            "trace" => {
                let message = format!("path {}: TRACE is not forwarded", shorten(item.key));
                self.report.error(&entry, message, "remove the operation");
                return None;
            }
            _ => return None,
        };
        Some(RouteMethod::Only(method))
    }

    fn key(
        &mut self,
        item: Entry<'d>,
        entry: Entry<'d>,
        method: RouteMethod,
        name: &str,
    ) -> Option<RouteKey> {
        let flag = entry.value.find("isDefaultRoute");
        let says = flag.and_then(Node::scalar_text);
        let is_default_path = matches!(item.key, "$default" | "/$default");
        let fault = match (is_default_path, method, says) {
            (true, RouteMethod::Any, None | Some("true")) => return Some(RouteKey::Default),
            (true, RouteMethod::Any, Some(_)) => "isDefaultRoute must be true on the path $default",
            (true, RouteMethod::Only(_), _) => "the $default route takes all methods",
            (false, _, Some("true")) => "isDefaultRoute belongs to the path /$default",
            (false, _, _) => match RouteKey::at(method, &format!("{}{}", self.base, item.key)) {
                Ok(key) => return Some(key),
                Err(sentence) => {
                    self.report.error(&item, sentence, "");
                    return None;
                }
            },
        };
        let fix = "write paths: {/$default: {x-amazon-apigateway-any-method: \
                   {isDefaultRoute: true, ..}}}";
        self.report.error(&entry, format!("{name}: {fault}"), fix);
        None
    }

    fn route(&mut self, operation: Operation<'d, '_>) {
        match self.taken.entry(shape(&operation.key)) {
            hash_map::Entry::Occupied(taken) => {
                let message = format!(
                    "{} matches exactly what route {} matches",
                    operation.label,
                    taken.get()
                );
                return self.report.error(&operation.entry, message, "keep one of them");
            }
            hash_map::Entry::Vacant(free) => {
                free.insert(operation.key.clone());
            }
        }
        let (value, label) = (operation.entry.value, &operation.label);
        let Demands { api_key_required, authorizer } =
            self.security.check(value, label, self.report);
        let Some(integration) = self.integration(&operation) else { return };
        self.check_integration(&operation, &integration);
        let place = operation.entry.key_place();
        let key = operation.key;
        self.routes.push(RouteDefinition { key, place, api_key_required, authorizer, integration });
    }

    fn integration(&mut self, operation: &Operation<'d, '_>) -> Option<Arc<Integration>> {
        let Operation { entry, label, item_reference, .. } = operation;
        let Some(found) = entry.value.find(INTEGRATION) else {
            let message = format!("{label} has no {INTEGRATION}: nothing would answer it");
            let fix = "write {type: http_proxy, httpMethod: ANY, uri: http://..}";
            self.report.error(entry, message, fix);
            return None;
        };
        let own_reference = found.find("$ref").and_then(Node::as_str);
        let shared_as = match (own_reference, item_reference) {
            (Some(reference), _) => Some(reference.to_owned()),
            (None, Some(reference)) => Some(format!("{reference} {}", entry.key)),
            (None, None) => None,
        };
        if let Some(known) = shared_as.as_ref().and_then(|name| self.shared.get(name)) {
            return known.clone();
        }
        let read = reference::follow(found, label, INTEGRATION_HOMES, self.report)
            .and_then(|node| {
                integration::read(node, label, &self.options.substitutions, self.report)
            })
            .map(Arc::new);
        if let Some(name) = shared_as {
            self.shared.insert(name, read.clone());
        }
        read
    }

    /// What no stage variable can change is the same for all stages: its faults are told here.
    fn check_integration(&mut self, operation: &Operation<'d, '_>, integration: &Integration) {
        if integration.has_stage_variables() {
            return;
        }
        let mut compiling = Compiling {
            label: operation.label.clone(),
            key: &operation.key,
            integration,
            variables: &self.no_variables,
            report: self.report,
        };
        compiling.integration();
    }
}

/// What two routes have in common that match the same requests with the same priority.
fn shape(key: &RouteKey) -> String {
    let RouteKey::Path { method, segments } = key else { return "$default".to_owned() };
    let mut out = format!("{method} ");
    for segment in segments {
        out.push('/');
        out.push_str(match segment {
            Segment::Static(text) => text,
            Segment::Parameter(_) => "{}",
            Segment::Greedy(_) => "{+}",
        });
    }
    out
}
