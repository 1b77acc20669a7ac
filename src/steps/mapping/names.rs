//! Which names a mapping may touch.

/// AWS's reserved header fields (`api-gateway.md` 6.2), in lower case; `*` ends a prefix. The last
/// four are ours: hop-by-hop fields that AWS's list leaves out and its service drops.
const RESERVED: [&str; 26] = [
    "access-control-*",
    "apigw-*",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "forwarded",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "x-amz-*",
    "x-amzn-*",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "via",
    "trailer",
    "expect",
    "proxy-connection",
    "http2-settings",
];

/// Checks a header name and returns it in lower case.
pub(super) fn header(name: &str) -> Result<Vec<u8>, String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("'{name}' is not a header name"));
    }
    Ok(name.to_ascii_lowercase().into_bytes())
}

/// Checks a header name that a mapping writes.
pub(super) fn writable_header(name: &str) -> Result<Vec<u8>, String> {
    let lower = header(name)?;
    let reserved = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => lower.starts_with(prefix.as_bytes()),
        None => lower == pattern.as_bytes(),
    };
    match RESERVED.iter().find(|pattern| reserved(pattern)) {
        Some(pattern) => Err(format!(
            "header {name} is reserved ({pattern}) and cannot be mapped; use another name"
        )),
        None => Ok(lower),
    }
}

/// Checks the name of a query parameter.
pub(super) fn query(name: &str) -> Result<Vec<u8>, String> {
    if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(format!("'{name}' is not the name of a query parameter"));
    }
    Ok(name.as_bytes().to_vec())
}
