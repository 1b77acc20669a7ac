//! TLS records: sealed into memory of ours, opened where they lie.
//!
//! The handshake and the key schedule are rustls's; this is what comes after it, with the same
//! ciphers (AWS-LC). rustls's own record layer (0.23) copies each record into a `Vec` of its own,
//! in both directions: at 16 KiB a record that is as dear as the cipher.
//!
//! Not here: what records mean (`session`), and where their bytes come from and go to (`stream`).

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::{ConnectionTrafficSecrets, crypto::cipher::AeadKey};

use super::alert::Alert;

/// A record's header: type, version, length.
pub(super) const HEADER_BYTES: usize = 5;
/// Plaintext of one record (RFC 8446 5.1).
pub(super) const PLAINTEXT_BYTES_MAX: usize = 16_384;
/// What a protected record may have behind its header (RFC 8446 5.2). TLS 1.2 would allow more, for
/// ciphers that nobody here speaks.
pub(super) const PROTECTED_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX + 256;
/// The most that a record is longer than its plaintext: TLS 1.2, AES-GCM.
pub(super) const OVERHEAD_BYTES_MAX: usize = HEADER_BYTES + EXPLICIT_BYTES + TAG_BYTES;

const TAG_BYTES: usize = 16;
/// TLS 1.2 sends half of AES-GCM's nonce along (RFC 5288).
const EXPLICIT_BYTES: usize = 8;
/// `legacy_record_version`, in both versions.
const VERSION: [u8; 2] = [3, 3];

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Content {
    ChangeCipherSpec = 20,
    Alert = 21,
    Handshake = 22,
    Data = 23,
}

/// The two versions' ways to protect a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The true type is within the ciphertext.
    Tls13,
    /// AES-GCM with an explicit nonce.
    Tls12Explicit,
    /// ChaCha20-Poly1305 (RFC 7905).
    Tls12,
}

/// One direction's keys.
pub(super) struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    version: Version,
}

/// A record that was opened: its plaintext is this part of the bytes that it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) content: Content,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Keys {
    /// The keys that rustls agreed on, from record `sequence` on. `None` for a cipher that this
    /// version does not know.
    pub(super) fn new(
        secrets: &ConnectionTrafficSecrets,
        sequence: u64,
        is_tls13: bool,
    ) -> Option<Self> {
        let (algorithm, key, iv, is_explicit): (&'static Algorithm, &AeadKey, _, _) = match secrets
        {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv, true),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv, true),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                (&CHACHA20_POLY1305, key, iv, false)
            }
            _ => return None,
        };
        let version = match (is_tls13, is_explicit) {
            (true, _) => Version::Tls13,
            (false, true) => Version::Tls12Explicit,
            (false, false) => Version::Tls12,
        };
        let iv = iv.as_ref().try_into().ok()?;
        Self::of(algorithm, key.as_ref(), iv, sequence, version)
    }

    fn of(
        algorithm: &'static Algorithm,
        key: &[u8],
        iv: [u8; 12],
        sequence: u64,
        version: Version,
    ) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, iv, sequence, version })
    }

    /// Records that went through so far, or, for the first ones after a handshake, their number.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How much longer a record is than its plaintext.
    pub(super) const fn overhead(&self) -> usize {
        HEADER_BYTES + self.explicit_bytes() + self.trailer_bytes()
    }

    const fn explicit_bytes(&self) -> usize {
        match self.version {
            Version::Tls12Explicit => EXPLICIT_BYTES,
            Version::Tls13 | Version::Tls12 => 0,
        }
    }

    /// Behind the plaintext: in TLS 1.3 the type, then the tag.
    const fn trailer_bytes(&self) -> usize {
        TAG_BYTES + (matches!(self.version, Version::Tls13) as usize)
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, of_sequence) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= of_sequence;
        }
        nonce
    }

    /// Seals one record into the whole of `record`; `fill` writes the plaintext.
    ///
    /// # Panics
    /// When `record` is shorter than [`Keys::overhead`], or longer than a record may be.
    pub(super) fn seal(
        &mut self,
        content: Content,
        record: &mut [u8],
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), Alert> {
        let plaintext_bytes = record.len() - self.overhead();
        let protected_bytes = record.len() - HEADER_BYTES;
        let length = u16::try_from(protected_bytes).expect("a record is shorter than 64 KiB");
        let outer = if self.version == Version::Tls13 { Content::Data } else { content };
        let (header, rest) = record.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&header_of(outer, length));
        let nonce = self.nonce();
        let (explicit, rest) = rest.split_at_mut(self.explicit_bytes());
        explicit.copy_from_slice(&nonce[12 - explicit.len()..]);
        let (text, tag) = rest.split_at_mut(rest.len() - TAG_BYTES);
        fill(&mut text[..plaintext_bytes]);
        let aad = self.aad(content, header, plaintext_bytes);
        if let Some(inner) = text.get_mut(plaintext_bytes) {
            *inner = content as u8;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self.key.seal_in_place_separate_tag(nonce, Aad::from(aad.bytes()), text);
        tag.copy_from_slice(sealed.map_err(|_| Alert::INTERNAL_ERROR)?.as_ref());
        self.sequence += 1;
        Ok(())
    }

    /// Opens one whole record in place.
    ///
    /// # Errors
    /// The alert that the peer is to get: the record is forged, or no record at all.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<Opened, Alert> {
        let explicit_bytes = self.explicit_bytes();
        let outer = Content::parse(record[0]).ok_or(Alert::UNEXPECTED_MESSAGE)?;
        // Everything is protected after the handshake (RFC 8446 5.1, 5246 6.2.3).
        if self.version == Version::Tls13 && outer != Content::Data {
            return Err(Alert::UNEXPECTED_MESSAGE);
        }
        let (header, rest) = record.split_at_mut(HEADER_BYTES);
        let Some(text_bytes) = rest.len().checked_sub(explicit_bytes + self.trailer_bytes()) else {
            return Err(Alert::BAD_RECORD_MAC);
        };
        let mut nonce = self.nonce();
        nonce[12 - explicit_bytes..].copy_from_slice(&rest[..explicit_bytes]);
        let aad = self.aad(outer, header, text_bytes);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let text = &mut rest[explicit_bytes..];
        let text = self
            .key
            .open_in_place(nonce, Aad::from(aad.bytes()), text)
            .map_err(|_| Alert::BAD_RECORD_MAC)?;
        self.sequence += 1;
        let (content, length) = match self.version {
            Version::Tls13 => inner_of(text)?,
            Version::Tls12 | Version::Tls12Explicit => (outer, text.len()),
        };
        if length > PLAINTEXT_BYTES_MAX {
            return Err(Alert::RECORD_OVERFLOW);
        }
        let start = HEADER_BYTES + explicit_bytes;
        Ok(Opened { content, start, end: start + length })
    }

    /// What is authenticated and not encrypted: the header in TLS 1.3, sequence and plaintext's
    /// header in TLS 1.2.
    fn aad(&self, content: Content, header: &[u8], plaintext_bytes: usize) -> AadBytes {
        let mut bytes = [0; 13];
        if self.version == Version::Tls13 {
            bytes[..HEADER_BYTES].copy_from_slice(header);
            return AadBytes { bytes, length: HEADER_BYTES };
        }
        let length = u16::try_from(plaintext_bytes).unwrap_or(u16::MAX);
        bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..].copy_from_slice(&header_of(content, length));
        AadBytes { bytes, length: 13 }
    }
}

struct AadBytes {
    bytes: [u8; 13],
    length: usize,
}

impl AadBytes {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Content {
    const fn parse(byte: u8) -> Option<Self> {
        match byte {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::Data),
            _ => None,
        }
    }
}

fn header_of(content: Content, length: u16) -> [u8; HEADER_BYTES] {
    let [high, low] = length.to_be_bytes();
    [content as u8, VERSION[0], VERSION[1], high, low]
}

/// The true type and the plaintext's length: behind it stand the type and any number of zeros (RFC
/// 8446 5.4).
fn inner_of(text: &[u8]) -> Result<(Content, usize), Alert> {
    if text.len() > PLAINTEXT_BYTES_MAX + 1 {
        return Err(Alert::RECORD_OVERFLOW);
    }
    let end = text.iter().rposition(|&byte| byte != 0).ok_or(Alert::UNEXPECTED_MESSAGE)?;
    let content = Content::parse(text[end]).ok_or(Alert::UNEXPECTED_MESSAGE)?;
    Ok((content, end))
}

/// The length of the record that `bytes` begin with, once its header is there.
///
/// # Errors
/// The alert for what cannot be a record.
pub(super) fn record_bytes(bytes: &[u8]) -> Result<Option<usize>, Alert> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    if Content::parse(header[0]).is_none() || header[1] != VERSION[0] {
        return Err(Alert::UNEXPECTED_MESSAGE);
    }
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if length > PROTECTED_BYTES_MAX {
        return Err(Alert::RECORD_OVERFLOW);
    }
    Ok(Some(HEADER_BYTES + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&Algorithm, Version); 6] = [
        (&AES_128_GCM, Version::Tls13),
        (&AES_256_GCM, Version::Tls13),
        (&CHACHA20_POLY1305, Version::Tls13),
        (&AES_128_GCM, Version::Tls12Explicit),
        (&AES_256_GCM, Version::Tls12Explicit),
        (&CHACHA20_POLY1305, Version::Tls12),
    ];

    fn keys(algorithm: &'static Algorithm, version: Version) -> Keys {
        Keys::of(algorithm, &[9; 32][..algorithm.key_len()], [7; 12], 3, version).unwrap()
    }

    fn tls13() -> Keys {
        keys(&AES_128_GCM, Version::Tls13)
    }

    #[track_caller]
    fn for_all(check: impl Fn(&dyn Fn() -> Keys)) {
        for (algorithm, version) in ALL {
            check(&|| keys(algorithm, version));
        }
    }

    fn sealed(keys: &mut Keys, content: Content, text: &[u8]) -> Vec<u8> {
        let mut record = vec![0; keys.overhead() + text.len()];
        keys.seal(content, &mut record, |out| out.copy_from_slice(text)).unwrap();
        record
    }

    #[test]
    fn what_is_sealed_is_opened() {
        for_all(|keys| {
            let (mut one, mut other) = (keys(), keys());
            for length in [0, 1, 100, PLAINTEXT_BYTES_MAX] {
                for content in [Content::Data, Content::Handshake, Content::Alert] {
                    let text = vec![5; length];
                    let mut record = sealed(&mut one, content, &text);
                    assert_eq!(record_bytes(&record), Ok(Some(record.len())));
                    let opened = other.open(&mut record).unwrap();
                    assert_eq!(opened.content, content);
                    assert_eq!(record[opened.start..opened.end], text);
                }
            }
            assert_eq!(one.sequence(), other.sequence());
        });
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        for_all(|keys| {
            let record = sealed(&mut keys(), Content::Data, b"text");
            for place in 0..record.len() {
                // A length is where the record ends: one that was changed shows there.
                let is_length = (3..HEADER_BYTES).contains(&place);
                let is_version = (1..3).contains(&place);
                let is_tls12 = keys().version != Version::Tls13;
                let mut forged = record.clone();
                forged[place] ^= 1;
                let noticed = keys().open(&mut forged).is_err();
                assert!(noticed || is_tls12 && (is_length || is_version), "byte {place}");
            }
        });
    }

    #[test]
    fn a_record_is_opened_in_its_turn_only() {
        for_all(|keys| {
            let (mut one, mut other) = (keys(), keys());
            let first = sealed(&mut one, Content::Data, b"first");
            let second = sealed(&mut one, Content::Data, b"second");
            assert_eq!(other.open(&mut second.clone()), Err(Alert::BAD_RECORD_MAC));
            other.open(&mut first.clone()).unwrap();
            assert_eq!(other.open(&mut { first }), Err(Alert::BAD_RECORD_MAC));
            other.open(&mut { second }).unwrap();
        });
    }

    /// A record whose inner text is this: text, type, padding.
    fn with_inner(inner: &[u8]) -> Vec<u8> {
        let keys = tls13();
        let header = header_of(Content::Data, u16::try_from(inner.len() + TAG_BYTES).unwrap());
        let mut body = inner.to_vec();
        let nonce = Nonce::assume_unique_for_key(keys.nonce());
        let tag = keys.key.seal_in_place_separate_tag(nonce, Aad::from(header), &mut body);
        [&header, body.as_slice(), tag.unwrap().as_ref()].concat()
    }

    #[test]
    fn padding_is_taken_off_and_nothing_but_padding_refused() {
        let mut padded = with_inner(b"abc\x17\0\0\0");
        let opened = tls13().open(&mut padded).unwrap();
        assert_eq!(opened.content, Content::Data);
        assert_eq!(&padded[opened.start..opened.end], b"abc");
        let check = |inner: &[u8], alert| {
            assert_eq!(tls13().open(&mut with_inner(inner)), Err(alert));
        };
        check(&[0; 20], Alert::UNEXPECTED_MESSAGE);
        check(b"", Alert::BAD_RECORD_MAC);
        check(b"abc\x63", Alert::UNEXPECTED_MESSAGE);
        let mut long = vec![1; PLAINTEXT_BYTES_MAX];
        long.push(23);
        assert!(tls13().open(&mut with_inner(&long)).is_ok());
        long.push(0);
        check(&long, Alert::RECORD_OVERFLOW);
    }

    #[test]
    fn what_is_no_record_is_told_from_its_header() {
        assert_eq!(record_bytes(&[23, 3, 3, 0]), Ok(None));
        assert_eq!(record_bytes(&[23, 3, 3, 0, 5]), Ok(Some(10)));
        assert_eq!(record_bytes(b"GET / HTTP/1.1"), Err(Alert::UNEXPECTED_MESSAGE));
        assert_eq!(record_bytes(&[23, 2, 3, 0, 5]), Err(Alert::UNEXPECTED_MESSAGE));
        let length = |bytes: usize| {
            let [high, low] = u16::try_from(bytes).unwrap().to_be_bytes();
            record_bytes(&[23, 3, 3, high, low])
        };
        assert_eq!(length(PROTECTED_BYTES_MAX), Ok(Some(HEADER_BYTES + PROTECTED_BYTES_MAX)));
        assert_eq!(length(PROTECTED_BYTES_MAX + 1), Err(Alert::RECORD_OVERFLOW));
    }

    #[test]
    fn a_record_too_short_for_its_tag_is_forged() {
        for_all(|keys| {
            let mut record = [23, 3, 3, 0, 3, 1, 2, 3];
            assert_eq!(keys().open(&mut record), Err(Alert::BAD_RECORD_MAC));
        });
    }
}
