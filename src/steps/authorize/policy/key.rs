//! The condition keys (`api-gateway.md` 3.2): what policies may ask of a request, and its values.
//!
//! Names have no case. `aws:SourceVpce` and `aws:SourceVpc` are the labels of the listener; with
//! several labels they have several values. `aws:SourceIp` is known for all requests, also of
//! labelled listeners, where AWS has `aws:VpcSourceIp` only; that one is known there as well.

use std::{cell::OnceCell, net::IpAddr};

use super::{Asked, network};
use crate::steps::{
    authorize::principal::{Principal, PrincipalType},
    context::IsoTime,
};

/// A condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    CurrentTime,
    EpochTime,
    Referer,
    SecureTransport,
    SourceIp,
    SourceVpc,
    SourceVpce,
    VpcSourceIp,
    UserAgent,
    PrincipalAccount,
    PrincipalArn,
    PrincipalOrgId,
    PrincipalOrgPaths,
    PrincipalTag(Box<str>),
    PrincipalType,
    UserId,
    UserName,
    MfaPresent,
    MfaAge,
    /// AWS has it, and no request here does.
    Never,
    /// Nobody has it.
    Unknown,
}

/// What the values of a key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text of the writer's own: may be a number, a time, anything.
    Free,
    Time,
    /// A time, and a number too.
    Epoch,
    Number,
    Bool,
    Address,
    Arn,
}

/// One value of a key.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    /// Milliseconds since the epoch.
    Time(u64),
    /// Seconds since the epoch.
    Epoch(u64),
    Number(u64),
    Bool(bool),
}

/// The values of a key; none when the request does not have it.
pub(super) enum Values<'a> {
    None,
    One(Value<'a>),
    Labels(&'a [String]),
    Paths(&'a [Box<str>]),
}

const NAMES: &[(&str, Key)] = &[
    ("aws:CurrentTime", Key::CurrentTime),
    ("aws:EpochTime", Key::EpochTime),
    ("aws:Referer", Key::Referer),
    ("aws:SecureTransport", Key::SecureTransport),
    ("aws:SourceIp", Key::SourceIp),
    ("aws:SourceVpc", Key::SourceVpc),
    ("aws:SourceVpce", Key::SourceVpce),
    ("aws:VpcSourceIp", Key::VpcSourceIp),
    ("aws:UserAgent", Key::UserAgent),
    ("aws:PrincipalAccount", Key::PrincipalAccount),
    ("aws:PrincipalArn", Key::PrincipalArn),
    ("aws:PrincipalOrgID", Key::PrincipalOrgId),
    ("aws:PrincipalOrgPaths", Key::PrincipalOrgPaths),
    ("aws:PrincipalType", Key::PrincipalType),
    ("aws:userid", Key::UserId),
    ("aws:username", Key::UserName),
    ("aws:MultiFactorAuthPresent", Key::MfaPresent),
    ("aws:MultiFactorAuthAge", Key::MfaAge),
    ("aws:SourceArn", Key::Never),
    ("aws:TokenIssueTime", Key::Never),
];
const TAG: &str = "aws:PrincipalTag/";

impl Key {
    /// The key of this name.
    pub(super) fn parse(name: &str) -> Self {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if let Some((_, key)) = NAMES.iter().find(|(known, _)| is(known)) {
            return key.clone();
        }
        match name.split_at_checked(TAG.len()) {
            Some((start, tag)) if start.eq_ignore_ascii_case(TAG) && !tag.is_empty() => {
                Self::PrincipalTag(tag.into())
            }
            _ => Self::Unknown,
        }
    }

    /// The names that there are.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name).chain([TAG])
    }

    /// What its values are.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::CurrentTime => Kind::Time,
            Self::EpochTime => Kind::Epoch,
            Self::SecureTransport | Self::MfaPresent => Kind::Bool,
            Self::SourceIp | Self::VpcSourceIp => Kind::Address,
            Self::MfaAge => Kind::Number,
            Self::PrincipalArn => Kind::Arn,
            Self::PrincipalTag(_) | Self::Never | Self::Unknown => Kind::Free,
            Self::Referer
            | Self::SourceVpc
            | Self::SourceVpce
            | Self::UserAgent
            | Self::PrincipalAccount
            | Self::PrincipalOrgId
            | Self::PrincipalOrgPaths
            | Self::PrincipalType
            | Self::UserId
            | Self::UserName => Kind::Text,
        }
    }

    /// Whether its value depends on who signed the request.
    pub(super) const fn is_of_principal(&self) -> bool {
        matches!(
            self,
            Self::PrincipalAccount
                | Self::PrincipalArn
                | Self::PrincipalOrgId
                | Self::PrincipalOrgPaths
                | Self::PrincipalTag(_)
                | Self::PrincipalType
                | Self::UserId
                | Self::UserName
                | Self::MfaPresent
                | Self::MfaAge
        )
    }

    /// Whether every request has it.
    pub(super) const fn is_always_there(&self) -> bool {
        matches!(self, Self::CurrentTime | Self::EpochTime | Self::SecureTransport)
    }
}

/// A request while a policy looks at it: what has to be made of it is made once.
pub(super) struct View<'a> {
    pub(super) asked: &'a Asked<'a>,
    address: OnceCell<Option<IpAddr>>,
    time: OnceCell<IsoTime>,
    numbers: [OnceCell<Small>; 2],
    role: OnceCell<Small>,
}

/// A short text that had to be made.
struct Small {
    text: [u8; SMALL_BYTES_MAX],
    length: usize,
}
/// The ARN of a role: its name has at most 64 characters.
const SMALL_BYTES_MAX: usize = 128;

impl Small {
    /// The texts, one behind the other; empty when they do not fit.
    fn of(pieces: &[&str]) -> Self {
        let mut small = Self { text: [0; SMALL_BYTES_MAX], length: 0 };
        for piece in pieces {
            let end = small.length + piece.len();
            let Some(place) = small.text.get_mut(small.length..end) else {
                return Self { length: 0, ..small };
            };
            place.copy_from_slice(piece.as_bytes());
            small.length = end;
        }
        small
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

impl<'a> View<'a> {
    pub(super) const fn new(asked: &'a Asked<'a>) -> Self {
        Self {
            asked,
            address: OnceCell::new(),
            time: OnceCell::new(),
            numbers: [OnceCell::new(), OnceCell::new()],
            role: OnceCell::new(),
        }
    }

    /// The values of a key.
    pub(super) fn values(&self, key: &Key) -> Values<'_> {
        let conditions = &self.asked.conditions;
        let one = |value: Option<Value<'a>>| value.map_or(Values::None, Values::One);
        let text = |text: Option<&'a [u8]>| one(text.map(Value::Text));
        let principal = self.asked.principal;
        let said = |of: fn(&'a Principal) -> Option<&'a str>| {
            text(principal.and_then(of).map(str::as_bytes))
        };
        match key {
            Key::CurrentTime => Values::One(Value::Time(conditions.now.0)),
            Key::EpochTime => Values::One(Value::Epoch(conditions.now.seconds())),
            Key::Referer => text(conditions.referer),
            Key::SecureTransport => Values::One(Value::Bool(conditions.is_secure)),
            Key::SourceIp => text(self.address().map(|_| conditions.source_ip)),
            Key::VpcSourceIp if conditions.labels.is_empty() => Values::None,
            Key::VpcSourceIp => text(self.address().map(|_| conditions.source_ip)),
            Key::SourceVpc | Key::SourceVpce => Values::Labels(conditions.labels),
            Key::UserAgent => text(conditions.user_agent),
            Key::PrincipalAccount => said(|principal| Some(&principal.account_id)),
            Key::PrincipalArn => match principal {
                Some(principal) => Values::One(Value::Text(self.arn(principal))),
                None => Values::None,
            },
            Key::PrincipalOrgId => said(|principal| principal.org_id.as_deref()),
            Key::PrincipalOrgPaths => {
                principal.map_or(Values::None, |principal| Values::Paths(&principal.org_paths))
            }
            Key::PrincipalTag(name) => {
                text(principal.and_then(|principal| tag(principal, name)).map(str::as_bytes))
            }
            Key::PrincipalType => said(|principal| Some(principal.kind.as_str())),
            Key::UserId => said(|principal| Some(&principal.user_id)),
            Key::UserName => said(|principal| principal.user_name.as_deref()),
            Key::MfaPresent => one(principal.and_then(mfa_present).map(Value::Bool)),
            Key::MfaAge => one(principal.and_then(|principal| {
                let given = principal.mfa?.seconds();
                Some(Value::Number(conditions.now.seconds().saturating_sub(given)))
            })),
            Key::Never | Key::Unknown => Values::None,
        }
    }

    /// The one value of a key as text; with several there is none.
    pub(super) fn text_of(&self, key: &Key) -> Option<&[u8]> {
        match self.values(key) {
            Values::One(value) => Some(self.text(value)),
            Values::Labels([label]) => Some(label.as_bytes()),
            Values::Paths([path]) => Some(path.as_bytes()),
            Values::None | Values::Labels(_) | Values::Paths(_) => None,
        }
    }

    /// A value as text.
    pub(super) fn text<'v>(&'v self, value: Value<'v>) -> &'v [u8] {
        match value {
            Value::Text(text) => text,
            Value::Bool(true) => b"true",
            Value::Bool(false) => b"false",
            Value::Time(time) => self.time.get_or_init(|| IsoTime::new(time / 1000)).as_bytes(),
            Value::Epoch(number) => self.number(0, number),
            Value::Number(number) => self.number(1, number),
        }
    }

    fn number(&self, place: usize, number: u64) -> &[u8] {
        self.numbers[place].get_or_init(|| Small::of(&[itoa::Buffer::new().format(number)])).bytes()
    }

    /// A value as an address.
    pub(super) fn address_of(&self, key: &Key, value: Value<'_>) -> Option<IpAddr> {
        match (key, value) {
            (Key::SourceIp | Key::VpcSourceIp, _) => self.address(),
            (_, Value::Text(text)) => network::address(text),
            _ => None,
        }
    }

    fn address(&self) -> Option<IpAddr> {
        *self.address.get_or_init(|| network::address(self.asked.conditions.source_ip))
    }

    /// AWS has the role's ARN here where a session of it signs.
    fn arn(&self, principal: &'a Principal) -> &[u8] {
        let Some((account, role)) = session(principal) else { return principal.arn.as_bytes() };
        let partition = principal.arn.split(':').nth(1).unwrap_or("aws");
        let pieces = ["arn:", partition, ":iam::", account, ":role/", role];
        self.role.get_or_init(|| Small::of(&pieces)).bytes()
    }
}

/// The account and the role's name, of a principal that is a session of a role.
pub(super) fn session(principal: &Principal) -> Option<(&str, &str)> {
    let resource = principal.arn.splitn(6, ':').nth(5)?;
    let (role, _) = resource.strip_prefix("assumed-role/")?.rsplit_once('/')?;
    Some((&principal.account_id, role))
}

fn tag<'a>(principal: &'a Principal, name: &str) -> Option<&'a str> {
    let mut tags = principal.tags.iter();
    tags.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
}

/// Temporary credentials say whether; those of a user say it only when it is so.
const fn mfa_present(principal: &Principal) -> Option<bool> {
    match (principal.mfa, principal.kind) {
        (Some(_), _) => Some(true),
        (None, PrincipalType::AssumedRole | PrincipalType::FederatedUser) => Some(false),
        (None, PrincipalType::User | PrincipalType::Account) => None,
    }
}
