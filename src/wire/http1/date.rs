//! IMF-fixdate (RFC 9110 section 5.6.7), the form of the Date field.

use crate::base::WallTime;

/// `Sun, 06 Nov 1994 08:49:37 GMT` for this time; the caller keeps it for the second it is true.
/// Years after 9999 have no such form and read 9999.
#[must_use]
pub fn render_date(time: WallTime) -> [u8; 29] {
    const SECONDS_PER_DAY: u64 = 86_400;
    const LAST_SECOND: u64 = 253_402_300_799;
    const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];

    let seconds = time.seconds().min(LAST_SECOND);
    let days = seconds / SECONDS_PER_DAY;
    let (year, month, day) = civil_from_days(days);
    let of_day = seconds % SECONDS_PER_DAY;
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    date[..3].copy_from_slice(WEEKDAYS[(days % 7) as usize]);
    date[8..11].copy_from_slice(MONTHS[(month - 1) as usize]);
    let mut put = |at: usize, number: u64| {
        date[at] = b'0' + (number / 10 % 10).to_le_bytes()[0];
        date[at + 1] = b'0' + (number % 10).to_le_bytes()[0];
    };
    put(5, day);
    put(12, year / 100);
    put(14, year % 100);
    put(17, of_day / 3600);
    put(20, of_day / 60 % 60);
    put(23, of_day % 60);
    date
}

/// Year, month (1 to 12) and day of a day count since 1970-01-01, in the Gregorian calendar. The
/// year begins in March here, so that the leap day is its last (Hinnant, `chrono`-compatible
/// low-level date algorithms).
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_imf_fixdates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = render_date(WallTime(seconds * 1000));
            assert_eq!(str::from_utf8(&date).unwrap(), text);
        }
    }
}
