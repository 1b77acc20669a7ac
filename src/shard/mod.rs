//! One core's life: build, accept, handle messages, drain, stop.

pub mod log_writer;
