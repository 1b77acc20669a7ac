//! What a key used of its quota, day by day, and what was left.

use std::collections::BTreeMap;

use super::{
    period::Day,
    quota::{ClosedDay, Counters},
    terms::QuotaTerms,
};

/// Requests on a day, and what was left of the period's limit at its end.
pub type UsedAndRemaining = [u64; 2];

/// The days from `from` to `to`, both with it: `closed` are those that are over, from the start of
/// the period that `from` is in, `now` is how things stand. A day on which nothing was used has
/// what the day before had left, or all of it where a period starts.
#[must_use]
pub fn by_day<'a>(
    terms: &QuotaTerms,
    now: Option<&Counters>,
    closed: impl IntoIterator<Item = &'a ClosedDay>,
    (from, to): (Day, Day),
) -> Vec<UsedAndRemaining> {
    let mut known = BTreeMap::new();
    for ClosedDay { day, used, remaining, .. } in closed {
        known.entry(*day).or_insert([*used, *remaining]);
    }
    if let Some(now) = now {
        known.insert(now.day, [now.used_today, now.remaining()]);
    }
    let on = |day: Day| match known.range(..=day).next_back() {
        Some((known, usage)) if *known == day => *usage,
        Some((known, [_, left])) if terms.start(*known) == terms.start(day) => [0, *left],
        _ => [0, terms.limit],
    };
    (from.0..=to.0).map(|day| on(Day(day))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{AccountId, LimitId, Period, Subject};

    #[test]
    fn days_without_requests_have_what_was_left() {
        let id = AccountId::new(LimitId(1), Subject(1));
        // Day 3 is a Sunday.
        let terms = QuotaTerms { limit: 100, period: Period::Week, offset: 0 };
        let closed = |day, used, remaining| ClosedDay { id, day: Day(day), used, remaining };
        let all = [closed(4, 10, 90), closed(6, 5, 85), closed(6, 50, 50), closed(10, 1, 99)];
        let now =
            Counters { limit: 120, used: 7, used_today: 6, ..Counters::new(id, Day(10), Day(12)) };
        let days = by_day(&terms, Some(&now), &all, (Day(3), Day(13)));
        let expected = [
            [0, 100],
            [10, 90],
            [0, 90],
            [5, 85],
            [0, 85],
            [0, 85],
            [0, 85],
            [1, 99],
            [0, 99],
            [6, 113],
            [0, 113],
        ];
        assert_eq!(days, expected);
        assert_eq!(by_day(&terms, None, [], (Day(3), Day(3))), [[0, 100]]);
    }
}
