//! What is wrong with a signature, in AWS's words. A text never has a signature, a token or a
//! secret in it, and what it echoes is cut.

use super::Canonical;

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// There is none.
    Missing,
    /// There is more than one, in whatever form.
    Several,
    /// A part of `Authorization` has no equals sign, or a part is there twice.
    NotKeyValue,
    /// Parts are missing: Credential, Signature, SignedHeaders, and the date.
    Incomplete([bool; 4]),
    /// The credential does not have five parts.
    Credential,
    /// The scope names another region.
    Region,
    /// The scope names another service than `execute-api`.
    Service,
    /// The scope does not end with `aws4_request`.
    Terminator,
    /// The scope's date is not the signature's.
    ScopeDate,
    /// The date is none.
    Date,
    /// It is too old.
    Expired,
    /// It is of the future.
    NotYet,
    /// `X-Amz-Expires` is not 1 to 604800.
    Expires,
    /// The names of the signed headers are not in order, not in lower case, or of absent fields.
    SignedHeaders,
    /// `host` or an `x-amz-*` that was sent is not signed.
    Unsigned,
    /// `x-amz-content-sha256` is not the body's hash.
    Payload,
    /// It is not the signature of this request.
    Mismatch,
}

impl Fault {
    /// The value of `x-amzn-errortype`.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Several | Self::NotKeyValue | Self::Incomplete(_) | Self::Credential => {
                "IncompleteSignatureException"
            }
            _ => "InvalidSignatureException",
        }
    }

    /// The client's text. `region` is the gateway's.
    #[must_use]
    pub fn sentence(self, region: &str) -> String {
        let text = match self {
            Self::Missing => "Missing Authentication Token",
            Self::Several => "Only one signature is taken, in a header or in the query string.",
            Self::NotKeyValue => {
                "'(not shown)' not a valid key=value pair (missing equal-sign) in Authorization \
                 header: '(not shown)'."
            }
            Self::Incomplete(missing) => return incomplete(missing),
            Self::Credential => {
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term."
            }
            Self::Region => {
                return format!("Credential should be scoped to a valid region: '{region}'.");
            }
            Self::Service => "Credential should be scoped to correct service: 'execute-api'.",
            Self::Terminator => {
                "Credential should be scoped with a valid terminator: 'aws4_request'."
            }
            Self::ScopeDate => "Date in Credential scope does not match YYYYMMDD of the date.",
            Self::Date => "Date must be in ISO-8601 'basic format'.",
            Self::Expired => "Signature expired",
            Self::NotYet => "Signature not yet current",
            Self::Expires => "X-Amz-Expires must be a number from 1 to 604800 seconds.",
            Self::SignedHeaders => "SignedHeaders must be sorted lower-case names of sent headers.",
            Self::Unsigned => "'Host' and every 'X-Amz-*' header must be in SignedHeaders.",
            Self::Payload => "x-amz-content-sha256 is not the SHA-256 of the body.",
            Self::Mismatch => MISMATCH,
        };
        text.to_owned()
    }

    /// The text for a mismatch: what should have been signed.
    #[must_use]
    pub fn mismatch(canonical: &Canonical) -> String {
        let (request, to_sign) = (canonical.shown(), canonical.string_to_sign());
        format!(
            "{MISMATCH}\n\nThe Canonical String for this request should have \
             been\n'{request}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
        )
    }
}

fn incomplete(missing: [bool; 4]) -> String {
    let names = ["'Credential'", "'Signature'", "'SignedHeaders'"];
    let missing_names = names.iter().zip(missing).filter(|(_, is_missing)| *is_missing);
    let mut text: String = missing_names
        .map(|(name, _)| format!("Authorization header requires {name} parameter. "))
        .collect();
    if missing[3] {
        text.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    text + "Authorization=(not shown)"
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
                        provided. Check your AWS Secret Access Key and signing method. Consult \
                        the service documentation for details.";
