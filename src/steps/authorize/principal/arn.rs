//! The ARNs of those who may sign, and the ids that are made of them. A role is none: its sessions
//! sign.

use aws_lc_rs::digest;

use super::PrincipalType;

/// An ARN of a user, a session or an account's root, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrincipalArn<'a> {
    text: &'a str,
    partition: &'a str,
    /// 12 digits.
    pub account: &'a str,
    /// What it is an ARN of.
    pub kind: PrincipalType,
    /// Of a user: the name without its path. Of a session: the role's.
    name: &'a str,
    /// Of a session of a role.
    session: &'a str,
}

/// The letters of base 32, of which AWS's ids are.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters after the four that say what an id is of.
const ID_LETTERS: usize = 17;

impl<'a> PrincipalArn<'a> {
    /// Reads an ARN.
    ///
    /// # Errors
    /// What it is not, as the end of a sentence that begins with it.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = *parts.as_slice() else {
            return Err("is no ARN");
        };
        let is_region = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let more = partition.strip_prefix("aws").ok_or("has another partition than aws")?;
        if !(more.is_empty() || more.starts_with('-') && more.bytes().all(is_region)) {
            return Err("has another partition than aws");
        }
        if !region.is_empty() {
            return Err("has a region; who signs has none");
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("has no account of 12 digits");
        }
        let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
        let segments: Vec<&str> = rest.split('/').collect();
        let (kind, name, session) = match (service, kind, segments.as_slice()) {
            ("iam", "root", _) if kind == resource => (PrincipalType::Account, "", ""),
            ("iam", "user", [path @ .., name]) if path.iter().all(|part| is_path(part)) => {
                (PrincipalType::User, *name, "")
            }
            ("sts", "assumed-role", [role, session]) => {
                (PrincipalType::AssumedRole, *role, *session)
            }
            ("sts", "federated-user", [name]) => (PrincipalType::FederatedUser, *name, ""),
            ("iam", "role", _) => return Err("is of a role, whose sessions sign"),
            _ => return Err("is not of a user, a session or a root"),
        };
        let is_named = kind == PrincipalType::Account || is_name(name);
        if !is_named || kind == PrincipalType::AssumedRole && !is_name(session) {
            return Err("has a name that is not 1 to 64 of A-Z a-z 0-9 + = , . @ _ -");
        }
        Ok(Self { text, partition, account, kind, name, session })
    }

    /// Of an IAM user: its name, without a path.
    #[must_use]
    pub fn user_name(&self) -> Option<&'a str> {
        (self.kind == PrincipalType::User).then_some(self.name)
    }

    /// The id (`aws:userid`) of whom the ARN is of, where nobody says another: the same at every
    /// load, and for all sessions of a role the same up to the colon.
    #[must_use]
    pub fn id(&self) -> String {
        let Self { text, partition, account, name, session, .. } = *self;
        match self.kind {
            PrincipalType::Account => account.to_owned(),
            PrincipalType::FederatedUser => format!("{account}:{name}"),
            PrincipalType::User => format!("AIDA{}", letters(text)),
            PrincipalType::AssumedRole => {
                let role = format!("arn:{partition}:iam::{account}:role/{name}");
                format!("AROA{}:{session}", letters(&role))
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_sound)
}

/// A part of a user's path: AWS takes whatever is printable.
fn is_path(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn letters(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let letters = hash.as_ref().iter().map(|byte| LETTERS[usize::from(byte % 32)]);
    letters.take(ID_LETTERS).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_those_who_sign() {
        for (text, kind, name) in [
            ("arn:aws:iam::123456789012:user/alice", PrincipalType::User, Some("alice")),
            ("arn:aws-cn:iam::123456789012:user/a/b/al.i+ce", PrincipalType::User, Some("al.i+ce")),
            ("arn:aws:iam::123456789012:root", PrincipalType::Account, None),
            ("arn:aws:sts::123456789012:assumed-role/r/s", PrincipalType::AssumedRole, None),
            ("arn:aws:sts::123456789012:federated-user/f", PrincipalType::FederatedUser, None),
        ] {
            let arn = PrincipalArn::parse(text).unwrap();
            assert_eq!((arn.kind, arn.user_name()), (kind, name), "{text}");
            assert_eq!(arn.account, "123456789012");
        }
    }

    #[test]
    fn arns_of_nobody_who_signs() {
        for (text, why) in [
            ("alice", "is no ARN"),
            ("arn:azure:iam::123456789012:user/a", "another partition"),
            ("arn:awsx:iam::123456789012:user/a", "another partition"),
            ("arn:aws:iam:us-east-1:123456789012:user/a", "has a region"),
            ("arn:aws:iam::12345678901:user/a", "12 digits"),
            ("arn:aws:iam::12345678901x:user/a", "12 digits"),
            ("arn:aws:iam::123456789012:role/r", "whose sessions sign"),
            ("arn:aws:iam::123456789012:group/g", "is not of"),
            ("arn:aws:sts::123456789012:user/a", "is not of"),
            ("arn:aws:iam::123456789012:root/a", "is not of"),
            ("arn:aws:sts::123456789012:assumed-role/r", "is not of"),
            ("arn:aws:sts::123456789012:assumed-role/r/s/t", "is not of"),
            ("arn:aws:sts::123456789012:assumed-role/r/", "a name"),
            ("arn:aws:iam::123456789012:user/", "a name"),
            ("arn:aws:iam::123456789012:user", "a name"),
            ("arn:aws:iam::123456789012:user/a b", "a name"),
            ("arn:aws:iam::123456789012:user/a:b", "a name"),
            ("arn:aws:iam::123456789012:user//a", "is not of"),
            ("arn:aws:iam::123456789012:user/*", "a name"),
        ] {
            let fault = PrincipalArn::parse(text).expect_err(text);
            assert!(fault.contains(why), "{text} {fault}");
        }
    }

    #[test]
    fn ids_are_stable_and_sessions_share_their_role_s() {
        let id = |text: &str| PrincipalArn::parse(text).unwrap().id();
        assert_eq!(id("arn:aws:iam::123456789012:user/alice"), "AIDAXX5Y3VXJ2UDUMQWYZ");
        assert_ne!(id("arn:aws:iam::123456789012:user/bob"), "AIDAXX5Y3VXJ2UDUMQWYZ");
        assert_eq!(id("arn:aws:iam::123456789012:root"), "123456789012");
        assert_eq!(id("arn:aws:sts::123456789012:federated-user/f"), "123456789012:f");
        let (one, other) = ("assumed-role/r/one", "assumed-role/r/other");
        let [one, other] = [one, other].map(|end| id(&format!("arn:aws:sts::123456789012:{end}")));
        let (role, session) = one.split_once(':').unwrap();
        assert_eq!((role.len(), session), (21, "one"));
        assert_eq!(other, format!("{role}:other"));
    }
}
