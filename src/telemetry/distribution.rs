//! A distribution of durations: an hdrhistogram of microseconds that never grows and never wraps.
//!
//! # Memory, as arithmetic
//!
//! Two significant digits need 256 sub-buckets (the power of two from 2 x 10^2 up), of which each
//! doubling of the range adds half. 120 s = 120,000,000 us lie below 256 x 2^19, so there are 20
//! doublings: (20 + 1) x 128 = 2,688 slots of four bytes = 10,752 bytes. One record is an index
//! computation and an addition. Slots of four bytes would be full after 2^32 records, so after
//! 2^31 they are folded, once and off the common path, into slots of eight (21,504 bytes more).

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longer durations count as this; an HTTP API's integration takes at most 30 s.
pub const DURATION_US_MAX: u64 = 120_000_000;
const SIGNIFICANT_DIGITS: u8 = 2;
const FOLD_AT: u64 = 1 << 31;

/// Durations from 0 to 120 s with an error of at most 1 %.
#[derive(Clone, Debug)]
pub struct Distribution {
    recent: Histogram<u32>,
    folded: Option<Box<Histogram<u64>>>,
    sum_us: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { recent: empty(), folded: None, sum_us: 0 }
    }
}

impl Distribution {
    /// Counts one duration; longer than [`DURATION_US_MAX`] counts as that.
    pub fn record(&mut self, duration: Duration) {
        let us = duration.as_secs().saturating_mul(1_000_000);
        let us = us.saturating_add(u64::from(duration.subsec_micros())).min(DURATION_US_MAX);
        self.recent.saturating_record(us);
        self.sum_us = self.sum_us.wrapping_add(us);
        if self.recent.len() >= FOLD_AT {
            self.fold();
        }
    }

    /// Adds all that `other` counted, as if it had been recorded here.
    pub fn add(&mut self, other: &Self) {
        self.fold();
        let mine = self.folded.get_or_insert_with(|| Box::new(empty()));
        pour(&other.recent, mine);
        if let Some(theirs) = &other.folded {
            pour(theirs, mine);
        }
        self.sum_us = self.sum_us.wrapping_add(other.sum_us);
    }

    /// How many durations were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.recent.len() + self.folded.as_ref().map_or(0, |folded| folded.len())
    }

    /// The sum of all durations, exact but for those cut at [`DURATION_US_MAX`].
    #[must_use]
    pub const fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// For each of `bounds_us` (rising), how many durations were at most that, and for each of
    /// `quantiles` (0 to 1), the duration in microseconds; both within the error of 1 %.
    #[must_use]
    pub fn summarise(&self, bounds_us: &[u64], quantiles: &[f64]) -> Summary {
        let mut all: Histogram<u64> = empty();
        pour(&self.recent, &mut all);
        if let Some(folded) = &self.folded {
            pour(folded, &mut all);
        }
        let mut at_most = vec![0; bounds_us.len()];
        for step in all.iter_recorded() {
            let lowest = all.lowest_equivalent(step.value_iterated_to());
            let first = bounds_us.partition_point(|bound| *bound < lowest);
            at_most[first..].iter_mut().for_each(|sum| *sum += step.count_since_last_iteration());
        }
        let quantiles_us = quantiles.iter().map(|q| all.value_at_quantile(*q)).collect();
        Summary { at_most, quantiles_us }
    }

    fn fold(&mut self) {
        let folded = self.folded.get_or_insert_with(|| Box::new(empty()));
        pour(&self.recent, folded);
        self.recent.reset();
    }
}

/// What [`Distribution::summarise`] found, in the order of its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// Durations at most as long as each bound.
    pub at_most: Vec<u64>,
    /// The duration at each quantile, in microseconds.
    pub quantiles_us: Vec<u64>,
}

fn empty<T: hdrhistogram::Counter>() -> Histogram<T> {
    Histogram::new_with_bounds(1, DURATION_US_MAX, SIGNIFICANT_DIGITS)
        .expect("the bounds are constants that hdrhistogram takes")
}

fn pour<T: hdrhistogram::Counter>(from: &Histogram<T>, into: &mut Histogram<u64>) {
    for step in from.iter_recorded() {
        into.saturating_record_n(step.value_iterated_to(), step.count_since_last_iteration());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations_us: &[u64]) -> Distribution {
        let mut distribution = Distribution::default();
        durations_us.iter().for_each(|us| distribution.record(Duration::from_micros(*us)));
        distribution
    }

    #[test]
    fn memory_is_what_the_arithmetic_says() {
        assert_eq!(Distribution::default().recent.distinct_values(), 2_688);
        assert_eq!(2_688 * size_of::<u32>(), 10_752);
    }

    #[test]
    fn the_longest_duration_is_kept_and_longer_ones_count_as_it() {
        let distribution =
            of(&[DURATION_US_MAX - 1_000_000, DURATION_US_MAX, DURATION_US_MAX + 1, u64::MAX]);
        let summary = distribution.summarise(&[DURATION_US_MAX - 2_000_000, DURATION_US_MAX], &[]);
        assert_eq!(summary.at_most, [0, 4]);
        assert_eq!(distribution.sum_us(), 4 * DURATION_US_MAX - 1_000_000);
    }

    #[track_caller]
    fn check(durations_us: &[u64], bounds_us: &[u64], at_most: &[u64], median_us: u64) {
        let summary = of(durations_us).summarise(bounds_us, &[0.5]);
        assert_eq!(summary.at_most, at_most);
        let error = summary.quantiles_us[0].abs_diff(median_us);
        assert!(error * 100 <= median_us, "median {} of {median_us}", summary.quantiles_us[0]);
    }

    #[test]
    fn bounds_and_quantiles() {
        check(&[], &[1, 2], &[0, 0], 0);
        check(&[0], &[1, 2], &[1, 1], 0);
        check(&[100, 100, 200], &[99, 100, 199, 200], &[0, 2, 2, 3], 100);
        check(&[1_000, 5_000, 9_000_000], &[1_000, 5_000, 10_000_000], &[1, 2, 3], 5_000);
    }

    #[test]
    fn adding_equals_recording_into_one() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut parts = [Distribution::default(), Distribution::default(), Distribution::default()];
        let mut whole = Distribution::default();
        for _ in 0..5_000 {
            let duration = Duration::from_micros(1 << random.u32(0..28))
                + Duration::from_micros(random.u64(0..5_000));
            whole.record(duration);
            parts[random.usize(0..3)].record(duration);
        }
        let mut sum = Distribution::default();
        parts.iter().for_each(|part| sum.add(part));
        let bounds: Vec<u64> = (0..28).map(|power| 1 << power).collect();
        let quantiles = [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0];
        assert_eq!(sum.summarise(&bounds, &quantiles), whole.summarise(&bounds, &quantiles));
        assert_eq!((sum.count(), sum.sum_us()), (whole.count(), whole.sum_us()));
    }

    #[test]
    fn folding_loses_nothing() {
        let mut distribution = of(&[10, 20]);
        distribution
            .recent
            .record_n(30, u32::try_from(FOLD_AT - 3).expect("fits"))
            .expect("in range");
        distribution.record(Duration::from_micros(30));
        assert_eq!(distribution.recent.len(), 0);
        distribution.record(Duration::from_micros(40));
        assert_eq!(distribution.count(), FOLD_AT + 1);
        let summary = distribution.summarise(&[10, 20, 30, 40], &[]);
        assert_eq!(summary.at_most, [1, 2, FOLD_AT, FOLD_AT + 1]);
    }
}
