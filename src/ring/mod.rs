//! The io_uring driver: ring, buffer ring, slab of operations, timer wheel.
