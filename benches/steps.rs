//! Instructions of the pure path of a simple proxied GET, step by step.
//!
//! `cargo bench --bench steps` runs itself under callgrind (valgrind has to be installed) and
//! prints one line per step: instructions per call, from the difference of two runs, so that
//! start-up does not count. Instruction counts repeat exactly; compare them before and after a
//! change. Under `cargo test --benches`, and without valgrind, every step runs a few times and is
//! checked.

use std::{
    env,
    hint::black_box,
    io::{self, Write},
    process::Command,
    time::Duration,
};

use ringway::{
    base::WallTime,
    http::{Field, FieldList, Fields, Method, Name, Span, Status, Version},
    json::Body,
    steps::{
        context::{
            Arrival, ClfTime, Facts, HttpDate, Integrated, Outcome, Parameters, RequestId,
            StageVariables, Target, TraceId,
        },
        domain::{
            ApiMapping, ApiMappingKey, BasePathFate, Destination, DomainDraft, DomainId,
            DomainName, Domains, MatchHeader, RoutingMode, RoutingRule,
        },
        integrate::{
            Incoming, Integration, IntegrationMethod, Origin, PathRule, Protocol, Scratch,
            TIMEOUT_MAX, TlsConfig, TrustedProxies, Upgrade, Uri, prepare,
        },
        mapping::{RequestMapping, ResponseMapping, Scope},
        observe,
        reject::Catalogue,
        respond,
        route::{Matched, RouteKey, Router},
        stage::{self, StageName, StageNames},
    },
    wire::http1::HeadWriter,
};

const STEPS: [&str; 13] = [
    "host",
    "host_wildcard",
    "map",
    "map_rules",
    "select",
    "find",
    "find_param",
    "prepare",
    "prepare_mapped",
    "interpret",
    "record",
    "ids",
    "path",
];
const FEW: usize = 100;
const MANY: usize = 1_100;
/// A ratchet for `path`, all steps of a simple proxied GET together: measured 4,591. The aim is
/// 3,000; lower this number with each gain.
const PATH_INSTRUCTIONS_MAX: u64 = 4_800;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    if let [_, step, count] = arguments.as_slice()
        && let Ok(count) = count.parse()
    {
        run(step, count);
        return Ok(());
    }
    let asked = arguments.iter().any(|argument| argument == "--bench");
    let valgrind = asked && Command::new("valgrind").arg("--version").output().is_ok();
    let mut out = io::stdout().lock();
    for step in STEPS {
        if valgrind {
            let each = (count(step, MANY)? - count(step, FEW)?) / (MANY - FEW) as u64;
            writeln!(out, "{step:<15} {each:>6} instructions")?;
            let within = step != "path" || each <= PATH_INSTRUCTIONS_MAX;
            assert!(within, "{step}: over its budget of {PATH_INSTRUCTIONS_MAX}");
        } else {
            run(step, 3);
            writeln!(out, "{step:<15} runs (no valgrind, or not asked to count)")?;
        }
    }
    Ok(())
}

/// All instructions of a process that runs a step so many times.
fn count(step: &str, count: usize) -> io::Result<u64> {
    let program = env::current_exe()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([step, &count.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(io::Error::other(format!("{step} failed: {text}")));
    }
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let number = collected.and_then(|(_, number)| number.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("callgrind did not count {step}: {text}")))
}

fn run(step: &str, count: usize) {
    if ["host", "host_wildcard", "map", "map_rules"].contains(&step) {
        return run_domains(step, count);
    }
    let world = World::new();
    let mut desk = Desk::default();
    for _ in 0..count {
        let written = match step {
            "select" => stage::select(&world.stages, black_box(PATH)).is_ok().into(),
            "find" => world.find(black_box(b"/pets")).route + 1,
            "find_param" => world.find(black_box(PATH)).route,
            "prepare" => world.prepare(&world.plain, &mut desk),
            "prepare_mapped" => world.prepare(&world.mapped, &mut desk),
            "interpret" => world.interpret(&mut desk),
            "record" => world.record(&mut desk),
            "ids" => world.ids(),
            "path" => world.path(&mut desk),
            _ => panic!("no such step: {step}"),
        };
        assert!(black_box(written) > 0);
    }
}

/// The steps of a custom domain, among [`DOMAINS`] of them.
fn run_domains(step: &str, count: usize) {
    let domains = domains();
    let (bytes, list) =
        fields(&[("Host", "api.example.com"), ("Accept", "*/*"), ("X-V", "beta-2")]);
    let fields = Fields::new(&bytes, &list);
    let hosts: Vec<String> =
        (0..64).map(|at| format!("Tenant-{}.api.example.com", at * 141)).collect();
    let covered: Vec<String> = (0..64).map(|at| format!("a.w{}.example.com", at * 15)).collect();
    let mapped = domains.domain(DomainId(0));
    let ruled = domains.domain(DomainId(1));
    for round in 0..count {
        let found = match step {
            "host" => domains.find(black_box(hosts[round % 64].as_bytes())).is_some(),
            "host_wildcard" => domains.find(black_box(covered[round % 64].as_bytes())).is_some(),
            "map" => mapped.map(black_box(b"/orders/v199/items/7"), fields).is_ok(),
            _ => ruled.map(black_box(b"/orders/v49/items/7"), fields).is_ok(),
        };
        assert!(black_box(found));
    }
}

/// Names and wildcards of as many tenants; the first has 200 mappings of several segments (AWS's
/// quota), the second 50 rules (its quota too), of which the last matches.
fn domains() -> Domains {
    let exact = (0..DOMAINS - 1_000).map(|at| format!("tenant-{at}.api.example.com"));
    let wildcards = (0..1_000).map(|at| format!("*.w{at}.example.com"));
    let destination = Destination { api: 0, stage: 0 };
    let key = |text: String| ApiMappingKey::parse(&text).expect("a sound key");
    let draft = |name: String| DomainDraft {
        name: DomainName::parse(&name).expect("a sound name"),
        routing_mode: RoutingMode::RoutingRuleThenApiMapping,
        api_mappings: vec![ApiMapping { key: ApiMappingKey::NONE, destination }],
        routing_rules: Vec::new(),
        catalogue: Catalogue::HttpApi,
    };
    let mut drafts: Vec<DomainDraft> = exact.chain(wildcards).map(draft).collect();
    let keys = (0..200).map(|at| key(format!("orders/v{at}")));
    drafts[0].api_mappings = keys.map(|key| ApiMapping { key, destination }).collect();
    let header = || MatchHeader::parse("x-v", "beta*").expect("a sound condition");
    let rules = (0..50).map(|at| RoutingRule {
        priority: at + 1,
        id: (at + 1).to_string(),
        headers: vec![vec![header()]],
        base_paths: vec![key(format!("orders/v{at}"))],
        destination,
        base_path: BasePathFate::Stripped,
    });
    drafts[1].routing_rules = rules.collect();
    Domains::compile(drafts).expect("sound domains")
}

/// As many custom domain names as a gateway takes. Measured among them: 285 instructions for an
/// exact name, 443 for a wildcard; 729 for the last of 200 keys, 3,193 for the last of 50 rules.
const DOMAINS: usize = 10_000;

const PATH: &[u8] = b"/pets/7/toys";

/// What is compiled or parsed before a step begins.
struct World {
    stages: StageNames,
    router: Router,
    plain: Integration,
    mapped: Integration,
    request: (Vec<u8>, FieldList),
    answer: (Vec<u8>, FieldList),
    origin: Origin,
    trusted: TrustedProxies,
    /// What the log says of the route.
    members: Vec<u8>,
    date: HttpDate,
    clf: ClfTime,
}

/// What a shard keeps and lends.
#[derive(Default)]
struct Desk {
    head: Vec<u8>,
    scratch: Scratch,
    log: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let keys = [
            "GET /pets",
            "POST /pets",
            "GET /pets/{id}",
            "GET /pets/{id}/toys",
            "ANY /files/{proxy+}",
            "GET /orders",
            "GET /orders/{id}",
            "DELETE /orders/{id}",
            "GET /health",
            "$default",
        ];
        let keys = keys.map(|key| RouteKey::parse(key).expect("a sound key")).to_vec();
        let names = [StageName::parse("$default").expect("a sound name")];
        let mapping = [
            ("append:header.x-pet", "$request.path.id"),
            ("overwrite:querystring.v", "${context.requestId}-1"),
            ("remove:header.cookie", ""),
        ];
        let request = [
            ("Host", "api.example.com"),
            ("User-Agent", "wrk/4.2.0"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate"),
            ("Cookie", "session=0123456789abcdef"),
        ];
        let answer = [
            ("Server", "nginx"),
            ("Date", "Thu, 12 Mar 2026 19:03:58 GMT"),
            ("Content-Type", "application/json"),
            ("Content-Length", "27"),
            ("Connection", "keep-alive"),
            ("X-Request-Cost", "3"),
        ];
        let trusted = TrustedProxies::parse(["10.0.0.0/8"]).expect("a sound block");
        let (peer, local) = ("192.0.2.9:4711", "192.0.2.1:8080");
        let ends = [peer, local].map(|end| end.parse().expect("a sound address"));
        Self {
            stages: StageNames::compile(&names).expect("different names"),
            router: Router::compile(keys).expect("different keys"),
            plain: integration(&[]),
            mapped: integration(&mapping),
            request: fields(&request),
            answer: fields(&answer),
            origin: Origin::new(ends[0], ends[1], Protocol::Http, &trusted),
            trusted,
            members: observe::route_members("GET /pets/{id}/toys", "a1b2c3d4e5", "$default"),
            date: HttpDate::new(1_773_342_238),
            clf: ClfTime::new(1_773_342_238),
        }
    }

    fn find(&self, path: &[u8]) -> Matched {
        self.router.find(Method::Get, path).expect("a route")
    }

    fn facts(&self) -> Facts<'_> {
        let fields = Fields::new(&self.request.0, &self.request.1);
        let (source_ip, source) = self.origin.source_ip(fields, &self.trusted);
        Facts::new(Arrival {
            request_id: RequestId::new(black_box((3, 5))),
            trace_id: TraceId::new(black_box(1_773_342_238), (7, 11)),
            received: WallTime(1_773_342_238_390),
            request_time: self.clf,
            source_ip,
            source,
            method: Some(Method::Get),
            path: PATH,
            version: Some(Version::Http11),
            domain_name: b"api.example.com",
            user_agent: fields.find(Name::UserAgent).unwrap_or_default(),
            listener_labels: &[],
            secured: None,
        })
    }

    fn ids(&self) -> usize {
        black_box(self.facts()).arrival.request_id.as_bytes().len()
    }

    fn incoming<'a>(&'a self, body: &'a Body<'a>, parameters: Parameters<'a>) -> Incoming<'a> {
        Incoming {
            method: Method::Get,
            path: PATH,
            query: Some(b"limit=10"),
            fields: Fields::new(&self.request.0, &self.request.1),
            host: b"api.example.com",
            parameters,
            body,
            upgrade: Upgrade::No,
            origin: &self.origin,
        }
    }

    fn prepare(&self, integration: &Integration, desk: &mut Desk) -> usize {
        let (body, names) = (Body::empty(), ["id".to_owned()]);
        let values = [Span { start: 6, end: 7 }];
        let parameters = Parameters { names: &names, values: &values, path: PATH };
        self.prepare_with(integration, &self.facts(), &self.incoming(&body, parameters), desk)
    }

    fn prepare_with(
        &self,
        integration: &Integration,
        facts: &Facts<'_>,
        incoming: &Incoming<'_>,
        desk: &mut Desk,
    ) -> usize {
        desk.head.clear();
        let mut writer = HeadWriter::new(&mut desk.head);
        prepare(black_box(integration), incoming, facts, &mut desk.scratch, &mut writer)
            .expect("nothing is refused");
        let dropped = writer.end();
        assert_eq!(dropped, 0);
        desk.head.len()
    }

    fn interpret(&self, desk: &mut Desk) -> usize {
        self.interpret_with(&self.facts(), desk)
    }

    fn interpret_with(&self, facts: &Facts<'_>, desk: &mut Desk) -> usize {
        desk.head.clear();
        let body = Body::empty();
        let fields = Fields::new(&self.answer.0, &self.answer.1);
        let answer = respond::Answer { status: black_box(Status::OK), fields, body: &body };
        let mut writer = HeadWriter::new(&mut desk.head);
        let mapping = &self.plain.response;
        let scratch = &mut desk.scratch.value;
        respond::interpret(mapping, &answer, facts, &self.date, scratch, &mut writer);
        assert_eq!(writer.end(), 0);
        desk.head.len()
    }

    fn record(&self, desk: &mut Desk) -> usize {
        let mut facts = self.facts();
        facts.record_target(Target { api_id: "a1b2c3d4e5", stage: "$default" });
        facts.record_route("GET /pets/{id}/toys", &self.members);
        Self::record_with(&mut facts, desk)
    }

    fn record_with(facts: &mut Facts<'_>, desk: &mut Desk) -> usize {
        let latency = black_box(Duration::from_micros(153));
        facts.record_integrated(Integrated { status: Status::OK, latency });
        facts.record_outcome(Outcome { status: Status::OK, response_length: 27, latency });
        desk.log.clear();
        observe::record(black_box(facts), &mut desk.log);
        desk.log.len()
    }

    /// The steps of one request in their order.
    fn path(&self, desk: &mut Desk) -> usize {
        let mut facts = self.facts();
        let selected = stage::select(&self.stages, black_box(PATH)).expect("a stage");
        facts.record_target(Target { api_id: "a1b2c3d4e5", stage: "$default" });
        let matched = self.find(selected.path);
        facts.record_route("GET /pets/{id}/toys", &self.members);
        let body = Body::empty();
        let parameters = self.router.parameters(&matched, selected.path);
        let incoming = self.incoming(&body, parameters);
        let sent = self.prepare_with(&self.plain, &facts, &incoming, desk);
        let answered = self.interpret_with(&facts, desk);
        sent + answered + Self::record_with(&mut facts, desk)
    }
}

fn integration(mapping: &[(&str, &str)]) -> Integration {
    let variables = StageVariables::default();
    let scope = Scope { parameters: &["id"], variables: &variables };
    Integration {
        method: IntegrationMethod::Client,
        uri: Uri::parse("http://127.0.0.1:9000/v1/pets/{id}/toys", &["id"]).expect("a sound uri"),
        tls: TlsConfig::default(),
        path: PathRule::Template,
        request: RequestMapping::compile(mapping.iter().copied(), scope).expect("sound entries"),
        response: ResponseMapping::new(),
        timeout: TIMEOUT_MAX,
    }
}

/// A head's fields: their bytes and offsets.
fn fields(list: &[(&str, &str)]) -> (Vec<u8>, FieldList) {
    let (mut bytes, mut fields) = (Vec::new(), Vec::new());
    for (name, value) in list {
        let start = bytes.len();
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        let at = |place: usize| u16::try_from(place).expect("a small head");
        let name_end = start + name.len();
        fields.push(Field {
            name: Name::of(name.as_bytes()),
            name_span: Span { start: at(start), end: at(name_end) },
            value_span: Span { start: at(name_end + 2), end: at(bytes.len() - 2) },
        });
    }
    (bytes, fields)
}
