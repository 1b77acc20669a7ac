//! What Ringway's own authorizers share while they are read.

use super::{
    super::{fault::shorten, report::Report},
    reading::check_names,
};
use crate::config::document::Node;

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
        check_names(&self.name, node, known, self.report).then_some(())
    }
}
