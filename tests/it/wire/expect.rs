//! `Expect: 100-continue`: told to go on only where the body is wanted.

use std::time::Duration;

use crate::harness::{Client, Gateway, Launch, Route, Upstream, openapi};

fn start(upstream: &Upstream) -> Gateway {
    let route = Route::new("POST", "/up", format!("http://{}/up", upstream.address()));
    Launch::file("api.yaml", &openapi(&[route])).start()
}

const HEAD: &str = "POST /up HTTP/1.1\r\nhost: it\r\nexpect: 100-continue\r\ncontent-length: 4\r\n";

#[test]
fn the_body_is_asked_for_where_it_is_wanted() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for spelling in ["100-continue", "100-Continue"] {
        let head = HEAD.replace("100-continue", spelling);
        client.send(format!("{head}\r\n"));
        let interim = client.answer();
        assert_eq!((interim.status, interim.fields.len()), (100, 0), "{interim:?}");
        client.send("body");
        let answer = client.answer();
        assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
    }
    assert_eq!(upstream.requests()[0].field("expect"), None, "the expectation was ours to meet");
}

#[test]
fn an_impatient_client_needs_no_100() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(format!("{HEAD}\r\nbody"));
    let mut answer = client.answer();
    if answer.status == 100 {
        answer = client.answer();
    }
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
    assert_eq!(
        client.ask("POST /up HTTP/1.1\r\nhost: it\r\ncontent-length: 1\r\n\r\nx").status,
        200
    );
}

#[test]
fn a_refusal_comes_instead_of_the_100() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let cases = [
        ("no route", HEAD.replace("/up", "/none"), 404),
        ("too large", HEAD.replace("length: 4", "length: 10485761"), 413),
        ("another expectation", HEAD.replace("100-continue", "a-pony"), 417),
    ];
    for (what, head, status) in cases {
        let mut client = Client::connect(gateway.address);
        client.send(format!("{head}\r\n"));
        assert_eq!(client.answer().status, status, "{what}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

/// RFC 9110 10.1.1: a 1.0 client cannot take a 100, and without a body there is nothing to ask for.
#[test]
fn no_100_for_http_1_0_nor_without_a_body() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(format!("{}\r\nbody", HEAD.replace("HTTP/1.1", "HTTP/1.0")));
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));

    let mut client = Client::connect(gateway.address);
    client.send(format!("{}\r\n", HEAD.replace("content-length: 4", "content-length: 0")));
    assert_eq!(client.answer().status, 200);
}

/// A client that never gets its upstream cannot be left waiting for a 100 for ever.
#[test]
fn a_dead_upstream_refuses_too() {
    let dead = crate::harness::dead_address();
    let route = Route::new("POST", "/up", format!("http://{dead}/up"));
    let gateway = Launch::file("api.yaml", &openapi(&[route])).start();
    let mut client = Client::connect(gateway.address);
    client.set_patience(Duration::from_secs(5));
    client.send(format!("{HEAD}\r\n"));
    let mut answer = client.answer();
    if answer.status == 100 {
        client.send("body");
        answer = client.answer();
    }
    answer.assert_refusal(503, "Service Unavailable");
}
