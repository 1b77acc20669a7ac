//! Why a request is not answered by its integration, grouped by whose fault it is.
//!
//! There is one mapping from here to the wire, [`Reject::status`] and [`Reject::body`], the HTTP
//! API's catalogue (`api-gateway.md` 2.5); where AWS documents no text, the RFC's phrase stands.
//! The bytes are written by `respond::refuse`.

mod basic;
mod iam;
mod signature;
mod token;

pub use basic::BasicFault;
pub use iam::IamFault;
pub use signature::SignatureFault;
pub use token::TokenFault;

use crate::http::Status;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// The client's fault: 4xx, or a 5xx that names what it asked for.
    Client(Client),
    /// The integration's fault.
    Upstream(Upstream),
    /// The gateway's own.
    Ours(Ours),
}

/// Whose words a refusal is in, where the kinds of APIs differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Catalogue {
    /// HTTP APIs': 404 Not Found (`api-gateway.md` 2.5).
    #[default]
    HttpApi,
    /// REST APIs': 403 Forbidden (`api-gateway.md` 2.4).
    RestApi,
}

/// What a client did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// A head or a body that is open to two readings, or not HTTP at all: 400.
    Malformed,
    /// A mapping made a path with dot segments out of what the client sent: 400.
    MappedPath,
    /// It closed, or the connection broke, before its request was whole: nobody reads the answer.
    Closed,
    /// It left while its answer was awaited: nobody reads this one either.
    Left,
    /// The domain is reached over another connection only: 421.
    Misdirected,
    /// The domain asks for a client certificate, and the connection is not even TLS: 403.
    Uncertified,
    /// No API answers to this host.
    NoApi(Catalogue),
    /// The API that the host or `x-apigw-api-id` names is reached by custom domains only.
    EndpointDisabled(Catalogue),
    /// No routing rule and no API mapping of the custom domain matches.
    NoMapping(Catalogue),
    /// The API is private, and not to the listener that the request came by: 403, as AWS answers
    /// for a private API from outside.
    NotOnThisListener,
    /// The client's address is one that an IP rule does not let through: 403.
    NotFromHere(AddressFault),
    /// The route has an authorizer, and the request no token that it takes: 401, and 403 for one
    /// without a scope of the route (401 in REST APIs' words).
    NotAuthorized(Catalogue, TokenFault),
    /// A policy denies the request, or none allows it: 403. Who may not do what is told in words
    /// that are made for the request.
    AccessDenied(Denial),
    /// The route asks for a signature of version 4, and has none that is sound: 403, in words that
    /// are made for the request.
    NotSigned(IamFault),
    /// The route asks for a user and a password, and has none that it knows: 401. 429 and 503 while
    /// passwords of its address, or of all, are being hashed.
    NotAUser(BasicFault),
    /// The route asks for a webhook's signature, and has none that is sound: 401.
    Unsigned(SignatureFault),
    /// The route asks for an API key of a usage plan of its stage, and there is none, or it is not
    /// valid: 403.
    NoApiKey(Catalogue, KeyFault),
    /// A throttle has no token for it: 429.
    Throttled(Catalogue),
    /// The quota of its key is used up: 429.
    QuotaExceeded(Catalogue),
    /// No stage has this name and there is no `$default` stage: 404.
    NoStage,
    /// No route matches method and path: 404.
    NoRoute,
    /// The head or the body did not arrive in time: 408.
    TooSlow,
    /// The body is larger than the payload limit: 413.
    BodyTooLarge,
    /// The request target is longer than the limit: 414.
    TargetTooLong,
    /// An `Expect` other than `100-continue`: 417.
    Expectation,
    /// The header fields are larger or more than the limit: 431.
    FieldsTooLarge,
    /// A method or a transfer coding that the gateway does not know: 501.
    NotImplemented,
    /// An HTTP version other than 1.0 and 1.1: 505.
    Version,
}

/// Why policies refuse a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// Nobody has allowed it.
    Implicit,
    /// Somebody has denied it.
    Explicit,
}

/// What is wrong with an API key; the client is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFault {
    /// There is none, or more than one.
    Missing,
    /// No key has this value.
    Unknown,
    /// It is not enabled.
    Disabled,
    /// No usage plan of the stage has it.
    NotInPlan,
}

/// What is wrong with a client's address; the client is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFault {
    /// A rule denies it.
    Denied,
    /// A rule allows others.
    NotAllowed,
}

impl AddressFault {
    const fn reason(self) -> &'static str {
        match self {
            Self::Denied => "an IP rule denies the client's address",
            Self::NotAllowed => "an IP rule does not allow the client's address",
        }
    }
}

impl KeyFault {
    const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no x-api-key, or several",
            Self::Unknown => "no API key has this value",
            Self::Disabled => "the API key is disabled",
            Self::NotInPlan => "the API key is in no usage plan of this stage",
        }
    }
}

/// What went wrong behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// No connection could be made, or the name has no address: 503.
    Unreachable,
    /// No answer within `timeoutInMillis`: 503, as AWS answers for HTTP APIs.
    Timeout,
    /// The connection ended before an answer: 503.
    Closed,
    /// What came back is not a sound HTTP answer: 502.
    Malformed,
    /// TLS was not agreed on, or the integration did not prove who it is: 502.
    Untrusted,
}

/// What went wrong in the gateway itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ours {
    /// A bound of the gateway is reached (connections, buffers): 503.
    Overloaded,
    /// The gateway is stopping: 503.
    Stopping,
    /// A fault in the gateway's own code: 500.
    Internal,
}

impl Reject {
    /// The status that the client sees.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Client(fault) => fault.status(),
            Self::Upstream(Upstream::Malformed | Upstream::Untrusted) => Status::BAD_GATEWAY,
            Self::Upstream(Upstream::Unreachable | Upstream::Timeout | Upstream::Closed)
            | Self::Ours(Ours::Overloaded | Ours::Stopping) => Status::SERVICE_UNAVAILABLE,
            Self::Ours(Ours::Internal) => Status::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body that the client sees: JSON, no space after the colon.
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::Client(fault) => fault.body(),
            Self::Upstream(Upstream::Malformed | Upstream::Untrusted) => {
                r#"{"message":"Bad Gateway"}"#
            }
            Self::Upstream(Upstream::Unreachable | Upstream::Timeout | Upstream::Closed)
            | Self::Ours(Ours::Overloaded | Ours::Stopping) => {
                r#"{"message":"Service Unavailable"}"#
            }
            Self::Ours(Ours::Internal) => r#"{"message":"Internal Server Error"}"#,
        }
    }

    /// What REST APIs call it in `x-amzn-errortype`; HTTP APIs do not say it.
    #[must_use]
    pub const fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Client(Client::AccessDenied(_)) => Some("AccessDeniedException"),
            Self::Client(Client::NotSigned(fault)) => Some(fault.error_type()),
            Self::Client(Client::NotAuthorized(Catalogue::RestApi, _)) => {
                Some("UnauthorizedException")
            }
            Self::Client(Client::NoApiKey(Catalogue::RestApi, _)) => Some("ForbiddenException"),
            Self::Client(Client::Throttled(Catalogue::RestApi)) => Some("TooManyRequestsException"),
            Self::Client(Client::QuotaExceeded(Catalogue::RestApi)) => {
                Some("LimitExceededException")
            }
            _ => None,
        }
    }

    /// What is wrong with the request's token, for `www-authenticate`, which REST APIs do not send.
    #[must_use]
    pub const fn token_fault(self) -> Option<TokenFault> {
        match self {
            Self::Client(Client::NotAuthorized(Catalogue::HttpApi, fault)) => Some(fault),
            _ => None,
        }
    }

    /// What is wrong with the request's user and password, for `www-authenticate`.
    #[must_use]
    pub const fn basic_fault(self) -> Option<BasicFault> {
        match self {
            Self::Client(Client::NotAUser(fault)) => Some(fault),
            _ => None,
        }
    }

    /// The reason for the access log (`errorMessage`); never sent to the client.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Client(fault) => fault.reason(),
            Self::Upstream(Upstream::Unreachable) => "no connection to the integration",
            Self::Upstream(Upstream::Timeout) => "the integration did not answer in time",
            Self::Upstream(Upstream::Closed) => "the integration closed without an answer",
            Self::Upstream(Upstream::Malformed) => "the integration's answer is malformed",
            Self::Upstream(Upstream::Untrusted) => "no TLS connection to the integration",
            Self::Ours(Ours::Overloaded) => "a limit of the gateway is reached",
            Self::Ours(Ours::Stopping) => "the gateway is stopping",
            Self::Ours(Ours::Internal) => "a fault in the gateway",
        }
    }
}

impl Catalogue {
    const fn status(self) -> Status {
        match self {
            Self::HttpApi => Status::NOT_FOUND,
            Self::RestApi => Status::FORBIDDEN,
        }
    }

    const fn body(self) -> &'static str {
        match self {
            Self::HttpApi => r#"{"message":"Not Found"}"#,
            Self::RestApi => r#"{"message":"Forbidden"}"#,
        }
    }
}

impl Client {
    const fn status(self) -> Status {
        match self {
            Self::NoApi(of) | Self::EndpointDisabled(of) | Self::NoMapping(of) => of.status(),
            Self::Malformed | Self::MappedPath | Self::Closed | Self::Left => Status::BAD_REQUEST,
            Self::NotOnThisListener
            | Self::Uncertified
            | Self::AccessDenied(_)
            | Self::NotSigned(_)
            | Self::NotFromHere(_)
            | Self::NoApiKey(..) => Status::FORBIDDEN,
            Self::Throttled(_) | Self::QuotaExceeded(_) => Status::TOO_MANY_REQUESTS,
            Self::NotAuthorized(of, fault) => fault.status(of),
            Self::NotAUser(fault) => fault.status(),
            Self::Unsigned(_) => Status::UNAUTHORIZED,
            Self::Misdirected => Status::MISDIRECTED_REQUEST,
            Self::NoStage | Self::NoRoute => Status::NOT_FOUND,
            Self::TooSlow => Status::REQUEST_TIMEOUT,
            Self::BodyTooLarge => Status::CONTENT_TOO_LARGE,
            Self::TargetTooLong => Status::URI_TOO_LONG,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::FieldsTooLarge => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NotImplemented => Status::NOT_IMPLEMENTED,
            Self::Version => Status::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// AWS's words where it has them: 413 is not RFC 9110's "Content Too Large".
    const fn body(self) -> &'static str {
        match self {
            Self::Malformed | Self::MappedPath | Self::Closed | Self::Left => {
                r#"{"message":"Bad Request"}"#
            }
            Self::Misdirected => r#"{"message":"Misdirected Request"}"#,
            Self::NoApi(of) | Self::EndpointDisabled(of) | Self::NoMapping(of) => of.body(),
            Self::NotOnThisListener
            | Self::Uncertified
            | Self::NotFromHere(_)
            | Self::NoApiKey(..) => r#"{"message":"Forbidden"}"#,
            Self::AccessDenied(Denial::Implicit) => {
                r#"{"Message":"User is not authorized to access this resource"}"#
            }
            Self::AccessDenied(Denial::Explicit) => concat!(
                r#"{"Message":"User is not authorized to access this resource"#,
                r#" with an explicit deny"}"#
            ),
            Self::NotAuthorized(of, fault) => fault.body(of),
            Self::Unsigned(_) => r#"{"message":"Unauthorized"}"#,
            Self::NotAUser(fault) => fault.body(),
            Self::NotSigned(fault) => fault.body(),
            Self::Throttled(_) => r#"{"message":"Too Many Requests"}"#,
            Self::QuotaExceeded(_) => r#"{"message":"Limit Exceeded"}"#,
            Self::NoStage | Self::NoRoute => r#"{"message":"Not Found"}"#,
            Self::TooSlow => r#"{"message":"Request Timeout"}"#,
            Self::BodyTooLarge => r#"{"message":"Request Entity Too Large"}"#,
            Self::TargetTooLong => r#"{"message":"URI Too Long"}"#,
            Self::Expectation => r#"{"message":"Expectation Failed"}"#,
            Self::FieldsTooLarge => r#"{"message":"Request Header Fields Too Large"}"#,
            Self::NotImplemented => r#"{"message":"Not Implemented"}"#,
            Self::Version => r#"{"message":"HTTP Version Not Supported"}"#,
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "the request is malformed",
            Self::MappedPath => "the mapped path holds dot segments",
            Self::Closed => "the client closed before its request was whole",
            Self::Left => "the client left before its answer came",
            Self::Misdirected => "the connection's handshake was for another name",
            Self::Uncertified => "the domain asks for a client certificate",
            Self::NoApi(_) => "no API for this host",
            Self::EndpointDisabled(_) => "the API is reached by its custom domains only",
            Self::NoMapping(_) => "no routing rule or API mapping of the domain matches",
            Self::NotOnThisListener => "the API is private to other listeners",
            Self::NotFromHere(fault) => fault.reason(),
            Self::NotAuthorized(_, fault) => fault.reason(),
            Self::AccessDenied(Denial::Implicit) => "no policy allows it",
            Self::AccessDenied(Denial::Explicit) => "a policy denies it",
            Self::NotAUser(fault) => fault.reason(),
            Self::NotSigned(fault) => fault.reason(),
            Self::Unsigned(fault) => fault.reason(),
            Self::NoApiKey(_, fault) => fault.reason(),
            Self::Throttled(_) => "a throttle has no token for it",
            Self::QuotaExceeded(_) => "the quota of its API key is used up",
            Self::NoStage => "no such stage",
            Self::NoRoute => "no route for method and path",
            Self::TooSlow => "the request did not arrive in time",
            Self::BodyTooLarge => "the body is over the payload limit",
            Self::TargetTooLong => "the request target is over its limit",
            Self::Expectation => "an expectation that cannot be met",
            Self::FieldsTooLarge => "the header fields are over their limit",
            Self::NotImplemented => "a method or transfer coding that is not implemented",
            Self::Version => "an HTTP version that is not supported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reject: Reject, status: u16, body: &str) {
        assert_eq!(reject.status().code(), status);
        assert_eq!(reject.body(), body);
        assert!(!reject.reason().is_empty());
    }

    #[test]
    fn the_catalogue_of_http_apis() {
        check(Reject::Client(Client::NoRoute), 404, r#"{"message":"Not Found"}"#);
        assert_eq!(Reject::Client(Client::NoRoute).body().len(), 23);
        check(Reject::Client(Client::NoStage), 404, r#"{"message":"Not Found"}"#);
        let forbidden = r#"{"message":"Forbidden"}"#;
        check(Reject::Client(Client::NotOnThisListener), 403, forbidden);
        for fault in [AddressFault::Denied, AddressFault::NotAllowed] {
            check(Reject::Client(Client::NotFromHere(fault)), 403, forbidden);
        }
        let kinds = [Client::NoApi, Client::EndpointDisabled, Client::NoMapping];
        for kind in kinds {
            check(Reject::Client(kind(Catalogue::HttpApi)), 404, r#"{"message":"Not Found"}"#);
            check(Reject::Client(kind(Catalogue::RestApi)), 403, r#"{"message":"Forbidden"}"#);
        }
        check(Reject::Client(Client::Malformed), 400, r#"{"message":"Bad Request"}"#);
        check(Reject::Client(Client::MappedPath), 400, r#"{"message":"Bad Request"}"#);
        let too_large = r#"{"message":"Request Entity Too Large"}"#;
        check(Reject::Client(Client::BodyTooLarge), 413, too_large);
        check(Reject::Client(Client::TooSlow), 408, r#"{"message":"Request Timeout"}"#);
        check(Reject::Client(Client::TargetTooLong), 414, r#"{"message":"URI Too Long"}"#);
        check(Reject::Client(Client::Expectation), 417, r#"{"message":"Expectation Failed"}"#);
        let fields = r#"{"message":"Request Header Fields Too Large"}"#;
        check(Reject::Client(Client::FieldsTooLarge), 431, fields);
        check(Reject::Client(Client::NotImplemented), 501, r#"{"message":"Not Implemented"}"#);
        let version = r#"{"message":"HTTP Version Not Supported"}"#;
        check(Reject::Client(Client::Version), 505, version);
        let unavailable = r#"{"message":"Service Unavailable"}"#;
        assert_eq!(unavailable.len(), 33);
        check(Reject::Upstream(Upstream::Unreachable), 503, unavailable);
        check(Reject::Upstream(Upstream::Timeout), 503, unavailable);
        check(Reject::Upstream(Upstream::Closed), 503, unavailable);
        check(Reject::Upstream(Upstream::Malformed), 502, r#"{"message":"Bad Gateway"}"#);
        check(Reject::Ours(Ours::Overloaded), 503, unavailable);
        check(Reject::Ours(Ours::Stopping), 503, unavailable);
        check(Reject::Ours(Ours::Internal), 500, r#"{"message":"Internal Server Error"}"#);
    }
}
