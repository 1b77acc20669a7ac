//! Tests of the codecs as a connection uses them: heads, framing and bodies of several messages,
//! fed in any pieces.

mod fuzz;
mod heads;
mod llhttp;
mod picohttpparser;
mod reader;
mod strictness;
mod suite;
mod writers;
