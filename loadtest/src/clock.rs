//! Time, for a program whose business is measuring it. (The gateway's code takes `now` as an
//! argument instead; this crate measures real processes and cannot.)
#![expect(clippy::disallowed_methods, reason = "a load generator measures and waits in real time")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Stops this thread for a while.
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Today in UTC as `2026-11-23T05:37:35Z`.
pub(crate) fn utc() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    render_utc(seconds)
}

/// Days to civil date after Howard Hinnant's `civil_from_days`.
fn render_utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::render_utc;

    #[track_caller]
    fn check(seconds: u64, expected: &str) {
        assert_eq!(render_utc(seconds), expected);
    }

    #[test]
    fn dates_are_civil() {
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_795_412_255, "2026-11-23T05:37:35Z");
        check(4_102_444_799, "2099-12-31T23:59:59Z");
    }
}
