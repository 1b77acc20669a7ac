//! CRC32c (Castagnoli; RFC 4960 appendix B), byte by byte: a header is short and comes once.

const TABLE: [u32; 256] = table();

/// Whether the four bytes at `at` are the checksum of `header` with zeros in their place.
pub(super) fn is_right(header: &[u8], at: usize) -> bool {
    let (before, rest) = header.split_at(at);
    let (told, behind) = rest.split_at(4);
    let parts = [before, &[0; 4], behind];
    let bytes = parts.into_iter().flatten();
    crc32c(bytes.copied()).to_be_bytes() == told
}

pub(super) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |sum: u32, byte| {
        let [low, ..] = sum.to_le_bytes();
        (sum >> 8) ^ TABLE[usize::from(low ^ byte)]
    })
}

const fn table() -> [u32; 256] {
    /// 0x1EDC6F41 with its bits reversed.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        table[byte as usize] = sum;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}
