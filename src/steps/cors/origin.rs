//! Origins: scheme, host and port (RFC 6454), as a document allows them and as browsers send
//! them.
//!
//! Scheme and host have no case, and a port that is the scheme's own is left out (RFC 6454 4 and
//! 6.1): allowed origins are compiled to that form, and found without regard to case. All else is
//! compared byte by byte.

use crate::base::limits::CORS_ORIGIN_BYTES_MAX;

/// Allowed origins, compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    /// `*`
    any: bool,
    /// `http://*`
    any_http: bool,
    /// `https://*`
    any_https: bool,
    /// In lower case, sorted.
    exact: Vec<Box<[u8]>>,
}

/// One entry of `allowOrigins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// `*`
    Any,
    /// `http://*`
    AnyHttp,
    /// `https://*`
    AnyHttps,
    /// In lower case, without the scheme's own port.
    Exact(String),
}

/// What is wrong with an entry, and how to mend it.
pub(super) type Wrong = (String, String);

impl Origins {
    pub(super) fn compile(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut origins = Self::default();
        for pattern in patterns {
            match pattern {
                Pattern::Any => origins.any = true,
                Pattern::AnyHttp => origins.any_http = true,
                Pattern::AnyHttps => origins.any_https = true,
                Pattern::Exact(text) => origins.exact.push(text.into_bytes().into()),
            }
        }
        origins.exact.sort_unstable();
        origins
    }

    /// What `access-control-allow-origin` says to a request from `origin`: `*`, or the origin as
    /// it was sent; `None` when it is not allowed.
    pub(super) fn find<'r>(&self, origin: &'r [u8]) -> Option<&'r [u8]> {
        if self.any {
            return Some(b"*");
        }
        let follows = |scheme: &[u8]| {
            let (start, rest) = origin.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let is_any = self.any_https && follows(b"https://").is_some_and(is_authority)
            || self.any_http && follows(b"http://").is_some_and(is_authority);
        let sent = || origin.iter().map(u8::to_ascii_lowercase);
        let is_exact = || {
            let found = self.exact.binary_search_by(|known| known.iter().copied().cmp(sent()));
            found.is_ok()
        };
        (is_any || is_exact()).then_some(origin)
    }
}

/// Whether this is a host and perhaps a port and nothing else: a list of origins, a path or
/// something with a space in it is not echoed.
fn is_authority(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    !text.is_empty() && text.iter().all(plain)
}

impl Pattern {
    /// The entry of this text.
    ///
    /// # Errors
    /// What is wrong with it: half a sentence that follows the text, and the fix.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        const FORM: &str =
            "write scheme, host and, if need be, port, as in https://app.example.com";
        let wrong = |what: &str, fix: &str| Err((what.to_owned(), fix.to_owned()));
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "*" => return Ok(Self::Any),
            "http://*" => return Ok(Self::AnyHttp),
            "https://*" => return Ok(Self::AnyHttps),
            "null" => {
                return wrong(
                    "is what every sandboxed page and local file sends as its origin",
                    FORM,
                );
            }
            _ => {}
        }
        if text.len() > CORS_ORIGIN_BYTES_MAX {
            let what =
                format!("has {} bytes; at most {CORS_ORIGIN_BYTES_MAX} are taken", text.len());
            return wrong(&what, FORM);
        }
        let Some((scheme, rest)) = lower.split_once("://") else {
            return wrong("has no scheme; an origin has one", FORM);
        };
        if !is_scheme(scheme) {
            return wrong("has a scheme that is none", FORM);
        }
        let (authority, path) = match rest.find(['/', '?', '#', '\\']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let origin = format!("{scheme}://{authority}");
        match path {
            "" => {}
            "/" => {
                let what = "ends in a slash; browsers send none, so it would match nothing";
                return wrong(what, &format!("write {origin}"));
            }
            _ => {
                let what = "has a path; an origin ends with its host and port";
                return wrong(what, &format!("write {origin}"));
            }
        }
        if authority.contains('@') {
            return wrong("has user information; an origin has none", "remove it with the @");
        }
        let (host, port) = split_port(authority);
        check_host(host)?;
        let Some(port) = port else { return Ok(Self::Exact(origin)) };
        let is_port = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse::<u16>() {
            Ok(number) if is_port => {
                let own = matches!((scheme, number), ("http", 80) | ("https", 443));
                Ok(Self::Exact(if own { format!("{scheme}://{host}") } else { origin }))
            }
            _ => wrong("has a port that is none", "write 1 to 65535, without a zero before it"),
        }
    }
}

/// RFC 3986 3.1, in lower case.
fn is_scheme(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(plain)
}

/// A host and what follows its last colon, which an IPv6 address in brackets has inside too.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn check_host(host: &str) -> Result<(), Wrong> {
    let wrong = |what: &str, fix: &str| Err((what.to_owned(), fix.to_owned()));
    if host.is_empty() {
        return wrong("names no host", "write it behind ://");
    }
    if host.contains('*') {
        let what = "has a * within its host; only a whole host may be one";
        return wrong(what, "list the hosts one by one, or write https://* for all");
    }
    if !host.is_ascii() {
        let what = "has letters beyond ASCII, which browsers do not send";
        return wrong(what, "write the host as they do, in Punycode (xn--..)");
    }
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    match is_host {
        true => Ok(()),
        false => {
            wrong("has a host that is none", "write a name, an IPv4 address, or [an IPv6 one]")
        }
    }
}
