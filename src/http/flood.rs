//! What an HTTP/2 peer may do too much of. Who counts is `net::http2`; what is too much stands in
//! `base::limits`.

/// A flood that ends an HTTP/2 connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Flood {
    /// Requests that are reset before they are answered (CVE-2023-44487).
    RapidReset,
    /// Frames that make us reset the peer's streams (CVE-2025-8671).
    MadeYouReset,
    /// Heads in ever more CONTINUATION frames (CVE-2024-27316).
    Continuation,
    /// PING (CVE-2019-9512).
    Ping,
    /// SETTINGS (CVE-2019-9515).
    Settings,
    /// DATA frames without data (CVE-2019-9518).
    EmptyData,
    /// Answers that are asked for and not taken (CVE-2019-9511, CVE-2019-9517).
    WindowStall,
    /// Heads that are larger than all we take, decoded (CVE-2016-6581).
    HeaderBomb,
    /// PRIORITY (CVE-2019-9513).
    Priority,
    /// WINDOW_UPDATE without data to take.
    WindowUpdate,
    /// Frames of types that nobody knows.
    Unknown,
}

impl Flood {
    /// All kinds; a kind's index is its place here.
    pub const ALL: [Self; 11] = [
        Self::RapidReset,
        Self::MadeYouReset,
        Self::Continuation,
        Self::Ping,
        Self::Settings,
        Self::EmptyData,
        Self::WindowStall,
        Self::HeaderBomb,
        Self::Priority,
        Self::WindowUpdate,
        Self::Unknown,
    ];

    /// The value of the `kind` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid_reset",
            Self::MadeYouReset => "made_you_reset",
            Self::Continuation => "continuation",
            Self::Ping => "ping",
            Self::Settings => "settings",
            Self::EmptyData => "empty_data",
            Self::WindowStall => "window_stall",
            Self::HeaderBomb => "header_bomb",
            Self::Priority => "priority",
            Self::WindowUpdate => "window_update",
            Self::Unknown => "unknown",
        }
    }
}
