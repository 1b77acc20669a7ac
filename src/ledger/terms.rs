//! What a limit says, and whose it is: the names and numbers that the ledger keeps accounts by.

use std::{fmt, time::Duration};

/// Names a limit: stable over reloads and restarts, since it is made of the limit's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitId(pub u64);

/// For whom an account of a limit is kept: 128 bits of whatever tells callers apart. Zero when the
/// limit is everybody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(pub u128);

/// Names an account: a limit, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId {
    limit: u64,
    subject: [u64; 2],
}

impl AccountId {
    /// The account of `subject` under a limit.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of 128 bits")]
    pub const fn new(limit: LimitId, subject: Subject) -> Self {
        let Subject(subject) = subject;
        Self { limit: limit.0, subject: [(subject >> 64) as u64, subject as u64] }
    }

    /// The limit that it is an account of.
    #[must_use]
    pub const fn limit(self) -> LimitId {
        LimitId(self.limit)
    }

    /// For whom it is kept.
    #[must_use]
    pub const fn subject(self) -> Subject {
        let [high, low] = self.subject;
        Subject((high as u128) << 64 | low as u128)
    }
}

/// Requests per second, in millionths: AWS's rates are fractions, such as 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// Nothing ever.
    pub const ZERO: Self = Self(0);

    /// More is no limit: a million millions a second.
    pub const PER_SECOND_MAX: f64 = 1e12;

    /// A rate in requests per second; `None` when it is negative, no number, or beyond
    /// [`Rate::PER_SECOND_MAX`]. What is finer than a millionth is rounded to it, and up to one
    /// where it would be none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a number from 0 to 10^18"
    )]
    pub fn per_second(rate: f64) -> Option<Self> {
        let is_known = (0.0..=Self::PER_SECOND_MAX).contains(&rate);
        let millionths = (rate * 1e6).round() as u64;
        is_known.then_some(Self(if rate > 0.0 { millionths.max(1) } else { 0 }))
    }

    /// In millionths of a request per second.
    #[must_use]
    pub const fn millionths(self) -> u64 {
        self.0
    }

    /// Whether nothing ever comes of it.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What accrues in a time, in billionths of a request, rounded down.
    #[must_use]
    pub fn accrued(self, nanoseconds: u64) -> u64 {
        match nanoseconds.checked_mul(self.0) {
            Some(product) => product / 1_000_000,
            None => {
                let product = u128::from(nanoseconds) * u128::from(self.0) / 1_000_000;
                u64::try_from(product).unwrap_or(u64::MAX)
            }
        }
    }

    /// How long it takes until this many billionths of a request have accrued, rounded up.
    #[must_use]
    pub fn time_for(self, billionths: u64) -> Duration {
        let nanoseconds = match (self.0, billionths.checked_mul(1_000_000)) {
            (0, _) => u64::MAX,
            (rate, Some(product)) => product.div_ceil(rate),
            (rate, None) => {
                let product = u128::from(billionths) * 1_000_000;
                u64::try_from(product.div_ceil(u128::from(rate))).unwrap_or(u64::MAX)
            }
        };
        Duration::from_nanos(nanoseconds)
    }
}

impl fmt::Display for Rate {
    /// In requests per second, with as many digits as it has.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{whole}.{rest:06}");
        out.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What a throttle or a concurrency limit lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// A token bucket: holds `burst` tokens, starts full, refills at `rate`. A burst or a rate of
    /// zero lets nothing through.
    Bucket {
        /// The refill.
        rate: Rate,
        /// The capacity.
        burst: u32,
    },
    /// Requests at the same time.
    InFlight {
        /// How many.
        max: u32,
    },
}

/// What a quota lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaTerms {
    /// Requests in a period.
    pub limit: u64,
    /// The period, in UTC.
    pub period: Period,
    /// See [`Period`]; for `DAY`, and beyond a period's days, requests that are subtracted from the
    /// limit in the first period.
    pub offset: u32,
}

/// A quota's period: a day, a week from the day `offset` on (0 is Sunday), a month from the day
/// `offset` on (counted from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// From 00:00 UTC.
    Day,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
}
