//! TLS as clients and upstreams meet it.

mod bytes;
mod certificates;
mod mutual;
mod peers;
mod records;
mod upstreams;

use std::sync::Arc;

use rustls::ClientConfig;

use crate::harness::{
    Authority, Gateway, Launch, Pair, TlsClient, Upstream, Wish, gateway_file, ok, proxy_all,
    trusting,
};

/// A gateway that shows a certificate for `localhost` of an authority of its own.
struct Shown {
    gateway: Gateway,
    authority: Authority,
    client: Arc<ClientConfig>,
}

impl Shown {
    #[track_caller]
    fn start(upstream: &Upstream) -> Self {
        let authority = Authority::new("it");
        let pair = authority.sign(&Wish::host(&["localhost"]));
        let launch =
            launch(upstream, "certificates: [{certificate: a.pem, privateKey: a.key}]", "");
        let gateway = with_pair(launch, "a", &pair).start();
        let client = Arc::new(trusting(&authority, None));
        Self { gateway, authority, client }
    }

    #[track_caller]
    fn connect(&self) -> TlsClient {
        TlsClient::connect(self.gateway.tls[0], &self.client, "localhost")
    }
}

/// A gateway file: a listener with this `tls`, one without, everything to one upstream.
fn launch(upstream: &Upstream, tls: &str, more: &str) -> Launch {
    let listeners = format!(
        "listeners:\n  - {{address: '127.0.0.1:0', tls: {{{tls}}}}}\n  - {{address: '127.0.0.2:0'}}\n{more}"
    );
    let file = gateway_file("api.yaml", &["{stageName: $default}"], &listeners);
    Launch::file("gateway.yaml", &file)
        .listeners_of_file()
        .beside("api.yaml", &proxy_all(upstream.address()))
}

fn with_pair(launch: Launch, name: &str, pair: &Pair) -> Launch {
    launch.beside(&format!("{name}.pem"), &pair.chain).beside(&format!("{name}.key"), &pair.key)
}

fn greeting() -> Upstream {
    Upstream::answering(ok("hello"))
}
