//! The base path that a document's `servers` give, and what an import makes of it
//! (`api-gateway.md` 1.3, `basepath` of AWS's import).

use super::{
    definition::BasePath,
    fault::shorten,
    intrinsic,
    report::Report,
    text::{Substitutions, substitute},
};
use crate::{
    base::limits::OPENAPI_TEXT_BYTES_MAX,
    config::document::{Kind, Node},
};

/// What stands before every path: empty, or `/a/b`.
pub(super) fn read(
    root: Node<'_>,
    mode: BasePath,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> String {
    let Some(servers) = root.find("servers") else { return String::new() };
    if servers.kind() != Kind::Sequence {
        let message = format!("servers is {}; OpenAPI 3 has a list", servers.kind());
        report.warning(&servers, message, "put a - before it");
    }
    let list: Vec<Node<'_>> = match servers.kind() {
        Kind::Mapping => vec![servers],
        _ => servers.items().collect(),
    };
    let Some((found, place)) = find(&list, known, report) else { return String::new() };
    let base = found.trim_matches('/');
    if base.is_empty() {
        return String::new();
    }
    match mode {
        BasePath::Ignore => {
            let message = format!("the servers' base path /{} is left out", shorten(base));
            report.info(&place, message, "with basepath: prepend every path would begin with it");
            String::new()
        }
        BasePath::Prepend => format!("/{base}"),
        BasePath::Split => match base.split_once('/') {
            Some((_, rest)) => format!("/{rest}"),
            None => String::new(),
        },
    }
}

/// The variable `basePath` of the first server that has one, even when no URL names it; else the
/// path of the first URL that has one.
fn find<'d>(
    servers: &[Node<'d>],
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<(String, Node<'d>)> {
    let variable = |server: &Node<'d>| server.find("variables")?.find("basePath")?.find("default");
    if let Some(default) = servers.iter().find_map(variable) {
        let text = intrinsic::resolve(default, "the base path", known, report)?;
        return Some((text, default));
    }
    for server in servers {
        let Some(url) = server.find("url") else { continue };
        let text = intrinsic::resolve(url, "a server's url", known, report)?;
        let filled = fill(&substitute(&text, known), *server);
        let path = path_of(&filled);
        if path.len() > 1 {
            return Some((path.to_owned(), url));
        }
    }
    None
}

/// The URL with the defaults of its variables in it.
fn fill(url: &str, server: Node<'_>) -> String {
    let mut out = url.to_owned();
    for variable in server.find("variables").into_iter().flat_map(Node::entries) {
        let default = variable.value.find("default").and_then(Node::scalar_text);
        let hole = format!("{{{}}}", variable.key);
        let is_short = |text: &&str| text.len() <= OPENAPI_TEXT_BYTES_MAX;
        if let Some(default) = default.filter(is_short).filter(|_| url.contains(&hole)) {
            out = out.replace(&hole, default);
        }
        if out.len() > OPENAPI_TEXT_BYTES_MAX {
            return String::new();
        }
    }
    out
}

fn path_of(url: &str) -> &str {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    after.find('/').map_or("", |start| &after[start..])
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_path_of_a_url_is_found() {
        assert_eq!(path_of("https://h/a/b?c#d"), "/a/b");
        assert_eq!(path_of("https://h"), "");
        assert_eq!(path_of("/v1"), "/v1");
        assert_eq!(path_of("https://h?x/y"), "");
        assert_eq!(path_of(""), "");
    }
}
