//! A request about limits, from its path and query.

use std::net::IpAddr;

use crate::{
    admin::{
        Answer,
        answers::not_allowed,
        usage::{Query, bad_request},
    },
    http::Method,
};

/// Of whom limits are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsQuestion {
    /// The id of an API key, which may not exist.
    pub key: Option<String>,
    /// A client's address.
    pub source_ip: Option<IpAddr>,
    /// Header fields of a request: names and values, as sent.
    pub headers: Vec<(String, String)>,
}

/// What a request to this path wants; `None` when it is not this path.
///
/// # Errors
/// The 400 or 405 to be sent instead.
pub fn parse(
    method: Method,
    path: &[u8],
    query: Option<&[u8]>,
) -> Option<Result<LimitsQuestion, Answer>> {
    if path != b"/limits" {
        return None;
    }
    if !matches!(method, Method::Get | Method::Head) {
        return Some(Err(not_allowed("GET, HEAD")));
    }
    Some(read(query.unwrap_or_default()).map_err(|sentence| bad_request(&sentence)))
}

fn read(query: &[u8]) -> Result<LimitsQuestion, String> {
    if str::from_utf8(query).is_err() {
        return Err("the query is no UTF-8".to_owned());
    }
    let mut question = LimitsQuestion::default();
    for (name, value) in Query(query).pairs() {
        match name.as_str() {
            "keyId" if question.key.is_none() => question.key = Some(value),
            "sourceIp" if question.source_ip.is_none() => {
                let address = value.parse().map_err(|_| {
                    format!("sourceIp is {value:?}; write an IP address, such as 203.0.113.9")
                })?;
                question.source_ip = Some(address);
            }
            "keyId" | "sourceIp" => return Err(format!("{name} stands there twice")),
            "header" => {
                let pair = value.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
                let is_field = |(name, value): &(&str, &str)| {
                    !name.is_empty() && !name.bytes().chain(value.bytes()).any(|b| b < b' ')
                };
                let (name, value) = pair.filter(is_field).ok_or_else(|| {
                    format!("header is {value:?}; write name:value, such as x-tenant:blue")
                })?;
                question.headers.push((name.to_owned(), value.to_owned()));
            }
            other => {
                return Err(format!(
                    "{other:?} is not known; there are keyId, sourceIp and header"
                ));
            }
        }
    }
    Ok(question)
}
