//! Where the bench sends its frames: a gateway with HTTP/2 on a plain listener, or, for comparing,
//! any server that `RINGWAY_H2_TARGET` names.
//!
//! ```text
//! nghttpd --no-tls -d /var/www/html 9002
//! RINGWAY_H2_TARGET=127.0.0.1:9002 cargo test --test it http2::spec -- --nocapture
//! ```

use std::{env, net::SocketAddr, time::Duration};

use crate::harness::{Gateway, Launch, PATIENCE, Upstream, gateway_file, ok, proxy_all};

use super::hpack::block;

/// The server under test and, where it is ours, all that belongs to it.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    _gateway: Option<(Gateway, Upstream)>,
}

/// What the target answers to any request but HEAD: more than one small window.
pub(super) const BODY_BYTES: usize = 4_000;

impl Target {
    /// A gateway, one shard, with an upstream that answers everything with 200 and a body.
    pub(super) fn start() -> Self {
        if let Some(address) = other() {
            return Self { address, _gateway: None };
        }
        let upstream = Upstream::start(|mut peer| {
            while let Some(request) = peer.request() {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
                let is_head = request.method == "HEAD";
                if !peer.send(if is_head { head.into_bytes() } else { ok([b'b'; BODY_BYTES]) }) {
                    return;
                }
            }
        });
        let gateway = launch(&proxy_all(upstream.address()), "").start();
        Self { address: gateway.address, _gateway: Some((gateway, upstream)) }
    }
}

/// The server that is to be compared with.
pub(super) fn other() -> Option<SocketAddr> {
    env::var("RINGWAY_H2_TARGET").ok().map(|text| text.parse().unwrap())
}

/// A gateway with HTTP/2 on a plain listener, for that OpenAPI document; `more` keys of its file.
pub(super) fn launch(definition: &str, more: &str) -> Launch {
    let listeners = format!("listeners: [{{address: '127.0.0.1:0', http2: true}}]\n{more}");
    let file = gateway_file("api.yaml", &["{stageName: $default}"], &listeners);
    Launch::file("gateway.yaml", &file).listeners_of_file().beside("api.yaml", definition)
}

/// How long one wait may take: less where another server is compared, which may fail many.
pub(super) fn patience() -> Duration {
    if other().is_some() { Duration::from_secs(2) } else { PATIENCE }
}

pub(super) type Fields<'a> = Vec<(&'a str, &'a str)>;

/// A request's fields.
pub(super) fn request<'a>(method: &'a str, path: &'a str) -> Fields<'a> {
    vec![(":method", method), (":scheme", "http"), (":path", path), (":authority", "it")]
}

/// The block of a GET of `/`.
pub(super) fn get() -> Vec<u8> {
    block(&request("GET", "/"))
}

/// The block of a POST to `/`.
pub(super) fn post() -> Vec<u8> {
    block(&request("POST", "/"))
}
