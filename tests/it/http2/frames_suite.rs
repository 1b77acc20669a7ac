//! The frames of the public http2-frame-test-case suite, as bytes at the gateway: what each means,
//! or which error it is, as far as a server shows it.
//!
//! The suite is made for parsers. A server has states too, so a frame on stream 1 comes behind the
//! head of a request, and some frames that are well-formed are errors in a server's hands.

use std::{fs, path::PathBuf, thread};

use serde_json::Value;

use crate::harness::suite;

use super::{
    client::RawClient,
    frame::{
        ACK, COMPRESSION_ERROR, Code, END_HEADERS, FRAME_SIZE_ERROR, Frame, headers, kind, ping,
    },
    target::{Target, post},
    verdict::{Expect, MALFORMED, PROTOCOL, judge},
};

const PROBE: [u8; 8] = *b"ringway\0";
const IGNORED: Expect = Expect::Pong(PROBE);
const WRONG_SIZE: Expect = Expect::ConnectionError(&[FRAME_SIZE_ERROR]);
const UNREADABLE: Expect = Expect::ConnectionError(&[COMPRESSION_ERROR]);

/// File, what the gateway does, and why where the suite has no error.
const FRAMES: &[(&str, Expect, &str)] = &[
    ("continuation/header", PROTOCOL, "it continues nothing (RFC 9113 6.10)"),
    ("continuation/normal", PROTOCOL, "it continues nothing (RFC 9113 6.10)"),
    ("data/normal", PROTOCOL, "stream 2 is idle, and ours to open (RFC 9113 5.1)"),
    ("error/data-frame-padding", PROTOCOL, ""),
    ("error/data-frame-size", WRONG_SIZE, ""),
    ("error/data-frame-stream", PROTOCOL, ""),
    ("error/goaway-frame-size", WRONG_SIZE, ""),
    ("error/goaway-frame-stream", PROTOCOL, ""),
    ("error/headers-frame-padding", PROTOCOL, ""),
    ("error/headers-frame-stream", PROTOCOL, ""),
    ("error/ping-frame-size", WRONG_SIZE, ""),
    ("error/ping-frame-stream", PROTOCOL, ""),
    ("error/priority-frame-size", Expect::StreamError(&[FRAME_SIZE_ERROR]), ""),
    ("error/priority-frame-stream", PROTOCOL, ""),
    ("error/push_promise-frame-padding", PROTOCOL, ""),
    ("error/push_promise-frame-promised_stream-odd", PROTOCOL, ""),
    ("error/push_promise-frame-promised_stream-zero", PROTOCOL, ""),
    ("error/push_promise-frame-stream", PROTOCOL, ""),
    ("error/rst_stream-frame-size", WRONG_SIZE, ""),
    ("error/rst_stream-frame-stream", PROTOCOL, ""),
    ("error/settings-frame-ack-size", WRONG_SIZE, ""),
    ("error/settings-frame-size", WRONG_SIZE, ""),
    ("error/settings-frame-stream", PROTOCOL, ""),
    ("error/window_update-frame-increment", MALFORMED, ""),
    ("error/window_update-frame-size", WRONG_SIZE, ""),
    ("goaway/normal", Expect::PongOrClose(PROBE), "a client that leaves (RFC 9113 6.8)"),
    ("headers/normal", UNREADABLE, "its block says 'this is dummy'"),
    ("headers/priority", UNREADABLE, "its block says 'this is dummy'"),
    ("ping/normal", Expect::Pong(*b"deadbeef"), "answered (RFC 9113 6.7)"),
    ("priority/normal", IGNORED, "taken in any state (RFC 9113 6.3)"),
    ("push_promise/normal", PROTOCOL, "a client cannot push (RFC 9113 8.4)"),
    ("rst_stream/normal", PROTOCOL, "stream 5 is idle (RFC 9113 6.4)"),
    ("settings/normal", Expect::SettingsAck, "acknowledged (RFC 9113 6.5.3)"),
    ("window_update/normal", PROTOCOL, "stream 50 is idle (RFC 9113 5.1)"),
];

/// One file of the suite.
struct Sample {
    name: String,
    wire: Vec<u8>,
    /// None where the wire is an error.
    frame: Option<Value>,
    errors: Vec<Code>,
}

#[test]
fn every_frame_of_the_suite() {
    let Some(samples) = read_suite() else { return };
    let ours: Vec<&str> = FRAMES.iter().map(|(name, ..)| *name).collect();
    let theirs: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(ours, theirs, "a row for each file, in order");
    let target = Target::start();
    let failures: Vec<String> = thread::scope(|scope| {
        let started: Vec<_> = FRAMES
            .iter()
            .zip(&samples)
            .map(|(row, sample)| scope.spawn(|| check(&target, row, sample)))
            .collect();
        started.into_iter().filter_map(|one| one.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "{} frames:\n\n{}", failures.len(), failures.join("\n\n"));
}

fn check(target: &Target, row: &(&str, Expect, &str), sample: &Sample) -> Result<(), String> {
    let (name, expect, reason) = row;
    if let Some(frame) = &sample.frame {
        check_header(name, &sample.wire, frame);
        assert!(!reason.is_empty(), "{name}: what does the gateway make of it?");
    } else {
        let is_one = expect.codes().iter().any(|code| sample.errors.contains(code));
        assert!(is_one, "{name}: the suite has {:?}", sample.errors);
    }
    let mut client = RawClient::connect(target.address);
    let outcome = client.shake_hands().and_then(|()| {
        let on_stream_1 = sample.wire[5..9] == [0, 0, 0, 1];
        let opens_it = sample.wire[3] == kind::HEADERS;
        if on_stream_1 && !opens_it && sample.wire[3] != kind::PUSH_PROMISE {
            client.send(&headers(1, END_HEADERS, post()));
        }
        client.send_bytes(&sample.wire);
        if matches!(expect, Expect::Pong(PROBE) | Expect::PongOrClose(_)) {
            client.send(&ping(0, PROBE));
        }
        judge(&mut client, expect)
    });
    match outcome {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("{name}\n    {why}; expected {expect:?}\n    {}", client.story())),
    }
}

/// Our own reader of frames agrees with the suite's.
fn check_header(name: &str, wire: &[u8], expected: &Value) {
    let mut bytes = wire.to_vec();
    let frame = Frame::take(&mut bytes).unwrap();
    assert!(bytes.is_empty() && frame.to_bytes() == wire, "{name}");
    let number = |key: &str| expected[key].as_u64().unwrap();
    assert_eq!(number("length"), frame.payload.len() as u64, "{name}");
    assert_eq!(number("type"), u64::from(frame.kind), "{name}");
    assert_eq!(number("flags"), u64::from(frame.flags), "{name}");
    assert_eq!(number("stream_identifier"), u64::from(frame.stream), "{name}");
    let payload = &expected["frame_payload"];
    let text = |key: &str| payload[key].as_str().map(str::as_bytes);
    for content in ["data", "header_block_fragment"].into_iter().filter_map(text) {
        if frame.kind != kind::PUSH_PROMISE {
            assert_eq!(frame.content(), content, "{name}");
        }
    }
    if let Some(code) = payload["error_code"].as_u64() {
        assert_eq!(frame.code().map(u64::from), Some(code), "{name}");
    }
    assert!(frame.kind != kind::SETTINGS || frame.settings().eq([(1, 8_192), (3, 5_000)]));
    assert!(frame.kind != kind::PING || !frame.has(ACK), "{name}");
}

fn read_suite() -> Option<Vec<Sample>> {
    let root = suite("http2-frames")?;
    let entries = |path: &PathBuf| {
        let listed = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        listed.collect::<Vec<_>>()
    };
    let folders = entries(&root).into_iter().filter(|path| path.is_dir());
    let is_json = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "json");
    let files = folders.flat_map(|folder| entries(&folder));
    let mut samples: Vec<Sample> = files.filter(is_json).map(|path| read(&root, &path)).collect();
    samples.sort_by(|one, other| one.name.cmp(&other.name));
    Some(samples)
}

fn read(root: &PathBuf, path: &PathBuf) -> Sample {
    let text = fs::read_to_string(path).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let wire = json["wire"].as_str().unwrap().as_bytes();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let wire = wire.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    let code = |value: &Value| Code::try_from(value.as_u64().unwrap()).unwrap();
    let name = path.strip_prefix(root).unwrap().with_extension("").display().to_string();
    Sample {
        name,
        wire,
        frame: Some(json["frame"].clone()).filter(|frame| !frame.is_null()),
        errors: json["error"].as_array().into_iter().flatten().map(code).collect(),
    }
}
