//! The formats that the gateway file's strings have, by the name that the schema says in
//! `format`. The schema's `pattern` says the same to editors; here it is a function and a phrase.

use crate::{
    base::{Address, ListenAddress, WallTime, limits::API_KEY_NAME_MAX},
    steps::{
        api_key::Digest,
        authorize::{policy, principal::PrincipalArn},
        endpoint,
        integrate::TrustedProxies,
    },
};

/// A rule for a string, and what to call a string that keeps it.
pub(super) struct Format {
    pub(super) name: &'static str,
    /// "expected .."
    pub(super) what: &'static str,
    pub(super) keeps: fn(&str) -> bool,
}

/// Every format of the schema.
pub(super) const FORMATS: &[Format] = &[
    Format {
        name: "listen-address",
        what: "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080, or unix:/path, or \
               systemd:NAME",
        keeps: |text| text.parse::<ListenAddress>().is_ok(),
    },
    Format {
        name: "connect-address",
        what: "an IP address and a port, such as 10.0.0.7:8080, or unix:/path",
        keeps: |text| text.parse::<Address>().is_ok(),
    },
    Format {
        name: "listener-label",
        what: "1 to 63 of a-z 0-9 -, such as internal",
        keeps: endpoint::is_label,
    },
    Format {
        name: "file-mode",
        what: "three octal digits, such as \"0660\"",
        keeps: |text| {
            let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(text);
            digits.len() == 3 && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
        },
    },
    Format {
        name: "cidr",
        what: "an IP network or address, such as 10.0.0.0/8",
        keeps: |text| TrustedProxies::parse([text]).is_ok(),
    },
    Format {
        name: "stage-name",
        what: "$default, or 1 to 128 of A-Z a-z 0-9 _ -",
        keeps: |text| text == "$default" || is_of(text, 1..=128, b"_-", u8::is_ascii_alphanumeric),
    },
    Format {
        name: "api-id",
        what: "10 lower-case letters and digits",
        keeps: |text| is_of(text, 10..=10, b"", is_lower_or_digit),
    },
    Format {
        name: "region",
        what: "a region's name, such as eu-central-1",
        keeps: |text| is_of(text, 1..=32, b"-", is_lower_or_digit),
    },
    Format {
        name: "account-id",
        what: "12 digits, such as \"123456789012\"",
        keeps: |text| is_of(text, 12..=12, b"", u8::is_ascii_digit),
    },
    Format {
        name: "domain-suffix",
        what: "a domain name in lower case, such as example.internal",
        keeps: |text| is_of(text, 1..=190, b".-", is_lower_or_digit),
    },
    Format {
        name: "stage-variable-name",
        what: "a name of A-Z a-z 0-9 _",
        keeps: |text| is_of(text, 1..=usize::MAX, b"_", u8::is_ascii_alphanumeric),
    },
    Format {
        name: "stage-variable-value",
        what: "a text of A-Z a-z 0-9 and - . _ ~ : / ? # & = ,",
        keeps: |text| is_of(text, 1..=usize::MAX, b"-._~:/?#&=,", u8::is_ascii_alphanumeric),
    },
    Format {
        name: "name",
        what: "1 to 1024 characters, none of them a control character",
        keeps: is_name,
    },
    Format {
        name: "sha-256",
        what: "64 hexadecimal digits, as sha256sum prints them",
        keeps: |text| Digest::parse(text).is_some(),
    },
    Format {
        name: "principal-arn",
        what: "an ARN such as arn:aws:iam::123456789012:user/alice, or \
               arn:aws:sts::123456789012:assumed-role/ROLE/SESSION",
        keeps: |text| PrincipalArn::parse(text).is_ok(),
    },
    Format {
        name: "principal-id",
        what: "1 to 128 printable ASCII characters, no spaces",
        keeps: |text| is_of(text, 1..=128, b"", u8::is_ascii_graphic),
    },
    Format {
        name: "access-key-id",
        what: "16 to 128 of A-Z a-z 0-9 _, such as AKIAIOSFODNN7EXAMPLE",
        keeps: |text| is_of(text, 16..=128, b"_", u8::is_ascii_alphanumeric),
    },
    Format {
        name: "organization-id",
        what: "o- and 1 to 32 of a-z 0-9, such as o-a1b2c3d4e5",
        keeps: |text| {
            text.strip_prefix("o-").is_some_and(|rest| is_of(rest, 1..=32, b"", is_lower_or_digit))
        },
    },
    Format {
        name: "iso-time",
        what: "a time in ISO 8601, such as 2026-11-26T11:30:00Z",
        keeps: |text| time_of(text).is_some(),
    },
    Format {
        name: "limit-name",
        what: "1 to 64 of A-Z a-z 0-9 _ . -, such as per-client",
        keeps: |text| is_of(text, 1..=64, b"_.-", u8::is_ascii_alphanumeric),
    },
];

/// The format of this name; `None` for those that only describe a number (`uint16`).
pub(super) fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// A name or id of a key or a usage plan.
pub(in crate::config) fn is_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=API_KEY_NAME_MAX).contains(&length) && !text.contains(char::is_control)
}

/// A time that is written for people.
pub(in crate::config) fn time_of(text: &str) -> Option<WallTime> {
    let milliseconds = policy::parse_time(text.as_bytes()).filter(|_| text.contains('-'))?;
    u64::try_from(milliseconds).ok().map(WallTime)
}

fn is_of(
    text: &str,
    length: std::ops::RangeInclusive<usize>,
    more: &[u8],
    class: fn(&u8) -> bool,
) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| class(&byte) || more.contains(&byte))
}

const fn is_lower_or_digit(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}
