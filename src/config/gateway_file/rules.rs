//! Rules of the gateway file that a schema cannot say: what must differ from what.

use std::collections::HashMap;

use crate::config::{
    Problems,
    document::{Document, Node},
};

/// Adds a problem for every name, id, address or stage that is given twice.
pub(super) fn check(document: &Document, problems: &mut Problems) {
    let listeners = list(document.root(), "listeners");
    let apis = list(document.root(), "apis");
    differ(&listeners, "address", "two listeners have the address", problems);
    differ(
        &list(document.root(), "upstreams"),
        "origin",
        "two upstreams have the origin",
        problems,
    );
    listeners.iter().for_each(|listener| check_mode(*listener, problems));
    differ(&apis, "name", "two APIs have the name", problems);
    differ(&apis, "apiId", "two APIs have the apiId", problems);
    for api in apis {
        let what = "two stages of one API have the name";
        differ(&list(api, "stages"), "stageName", what, problems);
    }
}

fn check_mode(listener: Node<'_>, problems: &mut Problems) {
    let address = listener.find("address").and_then(Node::as_str).unwrap_or_default();
    let Some(mode) = listener.find("mode").filter(|mode| !mode.is_null()) else { return };
    if !address.starts_with("unix:") {
        let message = format!("mode is for a Unix socket that is made here, and this is {address}");
        let fix = "remove it; systemd's sockets have SocketMode= in their unit";
        problems.error(mode.place(), message, fix);
    }
}

/// The items of the list at `key`; none when there is none.
pub(super) fn list<'d>(node: Node<'d>, key: &str) -> Vec<Node<'d>> {
    node.find(key).into_iter().flat_map(Node::items).collect()
}

fn differ(nodes: &[Node<'_>], key: &str, what: &str, problems: &mut Problems) {
    let mut first = HashMap::new();
    for node in nodes.iter().filter_map(|node| node.find(key)) {
        let Some(text) = node.as_str() else { continue };
        let Some(line) = first.insert(text, node.place().line) else { continue };
        let message = format!("{what} {text}: the first is in line {line}");
        problems.error(node.place(), message, "change one of them");
    }
}
