//! What is left of the limits that a request came under, for those who want to tell it.

use super::{Asked, Limit};
use crate::{
    base::{Moment, WallTime},
    ledger::{Ledger, Purse, QuotaTerms, Terms, period::Day},
    steps::context::Left,
};

impl<'a> Asked<'a> {
    /// Of the limits that a request was let through by, the one with the least left. `quota` is the
    /// name of the quota's usage plan.
    pub fn least_left(
        &self,
        (ledger, purse): (&Ledger, &Purse),
        quota: &'a str,
        now: Moment,
        wall: WallTime,
    ) -> Option<Left<'a>> {
        let of_limits = self.limits().filter_map(|(_, limit)| {
            let id = self.account(limit, purse);
            let kept = ledger.view(id, now).map_or(u32::MAX, |view| view.level);
            let leased = purse.view(id).map_or(0, |lease| lease.tokens);
            left_of_limit(limit, kept.saturating_add(leased))
        });
        let of_quota = self.quota.and_then(|(id, terms)| {
            let counters = ledger.quotas().counters(id, terms, wall)?;
            let leased = purse.quota_view(id).map_or(0, |(_, spent)| u64::from(spent));
            let remaining = counters.remaining().saturating_sub(leased);
            Some(left_of_quota(quota, terms, remaining, wall))
        });
        of_limits.chain(of_quota).min_by_key(|left| left.remaining)
    }
}

/// What is left of a token bucket with this many tokens. A limit of requests in flight has no
/// window, and one that lets nothing through no refill: `None`.
#[must_use]
pub fn left_of_limit(limit: &Limit, tokens: u32) -> Option<Left<'_>> {
    let Terms::Bucket { rate, burst: burst @ 1.. } = limit.terms else { return None };
    let remaining = tokens.min(burst);
    let time_for = |tokens: u32| {
        let wait = rate.time_for(u64::from(tokens) * 1_000_000_000);
        wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
    };
    (!rate.is_zero()).then(|| Left {
        name: &limit.name,
        quota: u64::from(burst),
        window: time_for(burst).max(1),
        remaining: u64::from(remaining),
        reset: time_for(burst - remaining),
    })
}

/// What is left of a quota, in the period of `wall`.
#[must_use]
pub fn left_of_quota<'a>(
    name: &'a str,
    terms: &QuotaTerms,
    remaining: u64,
    wall: WallTime,
) -> Left<'a> {
    let start = terms.start(Day::of(wall));
    let end = terms.end(start).start();
    Left {
        name,
        quota: terms.limit,
        window: (end.0 - start.start().0) / 1_000,
        remaining,
        reset: end.0.saturating_sub(wall.0).div_ceil(1_000),
    }
}
