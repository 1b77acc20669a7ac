//! The header names that decide something in the gateway, told apart once, at parsing.

macro_rules! names {
    ($($variant:ident = $text:literal,)*) => {
        /// A header name as a value: `Other` for all that decide nothing here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $(#[doc = $text] $variant,)*
            /// Any other name; the field's bytes tell which.
            Other,
        }

        impl Name {
            /// The name of these bytes, compared without case (RFC 9110 5.1).
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                $(if bytes.len() == $text.len() && bytes.eq_ignore_ascii_case($text.as_bytes()) {
                    return Self::$variant;
                })*
                Self::Other
            }

            /// The name in lower case; empty for `Other`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other => "",
                }
            }
        }
    };
}

names! {
    Accept = "accept",
    ApigwRequestId = "apigw-requestid",
    Authorization = "authorization",
    Connection = "connection",
    ContentEncoding = "content-encoding",
    ContentLength = "content-length",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Expect = "expect",
    Forwarded = "forwarded",
    Host = "host",
    KeepAlive = "keep-alive",
    Origin = "origin",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    Server = "server",
    Te = "te",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XAmznTraceId = "x-amzn-trace-id",
    XApigwApiId = "x-apigw-api-id",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_found_without_case() {
        assert_eq!(Name::of(b"Content-LENGTH"), Name::ContentLength);
        assert_eq!(Name::of(b"content-lengths"), Name::Other);
        assert_eq!(Name::of(b""), Name::Other);
    }
}
