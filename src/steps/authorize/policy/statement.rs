//! One statement of a policy, and whether a request is meant by it.

use super::{
    Action, Asked,
    caller::Callers,
    condition::Condition,
    glob::{Case, Pattern},
    key::View,
};

/// A statement, compiled.
pub(super) struct Statement {
    /// `statement 2 (Sid)`, for people.
    pub(super) name: Box<str>,
    pub(super) actions: Actions,
    pub(super) callers: Callers,
    pub(super) resources: Resources,
    pub(super) conditions: Box<[Condition]>,
    /// Whether it depends on who signed the request.
    pub(super) is_of_principal: bool,
}

/// A set of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Actions(pub(super) u8);

/// What a statement is about.
pub(super) enum Resources {
    /// What is like one of these.
    Only(Box<[Pattern]>),
    /// What is like none of these.
    Except(Box<[Pattern]>),
}

/// Why a statement is not about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss<'a> {
    /// It is about another action.
    Action,
    /// It is about other callers.
    Principal,
    /// It is about other resources.
    Resource,
    /// This condition, operator and key, does not hold.
    Condition(&'a str),
}

impl Actions {
    pub(super) const ALL: [(&'static str, Action); 3] = [
        ("execute-api:Invoke", Action::Invoke),
        ("execute-api:InvalidateCache", Action::InvalidateCache),
        ("execute-api:ManageConnections", Action::ManageConnections),
    ];

    pub(super) const fn of(action: Action) -> Self {
        match action {
            Action::Invoke => Self(1),
            Action::InvalidateCache => Self(2),
            Action::ManageConnections => Self(4),
        }
    }
}

impl Statement {
    /// Whether it is about a request.
    ///
    /// # Errors
    /// The first thing that keeps it from being so.
    #[inline]
    pub(super) fn meets(&self, asked: &Asked<'_>, view: &View<'_>) -> Result<(), Miss<'_>> {
        if self.actions.0 & Actions::of(asked.action).0 == 0 {
            return Err(Miss::Action);
        }
        if !self.callers.include(asked.principal) {
            return Err(Miss::Principal);
        }
        let is_like = |all: &[Pattern]| {
            all.iter().any(|pattern| pattern.matches(asked.resource, view, Case::Sensitive))
        };
        let is_meant = match &self.resources {
            Resources::Only(all) => is_like(all),
            Resources::Except(all) => {
                // A variable without a value: the element is about nothing.
                !is_like(all) && all.iter().all(|pattern| pattern.is_known(view))
            }
        };
        if !is_meant {
            return Err(Miss::Resource);
        }
        match self.conditions.iter().find(|condition| !condition.holds(view)) {
            Some(condition) => Err(Miss::Condition(&condition.text)),
            None => Ok(()),
        }
    }
}
