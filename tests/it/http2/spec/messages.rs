//! h2spec's sections 7 and 8 (RFC 9113 7 and 8): error codes, and messages that are malformed.

use super::{Case, case};
use crate::http2::{
    client::RawClient,
    frame::{END_HEADERS, END_STREAM, WHOLE, data, goaway, headers, ping, push_promise, reset},
    hpack::block,
    target::{Fields, get, post, request},
    verdict::{Expect, MALFORMED, PROTOCOL},
};

const ZEROS: [u8; 8] = [0; 8];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = error_codes();
    cases.extend(pseudo_fields());
    cases.extend(fields_of_the_connection());
    cases.extend(request_pseudo_fields());
    cases.extend(bodies());
    cases
}

fn error_codes() -> Vec<Case> {
    vec![
        case(
            "7",
            "Sends a GOAWAY frame with unknown error code",
            Expect::PongOrClose(ZEROS),
            |client| {
                client.send(&goaway(0, 0xff, ""));
                client.send(&ping(0, ZEROS));
                Ok(())
            },
        ),
        case(
            "7",
            "Sends a RST_STREAM frame with unknown error code",
            Expect::Pong(ZEROS),
            |client| {
                client.send(&headers(1, END_HEADERS, post()));
                client.send(&reset(1, 0xff));
                client.send(&ping(0, ZEROS));
                Ok(())
            },
        ),
    ]
}

/// A whole GET with these fields behind its own.
fn send_get_with(client: &mut RawClient, more: &[(&str, &str)]) -> Result<(), String> {
    let mut fields = request("GET", "/");
    fields.extend(more);
    send_fields(client, &fields)
}

fn send_fields(client: &mut RawClient, fields: &Fields) -> Result<(), String> {
    client.send(&headers(1, WHOLE, block(fields)));
    Ok(())
}

/// A whole GET without one of its fields.
fn send_get_without(client: &mut RawClient, name: &str) -> Result<(), String> {
    let mut fields = request("GET", "/");
    fields.retain(|field| field.0 != name);
    send_fields(client, &fields)
}

fn pseudo_fields() -> Vec<Case> {
    vec![
        case(
            "8.3",
            "Sends a HEADERS frame that contains a unknown pseudo-header field",
            MALFORMED,
            |client| send_get_with(client, &[(":test", "ok")]),
        ),
        case(
            "8.3",
            "Sends a HEADERS frame that contains the pseudo-header field defined for response",
            MALFORMED,
            |client| send_get_with(client, &[(":status", "200")]),
        ),
        case(
            "8.1",
            "Sends a HEADERS frame that contains a pseudo-header field as trailers",
            MALFORMED,
            |client| {
                client.send(&headers(1, END_HEADERS, post()));
                client.send(&data(1, 0, "test"));
                client.send(&headers(1, END_HEADERS, block(&[(":method", "POST")])));
                Ok(())
            },
        ),
        case(
            "8.3",
            "Sends a HEADERS frame that contains a pseudo-header field that appears in a header block after a regular header field",
            MALFORMED,
            |client| {
                let mut fields = vec![("x-test", "ok")];
                fields.extend(request("GET", "/"));
                send_fields(client, &fields)
            },
        ),
    ]
}

fn fields_of_the_connection() -> Vec<Case> {
    vec![
        case(
            "8.2.2",
            "Sends a HEADERS frame that contains the connection-specific header field",
            MALFORMED,
            |client| send_get_with(client, &[("connection", "keep-alive")]),
        ),
        case(
            "8.2.2",
            r#"Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\""#,
            MALFORMED,
            |client| send_get_with(client, &[("te", "trailers, deflate")]),
        ),
    ]
}

fn request_pseudo_fields() -> Vec<Case> {
    vec![
        case(
            "8.3.1",
            r#"Sends a HEADERS frame with empty \":path\" pseudo-header field"#,
            MALFORMED,
            |client| send_fields(client, &request("GET", "")),
        ),
        case(
            "8.3.1",
            r#"Sends a HEADERS frame that omits \":method\" pseudo-header field"#,
            MALFORMED,
            |client| send_get_without(client, ":method"),
        ),
        case(
            "8.3.1",
            r#"Sends a HEADERS frame that omits \":scheme\" pseudo-header field"#,
            MALFORMED,
            |client| send_get_without(client, ":scheme"),
        ),
        case(
            "8.3.1",
            r#"Sends a HEADERS frame that omits \":path\" pseudo-header field"#,
            MALFORMED,
            |client| send_get_without(client, ":path"),
        ),
        case(
            "8.3.1",
            r#"Sends a HEADERS frame with duplicated \":method\" pseudo-header field"#,
            MALFORMED,
            |client| send_get_with(client, &[(":method", "GET")]),
        ),
        case(
            "8.3.1",
            r#"Sends a HEADERS frame with duplicated \":scheme\" pseudo-header field"#,
            MALFORMED,
            |client| send_get_with(client, &[(":scheme", "http")]),
        ),
        case(
            "8.3.1",
            r#"Sends a HEADERS frame with duplicated \":path\" pseudo-header field"#,
            MALFORMED,
            |client| send_get_with(client, &[(":path", "/")]),
        ),
    ]
}

/// A POST that says it has one byte.
fn send_post_of_one_byte(client: &mut RawClient) {
    let mut fields = request("POST", "/");
    fields.push(("content-length", "1"));
    client.send(&headers(1, END_HEADERS, block(&fields)));
}

fn bodies() -> Vec<Case> {
    vec![
        case(
            "8.1.1",
            r#"Sends a HEADERS frame with the \"content-length\" header field which does not equal the DATA frame payload length"#,
            MALFORMED,
            |client| {
                send_post_of_one_byte(client);
                client.send(&data(1, END_STREAM, "test"));
                Ok(())
            },
        ),
        case(
            "8.1.1",
            r#"Sends a HEADERS frame with the \"content-length\" header field which does not equal the sum of the multiple DATA frames payload length"#,
            MALFORMED,
            |client| {
                send_post_of_one_byte(client);
                client.send(&data(1, 0, "test"));
                client.send(&data(1, END_STREAM, "test"));
                Ok(())
            },
        ),
        case(
            "8.2.1",
            "Sends a HEADERS frame that contains the header field name in uppercase letters",
            MALFORMED,
            |client| send_get_with(client, &[("X-TEST", "ok")]),
        ),
        case(
            "8.1",
            "Sends a second HEADERS frame without the END_STREAM flag",
            MALFORMED,
            |client| {
                client.send(&headers(1, END_HEADERS, post()));
                client.send(&data(1, 0, "test"));
                client.send(&headers(1, END_HEADERS, block(&[("x-test", "ok")])));
                Ok(())
            },
        ),
        case("8.4", "Sends a PUSH_PROMISE frame", PROTOCOL, |client| {
            client.send(&push_promise(1, 3, &get()));
            Ok(())
        }),
    ]
}
