//! What a generator counts while it drives.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::Driven;

/// Latencies of what was answered, and what was not.
pub(super) struct Tally {
    nanoseconds: Histogram<u64>,
    pub(super) answered: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let nanoseconds = Histogram::new_with_bounds(100, 60_000_000_000, 3)
            .expect("the bounds are in order and three digits are allowed");
        Self { nanoseconds, answered: 0, errors: 0, first_error: None }
    }

    pub(super) fn answered(&mut self, latency: Duration) {
        self.answered += 1;
        self.nanoseconds.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn fail(&mut self, what: &str) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| what.to_owned());
    }

    /// Adds what another thread counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.nanoseconds.add(&other.nanoseconds).expect("both histograms have the same bounds");
        self.answered += other.answered;
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }

    pub(super) fn report(self, duration: Duration) -> Driven {
        #[expect(clippy::cast_precision_loss, reason = "a minute of nanoseconds is below 2^53")]
        let at = |quantile| self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Driven {
            requests: self.answered,
            seconds: duration.as_secs_f64(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            errors: self.errors,
            first_error: self.first_error,
        }
    }
}
