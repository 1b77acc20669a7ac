//! The rows of a comparison: what is asked for, how, and the names by which rows are chosen.

use std::io;

use serde::Serialize;

use crate::drive::{clients::Use, h2load};
use crate::peers::{Door, limits, tokens};
use crate::tls::{Beginning, Version};

/// The row of idle connections, which is no load.
pub(crate) const IDLE: &str = "idle";
/// Answered with 1 MiB.
pub(crate) const LONG_PATH: &str = "/1m";
/// Bodies of `/64k` and `/1m` are asked for by so many connections of HTTP/1.1.
const BODY_CONNECTIONS: usize = 64;
const HTTP2_CONNECTIONS: usize = 8;
/// Clients that make a new connection for each request.
const VISITORS: usize = 32;

/// What is spoken, and how connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// HTTP/1.1 on kept connections.
    Http,
    /// The same over TLS.
    Https,
    /// A new connection over TLS for each request.
    Handshake(Version, Beginning),
    /// HTTP/2 over TLS.
    Http2,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2Plain,
    /// HTTP/1.1 on kept connections, callers with API keys.
    HttpKeys,
    /// The same with tokens.
    HttpTokens,
}

/// One kind of load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Workload {
    /// By which it can be chosen: its group, `/`, and what is special of it.
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) path: String,
    pub(crate) connections: usize,
}

impl Workload {
    fn new(protocol: Protocol, path: &str, connections: usize) -> Self {
        let special = match (protocol, path) {
            (Protocol::Handshake(version, beginning), _) => {
                let version = version.to_string().replace([' ', '.'], "");
                format!("{version}-{beginning:?}").to_lowercase()
            }
            (Protocol::Http | Protocol::Https, "/") => connections.to_string(),
            (_, "/") => "small".to_owned(),
            (Protocol::HttpKeys | Protocol::HttpTokens, _) => connections.to_string(),
            (_, path) => path.trim_start_matches('/').to_owned(),
        };
        let name = format!("{}/{special}", group(protocol));
        Self { name, protocol, path: path.to_owned(), connections }
    }

    /// HTTP/1.1 without TLS.
    #[cfg(test)]
    pub(crate) fn plain(path: &str, connections: usize) -> Self {
        Self::new(Protocol::Http, path, connections)
    }

    pub(crate) fn is_small(&self) -> bool {
        self.path == "/" || matches!(self.protocol, Protocol::HttpKeys | Protocol::HttpTokens)
    }

    /// Where it is asked.
    pub(crate) fn door(&self) -> Door {
        match self.protocol {
            Protocol::Http => Door::Plain,
            Protocol::Https | Protocol::Handshake(..) | Protocol::Http2 => Door::Tls,
            Protocol::Http2Plain => Door::PriorKnowledge,
            Protocol::HttpKeys => Door::Keys,
            Protocol::HttpTokens => Door::Tokens,
        }
    }

    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.protocol, Protocol::Http2 | Protocol::Http2Plain)
    }

    /// How clients over TLS of our own use their connections for it.
    pub(crate) fn usage(&self) -> Use {
        match self.protocol {
            Protocol::Handshake(version, beginning) => Use::Once(version, beginning),
            _ => Use::Kept,
        }
    }

    /// The first part of its name.
    pub(crate) fn group(&self) -> &'static str {
        group(self.protocol)
    }

    /// What rows of it are held against, beside peers: the same Ringway without something. Its
    /// name, and what it is without.
    pub(crate) fn bare(&self) -> Option<(&'static str, &'static str)> {
        match self.protocol {
            Protocol::HttpKeys => Some((limits::NONE, "limits")),
            Protocol::HttpTokens => Some((tokens::NONE, "an authorizer")),
            _ => None,
        }
    }

    pub(crate) fn title(&self) -> String {
        let body = if self.is_small() { "small responses" } else { &self.path };
        let plural = if self.connections == 1 { "" } else { "s" };
        let connections = format!("{} connection{plural}", self.connections);
        match self.protocol {
            Protocol::Http => format!("{connections}, {body}"),
            Protocol::Https => format!("HTTPS, {connections}, {body}"),
            Protocol::HttpKeys => format!("{connections}, callers with API keys under limits"),
            Protocol::HttpTokens => format!("{connections}, callers with a token"),
            Protocol::Handshake(version, beginning) => {
                let beginning = format!("{beginning:?}").to_lowercase();
                format!("HTTPS, a new connection for each request, {version}, {beginning}")
            }
            Protocol::Http2 | Protocol::Http2Plain => {
                let over =
                    if self.protocol == Protocol::Http2 { "over TLS" } else { "without TLS" };
                format!("HTTP/2 {over}, {connections} of {} streams, {body}", h2load::STREAMS)
            }
        }
    }
}

/// The first part of a row's name.
fn group(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "plain",
        Protocol::Https => "tls",
        Protocol::Handshake(..) => "handshakes",
        Protocol::Http2 => "h2",
        Protocol::Http2Plain => "h2c",
        Protocol::HttpKeys => "limits",
        Protocol::HttpTokens => "jwt",
    }
}

/// The rows that were asked for, by group, by name, or `all`; and whether idle connections are.
pub(crate) fn choose(
    wanted: &[String],
    connections: &[usize],
    bodies: bool,
) -> io::Result<(Vec<Workload>, bool)> {
    let all = all(connections);
    let is_chosen = |wish: &str, name: &str| {
        wish == "all" || wish == name || name.split('/').next() == Some(wish)
    };
    for wish in wanted {
        if wish != IDLE && !all.iter().any(|row| is_chosen(wish, &row.name)) {
            let names: Vec<&str> = all.iter().map(|row| row.name.as_str()).collect();
            return Err(io::Error::other(format!(
                "--rows {wish}: expected all, a group (plain, tls, handshakes, h2, h2c, limits, \
                 jwt), {IDLE} or some of {}",
                names.join(", ")
            )));
        }
    }
    let chosen = |name: &str| wanted.iter().any(|wish| is_chosen(wish, name));
    let rows = all.iter().filter(|row| chosen(&row.name) && (bodies || row.is_small()));
    Ok((rows.cloned().collect(), chosen(IDLE)))
}

/// Every row there is; those of one door follow each other.
fn all(connections: &[usize]) -> Vec<Workload> {
    let mut rows = vec![];
    let mut add = |protocol, path, connections| {
        rows.push(Workload::new(protocol, path, connections));
    };
    for protocol in [Protocol::Http, Protocol::Https] {
        connections.iter().for_each(|&count| add(protocol, "/", count));
        ["/64k", LONG_PATH].into_iter().for_each(|path| add(protocol, path, BODY_CONNECTIONS));
    }
    for version in Version::ALL {
        for beginning in [Beginning::Full, Beginning::Resumed] {
            add(Protocol::Handshake(version, beginning), "/", VISITORS);
        }
    }
    for path in ["/", "/64k", LONG_PATH] {
        add(Protocol::Http2, path, HTTP2_CONNECTIONS);
    }
    add(Protocol::Http2Plain, "/", HTTP2_CONNECTIONS);
    add(Protocol::HttpKeys, limits::PATH, BODY_CONNECTIONS);
    add(Protocol::HttpTokens, tokens::PATH, BODY_CONNECTIONS);
    rows
}

#[cfg(test)]
mod tests {
    use super::{Workload, choose};

    #[track_caller]
    fn check(wanted: &str, bodies: bool, expected: &[&str], idle_expected: bool) {
        let wanted: Vec<String> = wanted.split(',').map(str::to_owned).collect();
        let (rows, idle) = choose(&wanted, &[1, 64], bodies).unwrap();
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, expected);
        assert_eq!(idle, idle_expected);
    }

    #[test]
    fn rows_are_chosen_by_group_and_by_name() {
        check("plain", true, &["plain/1", "plain/64", "plain/64k", "plain/1m"], false);
        check("plain", false, &["plain/1", "plain/64"], false);
        check("limits,jwt", false, &["limits/64", "jwt/64"], false);
        check("h2/1m,tls/1,idle", true, &["tls/1", "h2/1m"], true);
        let tls13 = ["handshakes/tls13-full", "handshakes/tls13-resumed"];
        let tls12 = ["handshakes/tls12-full", "handshakes/tls12-resumed"];
        check("handshakes,h2c", true, &[&tls13[..], &tls12, &["h2c/small"]].concat(), false);
        assert_eq!(choose(&["all".to_owned()], &[1, 64], true).unwrap().0.len(), 18);
        let error = choose(&["h3".to_owned()], &[64], true).unwrap_err().to_string();
        assert!(error.contains("--rows h3: expected all, a group") && error.contains("h2/64k"));
    }

    #[test]
    fn titles_tell_what_is_measured() {
        let (rows, _) = choose(&["all".to_owned()], &[1, 64], true).unwrap();
        let title = |name: &str| rows.iter().find(|row| row.name == name).map(Workload::title);
        assert_eq!(title("plain/1").unwrap(), "1 connection, small responses");
        assert_eq!(title("tls/64k").unwrap(), "HTTPS, 64 connections, /64k");
        let resumed = "HTTPS, a new connection for each request, TLS 1.2, resumed";
        assert_eq!(title("handshakes/tls12-resumed").unwrap(), resumed);
        let h2 = "HTTP/2 over TLS, 8 connections of 16 streams, small responses";
        assert_eq!(title("h2/small").unwrap(), h2);
    }
}
