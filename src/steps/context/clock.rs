//! Times as text, without `fmt`: callers render them once a second and keep them.

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
/// 1970-01-01 was a Thursday.
const WEEKDAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";

/// `$context.requestTime`: `12/Mar/2026:19:03:58 +0000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClfTime([u8; 26]);

/// A `date` field: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate([u8; 29]);

/// A second as ISO 8601 has it: `1994-11-06T08:49:37Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsoTime([u8; 20]);

impl ClfTime {
    /// The text of a second since the epoch, up to the year 9999.
    #[must_use]
    pub fn new(epoch_seconds: u64) -> Self {
        let civil = Civil::of(epoch_seconds);
        let mut text = *b"00/Jan/0000:00:00:00 +0000";
        two(&mut text[0..2], civil.day);
        text[3..6].copy_from_slice(civil.month_name());
        four(&mut text[7..11], civil.year);
        civil.write_clock(&mut text[12..20]);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl HttpDate {
    /// The text of a second since the epoch, up to the year 9999.
    #[must_use]
    pub fn new(epoch_seconds: u64) -> Self {
        let civil = Civil::of(epoch_seconds);
        let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
        let weekday = 3 * civil.weekday;
        text[0..3].copy_from_slice(&WEEKDAYS[weekday..weekday + 3]);
        two(&mut text[5..7], civil.day);
        text[8..11].copy_from_slice(civil.month_name());
        four(&mut text[12..16], civil.year);
        civil.write_clock(&mut text[17..25]);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl IsoTime {
    /// The text of a second since the epoch, up to the year 9999.
    #[must_use]
    pub fn new(epoch_seconds: u64) -> Self {
        let civil = Civil::of(epoch_seconds);
        let mut text = *b"0000-00-00T00:00:00Z";
        four(&mut text[0..4], civil.year);
        two(&mut text[5..7], civil.month as u64 + 1);
        two(&mut text[8..10], civil.day);
        civil.write_clock(&mut text[11..19]);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

struct Civil {
    year: u64,
    month: usize,
    day: u64,
    weekday: usize,
    second_of_day: u64,
}

impl Civil {
    /// Howard Hinnant's `civil_from_days`, for days after 1970 only.
    fn of(epoch_seconds: u64) -> Self {
        const YEAR_9999_END: u64 = 253_402_300_799;
        let seconds = epoch_seconds.min(YEAR_9999_END);
        let days = seconds / 86_400;
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let (month, carried) = if month_from_march < 10 {
            (month_from_march + 2, 0)
        } else {
            (month_from_march - 10, 1)
        };
        Self {
            year: era * 400 + year_of_era + carried,
            month: usize::from(month.to_le_bytes()[0]),
            day,
            weekday: usize::from((days % 7).to_le_bytes()[0]),
            second_of_day: seconds % 86_400,
        }
    }

    fn month_name(&self) -> &'static [u8] {
        &MONTHS[3 * self.month..3 * self.month + 3]
    }

    /// `hh:mm:ss` into eight bytes.
    fn write_clock(&self, out: &mut [u8]) {
        two(&mut out[0..2], self.second_of_day / 3_600);
        two(&mut out[3..5], self.second_of_day / 60 % 60);
        two(&mut out[6..8], self.second_of_day % 60);
    }
}

fn two(out: &mut [u8], number: u64) {
    out[0] = b'0' + (number / 10 % 10) as u8;
    out[1] = b'0' + (number % 10) as u8;
}

fn four(out: &mut [u8], number: u64) {
    two(&mut out[0..2], number / 100);
    two(&mut out[2..4], number % 100);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(epoch_seconds: u64, clf: &str, date: &str) {
        assert_eq!(str::from_utf8(ClfTime::new(epoch_seconds).as_bytes()), Ok(clf));
        assert_eq!(str::from_utf8(HttpDate::new(epoch_seconds).as_bytes()), Ok(date));
    }

    #[test]
    fn seconds_become_text() {
        check(0, "01/Jan/1970:00:00:00 +0000", "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "06/Nov/1994:08:49:37 +0000", "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_399, "28/Feb/2000:23:59:59 +0000", "Mon, 28 Feb 2000 23:59:59 GMT");
        check(951_782_400, "29/Feb/2000:00:00:00 +0000", "Tue, 29 Feb 2000 00:00:00 GMT");
        check(951_868_800, "01/Mar/2000:00:00:00 +0000", "Wed, 01 Mar 2000 00:00:00 GMT");
        check(1_773_342_238, "12/Mar/2026:19:03:58 +0000", "Thu, 12 Mar 2026 19:03:58 GMT");
        check(1_798_761_599, "31/Dec/2026:23:59:59 +0000", "Thu, 31 Dec 2026 23:59:59 GMT");
        check(4_107_542_400, "01/Mar/2100:00:00:00 +0000", "Mon, 01 Mar 2100 00:00:00 GMT");
        check(u64::MAX, "31/Dec/9999:23:59:59 +0000", "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
