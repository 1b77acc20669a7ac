//! Floods: what a client may do too much of. Each one ends its connection with GOAWAY
//! ENHANCE_YOUR_CALM, is counted once under its own kind, and holds up nobody else on the shard;
//! half as much as is allowed at once is no flood.
//!
//! The bounds stand in `base::limits` (`HTTP2_*`).

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use ringway::base::limits::{
    Allowance, HTTP2_CONTINUATIONS_MAX, HTTP2_EMPTY_DATA, HTTP2_FAULTS, HTTP2_HEADER_BOMBS,
    HTTP2_PINGS, HTTP2_PRIORITIES, HTTP2_RESETS, HTTP2_SETTINGS, HTTP2_UNKNOWN,
    HTTP2_WINDOW_UPDATES, SEND_WAIT,
};

use crate::harness::{Gateway, Upstream, eventually, ok, proxy_all};

use super::{
    client::{Event, RawClient},
    frame::{
        CANCEL, Code, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, NO_ERROR, PROTOCOL_ERROR,
        WHOLE, code_name, continuation, data, headers, kind, ping, priority, reset, setting,
        settings, window_update,
    },
    hpack::{Block, Coding, FIRST_DYNAMIC, Literal, block},
    target::{get, launch, patience, post, request},
};

/// One kind of flood.
struct Flood {
    /// The label of `ringway_http2_floods_total`.
    kind: &'static str,
    /// What is sent first, once.
    start: fn() -> Vec<Frame>,
    /// The frames of one unit, the number counted from 0.
    unit: fn(u32) -> Vec<Frame>,
    /// Half of so many units at once are no flood; several times as many end the connection.
    most: u32,
}

/// Kinds and what plays them; a window stall is a matter of time and has a test of its own.
const FLOODS: &[Flood] = &[
    Flood { kind: "rapid_reset", start: nothing, unit: reset_request, most: of(HTTP2_RESETS) },
    Flood { kind: "made_you_reset", start: nothing, unit: overflow, most: of(HTTP2_FAULTS) },
    Flood { kind: "continuation", start: open_head, unit: piece, most: HTTP2_CONTINUATIONS_MAX },
    Flood { kind: "ping", start: nothing, unit: one_ping, most: of(HTTP2_PINGS) },
    Flood { kind: "settings", start: nothing, unit: one_setting, most: of(HTTP2_SETTINGS) },
    Flood { kind: "empty_data", start: open_post, unit: empty_data, most: of(HTTP2_EMPTY_DATA) },
    Flood { kind: "header_bomb", start: nothing, unit: bomb, most: of(HTTP2_HEADER_BOMBS) },
    Flood { kind: "priority", start: nothing, unit: one_priority, most: of(HTTP2_PRIORITIES) },
    Flood { kind: "window_update", start: nothing, unit: one_byte, most: of(HTTP2_WINDOW_UPDATES) },
    Flood { kind: "unknown", start: nothing, unit: unknown, most: of(HTTP2_UNKNOWN) },
];

const fn of(allowance: Allowance) -> u32 {
    allowance.burst
}

/// The kind that is not in the table above.
const WINDOW_STALL: &str = "window_stall";

fn nothing() -> Vec<Frame> {
    Vec::new()
}

const fn stream(number: u32) -> u32 {
    1 + 2 * number
}

/// CVE-2023-44487: asked, and given up before anybody could answer.
fn reset_request(number: u32) -> Vec<Frame> {
    let stream = stream(number);
    let whole = block(&request("GET", "/never"));
    vec![headers(stream, WHOLE, whole), reset(stream, CANCEL)]
}

/// CVE-2025-8671: a window beyond all bounds makes the server reset the stream itself.
fn overflow(number: u32) -> Vec<Frame> {
    let stream = stream(number);
    let whole = block(&request("POST", "/never"));
    vec![headers(stream, END_HEADERS, whole), window_update(stream, (1 << 31) - 1)]
}

/// CVE-2024-27316: a head that never ends.
fn open_head() -> Vec<Frame> {
    vec![headers(1, END_STREAM, get())]
}

fn piece(_: u32) -> Vec<Frame> {
    vec![continuation(1, 0, [])]
}

fn one_ping(number: u32) -> Vec<Frame> {
    vec![ping(0, u64::from(number).to_be_bytes())]
}

fn one_setting(number: u32) -> Vec<Frame> {
    vec![settings(&[(setting::INITIAL_WINDOW_SIZE, 60_000 + number % 100)])]
}

fn open_post() -> Vec<Frame> {
    vec![headers(1, END_HEADERS, post())]
}

fn empty_data(_: u32) -> Vec<Frame> {
    vec![data(1, 0, [])]
}

/// A head of 20 KB that is 80 KB when it is decoded: refused each time, never held.
fn bomb(number: u32) -> Vec<Frame> {
    let value = "b".repeat(3_900);
    let start = Block::new().raw(&get());
    let mut bomb = start.literal(Literal::Indexed, Coding::Plain, b"x-bomb", value.as_bytes());
    for _ in 0..20 {
        bomb = bomb.indexed(FIRST_DYNAMIC);
    }
    vec![headers(stream(number), WHOLE, bomb.into_bytes())]
}

fn one_priority(number: u32) -> Vec<Frame> {
    vec![priority(stream(number), 0, 1)]
}

fn one_byte(_: u32) -> Vec<Frame> {
    vec![window_update(0, 1)]
}

fn unknown(_: u32) -> Vec<Frame> {
    vec![Frame::new(0x16, 0, 0, [0; 8])]
}

/// `/never` is not answered.
fn upstream() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            match request.target.as_str() {
                "/never" => drop(peer.wait_for_close()),
                "/long" => drop(peer.send(ok(vec![b'l'; 1 << 20]))),
                _ => drop(peer.send(ok("good"))),
            }
        }
    })
}

fn start(upstream: &Upstream) -> Gateway {
    launch(&proxy_all(upstream.address()), "").start()
}

/// What `/metrics` says of each kind.
fn counts(gateway: &Gateway) -> Vec<(String, u64)> {
    let text = gateway.metrics();
    let lines = text.lines().filter_map(|line| {
        let labels = line.strip_prefix("ringway_http2_floods_total{")?;
        let (kind, rest) = labels.split_once("kind=\"")?.1.split_once('"')?;
        Some((kind.to_owned(), rest.rsplit_once(' ')?.1.parse().ok()?))
    });
    lines.collect()
}

/// Fails unless this kind has so many, and no other kind any.
#[track_caller]
fn assert_counted(gateway: &Gateway, kind: &str, times: u64) {
    let is_right = |counts: &[(String, u64)]| {
        counts.iter().all(|(name, count)| *count == if name == kind { times } else { 0 })
    };
    eventually(&format!("{kind} is counted {times} times"), || is_right(&counts(gateway)));
    let names: Vec<String> = counts(gateway).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name == kind), "no {kind} in {names:?}");
}

/// How a flood ended, and how many units were sent until then.
struct Ended {
    units: u32,
    code: Option<Code>,
}

/// Sends unit after unit, taking all that comes, until the gateway ends it or `most` are sent.
fn send_units(client: &mut RawClient, units: u32, unit: fn(u32) -> Vec<Frame>) -> Ended {
    const AT_ONCE: u32 = 25;
    let mut sent = 0;
    let mut code = None;
    while sent < units && code.is_none() {
        let next = units.min(sent + AT_ONCE);
        let frames: Vec<Frame> = (sent..next).flat_map(unit).collect();
        let is_open = client.send_all(&frames);
        sent = next;
        if take_all(client, Duration::ZERO, &mut code).is_break() || !is_open {
            break;
        }
    }
    Ended { units: sent, code }
}

/// Takes what comes until nothing does within `time`; the code of a GOAWAY goes into `code`.
fn take_all(client: &mut RawClient, time: Duration, code: &mut Option<Code>) -> ControlFlow<()> {
    loop {
        match client.next_within(time) {
            Event::Silence => return ControlFlow::Continue(()),
            Event::Closed => return ControlFlow::Break(()),
            Event::Frame(frame) if frame.kind == kind::GOAWAY => {
                *code = frame.code().filter(|code| *code != NO_ERROR).or(*code);
            }
            Event::Frame(_) => {}
        }
    }
}

/// Somebody else on the same shard, who asks again and again until the end.
fn bystander(gateway: &Gateway, is_over: &AtomicBool) -> Duration {
    let mut client = RawClient::open(gateway.address);
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    while asked < 3 || !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = client.ask(stream(asked), &request("GET", "/good"), b"");
        assert_eq!(answer.as_ref().map(|answer| answer.status), Ok(200), "{}", client.story());
        slowest = slowest.max(began.elapsed());
        asked += 1;
        thread::sleep(Duration::from_millis(1));
    }
    slowest
}

/// Runs `flood` beside a bystander who must not be held up, and looks at the memory.
#[track_caller]
fn beside_others<T: Send>(gateway: &Gateway, flood: impl FnOnce() -> T + Send) -> T {
    const HELD_UP_MAX: Duration = Duration::from_secs(3);
    const KIB_MAX: u64 = 48 * 1024;
    let before = gateway.memory_kib();
    let is_over = AtomicBool::new(false);
    let (outcome, slowest) = thread::scope(|scope| {
        let other = scope.spawn(|| bystander(gateway, &is_over));
        let flood = scope.spawn(flood);
        let outcome = flood.join();
        is_over.store(true, Ordering::Relaxed);
        (outcome.unwrap(), other.join().unwrap())
    });
    assert!(slowest < HELD_UP_MAX, "somebody else waited {slowest:?}");
    let grown = gateway.memory_kib().saturating_sub(before);
    assert!(grown < KIB_MAX, "the gateway grew by {grown} KiB");
    outcome
}

#[track_caller]
fn check(kind: &str) {
    let flood = FLOODS.iter().find(|flood| flood.kind == kind).unwrap();
    let upstream = upstream();
    let gateway = start(&upstream);
    // Within what is allowed, nothing happens.
    let allowed = flood.most / 2;
    let mut client = RawClient::open(gateway.address);
    client.send_all(&(flood.start)());
    let ended = send_units(&mut client, allowed, flood.unit);
    let mut code = ended.code;
    let open = take_all(&mut client, Duration::from_millis(200), &mut code);
    let is_fine = open.is_continue() && code.is_none() && ended.units == allowed;
    assert!(is_fine, "{kind}: {allowed} units are refused: {}", client.story());
    assert_counted(&gateway, kind, 0);
    drop(client);

    let mut client = RawClient::open(gateway.address);
    let ended = beside_others(&gateway, || {
        client.send_all(&(flood.start)());
        let mut ended = send_units(&mut client, 20 * flood.most, flood.unit);
        // The gateway may still have read less than was sent.
        let closed = take_all(&mut client, patience(), &mut ended.code);
        assert!(closed.is_break(), "{kind}: still open: {}", client.story());
        ended
    });
    let units = ended.units;
    assert_eq!(ended.code, Some(ENHANCE_YOUR_CALM), "{kind}, {units} units: {}", client.story());
    assert_counted(&gateway, kind, 1);
}

#[test]
fn requests_reset_at_once() {
    check("rapid_reset");
}

#[test]
fn streams_that_we_are_made_to_reset() {
    check("made_you_reset");
}

#[test]
fn a_head_without_end() {
    check("continuation");
}

#[test]
fn pings() {
    check("ping");
}

#[test]
fn settings_again_and_again() {
    check("settings");
}

#[test]
fn data_without_data() {
    check("empty_data");
}

#[test]
fn heads_that_grow_when_decoded() {
    check("header_bomb");
}

#[test]
fn priorities() {
    check("priority");
}

#[test]
fn window_updates_of_one_byte() {
    check("window_update");
}

#[test]
fn frames_of_no_known_type() {
    check("unknown");
}

/// One head that is far beyond what is taken ends the connection at once, and is counted too.
#[test]
fn one_head_beyond_all_bounds() {
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    let code = beside_others(&gateway, || {
        let value = "b".repeat(3_900);
        let start = Block::new().raw(&get());
        let mut bomb = start.literal(Literal::Indexed, Coding::Plain, b"x-bomb", value.as_bytes());
        // 10,000 bytes of references that are 39 MB of fields.
        for _ in 0..10_000 {
            bomb = bomb.indexed(FIRST_DYNAMIC);
        }
        client.send(&headers(1, WHOLE, bomb.into_bytes()));
        let mut code = None;
        let closed = take_all(&mut client, patience(), &mut code);
        assert!(closed.is_break(), "still open: {}", client.story());
        code
    });
    assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{}", client.story());
    assert_counted(&gateway, "header_bomb", 1);
}

/// A head in ever more pieces, each sent when the one before was read: nothing of it is in one
/// receive with another.
#[test]
fn a_head_that_trickles() {
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    client.send_all(&open_head());
    let mut code = None;
    let mut sent = 0;
    while code.is_none() && sent < 100 {
        client.send_all(&piece(sent));
        sent += 1;
        if take_all(&mut client, Duration::from_millis(20), &mut code).is_break() {
            break;
        }
    }
    assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{sent} sent: {}", client.story());
    assert_counted(&gateway, "continuation", 1);
}

/// Every kind that is counted has a test here, and the other way round.
#[test]
fn every_kind_is_played() {
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut counted: Vec<String> = counts(&gateway).into_iter().map(|(kind, _)| kind).collect();
    let mut played: Vec<&str> = FLOODS.iter().map(|flood| flood.kind).collect();
    played.push(WINDOW_STALL);
    counted.sort();
    played.sort_unstable();
    assert_eq!(counted, played);
}

/// CVE-2019-9511: answers that are asked for while the window stays shut. The gateway gives up one
/// after another after `SEND_WAIT`, and the connection when it has given up too many.
#[test]
fn answers_that_nobody_takes() {
    const STREAMS: u32 = 24;
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    let code = beside_others(&gateway, || {
        client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
        for number in 0..STREAMS {
            let whole = block(&request("GET", "/long"));
            client.send(&headers(stream(number), WHOLE, whole));
        }
        let mut code = None;
        let silence = SEND_WAIT * 2;
        let closed = take_all(&mut client, silence, &mut code);
        assert!(closed.is_break(), "still open: {}", client.story());
        code
    });
    assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{}", client.story());
    assert_counted(&gateway, WINDOW_STALL, 1);
}

/// Other ways to have one's streams reset: each ends the connection too, sooner or later, and never
/// has more requests on their way to the upstream than streams are allowed.
#[test]
fn other_ways_to_be_reset() {
    const UNITS: u32 = 2_000;
    type Unit = fn(u32) -> Vec<Frame>;
    let table: [(&str, Unit); 5] = [
        ("a window update of nothing", |number| {
            let open = headers(stream(number), END_HEADERS, block(&request("POST", "/never")));
            vec![open, window_update(stream(number), 0)]
        }),
        ("data behind the end", |number| {
            let whole = headers(stream(number), WHOLE, block(&request("GET", "/never")));
            vec![whole, data(stream(number), END_STREAM, "late")]
        }),
        ("more data than announced", |number| {
            let mut fields = request("POST", "/never");
            fields.push(("content-length", "1"));
            let open = headers(stream(number), END_HEADERS, block(&fields));
            vec![open, data(stream(number), END_STREAM, "more")]
        }),
        ("a malformed head", |number| {
            let mut fields = request("GET", "/never");
            fields.push(("connection", "close"));
            vec![headers(stream(number), WHOLE, block(&fields))]
        }),
        ("a stream that depends on itself", |number| {
            let open = headers(stream(number), END_HEADERS, block(&request("POST", "/never")));
            vec![open, priority(stream(number), stream(number), 1)]
        }),
    ];
    for (name, unit) in table {
        let upstream = upstream();
        let gateway = start(&upstream);
        let mut client = RawClient::open(gateway.address);
        let mut ended = send_units(&mut client, UNITS, unit);
        let closed = take_all(&mut client, patience(), &mut ended.code);
        assert!(closed.is_break(), "{name}: still open: {}", client.story());
        let code = ended.code.unwrap_or(NO_ERROR);
        let is_right = [ENHANCE_YOUR_CALM, PROTOCOL_ERROR].contains(&code);
        assert!(is_right, "{name}: {}: {}", code_name(code), client.story());
        assert!(upstream.connections() <= 256, "{name}: {}", upstream.connections());
    }
}
