//! What a document says of the API's own host name: `disableExecuteApiEndpoint` in
//! `x-amazon-apigateway-endpoint-configuration`, at the top or in a server (`api-gateway.md` 1.4).
//!
//! Not here: what is wrong with the extension (`vocabulary`).

use crate::config::document::Node;

const EXTENSION: &str = "x-amazon-apigateway-endpoint-configuration";
const KEY: &str = "disableExecuteApiEndpoint";

/// What the document under `root` says; one `true` is enough. `None` when it says nothing.
pub(super) fn read(root: Node<'_>) -> Option<bool> {
    let servers = root.find("servers").into_iter().flat_map(Node::items);
    let said = servers.chain([root]).filter_map(|node| flag(node.find(EXTENSION)?.find(KEY)?));
    said.reduce(|one, other| one || other)
}

/// A truth value, which templates also write as text (`"true"`).
pub(super) fn flag(node: Node<'_>) -> Option<bool> {
    let text = node.scalar_text()?;
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
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
