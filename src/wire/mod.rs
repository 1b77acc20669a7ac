//! Codecs without IO: bytes in, checked values out, and back.

pub mod http1;
pub mod proxy_protocol;

#[cfg(test)]
mod suites;
