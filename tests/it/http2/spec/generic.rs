//! h2spec's generic part: what every server has to accept.

use super::{Case, Start, case};
use crate::http2::{
    client::{PREFACE, RawClient},
    frame::{
        CANCEL, END_HEADERS, END_STREAM, EXCLUSIVE, NO_ERROR, WHOLE, continuation, data, goaway,
        headers, padded, ping, prioritized, priority, reset, setting, settings, window_update,
    },
    hpack::{Block, Coding, FIRST_DYNAMIC, Literal, USER_AGENT, block},
    target::{get, post, request},
    verdict::{Expect, wait_for_stream_end},
};

const ZEROS: [u8; 8] = [0; 8];
const PONG: Expect = Expect::Pong(ZEROS);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = streams();
    cases.extend(frames());
    cases.extend(priorities());
    cases.extend(connection_frames());
    cases.extend(exchanges());
    cases.extend(literals());
    cases
}

fn preface(client: &mut RawClient) -> Result<(), String> {
    client.send_bytes(PREFACE);
    client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)]));
    Ok(())
}

/// A whole GET on stream 1.
fn send_get(client: &mut RawClient) {
    client.send(&headers(1, WHOLE, get()));
}

/// The server may not end stream 1 before its window is opened.
fn hold_window_shut(client: &mut RawClient) {
    client.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
}

fn streams() -> Vec<Case> {
    vec![
        Case {
            section: "3.4",
            name: "Sends a client connection preface",
            expect: Expect::SettingsFirst,
            start: Start::Connected,
            send: preface,
        },
        case("5.1", "Sends a PRIORITY frame on idle stream", PONG, |client| {
            client.send(&priority(1, 0, 255));
            client.send(&ping(0, ZEROS));
            Ok(())
        }),
        case(
            "5.1",
            "Sends a WINDOW_UPDATE frame on half-closed (remote) stream",
            Expect::Content,
            |client| {
                hold_window_shut(client);
                send_get(client);
                client.send(&window_update(1, 1));
                Ok(())
            },
        ),
        case(
            "5.1",
            "Sends a PRIORITY frame on half-closed (remote) stream",
            Expect::Content,
            |client| {
                hold_window_shut(client);
                send_get(client);
                client.send(&priority(1, 0, 255));
                client.send(&window_update(1, 1));
                Ok(())
            },
        ),
        case(
            "5.1",
            "Sends a RST_STREAM frame on half-closed (remote) stream",
            Expect::PongOrClose(ZEROS),
            |client| {
                send_get(client);
                client.send(&reset(1, CANCEL));
                client.send(&ping(0, ZEROS));
                Ok(())
            },
        ),
        case("5.1", "Sends a PRIORITY frame on closed stream", PONG, |client| {
            send_get(client);
            wait_for_stream_end(client)?;
            client.send(&priority(1, 0, 255));
            client.send(&ping(0, ZEROS));
            Ok(())
        }),
    ]
}

fn frames() -> Vec<Case> {
    vec![
        case("6.10", "Sends a CONTINUATION frame", Expect::Answer, |client| {
            let whole = get();
            client.send(&headers(1, END_STREAM, &whole[..5]));
            client.send(&continuation(1, END_HEADERS, &whole[5..]));
            Ok(())
        }),
        case("6.10", "Sends multiple CONTINUATION frames", Expect::Answer, |client| {
            let whole = get();
            client.send(&headers(1, END_STREAM, &whole[..5]));
            client.send(&continuation(1, 0, &whole[5..10]));
            client.send(&continuation(1, END_HEADERS, &whole[10..]));
            Ok(())
        }),
        case("6.1", "Sends a DATA frame", Expect::Answer, |client| {
            client.send(&headers(1, END_HEADERS, post()));
            client.send(&data(1, END_STREAM, "test"));
            Ok(())
        }),
        case("6.1", "Sends multiple DATA frames", Expect::Answer, |client| {
            client.send(&headers(1, END_HEADERS, post()));
            client.send(&data(1, 0, "test"));
            client.send(&data(1, END_STREAM, "test"));
            Ok(())
        }),
        case("6.1", "Sends a DATA frame with padding", Expect::Answer, |client| {
            client.send(&headers(1, END_HEADERS, post()));
            client.send(&padded(data(1, END_STREAM, "test"), 6));
            Ok(())
        }),
        case("6.2", "Sends a HEADERS frame", Expect::Answer, |client| {
            send_get(client);
            Ok(())
        }),
        case("6.2", "Sends a HEADERS frame with padding", Expect::Answer, |client| {
            client.send(&padded(headers(1, WHOLE, get()), 8));
            Ok(())
        }),
        case("6.2", "Sends a HEADERS frame with priority", Expect::Answer, |client| {
            client.send(&prioritized(headers(1, WHOLE, get()), 0, 255));
            Ok(())
        }),
    ]
}

fn priorities() -> Vec<Case> {
    vec![
        case("6.3", "Sends a PRIORITY frame with priority 1", Expect::Answer, |client| {
            client.send(&priority(1, 0, 0));
            send_get(client);
            Ok(())
        }),
        case("6.3", "Sends a PRIORITY frame with priority 256", Expect::Answer, |client| {
            client.send(&priority(1, 0, 255));
            send_get(client);
            Ok(())
        }),
        case("6.3", "Sends a PRIORITY frame with stream dependency", Expect::Answer, |client| {
            client.send(&priority(3, 1, 0));
            send_get(client);
            Ok(())
        }),
        case("6.3", "Sends a PRIORITY frame with exclusive", Expect::Answer, |client| {
            client.send(&priority(1, EXCLUSIVE, 0));
            send_get(client);
            Ok(())
        }),
        case(
            "6.3",
            "Sends a PRIORITY frame for an idle stream, then send a HEADER frame for a lower stream ID",
            Expect::Answer,
            |client| {
                client.send(&priority(3, 0, 255));
                send_get(client);
                Ok(())
            },
        ),
        case("6.4", "Sends a RST_STREAM frame", Expect::PongOrClose(ZEROS), |client| {
            client.send(&headers(1, END_HEADERS, get()));
            client.send(&reset(1, CANCEL));
            client.send(&ping(0, ZEROS));
            Ok(())
        }),
    ]
}

fn connection_frames() -> Vec<Case> {
    vec![
        case("6.5", "Sends a SETTINGS frame", Expect::SettingsAck, |client| {
            client.send(&settings(&[
                (setting::HEADER_TABLE_SIZE, 4_096),
                (setting::ENABLE_PUSH, 0),
                (setting::MAX_CONCURRENT_STREAMS, 100),
                (setting::INITIAL_WINDOW_SIZE, 65_535),
                (setting::MAX_FRAME_SIZE, 16_384),
            ]));
            Ok(())
        }),
        case("6.7", "Sends a PING frame", Expect::Pong(*b"ringway\0"), |client| {
            client.send(&ping(0, *b"ringway\0"));
            Ok(())
        }),
        case("6.8", "Sends a GOAWAY frame", Expect::PongOrClose(*b"ringway\0"), |client| {
            client.send(&goaway(0, NO_ERROR, "bye"));
            client.send(&ping(0, *b"ringway\0"));
            Ok(())
        }),
        case("6.9", "Sends a WINDOW_UPDATE frame with stream ID 0", PONG, |client| {
            client.send(&window_update(0, 1));
            client.send(&ping(0, ZEROS));
            Ok(())
        }),
        case("6.9", "Sends a WINDOW_UPDATE frame with stream ID 1", Expect::Answer, |client| {
            send_get(client);
            client.send(&window_update(1, 1));
            Ok(())
        }),
    ]
}

fn exchanges() -> Vec<Case> {
    vec![
        case("8.1", "Sends a GET request", Expect::Answer, |client| {
            send_get(client);
            Ok(())
        }),
        case("8.1", "Sends a HEAD request", Expect::Answer, |client| {
            client.send(&headers(1, WHOLE, block(&request("HEAD", "/"))));
            Ok(())
        }),
        case("8.1", "Sends a POST request", Expect::Answer, |client| {
            client.send(&headers(1, END_HEADERS, post()));
            client.send(&data(1, END_STREAM, "test"));
            Ok(())
        }),
        case("8.1", "Sends a POST request with trailers", Expect::Answer, |client| {
            let mut fields = request("POST", "/");
            fields.push(("trailer", "x-test"));
            client.send(&headers(1, END_HEADERS, block(&fields)));
            client.send(&data(1, 0, "test"));
            client.send(&headers(1, WHOLE, block(&[("x-test", "ok")])));
            Ok(())
        }),
    ]
}

/// A GET whose last field is represented as the case says.
fn send_with(client: &mut RawClient, last: impl FnOnce(Block) -> Block) -> Result<(), String> {
    let whole = last(Block::new().raw(&get())).into_bytes();
    client.send(&headers(1, WHOLE, whole));
    Ok(())
}

fn user_agent(client: &mut RawClient, literal: Literal, coding: Coding) -> Result<(), String> {
    send_with(client, |block| block.literal_of(literal, coding, USER_AGENT, b"ringway"))
}

fn new_name(client: &mut RawClient, literal: Literal, coding: Coding) -> Result<(), String> {
    send_with(client, |block| block.literal(literal, coding, b"x-test", b"ringway"))
}

/// Section of RFC 7541, name, how.
type Representation = (&'static str, &'static str, super::Send);

const REPRESENTATIONS: &[Representation] = &[
    ("6.1", "Sends a indexed header field representation", |client| {
        send_with(client, |block| block.indexed(USER_AGENT))
    }),
    ("6.2.1", "Sends a literal header field with incremental indexing - indexed name", |client| {
        user_agent(client, Literal::Indexed, Coding::Plain)
    }),
    (
        "6.2.1",
        "Sends a literal header field with incremental indexing - indexed name (with Huffman coding)",
        |client| user_agent(client, Literal::Indexed, Coding::Huffman),
    ),
    ("6.2.1", "Sends a literal header field with incremental indexing - new name", |client| {
        send_with(client, |block| {
            let block = block.literal(Literal::Indexed, Coding::Plain, b"x-test", b"ringway");
            // The entry has to be there.
            block.indexed(FIRST_DYNAMIC)
        })
    }),
    (
        "6.2.1",
        "Sends a literal header field with incremental indexing - new name (with Huffman coding)",
        |client| new_name(client, Literal::Indexed, Coding::Huffman),
    ),
    ("6.2.2", "Sends a literal header field without indexing - indexed name", |client| {
        user_agent(client, Literal::NotIndexed, Coding::Plain)
    }),
    (
        "6.2.2",
        "Sends a literal header field without indexing - indexed name (with Huffman coding)",
        |client| user_agent(client, Literal::NotIndexed, Coding::Huffman),
    ),
    ("6.2.2", "Sends a literal header field without indexing - new name", |client| {
        new_name(client, Literal::NotIndexed, Coding::Plain)
    }),
    (
        "6.2.2",
        "Sends a literal header field without indexing - new name (huffman encoded)",
        |client| new_name(client, Literal::NotIndexed, Coding::Huffman),
    ),
    ("6.2.3", "Sends a literal header field never indexed - indexed name", |client| {
        user_agent(client, Literal::NeverIndexed, Coding::Plain)
    }),
    (
        "6.2.3",
        "Sends a literal header field never indexed - indexed name (huffman encoded)",
        |client| user_agent(client, Literal::NeverIndexed, Coding::Huffman),
    ),
    ("6.2.3", "Sends a literal header field never indexed - new name", |client| {
        new_name(client, Literal::NeverIndexed, Coding::Plain)
    }),
    (
        "6.2.3",
        "Sends a literal header field never indexed - new name (huffman encoded)",
        |client| new_name(client, Literal::NeverIndexed, Coding::Huffman),
    ),
    ("6.3", "Sends a dynamic table size update", |client| {
        let whole = Block::new().table_size(0).raw(&get()).into_bytes();
        client.send(&headers(1, WHOLE, whole));
        Ok(())
    }),
    ("4.2", "Sends multiple dynamic table size update", |client| {
        let whole = Block::new().table_size(0).table_size(4_096).raw(&get()).into_bytes();
        client.send(&headers(1, WHOLE, whole));
        Ok(())
    }),
];

fn literals() -> Vec<Case> {
    let row = |row: &Representation| case(row.0, row.1, Expect::Answer, row.2);
    REPRESENTATIONS.iter().map(row).collect()
}
