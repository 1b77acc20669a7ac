//! What can be wrong with user and password (RFC 7617), in the words of the access log; clients are
//! told nothing of it.

use crate::http::Status;

/// Why basic authentication lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BasicFault {
    /// There is no `Authorization`.
    Missing,
    /// There is more than one.
    Several,
    /// It is of another scheme.
    OtherScheme,
    /// It is longer than [`crate::base::limits::BASIC_BYTES_MAX`].
    TooLong,
    /// It is no base64, or not in its one form.
    NotBase64,
    /// What it encodes is not UTF-8.
    NotUtf8,
    /// It has control characters.
    Control,
    /// No colon stands between user and password.
    NoColon,
    /// The user is empty.
    NoUser,
    /// No user has this name, or it is not its password: nobody is told which.
    Wrong,
    /// Too many passwords of its address are being hashed: 429.
    Crowded,
    /// Too many passwords are being hashed, or it took too long: 503.
    Busy,
}

impl BasicFault {
    pub(super) const fn status(self) -> Status {
        match self {
            Self::Crowded => Status::TOO_MANY_REQUESTS,
            Self::Busy => Status::SERVICE_UNAVAILABLE,
            _ => Status::UNAUTHORIZED,
        }
    }

    pub(super) const fn body(self) -> &'static str {
        match self {
            Self::Crowded => r#"{"message":"Too Many Requests"}"#,
            Self::Busy => r#"{"message":"Service Unavailable"}"#,
            _ => r#"{"message":"Unauthorized"}"#,
        }
    }

    /// Whether other credentials would help, so that they are asked for.
    #[must_use]
    pub const fn asks(self) -> bool {
        !matches!(self, Self::Crowded | Self::Busy)
    }

    /// The sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "there is no user and password",
            Self::Several => "there is more than one Authorization",
            Self::OtherScheme => "Authorization is not Basic",
            Self::TooLong => "user and password are too long",
            Self::NotBase64 => "user and password are not base64 encoded",
            Self::NotUtf8 => "user and password are not UTF-8",
            Self::Control => "user or password has control characters",
            Self::NoColon => "there is no colon between user and password",
            Self::NoUser => "the user is empty",
            Self::Wrong => "user or password is wrong",
            Self::Crowded => "too many passwords of its address are being checked",
            Self::Busy => "too many passwords are being checked",
        }
    }
}
