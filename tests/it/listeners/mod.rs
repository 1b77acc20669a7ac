//! Where clients come in: Unix sockets, sockets of systemd, both families on one port; labels and
//! private APIs; the PROXY protocol.

mod private;
mod proxy;
mod sockets;
mod upstreams;

use std::path::Path;

use crate::harness::{Launch, gateway_file};

/// A gateway whose file says these listeners (YAML, flow form) and serves `definition`.
fn listening(listeners: &[&str], definition: &str) -> Launch {
    let lines: String = listeners.iter().map(|one| format!("  - {one}\n")).collect();
    let more = format!("listeners:\n{lines}");
    let file = gateway_file("api.yaml", &["{stageName: $default}"], &more);
    Launch::file("gateway.yaml", &file).beside("api.yaml", definition).listeners_of_file()
}

/// A number out of `/metrics`, over all shards.
fn total(metrics: &str, name: &str) -> Vec<u64> {
    let lines = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

/// `{address: unix:PATH, MORE}` as a listener.
fn unix(path: &Path, more: &str) -> String {
    format!("{{address: \"unix:{}\"{more}}}", path.display())
}
