use super::*;
use crate::{
    http::{Field, FieldList, Fields, Name, Span},
    steps::{
        integrate::{IntegrationMethod, PathRule, TIMEOUT_MAX, Uri},
        mapping::{RequestMapping, ResponseMapping},
    },
};

fn route(key: &str, uri: &str) -> RouteDraft {
    let integration = Integration {
        method: IntegrationMethod::Client,
        uri: Uri::parse(uri, &[]).unwrap(),
        path: PathRule::Template,
        request: RequestMapping::default(),
        response: ResponseMapping::new(),
        timeout: TIMEOUT_MAX,
    };
    RouteDraft { key: RouteKey::parse(key).unwrap(), integration }
}

fn stage(name: &str, routes: Vec<RouteDraft>) -> StageDraft {
    let variables = StageVariables::default();
    StageDraft { name: StageName::parse(name).unwrap(), variables, routes }
}

fn api(id: &str, stages: Vec<StageDraft>) -> ApiDraft {
    let (catalogue, endpoint) = (Catalogue::HttpApi, ExecuteApiEndpoint::Enabled);
    ApiDraft { id: id.to_owned(), name: id.to_owned(), catalogue, endpoint, stages }
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

#[test]
fn a_plan_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Plan>();
}
