//! The hash of a body, as signatures have it.

use aws_lc_rs::digest;

use super::canonical;
use crate::http::{Fields, hex_digest};

/// Of a body that comes in pieces.
pub struct Running(digest::Context);

impl Default for Running {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Running {
    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Of all pieces.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        bytes(&self.0.finish())
    }
}

fn bytes(hash: &digest::Digest) -> [u8; 32] {
    hash.as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

/// Of a body.
#[must_use]
pub fn of(body: &[u8]) -> [u8; 32] {
    bytes(&digest::digest(&digest::SHA256, body))
}

/// In lower-case hexadecimal digits.
#[must_use]
pub fn hex(hash: &[u8; 32]) -> String {
    canonical::hex(hash)
}

/// The one that `x-amz-content-sha256` says. `None` for anything else, such as `UNSIGNED-PAYLOAD`:
/// then the body itself decides, and no signature for another text fits.
#[must_use]
pub fn said(fields: Fields<'_>) -> Option<[u8; 32]> {
    let mut values = fields.named(b"x-amz-content-sha256");
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    hex_digest(value).filter(|_| !value.iter().any(u8::is_ascii_uppercase))
}
