//! The gateway as its users meet it: the real `ringway` program, real sockets, bytes in and out.
//!
//! Not unit tests of the parts: those stand beside the code. `harness/` starts the program and
//! plays both of its peers; every other module is one subject. Each test has its own ports and
//! folder, so all of them run side by side.

#![expect(clippy::disallowed_methods, reason = "the peers of a gateway live in real time")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail at once")]

mod allocation;
mod api_keys;
mod basic_auth;
mod cli;
mod cognito;
mod cors;
mod domains;
mod faults;
mod harness;
mod hogs;
mod http2;
mod iam;
mod ip_rules;
mod jwt;
mod jwt_issuer;
mod limits;
mod listeners;
mod numbers;
mod peers;
mod policy;
mod probe;
mod quota;
mod readme;
mod reload;
mod routing;
mod simulation;
mod slow_tokens;
mod soak;
mod throttle;
mod tls;
mod usage;
mod webhooks;
mod wire;
