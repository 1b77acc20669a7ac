//! What a document says of the API's endpoint in `x-amazon-apigateway-endpoint-configuration`, at
//! the top or in a server (`api-gateway.md` 1.4): whether the API's own host name is disabled, its
//! type, and the VPC endpoints (here: listeners' labels) that it is private to.
//!
//! Not here: other fields of the extension (`vocabulary`).

use super::{fault::shorten, intrinsic, report::Report, text::Substitutions};
use crate::{
    config::{
        access::{Endpoint, Kind},
        cors::flag,
        document::{Kind as NodeKind, Node},
    },
    steps::endpoint::is_label,
};

const EXTENSION: &str = "x-amazon-apigateway-endpoint-configuration";
const KEY: &str = "disableExecuteApiEndpoint";
const TYPES: &str = "types";
const IDS: &str = "vpcEndpointIds";

/// What the document under `root` says; one `true` is enough. `None` when it says nothing.
pub(super) fn read(root: Node<'_>) -> Option<bool> {
    let servers = root.find("servers").into_iter().flat_map(Node::items);
    let said = servers.chain([root]).filter_map(|node| flag(node.find(EXTENSION)?.find(KEY)?));
    said.reduce(|one, other| one || other)
}

/// Who may reach the API by which listener; `None` when the document does not say.
pub(super) fn read_access(
    root: Node<'_>,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<Endpoint> {
    let servers = root.find("servers").into_iter().flat_map(Node::items);
    let said = servers.chain([root]).filter_map(|node| node.find(EXTENSION));
    let mut found: Option<Endpoint> = None;
    for node in said.filter(|node| node.find(TYPES).or(node.find(IDS)).is_some()) {
        let endpoint = endpoint(node, known, report);
        let Some(first) = &found else {
            found = Some(endpoint);
            continue;
        };
        if !says_the_same(first, &endpoint) {
            let line = first.place.line;
            let message = format!("{EXTENSION} says something else of the API than in line {line}");
            report.error(&node, message, "say it once");
        }
    }
    found
}

fn endpoint(node: Node<'_>, known: &Substitutions, report: &mut Report<'_>) -> Endpoint {
    let list = |key| node.find(key).filter(|list| !list.is_null());
    let mut kinds = Vec::new();
    for item in items(list(TYPES), TYPES, report) {
        let word = item.scalar_text().unwrap_or_default();
        match word.to_ascii_uppercase().as_str() {
            "EDGE" | "REGIONAL" => kinds.push(Kind::Public),
            "PRIVATE" => kinds.push(Kind::Private),
            _ => {
                let message = format!("{} is no type of an endpoint", shorten(word));
                report.error(&item, message, "write EDGE, REGIONAL or PRIVATE");
            }
        }
    }
    if kinds.len() > 1 {
        let message = format!("{TYPES} has {} types; an API has one", kinds.len());
        report.error(&node, message, "keep one of them");
    }
    let mut labels = Vec::new();
    for item in items(list(IDS), IDS, report) {
        let Some(label) = intrinsic::resolve(item, "a VPC endpoint's id", known, report) else {
            continue;
        };
        if is_label(&label) {
            labels.push((label, item.place()));
        } else {
            let message = format!("{IDS} has {}, which is no label", shorten(&label));
            report.error(&item, message, "a label of a listener is 1 to 63 of a-z 0-9 -");
        }
    }
    Endpoint { kind: kinds.first().copied(), labels, place: node.place() }
}

fn items<'d>(list: Option<Node<'d>>, key: &str, report: &mut Report<'_>) -> Vec<Node<'d>> {
    let is_list = |node: &Node<'d>| node.kind() == NodeKind::Sequence;
    if let Some(node) = list.filter(|node| !is_list(node)) {
        let message = format!("{key} is {}; a list is expected", node.kind());
        report.error(&node, message, "put it in [ ]");
    }
    list.filter(is_list).into_iter().flat_map(Node::items).collect()
}

fn says_the_same(one: &Endpoint, other: &Endpoint) -> bool {
    let names = |endpoint: &Endpoint| {
        endpoint.labels.iter().map(|(label, _)| label.clone()).collect::<Vec<_>>()
    };
    one.kind == other.kind && names(one) == names(other)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Problems, document::Document};

    #[track_caller]
    fn check(text: &str, expected: Option<bool>) {
        let document = Document::parse(Path::new("a"), text.as_bytes(), &mut Problems::new());
        assert_eq!(read(document.expect("sound").root()), expected, "{text}");
    }

    #[test]
    fn one_true_at_the_top_or_in_a_server_is_enough() {
        let extension = |value: &str| format!("{EXTENSION}: {{{KEY}: {value}}}");
        let (yes, no) = (extension("true"), extension("false"));
        check("{}", None);
        check(&format!("{EXTENSION}: {{vpcEndpointIds: []}}"), None);
        check(&yes, Some(true));
        check(&no, Some(false));
        check(&extension("'True'"), Some(true));
        check(&extension("[]"), None);
        check(&format!("servers: [{{url: /}}, {{{yes}}}]"), Some(true));
        check(&format!("servers: [{{{no}}}, {{{yes}}}]\n{no}"), Some(true));
        check(&format!("servers: [{{{no}}}]"), Some(false));
        check("servers: 7", None);
    }
}
