//! What can be wrong with a request that is to be signed (`api-gateway.md` 3.1). The client's words
//! are made for the request, in `steps::authorize::iam`.

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IamFault {
    /// There is none.
    Missing,
    /// There is more than one, in whatever form.
    Several,
    /// A part of `Authorization` has no equals sign, or a part is there twice.
    NotKeyValue,
    /// Parts are missing: Credential, Signature, SignedHeaders, and the date.
    Incomplete([bool; 4]),
    /// The credential does not have five parts.
    Credential,
    /// The scope names another region.
    Region,
    /// The scope names another service than `execute-api`.
    Service,
    /// The scope does not end with `aws4_request`.
    Terminator,
    /// The scope's date is not the signature's.
    ScopeDate,
    /// The date is none.
    Date,
    /// It is too old.
    Expired,
    /// It is of the future.
    NotYet,
    /// `X-Amz-Expires` is not 1 to 604800.
    Expires,
    /// The names of the signed headers are not in order, not in lower case, or of absent fields.
    SignedHeaders,
    /// `host` or an `x-amz-*` that was sent is not signed.
    Unsigned,
    /// `x-amz-content-sha256` is not the body's hash.
    Payload,
    /// No key has this id, or it is not active, or the session token is not the key's.
    UnknownKey,
    /// The key held until a time that has passed.
    ExpiredKey,
    /// It is not the signature of this request.
    Mismatch,
}

impl IamFault {
    /// The value of `x-amzn-errortype`.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Several | Self::NotKeyValue | Self::Incomplete(_) | Self::Credential => {
                "IncompleteSignatureException"
            }
            Self::UnknownKey => "UnrecognizedClientException",
            Self::ExpiredKey => "ExpiredTokenException",
            _ => "InvalidSignatureException",
        }
    }

    /// The client's words where they are the same for every request; else those that are made for
    /// it begin so.
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::Missing => r#"{"message":"Missing Authentication Token"}"#,
            Self::UnknownKey => {
                r#"{"message":"The security token included in the request is invalid."}"#
            }
            Self::ExpiredKey => {
                r#"{"message":"The security token included in the request is expired"}"#
            }
            _ => concat!(
                r#"{"message":"The request signature we calculated does not match the signature "#,
                "you provided. Check your AWS Secret Access Key and signing method. Consult the ",
                r#"service documentation for details."}"#
            ),
        }
    }

    /// The reason for the access log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "the request is not signed",
            Self::Several => "the request is signed twice, or a part of the signature is",
            Self::NotKeyValue => "Authorization is no signature of version 4",
            Self::Incomplete(_) => "a part of the signature is missing",
            Self::Credential => "the credential does not have five parts",
            Self::Region => "the signature is for another region",
            Self::Service => "the signature is for another service",
            Self::Terminator => "the scope does not end with aws4_request",
            Self::ScopeDate => "the scope has another date than the request",
            Self::Date => "the date of the signature is none",
            Self::Expired => "the signature has expired",
            Self::NotYet => "the signature is of the future",
            Self::Expires => "X-Amz-Expires is not 1 to 604800",
            Self::SignedHeaders => "the names of the signed headers are not in order",
            Self::Unsigned => "host, the date or an x-amz header is not signed",
            Self::Payload => "x-amz-content-sha256 is not the hash of the body",
            Self::UnknownKey => "no active key has this id, or the session token is another",
            Self::ExpiredKey => "the access key has expired",
            Self::Mismatch => "the signature is not the one of this request",
        }
    }
}
