//! The users of an authorizer, as an htpasswd file has them: `user:hash` in a line.

use std::{collections::HashMap, sync::Arc};

use super::PasswordHash;
use crate::base::limits::{BASIC_BYTES_MAX, BASIC_USERS_MAX};

/// Users by name.
#[derive(Debug, Default)]
pub struct Users(HashMap<Box<str>, Arc<PasswordHash>>, Option<Arc<PasswordHash>>);

/// A user that is not taken: in which line (from 1), what is wrong, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub struct UserFault {
    /// The line; 0 when it is about none.
    pub line: u32,
    /// The sentence. It says no hash.
    pub what: String,
    /// And the fix.
    pub fix: &'static str,
}

impl Users {
    /// Reads a file: empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<UserFault>> {
        let fault = |line, what: &str, fix| UserFault { line, what: what.to_owned(), fix };
        let (mut users, mut faults) = (Self::default(), Vec::new());
        for (line, bytes) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let Ok(said) = str::from_utf8(bytes.trim_ascii()) else {
                faults.push(fault(line, "the line is not UTF-8", "save the file as UTF-8"));
                continue;
            };
            if said.is_empty() || said.starts_with('#') {
                continue;
            }
            let Some((name, hash)) = said.split_once(':') else {
                faults.push(fault(line, "the line has no colon", super::hash::FIX));
                continue;
            };
            if let Err(fault) = users.add(name, hash) {
                faults.push(UserFault { line, ..fault });
            }
            if users.0.len() > BASIC_USERS_MAX {
                let what = format!("there are more than {BASIC_USERS_MAX} users");
                faults.push(UserFault { line, what, fix: "remove some" });
                break;
            }
        }
        if faults.is_empty() { Ok(users) } else { Err(faults) }
    }

    /// Adds a user.
    ///
    /// # Errors
    /// Why not, of no line.
    pub fn add(&mut self, name: &str, hash: &str) -> Result<(), UserFault> {
        let fault = |what: String, fix| UserFault { line: 0, what, fix };
        let is_name = !name.is_empty()
            && name.len() < BASIC_BYTES_MAX
            && !name.contains(|letter: char| letter.is_control() || letter == ':');
        if !is_name {
            let what = "a user's name is empty, too long, or has a colon or a control character";
            return Err(fault(what.to_owned(), "choose another name"));
        }
        let shown = name.escape_debug();
        let hash = PasswordHash::parse(hash)
            .map_err(|what| fault(format!("the hash of {shown} {what}"), super::hash::FIX))?;
        if self.0.contains_key(name) {
            return Err(fault(format!("user {shown} is there twice"), "keep one of them"));
        }
        let hash = Arc::new(hash);
        self.1.get_or_insert_with(|| Arc::clone(&hash));
        self.0.insert(name.into(), hash);
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn find(&self, name: &str) -> Option<(&str, &Arc<PasswordHash>)> {
        self.0.get_key_value(name).map(|(name, hash)| (&**name, hash))
    }

    /// The first user's, which takes the time of an unknown one.
    pub(super) fn any(&self) -> &Arc<PasswordHash> {
        self.1.as_ref().expect("an authorizer without users is refused when it is read")
    }
}
