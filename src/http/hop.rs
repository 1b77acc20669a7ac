//! Header fields that are about one connection and never cross the gateway (RFC 9110 7.6.1,
//! `api-gateway.md` 7.1), and those that the gateway writes itself.

use super::{Fields, Name};

/// Whether a field is never passed on, in either direction. Framing is the forwarder's to write.
#[must_use]
pub const fn is_hop_by_hop(name: Name) -> bool {
    matches!(
        name,
        Name::Connection
            | Name::ContentLength
            | Name::Expect
            | Name::KeepAlive
            | Name::ProxyAuthenticate
            | Name::ProxyAuthorization
            | Name::ProxyConnection
            | Name::Te
            | Name::Trailer
            | Name::TransferEncoding
            | Name::Upgrade
    )
}

/// Whether the message has a `Connection` field whose options may name other fields. The usual
/// `keep-alive`, `close` and `upgrade` name none that would be passed on anyway.
#[must_use]
pub fn connection_names_fields(fields: Fields<'_>) -> bool {
    fields.all(Name::Connection).any(|value| {
        !(value.is_empty()
            || value.eq_ignore_ascii_case(b"keep-alive")
            || value.eq_ignore_ascii_case(b"close")
            || value.eq_ignore_ascii_case(b"upgrade"))
    })
}

/// Whether `Connection` lists this field's name.
#[must_use]
pub fn listed_in_connection(fields: Fields<'_>, name: &[u8]) -> bool {
    fields.all(Name::Connection).any(|value| {
        let mut options = value.split(|&byte| byte == b',');
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name))
    })
}
