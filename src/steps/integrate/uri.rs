//! The URI of an `HTTP_PROXY` integration: where to connect, what Host says, and a template of the
//! target with `{param}` in it.

use super::Protocol;
use crate::http::Authority;

/// A parsed integration URI, stage variables already filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// `http` or `https`.
    pub protocol: Protocol,
    /// The host in lower case: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// What the upstream request's Host says: the host, and the port unless it is the usual one.
    pub authority: String,
    pub(super) path: Vec<Piece>,
    pub(super) query: Vec<Piece>,
}

/// A part of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// A path parameter by its place in the route's path.
    Parameter(usize),
}

impl Uri {
    /// Parses `http://host[:port][/path][?query]`, and `https`. `parameters` are the route's path
    /// parameters in the order of the path.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what was expected.
    pub fn parse(text: &str, parameters: &[&str]) -> Result<Self, String> {
        let fault = |what: String| format!("uri '{text}': {what}");
        let shape = "expected http://host[:port][/path], such as http://127.0.0.1:9000/pets/{id}";
        let (protocol, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Protocol::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Protocol::Https, rest),
            _ => return Err(fault(shape.into())),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if target.contains('#') {
            return Err(fault("a fragment is never sent; remove it".into()));
        }
        let usual = match protocol {
            Protocol::Http => 80,
            Protocol::Https => 443,
        };
        let (host, port) = split_authority(authority, usual).map_err(fault)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if path.is_empty() { "/" } else { path };
        let shown = if port == usual { host.clone() } else { format!("{host}:{port}") };
        Ok(Self {
            protocol,
            authority: shown,
            path: template(path, parameters).map_err(fault)?,
            query: template(query, parameters).map_err(fault)?,
            host,
            port,
        })
    }

    /// Nothing but scheme, host and port was said.
    #[must_use]
    pub fn is_origin(&self) -> bool {
        let is_root = matches!(&self.path[..], [Piece::Text(path)] if path == "/");
        is_root && self.query.is_empty()
    }

    /// Host and port of the upstream.
    #[must_use]
    pub fn upstream(&self) -> Authority<'_> {
        Authority { host: self.host.as_bytes(), port: Some(self.port) }
    }
}

fn split_authority(text: &str, usual: u16) -> Result<(String, u16), String> {
    if text.contains('@') {
        return Err("user information before '@' is not sent; remove it".to_owned());
    }
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text[colon..].contains(']') => {
            let digits = &text[colon + 1..];
            let port = digits.parse().ok().filter(|&port: &u16| port > 0);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.filter(|_| plain);
            (&text[..colon], port.ok_or(format!("'{digits}' is not a port from 1 to 65535"))?)
        }
        _ => (text, usual),
    };
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        if inner.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("'{inner}' is not an IPv6 address"));
        }
        return Ok((host.to_ascii_lowercase(), port));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !(1..=253).contains(&host.len()) || !host.bytes().all(plain) {
        return Err(format!("'{host}' is not a host name or an IP address"));
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn template(text: &str, parameters: &[&str]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err("a '{' is not closed".to_owned());
        };
        push_text(before, &mut pieces)?;
        let bare = name.strip_suffix('+').unwrap_or(name);
        let Some(place) = parameters.iter().position(|known| *known == bare) else {
            return Err(if parameters.is_empty() {
                format!("{{{name}}} has no value: the route has no path parameters")
            } else {
                format!("{{{name}}} has no value: the route has only {}", parameters.join(", "))
            });
        };
        pieces.push(Piece::Parameter(place));
        rest = tail;
    }
    push_text(rest, &mut pieces)?;
    Ok(pieces)
}

fn push_text(text: &str, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let foreign = |byte: u8| !byte.is_ascii_graphic() || b"\"<>\\^`|}#".contains(&byte);
    if text.bytes().any(foreign) {
        return Err(format!("'{text}' holds a character that must be percent-encoded"));
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, port: u16, authority: &str) {
        let uri = Uri::parse(text, &["id", "proxy"]).unwrap();
        assert_eq!((uri.host.as_str(), uri.port, uri.authority.as_str()), (host, port, authority));
    }

    #[track_caller]
    fn faulty(text: &str, part: &str) {
        let sentence = Uri::parse(text, &["id", "proxy"]).unwrap_err();
        assert!(sentence.contains(part), "{sentence}");
    }

    #[test]
    fn sound_uris() {
        check("http://Example.COM", "example.com", 80, "example.com");
        check("HTTP://example.com:80/x", "example.com", 80, "example.com");
        check("http://127.0.0.1:9000/pets/{id}", "127.0.0.1", 9000, "127.0.0.1:9000");
        check("http://[::1]:8080?x=1", "[::1]", 8080, "[::1]:8080");
        check("http://[::1]/", "[::1]", 80, "[::1]");
        check("https://example.com", "example.com", 443, "example.com");
        check("HTTPS://example.com:80/x", "example.com", 80, "example.com:80");
        check("http://example.com:443/x", "example.com", 443, "example.com:443");
        let uri = Uri::parse("http://h/a/{id}/b{proxy+}?q={id}", &["id", "proxy"]).unwrap();
        let text = |text: &str| Piece::Text(text.to_owned());
        let path = [text("/a/"), Piece::Parameter(0), text("/b"), Piece::Parameter(1)];
        assert_eq!(uri.path, path);
        assert_eq!(uri.query, [text("q="), Piece::Parameter(0)]);
    }

    #[test]
    fn faulty_uris() {
        faulty("example.com/pets", "expected http://");
        faulty("ftp://example.com", "expected http://");
        faulty("http://", "not a host name");
        faulty("http:///pets", "not a host name");
        faulty("http://a b/", "not a host name");
        faulty("http://user@host/", "user information");
        faulty("http://host:0/", "not a port");
        faulty("http://host:65536/", "not a port");
        faulty("http://host:+80/", "not a port");
        faulty("http://host:/", "not a port");
        faulty("http://[::g]/", "not an IPv6 address");
        faulty("http://host/{other}", "has only id, proxy");
        faulty("http://host/{id", "not closed");
        faulty("http://host/a b", "percent-encoded");
        faulty("http://host/a#b", "fragment");
        assert!(Uri::parse("http://host/{id}", &[]).unwrap_err().contains("no path parameters"));
    }
}
