//! The compiled gateway: immutable, no serde, no `Option` that means "default".
