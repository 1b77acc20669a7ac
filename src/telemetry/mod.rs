//! Per-shard counters and hdrhistograms, merge, Prometheus text.
