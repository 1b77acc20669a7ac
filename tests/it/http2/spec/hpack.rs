//! h2spec's HPACK part: header blocks that cannot be decoded (RFC 7541). What is wrong stands
//! behind a good request, so that only a decoder can find it.

use super::{Case, case};
use crate::http2::{
    client::RawClient,
    frame::{COMPRESSION_ERROR, WHOLE, headers, setting},
    hpack::{Block, Coding, FIRST_DYNAMIC, Literal},
    target::get,
    verdict::Expect,
};

const UNREADABLE: Expect = Expect::ConnectionError(&[COMPRESSION_ERROR]);
/// `x-test` in the Huffman code, with its length.
const X_TEST: &[u8] = &[0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff];

fn send_with(client: &mut RawClient, last: impl FnOnce(Block) -> Block) -> Result<(), String> {
    let whole = last(Block::new().raw(&get())).into_bytes();
    client.send(&headers(1, WHOLE, whole));
    Ok(())
}

/// A literal without indexing, `x-test`, with this value and its length.
fn send_value(client: &mut RawClient, value: &[u8]) -> Result<(), String> {
    send_with(client, |block| block.raw(&[0]).raw(X_TEST).raw(value))
}

pub(super) fn cases() -> Vec<Case> {
    let unreadable = |section, name, send| case(section, name, UNREADABLE, send);
    vec![
        unreadable(
            "2.3.3",
            "Sends a indexed header field representation with invalid index",
            |client| send_with(client, |block| block.indexed(FIRST_DYNAMIC + 8)),
        ),
        unreadable(
            "2.3.3",
            "Sends a literal header field representation with invalid index",
            |client| {
                let index = FIRST_DYNAMIC + 8;
                send_with(client, |block| {
                    block.literal_of(Literal::Indexed, Coding::Plain, index, b"ringway")
                })
            },
        ),
        unreadable(
            "4.2",
            "Sends a dynamic table size update at the end of header block",
            |client| send_with(client, |block| block.table_size(1)),
        ),
        unreadable(
            "5.2",
            "Sends a Huffman-encoded string literal representation with padding longer than 7 bits",
            |client| send_value(client, &[0x84, 0x49, 0x50, 0x9f, 0xff]),
        ),
        unreadable(
            "5.2",
            "Sends a Huffman-encoded string literal representation padded by zero",
            |client| send_value(client, &[0x83, 0x49, 0x50, 0x90]),
        ),
        unreadable(
            "5.2",
            "Sends a Huffman-encoded string literal representation containing the EOS symbol",
            |client| send_value(client, &[0x87, 0xff, 0xff, 0xff, 0xfd, 0x25, 0x42, 0x7f]),
        ),
        unreadable("6.1", "Sends a indexed header field representation with index 0", |client| {
            send_with(client, |block| block.indexed(0))
        }),
        unreadable(
            "6.3",
            "Sends a dynamic table size update larger than the value of SETTINGS_HEADER_TABLE_SIZE",
            |client| {
                let announced = client.settings.get(&setting::HEADER_TABLE_SIZE);
                let size = announced.map_or(4_096, |&size| size as usize);
                let whole = Block::new().table_size(size + 1).raw(&get()).into_bytes();
                client.send(&headers(1, WHOLE, whole));
                Ok(())
            },
        ),
    ]
}
