//! Upstreams of HTTP/2 that do everything wrong, or right in an unusual way, by raw frames; and
//! what clients of HTTP/1.1 and of HTTP/2 get of it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::harness::{Answer, Client, Fault, Gateway, eventually, proxy_all_in};

use super::{
    client::{End, Event, RawClient},
    frame::{
        self, END_HEADERS, END_STREAM, Frame, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, WHOLE,
        data, goaway, headers, kind, push_promise, reset, setting, settings, settings_ack,
        window_update,
    },
    hpack::{Block, Coding, FIRST_DYNAMIC, Literal, block},
    target::{launch, request},
};

/// One request as it came, its fields as text.
struct Asked {
    stream: u32,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A listening upstream; each connection runs the script on a thread of its own.
struct RawUpstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl RawUpstream {
    /// `script` gets the connection, its number from 0, with the settings exchanged.
    fn start(script: impl Fn(&mut RawClient, usize) + Send + Sync + 'static) -> Self {
        Self::greeting(&[], script)
    }

    fn greeting(
        values: &[(u16, u32)],
        script: impl Fn(&mut RawClient, usize) + Send + Sync + 'static,
    ) -> Self {
        let values = values.to_vec();
        Self::accepting(move |stream, number| {
            let Some(mut connection) = RawClient::accept(stream) else { return };
            connection.send(&settings(&values));
            connection.send(&settings_ack());
            script(&mut connection, number);
        })
    }

    fn accepting(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, script) = (Arc::clone(&connections), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || script(stream, number));
            }
        });
        Self { address, connections }
    }

    /// A gateway before it, with this much time for an answer.
    fn gateway(&self, timeout_millis: u32) -> Gateway {
        let address = self.address;
        let more = format!("upstreams: [{{origin: 'http://{address}', protocolVersion: HTTP2}}]");
        launch(&proxy_all_in(address, timeout_millis), &more).start()
    }
}

/// The next request, whole; `None` when the gateway has gone.
fn take(connection: &mut RawClient) -> Option<Asked> {
    let mut asked: Option<Asked> = None;
    loop {
        let Event::Frame(frame) = connection.next() else { return None };
        let (is_last, stream) = (frame.has(END_STREAM), frame.stream);
        match frame.kind {
            kind::HEADERS if asked.is_none() => {
                let fields = connection.whole_block(frame).ok()?;
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                let fields = fields.into_iter().map(|(name, value)| (text(name), text(value)));
                asked = Some(Asked { stream, fields: fields.collect(), body: Vec::new() });
            }
            kind::DATA => {
                asked.as_mut()?.body.extend_from_slice(frame.content());
                connection.open_windows(&frame);
            }
            kind::HEADERS => {}
            _ => continue,
        }
        if is_last {
            return asked;
        }
    }
}

fn fine(stream: u32) -> [Frame; 2] {
    let head = block(&[(":status", "200"), ("content-length", "4")]);
    [headers(stream, END_HEADERS, head), data(stream, END_STREAM, "fine")]
}

/// Answers the first request of the first connection with these frames, all others well.
fn first_answered(frames: fn(u32) -> Vec<Frame>) -> RawUpstream {
    RawUpstream::start(move |connection, number| {
        let mut is_first = number == 0;
        while let Some(asked) = take(connection) {
            let answer = if is_first { frames(asked.stream) } else { fine(asked.stream).into() };
            is_first = false;
            if !connection.send_all(&answer) {
                return;
            }
        }
    })
}

/// What an HTTP/1.1 client gets by a GET, read strictly.
fn get(gateway: &Gateway) -> Result<Answer, Fault> {
    let mut client = Client::connect(gateway.address);
    client.send("GET /a?b=c HTTP/1.1\r\nhost: it\r\n\r\n");
    client.try_answer_to("GET")
}

/// What the gateway makes of an upstream that breaks the protocol.
const BROKEN: &[u16] = &[502, 503];

/// The gateway says what it can say of an upstream, and goes on with the next request.
#[track_caller]
fn check(name: &str, statuses: &[u16], frames: fn(u32) -> Vec<Frame>) {
    let upstream = first_answered(frames);
    let gateway = upstream.gateway(1_500);
    let answer = get(&gateway).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
    assert!(statuses.contains(&answer.status), "{name}: {answer:?}");
    assert!(answer.all("x-smuggled").next().is_none(), "{name}: {answer:?}");
    let next = get(&gateway).unwrap_or_else(|fault| panic!("after {name}: {fault:?}"));
    assert_eq!((next.status, next.text().as_str()), (200, "fine"), "after {name}");
}

fn head_with(fields: &[(&str, &str)]) -> Vec<u8> {
    block(&[&[(":status", "200")], fields].concat())
}

/// A fault of the upstream is 502, and never a line of its own in the answer.
#[test]
fn heads_that_are_none() {
    type Row = (&'static str, fn(u32) -> Vec<Frame>);
    let table: [Row; 13] = [
        ("no status", |s| vec![headers(s, WHOLE, block(&[("x-a", "1")]))]),
        ("two statuses", |s| vec![headers(s, WHOLE, head_with(&[(":status", "200")]))]),
        ("a status of words", |s| vec![headers(s, WHOLE, block(&[(":status", "fine")]))]),
        ("a status of four digits", |s| vec![headers(s, WHOLE, block(&[(":status", "2000")]))]),
        ("a status below 100", |s| vec![headers(s, WHOLE, block(&[(":status", "099")]))]),
        ("a name in upper case", |s| vec![headers(s, WHOLE, head_with(&[("X-Upper", "1")]))]),
        ("a value of two lines", |s| {
            vec![headers(s, WHOLE, head_with(&[("x-a", "1\r\nx-smuggled: 1")]))]
        }),
        ("a name of two lines", |s| {
            vec![headers(s, WHOLE, head_with(&[("x-a: 1\r\nx-smuggled", "1")]))]
        }),
        ("a value with NUL", |s| vec![headers(s, WHOLE, head_with(&[("x-a", "1\x002")]))]),
        ("connection", |s| vec![headers(s, WHOLE, head_with(&[("connection", "close")]))]),
        ("a coding", |s| {
            let head = head_with(&[("transfer-encoding", "chunked")]);
            vec![headers(s, END_HEADERS, head), data(s, END_STREAM, "0\r\n\r\n")]
        }),
        ("a block that cannot be read", |s| vec![headers(s, WHOLE, [0x40])]),
        ("a switch of protocols", |s| {
            let head = block(&[(":status", "101"), ("upgrade", "echo")]);
            vec![headers(s, END_HEADERS, head), data(s, 0, "smuggled")]
        }),
    ];
    for (name, frames) in table {
        check(name, BROKEN, frames);
    }
}

#[test]
fn lengths_that_are_wrong() {
    check("a length and no data", BROKEN, |s| {
        vec![headers(s, WHOLE, head_with(&[("content-length", "5")]))]
    });
    check("two lengths", BROKEN, |s| {
        let head = head_with(&[("content-length", "4"), ("content-length", "5")]);
        vec![headers(s, END_HEADERS, head), data(s, END_STREAM, "four")]
    });
    check("a length of words", BROKEN, |s| {
        let head = head_with(&[("content-length", "four")]);
        vec![headers(s, END_HEADERS, head), data(s, END_STREAM, "four")]
    });
}

#[test]
fn streams_and_connections_that_end_too_early() {
    check("a reset", BROKEN, |s| vec![reset(s, PROTOCOL_ERROR)]);
    check("a push", BROKEN, |s| vec![push_promise(s, 2, &block(&request("GET", "/")))]);
    check("data before the head", BROKEN, |s| vec![data(s, END_STREAM, "early")]);
    check("goodbye in anger", BROKEN, |_| vec![goaway(0, PROTOCOL_ERROR, "go away")]);
    check("a frame of the wrong size", BROKEN, |_| vec![Frame::new(kind::PING, 0, 0, [0; 3])]);
}

/// RFC 9113 8.7: neither was looked at, so both may be sent again.
#[test]
fn requests_that_were_not_looked_at_may_be_sent_again() {
    check("refused", &[200, 502, 503], |s| vec![reset(s, REFUSED_STREAM)]);
    check("goodbye", &[200, 502, 503], |_| vec![goaway(0, NO_ERROR, "")]);
}

#[test]
fn heads_too_long() {
    check("a long head", BROKEN, |s| {
        let mut whole = head_with(&[("x-long", &"l".repeat(9_000))]);
        whole.extend(block(&[("x-longer", "l".repeat(6_000))]));
        let more = block(&[("x-longest", "l".repeat(16_000)), ("x-end", "l".repeat(16_000))]);
        let (first, second) = more.split_at(16_001);
        vec![
            headers(s, END_STREAM, whole),
            frame::continuation(s, 0, first),
            frame::continuation(s, 0, &second[..16_000]),
            frame::continuation(s, END_HEADERS, &second[16_000..]),
        ]
    });
    check("a bomb", BROKEN, |s| {
        let start = Block::new().raw(&head_with(&[]));
        let value = "b".repeat(3_900);
        let mut bomb = start.literal(Literal::Indexed, Coding::Plain, b"x-bomb", value.as_bytes());
        for _ in 0..10_000 {
            bomb = bomb.indexed(FIRST_DYNAMIC);
        }
        vec![headers(s, WHOLE, bomb.into_bytes())]
    });
}

/// To HTTP/1.1 the connection is closed, to HTTP/2 the stream reset: no cut body looks whole.
#[test]
fn a_body_that_is_cut() {
    type Frames = fn(u32) -> Vec<Frame>;
    let table: [Frames; 3] = [
        |s| {
            vec![
                headers(s, END_HEADERS, head_with(&[])),
                data(s, 0, "half"),
                reset(s, PROTOCOL_ERROR),
            ]
        },
        |s| {
            let head = head_with(&[("content-length", "8")]);
            vec![headers(s, END_HEADERS, head), data(s, END_STREAM, "half")]
        },
        |s| {
            let head = head_with(&[("content-length", "2")]);
            vec![headers(s, END_HEADERS, head), data(s, END_STREAM, "more")]
        },
    ];
    for frames in table {
        let gateway = first_answered(frames).gateway(1_500);
        let outcome = get(&gateway);
        let is_cut = matches!(outcome, Err(Fault::Cut(_) | Fault::Closed | Fault::Broken(_)));
        let is_refused = matches!(&outcome, Ok(answer) if answer.status == 502);
        assert!(is_cut || is_refused, "{outcome:?}");
        let gateway = first_answered(frames).gateway(1_500);
        let mut client = RawClient::open(gateway.address);
        let outcome = client.ask(1, &request("GET", "/"), b"");
        let is_cut = matches!(&outcome, Err(End::Reset(code)) if *code != NO_ERROR);
        let is_refused = matches!(&outcome, Ok(answer) if answer.status == 502);
        assert!(is_cut || is_refused, "{outcome:?}: {}", client.story());
    }
}

#[test]
fn unusual_answers_that_are_sound() {
    const FINE: &[u16] = &[200];
    check("an interim answer", FINE, |s| {
        let hints = block(&[(":status", "103"), ("link", "</a>")]);
        [&[headers(s, END_HEADERS, hints)], &fine(s)[..]].concat()
    });
    check("a head in pieces", FINE, |s| {
        let head = head_with(&[("content-length", "4")]);
        let (first, second) = head.split_at(3);
        let pieces = [
            headers(s, 0, first),
            frame::continuation(s, 0, []),
            frame::continuation(s, END_HEADERS, second),
        ];
        [&pieces[..], &[data(s, END_STREAM, "four")]].concat()
    });
    check("padding", FINE, |s| fine(s).map(|frame| frame::padded(frame, 200)).into());
    check("trailers", FINE, |s| {
        let sum = block(&[("x-sum", "1")]);
        vec![headers(s, END_HEADERS, head_with(&[])), data(s, 0, "four"), headers(s, WHOLE, sum)]
    });
    check("empty data before the end", FINE, |s| {
        let head = headers(s, END_HEADERS, head_with(&[]));
        vec![head, data(s, 0, []), data(s, 0, "four"), data(s, END_STREAM, [])]
    });
    // RFC 9113 8.3 has it malformed; the h2 crate drops it.
    check("a request's field", &[200, 502, 503], |s| {
        vec![headers(s, WHOLE, head_with(&[(":path", "/")]))]
    });
    check("frames of no known type", FINE, |s| {
        [&[Frame::new(0x16, 0, s, [0; 5])], &fine(s)[..]].concat()
    });
    check("settings and a ping between", FINE, |s| {
        let between = [settings(&[(setting::MAX_CONCURRENT_STREAMS, 7)]), frame::ping(0, [1; 8])];
        [&between[..], &fine(s)[..]].concat()
    });
}

/// What a request looks like in HTTP/2.
#[test]
fn what_the_upstream_is_asked() {
    let (asked, told) = std::sync::mpsc::channel();
    let asked = std::sync::Mutex::new(asked);
    let upstream = RawUpstream::start(move |connection, _| {
        while let Some(request) = take(connection) {
            connection.send_all(&fine(request.stream));
            asked.lock().unwrap().send(request).unwrap();
        }
    });
    let gateway = upstream.gateway(5_000);
    let mut client = Client::connect(gateway.address);
    let answer = client.ask(
        "POST /a/b?c=d HTTP/1.1\r\nhost: it\r\nConnection: x-private\r\nX-Private: 1\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade-Insecure-Requests: 1\r\nCookie: a=1; b=2\r\n\
         X-Mixed-Case: Value\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    );
    assert_eq!(answer.text(), "fine");
    let asked = told.recv_timeout(Duration::from_secs(5)).unwrap();
    let all = |name: &str| {
        let found = asked.fields.iter().filter(|field| field.0 == name);
        found.map(|field| field.1.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(all(":method"), ["POST"]);
    assert_eq!(all(":path"), ["/a/b?c=d"]);
    assert_eq!(all(":scheme"), ["http"]);
    assert_eq!(all(":authority"), [upstream.address.to_string()]);
    assert_eq!(all("x-mixed-case"), ["Value"]);
    assert_eq!(all("cookie").join("; "), "a=1; b=2");
    assert_eq!(asked.body, b"body");
    for name in ["host", "connection", "x-private", "keep-alive", "transfer-encoding", "upgrade"] {
        assert_eq!(all(name), [""; 0], "{name}: {:?}", asked.fields);
    }
    let pseudo = asked.fields.iter().take_while(|field| field.0.starts_with(':')).count();
    assert_eq!(pseudo, 4, "{:?}", asked.fields);
    assert!(asked.fields.iter().all(|field| field.0 == field.0.to_lowercase()));
}

/// A server that takes one stream at a time, and one that opens its windows late.
#[test]
fn narrow_upstreams_are_served_in_turn() {
    let narrow = [(setting::MAX_CONCURRENT_STREAMS, 1), (setting::INITIAL_WINDOW_SIZE, 0)];
    let upstream = RawUpstream::greeting(&narrow, |connection, _| {
        let mut open: Vec<(u32, usize)> = Vec::new();
        while let Event::Frame(frame) = connection.next() {
            let stream = frame.stream;
            match frame.kind {
                kind::HEADERS => {
                    open.push((stream, 0));
                    connection.send(&window_update(stream, 3));
                }
                kind::DATA => {
                    let (_, bytes) = open.iter_mut().find(|(open, _)| *open == stream).unwrap();
                    *bytes += frame.content().len();
                    assert!(frame.payload.len() <= 3, "{frame:?}");
                    connection.send(&window_update(stream, 3));
                }
                _ => continue,
            }
            if open.len() > 1 {
                // Too many: the client that waits for it will tell.
                return;
            }
            if frame.has(END_STREAM) {
                let (_, bytes) = open.remove(0);
                assert!(bytes == 0 || bytes == 20, "{bytes}");
                connection.send_all(&fine(stream));
            }
        }
    });
    let gateway = upstream.gateway(20_000);
    let ask = || {
        let mut client = Client::connect(gateway.address);
        for _ in 0..5 {
            let head = "POST /a HTTP/1.1\r\nhost: it\r\ncontent-length: 20\r\n\r\n";
            let answer = client.ask(format!("{head}{}", "x".repeat(20)));
            assert_eq!((answer.status, answer.text().as_str()), (200, "fine"));
        }
    };
    // Before its settings have come, nobody can know.
    ask();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(ask);
        }
    });
}

/// A connection that ended while it was idle costs no request.
#[test]
fn an_idle_connection_that_went_away() {
    let upstream = RawUpstream::start(|connection, number| {
        if let Some(asked) = take(connection) {
            connection.send_all(&fine(asked.stream));
            if number % 2 == 0 {
                connection.send(&goaway(asked.stream, NO_ERROR, ""));
            }
        }
    });
    let gateway = upstream.gateway(5_000);
    for number in 0..10 {
        let answer = get(&gateway).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "fine"), "{number}");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(upstream.connections.load(Ordering::SeqCst) >= 10);
}

/// Silence, and a server that speaks something else.
#[test]
fn upstreams_that_do_not_speak_it() {
    let silent = RawUpstream::accepting(|stream, _| {
        thread::sleep(Duration::from_secs(8));
        drop(stream);
    });
    let answer = get(&silent.gateway(700)).unwrap();
    assert!(matches!(answer.status, 502..=504), "{answer:?}");
    let other = RawUpstream::accepting(|mut stream, _| {
        let text = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-smuggled: 1\r\n\r\n";
        let _ = std::io::Write::write_all(&mut stream, text.as_bytes());
        thread::sleep(Duration::from_secs(1));
    });
    let answer = get(&other.gateway(5_000)).unwrap();
    assert!(matches!(answer.status, 502..=504), "{answer:?}");
}

/// A client that leaves, and the upstream hears of it.
#[test]
fn a_client_that_leaves_resets_its_stream() {
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let upstream = RawUpstream::start(move |connection, _| {
        while let Event::Frame(frame) = connection.next() {
            if frame.kind == kind::RST_STREAM {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let gateway = upstream.gateway(20_000);
    let mut client = Client::connect(gateway.address);
    client.send("GET /never HTTP/1.1\r\nhost: it\r\n\r\n");
    eventually("it is asked", || upstream.connections.load(Ordering::SeqCst) == 1);
    thread::sleep(Duration::from_millis(200));
    client.reset();
    let mut client = RawClient::open(gateway.address);
    client.send(&headers(1, WHOLE, block(&request("GET", "/never"))));
    thread::sleep(Duration::from_millis(200));
    client.send(&reset(1, frame::CANCEL));
    eventually("both are reset", || heard.load(Ordering::SeqCst) == 2);
}

/// What an upstream may not do to us: its floods end its connection, and the gateway serves on.
#[test]
fn upstreams_that_flood() {
    const MANY: usize = 200_000;
    type Unit = fn(u32) -> Frame;
    let table: [(&str, Unit); 4] = [
        ("pings", |_| frame::ping(0, [0; 8])),
        ("settings", |_| settings(&[])),
        ("empty data", |stream| data(stream, 0, [])),
        ("interim answers", |stream| headers(stream, END_HEADERS, block(&[(":status", "103")]))),
    ];
    for (name, unit) in table {
        let upstream = RawUpstream::start(move |connection, number| {
            let mut is_first = number == 0;
            while let Some(asked) = take(connection) {
                if !std::mem::take(&mut is_first) {
                    connection.send_all(&fine(asked.stream));
                    continue;
                }
                if name == "empty data" {
                    connection.send(&headers(asked.stream, END_HEADERS, head_with(&[])));
                }
                let some: Vec<Frame> = (0..100).map(|_| unit(asked.stream)).collect();
                for _ in 0..MANY / some.len() {
                    if !connection.send_all(&some) {
                        return;
                    }
                    while let Event::Frame(_) = connection.next_within(Duration::ZERO) {}
                }
                connection.send_all(&fine(asked.stream));
            }
        });
        let gateway = upstream.gateway(3_000);
        let before = gateway.memory_kib();
        let first = get(&gateway);
        let is_told = match &first {
            Ok(answer) => matches!(answer.status, 200 | 502..=504),
            Err(fault) => matches!(fault, Fault::Cut(_) | Fault::Closed | Fault::Broken(_)),
        };
        assert!(is_told, "{name}: {first:?}");
        // A flood may last longer than an answer may take, and the connection with it.
        eventually(&format!("served after {name}"), || {
            get(&gateway).is_ok_and(|answer| answer.status == 200)
        });
        let grown = gateway.memory_kib().saturating_sub(before);
        assert!(grown < 48 * 1024, "{name}: the gateway grew by {grown} KiB");
    }
}

/// A body that came with its head, one that came later, and one of HTTP/2: each goes up whole.
#[test]
fn bodies_go_up() {
    let upstream = RawUpstream::start(|connection, _| {
        while let Some(asked) = take(connection) {
            let length = asked.body.len().to_string();
            let head = head_with(&[("content-length", &length)]);
            connection.send(&headers(asked.stream, END_HEADERS, head));
            connection.send(&data(asked.stream, END_STREAM, asked.body));
        }
    });
    let gateway = upstream.gateway(3_000);
    let mut client = Client::connect(gateway.address);
    let head = "POST /a HTTP/1.1\r\nhost: it\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(client.ask(format!("{head}here")).text(), "here");
    client.send(head);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(client.ask("late").text(), "late");
    let mut client = RawClient::open(gateway.address);
    let mut fields = request("POST", "/a");
    assert_eq!(client.ask(1, &fields, b"any").map(|answer| answer.text()), Ok("any".to_owned()));
    fields.push(("content-length", "4"));
    assert_eq!(client.ask(3, &fields, b"four").map(|answer| answer.text()), Ok("four".to_owned()));
}

/// Answers `/big` with as much as the gateway's windows have room for, everything else well.
fn as_windows_allow(connection: &mut RawClient) {
    let mut waiting: Vec<u32> = Vec::new();
    let mut big: Vec<(u32, usize)> = Vec::new();
    loop {
        match connection.next_within(Duration::from_millis(20)) {
            Event::Frame(frame) if frame.kind == kind::HEADERS => {
                let stream = frame.stream;
                let fields = connection.whole_block(frame).unwrap();
                if fields.iter().any(|(_, value)| value.starts_with(b"/big")) {
                    connection.send(&headers(stream, END_HEADERS, head_with(&[])));
                    big.push((stream, connection.stream_window()));
                } else {
                    waiting.push(stream);
                }
            }
            Event::Frame(frame) if frame.kind == kind::SETTINGS => {
                connection.settings.extend(frame.settings());
            }
            Event::Frame(frame) if frame.kind == kind::WINDOW_UPDATE => {
                let found = big.iter_mut().find(|(stream, _)| *stream == frame.stream);
                found.into_iter().for_each(|(_, window)| *window += frame.increment());
            }
            Event::Frame(_) | Event::Silence => {}
            Event::Closed => return,
        }
        for (stream, window) in &mut big {
            while *window > 0 && connection.credit > 0 {
                let room = (*window).min(connection.credit).min(16_384);
                connection.send(&data(*stream, 0, vec![b'b'; room]));
                *window -= room;
                connection.credit -= room;
            }
        }
        while connection.credit >= 4
            && let Some(stream) = waiting.pop()
        {
            connection.credit -= 4;
            connection.send_all(&fine(stream));
        }
    }
}

/// 32 answers that were not read had the whole window of the connection that others shared.
#[test]
fn answers_that_are_not_read_hold_no_other_of_the_same_connection() {
    let upstream = RawUpstream::start(|connection, _| as_windows_allow(connection));
    let gateway = upstream.gateway(5_000);
    let mut hog = RawClient::open(gateway.address);
    for number in 0..100 {
        hog.send(&headers(1 + 2 * number, WHOLE, block(&request("GET", "/big"))));
    }
    thread::sleep(Duration::from_millis(1_500));
    let mut client = Client::connect(gateway.address);
    client.set_patience(Duration::from_secs(5));
    assert_eq!(client.get("/").text(), "fine");
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}

/// An upstream whose machine is gone says nothing, not even an end: every request went to it again,
/// and waited in vain, until the kernel gave the connection up.
#[test]
fn a_connection_that_has_gone_silent_is_not_asked_again() {
    let upstream = RawUpstream::start(|connection, number| {
        let mut answers = if number == 0 { 1 } else { usize::MAX };
        while let Some(asked) = take(connection) {
            if answers > 0 {
                connection.send_all(&fine(asked.stream));
                answers -= 1;
            }
        }
    });
    let gateway = upstream.gateway(500);
    assert_eq!(get(&gateway).unwrap().status, 200);
    assert_eq!(get(&gateway).unwrap().status, 503);
    for _ in 0..3 {
        assert_eq!(get(&gateway).unwrap().status, 200);
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 2);
}
