//! A proxied keep-alive request in the steady state makes no heap allocation: exactly none.
//!
//! A shard as it is (`shard::live`: sockets, driver, pools, numbers, access log) runs on the real
//! ring and on the plain executor of `runtime::simulate`, which allocates nothing for a task that
//! is woken again. So all that is allocated on its thread is a shard's doing, and is counted;
//! what glommio's own reactor allocates is not there. Its peers and the
//! log's writer are other threads.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ringway::{
    config::{self, Overrides, Source},
    gateway::{Addresses, connection::Terms},
    ledger::Ledger,
    plan::Plan,
    ring::Uring,
    runtime::{Sender, mailbox, simulate},
    shard::{self, Build, Entrance, Handing, Listening, Order},
    telemetry::access_log,
};

use crate::harness::{Client, Folder, Upstream, ok, proxy_all};

thread_local! {
    /// Where this thread's allocations are counted.
    static COUNTER: Cell<Option<&'static AtomicU64>> = const { Cell::new(None) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count() {
    if let Ok(Some(counter)) = COUNTER.try_with(Cell::get) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is the system allocator's, with its arguments unchanged.
#[expect(unsafe_code, reason = "an allocator that counts cannot be written otherwise")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract; the block is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `realloc`'s contract; the block is the system allocator's.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// A shard on a thread whose allocations are counted; ended and joined on drop.
struct Shard {
    address: SocketAddr,
    allocations: &'static AtomicU64,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Shard {
    /// Serves everything to `upstream`, by `gateway` if there is one: a file with an API that
    /// `api.yaml` defines.
    fn start(upstream: &Upstream, gateway: Option<&str>, more: &str) -> Self {
        let folder = Folder::new();
        let path = folder.write("api.yaml", &(proxy_all(upstream.address()) + more));
        let path = gateway.map_or(path, |text| folder.write("gateway.yaml", text));
        let plan = load(path);
        let known =
            plan.upstreams().iter().map(|name| (name.clone(), vec![upstream.address().into()]));
        let addresses: Arc<Addresses> = Arc::new(known.collect());
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (terms, listening) = (Terms::default(), Listening::Own(socket.into()));
        let bound = address.into();
        let entrances = vec![Entrance { address: bound, terms, face: None, listening }];
        let handing = Handing::among(1).pop().unwrap();
        let (mut logs, chunks) = access_log::channel(1);
        let log = logs.pop();
        thread::spawn(move || {
            while let Ok(chunk) = chunks.receiver().recv() {
                chunks.give_back(chunk);
            }
        });
        let allocations: &AtomicU64 = Box::leak(Box::default());
        let (orders, received) = mailbox(8);
        let clients_max = 1_000;
        let (number, seed, orders_in) = (0, 1, received);
        let thread = thread::spawn(move || {
            COUNTER.set(Some(allocations));
            let kernel = Box::new(Uring::new().unwrap());
            let orders = orders_in;
            let build = Build {
                number,
                entrances,
                handing,
                clients_max,
                plan,
                addresses,
                ledger: Arc::new(Ledger::new(1).0),
                switches: Arc::default(),
                log,
                seed,
                orders,
            };
            let live = |runtime| async move { shard::live(runtime, build).await.unwrap() };
            simulate(kernel, live).unwrap();
        });
        Self { address, allocations, orders, thread: Some(thread) }
    }

    fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = self.orders.try_send(Order::Drain(Duration::ZERO));
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the shard ended badly");
    }
}

fn load(path: PathBuf) -> Arc<Plan> {
    let loaded = config::load(&Source::File(path), &Overrides::default());
    loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.problems))
}

/// The requests that must not allocate go over each of `connections` in turn, all at once. What is
/// kept from one request to the next (pools, lists, blocks) grows at first, and may still grow when
/// a busy machine makes more of them run together than before: so it is some round that must show
/// exactly zero, of rounds in which one allocation per request would be hundreds in each.
#[track_caller]
fn check(request: &str, answer: impl AsRef<[u8]>) {
    check_with(None, request, answer);
}

#[track_caller]
fn check_with(gateway: Option<&str>, request: &str, answer: impl AsRef<[u8]>) {
    check_in(gateway, "", request, answer);
}

/// The same, the definition with `more` at its end.
#[track_caller]
fn check_in(gateway: Option<&str>, more: &str, request: &str, answer: impl AsRef<[u8]>) {
    const REQUESTS: usize = 512;
    const ROUNDS_MAX: usize = 20;
    let answer = answer.as_ref().to_vec();
    let upstream = Upstream::start(move |mut peer| {
        while let Some(mut request) = peer.head() {
            if peer.read_body(&mut request).is_none() || !peer.send(&answer) {
                return;
            }
        }
    });
    for connections in [1, 2, 16] {
        let shard = Shard::start(&upstream, gateway, more);
        let mut clients: Vec<_> =
            (0..connections).map(|_| Client::connect(shard.address)).collect();
        let mut round = || {
            let before = shard.allocations();
            for _ in 0..REQUESTS / connections {
                clients.iter_mut().for_each(|client| client.send(request));
                for client in &mut clients {
                    let answer = client.answer();
                    assert_eq!((answer.status, answer.text().as_str()), (200, "pets"));
                }
            }
            shard.allocations() - before
        };
        let mut made = Vec::new();
        while made.last() != Some(&0) {
            assert!(made.len() < ROUNDS_MAX, "{connections} connections allocate: {made:?}");
            made.push(round());
        }
    }
}

const GET: &str = "GET /pets?type=cat HTTP/1.1\r\nhost: it\r\n\r\n";
const POST: &str = "POST /pets HTTP/1.1\r\nhost: it\r\ncontent-length: 4\r\n\r\nTove";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npets\r\n0\r\n\r\n";

#[test]
fn a_get_in_the_steady_state_allocates_nothing() {
    check(GET, ok("pets"));
}

#[test]
fn a_post_with_a_small_body_in_the_steady_state_allocates_nothing() {
    check(POST, ok("pets"));
}

#[test]
fn a_small_chunked_answer_in_the_steady_state_allocates_nothing() {
    check(GET, CHUNKED);
}

/// A token that was verified before, with a scope that the route asks for and a claim that is
/// mapped. RFC 8037's key signed it: `jwt.example`, until the year 2100.
#[test]
fn a_request_with_a_token_that_is_remembered_allocates_nothing() {
    const AUTHORIZER: &str = "
components:
  securitySchemes:
    jwt:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration:
          issuer: https://jwt.example
          audience: [pets]
          algorithms: [EdDSA]
          jwks: {keys: [{kty: OKP, crv: Ed25519, kid: a, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}
security: [{jwt: [read]}]
";
    const TOKEN: &str = concat!(
        "eyJhbGciOiJFZERTQSIsImtpZCI6ImEiLCJ0eXAiOiJKV1QifQ.",
        "eyJpc3MiOiJodHRwczovL2p3dC5leGFtcGxlIiwiYXVkIjoicGV0cyIsInN1YiI6ImEiLC",
        "JzY29wZSI6InJlYWQiLCJleHAiOjQxMDI0NDQ4MDB9.",
        "EB-lFdOcV0-ugvdLHragr-wdoGHMpoNgJaayBpDYmrPTC7b3kE9mjYu1KjqfusjxQh-5DDiZun6yfOm9o1sSAw"
    );
    let request = GET.replace("\r\n\r\n", &format!("\r\nauthorization: Bearer {TOKEN}\r\n\r\n"));
    check_in(None, AUTHORIZER, &request, ok("pets"));
}

/// By a rule that comes after others, and by a mapping of several segments.
#[test]
fn a_request_to_a_custom_domain_allocates_nothing() {
    const GATEWAY: &str = "
apis: [{name: it, definition: api.yaml}]
domainNames:
  - domainName: '*.example.com'
    routingMode: ROUTING_RULE_THEN_API_MAPPING
    apiMappings: [{api: it, stage: $default, apiMappingKey: a/b/c}]
    routingRules:
      - {priority: 1, conditions: {matchBasePaths: {anyOf: [x]}}, action: {api: it, stage: $default}}
      - {priority: 2, conditions: {matchHeaders: [{anyOf: [{header: x-v, valueGlob: '*b*'}]}]},
         action: {api: it, stage: $default}}
";
    for more in ["x-v: abc\r\n", "x-v: none\r\n"] {
        let head = "GET /a/b/c/pets HTTP/1.1\r\nhost: IT.Example.com.:80\r\n";
        check_with(Some(GATEWAY), &format!("{head}{more}\r\n"), ok("pets"));
    }
}

/// With fields of the integration that are dropped, by a pattern and by a search among the origins.
#[test]
fn a_request_from_a_page_of_another_site_allocates_nothing() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n\
                          content-length: 4\r\n\r\npets";
    for origins in ["['http://*', 'https://*']", "['https://b.example', 'https://a.example']"] {
        let gateway = format!(
            "apis: [{{name: it, definition: api.yaml, corsConfiguration: {{allowOrigins: {origins}, \
             exposeHeaders: [x-a], allowCredentials: true}}}}]\n"
        );
        let request = "GET /pets HTTP/1.1\r\nhost: it\r\norigin: https://A.example\r\n\r\n";
        check_with(Some(&gateway), request, ANSWER);
    }
}
