//! Codecs without IO.
