//! Documents in, `Plan` out: the gateway file and OpenAPI import; every problem with its place.
//!
//! A file becomes a [`document::Document`] (values with places); the walkers below read it and
//! add to [`Problems`] all that is wrong, so that a person mends a file in one round.

pub mod document;
pub mod gateway_file;
pub mod openapi;
mod problems;
pub mod report;
mod suggest;

pub use problems::Problems;
