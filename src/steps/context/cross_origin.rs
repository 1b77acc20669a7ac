//! What a browser is told of the page that asks: whether it may read the answer (the Fetch
//! Standard, "CORS protocol"). Who may is decided in `steps::cors`.

use crate::http::{HeadSink, Name};

/// What an answer of an API with CORS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossOrigin<'a> {
    /// The request has no `Origin`: nothing, and what the integration says passes.
    Unasked,
    /// Nothing, and what the integration says is dropped: only the gateway decides.
    Refused,
    /// The origin that may read it, or `*`, and the whole lines that go with it; what the
    /// integration says is dropped.
    Allowed {
        /// The value of `access-control-allow-origin`.
        origin: &'a [u8],
        /// Lines, each with its CRLF.
        lines: &'a [u8],
    },
}

impl CrossOrigin<'_> {
    /// Whether a field of the integration is not passed on.
    #[inline]
    #[must_use]
    pub fn drops_field(self, name: Name, text: &[u8]) -> bool {
        const PREFIX: &[u8] = b"access-control-";
        self != Self::Unasked
            && name == Name::Other
            && text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
    }

    /// Writes what an answer says.
    ///
    /// `vary: origin` stands in all of them: even where `*` is allowed the fields are there only
    /// when the request has an `Origin`, and a cache that took an answer without them for one with
    /// them would keep it from a page that may read it.
    pub fn write(self, sink: &mut impl HeadSink) {
        self.write_preflight(sink);
        sink.sound_field(b"vary", &[b"origin"]);
    }

    /// Writes what the answer to a preflight says. No cache keeps answers to OPTIONS (RFC 9110
    /// 9.3.7), so they do not say what they vary by.
    pub fn write_preflight(self, sink: &mut impl HeadSink) {
        if let Self::Allowed { origin, lines } = self {
            sink.sound_lines([b"access-control-allow-origin: ", origin, b"\r\n", lines]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::fixture::Said;

    #[track_caller]
    fn check(told: CrossOrigin<'_>, expected: &[&str], drops: bool) {
        let mut said = Said::default();
        told.write(&mut said);
        assert_eq!(said.fields, expected);
        for text in ["access-control-allow-origin", "Access-Control-Max-Age", "ACCESS-CONTROL-x"] {
            assert_eq!(told.drops_field(Name::of(text.as_bytes()), text.as_bytes()), drops);
        }
        for text in ["access-control", "x-access-control-allow-origin", "vary", "origin"] {
            assert!(!told.drops_field(Name::of(text.as_bytes()), text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_answer_says_who_may_read_it_and_what_it_varies_by() {
        let lines = b"access-control-allow-credentials: true\r\n";
        let allowed = CrossOrigin::Allowed { origin: b"https://a.example", lines };
        let fields = [
            "access-control-allow-origin: https://a.example",
            "access-control-allow-credentials: true",
            "vary: origin",
        ];
        check(allowed, &fields, true);
        check(CrossOrigin::Refused, &fields[2..], true);
        check(CrossOrigin::Unasked, &fields[2..], false);
        let mut said = Said::default();
        allowed.write_preflight(&mut said);
        assert_eq!(said.fields, fields[..2]);
        let mut said = Said::default();
        CrossOrigin::Refused.write_preflight(&mut said);
        assert!(said.fields.is_empty());
    }
}
