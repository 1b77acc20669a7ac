//! One issuer's keys: discovery, then the set that it names (OpenID Connect Discovery 1.0, 4). Two
//! requests of HTTP/1.1, each bounded in time and size; nothing is followed anywhere else.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConnection, StreamOwned};

use super::answer::{Answer, Progress};
use crate::{
    base::limits::{KEY_FETCH_WAIT, KEY_LIFETIME_MAX, KEY_LIFETIME_MIN, KEY_SET_BYTES_MAX},
    http::Http2,
    json::strict::Value,
    steps::authorize::jwt::{KeySet, KeySource},
    tls::{Caller, CallerParts},
};

/// Keys, and how long they are good for.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) lifetime: Duration,
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Fetches them; waits.
///
/// # Errors
/// Half a sentence.
pub(super) fn fetch(source: &KeySource) -> Result<Fetched, String> {
    let issuer = &source.issuer;
    let url = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
    let found = ask(&url, source)?;
    let found = Value::parse(&found.body).map_err(|_| format!("{url} is no sound JSON"))?;
    let text = |name| found.find(name).and_then(Value::as_text);
    if text("issuer") != Some(issuer) {
        return Err(format!("{url} is another issuer's"));
    }
    let set = text("jwks_uri").ok_or_else(|| format!("{url} has no jwks_uri"))?;
    if issuer.starts_with("https://") && !set.starts_with("https://") {
        return Err(format!("the jwks_uri of {url} is not https"));
    }
    let answer = ask(set, source)?;
    let keys = KeySet::parse(&answer.body).map_err(|what| format!("its key set {what}"))?;
    if keys.is_empty() {
        return Err("its key set has no key that can verify".to_owned());
    }
    let lifetime = answer.max_age.unwrap_or(KEY_LIFETIME_MIN);
    Ok(Fetched { keys, lifetime: lifetime.clamp(KEY_LIFETIME_MIN, KEY_LIFETIME_MAX) })
}

/// The parts of a URL that a request needs.
struct Url<'u> {
    is_tls: bool,
    authority: &'u str,
    host: &'u str,
    port: u16,
    target: &'u str,
}

impl<'u> Url<'u> {
    fn parse(url: &'u str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = if target.is_empty() { "/" } else { target };
        let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound(url) || authority.contains(['@', '?', '#']) || target.contains('#') {
            return None;
        }
        let after_host = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority[after_host..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(after_host + colon);
                (host, port[1..].parse().ok()?)
            }
            None => (authority, if is_tls { 443 } else { 80 }),
        };
        (!host.is_empty()).then_some(Self { is_tls, authority, host, port, target })
    }
}

fn ask(url: &str, source: &KeySource) -> Result<Answer, String> {
    let parts = Url::parse(url).ok_or_else(|| format!("{url} is no address"))?;
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("{url} does not answer within {} ms", KEY_FETCH_WAIT.as_millis())
        }
        _ => format!("{url}: {error}"),
    };
    let mut stream = Bounded::connect(&parts).map_err(told)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\nuser-agent: ringway\r\n\
         connection: close\r\n\r\n",
        parts.target, parts.authority
    );
    let answer = if parts.is_tls {
        let caller = caller(parts.host, source)?;
        let name = caller.name().clone();
        let connection = ClientConnection::new(caller.config_of_shard(), name)
            .map_err(|error| format!("{url}: {error}"))?;
        exchange(&mut StreamOwned::new(connection, stream), &request)
    } else {
        exchange(&mut stream, &request)
    };
    let answer = answer.map_err(told)?;
    match answer.status {
        200 => Ok(answer),
        other => Err(format!("{url} answers {other}")),
    }
}

fn caller(host: &str, source: &KeySource) -> Result<Arc<Caller>, String> {
    let mut trusted = CallerParts::default();
    if let Some(authorities) = &source.authorities {
        trusted.trust(("caCertificates", authorities))?;
    }
    Caller::compile(&trusted, host, Http2::NotOffered).map(Arc::new)
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> io::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1_024]);
    loop {
        let count = match stream.read(&mut piece) {
            // Whether the answer is whole is for its own framing to say.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        bytes.extend_from_slice(&piece[..count]);
        match Answer::parse(&bytes, count == 0) {
            Progress::Whole(answer) => return Ok(answer),
            Progress::Broken(why) => return Err(io::Error::other(why)),
            Progress::More if count == 0 => return Err(io::Error::other("it ends too early")),
            Progress::More if bytes.len() > KEY_SET_BYTES_MAX + 2 * piece.len() => {
                return Err(io::Error::other("it is too long"));
            }
            Progress::More => {}
        }
    }
}

/// A connection all of whose waits end at one moment.
struct Bounded {
    stream: TcpStream,
    end: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a thread of the process has no shard's clock")]
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Bounded {
    #[expect(clippy::disallowed_methods, reason = "a thread of the process has no shard's clock")]
    fn connect(parts: &Url<'_>) -> io::Result<Self> {
        let end = Instant::now() + KEY_FETCH_WAIT;
        let host = parts.host.trim_start_matches('[').trim_end_matches(']');
        let mut last = io::Error::other("its name has no address");
        for address in (host, parts.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(end)?) {
                Ok(stream) => return Ok(Self { stream, end }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.end)?))?;
        self.stream.read(out)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.end)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn addresses_are_taken_apart() {
        let check = |url: &str, expected: Option<(bool, &str, u16, &str)>| {
            let found = Url::parse(url).map(|url| (url.is_tls, url.host, url.port, url.target));
            assert_eq!(found, expected, "{url}");
        };
        check("https://a.example", Some((true, "a.example", 443, "/")));
        check("https://a.example:8443/k?x=1", Some((true, "a.example", 8443, "/k?x=1")));
        check("http://[::1]:80/k", Some((false, "[::1]", 80, "/k")));
        check("http://[::1]/k", Some((false, "[::1]", 80, "/k")));
        for odd in
            ["ftp://a/", "a.example", "https://", "https://:80/", "https://u@a/", "https://a:b/"]
        {
            check(odd, None);
        }
        for odd in [
            "https://a/ b",
            "https://a/\r\nx: y",
            "https://a?b",
            "https://a/#b",
            "https://a:99999/",
        ] {
            check(odd, None);
        }
    }
}
