//! Documents in, `Plan` out: the gateway file and OpenAPI import; every problem with its place.
//!
//! A file becomes a [`document::Document`] (values with places); the walkers below read it and
//! add to [`Problems`] all that is wrong, so that a person mends a file in one round. [`load`]
//! is the way in: it reads the files, and what it returns is all that serving needs.
//!
//! Reading order: `load` (the story), `gateway_file`, `openapi`, `domains`, `keys`, `traffic`,
//! `settings`, `report`. Files are read in `files` and nowhere else.

mod access;
mod api_id;
mod cors;
pub mod document;
mod domains;
mod faces;
mod files;
pub mod gateway_file;
mod ip_rules;
mod key_files;
mod keys;
mod load;
pub mod openapi;
mod policy;
mod principals;
mod problems;
pub mod report;
mod settings;
mod shorten;
mod suggest;
mod token_keys;
mod traffic;
mod upstreams;
mod user_pools;

use files::environment;
pub use load::{Loaded, Source, load};
pub use problems::Problems;
pub use settings::{
    AccessLogTo, GivenCertificate, Listener, Overrides, Settings, Shards, StateFolder, Transport,
};
pub(in crate::config) use shorten::shorten;
