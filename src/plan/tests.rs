use super::*;
use crate::{
    http::{Field, FieldList, Fields, Name, Span},
    steps::{
        domain::{ApiMapping, ApiMappingKey, Destination, DomainDraft, DomainName, RoutingMode},
        endpoint::LabelSet,
        fixture,
        integrate::{IntegrationMethod, PathRule, TIMEOUT_MAX, TlsConfig, Uri},
        mapping::{RequestMapping, ResponseMapping},
        reject::{Client, Reject},
    },
};

pub(super) fn route(key: &str, uri: &str) -> RouteDraft {
    let integration = Integration {
        method: IntegrationMethod::Client,
        uri: Uri::parse(uri, &[]).unwrap(),
        tls: TlsConfig::default(),
        path: PathRule::Template,
        request: RequestMapping::default(),
        response: ResponseMapping::new(),
        timeout: TIMEOUT_MAX,
    };
    let key = RouteKey::parse(key).unwrap();
    RouteDraft { key, integration, api_key_required: false, authorizer: None, throttle: None }
}

pub(super) fn stage(name: &str, routes: Vec<RouteDraft>) -> StageDraft {
    let variables = StageVariables::default();
    StageDraft { name: StageName::parse(name).unwrap(), variables, routes }
}

pub(super) fn api(id: &str, stages: Vec<StageDraft>) -> ApiDraft {
    let (catalogue, endpoint) = (Catalogue::HttpApi, ExecuteApiEndpoint::Enabled);
    let (id, name, access) = (id.to_owned(), id.to_owned(), AccessDraft::Public);
    let arn = format!("arn:aws:execute-api:us-east-1:000000000000:{id}");
    ApiDraft { id, name, catalogue, endpoint, access, arn, policy: None, cors: None, stages }
}

fn compile(apis: Vec<ApiDraft>) -> Result<Plan, Vec<String>> {
    Plan::compile(PlanDraft { apis, ..PlanDraft::default() }, &[])
}

#[test]
fn indexes_are_dense_and_upstreams_shared() {
    let first = api(
        "a",
        vec![
            stage(
                "$default",
                vec![route("GET /x", "http://h:1/x"), route("GET /y", "http://H:1/y")],
            ),
            stage("prod", vec![route("GET /x", "http://h:2/x")]),
        ],
    );
    let second = api("b", vec![stage("$default", vec![route("$default", "http://h:1")])]);
    let plan = compile(vec![first, second]).unwrap();
    assert_eq!((plan.stage_count(), plan.route_count()), (3, 4));
    let upstreams: Vec<_> =
        plan.upstreams().iter().map(|known| (known.host.as_str(), known.port)).collect();
    assert_eq!(upstreams, [("h", 1), ("h", 2)]);
    let routes: Vec<_> = plan
        .routes()
        .map(|(api, stage, route)| {
            (api.id.as_str(), stage.index.0, route.index.0, route.upstream.0)
        })
        .collect();
    assert_eq!(routes, [("a", 0, 0, 0), ("a", 0, 1, 0), ("a", 1, 2, 1), ("b", 2, 3, 0)]);
    assert_eq!(plan.apis()[1].stages[0].routes[0].key_text, "$default");
    assert_eq!(plan.upstream(UpstreamIndex(1)).port, 2);
}

#[test]
fn all_problems_are_told_with_their_place() {
    let twins = || stage("prod", vec![route("GET /x", "http://h"), route("GET /x", "http://h")]);
    let drafts = vec![api("a", vec![twins(), twins()]), api("a", vec![]), api("A.b", vec![])];
    let sentences = compile(drafts).err().unwrap();
    let parts = [
        "api a: stage prod: two stages",
        "api a, stage prod: route GET /x matches exactly",
        "api a, stage prod: route GET /x matches exactly",
        "api a: id 'a' is the id of api a too",
        "api A.b: id 'A.b': an API's id is",
    ];
    assert_eq!(sentences.len(), parts.len(), "{sentences:?}");
    for (sentence, part) in sentences.iter().zip(parts) {
        assert!(sentence.starts_with(part), "{sentence}");
    }
}

#[track_caller]
fn selects(ids: &[&str], header: Option<&str>, host: &str, expected: Option<&str>) {
    let drafts = ids.iter().map(|id| api(id, Vec::new())).collect();
    let plan = compile(drafts).unwrap();
    let bytes = header.unwrap_or_default().as_bytes();
    let end = u16::try_from(bytes.len()).unwrap();
    let list: FieldList = header
        .map(|_| Field {
            name: Name::XApigwApiId,
            name_span: Span::default(),
            value_span: Span { start: 0, end },
        })
        .into_iter()
        .collect();
    let found = plan.select_api(Fields::new(bytes, &list), host.as_bytes());
    assert_eq!(found.ok().map(|api| api.id.as_str()), expected);
}

#[test]
fn header_then_host_then_the_only_api() {
    selects(&["a"], None, "anything", Some("a"));
    selects(&["a"], None, "", Some("a"));
    selects(&["a", "b"], None, "anything", None);
    selects(&[], None, "anything", None);
    selects(&["a", "b"], Some("b"), "anything", Some("b"));
    selects(&["a", "b"], Some("b"), "a.execute-api.us-east-1.amazonaws.com", Some("b"));
    selects(&["a", "b"], Some("c"), "a.execute-api.local", None);
    selects(&["a"], Some("c"), "anything", None);
    selects(&["a", "b"], None, "A.Execute-API.eu-west-1.amazonaws.com", Some("a"));
    selects(&["a", "b"], None, "b.execute-api", Some("b"));
    selects(&["a"], None, "c.execute-api.local", None);
    selects(&["a", "b"], None, "a.execute-apix.local", None);
    selects(&["a"], None, "c.execute-apix.local", Some("a"));
}

/// Two APIs, the second of which is `endpoint`'s; one domain that leads to both.
fn with_a_domain(second: ApiDraft, host_parent: Option<&str>) -> Plan {
    let first = api("a", vec![stage("$default", vec![route("GET /x", "http://h:1")])]);
    let to = |api, stage| Destination { api, stage };
    let mapping =
        |key, destination| ApiMapping { key: ApiMappingKey::parse(key).unwrap(), destination };
    let domain = DomainDraft {
        name: DomainName::parse("api.example.com").unwrap(),
        routing_mode: RoutingMode::ApiMappingOnly,
        api_mappings: vec![mapping("a", to(0, 0)), mapping("b/beta", to(1, 1))],
        routing_rules: Vec::new(),
        catalogue: second.catalogue,
    };
    let host_parent = host_parent.map(str::to_owned);
    let draft = PlanDraft {
        apis: vec![first, second],
        domains: vec![domain],
        host_parent,
        ..PlanDraft::default()
    };
    Plan::compile(draft, &[]).unwrap()
}

fn two_stages(catalogue: Catalogue, endpoint: ExecuteApiEndpoint) -> ApiDraft {
    let stages = ["prod", "beta"].map(|name| stage(name, Vec::new())).into();
    ApiDraft { catalogue, endpoint, ..api("b", stages) }
}

/// `expected` is API, stage and the path that its routes see; or the status of the refusal.
#[track_caller]
fn reaches(
    plan: &Plan,
    header: Option<&str>,
    host: &str,
    path: &str,
    expected: Result<(&str, &str, &str), u16>,
) {
    let header = header.map(|id| ("x-apigw-api-id", id));
    let (bytes, list) = fixture::fields(header.as_slice());
    let fields = Fields::new(&bytes, &list);
    let found = plan.select(fields, host.as_bytes(), path.as_bytes(), LabelSet::default);
    let found = found.map(|found| {
        let path = str::from_utf8(found.path).unwrap();
        (found.api.id.as_str(), found.stage.name.as_str(), path)
    });
    assert_eq!(found.map_err(|reject| reject.status().code()), expected, "{host}{path}");
}

#[test]
fn a_domain_goes_before_the_header_and_the_default_host() {
    let plan = with_a_domain(two_stages(Catalogue::HttpApi, ExecuteApiEndpoint::Enabled), None);
    let reaches = |header, host, path, expected| reaches(&plan, header, host, path, expected);
    reaches(None, "api.example.com", "/b/beta/x", Ok(("b", "beta", "/x")));
    reaches(None, "API.example.com.", "/a", Ok(("a", "$default", "/")));
    // No stage is looked for in a mapped path.
    reaches(None, "api.example.com", "/b/beta/prod/x", Ok(("b", "beta", "/prod/x")));
    reaches(Some("b"), "api.example.com", "/a/prod", Ok(("a", "$default", "/prod")));
    reaches(Some("b"), "api.example.com", "/prod", Err(404));
    reaches(None, "api.example.com", "/b", Err(404));
    reaches(None, "b.execute-api.local", "/prod/x", Ok(("b", "prod", "/x")));
    reaches(None, "b.execute-api.local", "/b/beta/x", Err(404));
    reaches(Some("B"), "elsewhere", "/beta", Ok(("b", "beta", "/")));
    for host in ["elsewhere", "", "127.0.0.1", "[::1]", "xapi.example.com", "a", "example.com"] {
        reaches(None, host, "/a", Err(404));
    }
}

#[test]
fn a_disabled_endpoint_is_reached_by_domains_only() {
    for (catalogue, status) in [(Catalogue::HttpApi, 404), (Catalogue::RestApi, 403)] {
        let plan = with_a_domain(two_stages(catalogue, ExecuteApiEndpoint::Disabled), None);
        reaches(&plan, None, "api.example.com", "/b/beta", Ok(("b", "beta", "/")));
        reaches(&plan, Some("b"), "elsewhere", "/prod", Err(status));
        reaches(&plan, None, "b.execute-api.local", "/prod", Err(status));
        reaches(&plan, None, "a.execute-api.local", "/", Ok(("a", "$default", "/")));
        reaches(&plan, None, "elsewhere", "/", Err(status));
        reaches(&plan, None, "api.example.com", "/", Err(status));
    }
    let alone = two_stages(Catalogue::HttpApi, ExecuteApiEndpoint::Disabled);
    reaches(&compile(vec![alone]).unwrap(), None, "anything", "/prod", Err(404));
}

#[test]
fn the_default_hosts_may_have_one_suffix() {
    let second = two_stages(Catalogue::HttpApi, ExecuteApiEndpoint::Enabled);
    let plan = with_a_domain(second, Some("eu-1.example.internal"));
    let host = "b.execute-api.eu-1.example.internal";
    reaches(&plan, None, host, "/prod", Ok(("b", "prod", "/")));
    reaches(&plan, None, "b.execute-api.eu-2.example.internal", "/prod", Err(404));
    reaches(&plan, None, "b.execute-api.local", "/prod", Err(404));
}

#[test]
fn a_domain_leads_to_stages_that_are_there() {
    let domain = DomainDraft {
        name: DomainName::parse("a.b").unwrap(),
        routing_mode: RoutingMode::ApiMappingOnly,
        api_mappings: [(0, 0), (0, 1), (1, 0)]
            .into_iter()
            .zip(["x", "y", "z"])
            .map(|((api, stage), key)| ApiMapping {
                key: ApiMappingKey::parse(key).unwrap(),
                destination: Destination { api, stage },
            })
            .collect(),
        routing_rules: Vec::new(),
        catalogue: Catalogue::HttpApi,
    };
    let apis = vec![api("a", vec![stage("$default", Vec::new())])];
    let draft = PlanDraft { apis, domains: vec![domain], ..PlanDraft::default() };
    let sentences = Plan::compile(draft, &[]).err().unwrap();
    assert_eq!(sentences.len(), 2, "{sentences:?}");
}

#[test]
fn a_plan_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Plan>();
}

/// Two private APIs, one of whose ids begins with the other's, and a public one.
fn private_apis() -> Plan {
    let private = |id: &str, labels: &[&str]| ApiDraft {
        access: AccessDraft::PrivateTo(labels.iter().map(|&label| label.to_owned()).collect()),
        ..api(id, vec![stage("prod", Vec::new())])
    };
    let apis = vec![
        private("pets", &["internal", "vpce-1"]),
        private("pets-old", &["internal"]),
        api("orders", vec![stage("prod", Vec::new())]),
    ];
    Plan::compile(PlanDraft { apis, ..PlanDraft::default() }, &[]).unwrap()
}

#[track_caller]
fn comes_by(host: &str, listener: &[&str], path: &str, expected: Result<&str, Client>) {
    let plan = private_apis();
    let list = FieldList::default();
    let labels = || plan.labels().find(listener.iter().copied());
    let found = plan.select(Fields::new(b"", &list), host.as_bytes(), path.as_bytes(), labels);
    let found = found.map(|selected| selected.api.id.as_str());
    assert_eq!(found, expected.map_err(Reject::Client), "{host} on {listener:?}");
}

#[test]
fn a_private_api_is_told_by_id_and_label_and_reached_by_its_listeners() {
    let nobody = Client::NoApi(Catalogue::HttpApi);
    let host = |name: &str| format!("{name}.execute-api.us-east-1.amazonaws.com");
    comes_by(&host("pets"), &["internal"], "/prod/x", Ok("pets"));
    comes_by(&host("pets-internal"), &["internal"], "/prod/x", Ok("pets"));
    comes_by(&host("PETS-Vpce-1"), &["other", "vpce-1"], "/prod/x", Ok("pets"));
    // The label in the host is a name of the API, not a claim about the listener.
    comes_by(&host("pets-vpce-1"), &["internal"], "/prod/x", Ok("pets"));
    comes_by(&host("pets-old-internal"), &["internal"], "/prod/x", Ok("pets-old"));
    comes_by(&host("pets-old"), &["internal"], "/prod/x", Ok("pets-old"));
    comes_by(&host("orders"), &[], "/prod/x", Ok("orders"));
    for name in ["pets-other", "pets-", "pets-old-vpce-1", "orders-internal", "-internal", "-"] {
        comes_by(&host(name), &["internal"], "/prod/x", Err(nobody));
    }
    comes_by(&host(&format!("pets-{}", "x".repeat(63))), &["internal"], "/prod/x", Err(nobody));
    comes_by(&host(&format!("pets{}", "-".repeat(9_000))), &["internal"], "/prod", Err(nobody));
    // Whoever may not come in does not learn which stages there are.
    for path in ["/prod/x", "/none/x"] {
        comes_by(&host("pets"), &[], path, Err(Client::NotOnThisListener));
        comes_by(&host("pets-internal"), &["vpn"], path, Err(Client::NotOnThisListener));
        comes_by(&host("pets-old"), &["vpce-1"], path, Err(Client::NotOnThisListener));
    }
    comes_by(&host("pets"), &["internal"], "/none/x", Err(Client::NoStage));
}
