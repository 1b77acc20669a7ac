//! Who signed a request: a user or role of the principal store, compiled.
//!
//! [`Principals`] is the store: who has which access key. Not here: how a signature is checked.

mod arn;

pub use arn::PrincipalArn;

use std::collections::{HashMap, hash_map};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::policy::Policy;
use crate::{
    base::{WallTime, limits::ACCESS_KEYS_MAX},
    steps::{context::Identity, reject::IamFault},
};

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

/// A principal as a document describes it.
pub struct PrincipalDraft {
    /// Who it is.
    pub principal: Principal,
    /// Its access keys.
    pub keys: Vec<AccessKeyDraft>,
}

/// An access key as a document describes it. Has no `Debug`: the secret is in it.
pub struct AccessKeyDraft {
    /// `accessKeyId`
    pub id: String,
    /// `secretAccessKey`
    pub secret: String,
    /// `sessionToken`, which temporary keys have.
    pub token: Option<String>,
    /// Until when it holds.
    pub expires: Option<WallTime>,
    /// Whether its status is `Active`.
    pub is_active: bool,
}

/// The principals of a gateway, found by their access keys.
#[derive(Default)]
pub struct Principals {
    principals: Vec<Principal>,
    keys: HashMap<Box<str>, AccessKey>,
}

/// An access key. Has no `Debug`.
pub struct AccessKey {
    /// Its id.
    pub id: Box<str>,
    principal: usize,
    secret: Box<[u8]>,
    token: Option<Box<[u8]>>,
    expires: Option<WallTime>,
    is_active: bool,
}

impl Principals {
    /// Compiles the store.
    ///
    /// # Errors
    /// One sentence for each access key that is there twice, or that they are too many.
    pub fn compile(drafts: Vec<PrincipalDraft>) -> Result<Self, Vec<String>> {
        let (mut store, mut faults) = (Self::default(), Vec::new());
        for PrincipalDraft { principal, keys } in drafts {
            let place = store.principals.len();
            for AccessKeyDraft { id, secret, token, expires, is_active } in keys {
                match store.keys.entry(id.into()) {
                    hash_map::Entry::Occupied(known) => {
                        let (id, arn) = (known.key(), &principal.arn);
                        faults.push(format!("the access key {id} of {arn} is there twice"));
                    }
                    hash_map::Entry::Vacant(free) => {
                        let id = free.key().clone();
                        let secret = secret.into_bytes().into();
                        let token = token.map(|token| token.into_bytes().into());
                        let principal = place;
                        free.insert(AccessKey { id, principal, secret, token, expires, is_active });
                    }
                }
            }
            store.principals.push(principal);
        }
        if store.keys.len() > ACCESS_KEYS_MAX {
            faults.push(format!("more than {ACCESS_KEYS_MAX} access keys"));
        }
        if faults.is_empty() { Ok(store) } else { Err(faults) }
    }

    /// The key of this id, if it may be used now with this session token.
    ///
    /// # Errors
    /// [`IamFault::UnknownKey`], [`IamFault::ExpiredKey`]
    pub fn find(
        &self,
        id: &str,
        token: Option<&str>,
        now: WallTime,
    ) -> Result<&AccessKey, IamFault> {
        let key = self.keys.get(id).filter(|key| key.is_active).ok_or(IamFault::UnknownKey)?;
        let is_token = match (&key.token, token) {
            (None, None) => true,
            (Some(own), Some(sent)) => verify_slices_are_equal(own, sent.as_bytes()).is_ok(),
            _ => false,
        };
        if !is_token {
            return Err(IamFault::UnknownKey);
        }
        match key.expires {
            Some(expires) if now >= expires => Err(IamFault::ExpiredKey),
            _ => Ok(key),
        }
    }

    /// Whose key it is.
    #[must_use]
    pub fn owner(&self, key: &AccessKey) -> &Principal {
        &self.principals[key.principal]
    }

    /// Whether nobody can sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl AccessKey {
    /// Who signed with it, as mappings and logs may know.
    #[must_use]
    pub fn identity<'a>(&'a self, owner: &'a Principal) -> Identity<'a> {
        Identity {
            access_key: &self.id,
            account_id: &owner.account_id,
            user_id: &owner.user_id,
            user_arn: &owner.arn,
            org_id: owner.org_id.as_deref().unwrap_or_default(),
        }
    }

    /// What it signs with.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}
