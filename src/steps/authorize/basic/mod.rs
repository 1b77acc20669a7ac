//! Basic authentication (RFC 7617) against hashed passwords: Ringway's own, AWS has none.
//!
//! The user is found here and the password is not judged here: a hash that is worth anything holds
//! a core for 50 to 300 ms, so [`Question::answer`] is for a thread that is no shard's
//! (`serve::proofs`). What was verified is remembered by a keyed digest ([`Verified`]). What is
//! refused, and why, is told in [`attacks`].

#[doc = include_str!("attacks.md")]
pub mod attacks {}
mod cache;
mod credentials;
mod hash;
mod users;

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::hmac;

pub use cache::Verified;
pub use credentials::{Credentials, find};
pub use hash::PasswordHash;
pub use users::Users;

use crate::steps::{
    authorize::proof::{self, neighbourhood},
    reject::BasicFault,
};

/// A basic authorizer, compiled.
pub struct BasicAuthorizer {
    /// The name of its security scheme.
    pub name: String,
    /// What `www-authenticate` says.
    realm: Box<str>,
    users: Users,
}

/// Tells users' passwords from others', under a key that the process makes at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim([u8; 32]);

/// The key of [`Claim`]s.
pub struct ClaimKey(hmac::Key);

impl ClaimKey {
    /// A key of these random bytes.
    #[must_use]
    pub fn new(random: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, random))
    }
}

/// Whether a password is a user's, for a thread that has the time.
pub struct Question {
    claim: Claim,
    source: IpAddr,
    hash: Arc<PasswordHash>,
    is_known: bool,
    password: Box<[u8]>,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.password.fill(0);
    }
}

impl proof::Question for Question {
    type Claim = Claim;

    fn claim(&self) -> Claim {
        self.claim
    }

    fn source(&self) -> IpAddr {
        self.source
    }

    /// Hashes the password. For a user that there is not, as much is done, and it is not.
    fn answer(&self) -> bool {
        self.hash.verify(&self.password) && self.is_known
    }
}

/// What is known of credentials before anything is hashed.
pub struct Asked<'a> {
    /// The user, when there is one of this name.
    pub user: Option<&'a str>,
    /// What would have to be verified.
    pub claim: Claim,
    hash: &'a Arc<PasswordHash>,
}

impl BasicAuthorizer {
    /// Compiles one.
    #[must_use]
    pub fn compile(name: String, realm: &str, users: Users) -> Self {
        Self { name, realm: realm.into(), users }
    }

    /// What clients are told to name themselves for.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// How many users there are.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// What has to be found out. The claim is about this authorizer, this user with the hash that
    /// there is now, and this password: a changed line of the file is another claim.
    #[must_use]
    pub fn ask(&self, key: &ClaimKey, credentials: &Credentials) -> Asked<'_> {
        let found = self.users.find(credentials.user());
        let (user, hash) = match found {
            Some((user, hash)) => (Some(user), hash),
            None => (None, self.users.any()),
        };
        let mut context = hmac::Context::with_key(&key.0);
        context.update(&[u8::from(user.is_some())]);
        for part in [
            self.name.as_bytes(),
            self.realm.as_bytes(),
            hash.text().as_bytes(),
            credentials.user().as_bytes(),
            credentials.password(),
        ] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        Asked { user, claim: Claim(tag.as_ref().try_into().expect("it has 32 bytes")), hash }
    }

    /// Says at once what a shard must never ask: for the command line.
    ///
    /// # Errors
    /// That it is no user's password.
    pub fn verify(&self, credentials: &Credentials) -> Result<&str, BasicFault> {
        let (user, hash) = self.users.find(credentials.user()).ok_or(BasicFault::Wrong)?;
        hash.verify(credentials.password()).then_some(user).ok_or(BasicFault::Wrong)
    }
}

impl Asked<'_> {
    /// The question, from a client of this address. IPv6 clients have networks of 64 bits.
    #[must_use]
    pub fn question(&self, credentials: &Credentials, source: IpAddr) -> Question {
        Question {
            claim: self.claim,
            source: neighbourhood(source),
            hash: Arc::clone(self.hash),
            is_known: self.user.is_some(),
            password: credentials.password().into(),
        }
    }
}

#[cfg(test)]
mod tests;
