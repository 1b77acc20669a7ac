//! What reading and writing heads costs, beside httparse alone.
//!
//! `cargo bench --bench http1` prints nanoseconds. Instructions, which do not depend on what else
//! the machine does (N is the round count; see `main`):
//! `valgrind --tool=callgrind --toggle-collect='http1::CASE' BENCH CASE N`.

use std::{env, hint::black_box, mem::MaybeUninit, rc::Rc, time::Instant};

use ringway::{
    base::{Buffer, Pool, Shelf},
    http::{self, HeadSink, Method, Name, RequestHead, ResponseHead, Status, is_hop_by_hop},
    wire::http1::{
        ChunkEvent, ChunkedDecoder, HeadLimits, HeadWriter, Progress, RequestScan, ResponseScan,
        parse_request, parse_response,
    },
};

const CURL: &str = "GET /pets/42?limit=10 HTTP/1.1\r\nHost: api.example.com\r\n\
    User-Agent: curl/8.5.0\r\nAccept: */*\r\nX-Request: 1\r\n\r\n";

const BROWSER: &str = "GET /pets?limit=10&page=2 HTTP/1.1\r\nHost: api.example.com\r\n\
    Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/124.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;\
    q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n\
    Sec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef; theme=dark\r\n\r\n";

const ANSWER: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 23 Nov 2026 06:00:00 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 27\r\nConnection: keep-alive\r\n\r\n";

const CHUNKED: &str = "1000\r\n";

/// What the cases work on, made once.
struct Bench {
    curl: Buffer,
    browser: Buffer,
    answer: Buffer,
    chunked: Vec<u8>,
    requests: Pool<RequestHead>,
    answers: Pool<ResponseHead>,
    text: Vec<u8>,
    _shelf: Rc<Shelf>,
}

type Case = (&'static str, fn(&mut Bench));

const CASES: [Case; 10] = [
    ("httparse_curl", httparse_curl),
    ("request_curl", request_curl),
    ("httparse_browser", httparse_browser),
    ("request_browser", request_browser),
    ("request_bytewise", request_bytewise),
    ("httparse_answer", httparse_answer),
    ("answer", answer),
    ("forward_curl", forward_curl),
    ("write_answer", write_answer),
    ("chunked", chunked),
];

/// `[CASE [ROUNDS]]`; without a case all of them, briefly unless cargo says `--bench`.
fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let is_bench = words.iter().any(|word| word == "--bench");
    let mut words = words.into_iter().filter(|word| !word.starts_with('-'));
    let only = words.next();
    let rounds = words.next().and_then(|word| word.parse().ok());
    let rounds: u32 = rounds.unwrap_or(if is_bench { 1_000_000 } else { 100 });
    let shelf = Shelf::new(4096, 8);
    let gather = |text: &str| shelf.gather(&[text.as_bytes()]).expect("fits");
    let mut bench = Bench {
        curl: gather(CURL),
        browser: gather(BROWSER),
        answer: gather(ANSWER),
        chunked: [CHUNKED.as_bytes(), &[b'x'; 4096], b"\r\n0\r\n\r\n"].concat(),
        requests: RequestHead::pool(4),
        answers: ResponseHead::pool(4),
        text: Vec::with_capacity(4096),
        _shelf: Rc::clone(&shelf),
    };
    for (name, run) in CASES {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let began = now();
        for _ in 0..rounds {
            run(&mut bench);
        }
        let nanoseconds = began.elapsed().as_nanos() / u128::from(rounds);
        eprintln!("{name:20} {nanoseconds:6} ns");
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[inline(never)]
fn httparse_curl(bench: &mut Bench) {
    httparse_request(&bench.curl);
}

#[inline(never)]
fn httparse_browser(bench: &mut Bench) {
    httparse_request(&bench.browser);
}

fn httparse_request(bytes: &[u8]) {
    let mut slots = [const { MaybeUninit::uninit() }; 100];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(black_box(bytes), &mut slots);
    assert!(parsed.is_ok_and(|status| status.is_complete()));
    black_box(request.headers.len());
}

#[inline(never)]
fn httparse_answer(bench: &mut Bench) {
    let mut slots = [const { MaybeUninit::uninit() }; 100];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        black_box(&bench.answer),
        &mut slots,
    );
    assert!(parsed.is_ok_and(|status| status.is_complete()));
}

#[inline(never)]
fn request_curl(bench: &mut Bench) {
    request(&bench.curl, &bench.requests);
}

#[inline(never)]
fn request_browser(bench: &mut Bench) {
    request(&bench.browser, &bench.requests);
}

fn request(buffer: &Buffer, pool: &Pool<RequestHead>) {
    let mut scan = RequestScan::default();
    let parsed = parse_request(black_box(buffer), &mut scan, pool.take(), &HeadLimits::REQUEST);
    let Ok(Progress::Complete { head, .. }) = parsed else { panic!("a whole head") };
    black_box(&head);
}

/// The slow client: one more byte per call.
#[inline(never)]
fn request_bytewise(bench: &mut Bench) {
    let mut scan = RequestScan::default();
    for end in 1..=bench.curl.len() {
        let mut part = bench.curl.clone();
        part.truncate(end);
        let parsed = parse_request(&part, &mut scan, bench.requests.take(), &HeadLimits::REQUEST);
        assert!(parsed.is_ok());
        let _ = black_box(parsed);
    }
}

#[inline(never)]
fn answer(bench: &mut Bench) {
    let mut scan = ResponseScan::default();
    let fields = bench.answers.take();
    let parsed = parse_response(black_box(&bench.answer), &mut scan, fields, &HeadLimits::RESPONSE);
    let Ok(Progress::Complete { head, .. }) = parsed else { panic!("a whole head") };
    black_box(&head);
}

/// Parse and write on, as a proxy does.
#[inline(never)]
fn forward_curl(bench: &mut Bench) {
    let mut scan = RequestScan::default();
    let fields = bench.requests.take();
    let parsed = parse_request(black_box(&bench.curl), &mut scan, fields, &HeadLimits::REQUEST);
    let Ok(Progress::Complete { head, .. }) = parsed else { panic!("a whole head") };
    bench.text.clear();
    let mut writer = HeadWriter::new(&mut bench.text);
    writer.request_line(Method::Get, head.target().path);
    writer.field(b"Host", &[b"127.0.0.1:9000"]);
    writer.forward(&head.bytes, &head.fields, http::Case::AsSent, |name, _| {
        !is_hop_by_hop(name) && name != Name::Host
    });
    writer.field(b"X-Forwarded-For", &[b"192.0.2.1"]);
    writer.field(b"X-Forwarded-Proto", &[b"http"]);
    black_box(writer.end());
}

#[inline(never)]
fn write_answer(bench: &mut Bench) {
    bench.text.clear();
    let mut writer = HeadWriter::new(&mut bench.text);
    writer.status_line(black_box(Status::OK));
    writer.field(b"Content-Type", &[b"application/json"]);
    writer.field(b"apigw-requestid", &[b"KfGc9iQ5IAMEVvw="]);
    writer.field(b"Date", &[b"Mon, 23 Nov 2026 06:00:00 GMT"]);
    writer.number(b"Content-Length", 27);
    black_box(writer.end());
}

/// One chunk of 4 KiB and the end.
#[inline(never)]
fn chunked(bench: &mut Bench) {
    let mut decoder = ChunkedDecoder::new();
    let mut rest = black_box(bench.chunked.as_slice());
    loop {
        match decoder.decode(rest) {
            Ok(ChunkEvent::Data { consumed, .. } | ChunkEvent::More { consumed }) => {
                rest = &rest[consumed..];
            }
            Ok(ChunkEvent::End { .. }) => break,
            Err(fault) => panic!("{fault}"),
        }
    }
}
