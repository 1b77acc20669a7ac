//! What reading an authorizer of any kind needs: its members, with the authorizer's name in every
//! sentence.

use super::super::{
    fault::shorten,
    intrinsic,
    report::Report,
    text::{Substitutions, stage_variables, substitute},
};
use crate::config::{
    document::{Kind, Node},
    suggest::nearest,
};

/// An authorizer while it is read.
pub(super) struct Reading<'r, 'p> {
    pub(super) name: &'r str,
    pub(super) known: &'r Substitutions,
    pub(super) report: &'r mut Report<'p>,
}

impl Reading<'_, '_> {
    pub(super) fn error<T>(&mut self, at: &Node<'_>, what: &str, fix: &str) -> Option<T> {
        self.report.error(at, format!("authorizer {}: {what}", self.name), fix);
        None
    }

    pub(super) fn text(&mut self, node: Node<'_>, field: &str) -> Option<String> {
        let thing = format!("authorizer {}: {field}", self.name);
        let text = intrinsic::resolve(node, &thing, self.known, self.report)?;
        let text = substitute(&text, self.known);
        if stage_variables(&text).next().is_some() {
            let what = format!("{field} has a stage variable; it is the same for all stages");
            return self.error(&node, &what, "write its value");
        }
        Some(text)
    }

    pub(super) fn check_names(&mut self, node: Node<'_>, known: &[&str]) {
        check_names(self.name, node, known, self.report);
    }

    pub(super) fn texts(&mut self, list: Node<'_>, field: &str) -> Option<Vec<String>> {
        if list.kind() != Kind::Sequence {
            let what = format!("{field} is {}; a list is expected", list.kind());
            return self.error(&list, &what, &format!("write {field}: [..]"));
        }
        list.items().map(|item| self.text(item, field)).collect()
    }
}

/// Whether the members of the authorizer called `name` are all known; the others are told.
pub(super) fn check_names(
    name: &str,
    node: Node<'_>,
    known: &[&str],
    report: &mut Report<'_>,
) -> bool {
    let mut is_sound = true;
    for entry in node.entries().filter(|entry| !known.contains(&entry.key)) {
        let fix = match nearest(entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", known.join(", ")),
        };
        let message = format!("authorizer {name}: {} is no field here", shorten(entry.key));
        report.error(&entry, message, &fix);
        is_sound = false;
    }
    is_sound
}
