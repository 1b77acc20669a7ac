//! What a caller's own policies and the API's policy come to together: the table of
//! `api-gateway.md` 3.2, as a function.

use super::{Asked, Effect, Policy};
use crate::steps::reject::Denial;

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
    let Some(principal) = asked.principal else {
        return decide(Caller::Anybody, api.map(|policy| policy.evaluate(asked)));
    };
    let own = principal.policies.iter().map(|policy| policy.evaluate(asked));
    let own = own.fold(Effect::Silent, Effect::or);
    if *principal.account_id == *account {
        let said = api.map(|policy| policy.evaluate_at_home(principal, asked));
        return decide(Caller::Ours(own), said);
    }
    decide(Caller::Foreign(own), api.map(|policy| policy.evaluate(asked)))
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
    use super::{
        super::{PolicyKind, tests},
        *,
    };
    use crate::{
        json::strict::Value,
        steps::authorize::principal::{Principal, PrincipalType},
    };

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

    /// As IAM's documentation has it of an account as a principal: the account hands on what it is
    /// allowed. Facts 3.2 are silent on it.
    #[test]
    fn what_an_account_is_allowed_is_for_its_principals_by_their_own_policies() {
        let compile = |text: &str, kind| {
            let value = Value::parse(text.as_bytes()).unwrap();
            Policy::compile(&value, kind).unwrap_or_else(|faults| panic!("{faults:?}")).0
        };
        let prefix = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234";
        let api = |who: &str| {
            let text = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"WHO"},"Action":"*",
                           "Resource":"*"}}"#;
            let text = text.replace("WHO", who);
            compile(&text, PolicyKind::Resource(prefix))
        };
        let own = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let judged = |who: &str, principal: &Principal| {
            let resource = format!("{prefix}/prod/GET/pets");
            let asked = tests::asked(resource.as_bytes(), Some(principal), &[]);
            judge(Some(&api(who)), "123456789012", &asked) == Decision::Allow
        };
        let root = "arn:aws:iam::123456789012:root";
        let mut alice = tests::alice();
        assert!(!judged(root, &alice) && !judged("123456789012", &alice));
        assert!(judged("arn:aws:iam::123456789012:user/alice", &alice) && judged("*", &alice));
        alice.policies = vec![compile(own, PolicyKind::Identity)].into();
        assert!(judged(root, &alice));
        let mut account = tests::alice();
        (account.kind, account.arn) = (PrincipalType::Account, root.into());
        assert!(judged(root, &account));
        let mut foreign = tests::alice();
        foreign.account_id = "210987654321".into();
        assert!(!judged("210987654321", &foreign));
        foreign.policies = vec![compile(own, PolicyKind::Identity)].into();
        assert!(judged("210987654321", &foreign) && !judged(root, &foreign));
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
