//! API mappings (`api-gateway.md` 1.7): the longest key that a path begins with, in whole segments.
//!
//! A tree by segments: a path is walked once, and no deeper than the longest key.

use super::{ApiMappingKey, Destination};

/// Requests whose path begins with the key go to a stage, which does not see the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiMapping {
    /// The path's beginning.
    pub key: ApiMappingKey,
    /// Where they go.
    pub destination: Destination,
}

/// The mappings of one domain, compiled.
#[derive(Clone, Debug)]
pub(super) struct ApiMappings {
    list: Vec<ApiMapping>,
    /// The root first.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Position of the mapping whose key ends here.
    mapping: Option<usize>,
    /// The next segment and the node it leads to, sorted by the segment.
    children: Vec<(Box<[u8]>, usize)>,
}

impl ApiMappings {
    /// Compiles the mappings of a domain.
    ///
    /// # Errors
    /// One sentence for each key that stands twice.
    pub(super) fn compile(list: Vec<ApiMapping>) -> Result<Self, Vec<String>> {
        let mut nodes = vec![Node::default()];
        let mut problems = Vec::new();
        for (index, mapping) in list.iter().enumerate() {
            let mut at = 0;
            for segment in mapping.key.segments() {
                at = step(&mut nodes, at, segment.as_bytes());
            }
            if nodes[at].mapping.replace(index).is_some() {
                problems.push(format!("two mappings have the key '{}'", mapping.key.as_str()));
            }
        }
        if problems.is_empty() { Ok(Self { list, nodes }) } else { Err(problems) }
    }

    /// The mapping for a path, and what its stage sees of the path.
    #[inline]
    pub(super) fn find<'m, 'p>(&'m self, path: &'p [u8]) -> Option<(&'m ApiMapping, &'p [u8])> {
        let mut best = None;
        let mut node = &self.nodes[0];
        let mut rest = path;
        loop {
            best = node.mapping.map(|mapping| (mapping, rest)).or(best);
            let Some(tail) = rest.strip_prefix(b"/") else { break };
            if node.children.is_empty() {
                break;
            }
            let (segment, after) = tail.split_at(memchr::memchr(b'/', tail).unwrap_or(tail.len()));
            let Some(next) = node.child(segment) else { break };
            node = &self.nodes[next];
            rest = after;
        }
        let (mapping, rest) = best?;
        Some((&self.list[mapping], if rest.is_empty() { b"/" } else { rest }))
    }

    /// In the document's order.
    pub(super) fn list(&self) -> &[ApiMapping] {
        &self.list
    }
}

impl Node {
    fn child(&self, segment: &[u8]) -> Option<usize> {
        let found = self.children.binary_search_by(|(known, _)| (**known).cmp(segment)).ok()?;
        Some(self.children[found].1)
    }
}

/// The node that `segment` leads to from the one at `at`; made when there is none.
fn step(nodes: &mut Vec<Node>, at: usize, segment: &[u8]) -> usize {
    let found = nodes[at].children.binary_search_by(|(known, _)| (**known).cmp(segment));
    match found {
        Ok(found) => nodes[at].children[found].1,
        Err(place) => {
            let next = nodes.len();
            nodes.push(Node::default());
            nodes[at].children.insert(place, (segment.into(), next));
            next
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings(keys: &[&str]) -> Result<ApiMappings, Vec<String>> {
        let mapping = |(api, key): (usize, &&str)| ApiMapping {
            key: ApiMappingKey::parse(key).unwrap(),
            destination: Destination { api, stage: 0 },
        };
        ApiMappings::compile(keys.iter().enumerate().map(mapping).collect())
    }

    #[track_caller]
    fn check(keys: &[&str], path: &str, expected: Option<(&str, &str)>) {
        let mappings = mappings(keys).unwrap();
        let found = mappings.find(path.as_bytes());
        let found = found
            .map(|(mapping, rest)| (keys[mapping.destination.api], str::from_utf8(rest).unwrap()));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn the_longest_key_of_whole_segments_wins() {
        let keys = &["(none)", "orders", "orders/v1/items", "orders/v2", "a.b/c"];
        check(keys, "/orders/v1/items/7", Some(("orders/v1/items", "/7")));
        check(keys, "/orders/v1/items", Some(("orders/v1/items", "/")));
        check(keys, "/orders/v1/item", Some(("orders", "/v1/item")));
        check(keys, "/orders/v1", Some(("orders", "/v1")));
        check(keys, "/orders/v2/", Some(("orders/v2", "/")));
        check(keys, "/orders//v2", Some(("orders", "//v2")));
        check(keys, "/orders", Some(("orders", "/")));
        check(keys, "/ordersx", Some(("(none)", "/ordersx")));
        check(keys, "/a.b", Some(("(none)", "/a.b")));
        check(keys, "/", Some(("(none)", "/")));
        check(&["v1"], "/v2", None);
        check(&["v1"], "/", None);
        check(&[], "/v1", None);
        check(&[""], "/v1", Some(("", "/v1")));
    }

    #[test]
    fn a_key_that_stands_twice_is_told() {
        let sentences = mappings(&["a", "a/b", "a", "(none)", ""]).unwrap_err();
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert_eq!(sentences[0], "two mappings have the key 'a'");
    }
}
