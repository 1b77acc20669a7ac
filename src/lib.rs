//! Ringway: an API gateway for bare-metal Linux that speaks AWS API Gateway's language.
//!
//! # The one idea
//!
//! *Decide early, carry the decision as a type, keep deciding apart from doing.*
//!
//! ```text
//! documents --compile--> Plan (immutable)                          control plane: may fail
//! bytes -> Request -> pure steps over the Plan -> Response -> bytes      data plane: one line
//! ```
//!
//! # The map, ground floor first
//!
//! [`architecture`] says more: what may import what, how a request travels, what never happens.
//!
//! | folder | what it is |
//! |---|---|
//! | [`base`] | limits, buffers, pools, time types, `Problem` |
//! | [`http`] | the vocabulary: method, status, headers, target, heads |
//! | [`json`] | simd-json views, JSONPath as AWS uses it |
//! | [`ledger`] | throttles and quotas, exact over all shards |
//! | [`telemetry`] | per-shard counters and histograms, merge, Prometheus text |
//! | [`wire`] | codecs without IO: HTTP/1 heads, chunked bodies, the PROXY header |
//! | [`steps`] | one folder per API Gateway concept, each pure |
//! | [`tls`] | certificates, policies, names: rustls's configurations |
//! | [`plan`] | the compiled gateway |
//! | [`demo`] | the pet store that runs without a file |
//! | [`config`] | documents in, `Plan` out |
//! | [`ring`] | the io_uring driver; the only folder with `unsafe` |
//! | [`runtime`] | pinned executors, clock, sleep, mailboxes |
//! | [`net`] | listeners and streams |
//! | [`upstream`] | connection pools |
//! | [`gateway`] | the story of a request; connection loops; forwarding |
//! | [`shard`] | one core's life |
//! | [`admin`] | the private port |
//! | [`serve`] | the process: start, signals, reload, the end |
//! | [`cli`] | the command line |

// `eprintln` panics when nobody reads standard error.
#![cfg_attr(not(test), deny(clippy::print_stderr))]

#[doc = include_str!("architecture.md")]
pub mod architecture {}

pub mod admin;
pub mod base;
pub mod cli;
pub mod config;
pub mod demo;
pub mod gateway;
pub mod http;
pub mod json;
pub mod ledger;
pub mod net;
pub mod plan;
pub mod ring;
pub mod runtime;
pub mod serve;
pub mod shard;
pub mod steps;
pub mod telemetry;
pub mod tls;
pub mod upstream;
pub mod wire;
