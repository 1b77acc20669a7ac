//! From a path to a plan: which kind of file it is, what else it names, and the two compiles.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use super::files::Source;
use super::{
    Overrides, Problems, Settings,
    access::{Endpoint, ListenerLabels},
    api_id, cors,
    document::{Document, Node},
    domains,
    faces::{Reading, Shown},
    gateway_file::{self, raw},
    ip_rules, key_files,
    keys::{self, KeyFile, Keys},
    openapi::{self, ApiDefinition, BasePath, ImportOptions, StageInputs},
    policy::{self, Functions},
    principals::{self, Store},
    report::Sources,
    suggest::nearest,
    traffic,
    upstreams::Upstreams,
    user_pools::UserPools,
};
use crate::{
    base::{
        Place, Problem, Severity,
        limits::{
            API_KEY_FILE_BYTES_MAX, API_KEYS_MAX, IP_FILE_BYTES_MAX, PROBLEMS_MAX,
            TRUST_STORE_BYTES_MAX,
        },
    },
    plan::{AccessDraft, ApiDraft, ExecuteApiEndpoint, Plan, PlanDraft},
    steps::{
        authorize::policy::{Policy, PolicyKind},
        context::StageVariables,
        cors::Cors,
        ip_rules::IpRule,
        stage::{self, StageName},
    },
    tls,
};

/// What came of loading; without a plan, `problems` has at least one error.
pub struct Loaded {
    /// The compiled gateway, when there was no error.
    pub plan: Option<Arc<Plan>>,
    /// Addresses, shards, log, drain.
    pub settings: Settings,
    /// Everything that was found, sorted by place: errors, warnings, and what was left out.
    pub problems: Problems,
    /// The texts that the problems' places point into.
    pub sources: Sources,
    /// Every file that was read or should have been: what a watch looks at.
    pub files_read: Vec<PathBuf>,
}

/// Loads a gateway file with its definitions, or one OpenAPI document, and compiles it. The same
/// files and overrides give the same result. Never panics on what a file holds.
#[must_use]
pub fn load(source: &Source, overrides: &Overrides) -> Loaded {
    let mut loader = Loader {
        source,
        overrides,
        problems: Problems::new(),
        sources: Sources::default(),
        files_read: Vec::new(),
        variables: BTreeSet::new(),
        upstreams: Upstreams::default(),
        pools: UserPools::default(),
        labels: ListenerLabels::default(),
        shown: Shown::default(),
        signed_at: None,
    };
    let (settings, draft) = loader.load();
    loader.check_overrides();
    let plan = loader.compile(draft);
    let Loader { mut problems, sources, files_read, .. } = loader;
    problems.sort();
    Loaded { plan, settings, problems, sources, files_read }
}

impl Loaded {
    /// Whether the files still say what was loaded: a watch that began later asks once.
    #[must_use]
    pub fn is_current(&self, source: &Source) -> bool {
        let is_kept = |path: &PathBuf| self.sources.holds(path, |most| source.look(path, most));
        self.files_read.iter().all(is_kept)
    }
}

struct Loader<'l> {
    source: &'l Source,
    overrides: &'l Overrides,
    problems: Problems,
    sources: Sources,
    files_read: Vec<PathBuf>,
    /// The names of all stage variables that a stage has or a definition reads.
    variables: BTreeSet<String>,
    upstreams: Upstreams,
    pools: UserPools,
    labels: ListenerLabels,
    shown: Shown,
    /// Where a route asks for signatures.
    signed_at: Option<Place>,
}

/// What a gateway file says of an API over what its definition says.
#[derive(Default)]
struct Said {
    endpoint: Option<Endpoint>,
    /// With the place where it says so.
    cors: Option<(Cors, Place)>,
    policy: Option<(Policy, Place)>,
}

impl Loader<'_> {
    fn load(&mut self) -> (Settings, PlanDraft) {
        let path = self.source.path().to_path_buf();
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let Some(document) = self.read(&path, None) else {
            return (Settings::default(), PlanDraft::default());
        };
        let no_file = raw::GatewayFile::default();
        if is_definition(&document) {
            let settings = self.settings(&no_file, &folder);
            self.show(&no_file, None, &folder, &settings);
            let api = api_of_document(&document, &path);
            let place = document.root().place();
            let draft = self.load_api(&no_file, &api, Said::default(), &document, &place);
            let drafts = draft.into_iter().map(|draft| (draft, place.clone())).collect();
            let nobody = (Keys::none(), Vec::new());
            return (settings, self.draft((&no_file, None), drafts, nobody, Store::default()));
        }
        self.sources.hide(&path, principals::secrets(document.root()));
        let keys = self.keys(document.root(), &folder);
        let file = gateway_file::read(&document, &mut self.problems);
        let Some(file) = file else {
            self.tell_definitions(document.root(), &folder);
            return (Settings::default(), PlanDraft::default());
        };
        let settings = self.settings(&file, &folder);
        self.show(&file, Some(&document), &folder, &settings);
        let callers = std::mem::take(&mut self.shown.callers);
        self.upstreams = Upstreams::compile(&file, &document, callers, &mut self.problems);
        self.pools = self.user_pools(&file, &document);
        let mut drafts = Vec::new();
        for (index, api) in file.apis.iter().enumerate() {
            let place = document.root().pointer(&format!("/apis/{index}/definition"));
            let place = place.unwrap_or(document.root()).place();
            let Some(definition) = self.read(&folder.join(&api.definition), Some(&place)) else {
                continue;
            };
            let node = document.root().pointer(&format!("/apis/{index}"));
            let at = node.and_then(|node| node.find("endpointConfiguration"));
            let endpoint = api.endpoint_configuration.as_ref().zip(at);
            let policy = match node.and_then(|node| node.find("policy")) {
                Some(node) if !node.is_null() => {
                    let options = import_options(&file, api);
                    self.policy(node, &folder, &options.api_arn)
                }
                _ => None,
            };
            let said = Said {
                policy,
                endpoint: endpoint.map(|(said, node)| Endpoint::of_file(said, node)),
                cors: node.and_then(cors::compile),
            };
            let draft = self.load_api(&file, api, said, &definition, &place);
            drafts.extend(draft.map(|draft| (draft, place)));
        }
        self.pools.check(&mut self.problems);
        let rules = self.ip_rules(&file, &document, &folder);
        let reading = principals::Reading {
            source: self.source,
            problems: &mut self.problems,
            sources: &mut self.sources,
            files_read: &mut self.files_read,
        };
        let principals = reading.read(&file, &document, &folder);
        (settings, self.draft((&file, Some(&document)), drafts, (keys, rules), principals))
    }

    /// The whole gateway. Each API comes with the place where its definition is named.
    fn draft(
        &mut self,
        (file, document): (&raw::GatewayFile, Option<&Document>),
        mut apis: Vec<(ApiDraft, Place)>,
        callers: (Keys, Vec<IpRule>),
        principals: Store,
    ) -> PlanDraft {
        principals.check(self.signed_at.as_ref(), &mut self.problems);
        let traffic = traffic::compile((file, document), &mut apis, callers, &mut self.problems);
        let domains = domains::compile(file, &mut self.problems);
        let host_parent = file.domain_suffix.as_deref().map(|suffix| {
            let region = file.region.as_deref().unwrap_or("us-east-1");
            format!("{region}.{}", suffix.trim_matches('.'))
        });
        let named = domains::apis_led_to(file);
        let guarded = domains::apis_guarded(file);
        for (api, place) in &apis {
            if api.endpoint == ExecuteApiEndpoint::Enabled
                && let Some(domain) = guarded.get(api.name.as_str())
            {
                let message = format!(
                    "API {}: domain {domain} asks for client certificates, and the API is reached \
                     without one at its own host and by x-apigw-api-id",
                    api.name
                );
                let fix = "say disableExecuteApiEndpoint: true";
                self.problems.warning(place.clone(), message, fix);
            }
            if api.endpoint == ExecuteApiEndpoint::Disabled && !named.contains(api.name.as_str()) {
                let message = format!(
                    "API {}: no domain name leads to it, and disableExecuteApiEndpoint is true: \
                     nothing reaches it",
                    api.name
                );
                let fix = "map a domain name to it, or say disableExecuteApiEndpoint: false";
                self.problems.warning(place.clone(), message, fix);
            }
        }
        let apis = apis.into_iter().map(|(api, _)| api).collect();
        let region = file.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        PlanDraft { apis, domains, host_parent, traffic, principals: principals.drafts, region }
    }

    fn settings(&mut self, file: &raw::GatewayFile, folder: &Path) -> Settings {
        let settings = Settings::compile(file, folder, self.overrides, &mut self.problems);
        let are_flags = !(self.overrides.listen.is_empty() && self.overrides.listen_tls.is_empty());
        self.labels = ListenerLabels::of(&settings, are_flags);
        settings
    }

    /// Reads and parses a file. `named_at` is where another document names it.
    fn read(&mut self, path: &Path, named_at: Option<&Place>) -> Option<Document> {
        if !self.files_read.iter().any(|known| known == path) {
            self.files_read.push(path.to_path_buf());
        }
        let bytes = match self.source.read(path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let message = format!("{} {reason}", path.display());
                let fix = "name a file that exists; paths are relative to the file they stand in";
                match named_at {
                    Some(place) => self.problems.error(place.clone(), message, fix),
                    None => self.problems.error_nowhere(message, ""),
                }
                return None;
            }
        };
        self.sources.add(path, &bytes);
        Document::parse(path, &bytes, &mut self.problems)
    }

    /// The keys of the gateway file under `root`, and of the files of keys that it names.
    fn keys(&mut self, root: Node<'_>, folder: &Path) -> Keys {
        let mut files = Vec::new();
        let errors_before = self.problems.errors();
        for named in root.find("apiKeyFiles").into_iter().flat_map(Node::items) {
            let Some(path) = named.as_str().filter(|path| !path.is_empty()) else { continue };
            files.extend(self.key_file(&folder.join(path), &named.place()));
            let rows: usize = files.iter().map(|file: &KeyFile| file.rows.len()).sum();
            if rows > API_KEYS_MAX {
                let message = format!("the files have more than {API_KEYS_MAX} API keys");
                self.problems.error(named.place(), message, "remove those that are not used");
                return Keys::default();
            }
        }
        let are_all = self.problems.errors() == errors_before;
        let keys = keys::read(root, files, &mut self.problems);
        Keys { are_all: are_all && keys.are_all, ..keys }
    }

    /// The IP rules of the file, with the networks of the files that they name.
    fn ip_rules(
        &mut self,
        file: &raw::GatewayFile,
        document: &Document,
        folder: &Path,
    ) -> Vec<IpRule> {
        let (source, sources, files_read) = (self.source, &mut self.sources, &mut self.files_read);
        let read = |path: &Path| {
            if !files_read.iter().any(|known| known == path) {
                files_read.push(path.to_path_buf());
            }
            let bytes = source.read_up_to(path, IP_FILE_BYTES_MAX)?;
            sources.add_long(path, &bytes, IP_FILE_BYTES_MAX);
            Ok(bytes)
        };
        ip_rules::read((file, document), folder, read, &mut self.problems)
    }

    fn key_file(&mut self, path: &Path, named_at: &Place) -> Option<KeyFile> {
        if self.files_read.iter().any(|known| known == path) {
            let message = format!("{} is named twice", path.display());
            self.problems.error(named_at.clone(), message, "name it once");
            return None;
        }
        self.files_read.push(path.to_path_buf());
        let bytes = match self.source.read_up_to(path, API_KEY_FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let message = format!("{} {reason}", path.display());
                let fix = "name a file that exists; paths are relative to the file they stand in";
                self.problems.error(named_at.clone(), message, fix);
                return None;
            }
        };
        self.sources.add_long(path, &bytes, API_KEY_FILE_BYTES_MAX);
        if bytes.len() > API_KEY_FILE_BYTES_MAX {
            let message =
                format!("{} has more than {API_KEY_FILE_BYTES_MAX} bytes", path.display());
            self.problems.error(named_at.clone(), message, "split it, or remove unused keys");
            return None;
        }
        let file = Arc::new(path.to_path_buf());
        let rows = key_files::parse(&file, &bytes, &mut self.problems);
        Some(KeyFile { file, rows })
    }

    /// What is wrong with the definitions of a gateway file that is faulty itself.
    fn tell_definitions(&mut self, root: Node<'_>, folder: &Path) {
        for api in root.find("apis").into_iter().flat_map(Node::items) {
            let text = |key| api.find(key).and_then(Node::as_str);
            let Some(named) = api.find("definition") else { continue };
            let Some(path) = named.as_str().filter(|path| !path.is_empty()) else { continue };
            let basepath = text("basepath").and_then(BasePath::parse).unwrap_or_default();
            let options = ImportOptions { basepath, ..ImportOptions::default() };
            if let Some(definition) = self.read(&folder.join(path), Some(&named.place())) {
                openapi::import(&definition, &options, &mut self.problems);
            }
        }
    }

    /// One API with its stages. `said` is what the file says over what the definition says; `place`
    /// is where the definition is named.
    fn load_api(
        &mut self,
        file: &raw::GatewayFile,
        api: &raw::Api,
        said: Said,
        document: &Document,
        place: &Place,
    ) -> Option<ApiDraft> {
        let path = document.root().place().file;
        self.sources.hide(&path, openapi::secrets(document.root()));
        let errors_before = self.problems.errors();
        let warnings_before = self.problems.count(Severity::Warning);
        let options = import_options(file, api);
        let mut definition = openapi::import(document, &options, &mut self.problems)?;
        self.read_keys(&mut definition, document);
        self.signed_at = self.signed_at.take().or(definition.asks_for_signatures().cloned());
        self.variables.extend(definition.stage_variables().map(str::to_owned));
        let warnings = self.problems.count(Severity::Warning) - warnings_before;
        if api.fail_on_warnings && warnings > 0 {
            let message =
                format!("the import of {} warns, and failOnWarnings is true", api.definition);
            self.problems.error(place.clone(), message, "mend what the warnings name");
        }
        let default = [raw::Stage::named(stage::DEFAULT)];
        let stages = if api.stages.is_empty() { &default } else { api.stages.as_slice() };
        let mut drafts = Vec::new();
        for stage in stages {
            let Some((name, variables)) = self.stage_inputs(api, stage, place) else { continue };
            let inputs = StageInputs { name: &name, variables: &variables };
            drafts.extend(definition.compile(&inputs, &mut self.problems));
        }
        let id = api.api_id.clone().unwrap_or_else(|| api_id::of_name(&api.name));
        let disabled = api.disable_execute_api_endpoint.or(definition.disables_endpoint());
        if let (Some((_, place)), true) = (&said.cors, definition.cors.is_some()) {
            let message = format!(
                "API {}: this corsConfiguration holds, and x-amazon-apigateway-cors of {} is left \
                 out",
                api.name, api.definition
            );
            self.problems.info(place.clone(), message, "");
        }
        let cors = said.cors.map(|(cors, _)| cors).or(definition.cors);
        if let (Some((_, place)), true) = (&said.policy, definition.policy.is_some()) {
            let message = format!(
                "API {}: this policy holds, and x-amazon-apigateway-policy of {} is left out",
                api.name, api.definition
            );
            self.problems.warning(place.clone(), message, "remove one of them");
        }
        let policy = said.policy.map(|(policy, _)| Arc::new(policy)).or(definition.policy);
        let endpoint = said.endpoint.or(definition.endpoint);
        let access = endpoint.map_or(AccessDraft::Public, |said| {
            said.judge(&api.name, policy.is_some(), &self.labels, &mut self.problems)
        });
        let is_sound = self.problems.errors() == errors_before;
        is_sound.then(|| ApiDraft {
            id,
            name: api.name.clone(),
            catalogue: domains::catalogue(api.protocol),
            endpoint: match disabled {
                Some(true) => ExecuteApiEndpoint::Disabled,
                Some(false) | None => ExecuteApiEndpoint::Enabled,
            },
            access,
            arn: options.api_arn,
            policy,
            cors,
            stages: drafts,
        })
    }

    /// The policy that the gateway file has for an API at `node`, or in the file that it names
    /// there; `None` after an error.
    fn policy(&mut self, node: Node<'_>, folder: &Path, arn: &str) -> Option<(Policy, Place)> {
        let place = node.place();
        let document = match node.as_str() {
            Some(name) => Some(self.read(&folder.join(name), Some(&place))?),
            None => None,
        };
        let root = document.as_ref().map_or(node, Document::root);
        let problems = &mut self.problems;
        let tell = |severity, at: Node<'_>, message, fix: &str| {
            let place = (problems.count(severity) < PROBLEMS_MAX).then(|| at.place());
            problems.push(Problem { severity, place, message, fix: fix.to_owned() });
        };
        let kind = PolicyKind::Resource(arn);
        let policy = policy::compile(root, kind, Functions::Unknown, policy::plain, tell);
        policy.map(|policy| (policy, place))
    }

    /// Reads the files of keys and authorities that a definition names, relative to itself.
    fn read_keys(&mut self, definition: &mut ApiDefinition, document: &Document) {
        let mut pools = std::mem::take(&mut self.pools);
        self.reading(document, |read, problems| definition.read_keys(read, &mut pools, problems));
        self.pools = pools;
    }

    fn user_pools(&mut self, file: &raw::GatewayFile, document: &Document) -> UserPools {
        self.reading(document, |read, problems| {
            let mut read = |path: &str, place: &Place, problems: &mut Problems| {
                read(path, place, TRUST_STORE_BYTES_MAX, problems)
            };
            UserPools::compile(file, document, &mut read, problems)
        })
    }

    /// Lends `work` what reads a small file that a document names, relative to itself.
    fn reading<R>(
        &mut self,
        document: &Document,
        work: impl FnOnce(
            &mut dyn FnMut(&str, &Place, usize, &mut Problems) -> Option<Vec<u8>>,
            &mut Problems,
        ) -> R,
    ) -> R {
        let file = document.root().place().file;
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let (source, sources, files_read) = (self.source, &mut self.sources, &mut self.files_read);
        let mut read = |name: &str, place: &Place, bytes_max: usize, problems: &mut Problems| {
            let path = folder.join(name);
            if !files_read.contains(&path) {
                files_read.push(path.clone());
            }
            match source.read_up_to(&path, bytes_max) {
                Ok(bytes) => {
                    sources.add_long(&path, &bytes, bytes_max);
                    Some(bytes)
                }
                Err(reason) => {
                    let message = format!("{} {reason}", path.display());
                    let named = "name a file that exists; paths are relative to the file they \
                                 stand in";
                    problems.error(place.clone(), message, named);
                    None
                }
            }
        };
        work(&mut read, &mut self.problems)
    }

    /// The stage's name and its variables, those of the command line over those of the file.
    fn stage_inputs(
        &mut self,
        api: &raw::Api,
        stage: &raw::Stage,
        place: &Place,
    ) -> Option<(StageName, StageVariables)> {
        let mut variables = stage.stage_variables.clone();
        self.variables.extend(variables.keys().cloned());
        for (name, value) in &self.overrides.stage_variables {
            variables.insert(name.clone(), raw::StageVariable(value.clone()));
        }
        let entries = variables.iter().map(|(name, value)| (name.as_str(), value.0.as_str()));
        let mut faults = Vec::new();
        let variables = StageVariables::compile(entries).map_err(|all| faults.extend(all)).ok();
        let name = StageName::parse(&stage.stage_name).map_err(|fault| faults.push(fault)).ok();
        for fault in faults {
            let message = format!("api {}, stage {}: {fault}", api.name, stage.stage_name);
            self.problems.error(place.clone(), message, "");
        }
        Some((name?, variables?))
    }

    /// A variable of the command line that nothing reads is probably misspelt.
    fn check_overrides(&mut self) {
        if self.problems.errors() > 0 {
            return;
        }
        for (name, _) in &self.overrides.stage_variables {
            if self.variables.contains(name) {
                continue;
            }
            let fix = match nearest(name, self.variables.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => "leave it out".to_owned(),
            };
            let message = format!("--set {name}: nothing reads a stage variable of this name");
            self.problems.warning_nowhere(message, &fix);
        }
    }

    /// Reads certificates: what the listeners show to clients that speak TLS.
    fn show(
        &mut self,
        file: &raw::GatewayFile,
        document: Option<&Document>,
        folder: &Path,
        settings: &Settings,
    ) {
        let reading = Reading {
            source: self.source,
            overrides: self.overrides,
            problems: &mut self.problems,
            sources: &mut self.sources,
            files_read: &mut self.files_read,
            folder,
            document,
        };
        self.shown = reading.compile(file, settings);
    }

    fn compile(&mut self, draft: PlanDraft) -> Option<Arc<Plan>> {
        if self.problems.errors() > 0 {
            return None;
        }
        if draft.asks_system(self.upstreams.settings()) && !tls::knows_system() {
            tls::keep_system(self.source.system_authorities());
        }
        match Plan::compile(draft, self.upstreams.settings()) {
            Ok(plan) => {
                self.upstreams.check(&plan, &mut self.problems);
                let Shown { faces, guards, .. } = std::mem::take(&mut self.shown);
                Some(Arc::new(plan.with_tls(faces, guards)))
            }
            Err(faults) => {
                for fault in faults {
                    self.problems.error_nowhere(fault, "");
                }
                None
            }
        }
    }
}

/// Whether a document is an API's definition (or was meant as one), and not a gateway file: the
/// importer says what is wrong with Swagger 2 documents and templates.
fn is_definition(document: &Document) -> bool {
    let root = document.root();
    let signs = ["openapi", "swagger", "AWSTemplateFormatVersion", "Resources"];
    signs.iter().any(|key| root.find(key).is_some())
        || (root.find("paths").is_some() && root.find("apis").is_none())
}

/// The one API of an OpenAPI document that is run directly: its title, else its file's name.
fn api_of_document(document: &Document, path: &Path) -> raw::Api {
    let title = document.root().pointer("/info/title").and_then(|title| title.as_str());
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = title.filter(|title| !title.is_empty()).map_or_else(stem, str::to_owned);
    raw::Api { name, definition: path.display().to_string(), ..raw::Api::default() }
}

fn import_options(file: &raw::GatewayFile, api: &raw::Api) -> ImportOptions {
    let mut options = ImportOptions {
        basepath: match api.basepath {
            raw::BasePath::Ignore => BasePath::Ignore,
            raw::BasePath::Prepend => BasePath::Prepend,
            raw::BasePath::Split => BasePath::Split,
        },
        ..ImportOptions::default()
    };
    let said = [
        ("AWS::Region", &file.region),
        ("AWS::AccountId", &file.account_id),
        ("AWS::URLSuffix", &file.domain_suffix),
    ];
    for (name, value) in said {
        if let Some(value) = value {
            options.substitutions.insert(name.to_owned(), value.clone());
        }
    }
    let id = api.api_id.clone().unwrap_or_else(|| api_id::of_name(&api.name));
    options.name_api(&id);
    options
}

#[cfg(test)]
mod tests;
