//! HPACK (RFC 7541) for a peer that says exactly which representation it sends, and reads any.
//!
//! The encoder keeps no table: a case that wants an entry in the gateway's table says so. Fields
//! are bytes, since a case may send what no field may hold.

use std::collections::VecDeque;

use super::huffman;

pub(super) type Field = (Vec<u8>, Vec<u8>);

/// Whether a string is sent as it is or in the Huffman code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Huffman,
}

/// How a literal asks to be remembered (RFC 7541 6.2): the first byte and its prefix.
#[derive(Clone, Copy)]
pub(super) enum Literal {
    Indexed,
    NotIndexed,
    NeverIndexed,
}

/// A header block in the making.
#[derive(Clone, Default)]
pub(super) struct Block(Vec<u8>);

impl Block {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A literal with a name of its own, not indexed, no Huffman code: nothing to get wrong.
    pub(super) fn field(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.literal(Literal::NotIndexed, Coding::Plain, name.as_ref(), value.as_ref())
    }

    pub(super) fn literal(
        mut self,
        literal: Literal,
        coding: Coding,
        name: &[u8],
        value: &[u8],
    ) -> Self {
        let (pattern, prefix) = literal.start();
        self.integer(pattern, prefix, 0);
        self.string(coding, name);
        self.string(coding, value);
        self
    }

    /// A literal whose name is that of a table's entry.
    pub(super) fn literal_of(
        mut self,
        literal: Literal,
        coding: Coding,
        index: usize,
        value: &[u8],
    ) -> Self {
        let (pattern, prefix) = literal.start();
        self.integer(pattern, prefix, index);
        self.string(coding, value);
        self
    }

    /// A field that is an entry of a table.
    pub(super) fn indexed(mut self, index: usize) -> Self {
        self.integer(0x80, 7, index);
        self
    }

    pub(super) fn table_size(mut self, bytes: usize) -> Self {
        self.integer(0x20, 5, bytes);
        self
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn integer(&mut self, pattern: u8, prefix: u32, value: usize) {
        let full = (1 << prefix) - 1;
        let low = |value: usize| u8::try_from(value).unwrap();
        if value < full {
            self.0.push(pattern | low(value));
            return;
        }
        self.0.push(pattern | low(full));
        let mut left = value - full;
        while left >= 128 {
            self.0.push(0x80 | low(left % 128));
            left /= 128;
        }
        self.0.push(low(left));
    }

    fn string(&mut self, coding: Coding, text: &[u8]) {
        let (pattern, bytes) = match coding {
            Coding::Plain => (0, text.to_vec()),
            Coding::Huffman => (0x80, huffman::encode(text)),
        };
        self.integer(pattern, 7, bytes.len());
        self.0.extend(bytes);
    }
}

impl Literal {
    fn start(self) -> (u8, u32) {
        match self {
            Self::Indexed => (0x40, 6),
            Self::NotIndexed => (0, 4),
            Self::NeverIndexed => (0x10, 4),
        }
    }
}

/// A block of these fields in the plainest form.
pub(super) fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let start = Block::new();
    fields.iter().fold(start, |block, (name, value)| block.field(name, value)).into_bytes()
}

/// What an entry weighs beside its name and value (RFC 7541 4.1).
const ENTRY_BYTES: usize = 32;

/// The other end of the gateway's encoder.
pub(super) struct Decoder {
    table: VecDeque<Field>,
    table_bytes_max: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { table: VecDeque::new(), table_bytes_max: 4_096 }
    }

    /// The fields of one whole block, or what is wrong with it.
    pub(super) fn decode(&mut self, mut block: &[u8]) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        while let Some(&first) = block.first() {
            if first & 0x80 != 0 {
                let index = integer(&mut block, 7)?;
                fields.push(self.entry(index)?);
            } else if first & 0x40 != 0 {
                let field = self.literal(&mut block, 6)?;
                self.table.push_front(field.clone());
                self.evict();
                fields.push(field);
            } else if first & 0x20 != 0 {
                self.table_bytes_max = integer(&mut block, 5)?;
                if self.table_bytes_max > 4_096 || !fields.is_empty() {
                    return Err(format!("a table size of {} here", self.table_bytes_max));
                }
                self.evict();
            } else {
                fields.push(self.literal(&mut block, 4)?);
            }
        }
        Ok(fields)
    }

    fn literal(&self, block: &mut &[u8], prefix: u32) -> Result<Field, String> {
        let index = integer(block, prefix)?;
        let name = if index == 0 { string(block)? } else { self.entry(index)?.0 };
        Ok((name, string(block)?))
    }

    fn entry(&self, index: usize) -> Result<Field, String> {
        let missing = || format!("no entry {index}");
        let at = index.checked_sub(1).ok_or_else(missing)?;
        if let Some((name, value)) = STATIC_TABLE.get(at) {
            return Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        self.table.get(at - STATIC_TABLE.len()).cloned().ok_or_else(missing)
    }

    fn evict(&mut self) {
        let bytes = |table: &VecDeque<Field>| -> usize {
            table.iter().map(|(name, value)| name.len() + value.len() + ENTRY_BYTES).sum()
        };
        while bytes(&self.table) > self.table_bytes_max {
            self.table.pop_back();
        }
    }
}

fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, String> {
    let full = (1_usize << prefix) - 1;
    let mut value = usize::from(take(block)?) & full;
    if value < full {
        return Ok(value);
    }
    for shift in (0..28).step_by(7) {
        let byte = take(block)?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("an integer without end".to_owned())
}

fn string(block: &mut &[u8]) -> Result<Vec<u8>, String> {
    let is_huffman = block.first().is_some_and(|byte| byte & 0x80 != 0);
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or("a string that is cut off")?;
    *block = rest;
    if !is_huffman {
        return Ok(text.to_vec());
    }
    huffman::decode(text).ok_or_else(|| "no Huffman code".to_owned())
}

fn take(block: &mut &[u8]) -> Result<u8, String> {
    let (first, rest) = block.split_first().ok_or("a block that is cut off")?;
    *block = rest;
    Ok(*first)
}

/// RFC 7541 appendix A; the first entry has index 1.
#[rustfmt::skip]
const STATIC_TABLE: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""),
    ("via", ""), ("www-authenticate", ""),
];
/// `user-agent` in the static table.
pub(super) const USER_AGENT: usize = 58;
/// The first entry of the dynamic table.
pub(super) const FIRST_DYNAMIC: usize = STATIC_TABLE.len() + 1;

/// RFC 7541 C.6: three answers on one connection, with a table of 256 bytes that has to evict.
#[test]
fn answers_of_the_rfc() {
    let mut decoder = Decoder { table: VecDeque::new(), table_bytes_max: 256 };
    let first = Block::new()
        .literal_of(Literal::Indexed, Coding::Huffman, 8, b"302")
        .literal_of(Literal::Indexed, Coding::Huffman, 24, b"private")
        .literal_of(Literal::Indexed, Coding::Huffman, 33, b"Mon, 21 Oct 2013 20:13:21 GMT")
        .literal_of(Literal::Indexed, Coding::Huffman, 46, b"https://www.example.com");
    let first = first.into_bytes();
    assert_eq!(first[..9], [0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77]);
    assert_eq!(decoder.decode(&first).unwrap().len(), 4);
    let second = decoder.decode(&[0x48, 0x83, 0x64, 0x0e, 0xff, 0xc1, 0xc0, 0xbf]).unwrap();
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!(second[0], field(":status", "307"));
    assert_eq!(second[3], field("location", "https://www.example.com"));
    let evicted = decoder.decode(&[0xc2]);
    assert_eq!(evicted, Err("no entry 66".to_owned()));
    let long = Block::new().field("x-long", "l".repeat(300)).into_bytes();
    assert_eq!(decoder.decode(&long).unwrap()[0].1.len(), 300);
}
