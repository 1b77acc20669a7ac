//! HTTP/1.1 between real sockets: what a client and an upstream see, byte by byte.

mod bodies;
mod connections;
mod desync;
mod expect;
mod fields;
mod interim;
mod refusals;
mod upstreams;
