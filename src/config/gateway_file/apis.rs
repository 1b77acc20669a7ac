//! The names of a gateway file's APIs and stages, for whatever leads to them by name.

use std::collections::BTreeMap;

use super::rules::list;
use crate::{
    config::{document::Node, shorten, suggest::nearest},
    steps::stage,
};

/// The APIs of a file by name, as far as others ask for them.
pub(super) struct Apis<'d>(BTreeMap<&'d str, Api<'d>>);

/// One of them.
pub(super) struct Api<'d> {
    /// The names of its stages.
    pub(super) stages: Vec<&'d str>,
    pub(super) is_websocket: bool,
}

impl<'d> Apis<'d> {
    pub(super) fn read(root: Node<'d>) -> Self {
        let text = |node: Node<'d>, key| node.find(key).and_then(Node::as_str);
        let read = |node: Node<'d>| {
            let stages = list(node, "stages");
            let names = stages.iter().filter_map(|node| text(*node, "stageName"));
            let stages = if stages.is_empty() { vec![stage::DEFAULT] } else { names.collect() };
            let is_websocket = text(node, "protocol") == Some("WEBSOCKET");
            Some((text(node, "name")?, Api { stages, is_websocket }))
        };
        Self(list(root, "apis").into_iter().filter_map(read).collect())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Api<'d>> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'d str> {
        self.0.keys().copied()
    }

    /// The names of all stages, sorted, each once.
    pub(super) fn stages(&self) -> Vec<&'d str> {
        let mut names: Vec<_> = self.0.values().flat_map(|api| &api.stages).copied().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// What to do about a name that is none of `known`.
pub(in crate::config) fn did_you_mean(text: &str, known: &[&str], are: &str) -> String {
    const TOLD_MAX: usize = 10;
    match nearest(text, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => {
            let more = if known.len() > TOLD_MAX { ", .." } else { "" };
            let told: Vec<String> = known.iter().take(TOLD_MAX).map(|name| shorten(name)).collect();
            format!("{are} {}{more}", told.join(", "))
        }
    }
}
