//! What one Ringway is set up with beside the plain routes: nothing, or what a row of comparisons
//! holds against nothing.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::Door;
use super::limits::{self, Limits};
use super::tokens::{self, Tokens};

/// With what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Nothing.
    Plain,
    /// Keys, throttles, quotas.
    Limits(Limits),
    /// Tokens.
    Tokens(Tokens),
}

impl Setup {
    /// All that are held against each other.
    pub(crate) fn compared() -> impl Iterator<Item = Self> {
        let limits = Limits::ALL.into_iter().map(Self::Limits);
        limits.chain(Tokens::ALL.into_iter().map(Self::Tokens))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "ringway",
            Self::Limits(limits) => limits.name(),
            Self::Tokens(tokens) => tokens.name(),
        }
    }

    pub(super) fn has(self, door: Door) -> bool {
        match self {
            Self::Plain => !matches!(door, Door::Keys | Door::Tokens),
            Self::Limits(_) => door == Door::Keys,
            Self::Tokens(_) => door == Door::Tokens,
        }
    }

    /// What the gateway file says of it; files that it names are in `folder`.
    pub(super) fn sections(self, folder: &Path) -> io::Result<Value> {
        match self {
            Self::Plain | Self::Tokens(_) => Ok(json!({})),
            Self::Limits(limits) => limits.sections(folder),
        }
    }

    /// What the stage says of it.
    pub(super) fn stage(self) -> Value {
        match self {
            Self::Plain => json!({"stageName": "$default"}),
            Self::Limits(limits) => limits.stage(),
            Self::Tokens(tokens) => tokens.stage(),
        }
    }

    /// The route that only it has, and what that asks of callers.
    pub(super) fn route(self) -> Option<(&'static str, Option<Value>)> {
        match self {
            Self::Plain => None,
            Self::Limits(limits) => Some((limits::PATH, limits.security())),
            Self::Tokens(tokens) => Some((tokens::PATH, tokens.security())),
        }
    }

    /// The security schemes of the definition.
    pub(super) fn schemes(self) -> Value {
        match self {
            Self::Tokens(Tokens::Jwt) => json!({"issuer": tokens::own_scheme()}),
            _ => json!({"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}),
        }
    }
}
