//! Whom a statement is about: `Principal` and `NotPrincipal`.

use super::key::session;
use crate::steps::authorize::principal::{Principal, PrincipalType};

/// Whom a statement is about.
pub(super) enum Callers {
    /// Everybody, also who signed nothing.
    Everyone,
    /// These.
    Only(Box<[Who]>),
    /// All but these.
    Except(Box<[Who]>),
}

/// One or several principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// All of an account: its root's ARN, or its number.
    Account(Box<str>),
    /// One, by its ARN: a user, a session.
    Arn(Box<str>),
    /// All sessions of a role: account and name.
    Role(Box<str>, Box<str>),
    /// One, by its id (`AIDA..`); all sessions of a role, by the role's (`AROA..`).
    Id(Box<str>),
    /// AWS has these callers, and no request here comes of one: services and the like.
    Nobody,
}

impl Callers {
    pub(super) fn include(&self, principal: Option<&Principal>) -> bool {
        let is_one_of = |all: &[Who]| {
            principal.is_some_and(|principal| all.iter().any(|who| who.is(principal)))
        };
        match self {
            Self::Everyone => true,
            Self::Only(all) => is_one_of(all),
            Self::Except(all) => !is_one_of(all),
        }
    }

    /// Whether an allowance for these is one for the principal itself. One for its whole account
    /// leaves it to the account whom it lets in, by policies of their own.
    pub(super) fn grant(&self, principal: &Principal) -> bool {
        let is_root = principal.kind == PrincipalType::Account;
        match self {
            Self::Everyone | Self::Except(_) => true,
            Self::Only(all) => all
                .iter()
                .any(|who| who.is(principal) && (is_root || !matches!(who, Who::Account(_)))),
        }
    }
}

impl Who {
    /// Reads what stands under `AWS`; `None` when it is none of the forms.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if is_account(text) {
            return Some(Self::Account(text.into()));
        }
        let is_id = text.len() >= 16
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_id && ["AIDA", "AROA"].iter().any(|start| text.starts_with(start)) {
            return Some(Self::Id(text.into()));
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = *parts.as_slice() else {
            return None;
        };
        if partition.is_empty() || !is_account(account) || resource.contains(['*', '?']) {
            return None;
        }
        let named = |kind: &str| {
            let name = resource.strip_prefix(kind)?.strip_prefix('/')?;
            let name = name.rsplit('/').next()?;
            (!name.is_empty()).then_some(name)
        };
        match service {
            "iam" if resource == "root" => Some(Self::Account(account.into())),
            "iam" if named("user").is_some() => Some(Self::Arn(text.into())),
            "iam" => named("role").map(|name| Self::Role(account.into(), name.into())),
            "sts" if named("federated-user").is_some() => Some(Self::Arn(text.into())),
            "sts" => named("assumed-role")
                .filter(|_| resource.split('/').count() == 3)
                .map(|_| Self::Arn(text.into())),
            _ => None,
        }
    }

    fn is(&self, principal: &Principal) -> bool {
        match self {
            Self::Account(id) => principal.account_id == *id,
            Self::Arn(arn) => principal.arn == *arn,
            Self::Role(account, name) => {
                session(principal).is_some_and(|(of, role)| of == &**account && role == &**name)
            }
            Self::Id(id) => {
                let own = principal.user_id.split(':').next().unwrap_or_default();
                own == &**id
            }
            Self::Nobody => false,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
