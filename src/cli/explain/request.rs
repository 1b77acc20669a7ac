//! The request that is asked about, as the head that a client would send.

/// A request as text.
pub(super) struct Asked {
    /// The whole head.
    pub(super) head: String,
}

impl Asked {
    /// `url` is a path with or without a query, or an absolute URL whose host becomes Host.
    ///
    /// # Errors
    /// One sentence about a method or URL that no client could send.
    pub(super) fn parse(method: &str, url: &str) -> Result<Self, String> {
        let is_sendable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte > b' ');
        if !is_sendable(method) {
            return Err(format!("{method:?} is no method; write GET, POST or another"));
        }
        if !is_sendable(url) {
            return Err(format!("{url:?} is no URL: it is empty or holds white space"));
        }
        let rest = ["http://", "https://"].into_iter().find_map(|scheme| {
            let start = url.get(..scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
        });
        let (host, target) = match rest {
            Some(rest) => {
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
        Ok(Self { head: format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n\r\n") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, url: &str, expected: &str) {
        let head = Asked::parse(method, url).map(|asked| asked.head);
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
    fn what_no_client_could_send_is_refused() {
        for (method, url) in
            [("", "/"), ("G T", "/"), ("GET", "pets"), ("GET", "/a b"), ("GET", "")]
        {
            assert!(Asked::parse(method, url).is_err(), "{method} {url}");
        }
    }
}
