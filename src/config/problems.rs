//! The list of what is wrong with the documents, bounded. Everybody who reads a document adds to
//! it and goes on; whether a plan may be made is asked once, at the end, by counting the errors.

use crate::base::{Place, Problem, Severity, limits::PROBLEMS_MAX};

/// Problems in the order they were found; at most [`PROBLEMS_MAX`] of one severity are kept.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    found: [usize; 3],
}

impl Problems {
    /// No problems yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The plan cannot be made: `message` says what is wrong at `place`, `fix` how to mend it.
    pub fn error(&mut self, place: Place, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Error, Some(place), message.into(), fix.into());
    }

    /// The gateway runs, but probably not as the writer of the document thinks.
    pub fn warning(&mut self, place: Place, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Warning, Some(place), message.into(), fix.into());
    }

    /// Something was understood and left out; it goes into the import report.
    pub fn info(&mut self, place: Place, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Info, Some(place), message.into(), fix.into());
    }

    /// An error that belongs to no document: a flag, a file that cannot be read.
    pub fn error_nowhere(&mut self, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Error, None, message.into(), fix.into());
    }

    /// A warning that belongs to no document: a flag.
    pub fn warning_nowhere(&mut self, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Warning, None, message.into(), fix.into());
    }

    /// Adds a problem that exists already.
    pub fn push(&mut self, problem: Problem) {
        let found = &mut self.found[problem.severity as usize];
        *found += 1;
        if *found <= PROBLEMS_MAX {
            self.kept.push(problem);
        }
    }

    /// How many of this severity were found, kept or not.
    #[must_use]
    pub const fn count(&self, severity: Severity) -> usize {
        self.found[severity as usize]
    }

    /// Errors found: a plan is made only when this is zero.
    #[must_use]
    pub const fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// Problems found and not kept, of all severities.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.found.iter().sum::<usize>() - self.kept.len()
    }

    /// The kept problems, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// Sorts by file, line and column; what belongs to no file comes first.
    pub fn sort(&mut self) {
        self.kept.sort_by(|one, two| order(one).cmp(&order(two)));
    }

    fn add(&mut self, severity: Severity, place: Option<Place>, message: String, fix: String) {
        self.push(Problem { severity, place, message, fix });
    }
}

fn order(problem: &Problem) -> Option<(&std::path::Path, u32, u32)> {
    problem.place.as_ref().map(|place| (place.file.as_path(), place.line, place.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_by_severity_and_counts_the_rest() {
        let mut problems = Problems::new();
        for _ in 0..PROBLEMS_MAX {
            problems.error_nowhere("no", "");
        }
        assert_eq!((problems.errors(), problems.left_out()), (PROBLEMS_MAX, 0));
        problems.error_nowhere("no", "");
        assert_eq!((problems.errors(), problems.left_out()), (PROBLEMS_MAX + 1, 1));
        assert_eq!(problems.iter().count(), PROBLEMS_MAX);
    }
}
