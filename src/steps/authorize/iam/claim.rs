//! The signature that a head carries, in `Authorization` or in the query, and what can be asked of
//! it without a secret.

use std::borrow::Cow;

use super::{Fault, stamp};
use crate::{
    base::WallTime,
    http::{Fields, Name},
};

/// What is signed of a request, besides its body.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The method as it was sent.
    pub method: &'a str,
    /// The path as it was sent, with the stage.
    pub path: &'a [u8],
    /// The query as it was sent.
    pub query: Option<&'a [u8]>,
    /// The header fields.
    pub fields: Fields<'a>,
}

/// A signature, and who is said to have made it. Shows nothing in `Debug`: it has none.
pub struct Claim<'a> {
    /// The access key's id.
    pub key_id: Cow<'a, str>,
    /// Date, region, service and terminator, slashes between them.
    pub(super) scope: Cow<'a, str>,
    pub(super) headers: Cow<'a, str>,
    pub(super) signature: Cow<'a, str>,
    pub(super) stamp: Cow<'a, str>,
    /// The session token that was sent.
    pub token: Option<Cow<'a, str>>,
    /// Seconds that a presigned request holds; `None` in a header.
    pub(super) expires: Option<Cow<'a, str>>,
}

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far clocks may differ, and how long a signature in a header holds, in seconds.
const SKEW_SECONDS: u64 = 300;
const EXPIRES_SECONDS_MAX: u64 = 604_800;

impl<'a> Claim<'a> {
    /// Takes the signature out of a head.
    ///
    /// # Errors
    /// There is none, or several, or it is not whole.
    pub fn read(signed: &Signed<'a>) -> Result<Self, Fault> {
        let query = signed.query.unwrap_or_default();
        let is_presigned = pairs(query).any(|(name, _)| {
            let name = decode(name);
            let marks = ["x-amz-signature", "x-amz-algorithm", "x-amz-credential"];
            marks.iter().any(|mark| name.eq_ignore_ascii_case(mark))
        });
        let mut headers = signed.fields.all(Name::Authorization);
        match (headers.next(), headers.next(), is_presigned) {
            (None, _, false) => Err(Fault::Missing),
            (None, _, true) => Self::of_query(query),
            (Some(header), None, false) => Self::of_header(header, signed.fields),
            (Some(_), ..) => Err(Fault::Several),
        }
    }

    fn of_header(header: &'a [u8], fields: Fields<'a>) -> Result<Self, Fault> {
        let header = str::from_utf8(header).map_err(|_| Fault::NotKeyValue)?;
        let (algorithm, parts) = header.split_once(' ').unwrap_or((header, ""));
        if algorithm != ALGORITHM {
            return Err(Fault::NotKeyValue);
        }
        let mut found = [None; 3];
        let parts = parts.split([',', ' ']).filter(|part| !part.is_empty());
        for part in parts {
            let (name, value) = part.split_once('=').ok_or(Fault::NotKeyValue)?;
            let place =
                ["Credential", "Signature", "SignedHeaders"].iter().position(|n| *n == name);
            let place = place.ok_or(Fault::NotKeyValue)?;
            if found[place].replace(value).is_some() {
                return Err(Fault::Several);
            }
        }
        let date = one(fields, b"x-amz-date")?;
        let date = match date {
            Some(date) => Some(date),
            None => one(fields, b"date")?,
        };
        let token = one(fields, b"x-amz-security-token")?.map(Cow::Borrowed);
        let [credential, signature, headers] = found;
        let (Some(credential), Some(signature), Some(headers), Some(date)) =
            (credential, signature, headers, date)
        else {
            let is_missing = |part: Option<&str>| part.is_none_or(str::is_empty);
            return Err(Fault::Incomplete([credential, signature, headers, date].map(is_missing)));
        };
        let claim = [credential, headers, signature, date].map(Cow::Borrowed);
        Self::new(claim, token, None)
    }

    fn of_query(query: &'a [u8]) -> Result<Self, Fault> {
        let names = ["Algorithm", "Credential", "SignedHeaders", "Signature", "Date", "Expires"];
        let mut found: [Option<Cow<'a, str>>; 7] = Default::default();
        for (name, value) in pairs(query) {
            let name = decode(name);
            let Some(short) = name.strip_prefix("X-Amz-") else { continue };
            let place = names.iter().chain(&["Security-Token"]).position(|name| *name == short);
            let Some(place) = place else { continue };
            if found[place].replace(decode(value)).is_some() {
                return Err(Fault::Several);
            }
        }
        let [algorithm, credential, headers, signature, date, expires, token] = found;
        if algorithm.as_deref() != Some(ALGORITHM) {
            return Err(Fault::NotKeyValue);
        }
        let (Some(credential), Some(headers), Some(signature), Some(date)) =
            (&credential, &headers, &signature, &date)
        else {
            let parts = [&credential, &signature, &headers, &date];
            return Err(Fault::Incomplete(parts.map(Option::is_none)));
        };
        let claim = [credential, headers, signature, date].map(Clone::clone);
        Self::new(claim, token, Some(expires.ok_or(Fault::Expires)?))
    }

    fn new(
        [credential, headers, signature, stamp]: [Cow<'a, str>; 4],
        token: Option<Cow<'a, str>>,
        expires: Option<Cow<'a, str>>,
    ) -> Result<Self, Fault> {
        if credential.split('/').count() != 5 {
            return Err(Fault::Credential);
        }
        let (key_id, scope) = match credential {
            Cow::Borrowed(text) => {
                let (id, scope) = text.split_once('/').ok_or(Fault::Credential)?;
                (Cow::Borrowed(id), Cow::Borrowed(scope))
            }
            Cow::Owned(text) => {
                let (id, scope) = text.split_once('/').ok_or(Fault::Credential)?;
                (Cow::Owned(id.to_owned()), Cow::Owned(scope.to_owned()))
            }
        };
        Ok(Self { key_id, scope, headers, signature, stamp, token, expires })
    }

    /// How long it holds from its date on, in seconds.
    pub(super) fn holds_seconds(&self) -> u64 {
        self.expires.as_ref().map_or(SKEW_SECONDS, |text| text.parse().unwrap_or(0))
    }

    /// Whether it is in the query string.
    #[must_use]
    pub const fn is_presigned(&self) -> bool {
        self.expires.is_some()
    }

    /// Asks what needs no secret: scope, time, and which headers are signed.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check(
        &self,
        signed: &Signed<'_>,
        (region, service): (&str, &str),
        now: WallTime,
    ) -> Result<(), Fault> {
        let made = stamp::parse(&self.stamp).ok_or(Fault::Date)?;
        let mut scope = self.scope.split('/');
        if scope.next() != self.stamp.get(..8) {
            return Err(Fault::ScopeDate);
        }
        if scope.next() != Some(region) {
            return Err(Fault::Region);
        }
        if scope.next() != Some(service) {
            return Err(Fault::Service);
        }
        if scope.next() != Some("aws4_request") {
            return Err(Fault::Terminator);
        }
        let holds = match &self.expires {
            None => SKEW_SECONDS,
            Some(text) => {
                let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let seconds = text.parse().ok().filter(|_| sound);
                let range = 1..=EXPIRES_SECONDS_MAX;
                seconds.filter(|seconds| range.contains(seconds)).ok_or(Fault::Expires)?
            }
        };
        // In milliseconds, so that a signature is not a second too long a good one.
        if now.0 > (made + holds) * 1000 {
            return Err(Fault::Expired);
        }
        if made * 1000 > now.0 + SKEW_SECONDS * 1000 {
            return Err(Fault::NotYet);
        }
        self.check_headers(signed.fields)
    }

    fn check_headers(&self, fields: Fields<'_>) -> Result<(), Fault> {
        let mut before = "";
        for name in self.headers.split(';') {
            let is_there = fields.named(name.as_bytes()).next().is_some();
            if name <= before || name.bytes().any(|byte| byte.is_ascii_uppercase()) || !is_there {
                return Err(Fault::SignedHeaders);
            }
            before = name;
        }
        let is_signed = |sent: &[u8]| {
            self.headers.split(';').any(|name| name.as_bytes().eq_ignore_ascii_case(sent))
        };
        let must =
            |sent: &[u8]| sent.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-"));
        let are_all = fields.iter().all(|(_, name, _)| !must(name) || is_signed(name));
        // A date that decides is signed, whichever header it is in.
        let has_date = self.is_presigned() || is_signed(b"x-amz-date") || is_signed(b"date");
        if are_all && has_date && is_signed(b"host") { Ok(()) } else { Err(Fault::Unsigned) }
    }
}

/// The value of a header that may be there once.
fn one<'a>(fields: Fields<'a>, name: &'a [u8]) -> Result<Option<&'a str>, Fault> {
    let mut values = fields.named(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => str::from_utf8(value).map(Some).map_err(|_| Fault::Date),
        (Some(_), Some(_)) => Err(Fault::Several),
    }
}

/// Parameters of a query that make a signature of it.
const OF_A_SIGNATURE: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// A query without the signature in it: whoever it is passed on to could send it again.
#[must_use]
pub fn unsigned_query(query: &[u8]) -> Vec<u8> {
    let is_kept = |name: &[u8]| {
        let name = decode(name);
        !OF_A_SIGNATURE.iter().any(|known| known.eq_ignore_ascii_case(&name))
    };
    let kept = query.split(|&byte| byte == b'&').filter(|pair| {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        is_kept(name)
    });
    kept.collect::<Vec<_>>().join(&b'&')
}

/// Names and values of a query, as they were sent.
pub(super) fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &pair[pair.len()..]),
    })
}

/// Percent escapes taken off; what is no UTF-8 then is nothing that a signature has.
pub(super) fn decode(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'%') {
        return String::from_utf8_lossy(text);
    }
    Cow::Owned(String::from_utf8_lossy(&unescape(text)).into_owned())
}

pub(super) fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                text = &rest[2..];
            }
            _ => {
                out.push(byte);
                text = rest;
            }
        }
    }
    out
}
