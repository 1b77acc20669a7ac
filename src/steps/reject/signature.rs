//! What can be wrong with a webhook's signature, in the words of the access log; clients are told
//! nothing of it.

/// Why a signature lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureFault {
    /// There is none.
    Missing,
    /// There is more than one field of it, or more than one time.
    Several,
    /// It is not as the provider writes it.
    Malformed,
    /// There is no time, or it is no number of seconds.
    NoTime,
    /// Its time has passed.
    TooOld,
    /// Its time is still to come.
    TooNew,
    /// None of the secrets made it for this body.
    Wrong,
}

impl SignatureFault {
    /// The sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "there is no webhook signature",
            Self::Several => "there is more than one webhook signature",
            Self::Malformed => "the webhook signature is malformed",
            Self::NoTime => "the webhook signature has no sound time",
            Self::TooOld => "the webhook signature is too old",
            Self::TooNew => "the webhook signature is of the future",
            Self::Wrong => "the webhook signature is not of this body and secret",
        }
    }
}
