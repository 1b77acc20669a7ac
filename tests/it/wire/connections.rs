//! Keep-alive, pipelining, HTTP/1.0, `Connection: close`, HEAD: whose connection lives how long.

use std::time::Duration;

use crate::harness::{Client, Launch, Upstream, ok, proxy_all};

#[test]
fn one_connection_carries_many_requests() {
    let upstream = Upstream::answering(ok("pets"));
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..100 {
        let answer = client.get("/pets");
        assert_eq!((answer.status, answer.text().as_str()), (200, "pets"));
        assert!(!answer.says_close());
    }
    assert_eq!(upstream.connections(), 1, "one request at a time needs one upstream connection");
    client.assert_silent(Duration::from_millis(50));
}
