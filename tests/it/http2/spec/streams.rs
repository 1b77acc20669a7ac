//! h2spec's sections 3 to 5 (RFC 9113 3 to 5): the preface, frames as such, the states of streams.

use super::{Case, before_preface, case};
use crate::http2::{
    client::{PREFACE, RawClient},
    frame::{
        CANCEL, COMPRESSION_ERROR, END_HEADERS, END_STREAM, FRAME_SIZE_ERROR, Frame,
        PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, WHOLE, continuation, data, headers, kind,
        ping, prioritized, priority, reset, setting, settings, window_update,
    },
    hpack::{Block, block},
    target::{get, post},
    verdict::{Expect, PROTOCOL, wait_for_stream_end},
};

const ZEROS: [u8; 8] = [0; 8];
const CLOSED_STREAM: Expect = Expect::StreamError(&[STREAM_CLOSED]);
/// A CONTINUATION frame that continues nothing is a fault of its own (RFC 9113 6.10).
const CLOSED_OR_PROTOCOL: Expect = Expect::StreamError(&[STREAM_CLOSED, PROTOCOL_ERROR]);
/// No type of RFC 9113.
const UNKNOWN: u8 = 0x16;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = preface_and_frames();
    cases.extend(sizes());
    cases.extend(header_blocks());
    cases.extend(identifiers());
    cases.extend(idle());
    cases.extend(half_closed());
    cases.extend(closed_by_reset());
    cases.extend(closed());
    cases.extend(dependencies_and_errors());
    cases
}

/// One field of 4,000 bytes.
pub(super) fn dummy() -> Vec<u8> {
    block(&[("x-dummy0", "x".repeat(4_000))])
}

/// The largest payload that the server takes, where there can be larger ones.
fn frame_bytes_max(client: &RawClient) -> Result<usize, String> {
    let bytes = client.settings.get(&setting::MAX_FRAME_SIZE).map_or(16_384, |&bytes| bytes);
    if bytes < 1 << 23 { Ok(bytes as usize) } else { Err("frames of any length".to_owned()) }
}

fn preface_and_frames() -> Vec<Case> {
    vec![
        before_preface("3.4", "Sends client connection preface", Expect::SettingsFirst, |client| {
            client.send_bytes(PREFACE);
            client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)]));
            Ok(())
        }),
        before_preface("3.4", "Sends invalid connection preface", Expect::CloseUnread, |client| {
            client.send_bytes(b"INVALID CONNECTION PREFACE\r\n\r\n");
            Ok(())
        }),
        case("4.1", "Sends a frame with unknown type", Expect::Pong(ZEROS), |client| {
            client.send(&Frame::new(UNKNOWN, 0, 0, ZEROS));
            client.send(&ping(0, ZEROS));
            Ok(())
        }),
        case("4.1", "Sends a frame with undefined flag", Expect::Pong(ZEROS), |client| {
            client.send(&ping(0x16, ZEROS));
            Ok(())
        }),
        case("4.1", "Sends a frame with reserved field bit", Expect::Pong(ZEROS), |client| {
            client.send(&Frame::new(kind::PING, 0x16, 1 << 31, ZEROS));
            Ok(())
        }),
    ]
}

fn sizes() -> Vec<Case> {
    vec![
        case("4.2", "Sends a DATA frame with 2^14 octets in length", Expect::Answer, |client| {
            client.send(&headers(1, END_HEADERS, post()));
            client.send(&data(1, END_STREAM, vec![b'x'; 1 << 14]));
            Ok(())
        }),
        case(
            "4.2",
            "Sends a large size DATA frame that exceeds the SETTINGS_MAX_FRAME_SIZE",
            Expect::StreamError(&[FRAME_SIZE_ERROR]),
            |client| {
                let content = vec![b'x'; frame_bytes_max(client)? + 1];
                client.send(&headers(1, END_HEADERS, post()));
                client.send(&data(1, END_STREAM, content));
                Ok(())
            },
        ),
        case(
            "4.2",
            "Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE",
            Expect::ConnectionError(&[FRAME_SIZE_ERROR]),
            |client| {
                let mut whole = get();
                while whole.len() <= frame_bytes_max(client)? {
                    whole.extend(dummy());
                }
                client.send(&headers(1, WHOLE, whole));
                Ok(())
            },
        ),
    ]
}

fn header_blocks() -> Vec<Case> {
    vec![
        case(
            "4.3",
            "Sends invalid header block fragment",
            Expect::ConnectionError(&[COMPRESSION_ERROR]),
            |client| {
                // A literal that ends before its name.
                client.send(&headers(1, WHOLE, [0x40]));
                Ok(())
            },
        ),
        case("4.3", "Sends a PRIORITY frame while sending the header blocks", PROTOCOL, |client| {
            client.send(&headers(1, 0, get()));
            client.send(&priority(1, 0, 255));
            client.send(&continuation(1, END_HEADERS, dummy()));
            Ok(())
        }),
        case(
            "4.3",
            "Sends a HEADERS frame to another stream while sending the header blocks",
            PROTOCOL,
            |client| {
                client.send(&headers(1, 0, get()));
                client.send(&headers(3, WHOLE, get()));
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
    ]
}

fn identifiers() -> Vec<Case> {
    vec![
        case("5.1.1", "Sends even-numbered stream identifier", PROTOCOL, |client| {
            client.send(&headers(2, WHOLE, get()));
            Ok(())
        }),
        case(
            "5.1.1",
            "Sends stream identifier that is numerically smaller than previous",
            PROTOCOL,
            |client| {
                client.send(&headers(5, WHOLE, get()));
                client.send(&headers(3, WHOLE, get()));
                Ok(())
            },
        ),
        case(
            "5.1.2",
            "Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded",
            Expect::StreamError(&[PROTOCOL_ERROR, REFUSED_STREAM]),
            |client| {
                let announced = client.settings.get(&setting::MAX_CONCURRENT_STREAMS);
                let streams = *announced.ok_or("no SETTINGS_MAX_CONCURRENT_STREAMS came")?;
                // No stream ends before its window is opened.
                client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
                for number in 0..=streams {
                    client.send(&headers(1 + 2 * number, WHOLE, get()));
                }
                Ok(())
            },
        ),
    ]
}

fn idle() -> Vec<Case> {
    vec![
        case("5.1", "idle: Sends a DATA frame", PROTOCOL, |client| {
            client.send(&data(1, END_STREAM, "test"));
            Ok(())
        }),
        case("5.1", "idle: Sends a RST_STREAM frame", PROTOCOL, |client| {
            client.send(&reset(1, CANCEL));
            Ok(())
        }),
        case("5.1", "idle: Sends a WINDOW_UPDATE frame", PROTOCOL, |client| {
            client.send(&window_update(1, 100));
            Ok(())
        }),
        case("5.1", "idle: Sends a CONTINUATION frame", PROTOCOL, |client| {
            client.send(&continuation(1, END_HEADERS, get()));
            Ok(())
        }),
    ]
}

fn half_closed() -> Vec<Case> {
    vec![
        case("5.1", "half closed (remote): Sends a DATA frame", CLOSED_STREAM, |client| {
            client.send_all(&[headers(1, WHOLE, get()), data(1, END_STREAM, "test")]);
            Ok(())
        }),
        case("5.1", "half closed (remote): Sends a HEADERS frame", CLOSED_STREAM, |client| {
            client.send_all(&[headers(1, WHOLE, get()), headers(1, WHOLE, get())]);
            Ok(())
        }),
        case(
            "5.1",
            "half closed (remote): Sends a CONTINUATION frame",
            CLOSED_OR_PROTOCOL,
            |client| {
                client.send_all(&[headers(1, WHOLE, get()), continuation(1, END_HEADERS, get())]);
                Ok(())
            },
        ),
    ]
}

/// A request that its client gave up.
fn send_reset_request(client: &mut RawClient) {
    client.send(&headers(1, END_HEADERS, get()));
    client.send(&reset(1, CANCEL));
}

fn closed_by_reset() -> Vec<Case> {
    vec![
        case(
            "5.1",
            "closed: Sends a DATA frame after sending RST_STREAM frame",
            CLOSED_STREAM,
            |client| {
                send_reset_request(client);
                client.send(&data(1, END_STREAM, "test"));
                Ok(())
            },
        ),
        case(
            "5.1",
            "closed: Sends a HEADERS frame after sending RST_STREAM frame",
            CLOSED_STREAM,
            |client| {
                send_reset_request(client);
                client.send(&headers(1, WHOLE, get()));
                Ok(())
            },
        ),
        case(
            "5.1",
            "closed: Sends a CONTINUATION frame after sending RST_STREAM frame",
            CLOSED_OR_PROTOCOL,
            |client| {
                send_reset_request(client);
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
    ]
}

/// A request whose answer has ended too.
fn send_answered_request(client: &mut RawClient) -> Result<(), String> {
    client.send(&headers(1, WHOLE, get()));
    wait_for_stream_end(client)
}

fn closed() -> Vec<Case> {
    vec![
        case("5.1", "closed: Sends a DATA frame", CLOSED_STREAM, |client| {
            send_answered_request(client)?;
            client.send(&data(1, END_STREAM, "test"));
            Ok(())
        }),
        case(
            "5.1",
            "closed: Sends a HEADERS frame",
            Expect::ConnectionError(&[STREAM_CLOSED]),
            |client| {
                send_answered_request(client)?;
                client.send(&headers(1, WHOLE, get()));
                Ok(())
            },
        ),
        case(
            "5.1",
            "closed: Sends a CONTINUATION frame",
            Expect::ConnectionError(&[STREAM_CLOSED, PROTOCOL_ERROR]),
            |client| {
                send_answered_request(client)?;
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
    ]
}

fn dependencies_and_errors() -> Vec<Case> {
    vec![
        case(
            "5.3.1",
            "Sends HEADERS frame that depends on itself",
            Expect::StreamError(&[PROTOCOL_ERROR]),
            |client| {
                client.send(&prioritized(headers(1, WHOLE, get()), 1, 255));
                Ok(())
            },
        ),
        case(
            "5.3.1",
            "Sends PRIORITY frame that depend on itself",
            Expect::StreamError(&[PROTOCOL_ERROR]),
            |client| {
                client.send(&priority(1, 1, 255));
                Ok(())
            },
        ),
        case(
            "5.4.1",
            "Sends an invalid PING frame for connection close",
            Expect::Close,
            |client| {
                client.send(&Frame::new(kind::PING, 0, 3, ZEROS));
                Ok(())
            },
        ),
        case("5.4.1", "Sends an invalid PING frame to receive GOAWAY frame", PROTOCOL, |client| {
            client.send(&Frame::new(kind::PING, 0, 3, ZEROS));
            Ok(())
        }),
        case("5.5", "Sends an unknown extension frame", Expect::Pong(ZEROS), |client| {
            client.send(&Frame::new(UNKNOWN, 0, 0, ZEROS));
            client.send(&ping(0, ZEROS));
            Ok(())
        }),
        case(
            "5.5",
            "Sends an unknown extension frame in the middle of a header block",
            PROTOCOL,
            |client| {
                let start = Block::new().raw(&get()).field("x-test", "ok").into_bytes();
                client.send(&headers(1, END_STREAM, start));
                client.send(&Frame::new(UNKNOWN, 0, 0, ZEROS));
                Ok(())
            },
        ),
    ]
}
