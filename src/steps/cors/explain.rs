//! What a browser will make of a preflight's answer, for `ringway explain` (the Fetch Standard,
//! "CORS-preflight fetch"). Off the path of requests; may allocate.

use super::{Cors, Methods, REQUEST_HEADERS, REQUEST_METHOD};
use crate::http::{Fields, Name};

/// Whether the page's request will follow its preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreflightVerdict {
    /// It will.
    Follows,
    /// The page's origin is not allowed.
    Origin,
    /// The method that it asks for is not.
    Method(String),
    /// A header field that it asks for is not.
    Header(String),
}

impl Cors {
    /// Some of the origins that are allowed, as the document has them.
    #[must_use]
    pub fn origins_text(&self) -> &str {
        if self.origins_text.is_empty() { "none" } else { &self.origins_text }
    }

    /// What becomes of the request that the preflight with these fields asks for, when it comes
    /// without credentials. With them `*` stands for nothing in the lists.
    #[must_use]
    pub fn judge_preflight(&self, fields: Fields<'_>) -> PreflightVerdict {
        let origin = fields.find(Name::Origin).unwrap_or_default();
        if self.allowed(origin, fields).is_none() {
            return PreflightVerdict::Origin;
        }
        let method = fields.named(REQUEST_METHOD).next().unwrap_or_default();
        // These three need no permission.
        let is_simple = matches!(method, b"GET" | b"HEAD" | b"POST");
        let is_listed = match &self.methods {
            Methods::Any => true,
            Methods::These(methods) => {
                methods.iter().any(|known| known.as_str().as_bytes() == method)
            }
        };
        if !(is_simple || is_listed) {
            return PreflightVerdict::Method(String::from_utf8_lossy(method).into_owned());
        }
        let asked =
            fields.named(REQUEST_HEADERS).flat_map(|value| value.split(|byte| *byte == b','));
        for name in asked.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty()) {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let is_listed = self.headers.names.contains(&name);
            // Of all names * leaves out this one only.
            if !(is_listed || self.headers.any && name != "authorization") {
                return PreflightVerdict::Header(name);
            }
        }
        PreflightVerdict::Follows
    }
}
