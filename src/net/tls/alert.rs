//! Alerts (RFC 8446 6): what one side tells the other when something is wrong, or at the end.

/// An alert's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert(pub u8);

impl Alert {
    /// The sender has nothing more to say.
    pub const CLOSE_NOTIFY: Self = Self(0);
    pub(super) const UNEXPECTED_MESSAGE: Self = Self(10);
    pub(super) const BAD_RECORD_MAC: Self = Self(20);
    pub(super) const RECORD_OVERFLOW: Self = Self(22);
    pub(super) const DECODE_ERROR: Self = Self(50);
    pub(super) const INTERNAL_ERROR: Self = Self(80);
    const USER_CANCELED: Self = Self(90);
    pub(super) const NO_RENEGOTIATION: Self = Self(100);

    /// The two that end nothing by themselves.
    pub(super) const fn is_harmless(self) -> bool {
        matches!(self, Self::USER_CANCELED | Self::NO_RENEGOTIATION)
    }

    /// The alert's bytes: all are fatal but the end and the harmless ones.
    pub(super) const fn bytes(self) -> [u8; 2] {
        let is_warning = self.is_harmless() || self.0 == Self::CLOSE_NOTIFY.0;
        [if is_warning { 1 } else { 2 }, self.0]
    }
}
