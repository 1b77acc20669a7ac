//! An integration's URI for one route, once the stage's variables are in it: what
//! `steps::integrate::Uri` reads, held to what AWS lets an HTTP API call (`api-gateway.md` 7.3),
//! with a remedy for each fault.

use super::fault::{Fault, fault, shorten};
use crate::{
    config::suggest::nearest,
    steps::{integrate::Uri, route::RouteKey},
};

/// The ports below [`PORT_FREE_MIN`] that AWS lets an integration call.
const PORTS_LOW: [u16; 2] = [80, 443];
/// From here on all ports are allowed.
const PORT_FREE_MIN: u16 = 1024;

/// Reads `text` for the route at `key`.
///
/// # Errors
/// What keeps the gateway from calling it; the words follow "uri".
pub(super) fn parse(text: &str, key: &RouteKey) -> Result<Uri, Fault> {
    const EXAMPLE: &str = "write the server's address, as in http://10.0.0.5:8000/";
    if text.trim().is_empty() {
        return fault("is empty".to_owned(), EXAMPLE);
    }
    if text.starts_with("arn:") {
        return fault(format!("{} is an AWS resource, not a server", shorten(text)), EXAMPLE);
    }
    if let Some(at) = text.find("${") {
        return fault(
            format!("holds {}, a name that is not known here", shorten(&text[at..])),
            "use a stage variable, as in ${stageVariables.host}",
        );
    }
    check_percent(text)?;
    let parameters: Vec<&str> = key.parameters().collect();
    check_holes(text, &parameters)?;
    let uri = Uri::parse(text, &parameters).or_else(|sentence| {
        let what = sentence.strip_prefix("uri ").unwrap_or(&sentence);
        fault(what.to_owned(), "")
    })?;
    if uri.port < PORT_FREE_MIN && !PORTS_LOW.contains(&uri.port) {
        return fault(
            format!("calls port {}; an HTTP API may call 80, 443 and 1024 to 65535", uri.port),
            "let the server listen on one of those",
        );
    }
    Ok(uri)
}

fn check_percent(text: &str) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let is_encoded =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit));
    if memchr::memchr_iter(b'%', bytes).all(is_encoded) {
        return Ok(());
    }
    fault("has a % without two hex digits after it".to_owned(), "write %25 for a percent sign")
}

/// The commonest slips with hosts and `{name}`, told with their remedy.
fn check_holes(text: &str, parameters: &[&str]) -> Result<(), Fault> {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = &authority[..authority.find(['/', '?', '#']).unwrap_or(authority.len())];
    if text.contains("://") && (authority.is_empty() || authority.starts_with(':')) {
        return fault(format!("{} has no host", shorten(text)), "write http://HOST:PORT/path");
    }
    if authority.contains('{') {
        return fault(
            format!("has a path parameter in its host ({})", shorten(authority)),
            "for the host use ${stageVariables.name}",
        );
    }
    let names = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    for name in names {
        let plain = name.strip_suffix('+').unwrap_or(name);
        if parameters.contains(&plain) {
            continue;
        }
        let fix = match nearest(plain, parameters.iter().copied()) {
            Some(near) => format!("did you mean {{{near}}}?"),
            None => "name it in the route's path, or remove it".to_owned(),
        };
        return fault(
            format!("holds {{{}}}, which the route's path does not", shorten(name)),
            &fix,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::steps::route::RouteKey;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u16), &str>) {
        let key = RouteKey::parse("GET /pets/{petId}/{rest+}").unwrap();
        let found = parse(text, &key).map(|uri| (uri.host, uri.port)).map_err(|fault| fault.what);
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(found, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn what_aws_may_call_is_taken() {
        check("http://h", Ok(("h", 80)));
        check("HTTP://Example.COM:8080/x?y=%2F", Ok(("example.com", 8080)));
        check("http://10.0.0.5:443/{petId}/{rest}?p={petId}", Ok(("10.0.0.5", 443)));
        check("http://[::1]:1024/", Ok(("[::1]", 1024)));
        check("http://h:65535/", Ok(("h", 65535)));
        check("https://h/{petId}", Ok(("h", 443)));
    }

    #[test]
    fn everything_else_is_told() {
        const PORTS: &str = "an HTTP API may call 80, 443 and 1024 to 65535";
        check("", Err("is empty"));
        check("  ", Err("is empty"));
        check("arn:aws:sqs", Err("arn:aws:sqs is an AWS resource, not a server"));
        check("http://h/${x}", Err("holds ${x}, a name that is not known here"));
        check("http://h/%zz", Err("has a % without two hex digits after it"));
        check("http://h/%2", Err("has a % without two hex digits after it"));
        check("http:///x", Err("http:///x has no host"));
        check("http://:80/x", Err("http://:80/x has no host"));
        check("http://{petId}/", Err("has a path parameter in its host ({petId})"));
        check("http://h/{petid}", Err("holds {petid}, which the route's path does not"));
        check("http://h/{}", Err("holds {}, which the route's path does not"));
        check("http://h:1023/", Err(&format!("calls port 1023; {PORTS}")));
        check("http://h:79/", Err(&format!("calls port 79; {PORTS}")));
        check("http://h:81/", Err(&format!("calls port 81; {PORTS}")));
    }
}
