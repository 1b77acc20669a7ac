//! The numbers of the private port, after traffic that is known.

use std::{thread, time::Duration};

use crate::harness::{Client, Gateway, Launch, Upstream, ok, proxy_all_in};

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all_in(upstream.address(), 300)).start()
}

#[test]
fn what_an_upstream_does_wrong_is_counted() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            match request.target.as_str() {
                "/silent" => thread::sleep(Duration::from_millis(600)),
                "/malformed" => drop(peer.send("HTTP/1.1 200 OK\nx: y\n\n")),
                "/bad-chunk" => {
                    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
                }
                "/dies" if peer.number < 3 => return,
                _ => drop(peer.send(ok("good"))),
            }
        }
    });
    let gateway = start(&upstream);
    let get = |target: &str| Client::connect(gateway.address).get(target).status;
    assert_eq!(get("/silent"), 503);
    gateway.await_number("ringway_upstream_timeouts_total", 1);
    assert_eq!(get("/malformed"), 502);
    gateway.await_number("ringway_upstream_malformed_total", 1);
    assert_eq!(get("/good"), 200);
    assert_eq!(get("/dies"), 200, "sent again on a new connection");
    gateway.await_number("ringway_upstream_retries_total", 1);
    let mut client = Client::connect(gateway.address);
    client.send("GET /bad-chunk HTTP/1.1\r\nhost: it\r\n\r\n");
    assert!(client.try_answer_to("GET").is_err());
    gateway.await_number("ringway_upstream_malformed_total", 2);
}

#[test]
fn a_question_to_the_gateway_itself_is_no_refusal() {
    let upstream = Upstream::answering(ok("good"));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.ask("OPTIONS * HTTP/1.1\r\nhost: it\r\n\r\n").status, 204);
    assert_eq!(client.ask("BREW / HTTP/1.1\r\nhost: it\r\n\r\n").status, 501);
    gateway.await_number("ringway_refused_requests_total", 1);
}

/// A chunked body announces no length: what went up is counted.
#[test]
fn the_bytes_of_a_chunked_upload_are_counted() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let head = "POST / HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(client.ask(format!("{head}5\r\nhello\r\n0\r\n\r\n")).text(), "hello");
    gateway.await_number("ringway_data_processed_bytes_total", 10);
}
