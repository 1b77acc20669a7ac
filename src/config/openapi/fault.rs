//! Why a single text is not what it should be, before it has a place: half a sentence and a fix.

pub(super) use crate::config::shorten;

/// What is wrong with a text, and how to mend it. The caller adds where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Follows the name of the thing ("uri ", "path /x "): a verb and what was found.
    pub what: String,
    /// The remedy.
    pub fix: String,
}

/// Shorthand for the many early exits.
pub(super) fn fault<T>(what: String, fix: &str) -> Result<T, Fault> {
    Err(Fault { what, fix: fix.to_owned() })
}
