//! What is wrong with a signature, in AWS's words (`api-gateway.md` 3.1), as JSON. A text never has
//! a signature, a token or a secret in it, and what it echoes is bounded.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Canonical, Claim, Fault, Signed};
use crate::{
    base::{WallTime, limits::SIGNED_TEXT_BYTES_MAX},
    http::Name,
    steps::context::IsoTime,
};

/// What a text may tell of a request.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The gateway's region.
    pub region: &'a str,
    /// What was sent.
    pub signed: Signed<'a>,
    /// The signature, as far as it could be read.
    pub claim: Option<&'a Claim<'a>>,
    /// What should have been signed, where that is what is wrong.
    pub canonical: Option<&'a Canonical>,
    /// The time.
    pub now: WallTime,
}

impl Told<'_> {
    /// The body of the refusal.
    #[must_use]
    pub fn body(&self, fault: Fault) -> String {
        let mut out = String::from("{\"message\":\"");
        escape(&self.sentence(fault), &mut out);
        out.push_str("\"}");
        out
    }

    /// The text alone.
    #[must_use]
    pub fn sentence(&self, fault: Fault) -> String {
        let scope = |place: usize| self.claim.and_then(|claim| claim.scope.split('/').nth(place));
        let scope = |place| cut(scope(place).unwrap_or_default(), 64);
        let text = match fault {
            Fault::NotKeyValue => {
                return format!(
                    "'(not shown)' not a valid key=value pair (missing equal-sign) in \
                     Authorization header (hashed with SHA-256 and encoded with Base64): '{}'.",
                    self.hashed()
                );
            }
            Fault::Incomplete(missing) => return self.incomplete(missing),
            Fault::Several => "Only one signature is taken, in a header or in the query string.",
            Fault::Credential => {
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term."
            }
            Fault::Region => {
                let (other, region) = (scope(1), self.region);
                return format!(
                    "Credential should be scoped to a valid region, not '{other}'; it is \
                     '{region}'."
                );
            }
            Fault::Service => "Credential should be scoped to correct service: 'execute-api'.",
            Fault::Terminator => {
                return format!(
                    "Credential should be scoped with a valid terminator: 'aws4_request', not \
                     '{}'.",
                    scope(3)
                );
            }
            Fault::ScopeDate => {
                return format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of \
                     date from HTTP: '{}' is not of '{}'.",
                    scope(0),
                    cut(self.claim.map_or("", |claim| &claim.stamp), 32)
                );
            }
            Fault::Date => "Date must be in ISO-8601 'basic format'.",
            Fault::Expired | Fault::NotYet => return self.time(fault),
            Fault::Expires => "X-Amz-Expires must be a number from 1 to 604800 seconds.",
            Fault::SignedHeaders => {
                "SignedHeaders must be names of sent headers, in lower case and sorted."
            }
            Fault::Unsigned => {
                "'Host', the date and every 'X-Amz-*' header must be a 'SignedHeader' in the AWS \
                 Authorization."
            }
            Fault::Mismatch | Fault::Payload => return self.mismatch(),
            Fault::Missing | Fault::UnknownKey | Fault::ExpiredKey => {
                let body = fault.body();
                return body.split('"').nth(3).unwrap_or_default().to_owned();
            }
        };
        text.to_owned()
    }

    fn hashed(&self) -> String {
        let header = self.signed.fields.find(Name::Authorization).unwrap_or_default();
        STANDARD.encode(digest::digest(&digest::SHA256, header))
    }

    fn incomplete(&self, missing: [bool; 4]) -> String {
        let names = ["'Credential'", "'Signature'", "'SignedHeaders'"];
        let missing_names = names.iter().zip(missing).filter(|(_, is_missing)| *is_missing);
        let mut text: String = missing_names
            .map(|(name, _)| format!("Authorization header requires {name} parameter. "))
            .collect();
        if missing[3] {
            text.push_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header. ",
            );
        }
        let hashed = self.hashed();
        text + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + &hashed
    }

    fn time(&self, fault: Fault) -> String {
        let Some(claim) = self.claim else { return String::new() };
        let (stamp, now) = (cut(&claim.stamp, 32), self.now.seconds());
        let (is_late, minutes) = (fault == Fault::Expired, claim.holds_seconds() / 60);
        let minutes = if is_late { minutes } else { 5 };
        let bound = if is_late { now.saturating_sub(minutes * 60) } else { now + minutes * 60 };
        let (what, sign) = match is_late {
            true => ("Signature expired: ", "is now earlier than"),
            false => ("Signature not yet current: ", "is still later than"),
        };
        let (bound, now) = (basic(bound), basic(now));
        let operator = if is_late { '-' } else { '+' };
        format!("{what}{stamp} {sign} {bound} ({now} {operator} {minutes} min.)")
    }

    fn mismatch(&self) -> String {
        let Some(canonical) = self.canonical else { return MISMATCH.to_owned() };
        let request = canonical.shown();
        let request = cut(&request, SIGNED_TEXT_BYTES_MAX);
        format!(
            "{MISMATCH}\n\nThe Canonical String for this request should have \
             been\n'{request}'\n\nThe String-to-Sign should have been\n'{}'\n",
            canonical.string_to_sign()
        )
    }
}

/// A second in ISO 8601's basic form.
fn basic(seconds: u64) -> String {
    let time = IsoTime::new(seconds);
    time.as_bytes().iter().filter(|&&b| b != b'-' && b != b':').map(|&b| char::from(b)).collect()
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn escape(text: &str, out: &mut String) {
    for sign in text.chars() {
        match sign {
            '"' | '\\' => out.extend(['\\', sign]),
            '\n' => out.push_str("\\n"),
            sign if sign.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(sign))),
            sign => out.push(sign),
        }
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
                        provided. Check your AWS Secret Access Key and signing method. Consult \
                        the service documentation for details.";
