//! HTTP/1.1 between real sockets: what a client and an upstream see, byte by byte.

mod connections;
