//! The header names that decide something in the gateway, told apart once, at parsing.

macro_rules! names {
    ($($variant:ident = $text:literal,)*) => {
        /// A header name as a value: `Other` for all that decide nothing here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $(#[doc = $text] $variant,)*
            /// Any other name; the field's bytes tell which.
            Other,
        }

        impl Name {
            /// Every name but `Other`, in the table's order.
            const ALL: &[(Self, &'static str)] = &[$((Self::$variant, $text),)*];

            /// The name in lower case; empty for `Other`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other => "",
                }
            }
        }
    };
}

names! {
    Accept = "accept",
    ApigwRequestId = "apigw-requestid",
    Authorization = "authorization",
    Connection = "connection",
    ContentEncoding = "content-encoding",
    ContentLength = "content-length",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Expect = "expect",
    Forwarded = "forwarded",
    Host = "host",
    KeepAlive = "keep-alive",
    Origin = "origin",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    Server = "server",
    Te = "te",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XAmznTraceId = "x-amzn-trace-id",
    XApigwApiId = "x-apigw-api-id",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
}

impl Name {
    /// The name of these bytes, compared without case (RFC 9110 5.1).
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Other;
        }
        let candidate = SLOTS[slot(bytes, SEED)];
        match Self::ALL.get(usize::from(candidate)) {
            Some((name, text)) if text.as_bytes().eq_ignore_ascii_case(bytes) => *name,
            _ => Self::Other,
        }
    }
}

// A perfect hash, found by the compiler: each name of the table has a slot of its own, so a lookup
// is one multiplication, one load and at most one comparison, however long the table grows.

/// The slots; most are empty, so that most names that are not in the table cost no comparison.
const SLOT_COUNT: usize = 256;
/// The mark of an empty slot.
const EMPTY: u8 = u8::MAX;
/// The multiplier that gives every name its own slot.
const SEED: u64 = find_seed();
/// The index into `Name::ALL` of each slot.
static SLOTS: [u8; SLOT_COUNT] = match fill(SEED) {
    Some(slots) => slots,
    None => panic!("find_seed returns seeds without collisions only"),
};

/// The slot of a name that is not empty: by its length, first, middle and last two bytes without
/// case. (Without the last but one, x-forwarded-host and x-forwarded-port are the same.)
const fn slot(bytes: &[u8], seed: u64) -> usize {
    let length = bytes.len();
    let before_last = length.saturating_sub(2);
    let key = u64::from_le_bytes([
        bytes[0] | 0x20,
        bytes[length / 2] | 0x20,
        bytes[before_last] | 0x20,
        bytes[length - 1] | 0x20,
        length.to_le_bytes()[0],
        0,
        0,
        0,
    ]);
    key.wrapping_mul(seed).to_be_bytes()[0] as usize
}

/// The slots under this seed; `None` when two names share one.
const fn fill(seed: u64) -> Option<[u8; SLOT_COUNT]> {
    let mut slots = [EMPTY; SLOT_COUNT];
    let mut index = 0;
    while index < Name::ALL.len() {
        let slot = slot(Name::ALL[index].1.as_bytes(), seed);
        if slots[slot] != EMPTY {
            return None;
        }
        slots[slot] = index.to_le_bytes()[0];
        index += 1;
    }
    Some(slots)
}

/// Runs in the compiler; a table that no seed serves does not compile.
const fn find_seed() -> u64 {
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut tries = 0;
    while tries < 1_000 {
        if fill(seed).is_some() {
            return seed;
        }
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F) | 1;
        tries += 1;
    }
    panic!("no perfect hash for this many names: double SLOT_COUNT");
}

const _: () = assert!(Name::ALL.len() < EMPTY as usize);

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn every_name_of_the_table_is_found_in_any_case() {
        for (name, text) in Name::ALL {
            assert_eq!(Name::of(text.as_bytes()), *name);
            assert_eq!(Name::of(text.to_ascii_uppercase().as_bytes()), *name);
            assert_eq!(Name::of(format!("{text}s").as_bytes()), Name::Other);
            assert_eq!(Name::of(&text.as_bytes()[1..]), Name::Other);
            assert_eq!(name.as_str(), *text);
        }
    }

    #[test]
    fn names_are_found_without_case() {
        assert_eq!(Name::of(b"Content-LENGTH"), Name::ContentLength);
        assert_eq!(Name::of(b"content-lengths"), Name::Other);
        assert_eq!(Name::of(b""), Name::Other);
    }
}
