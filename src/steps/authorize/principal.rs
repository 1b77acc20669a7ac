//! Who signed a request: a user or role of the principal store, compiled.
//!
//! Not here: the store, its keys, and how a signature is checked.

use super::policy::Policy;
use crate::base::WallTime;

/// One user or role of the principal store.
pub struct Principal {
    /// `arn:aws:iam::123456789012:user/alice`, `arn:aws:sts::..:assumed-role/ROLE/SESSION`, or the
    /// account's root.
    pub arn: Box<str>,
    /// The account: 12 digits.
    pub account_id: Box<str>,
    /// `AIDA..`, or `AROA..:session` (`aws:userid`).
    pub user_id: Box<str>,
    /// Of IAM users only (`aws:username`).
    pub user_name: Option<Box<str>>,
    /// What kind of principal it is (`aws:PrincipalType`).
    pub kind: PrincipalType,
    /// Its organization (`aws:PrincipalOrgID`).
    pub org_id: Option<Box<str>>,
    /// Where in the organization it stands (`aws:PrincipalOrgPaths`).
    pub org_paths: Box<[Box<str>]>,
    /// Its tags; names are compared without case (`aws:PrincipalTag/x`).
    pub tags: Box<[(Box<str>, Box<str>)]>,
    /// When multi-factor authentication was given.
    pub mfa: Option<WallTime>,
    /// What it may do.
    pub policies: Box<[Policy]>,
}

/// The kinds of principals, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalType {
    /// The account itself, its root.
    Account,
    /// An IAM user.
    User,
    /// A session of a role.
    AssumedRole,
    /// A session of a federated user.
    FederatedUser,
}

impl PrincipalType {
    /// As `aws:PrincipalType` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::User => "User",
            Self::AssumedRole => "AssumedRole",
            Self::FederatedUser => "FederatedUser",
        }
    }
}
