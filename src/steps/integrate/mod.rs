//! The call to an `HTTP_PROXY` integration (`api-gateway.md` 6.2, 7.3, 7.8): which head the
//! upstream sees. Sending it is the gateway's work.

mod origin;
mod prepare;
mod uri;

use std::time::Duration;

pub use origin::{Origin, Protocol, ProxyProtocol, TrustedProxies};
pub use prepare::{Incoming, Scratch, Upgrade, prepare};
pub use uri::Uri;

use crate::{
    http::Method,
    steps::mapping::{RequestMapping, ResponseMapping},
};

/// `timeoutInMillis` when the document has none, and its most (HTTP API: 30 seconds).
pub const TIMEOUT_MAX: Duration = Duration::from_millis(30_000);
/// The least that `timeoutInMillis` may be.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(50);

/// An integration, compiled for one route of one stage.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Which method the upstream sees.
    pub method: IntegrationMethod,
    /// Where it goes.
    pub uri: Uri,
    /// How, when that is `https`.
    pub tls: TlsConfig,
    /// What of the client's path is appended to the URI's.
    pub path: PathRule,
    /// `requestParameters`.
    pub request: RequestMapping,
    /// `responseParameters`.
    pub response: ResponseMapping,
    /// From the first byte sent until the answer's head is there; 50 to 30,000 ms.
    pub timeout: Duration,
}

/// `tlsConfig` of an integration: it goes over what is said of its upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// `serverNameToVerify`: instead of the URI's host.
    pub server_name: Option<String>,
    /// `insecureSkipVerification`.
    pub skips_verification: Option<bool>,
}

/// `httpMethod` of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegrationMethod {
    /// `ANY`: the client's.
    Client,
    /// This one.
    Fixed(Method),
}

/// How the upstream's path is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    /// From the URI's template alone.
    Template,
    /// The URI's path, then the request's path without the stage: what `$default` routes do.
    AppendRequestPath,
}

#[cfg(test)]
mod tests;
