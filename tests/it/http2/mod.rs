//! HTTP/2 on the wire: raw frames at the gateway, and clients and servers of other makes.
//!
//! `frame`, `hpack`, `huffman` and `client` are a peer that shares no code with the gateway (nor
//! with the h2 crate); `target` is what it talks to. Each other module is one subject.

mod answers;
mod chaos;
mod client;
mod downgrade;
mod floods;
mod flow;
mod frame;
mod frames_suite;
mod grpc;
mod hogs;
mod hpack;
mod huffman;
mod in_flight;
mod programs;
mod spec;
mod target;
mod upstreams;
mod verdict;
