//! A problem in a document, as a person wants it told: where, what, what was expected, the fix.

use std::{fmt, path::PathBuf, sync::Arc};

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Understood and left out, or how something that is not said is read; the gateway runs.
    Info,
    /// Probably not what was meant; the gateway runs.
    Warning,
    /// The plan cannot be compiled.
    Error,
}

/// Where in which document; lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The document's path as it was given.
    pub file: Arc<PathBuf>,
    /// First line of the value (or key) at fault.
    pub line: u32,
    /// First column of it.
    pub column: u32,
    /// Byte range in the document's text, for the excerpt.
    pub bytes: (u32, u32),
}

/// One problem: one clear sentence, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// Where; `None` when it is about no document (a flag, the machine).
    pub place: Option<Place>,
    /// What is wrong and what was expected, naming the thing: "stage prod, route GET /pets: ..".
    pub message: String,
    /// How to mend it; empty when the message already says so.
    pub fix: String,
}

impl Problem {
    /// An error of the process or the machine, not of a document.
    #[must_use]
    pub fn of_process(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: None, message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{}:{}:{}: ", place.file.display(), place.line, place.column)?;
        }
        write!(out, "{}", self.message)?;
        if self.fix.is_empty() { Ok(()) } else { write!(out, "; {}", self.fix) }
    }
}
