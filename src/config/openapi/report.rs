//! How the importer tells problems: one place to stop paying for those that nobody will see.
//!
//! A document of one line with a hundred thousand faults must not cost a hundred thousand line
//! and column searches, so the place is only looked up while the list still takes problems.

use crate::{
    base::{Place, Problem, Severity, limits::PROBLEMS_MAX},
    config::{
        Problems,
        document::{Entry, Node},
    },
};

use super::fault::Fault;

/// Something that stands somewhere in a document.
pub(super) trait Placed {
    /// Where.
    fn place(&self) -> Place;
}

impl Placed for Node<'_> {
    fn place(&self) -> Place {
        (*self).place()
    }
}

/// An entry stands where its key does.
impl Placed for Entry<'_> {
    fn place(&self) -> Place {
        self.key_place()
    }
}

impl Placed for Place {
    fn place(&self) -> Place {
        self.clone()
    }
}

/// The list of problems, as the importer sees it.
pub(super) struct Report<'p> {
    problems: &'p mut Problems,
    errors_before: usize,
}

impl<'p> Report<'p> {
    pub(super) const fn new(problems: &'p mut Problems) -> Self {
        let errors_before = problems.errors();
        Self { problems, errors_before }
    }

    /// The definition cannot be served.
    pub(super) fn error(&mut self, at: &impl Placed, message: String, fix: &str) {
        self.add(Severity::Error, at, message, fix);
    }

    /// Served, but probably not as it was meant.
    pub(super) fn warning(&mut self, at: &impl Placed, message: String, fix: &str) {
        self.add(Severity::Warning, at, message, fix);
    }

    /// Understood and left out.
    pub(super) fn info(&mut self, at: &impl Placed, message: String, fix: &str) {
        self.add(Severity::Info, at, message, fix);
    }

    /// An error made of the name of a thing and what is wrong with its text.
    pub(super) fn fault(&mut self, at: &impl Placed, thing: &str, fault: &Fault) {
        self.error(at, format!("{thing} {}", fault.what), &fault.fix);
    }

    /// Whether errors were added since [`Report::new`].
    pub(super) const fn has_errors(&self) -> bool {
        self.problems.errors() > self.errors_before
    }

    /// Whether further errors are only counted: no need to think about remedies any more.
    pub(super) const fn is_full(&self) -> bool {
        self.problems.errors() >= PROBLEMS_MAX
    }

    pub(super) fn add(&mut self, severity: Severity, at: &impl Placed, message: String, fix: &str) {
        let is_kept = self.problems.count(severity) < PROBLEMS_MAX;
        let place = is_kept.then(|| at.place());
        self.problems.push(Problem { severity, place, message, fix: fix.to_owned() });
    }
}
