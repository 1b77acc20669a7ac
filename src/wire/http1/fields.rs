//! A head's fields: httparse's slices become offsets, the line ends between them are checked, and
//! the fields that decide about framing and the connection are noted on the way.

use super::{Fault, connection::Options};
use crate::http::{Field, FieldList, Name, Span, Version};

/// The fields that decide something for the codec.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) host: Once,
    pub(super) length: Once,
    pub(super) coding: Once,
    pub(super) options: Options,
    pub(super) upgrade: bool,
    pub(super) expect_continue: bool,
    pub(super) expect_other: bool,
    underscore: bool,
}

/// A field that may be there once.
#[derive(Clone, Copy, Default)]
pub(super) enum Once {
    #[default]
    Absent,
    One(Span),
    Several,
}

impl Once {
    const fn note(&mut self, span: Span) {
        *self = match self {
            Self::Absent => Self::One(span),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// What Transfer-Encoding says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Chunked,
    /// `chunked` after a coding that we do not know.
    Unknown,
    Wrong,
}

/// Where `part` lies in `head`; both are slices of the same bytes.
#[inline]
pub(super) fn span_in(head: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    // Heads are shorter than 64 KiB (`HeadLimits`); a saturated span would panic, not lie.
    let narrow = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
    Span { start: narrow(start), end: narrow(start.wrapping_add(part.len())) }
}

/// Fills `list` with the fields of `head`; `None` when a line does not end in CRLF.
///
/// httparse takes a LF alone for a line end. A value holds no CR, so a CR two bytes before the
/// next name belongs to the line end.
pub(super) fn collect(
    head: &[u8],
    parsed: &[httparse::Header<'_>],
    list: &mut FieldList,
) -> Option<Notes> {
    if !head.ends_with(b"\r\n\r\n") {
        return None;
    }
    let mut notes = Notes::default();
    list.reserve(parsed.len());
    let mut strict = true;
    for header in parsed {
        let name_bytes = header.name.as_bytes();
        let name_span = span_in(head, name_bytes);
        let before = usize::from(name_span.start).wrapping_sub(2);
        strict &= head.get(before) == Some(&b'\r');
        let name = Name::of(name_bytes);
        let value_span = span_in(head, header.value);
        notes.note(name, name_bytes, header.value, value_span);
        list.push(Field { name, name_span, value_span });
    }
    strict.then_some(notes)
}

impl Notes {
    #[inline]
    fn note(&mut self, name: Name, name_bytes: &[u8], value: &[u8], span: Span) {
        match name {
            Name::Host => self.host.note(span),
            Name::ContentLength => self.length.note(span),
            Name::TransferEncoding => self.coding.note(span),
            Name::Connection => self.options.read(value),
            Name::Upgrade => self.upgrade = true,
            Name::Expect if value.eq_ignore_ascii_case(b"100-continue") => {
                self.expect_continue = true;
            }
            Name::Expect => self.expect_other = true,
            Name::Other => self.underscore |= is_framing_with_underscore(name_bytes),
            _ => {}
        }
    }

    /// The declared length and coding, at most one of them, and no trick around them.
    pub(super) fn framing(
        &self,
        head: &[u8],
        version: Version,
    ) -> Result<(Option<u64>, Option<Coding>), Fault> {
        if self.underscore {
            return Err(Fault::UnderscoreName);
        }
        if self.options.lists_framing {
            return Err(Fault::ConnectionOption);
        }
        match (self.length, self.coding) {
            (Once::Absent, Once::Absent) => Ok((None, None)),
            (Once::One(length), Once::Absent) => match parse_length(length.of(head)) {
                Some(length) => Ok((Some(length), None)),
                None => Err(Fault::Length),
            },
            (Once::Several, Once::Absent) => Err(Fault::LengthTwice),
            (Once::Absent, Once::Several) => Err(Fault::CodingTwice),
            (Once::Absent, Once::One(_)) if version == Version::Http10 => {
                Err(Fault::CodingInHttp10)
            }
            (Once::Absent, Once::One(coding)) => Ok((None, Some(parse_coding(coding.of(head))))),
            (_, _) => Err(Fault::LengthAndCoding),
        }
    }
}

/// `content_length` and `transfer_encoding`: CGI-like servers map `-` and `_` to the same name.
fn is_framing_with_underscore(name: &[u8]) -> bool {
    let separator = match name.len() {
        14 => 7,
        17 => 8,
        _ => return false,
    };
    if name[separator] != b'_' {
        return false;
    }
    let (first, second) = (&name[..separator], &name[separator + 1..]);
    (first.eq_ignore_ascii_case(b"content") && second.eq_ignore_ascii_case(b"length"))
        || (first.eq_ignore_ascii_case(b"transfer") && second.eq_ignore_ascii_case(b"encoding"))
}

/// A decimal number below 2^64 without sign, list or leading zero (some read octal after one).
pub(super) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || (value[0] == b'0' && value.len() > 1) {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// RFC 9112 6.1 and 6.3: `chunked` alone is understood; before it, an unknown coding is 501; any
/// other list has no length that can be known.
fn parse_coding(value: &[u8]) -> Coding {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Coding::Chunked;
    }
    let mut codings = value.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let last_is_chunked = codings.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let others_are_codings = codings
        .all(|coding| super::class::is_token(coding) && !coding.eq_ignore_ascii_case(b"chunked"));
    if last_is_chunked && others_are_codings { Coding::Unknown } else { Coding::Wrong }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_plain_decimal_numbers() {
        for (text, length) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999999", None),
            ("", None),
            ("00", None),
            ("05", None),
            ("+5", None),
            ("-0", None),
            ("0x5", None),
            ("5, 5", None),
            ("5 5", None),
            ("1_000", None),
            ("five", None),
        ] {
            assert_eq!(parse_length(text.as_bytes()), length, "{text:?}");
        }
    }

    #[test]
    fn underscores_in_framing_names_are_seen() {
        assert!(is_framing_with_underscore(b"Content_Length"));
        assert!(is_framing_with_underscore(b"TRANSFER_ENCODING"));
        assert!(!is_framing_with_underscore(b"x_header_count"));
        assert!(!is_framing_with_underscore(b"content_lengths"));
    }
}
