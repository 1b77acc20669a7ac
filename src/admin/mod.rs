//! The private port: health, metrics, reload, inspection.
