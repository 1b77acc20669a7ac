//! Many streams on one connection, long bodies, windows, and how a connection begins and ends.

use std::{
    io::Read,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Client, Gateway, Launch, Upstream, eventually, ok, pattern, proxy_all};

use super::{
    client::{End, Event, PREFACE, RawClient},
    frame::{
        self, END_HEADERS, END_STREAM, Frame, NO_ERROR, WHOLE, data, headers, kind, setting,
        settings, settings_ack, window_update,
    },
    hpack::block,
    target::{launch, patience, request},
};

fn start(upstream: &Upstream) -> Gateway {
    launch(&proxy_all(upstream.address()), "").start()
}

fn get(stream: u32, path: &str) -> Frame {
    headers(stream, WHOLE, block(&request("GET", path)))
}

/// `/N/M`: M bytes of pattern N; anything else is echoed.
fn patterns() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let numbers: Vec<u64> =
                request.target.split('/').filter_map(|text| text.parse().ok()).collect();
            let body = match numbers[..] {
                [seed, length] => pattern(seed, usize::try_from(length).unwrap()),
                _ => request.body,
            };
            if !peer.send(ok(body)) {
                return;
            }
        }
    })
}

#[test]
fn one_connection_asks_a_thousand_times() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    for number in 0..1_000 {
        let path = format!("/{number}/{}", number % 50);
        let answer = client.ask(1 + 2 * number, &request("GET", &path), b"").unwrap();
        assert_eq!(answer.body, pattern(u64::from(number), number as usize % 50));
    }
}

/// Sixteen answers of 1 MB at once, their frames mixed as they come.
#[test]
fn many_long_answers_side_by_side() {
    const LENGTH: usize = 1 << 20;
    let upstream = patterns();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    let streams: Vec<u32> = (0..16).map(|number| 1 + 2 * number).collect();
    for stream in &streams {
        client.send(&get(*stream, &format!("/{stream}/{LENGTH}")));
    }
    let mut bodies = vec![Vec::new(); streams.len()];
    let mut left = streams.len();
    while left > 0 {
        let Event::Frame(frame) = client.next() else { panic!("{}", client.story()) };
        assert!(!matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY), "{}", client.story());
        if frame.kind == kind::DATA {
            client.open_windows(&frame);
            bodies[frame.stream as usize / 2].extend_from_slice(frame.content());
            left -= usize::from(frame.has(END_STREAM));
        }
    }
    for (stream, body) in streams.iter().zip(bodies) {
        assert!(body == pattern(u64::from(*stream), LENGTH), "stream {stream}");
    }
}

/// Sends a body as the gateway's windows allow, and takes the answer.
fn upload(client: &mut RawClient, stream: u32, body: &[u8], frame_bytes: usize) -> Result<(), End> {
    client.send(&headers(stream, END_HEADERS, block(&request("POST", "/up"))));
    let mut window = client.stream_window();
    let mut rest = body;
    loop {
        let room = frame_bytes.min(window).min(client.credit).min(rest.len());
        if room > 0 {
            let (piece, left) = rest.split_at(room);
            let flags = if left.is_empty() { END_STREAM } else { 0 };
            client.send(&data(stream, flags, piece));
            window -= room;
            client.credit -= room;
            rest = left;
            if rest.is_empty() {
                return Ok(());
            }
            continue;
        }
        match client.next() {
            Event::Frame(frame) if frame.kind == kind::WINDOW_UPDATE && frame.stream == stream => {
                window += frame.increment();
            }
            Event::Frame(frame) if frame.kind == kind::RST_STREAM => {
                return Err(End::Reset(frame.code().unwrap()));
            }
            Event::Frame(frame) if frame.kind == kind::GOAWAY => {
                return Err(End::GoAway(frame.code().unwrap()));
            }
            Event::Frame(_) => {}
            Event::Closed => return Err(End::Closed),
            Event::Silence => return Err(End::Silence),
        }
    }
}

#[test]
fn a_long_body_comes_back_unchanged() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let body = pattern(3, 5_000_000);
    for frame_bytes in [16_384, 1_000] {
        let mut client = RawClient::open(gateway.address);
        upload(&mut client, 1, &body, frame_bytes).unwrap();
        let answer = client.answer(1).unwrap();
        assert!(answer.body == body, "{frame_bytes}: {} bytes", answer.body.len());
    }
}

/// One message of a stream of small ones is one small DATA frame; no flood, however many.
#[test]
fn a_body_of_tiny_frames_is_taken() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let body = pattern(4, 4_000);
    let mut client = RawClient::open(gateway.address);
    upload(&mut client, 1, &body, 1).unwrap_or_else(|end| panic!("{end}: {}", client.story()));
    assert!(client.answer(1).unwrap().body == body);
}

/// So that they all lie in the gateway at once: the upstream reads none before all were sent.
#[test]
fn tiny_frames_to_a_slow_upstream_are_taken() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(mut request) = peer.head() {
            thread::sleep(Duration::from_millis(1_000));
            if peer.read_body(&mut request).is_none() || !peer.send(ok(&request.body)) {
                return;
            }
        }
    });
    let gateway = start(&upstream);
    let body = pattern(4, 20_000);
    let mut client = RawClient::open(gateway.address);
    upload(&mut client, 1, &body, 10).unwrap_or_else(|end| panic!("{end}: {}", client.story()));
    let answer = client.answer(1).unwrap_or_else(|end| panic!("{end}: {}", client.story()));
    assert!(answer.body == body);
}

/// All bytes that were announced are here, and only then comes the end of the request: httpx sends
/// it in a frame of its own. Until then the request is not whole, and not answered; nor is the
/// stream reset, though RFC 9113 8.1 lets a server do that.
#[test]
fn the_end_of_a_request_may_come_behind_its_body() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    let mut fields = request("POST", "/up");
    fields.push(("content-length", "4"));
    client.send(&headers(1, END_HEADERS, block(&fields)));
    client.send(&data(1, 0, "body"));
    while let Event::Frame(frame) = client.next_within(Duration::from_millis(300)) {
        let silent = !matches!(frame.kind, kind::RST_STREAM | kind::HEADERS);
        assert!(silent, "{}", client.story());
    }
    client.send(&data(1, END_STREAM, []));
    let answer = client.answer(1);
    assert_eq!(answer.map(|answer| answer.text()), Ok("body".to_owned()), "{}", client.story());
    let answer = client.ask(3, &request("GET", "/1/10"), b"");
    assert_eq!(answer.map(|answer| answer.status), Ok(200), "{}", client.story());
}

/// The limit of HTTP/1.1 holds, and one byte more is too much.
#[test]
fn a_body_at_its_limit_and_one_byte_over() {
    const LIMIT: usize = 10 << 20;
    assert_eq!(LIMIT as u64, ringway::base::limits::REQUEST_BODY_BYTES_MAX);
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(request.body.len().to_string()));
        }
    });
    let gateway = start(&upstream);
    let body = vec![b'x'; LIMIT + 1];
    let mut client = RawClient::open(gateway.address);
    upload(&mut client, 1, &body[..LIMIT], 16_384).unwrap();
    assert_eq!(client.answer(1).unwrap().text(), LIMIT.to_string());
    let mut client = RawClient::open(gateway.address);
    let sent = upload(&mut client, 1, &body, 16_384);
    let answer = sent.and_then(|()| client.answer(1));
    assert_eq!(answer.map(|answer| answer.status), Ok(413), "{}", client.story());
}

/// A client that opens no window makes the gateway hold little, and the upstream wait.
#[test]
fn a_shut_window_holds_the_upstream_back() {
    const SENT_MAX: usize = 16 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(move |mut peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
            let piece = [b'e'; 65_536];
            while peer.send(piece) {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    });
    let gateway = start(&upstream);
    let before = gateway.memory_kib();
    let mut client = RawClient::open(gateway.address);
    client.send(&get(1, "/endless"));
    let mut last = 0;
    eventually("the upstream waits", || {
        thread::sleep(Duration::from_millis(200));
        let now = sent.load(Ordering::SeqCst);
        std::mem::replace(&mut last, now) == now && now > 0
    });
    assert!(last < SENT_MAX, "the upstream could send {last} bytes");
    let grown = gateway.memory_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "the gateway grew by {grown} KiB");
    // Another stream of the same connection has its own window, but the connection's is shut.
    client.send(&window_update(0, 1 << 20));
    client.send(&get(3, "/endless"));
    let first = client.wait_for(kind::HEADERS).unwrap();
    assert!(first.stream == 1 || first.stream == 3);
}

/// One answer that is not taken holds up no other of its connection.
#[test]
fn a_stalled_stream_holds_up_no_other() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
    client.send(&get(1, "/1/100000"));
    client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)]));
    client.send(&window_update(1, 0x7fff_0000));
    client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
    let answer = client.answer(1).unwrap();
    assert_eq!(answer.body.len(), 100_000);
    client.send(&get(3, "/1/100000"));
    client.send(&get(5, "/1/1000"));
    client.send(&window_update(5, 1_000));
    assert_eq!(client.answer(5).unwrap().body.len(), 1_000, "{}", client.story());
}

/// Credit that is not given back while nobody reads: the upstream's socket takes some, we little.
#[test]
fn an_upstream_that_reads_nothing_holds_the_client_back() {
    let upstream = Upstream::start(|mut peer| {
        if peer.head().is_some() {
            thread::sleep(Duration::from_secs(3));
        }
    });
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    client.send(&headers(1, END_HEADERS, block(&request("POST", "/up"))));
    let (mut window, mut sent) = (client.stream_window(), 0);
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        while window.min(client.credit) >= 16_384 {
            client.send(&data(1, 0, [b'x'; 16_384]));
            window -= 16_384;
            client.credit -= 16_384;
            sent += 16_384;
        }
        if let Event::Frame(frame) = client.next_within(Duration::from_millis(100))
            && frame.kind == kind::WINDOW_UPDATE
            && frame.stream == 1
        {
            window += frame.increment();
        }
    }
    assert!(sent < 9 << 20, "{sent} bytes were taken for an upstream that reads none");
}

/// RFC 9113 6.8: no new streams after a round trip, what is open is finished, then the end.
#[test]
fn a_drain_says_goodbye_in_two_steps() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if request.target == "/slow" {
                // Goodbyes are spread over half of the drain's time.
                thread::sleep(Duration::from_millis(3_000));
            }
            if !peer.send(ok("done")) {
                return;
            }
        }
    });
    let mut gateway = launch(&proxy_all(upstream.address()), "drainSeconds: 5").start();
    let mut client = RawClient::open(gateway.address);
    client.send(&get(1, "/slow"));
    eventually("it is on its way", || upstream.requests().len() == 1);
    gateway.signal("TERM");
    let mut last_streams = Vec::new();
    let mut ended = Vec::new();
    loop {
        match client.next() {
            Event::Frame(frame) if frame.kind == kind::GOAWAY => {
                assert_eq!(frame.code(), Some(NO_ERROR), "{}", client.story());
                if last_streams.is_empty() {
                    // Sent before the client can have known.
                    client.send(&get(3, "/quick"));
                }
                last_streams.push(u32::from_be_bytes(frame.payload[..4].try_into().unwrap()));
            }
            Event::Frame(frame) if frame.kind == kind::PING && !frame.has(frame::ACK) => {
                let content = frame.payload[..].try_into().unwrap();
                client.send(&frame::ping(frame::ACK, content));
            }
            Event::Frame(frame) if frame.kind == kind::DATA && frame.has(END_STREAM) => {
                ended.push((frame.stream, frame.payload));
            }
            Event::Frame(frame) => assert!(frame.kind != kind::RST_STREAM, "{}", client.story()),
            Event::Closed => break,
            Event::Silence => panic!("not closed: {}", client.story()),
        }
    }
    assert_eq!(last_streams, [0x7fff_ffff, 3], "{}", client.story());
    ended.sort();
    assert_eq!(ended, [(1, b"done".to_vec()), (3, b"done".to_vec())], "{}", client.story());
    assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.said());
}

/// Connections that rest say goodbye at moments of their own, too, and serve until then.
#[test]
fn idle_connections_say_goodbye_in_two_steps_one_after_the_other() {
    let upstream = Upstream::answering(ok("done"));
    let gateway = launch(&proxy_all(upstream.address()), "drainSeconds: 8").start();
    let mut clients: Vec<_> = (0..12).map(|_| RawClient::open(gateway.address)).collect();
    for client in &mut clients {
        client.send(&get(1, "/"));
        while !matches!(client.next(), Event::Frame(frame) if frame.has(END_STREAM)) {}
    }
    gateway.signal("TERM");
    let begun = Instant::now();
    let said: Vec<_> = thread::scope(|scope| {
        let goodbyes = clients.into_iter().map(|client| scope.spawn(move || goodbye(client)));
        let goodbyes: Vec<_> = goodbyes.collect();
        goodbyes.into_iter().map(|goodbye| goodbye.join().unwrap()).collect()
    });
    for (_, last_streams) in &said {
        assert_eq!(last_streams[..], [0x7fff_ffff, 1], "{said:?}");
    }
    let moments: Vec<_> = said.iter().map(|(moment, _)| moment.duration_since(begun)).collect();
    let (first, last) = (moments.iter().min().unwrap(), moments.iter().max().unwrap());
    assert!(*last < Duration::from_secs(5), "{moments:?}");
    // Of twelve moments in four seconds: less apart once in a million runs.
    assert!(*last - *first > Duration::from_secs(1), "{moments:?}");
}

/// When the first GOAWAY comes, and the last streams of all.
fn goodbye(mut client: RawClient) -> (Instant, Vec<u32>) {
    let mut first = None;
    let mut last_streams = Vec::new();
    loop {
        match client.next() {
            Event::Frame(frame) if frame.kind == kind::GOAWAY => {
                first.get_or_insert_with(Instant::now);
                last_streams.push(u32::from_be_bytes(frame.payload[..4].try_into().unwrap()));
            }
            Event::Frame(frame) if frame.kind == kind::PING && !frame.has(frame::ACK) => {
                client.send(&frame::ping(frame::ACK, frame.payload[..].try_into().unwrap()));
            }
            Event::Frame(_) => {}
            Event::Closed => return (first.unwrap(), last_streams),
            Event::Silence => panic!("not closed: {}", client.story()),
        }
    }
}

#[test]
fn one_listener_speaks_both() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let mut old = Client::connect(gateway.address);
    let mut new = RawClient::open(gateway.address);
    for number in 0..3 {
        assert_eq!(old.get("/7/10").body, pattern(7, 10));
        let answer = new.ask(1 + 2 * number, &request("GET", "/7/10"), b"").unwrap();
        assert_eq!(answer.body, pattern(7, 10));
    }
}

/// The preface and what follows, a byte at a time.
#[test]
fn a_connection_may_come_in_pieces() {
    let upstream = patterns();
    let gateway = start(&upstream);
    let mut client = RawClient::connect(gateway.address);
    let frames = [settings(&[]), settings_ack(), get(1, "/8/100")];
    let mut bytes = PREFACE.to_vec();
    frames.iter().for_each(|frame| bytes.extend(frame.to_bytes()));
    for byte in &bytes {
        client.send_bytes(&[*byte]);
        thread::sleep(Duration::from_millis(1));
    }
    let answer = client.answer(1);
    assert_eq!(answer.map(|answer| answer.body), Ok(pattern(8, 100)), "{}", client.story());
}

/// Half a preface is a client that is too slow, and one that leaves costs nothing.
#[test]
fn a_preface_that_does_not_end() {
    let upstream = patterns();
    let gateway = start(&upstream);
    for length in [1, 3, 14, 23] {
        let mut client = RawClient::connect(gateway.address);
        client.send_bytes(&PREFACE[..length]);
        client.finish_sending();
        let end = client.next();
        assert!(matches!(end, Event::Closed), "{length} bytes: {end:?}");
    }
    let mut client = RawClient::connect(gateway.address);
    client.send_bytes(PREFACE);
    let first = client.next();
    assert!(matches!(&first, Event::Frame(frame) if frame.kind == kind::SETTINGS), "{first:?}");
    client.finish_sending();
    while !matches!(client.next(), Event::Closed) {}
    assert_eq!(Client::connect(gateway.address).get("/9/1").status, 200);
}

/// Without `http2: true` a plain listener knows HTTP/1.1 alone.
#[test]
fn a_listener_that_does_not_offer_it_refuses_the_preface() {
    let upstream = patterns();
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    std::io::Write::write_all(&mut stream, PREFACE).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 505 ") || text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(upstream.requests().is_empty());
}
