//! Request methods (RFC 9110 section 9). AWS's `ANY` covers the seven of [`Method::ANY`].

/// A method that the gateway forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// PATCH
    Patch,
}

impl Method {
    /// All that `ANY` matches.
    pub const ANY: [Self; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Delete, Self::Options, Self::Patch];

    /// The method of this token (case-sensitive, RFC 9110 9.1); `None` for all others, to which a
    /// gateway answers 501.
    #[must_use]
    pub fn parse(token: &[u8]) -> Option<Self> {
        match token {
            b"GET" => Some(Self::Get),
            b"HEAD" => Some(Self::Head),
            b"POST" => Some(Self::Post),
            b"PUT" => Some(Self::Put),
            b"DELETE" => Some(Self::Delete),
            b"OPTIONS" => Some(Self::Options),
            b"PATCH" => Some(Self::Patch),
            _ => None,
        }
    }

    /// The token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
        }
    }

    /// May be sent again when no answer came (RFC 9110 9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn every_method_is_parsed_from_its_token_and_case_matters() {
        for method in Method::ANY {
            assert_eq!(Method::parse(method.as_str().as_bytes()), Some(method));
        }
        for token in [&b"get"[..], b"GETS", b"", b"TRACE", b"CONNECT"] {
            assert_eq!(Method::parse(token), None);
        }
    }
}
