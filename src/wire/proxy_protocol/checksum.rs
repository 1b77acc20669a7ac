//! The checksum of a PROXY header (version 2).

use crate::base::crc32c;

/// Whether the four bytes at `at` are the checksum of `header` with zeros in their place.
pub(super) fn is_right(header: &[u8], at: usize) -> bool {
    let (before, rest) = header.split_at(at);
    let (told, behind) = rest.split_at(4);
    let parts = [before, &[0; 4], behind];
    let bytes = parts.into_iter().flatten();
    crc32c(bytes.copied()).to_be_bytes() == told
}
