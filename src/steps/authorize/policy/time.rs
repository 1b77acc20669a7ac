//! Times as policies write them: ISO 8601 in the form of the W3C's note, or seconds since the
//! epoch.

/// Milliseconds since the epoch. `2026-11-26T11:30:00Z`, with `+01:00` too, with a fraction of a
/// second, without seconds; `2026-11-26`, `2026-11` and `2026` are their beginnings.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let text = str::from_utf8(text).ok()?;
    // Five digits and more, or fewer than four: no year.
    if text.len() != 4 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok()?.checked_mul(1000);
    }
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |text| digits(text, 2))?;
    let day = parts.next().map_or(Some(1), |text| digits(text, 2))?;
    let is_whole = date.len() == "2026-11-26".len();
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || clock.is_some() && !is_whole
    {
        return None;
    }
    let day_start = days_from_epoch(year, month, day) * 86_400_000;
    clock.map_or(Some(0), milliseconds).map(|clock| day_start + clock)
}

/// `11:30:00.25+01:00`
fn milliseconds(clock: &str) -> Option<i64> {
    let at = clock.find(['Z', '+', '-'])?;
    let (clock, zone) = clock.split_at(at);
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, zone) => {
            let (hours, minutes) = zone.split_once(':')?;
            let (hours, minutes) = (below(digits(hours, 2)?, 24)?, below(digits(minutes, 2)?, 60)?);
            match sign {
                "+" => hours * 60 + minutes,
                "-" => -(hours * 60 + minutes),
                _ => return None,
            }
        }
    };
    let mut parts = clock.split(':');
    let hour = below(digits(parts.next()?, 2)?, 24)?;
    let minute = below(digits(parts.next()?, 2)?, 60)?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (digits(text, 2)?, 0),
            Some((second, fraction)) => (digits(second, 2)?, thousandths(fraction)?),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    let minutes = hour * 60 + minute - offset;
    Some((minutes * 60 + below(second, 61)?) * 1000 + fraction)
}

fn thousandths(text: &str) -> Option<i64> {
    let is_sound = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = || text.bytes().chain(std::iter::repeat(b'0')).take(3);
    is_sound.then(|| padded().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let is_sound = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_sound.then(|| text.parse().ok()).flatten()
}

fn below(number: i64, end: i64) -> Option<i64> {
    (number < end).then_some(number)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`.
const fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[track_caller]
    fn check(text: &str, seconds: Option<f64>) {
        let expected = seconds.map(|seconds| (seconds * 1000.0).round());
        assert_eq!(parse(text.as_bytes()).map(|time| time as f64), expected, "{text}");
    }

    #[test]
    fn the_forms_of_a_time() {
        check("1970-01-01T00:00:00Z", Some(0.0));
        check("2026-11-26T11:30:00Z", Some(1_795_692_600.0));
        check("2026-11-26T12:30:00+01:00", Some(1_795_692_600.0));
        check("2026-11-26T06:30-05:00", Some(1_795_692_600.0));
        check("2026-11-26T11:30:00.25Z", Some(1_795_692_600.25));
        check("2026-11-26", Some(1_795_651_200.0));
        check("2026-11", Some(1_793_491_200.0));
        check("2026", Some(1_767_225_600.0));
        check("2024-02-29", Some(1_709_164_800.0));
        check("1969-12-31T23:59:59Z", Some(-1.0));
        check("1795692600", Some(1_795_692_600.0));
        check("0", Some(0.0));
        for text in [
            "",
            "now",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-11-26T24:00:00Z",
            "2026-11-26T11:60Z",
            "2026-11-26T11:30:00",
            "2026-11T11:30:00Z",
            "2026-11-26T11:30:00+1:00",
            "2026-11-26T11:30:00ZZ",
            "2026-11-26 11:30:00Z",
            "26-11-26",
            "99999999999999999999",
            "-5",
        ] {
            check(text, None);
        }
    }
}
