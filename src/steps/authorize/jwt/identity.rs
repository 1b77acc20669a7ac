//! Where a request has its token: `$request.header.X` or `$request.querystring.X`.

use crate::{
    http::Fields,
    steps::{mapping::decode_query, reject::TokenFault},
};

/// An authorizer's identity source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A header field; the name in lower case.
    Header(Vec<u8>),
    /// A parameter of the query, its name as it is sent.
    Query(Vec<u8>),
}

impl IdentitySource {
    /// Reads AWS's text.
    ///
    /// # Errors
    /// Half a sentence that begins with a verb.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = |name: &str| {
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            let is_sound = !name.is_empty() && name.bytes().all(token);
            is_sound.then(|| name.as_bytes().to_vec())
        };
        let header = text.strip_prefix("$request.header.");
        let query = text.strip_prefix("$request.querystring.");
        let source = match (header, query) {
            (Some(header), _) => name(header).map(|it| Self::Header(it.to_ascii_lowercase())),
            (None, Some(query)) => name(query).map(Self::Query),
            (None, None) => None,
        };
        source.ok_or_else(|| "names no header and no query parameter".to_owned())
    }

    /// The token, without the word `Bearer` that may stand before it. Two are none: what comes
    /// behind the gateway might read the other one.
    ///
    /// # Errors
    /// That there is none, or several.
    pub fn find<'r>(
        &'r self,
        fields: Fields<'r>,
        query: Option<&'r [u8]>,
    ) -> Result<&'r [u8], TokenFault> {
        let value = match self {
            Self::Header(name) => only(fields.named(name))?,
            Self::Query(name) => {
                let pairs = query.unwrap_or_default().split(|&byte| byte == b'&');
                only(pairs.filter_map(|pair| value_of(pair, name)))?
            }
        };
        let token = without_scheme(value.trim_ascii());
        if token.is_empty() { Err(TokenFault::Missing) } else { Ok(token) }
    }
}

/// The value as it was sent, of a pair whose name is this one, in whatever escapes.
fn value_of<'r>(pair: &'r [u8], name: &[u8]) -> Option<&'r [u8]> {
    let equals = pair.iter().position(|&byte| byte == b'=')?;
    let is_it = decode_query(&pair[..equals]).eq(name.iter().copied());
    is_it.then(|| &pair[equals + 1..])
}

fn only<'r>(mut values: impl Iterator<Item = &'r [u8]>) -> Result<&'r [u8], TokenFault> {
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(TokenFault::Missing),
        (Some(_), Some(_)) => Err(TokenFault::Several),
    }
}

fn without_scheme(value: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"bearer";
    let Some((scheme, rest)) = value.split_at_checked(SCHEME.len()) else { return value };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return value;
    }
    let rest_of = |space: &[u8]| rest.strip_prefix(space).map(<[u8]>::trim_ascii_start);
    if rest.is_empty() {
        return rest;
    }
    rest_of(b" ").or_else(|| rest_of(b"%20")).or_else(|| rest_of(b"+")).unwrap_or(value)
}
