//! What IAM policy documents say of a request (`api-gateway.md` 3.2), compiled once.

use super::principal::Principal;
use crate::{base::WallTime, json::strict::Value};

/// One policy document, compiled.
pub struct Policy {}

/// Where a policy stands, which decides what its statements have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind<'a> {
    /// At an API: statements name principals. `execute-api:/..` stands for this prefix and what
    /// follows: `arn:aws:execute-api:{region}:{account}:{apiId}`.
    Resource(&'a str),
    /// At a principal: statements name none.
    Identity,
}

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A statement allows it, and none denies it.
    Allow,
    /// A statement denies it.
    Deny,
    /// No statement is about it.
    Silent,
}

/// Something to be told of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where in the document, as a JSON pointer (RFC 6901).
    pub path: String,
    /// What is wrong, or what will never match.
    pub sentence: String,
    /// How to mend it.
    pub fix: String,
}

/// What a caller wants to do, `execute-api:` before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To call a method.
    Invoke,
    /// To have a cached answer made anew.
    InvalidateCache,
    /// To send to a WebSocket connection.
    ManageConnections,
}

/// What conditions may ask of a request, besides its principal.
#[derive(Clone, Copy)]
pub struct Conditions<'a> {
    /// When it came.
    pub now: WallTime,
    /// The client's address as text.
    pub source_ip: &'a [u8],
    /// `User-Agent`; `None` without one.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer`; `None` without one, and with several.
    pub referer: Option<&'a [u8]>,
    /// Whether it came by TLS.
    pub is_secure: bool,
    /// The labels of the listener that it came by.
    pub labels: &'a [String],
}

/// A request, as policies see it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What is to be done.
    pub action: Action,
    /// To what: the method's ARN.
    pub resource: &'a [u8],
    /// By whom, if somebody signed it.
    pub principal: Option<&'a Principal>,
    /// Under which conditions.
    pub conditions: Conditions<'a>,
}

impl Policy {
    /// Compiles a document; the notes are warnings.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(
        _document: &Value,
        _kind: PolicyKind<'_>,
    ) -> Result<(Self, Vec<Note>), Vec<Note>> {
        Ok((Self {}, Vec::new()))
    }

    /// What it says of a request. Allocates nothing.
    #[must_use]
    pub const fn evaluate(&self, _asked: &Asked<'_>) -> Effect {
        Effect::Silent
    }
}
