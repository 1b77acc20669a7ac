//! A request about keys, plans and usage, from its path, query and body.

use std::str::FromStr;

use super::{Answer, bad_request};
use crate::{
    admin::answers::not_allowed,
    base::limits::{USAGE_DAYS_KEPT, USAGE_PAGE_MAX},
    http::Method,
    json::{Body, Path},
    ledger::period::Day,
};

/// As many items as AWS sends when nothing is said.
const PAGE_ITEMS: usize = 25;
/// What a patch may ask for at once.
const OPERATIONS_MAX: usize = 10;

/// What a request wants; ids as sent, of things that may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageQuestion {
    /// All keys; those whose name begins with this.
    Keys(Option<String>, Page),
    /// One key.
    Key(String),
    /// Switch a key on or off.
    Switch(String, bool),
    /// All usage plans; those that this key is in.
    Plans(Option<String>, Page),
    /// One usage plan.
    Plan(String),
    /// A plan's keys.
    PlanKeys(String, Page),
    /// One of them.
    PlanKey(String, String),
    /// What the keys of a plan used.
    Usage {
        /// The plan.
        plan: String,
        /// One of its keys, or all.
        key: Option<String>,
        /// The first day and the last.
        days: (Day, Day),
        /// Which keys.
        page: Page,
    },
    /// Change what remains of a key's quota.
    Extend {
        /// The plan.
        plan: String,
        /// The key.
        key: String,
        /// What shall remain.
        remaining: u64,
    },
}

/// A part of a list in the order of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What comes behind this id.
    pub position: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// What a request to this path wants; `None` when it is not one of these paths.
///
/// # Errors
/// The 400 or 405 to be sent instead.
pub fn parse(
    method: Method,
    path: &[u8],
    query: Option<&[u8]>,
    body: &[u8],
) -> Option<Result<UsageQuestion, Answer>> {
    let path = str::from_utf8(path).ok()?;
    let segments: Vec<String> =
        path.strip_prefix('/')?.split('/').map(|segment| decoded(segment, false)).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let reads = matches!(method, Method::Get | Method::Head);
    let changes = method == Method::Patch;
    let question = match *segments {
        ["apikeys"]
        | ["usageplans"]
        | ["usageplans", _, "keys"]
        | ["usageplans", _, "usage"]
        | ["usageplans", _, "keys", _]
        | ["usageplans", _]
        | ["apikeys", _]
            if reads =>
        {
            read(&segments, &Query(query.unwrap_or_default()))
        }
        ["apikeys", key] if changes => patch(body, "/enabled", "true or false")
            .map(|enabled| UsageQuestion::Switch(key.to_owned(), enabled)),
        ["usageplans", plan, "keys", key, "usage"] if changes => {
            let remaining = patch(body, "/remaining", "a number from 0 on, as a string");
            let (plan, key) = (plan.to_owned(), key.to_owned());
            remaining.map(|remaining| UsageQuestion::Extend { plan, key, remaining })
        }
        ["apikeys", _] => Err(not_allowed("GET, HEAD, PATCH")),
        ["usageplans", _, "keys", _, "usage"] => Err(not_allowed("PATCH")),
        ["apikeys"] | ["usageplans"] | ["usageplans", _] => Err(not_allowed("GET, HEAD")),
        ["usageplans", _, "keys" | "usage"] | ["usageplans", _, "keys", _] => {
            Err(not_allowed("GET, HEAD"))
        }
        _ => return None,
    };
    Some(question)
}

fn read(segments: &[&str], query: &Query<'_>) -> Result<UsageQuestion, Answer> {
    Ok(match *segments {
        ["apikeys"] => UsageQuestion::Keys(query.find("name"), query.page()?),
        ["apikeys", key] => UsageQuestion::Key(key.to_owned()),
        ["usageplans"] => UsageQuestion::Plans(query.find("keyId"), query.page()?),
        ["usageplans", plan] => UsageQuestion::Plan(plan.to_owned()),
        ["usageplans", plan, "usage"] => UsageQuestion::Usage {
            plan: plan.to_owned(),
            key: query.find("keyId"),
            days: query.days()?,
            page: query.page()?,
        },
        ["usageplans", plan, _] => UsageQuestion::PlanKeys(plan.to_owned(), query.page()?),
        ["usageplans", plan, _, key] => UsageQuestion::PlanKey(plan.to_owned(), key.to_owned()),
        _ => return Err(bad_request("this path cannot be read")),
    })
}

/// The members of a query.
pub(in crate::admin) struct Query<'a>(pub(in crate::admin) &'a [u8]);

impl Query<'_> {
    fn find(&self, name: &str) -> Option<String> {
        let mut found = self.pairs().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value)
    }

    /// The members in order, decoded; none of what is no UTF-8.
    pub(in crate::admin) fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        let query = str::from_utf8(self.0).unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(name, value)| (decoded(name, true), decoded(value, true)))
    }

    fn page(&self) -> Result<Page, Answer> {
        let position = self.find("position").filter(|position| !position.is_empty());
        let limit = match self.find("limit") {
            None => PAGE_ITEMS,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=USAGE_PAGE_MAX).contains(limit));
                limit.ok_or_else(|| {
                    bad_request(&format!("limit is {text:?}; write 1 to {USAGE_PAGE_MAX}"))
                })?
            }
        };
        Ok(Page { position, limit })
    }

    fn days(&self) -> Result<(Day, Day), Answer> {
        let day = |name| {
            let text = self.find(name);
            let text =
                text.ok_or_else(|| bad_request(&format!("{name} is missing; YYYY-MM-DD")))?;
            let day = text.parse::<Day>();
            day.map_err(|fault| bad_request(&format!("{name} is {text:?}; {fault}")))
        };
        let (from, to) = (day("startDate")?, day("endDate")?);
        if to < from {
            return Err(bad_request(&format!("endDate {to} is before startDate {from}")));
        }
        if to.0 - from.0 >= USAGE_DAYS_KEPT {
            let sentence = format!("more than {USAGE_DAYS_KEPT} days from startDate to endDate");
            return Err(bad_request(&sentence));
        }
        Ok((from, to))
    }
}

/// The value of the patch's only kind of operation; that of the last.
fn patch<T: FromStr>(body: &[u8], path: &str, expected: &str) -> Result<T, Answer> {
    let body = Body::new(body);
    let member = |number: usize, name: &str| {
        let at = Path::parse(&format!("patchOperations[{number}].{name}")).ok()?;
        let mut text = Vec::new();
        body.render(&at, &mut text).then(|| String::from_utf8_lossy(&text).into_owned())
    };
    let mut value = None;
    for number in 0..=OPERATIONS_MAX {
        let Some(op) = member(number, "op") else { break };
        let at = member(number, "path").unwrap_or_default();
        if number == OPERATIONS_MAX || op != "replace" || at != path {
            let sentence = format!(
                "patchOperations[{number}] is {op} {at}; this takes replace {path}, and all else \
                 is changed in the gateway file"
            );
            return Err(bad_request(&sentence));
        }
        let text = member(number, "value").unwrap_or_default();
        // AWS's clients send "False" of Python's, too.
        let parsed = text.to_ascii_lowercase().parse();
        value = Some(parsed.map_err(|_| {
            bad_request(&format!("patchOperations[{number}].value is {text:?}; write {expected}"))
        })?);
    }
    value.ok_or_else(|| {
        bad_request(&format!(
            "write {{\"patchOperations\":[{{\"op\":\"replace\",\"path\":\"{path}\",\
             \"value\":\"..\"}}]}}; the value is {expected}"
        ))
    })
}

/// `%XX` decoded, in a query `+` too; what is no UTF-8 then is nobody's id.
fn decoded(text: &str, is_query: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let hex = behind.first_chunk::<2>().and_then(|pair| str::from_utf8(pair).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                rest = &behind[2..];
            }
            (b'+', _) if is_query => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
