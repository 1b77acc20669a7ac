//! One core's life: build, accept, handle messages, drain, stop.
