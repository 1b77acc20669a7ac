//! Where the gateway does not do what the suite expects, and why that is right.

/// Case, and the reason with the rule that it follows.
pub(super) const ON_PURPOSE: &[(&str, &str)] = &[];

/// Cases that end the connection with PROTOCOL_ERROR where the RFC names another code: the h2 crate
/// keeps the reason to itself. PROTOCOL_ERROR is for when no more specific code is at hand
/// (RFC 9113 7); a client can do nothing else with either, and h2spec takes the connection's end.
pub(super) const LESS_SPECIFIC: &[&str] = &[
    "Sends a indexed header field representation with invalid index",
    "Sends a literal header field representation with invalid index",
    "Sends a dynamic table size update at the end of header block",
    "Sends a Huffman-encoded string literal representation with padding longer than 7 bits",
    "Sends a Huffman-encoded string literal representation padded by zero",
    "Sends a Huffman-encoded string literal representation containing the EOS symbol",
    "Sends a indexed header field representation with index 0",
    "Sends a dynamic table size update larger than the value of SETTINGS_HEADER_TABLE_SIZE",
    "Sends invalid header block fragment",
    "half closed (remote): Sends a DATA frame",
    "half closed (remote): Sends a HEADERS frame",
    "closed: Sends a HEADERS frame after sending RST_STREAM frame",
    "closed: Sends a HEADERS frame",
    r#"Sends a DATA frame on the stream that is not in \"open\" or \"half-closed (local)\" state"#,
    "Sends a PRIORITY frame with a length other than 5 octets",
    "Sends a RST_STREAM frame with a length other than 4 octets",
    "SETTINGS_INITIAL_WINDOW_SIZE (0x4): Sends the value above the maximum flow control window size",
    "Sends a SETTINGS frame with ACK flag and payload",
    "Sends a SETTINGS frame with a length other than a multiple of 6 octets",
    "Sends a PING frame with a length field value other than 8",
    "Sends a WINDOW_UPDATE frame with a length other than 4 octets",
];
