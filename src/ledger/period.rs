//! Days and periods in UTC: when a quota's period starts, and when it ends. Arithmetic on a wall
//! time that is given; nobody's clock is read.

use std::{fmt, str::FromStr};

use super::terms::{Period, QuotaTerms};
use crate::base::WallTime;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1000;
/// The longest month, and so the number of offsets that name a day of one.
const MONTH_DAYS_MAX: u32 = 31;
/// 1970-01-01 was a Thursday; 0 is Sunday.
const FIRST_WEEKDAY: u32 = 4;

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub u32);

impl Day {
    /// The day that a moment is in; the last one that can be told, where it is later.
    #[must_use]
    pub fn of(wall: WallTime) -> Self {
        Self(u32::try_from(wall.0 / DAY_MILLIS).unwrap_or(u32::MAX))
    }

    /// Its midnight.
    #[must_use]
    pub fn start(self) -> WallTime {
        WallTime(u64::from(self.0) * DAY_MILLIS)
    }

    /// The day of this year, month (1 to 12) and day of the month (from 1); `None` when there is
    /// no such day, or it is before 1970 or after 9999.
    #[must_use]
    pub fn from_civil(year: u32, month: u32, day: u32) -> Option<Self> {
        let is_known = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        if !is_known || day == 0 || day > month_days(year, month) {
            return None;
        }
        Some(Self(days_before(year, month) + day - 1))
    }

    /// The next day.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day this many days before; the first one where there is none.
    #[must_use]
    pub const fn back(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// 0 is Sunday.
    const fn weekday(self) -> u32 {
        (self.0 % 7 + FIRST_WEEKDAY) % 7
    }

    /// Year, month (1 to 12), day of the month (from 1).
    ///
    /// Years are counted from March on here, so that a leap day is a year's last; in eras of 400
    /// years, which are all as long (Hinnant, "chrono-compatible low-level date algorithms").
    fn civil(self) -> (u32, u32, u32) {
        const ERA_DAYS: u64 = 146_097;
        const BEFORE_1970: u64 = 719_468;
        let days = u64::from(self.0) + BEFORE_1970;
        let (era, of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let leaps = of_era / 1_460 - of_era / 36_524 + of_era / (ERA_DAYS - 1);
        let year_of_era = (of_era - leaps) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        (small(year), small(month), small(day))
    }
}

/// Days from 1970-01-01 to the first of a month, which is not before.
fn days_before(year: u32, month: u32) -> u32 {
    let (year, month) = (u64::from(year), u64::from(month));
    let from_march = (month + 9) % 12;
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * from_march + 2) / 5;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    u32::try_from(days.saturating_sub(719_468)).unwrap_or(u32::MAX)
}

const fn month_days(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// As AWS writes it: `2026-11-26`.
impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str, digits: usize| {
            let is_plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_plain { part.parse().ok() } else { None }
        };
        let mut parts = text.splitn(3, '-');
        let mut next = |digits| parts.next().and_then(|part| number(part, digits));
        let day = match (next(4), next(2), next(2)) {
            (Some(year), Some(month), Some(day)) => Self::from_civil(year, month, day),
            _ => None,
        };
        day.ok_or("write a day from 1970-01-01 on as YYYY-MM-DD, such as 2026-11-26")
    }
}

impl QuotaTerms {
    /// The first day of the period that `day` is in.
    #[must_use]
    pub fn start(&self, day: Day) -> Day {
        match self.period {
            Period::Day => day,
            Period::Week => {
                let first = if self.starts_later() { self.offset } else { 0 };
                day.back((day.weekday() + 7 - first) % 7)
            }
            Period::Month => {
                let (year, month, _) = day.civil();
                let start = self.start_in(year, month);
                if start <= day {
                    return start;
                }
                let (year, month) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
                self.start_in(year, month)
            }
        }
    }

    /// The first day after `day` on which a period starts.
    #[must_use]
    pub fn end(&self, day: Day) -> Day {
        match self.period {
            Period::Day => day.next(),
            Period::Week => Day(self.start(day).0.saturating_add(7)),
            Period::Month => {
                let (year, month, _) = day.civil();
                let start = self.start_in(year, month);
                if start > day {
                    return start;
                }
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                self.start_in(year, month)
            }
        }
    }

    /// What is let through in a period, before anybody extends it. In an account's first one, an
    /// offset that names no day is subtracted.
    #[must_use]
    pub fn limit_of(&self, is_first: bool) -> u64 {
        let less = if is_first && !self.starts_later() { self.offset } else { 0 };
        self.limit.saturating_sub(u64::from(less))
    }

    /// Whether the offset names the period's first day.
    const fn starts_later(&self) -> bool {
        match self.period {
            Period::Day => false,
            Period::Week => self.offset < 7,
            Period::Month => self.offset < MONTH_DAYS_MAX,
        }
    }

    /// A month's day by the offset; its last one where it is shorter.
    fn start_in(&self, year: u32, month: u32) -> Day {
        if year < 1970 {
            return Day(0);
        }
        let day = if self.starts_later() { self.offset } else { 0 };
        let day = day.min(month_days(year, month) - 1);
        Day(days_before(year, month).saturating_add(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn days_are_told_and_read() {
        for (number, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_783, "2026-11-26"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!((Day(number).to_string(), day(text)), (text.to_owned(), Day(number)));
        }
        for wrong in [
            "2026-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-1-01",
            "1969-12-31",
            "2026-01-01T",
            "+026-01-01",
            "",
            "2026",
            "20260101",
            "2026-04-31",
        ] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_day_for_four_hundred_years_is_the_one_after_the_one_before() {
        let (mut year, mut month, mut of_month) = (1970, 1, 1);
        for number in 0..146_097 {
            assert_eq!(Day(number).civil(), (year, month, of_month));
            assert_eq!(Day::from_civil(year, month, of_month), Some(Day(number)));
            assert_eq!(Day::of(Day(number).start()), Day(number));
            of_month += 1;
            if of_month > month_days(year, month) {
                (of_month, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        // The latest day that a number of 32 bits can name does not overflow.
        assert!(Day(u32::MAX).civil().0 > 9_999);
        assert_eq!(Day::of(WallTime(u64::MAX)), Day(u32::MAX));
        assert_eq!(Day::of(WallTime(86_399_999)), Day(0));
        assert_eq!(Day::of(WallTime(86_400_000)), Day(1));
    }

    #[track_caller]
    fn check(period: Period, offset: u32, within: &str, start: &str, end: &str) {
        let terms = QuotaTerms { limit: 100, period, offset };
        assert_eq!(terms.start(day(within)).to_string(), start, "the start");
        assert_eq!(terms.end(day(within)).to_string(), end, "the end");
    }

    #[test]
    fn periods_start_where_aws_starts_them() {
        check(Period::Day, 0, "2026-11-26", "2026-11-26", "2026-11-27");
        check(Period::Day, 5, "2026-12-31", "2026-12-31", "2027-01-01");
        // 2026-11-26 is a Thursday.
        check(Period::Week, 0, "2026-11-26", "2026-11-22", "2026-11-29");
        check(Period::Week, 4, "2026-11-26", "2026-11-26", "2026-12-03");
        check(Period::Week, 5, "2026-11-26", "2026-11-20", "2026-11-27");
        check(Period::Week, 6, "2026-11-28", "2026-11-28", "2026-12-05");
        check(Period::Week, 7, "2026-11-26", "2026-11-22", "2026-11-29");
        check(Period::Month, 0, "2026-11-26", "2026-11-01", "2026-12-01");
        check(Period::Month, 25, "2026-11-26", "2026-11-26", "2026-12-26");
        check(Period::Month, 26, "2026-11-26", "2026-10-27", "2026-11-27");
        check(Period::Month, 14, "2027-01-14", "2026-12-15", "2027-01-15");
        check(Period::Month, 31, "2026-11-26", "2026-11-01", "2026-12-01");
    }

    #[test]
    fn a_month_without_the_day_starts_with_its_last() {
        check(Period::Month, 30, "2026-02-27", "2026-01-31", "2026-02-28");
        check(Period::Month, 30, "2026-02-28", "2026-02-28", "2026-03-31");
        check(Period::Month, 30, "2028-02-28", "2028-01-31", "2028-02-29");
        check(Period::Month, 28, "2028-02-29", "2028-02-29", "2028-03-29");
        check(Period::Month, 28, "2026-02-28", "2026-02-28", "2026-03-29");
        check(Period::Month, 30, "2026-04-30", "2026-04-30", "2026-05-31");
        check(Period::Month, 30, "1970-01-05", "1970-01-01", "1970-01-31");
    }

    #[test]
    fn periods_leave_no_day_out_and_count_none_twice() {
        for (period, offsets) in [(Period::Day, 2), (Period::Week, 9), (Period::Month, 33)] {
            for offset in 0..offsets {
                let terms = QuotaTerms { limit: 1, period, offset };
                let (mut start, mut end) = (terms.start(Day(400)), terms.end(Day(400)));
                for number in 400..2_500 {
                    if Day(number) == end {
                        (start, end) = (end, terms.end(end));
                    }
                    let found = (terms.start(Day(number)), terms.end(Day(number)));
                    assert_eq!(found, (start, end), "{terms:?} on {}", Day(number));
                }
            }
        }
    }

    #[test]
    fn an_offset_that_names_no_day_is_subtracted_once() {
        let limit =
            |period, offset, is_first| QuotaTerms { limit: 100, period, offset }.limit_of(is_first);
        assert_eq!((limit(Period::Day, 30, true), limit(Period::Day, 30, false)), (70, 100));
        assert_eq!((limit(Period::Week, 6, true), limit(Period::Week, 7, true)), (100, 93));
        assert_eq!((limit(Period::Month, 30, true), limit(Period::Month, 31, true)), (100, 69));
        assert_eq!(limit(Period::Day, 101, true), 0);
    }
}
