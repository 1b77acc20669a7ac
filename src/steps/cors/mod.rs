//! CORS of HTTP APIs: what browsers are told of other sites' pages that call an API
//! (`api-gateway.md` 9.1, the Fetch Standard).
//!
//! Compiled once: a request costs a look for `Origin` and a search among the allowed ones, and
//! allocates nothing. It decides nothing about who is served: a browser keeps an answer from a
//! page, anybody else reads it. Origins are in [`origin`], what a document may say in [`compile`].

mod compile;
mod explain;
mod origin;

pub use compile::{CorsDraft, Fault, Member};
pub use explain::PreflightVerdict;

use crate::{
    http::{Fields, Method, Name},
    steps::context::CrossOrigin,
};
use origin::Origins;

/// What an API tells browsers.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    /// What stands in a preflight's answer behind the allowed origin, as lines.
    preflight: Box<[u8]>,
    /// What stands in other answers behind it, as lines.
    actual: Box<[u8]>,
    methods: Methods,
    headers: Names,
    /// Some of the allowed origins as the document has them, for people.
    origins_text: String,
}

/// The methods that pages may use.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Methods {
    Any,
    These(Vec<Method>),
}

/// The header fields that pages may send: names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    /// There is a `*`.
    any: bool,
    names: Vec<String>,
}

impl Cors {
    /// What the answer to a preflight says; `None` when the request is none. The lists are told
    /// as they are, whatever is asked for: the browser compares.
    #[inline]
    #[must_use]
    pub fn preflight<'r>(&'r self, method: Method, fields: Fields<'r>) -> Option<CrossOrigin<'r>> {
        if method != Method::Options {
            return None;
        }
        let origin = fields.find(Name::Origin)?;
        fields.named(REQUEST_METHOD).next()?;
        let origin = self.allowed(origin, fields);
        Some(told(origin, &self.preflight))
    }

    /// What the answer to a request that is no preflight says.
    #[inline]
    #[must_use]
    pub fn actual<'r>(&'r self, fields: Fields<'r>) -> CrossOrigin<'r> {
        match fields.find(Name::Origin) {
            Some(origin) => told(self.allowed(origin, fields), &self.actual),
            None => CrossOrigin::Unasked,
        }
    }

    /// What `access-control-allow-origin` says, if the origin is allowed. A request has one
    /// (RFC 6454 7.3): who sends two is no browser, and gets no permission.
    fn allowed<'r>(&self, origin: &'r [u8], fields: Fields<'_>) -> Option<&'r [u8]> {
        let is_only = fields.all(Name::Origin).nth(1).is_none();
        self.origins.find(origin).filter(|_| is_only)
    }
}

fn told<'r>(origin: Option<&'r [u8]>, lines: &'r [u8]) -> CrossOrigin<'r> {
    origin.map_or(CrossOrigin::Refused, |origin| CrossOrigin::Allowed { origin, lines })
}

/// What makes a preflight of an OPTIONS request with an `Origin`.
const REQUEST_METHOD: &[u8] = b"access-control-request-method";
/// The fields that the page wants to send.
const REQUEST_HEADERS: &[u8] = b"access-control-request-headers";

#[cfg(test)]
mod tests;
