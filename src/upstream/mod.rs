//! Per-shard connection pools, balancing, health, one exchange on one connection.
