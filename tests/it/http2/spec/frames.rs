//! h2spec's section 6 (RFC 9113 6): each type of frame, and what is wrong with it.

use super::{Case, case, streams::dummy};
use crate::http2::{
    client::RawClient,
    frame::{
        ACK, CANCEL, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, Frame, PADDED,
        PROTOCOL_ERROR, STREAM_CLOSED, WHOLE, continuation, data, headers, kind, ping, priority,
        reset, setting, settings, window_update,
    },
    hpack::block,
    target::{get, post, request},
    verdict::{Expect, PROTOCOL},
};

const WRONG_SIZE: Expect = Expect::ConnectionError(&[FRAME_SIZE_ERROR]);
const WRONG_SIZE_OF_STREAM: Expect = Expect::StreamError(&[FRAME_SIZE_ERROR]);
const OVER_THE_WINDOW: Expect = Expect::ConnectionError(&[FLOW_CONTROL_ERROR]);
const ZEROS: [u8; 8] = [0; 8];
const WINDOW_MAX: u32 = (1 << 31) - 1;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = continuations();
    cases.extend(data_frames());
    cases.extend(headers_frames());
    cases.extend(priority_and_reset());
    cases.extend(defined_settings());
    cases.extend(settings_frames());
    cases.extend(ping_and_goaway());
    cases.extend(windows());
    cases.extend(initial_windows());
    cases.extend(window_updates());
    cases
}

fn continuations() -> Vec<Case> {
    vec![
        case(
            "6.10",
            "Sends multiple CONTINUATION frames preceded by a HEADERS frame",
            Expect::Answer,
            |client| {
                client.send(&headers(1, END_STREAM, get()));
                client.send(&continuation(1, 0, dummy()));
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
        case(
            "6.10",
            "Sends a CONTINUATION frame followed by any frame other than CONTINUATION",
            PROTOCOL,
            |client| {
                client.send(&headers(1, 0, post()));
                client.send(&continuation(1, 0, dummy()));
                client.send(&data(1, END_STREAM, "test"));
                Ok(())
            },
        ),
        case("6.10", "Sends a CONTINUATION frame with 0x0 stream identifier", PROTOCOL, |client| {
            client.send(&headers(1, END_STREAM, get()));
            client.send(&continuation(0, END_HEADERS, dummy()));
            Ok(())
        }),
        case(
            "6.10",
            "Sends a CONTINUATION frame preceded by a HEADERS frame with END_HEADERS flag",
            PROTOCOL,
            |client| {
                client.send(&headers(1, WHOLE, get()));
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
        case(
            "6.10",
            "Sends a CONTINUATION frame preceded by a CONTINUATION frame with END_HEADERS flag",
            PROTOCOL,
            |client| {
                client.send(&headers(1, END_STREAM, get()));
                client.send(&continuation(1, END_HEADERS, dummy()));
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
        case("6.10", "Sends a CONTINUATION frame preceded by a DATA frame", PROTOCOL, |client| {
            client.send(&headers(1, END_HEADERS, post()));
            client.send(&data(1, 0, "test"));
            client.send(&continuation(1, END_HEADERS, dummy()));
            Ok(())
        }),
    ]
}

fn data_frames() -> Vec<Case> {
    vec![
        case("6.1", "Sends a DATA frame with 0x0 stream identifier", PROTOCOL, |client| {
            client.send(&data(0, END_STREAM, "test"));
            Ok(())
        }),
        case(
            "6.1",
            r#"Sends a DATA frame on the stream that is not in \"open\" or \"half-closed (local)\" state"#,
            Expect::StreamError(&[STREAM_CLOSED]),
            |client| {
                client.send_all(&[headers(1, WHOLE, post()), data(1, END_STREAM, "test")]);
                Ok(())
            },
        ),
        case("6.1", "Sends a DATA frame with invalid pad length", PROTOCOL, |client| {
            let mut fields = request("POST", "/");
            fields.push(("content-length", "4"));
            client.send(&headers(1, END_HEADERS, block(&fields)));
            client.send(&Frame::new(kind::DATA, PADDED | END_STREAM, 1, *b"\x06test"));
            Ok(())
        }),
    ]
}

fn headers_frames() -> Vec<Case> {
    vec![
        case(
            "6.2",
            "Sends a HEADERS frame without the END_HEADERS flag, and a PRIORITY frame",
            PROTOCOL,
            |client| {
                client.send(&headers(1, 0, get()));
                client.send(&priority(1, 0, 255));
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
        case(
            "6.2",
            "Sends a HEADERS frame to another stream while sending a HEADERS frame",
            PROTOCOL,
            |client| {
                client.send(&headers(1, 0, get()));
                client.send(&headers(3, WHOLE, get()));
                client.send(&continuation(1, END_HEADERS, dummy()));
                Ok(())
            },
        ),
        case("6.2", "Sends a HEADERS frame with 0x0 stream identifier", PROTOCOL, |client| {
            client.send(&headers(0, WHOLE, get()));
            Ok(())
        }),
        case("6.2", "Sends a HEADERS frame with invalid pad length", PROTOCOL, |client| {
            let whole = get();
            let padding = u8::try_from(whole.len() + 1).unwrap();
            let payload = [&[padding], &whole[..]].concat();
            client.send(&headers(1, WHOLE | PADDED, payload));
            Ok(())
        }),
    ]
}

fn priority_and_reset() -> Vec<Case> {
    vec![
        case("6.3", "Sends a PRIORITY frame with 0x0 stream identifier", PROTOCOL, |client| {
            client.send(&priority(0, 0, 255));
            Ok(())
        }),
        case(
            "6.3",
            "Sends a PRIORITY frame with a length other than 5 octets",
            WRONG_SIZE_OF_STREAM,
            |client| {
                client.send(&headers(1, WHOLE, get()));
                client.send(&Frame::new(kind::PRIORITY, 0, 1, [0x80, 0, 0, 1]));
                Ok(())
            },
        ),
        case("6.4", "Sends a RST_STREAM frame with 0x0 stream identifier", PROTOCOL, |client| {
            client.send(&reset(0, CANCEL));
            Ok(())
        }),
        case("6.4", "Sends a RST_STREAM frame on a idle stream", PROTOCOL, |client| {
            client.send(&reset(1, CANCEL));
            Ok(())
        }),
        case(
            "6.4",
            "Sends a RST_STREAM frame with a length other than 4 octets",
            WRONG_SIZE,
            |client| {
                client.send(&headers(1, WHOLE, get()));
                client.send(&Frame::new(kind::RST_STREAM, 0, 1, [0; 3]));
                Ok(())
            },
        ),
    ]
}

fn send_setting(client: &mut RawClient, identifier: u16, value: u32) -> Result<(), String> {
    client.send(&settings(&[(identifier, value)]));
    Ok(())
}

fn defined_settings() -> Vec<Case> {
    vec![
        case(
            "6.5.2",
            "SETTINGS_ENABLE_PUSH (0x2): Sends the value other than 0 or 1",
            PROTOCOL,
            |client| send_setting(client, setting::ENABLE_PUSH, 2),
        ),
        case(
            "6.5.2",
            "SETTINGS_INITIAL_WINDOW_SIZE (0x4): Sends the value above the maximum flow control window size",
            OVER_THE_WINDOW,
            |client| send_setting(client, setting::INITIAL_WINDOW_SIZE, WINDOW_MAX + 1),
        ),
        case(
            "6.5.2",
            "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value below the initial value",
            PROTOCOL,
            |client| send_setting(client, setting::MAX_FRAME_SIZE, 16_383),
        ),
        case(
            "6.5.2",
            "SETTINGS_MAX_FRAME_SIZE (0x5): Sends the value above the maximum allowed frame size",
            PROTOCOL,
            |client| send_setting(client, setting::MAX_FRAME_SIZE, 1 << 24),
        ),
        case(
            "6.5.2",
            "Sends a SETTINGS frame with unknown identifier",
            Expect::Pong(ZEROS),
            |client| {
                send_setting(client, 0xff, 1)?;
                client.send(&ping(0, ZEROS));
                Ok(())
            },
        ),
    ]
}

/// Sets the window of new streams and waits until the server has taken it over.
fn set_window(client: &mut RawClient, values: &[u32]) -> Result<(), String> {
    let values: Vec<_> =
        values.iter().map(|&value| (setting::INITIAL_WINDOW_SIZE, value)).collect();
    client.send(&settings(&values));
    let reply = client.wait_for(kind::SETTINGS)?;
    if reply.has(ACK) { Ok(()) } else { Err("SETTINGS again".to_owned()) }
}

fn settings_frames() -> Vec<Case> {
    vec![
        case(
            "6.5.3",
            "Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
            Expect::OneByte,
            |client| {
                set_window(client, &[100, 1])?;
                client.send(&headers(1, WHOLE, get()));
                Ok(())
            },
        ),
        case("6.5.3", "Sends a SETTINGS frame without ACK flag", Expect::SettingsAck, |client| {
            send_setting(client, setting::ENABLE_PUSH, 0)
        }),
        case("6.5", "Sends a SETTINGS frame with ACK flag and payload", WRONG_SIZE, |client| {
            client.send(&Frame::new(kind::SETTINGS, ACK, 0, [0]));
            Ok(())
        }),
        case(
            "6.5",
            "Sends a SETTINGS frame with a stream identifier other than 0x0",
            PROTOCOL,
            |client| {
                client.send(&Frame::new(kind::SETTINGS, 0, 1, [0, 3, 0, 0, 0, 100]));
                Ok(())
            },
        ),
        case(
            "6.5",
            "Sends a SETTINGS frame with a length other than a multiple of 6 octets",
            WRONG_SIZE,
            |client| {
                client.send(&Frame::new(kind::SETTINGS, 0, 0, [0, 3, 0, 0, 0, 100, 0, 2]));
                Ok(())
            },
        ),
    ]
}

fn ping_and_goaway() -> Vec<Case> {
    vec![
        case("6.7", "Sends a PING frame", Expect::Pong(*b"ringway\0"), |client| {
            client.send(&ping(0, *b"ringway\0"));
            Ok(())
        }),
        case("6.7", "Sends a PING frame with ACK", Expect::Pong(*b"ringway\0"), |client| {
            client.send(&ping(ACK, *b"no reply"));
            client.send(&ping(0, *b"ringway\0"));
            Ok(())
        }),
        case(
            "6.7",
            "Sends a PING frame with a stream identifier field value other than 0x0",
            PROTOCOL,
            |client| {
                client.send(&Frame::new(kind::PING, 0, 1, ZEROS));
                Ok(())
            },
        ),
        case(
            "6.7",
            "Sends a PING frame with a length field value other than 8",
            WRONG_SIZE,
            |client| {
                client.send(&Frame::new(kind::PING, 0, 0, [0; 6]));
                Ok(())
            },
        ),
        case(
            "6.8",
            "Sends a GOAWAY frame with a stream identifier other than 0x0",
            PROTOCOL,
            |client| {
                client.send(&Frame::new(kind::GOAWAY, 0, 1, ZEROS));
                Ok(())
            },
        ),
    ]
}

fn windows() -> Vec<Case> {
    vec![
        case(
            "6.9.1",
            "Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame",
            Expect::OneByte,
            |client| {
                set_window(client, &[1])?;
                client.send(&headers(1, WHOLE, get()));
                Ok(())
            },
        ),
        case(
            "6.9.1",
            "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1",
            OVER_THE_WINDOW,
            |client| {
                client.send(&window_update(0, WINDOW_MAX));
                client.send(&window_update(0, WINDOW_MAX));
                Ok(())
            },
        ),
        case(
            "6.9.1",
            "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream",
            Expect::Reset(FLOW_CONTROL_ERROR),
            |client| {
                client.send(&headers(1, END_HEADERS, get()));
                client.send(&window_update(1, WINDOW_MAX));
                client.send(&window_update(1, WINDOW_MAX));
                Ok(())
            },
        ),
    ]
}

fn initial_windows() -> Vec<Case> {
    vec![
        case(
            "6.9.2",
            "Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame",
            Expect::OneByte,
            |client| {
                set_window(client, &[0])?;
                client.send(&headers(1, WHOLE, get()));
                send_setting(client, setting::INITIAL_WINDOW_SIZE, 1)
            },
        ),
        case(
            "6.9.2",
            "Sends a SETTINGS frame for window size to be negative",
            Expect::OneByte,
            |client| {
                set_window(client, &[3])?;
                client.send(&headers(1, WHOLE, get()));
                let first = client.wait_for(kind::DATA)?;
                if first.payload.len() != 3 {
                    return Err(format!("{first:?} for a window of 3"));
                }
                // 3 are spent, so the window is now -1, and with the update 1.
                set_window(client, &[2])?;
                client.send(&window_update(1, 2));
                Ok(())
            },
        ),
        case(
            "6.9.2",
            "Sends a SETTINGS_INITIAL_WINDOW_SIZE settings with an exceeded maximum window size value",
            OVER_THE_WINDOW,
            |client| {
                client.send(&headers(1, END_HEADERS, post()));
                client.send(&window_update(1, WINDOW_MAX - 65_535));
                send_setting(client, setting::INITIAL_WINDOW_SIZE, 65_536)
            },
        ),
    ]
}

fn window_updates() -> Vec<Case> {
    vec![
        case(
            "6.9",
            "Sends a WINDOW_UPDATE frame with a flow control window increment of 0",
            PROTOCOL,
            |client| {
                client.send(&window_update(0, 0));
                Ok(())
            },
        ),
        case(
            "6.9",
            "Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream",
            Expect::StreamError(&[PROTOCOL_ERROR]),
            |client| {
                client.send(&headers(1, END_HEADERS, get()));
                client.send(&window_update(1, 0));
                Ok(())
            },
        ),
        case(
            "6.9",
            "Sends a WINDOW_UPDATE frame with a length other than 4 octets",
            WRONG_SIZE,
            |client| {
                client.send(&Frame::new(kind::WINDOW_UPDATE, 0, 0, [0, 0, 1]));
                Ok(())
            },
        ),
    ]
}
