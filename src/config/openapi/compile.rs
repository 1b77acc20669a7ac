//! One stage of an API: the definition with the stage's variables in it becomes a draft of the
//! plan. URIs are read here for good, mappings compiled; numbering is the plan's.

use std::sync::Arc;

use super::{
    definition::{ApiDefinition, Integration, Mapping, RouteDefinition},
    fault::{Fault, shorten},
    report::Report,
    text::stage_variables,
    uri,
};
use crate::{
    base::Place,
    config::{Problems, suggest::nearest},
    plan::{RouteDraft, StageDraft},
    steps::{
        authorize::Demand,
        context::StageVariables,
        integrate::{self, IntegrationMethod, PathRule, Protocol, TlsConfig},
        mapping::{RequestMapping, ResponseMapping, Scope},
        route::RouteKey,
        stage::StageName,
    },
};

/// What a definition needs to become a stage.
#[derive(Clone, Copy)]
pub struct StageInputs<'a> {
    /// The stage's name.
    pub name: &'a StageName,
    /// Its variables.
    pub variables: &'a StageVariables,
}

/// A route while it is compiled: for a stage, or at import without variables to check it.
pub(super) struct Compiling<'a, 'r, 'p> {
    pub(super) label: String,
    pub(super) key: &'a RouteKey,
    pub(super) integration: &'a Integration,
    pub(super) variables: &'a StageVariables,
    pub(super) report: &'r mut Report<'p>,
}

impl ApiDefinition {
    /// The stage that `inputs` describe. `None` when one of its routes cannot be served, here or
    /// since the import; the errors are in `problems` then.
    pub fn compile(&self, inputs: &StageInputs<'_>, problems: &mut Problems) -> Option<StageDraft> {
        let mut report = Report::new(problems);
        let (mut routes, mut has_all_keys) = (Vec::new(), true);
        for RouteDefinition { key, integration, api_key_required, authorizer, .. } in &self.routes {
            // What no variable can change was told at the import.
            if !self.is_sound && !integration.has_stage_variables() {
                continue;
            }
            let mut compiling = Compiling {
                label: format!("stage {}, route {key}", inputs.name.as_str()),
                key,
                integration,
                variables: inputs.variables,
                report: &mut report,
            };
            let integration = compiling.integration();
            for mapping in compiling.integration.mappings() {
                compiling.note_missing(&mapping.value, &mapping.place);
            }
            let demand = match authorizer {
                Some((place, scopes)) => match &self.authorizers[*place].compiled {
                    Some(authorizer) => Some(Demand::new(Arc::clone(authorizer), scopes)),
                    // Its keys could not be read, which was told, or were not: nothing is served.
                    None => {
                        has_all_keys = false;
                        continue;
                    }
                },
                None => None,
            };
            routes.extend(integration.map(|integration| RouteDraft {
                key: key.clone(),
                integration,
                api_key_required: *api_key_required,
                authorizer: demand,
                throttle: None,
            }));
        }
        (self.is_sound && has_all_keys && !report.has_errors()).then(|| StageDraft {
            name: inputs.name.clone(),
            variables: inputs.variables.clone(),
            routes,
        })
    }
}

impl Compiling<'_, '_, '_> {
    /// The integration for this stage; told when there is none.
    pub(super) fn integration(&mut self) -> Option<integrate::Integration> {
        let uri = self.uri();
        let request = self.request();
        let response = self.response();
        Some(integrate::Integration {
            method: match self.integration.method {
                None => IntegrationMethod::Client,
                Some(method) => IntegrationMethod::Fixed(method),
            },
            tls: self.tls_config(uri.as_ref()),
            uri: uri?,
            path: match self.key {
                RouteKey::Default => PathRule::AppendRequestPath,
                RouteKey::Path { .. } => PathRule::Template,
            },
            request: request?,
            response: response?,
            timeout: self.integration.timeout,
        })
    }

    /// A server name may be a stage variable's value.
    fn tls_config(&mut self, uri: Option<&integrate::Uri>) -> TlsConfig {
        let is_plain = uri.is_some_and(|uri| uri.protocol == Protocol::Http);
        if is_plain && self.integration.tls != TlsConfig::default() {
            let message = format!("{}: tlsConfig is for https, and the uri is http", self.label);
            let fix = "write https in the uri, or remove tlsConfig";
            self.report.warning(&self.integration.uri.place, message, fix);
        }
        let TlsConfig { server_name, skips_verification } = &self.integration.tls;
        let server_name = server_name.as_deref().map(|name| self.variables.fill(name));
        TlsConfig { server_name, skips_verification: *skips_verification }
    }

    fn uri(&mut self) -> Option<integrate::Uri> {
        let source = &self.integration.uri;
        match uri::parse(&self.variables.fill(&source.value), self.key) {
            Ok(uri) => {
                self.note_missing(&source.value, &source.place);
                Some(uri)
            }
            Err(fault) => {
                let fault = self.explain(fault, &source.value);
                self.report.fault(&source.place, &format!("{}: uri", self.label), &fault);
                None
            }
        }
    }

    /// What the stage's variables have to do with a URI that cannot be called.
    fn explain(&self, fault: Fault, source: &str) -> Fault {
        let mut names: Vec<&str> = stage_variables(source).collect();
        names.dedup();
        if names.is_empty() {
            return fault;
        }
        let value = |name: &&str| match self.variables.find(name) {
            Some(value) => format!("{name} is {value}"),
            None => format!("the stage has no {name}"),
        };
        let values = names.iter().map(value).collect::<Vec<_>>().join(", ");
        let missing = names.iter().find(|name| self.variables.find(name).is_none());
        let fix = match missing {
            Some(name) => self.remedy(name),
            None => fault.fix,
        };
        Fault { what: format!("{} ({})", fault.what, shorten(&values)), fix }
    }

    /// For a variable that the stage does not have.
    fn remedy(&self, name: &str) -> String {
        match nearest(name, self.variables.iter().map(|(known, _)| known)) {
            Some(near) => format!("did you mean {near}?"),
            None => {
                let name = shorten(name);
                format!("add {name} to stageVariables, or say --set {name}=..")
            }
        }
    }

    fn request(&mut self) -> Option<RequestMapping> {
        let parameters: Vec<&str> = self.key.parameters().collect();
        let scope = Scope { parameters: &parameters, variables: self.variables };
        let mappings = &self.integration.request;
        let compiled = RequestMapping::compile(pairs(mappings), scope);
        compiled
            .map_err(|faults| self.mapping_faults("requestParameters", "", mappings, faults))
            .ok()
    }

    fn response(&mut self) -> Option<ResponseMapping> {
        let parameters: Vec<&str> = self.key.parameters().collect();
        let scope = Scope { parameters: &parameters, variables: self.variables };
        let mut out = ResponseMapping::new();
        let mut is_sound = true;
        for response in &self.integration.responses {
            let (status, mappings) = (&response.status, &response.mappings);
            if let Err(faults) = out.insert(status, pairs(mappings), scope) {
                let prefix = format!("status {status}: ");
                self.mapping_faults("responseParameters", &prefix, mappings, faults);
                is_sound = false;
            }
        }
        is_sound.then_some(out)
    }

    /// The mapping language says which key is wrong; here its place is found again.
    fn mapping_faults(
        &mut self,
        field: &str,
        prefix: &str,
        mappings: &[Mapping],
        faults: Vec<String>,
    ) {
        for fault in faults {
            let rest = fault.strip_prefix(prefix).unwrap_or(&fault);
            let is_of = |mapping: &&Mapping| {
                rest.strip_prefix(mapping.key.as_str()).is_some_and(|rest| rest.starts_with(": "))
            };
            let place: &Place = mappings
                .iter()
                .filter(is_of)
                .max_by_key(|mapping| mapping.key.len())
                .map_or(&self.integration.place, |mapping| &mapping.place);
            self.report.error(place, format!("{}: {field}: {fault}", self.label), "");
        }
    }

    /// Stage variables that the stage does not have become nothing, as at AWS.
    fn note_missing(&mut self, text: &str, place: &Place) {
        for name in stage_variables(text) {
            if self.variables.find(name).is_none() {
                let message = format!(
                    "{}: the stage has no variable {}; it becomes nothing",
                    self.label,
                    shorten(name)
                );
                let fix = self.remedy(name);
                self.report.warning(place, message, &fix);
            }
        }
    }
}

fn pairs(mappings: &[Mapping]) -> impl Iterator<Item = (&str, &str)> {
    mappings.iter().map(|mapping| (mapping.key.as_str(), mapping.value.as_str()))
}
