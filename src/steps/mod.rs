//! One folder per API Gateway concept, each pure: no IO, no clock, no `async`.
//!
//! A step knows its own compiled configuration, the request and the [`context`]; it knows no
//! other step, except that [`mapping`] is a language that `integrate` and `respond` speak.

pub mod api_key;
pub mod authorize;
pub mod context;
pub mod cors;
pub mod domain;
pub mod endpoint;
#[cfg(test)]
pub(crate) mod fixture;
pub mod integrate;
pub mod ip_rules;
pub mod mapping;
pub mod observe;
pub mod reject;
pub mod respond;
pub mod route;
pub mod stage;
pub mod throttle;
