//! What IAM policy documents say of a request (`api-gateway.md` 3.2), compiled once.
//!
//! [`Policy::compile`] reads a document of AWS's policy language and tells what is wrong with it,
//! and what can never match; [`Policy::evaluate`] allocates nothing. What several policies come to
//! is [`decide`]'s; the ARN that a request is asked under, [`MethodArn`]'s.
//!
//! Where AWS's texts leave room: a resource is compared as one text, so that a star reaches over
//! slashes and colons; ARNs in conditions are compared part by part. `?` is one byte. The value of
//! a variable is text, stars in it too. Not here: which API has which policy (`plan`), and when it
//! is asked (`gateway::authorize`). What attackers try: `attacks.md`.

mod arn;
mod caller;
mod combine;
mod compile;
mod condition;
mod glob;
mod key;
mod network;
mod operator;
mod refusal;
mod statement;
mod time;

pub use arn::MethodArn;
pub use combine::{Caller, Decision, decide, judge};
pub use refusal::refusal;
pub use statement::Miss;
pub use time::parse as parse_time;

use self::{key::View, statement::Statement};
use super::principal::Principal;
use crate::{base::WallTime, json::strict::Value};

/// One policy document, compiled.
pub struct Policy {
    denies: Box<[Statement]>,
    allows: Box<[Statement]>,
}

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
    pub fn compile(document: &Value, kind: PolicyKind<'_>) -> Result<(Self, Vec<Note>), Vec<Note>> {
        compile::compile(document, kind)
    }

    /// What it says of a request. Allocates nothing.
    #[must_use]
    pub fn evaluate(&self, asked: &Asked<'_>) -> Effect {
        self.evaluate_if(asked, |_| true)
    }

    /// What an API's policy says to a principal of the API's own account: what it allows to the
    /// account as a whole is for the account to hand on.
    #[must_use]
    pub fn evaluate_at_home(&self, principal: &Principal, asked: &Asked<'_>) -> Effect {
        self.evaluate_if(asked, |statement| statement.callers.grant(principal))
    }

    fn evaluate_if(&self, asked: &Asked<'_>, may: impl Fn(&Statement) -> bool) -> Effect {
        let view = View::new(asked);
        let meets = |statement: &Statement| statement.meets(asked, &view).is_ok();
        if self.denies.iter().any(meets) {
            Effect::Deny
        } else if self.allows.iter().any(|statement| may(statement) && meets(statement)) {
            Effect::Allow
        } else {
            Effect::Silent
        }
    }

    /// Whether it denies a request whoever makes it: what can be asked before anybody has found out
    /// who that is. Statements that depend on it are not asked.
    #[must_use]
    pub fn forbids(&self, asked: &Asked<'_>) -> bool {
        let view = View::new(asked);
        let mut denies = self.denies.iter().filter(|statement| !statement.is_of_principal);
        denies.any(|statement| statement.meets(asked, &view).is_ok())
    }

    /// What each statement says of a request, those that deny first: its name, what it would do,
    /// and why it does not.
    pub fn explain<'a>(&'a self, asked: &Asked<'_>) -> Vec<(&'a str, Effect, Option<Miss<'a>>)> {
        let view = View::new(asked);
        let told = |statement: &'a Statement, effect| {
            (&*statement.name, effect, statement.meets(asked, &view).err())
        };
        let denies = self.denies.iter().map(|statement| told(statement, Effect::Deny));
        let allows = self.allows.iter().map(|statement| told(statement, Effect::Allow));
        denies.chain(allows).collect()
    }
}

#[cfg(test)]
mod tests;
