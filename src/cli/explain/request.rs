//! The request that is asked about, as the head that a client would send.

use crate::steps::integrate::Protocol;

/// A request as text.
pub(super) struct Asked {
    /// The whole head.
    pub(super) head: String,
    /// How the client would come, when the URL says it.
    pub(super) protocol: Option<Protocol>,
}

impl Asked {
    /// `url` is a path with or without a query, or an absolute URL whose host becomes Host, unless
    /// it is among `headers`, lines of `name: value`.
    ///
    /// # Errors
    /// One sentence about a method or URL that no client could send.
    pub(super) fn parse(method: &str, url: &str, headers: &[String]) -> Result<Self, String> {
        let is_sendable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte > b' ');
        if !is_sendable(method) {
            return Err(format!("{method:?} is no method; write GET, POST or another"));
        }
        if !is_sendable(url) {
            return Err(format!("{url:?} is no URL: it is empty or holds white space"));
        }
        let schemes = [("http://", Protocol::Http), ("https://", Protocol::Https)];
        let rest = schemes.into_iter().find_map(|(scheme, protocol)| {
            let start = url.get(..scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then(|| (&url[scheme.len()..], protocol))
        });
        let (host, target) = match rest {
            Some((rest, _)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (host, target) = rest.split_at(end);
                let slash = if target.starts_with('/') { "" } else { "/" };
                (host, format!("{slash}{target}"))
            }
            None if url.starts_with('/') || url == "*" => ("localhost", url.to_owned()),
            None => {
                return Err(format!("{url:?}: write a path that begins with /, or a whole URL"));
            }
        };
        // A fragment stays in the client.
        let target = target.split('#').next().unwrap_or_default();
        let method = method.to_uppercase();
        let is_host =
            |line: &String| line.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("host:"));
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(is_host) {
            head.push_str(&format!("host: {host}\r\n"));
        }
        headers.iter().for_each(|line| head.extend([line, "\r\n"]));
        head.push_str("\r\n");
        Ok(Self { head, protocol: rest.map(|(_, protocol)| protocol) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, url: &str, expected: &str) {
        let head = Asked::parse(method, url, &[]).map(|asked| asked.head);
        let expected = expected.replace('|', "\r\n") + "\r\n\r\n";
        assert_eq!(head, Ok(expected));
    }

    #[test]
    fn urls_become_heads() {
        check("get", "/pets?a=b", "GET /pets?a=b HTTP/1.1|host: localhost");
        check("GET", "http://a.example:81/pets", "GET /pets HTTP/1.1|host: a.example:81");
        check("GET", "HTTPS://a.example", "GET / HTTP/1.1|host: a.example");
        check("GET", "https://a.example?x#y", "GET /?x HTTP/1.1|host: a.example");
        check("GET", "/a#b", "GET /a HTTP/1.1|host: localhost");
    }

    #[test]
    fn header_fields_are_added_and_a_host_replaces_the_url_s() {
        let head = |headers: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|&line| line.to_owned()).collect();
            Asked::parse("GET", "http://a/", &headers).map(|asked| asked.head)
        };
        let expected = "GET / HTTP/1.1\r\nhost: a\r\nx-v: b\r\n\r\n";
        assert_eq!(head(&["x-v: b"]).as_deref(), Ok(expected));
        assert_eq!(head(&["Host: b"]).as_deref(), Ok("GET / HTTP/1.1\r\nHost: b\r\n\r\n"));
    }

    #[test]
    fn what_no_client_could_send_is_refused() {
        for (method, url) in
            [("", "/"), ("G T", "/"), ("GET", "pets"), ("GET", "/a b"), ("GET", "")]
        {
            assert!(Asked::parse(method, url, &[]).is_err(), "{method} {url}");
        }
    }
}
