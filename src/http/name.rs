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
    Referer = "referer",
    Server = "server",
    Te = "te",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XAmznTraceId = "x-amzn-trace-id",
    XApiKey = "x-api-key",
    XApigwApiId = "x-apigw-api-id",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
}

impl Name {
    /// The name of these bytes, compared without case (RFC 9110 5.1).
    #[must_use]
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        let Some(words) = words(bytes) else { return Self::Other };
        let entry = &SLOTS[slot(&words, SEED)];
        let differs = ((words.first | entry.fold.first) ^ entry.text.first)
            | ((words.middle | entry.fold.middle) ^ entry.text.middle)
            | ((words.last | entry.fold.last) ^ entry.text.last)
            | (words.length ^ entry.text.length);
        if differs == 0 { entry.name } else { Self::Other }
    }
}

// A perfect hash, found by the compiler: each name of the table has a slot of its own, and a name
// is compared as three words, so a lookup costs the same however long the table grows.

/// The slots; most are empty.
const SLOT_COUNT: usize = 256;
/// The longest name that the words can hold.
const NAME_BYTES_MAX: usize = 24;
/// The multiplier that gives every name its own slot.
const SEED: u64 = find_seed();
static SLOTS: [Entry; SLOT_COUNT] = match fill(SEED) {
    Some(slots) => slots,
    None => panic!("find_seed returns seeds without collisions only"),
};

/// A text of 1 to 24 bytes as words that may overlap; with the length they are the whole text.
#[derive(Clone, Copy)]
struct Words {
    first: u64,
    middle: u64,
    last: u64,
    length: u64,
}

/// One slot: its name, the name's words, and the bit that makes a capital small at each letter.
#[derive(Clone, Copy)]
struct Entry {
    name: Name,
    text: Words,
    fold: Words,
}

/// The words of a text; `None` when it is empty or longer than every name.
#[inline]
const fn words(bytes: &[u8]) -> Option<Words> {
    let length = bytes.len() as u64;
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        if bytes.len() > NAME_BYTES_MAX {
            return None;
        }
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        let middle = match bytes.split_at(8).1.first_chunk::<8>() {
            Some(middle) => u64::from_le_bytes(*middle),
            None => 0,
        };
        return Some(Words { first, middle, last, length });
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return Some(Words { first: first as u64, middle: 0, last: last as u64, length });
    }
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return None };
    let middle = bytes[bytes.len() / 2] as u64;
    Some(Words { first: *first as u64, middle, last: *last as u64, length })
}

/// The slot of a name, the same for every case of it.
#[inline]
const fn slot(words: &Words, seed: u64) -> usize {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let ends = (words.first | SMALL) ^ (words.last | SMALL).rotate_left(23) ^ words.length;
    (ends.wrapping_mul(seed) >> 56) as u8 as usize
}

/// The slots under this seed; `None` when two names share one.
const fn fill(seed: u64) -> Option<[Entry; SLOT_COUNT]> {
    // No text has this length, so an empty slot equals nothing.
    let nothing = Words { first: 0, middle: 0, last: 0, length: u64::MAX };
    let mut slots = [Entry { name: Name::Other, text: nothing, fold: nothing }; SLOT_COUNT];
    let mut index = 0;
    while index < Name::ALL.len() {
        let (name, text) = Name::ALL[index];
        let Some(text_words) = words(text.as_bytes()) else { panic!("a name is too long") };
        let slot = slot(&text_words, seed);
        if slots[slot].text.length != u64::MAX {
            return None;
        }
        slots[slot] = Entry { name, text: text_words, fold: letters(text.as_bytes()) };
        index += 1;
    }
    Some(slots)
}

/// 0x20 at each letter of the text, as words.
const fn letters(text: &[u8]) -> Words {
    let mut fold = [0; NAME_BYTES_MAX];
    let mut index = 0;
    while index < text.len() {
        if text[index].is_ascii_lowercase() {
            fold[index] = 0x20;
        }
        index += 1;
    }
    match words(fold.split_at(text.len()).0) {
        Some(words) => words,
        None => panic!("a name is too long"),
    }
}

/// Runs in the compiler; a table that no seed serves does not compile.
const fn find_seed() -> u64 {
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut tries = 0;
    while tries < 300 {
        if fill(seed).is_some() {
            return seed;
        }
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F) | 1;
        tries += 1;
    }
    panic!("no perfect hash for this many names: double SLOT_COUNT and shift by one less");
}

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
        assert_eq!(Name::of(b"content\rlength"), Name::Other);
        assert_eq!(Name::of(b"content\x0dtype"), Name::Other);
        assert_eq!(Name::of(&[b'x'; 25]), Name::Other);
        assert_eq!(Name::of(b"x"), Name::Other);
    }
}
