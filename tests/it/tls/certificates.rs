//! Which certificate a client sees, and what becomes of it when its files change.
