//! A hashed password as a file has it: bcrypt (`$2a$`, `$2b$`, `$2y$`) or Argon2id (`$argon2id$`).
//! Weaker kinds are refused with a sentence that says how to make a better line.

use std::fmt;

use argon2::{Argon2, PasswordVerifier, password_hash::phc};

use crate::base::limits::{ARGON2_KIB_MAX, ARGON2_PASSES_MAX, BCRYPT_COST_MAX};

/// A hash that can be verified, its cost within bounds.
pub struct PasswordHash {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bcrypt,
    Argon2id,
}

/// A hash tells a password to whoever has the time.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}(..)", self.kind)
    }
}

/// What to do about a hash that is not taken.
pub(super) const FIX: &str = "make a line with: htpasswd -nB -C 12 USER (bcrypt)";

impl PasswordHash {
    /// Reads a hash.
    ///
    /// # Errors
    /// The end of a sentence, which does not say the hash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        let kind = if is(&["$2a$", "$2b$", "$2y$"]) {
            check_bcrypt(text)?;
            Kind::Bcrypt
        } else if is(&["$argon2id$"]) {
            check_argon2(text)?;
            Kind::Argon2id
        } else {
            let what = match text {
                _ if is(&["$apr1$", "$1$"]) => "is MD5 (apr1), which is guessed by the billion",
                _ if is(&["{SHA}", "{SSHA}"]) => "is SHA-1, which is guessed by the billion",
                _ if is(&["$5$", "$6$"]) => "is sha-crypt, which is not taken",
                _ if is(&["$argon2i$", "$argon2d$"]) => "is Argon2, but not Argon2id",
                _ if is(&["$2x$"]) => "is bcrypt of a version with a known fault (2x)",
                _ if text.len() == 13 => "looks like crypt(3), which is guessed in minutes",
                _ => "is no hash that is known",
            };
            return Err(what.to_owned());
        };
        Ok(Self { text: text.into(), kind })
    }

    /// Whether it is this password's. Holds a core for as long as the hash asks for. As everywhere,
    /// bcrypt looks at the first 72 bytes.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        match self.kind {
            Kind::Bcrypt => bcrypt::verify(password, &self.text).unwrap_or(false),
            Kind::Argon2id => phc::PasswordHash::new(&self.text)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
        }
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

fn check_bcrypt(text: &str) -> Result<(), String> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| "is a broken bcrypt hash")?;
    match parts.get_cost() {
        cost @ 4..=BCRYPT_COST_MAX => {
            let _ = cost;
            Ok(())
        }
        cost => Err(format!("has bcrypt's cost {cost}; 4 to {BCRYPT_COST_MAX} are taken")),
    }
}

fn check_argon2(text: &str) -> Result<(), String> {
    const BROKEN: &str = "is a broken Argon2id hash";
    let hash = phc::PasswordHash::new(text).map_err(|_| BROKEN)?;
    let params = argon2::Params::try_from(&hash).map_err(|_| BROKEN)?;
    if hash.hash.is_none() || hash.salt.is_none() {
        return Err(BROKEN.to_owned());
    }
    if params.m_cost() > ARGON2_KIB_MAX || params.t_cost() > ARGON2_PASSES_MAX {
        return Err(format!(
            "asks Argon2id for more than m={ARGON2_KIB_MAX} (KiB) or t={ARGON2_PASSES_MAX}"
        ));
    }
    Ok(())
}
