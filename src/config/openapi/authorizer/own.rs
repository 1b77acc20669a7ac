//! What Ringway's own authorizers share while they are read.

use super::super::{fault::shorten, report::Report};
use crate::config::{document::Node, suggest::nearest};

/// An authorizer while it is read.
pub(super) struct Reading<'r, 'p> {
    name: String,
    report: &'r mut Report<'p>,
}

impl<'r, 'p> Reading<'r, 'p> {
    pub(super) fn new(name: &str, report: &'r mut Report<'p>) -> Self {
        Self { name: shorten(name), report }
    }

    pub(super) fn error<T>(&mut self, at: Node<'_>, what: &str, fix: &str) -> Option<T> {
        self.report.error(&at, format!("authorizer {}: {what}", self.name), fix);
        None
    }

    /// `None` when a name is not known.
    pub(super) fn check_names(&mut self, node: Node<'_>, known: &[&str]) -> Option<()> {
        let mut is_sound = true;
        for entry in node.entries().filter(|entry| !known.contains(&entry.key)) {
            let fix = match nearest(entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.join(", ")),
            };
            let name = shorten(entry.key);
            let message = format!("authorizer {}: {name} is no field here", self.name);
            self.report.error(&entry, message, &fix);
            is_sound = false;
        }
        is_sound.then_some(())
    }
}
