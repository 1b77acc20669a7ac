//! What a caller's own policies and the API's policy come to together: the table of
//! `api-gateway.md` 3.2, as a function.

use super::{Asked, Effect, Policy};
use crate::steps::{authorize::principal::Principal, reject::Denial};

/// Who calls, as far as it matters which policies have to allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody was asked, or an authorizer let a token in: only the API's policy has a say, and it
    /// has to allow the request.
    Anybody,
    /// A principal of the API's own account, and what its own policies say.
    Ours(Effect),
    /// A principal of another account: both have to allow it.
    Foreign(Effect),
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is let in.
    Allow,
    /// It is refused.
    Refuse(Denial),
}

/// What comes of a request. `api` is what the API's policy says; `None` when it has none.
#[must_use]
pub const fn decide(caller: Caller, api: Option<Effect>) -> Decision {
    use Effect::{Allow, Deny, Silent};
    match (caller, api) {
        (_, Some(Deny)) | (Caller::Ours(Deny) | Caller::Foreign(Deny), _) => {
            Decision::Refuse(Denial::Explicit)
        }
        (Caller::Anybody, None | Some(Allow))
        | (Caller::Ours(Allow), None | Some(Allow | Silent))
        | (Caller::Ours(Silent), Some(Allow))
        | (Caller::Foreign(Allow), Some(Allow)) => Decision::Allow,
        (Caller::Anybody | Caller::Ours(Silent), Some(Silent))
        | (Caller::Ours(Silent), None)
        | (Caller::Foreign(Allow | Silent), None | Some(Silent))
        | (Caller::Foreign(Silent), Some(Allow)) => Decision::Refuse(Denial::Implicit),
    }
}

/// What comes of a request to an API of this account, by the API's policy and those of the
/// principal that asks.
#[must_use]
pub fn judge(api: Option<&Policy>, account: &str, asked: &Asked<'_>) -> Decision {
    let said = api.map(|policy| policy.evaluate(asked));
    let caller = match asked.principal {
        None => Caller::Anybody,
        Some(Principal { account_id, policies, .. }) => {
            let own = policies.iter().map(|policy| policy.evaluate(asked));
            let own = own.fold(Effect::Silent, Effect::or);
            if **account_id == *account { Caller::Ours(own) } else { Caller::Foreign(own) }
        }
    };
    decide(caller, said)
}

impl Effect {
    /// What two documents come to when one of them is enough.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Allow, _) | (_, Self::Allow) => Self::Allow,
            _ => Self::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of 3.2, row by row.
    #[test]
    fn every_row_of_the_table() {
        use Effect::{Allow, Deny, Silent};
        let (allow, implicit, explicit) = (
            Decision::Allow,
            Decision::Refuse(Denial::Implicit),
            Decision::Refuse(Denial::Explicit),
        );
        let rows = [
            (Allow, Some(Allow), allow, allow),
            (Allow, Some(Silent), allow, implicit),
            (Allow, Some(Deny), explicit, explicit),
            (Silent, Some(Allow), allow, implicit),
            (Silent, Some(Silent), implicit, implicit),
            (Silent, Some(Deny), explicit, explicit),
            (Deny, Some(Allow), explicit, explicit),
            (Deny, Some(Silent), explicit, explicit),
            (Deny, Some(Deny), explicit, explicit),
            // An API without a policy is one whose policy is silent.
            (Allow, None, allow, implicit),
            (Silent, None, implicit, implicit),
            (Deny, None, explicit, explicit),
        ];
        for (identity, api, ours, foreign) in rows {
            let row = format!("{identity:?}, {api:?}");
            assert_eq!(decide(Caller::Ours(identity), api), ours, "{row}, same account");
            assert_eq!(decide(Caller::Foreign(identity), api), foreign, "{row}, cross account");
        }
        // Without an identity of IAM the API's policy alone has to allow it.
        assert_eq!(decide(Caller::Anybody, None), allow);
        assert_eq!(decide(Caller::Anybody, Some(Allow)), allow);
        assert_eq!(decide(Caller::Anybody, Some(Silent)), implicit);
        assert_eq!(decide(Caller::Anybody, Some(Deny)), explicit);
    }

    #[test]
    fn a_denial_beats_everything() {
        use Effect::{Allow, Deny, Silent};
        let all = [Allow, Deny, Silent];
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (*one, *other))) {
            let has_denial = one == Deny || other == Deny;
            assert_eq!(one.or(other) == Deny, has_denial);
            assert_eq!(one.or(other) == Allow, !has_denial && (one == Allow || other == Allow));
        }
    }
}
