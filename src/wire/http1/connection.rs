//! The Connection field (RFC 9110 section 7.6.1) and the fields that end at this hop.

use crate::http::{ConnectionOptions, Name, Version};

/// What all Connection fields of a head list together.
#[derive(Clone, Copy, Default)]
pub(super) struct Options {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    lists_fields: bool,
    /// A field without which the message means something else: dropping it would be smuggling.
    pub(super) lists_framing: bool,
}

impl Options {
    /// Adds one Connection field's options.
    pub(super) fn read(&mut self, value: &[u8]) {
        for option in list(value) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
                2 if option.eq_ignore_ascii_case(b"te") => {}
                _ => {
                    self.lists_fields = true;
                    self.lists_framing |= is_for_everybody(Name::of(option));
                }
            }
        }
    }

    pub(super) fn decide(self, version: Version, has_upgrade: bool) -> ConnectionOptions {
        let by_default = version == Version::Http11;
        ConnectionOptions {
            keep_alive: (by_default || self.keep_alive) && !self.close,
            upgrade: self.upgrade && has_upgrade && version == Version::Http11,
            lists_fields: self.lists_fields,
        }
    }
}

/// Fields that no sender may declare to be for one hop only: the framing and the host, and what
/// the gateway itself adds or relies on. A client that lists them wants them stripped on the way.
const fn is_for_everybody(name: Name) -> bool {
    matches!(
        name,
        Name::Host
            | Name::ContentLength
            | Name::TransferEncoding
            | Name::ContentType
            | Name::ContentEncoding
            | Name::Authorization
            | Name::Cookie
            | Name::Forwarded
            | Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedPort
            | Name::XForwardedProto
            | Name::XAmznTraceId
    )
}

/// The members of a comma-separated list, without the empty ones (RFC 9110 5.6.1).
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|option| !option.is_empty())
}
