//! The text of `GET /metrics`.
