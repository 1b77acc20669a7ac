//! One account of a throttle or a concurrency limit: plain arithmetic, in whole numbers that are
//! rounded against the caller.
//!
//! A token bucket's tokens are in two places: `level` of them here, `out` of them in the shards'
//! leases, spent or not as far as the shards have told. Together they never exceed the burst, so
//! what is admitted in any stretch of time `t` is at most `burst + rate x t`: everything that is
//! there at its start, and what is refilled within it.

use std::time::Duration;

use super::terms::{AccountId, Rate, Terms};
use crate::base::Moment;

/// A token, in the billionths that levels are kept in.
const TOKEN: u64 = 1_000_000_000;

/// What a shard tells of the lease that it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Tokens of it that were spent.
    pub(super) spent: u32,
    /// Tokens of it that come back.
    pub(super) back: u32,
    /// Requests that were refused since the last time.
    pub(super) refused: u32,
}

/// What a shard wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Tokens to spend later, beside the one that is spent now.
    pub(super) ahead: u32,
    /// Among how many shards the tokens may have to be divided.
    pub(super) shards: u32,
}

/// What it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A token that is spent, and others to spend.
    Granted {
        /// How many others.
        ahead: u32,
        /// When the account was asked before; `None` when it is new.
        before: Option<Moment>,
    },
    /// None: the next one will be there at this time, or earlier, when a lease comes back.
    Empty(Moment),
}

/// An account, in one line of the cache: most callers' are cold.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Bucket {
    pub(super) id: AccountId,
    /// Billionths of a token, as of `settled`.
    level: u64,
    settled: Moment,
    /// What accrues from `settled` on.
    rate: Rate,
    burst: u32,
    out: u32,
    refused: u32,
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// An account as a person looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Whole tokens in the ledger.
    pub level: u32,
    /// Tokens in leases, or requests in flight.
    pub out: u32,
    /// Requests that were refused since the account was opened, as far as the shards have told.
    pub refused: u32,
}

impl Bucket {
    /// A new account is full.
    pub(super) fn new(id: AccountId, terms: &Terms, now: Moment) -> Self {
        let (rate, burst) = match *terms {
            Terms::Bucket { rate, burst } => (rate, burst),
            Terms::InFlight { max } => (Rate::ZERO, max),
        };
        let level = u64::from(burst) * TOKEN;
        Self { id, level, settled: now, rate, burst, out: 0, refused: 0 }
    }

    /// Takes a token to spend, and a few ahead: not so many that another shard finds none.
    pub(super) fn take(
        &mut self,
        (rate, burst): (Rate, u32),
        now: Moment,
        settled: Settled,
        wish: Wish,
    ) -> Taken {
        let (before, level, was) = (self.settled, self.level, self.rate);
        // Between a reload and the first request after it nobody knows which rate was in force.
        self.rate = self.rate.min(rate);
        self.burst = burst;
        self.settle(now, settled);
        self.rate = rate;
        let whole = u32::try_from(self.level / TOKEN).unwrap_or(u32::MAX);
        if whole == 0 {
            let wait = rate.time_for(TOKEN - self.level);
            if settled.spent == 0 && settled.back == 0 && was == rate {
                // As it was: whoever asks often must not lose what is rounded down each time. Not
                // where the rate changed: it would hold for the time before that, too.
                (self.settled, self.level) = (before, level);
            }
            return Taken::Empty(now + wait);
        }
        let share = ((whole - 1) / (2 * wish.shards)).min(burst / (4 * wish.shards));
        let ahead = wish.ahead.min(share);
        self.level -= u64::from(ahead + 1) * TOKEN;
        self.out += ahead;
        Taken::Granted { ahead, before: Some(before) }
    }

    /// Takes what a shard tells into account, as of `now`.
    pub(super) fn settle(&mut self, now: Moment, settled: Settled) {
        let elapsed = now.0.saturating_sub(self.settled.0);
        self.level = self.level.saturating_add(self.rate.accrued(elapsed)).min(self.room());
        self.settled = self.settled.max(now);
        self.out = self.out.saturating_sub(settled.spent.saturating_add(settled.back));
        self.put_back(settled.back);
        self.refused = self.refused.saturating_add(settled.refused);
    }

    /// Tokens that were taken and are not spent.
    pub(super) fn put_back(&mut self, tokens: u32) {
        let level = self.level.saturating_add(u64::from(tokens) * TOKEN);
        self.level = level.min(self.room());
    }

    /// Whether one more request may be in flight; it is from now on.
    pub(super) fn enter(&mut self, max: u32) -> bool {
        self.burst = max;
        // Full beside those in flight: a raised limit would be one that never fills up.
        self.level = u64::from(max) * TOKEN;
        let enters = self.out < max;
        match enters {
            true => self.out += 1,
            false => self.refused = self.refused.saturating_add(1),
        }
        enters
    }

    /// One less is in flight; `false` when none was.
    pub(super) fn leave(&mut self) -> bool {
        let was_any = self.out > 0;
        self.out = self.out.saturating_sub(1);
        was_any
    }

    /// Whether it is as a new one: then it need not be kept. One that has refused is, for a time,
    /// so that a person can ask who was refused.
    pub(super) fn is_idle(&self, now: Moment, refusals_kept: Duration) -> bool {
        let elapsed = now.0.saturating_sub(self.settled.0);
        let is_full =
            self.level.saturating_add(self.rate.accrued(elapsed)) >= u64::from(self.burst) * TOKEN;
        let is_told = self.refused == 0 || u128::from(elapsed) >= refusals_kept.as_nanos();
        self.out == 0 && is_full && is_told
    }

    pub(super) fn view(&self, now: Moment) -> AccountView {
        let elapsed = now.0.saturating_sub(self.settled.0);
        let level = self.level.saturating_add(self.rate.accrued(elapsed)).min(self.room());
        let level = u32::try_from(level / TOKEN).unwrap_or(u32::MAX);
        AccountView { level, out: self.out, refused: self.refused }
    }

    /// What the level may be.
    fn room(&self) -> u64 {
        u64::from(self.burst.saturating_sub(self.out)) * TOKEN
    }
}
