//! Drives HTTP/2 with h2load (of nghttp2), whose log of single requests has the percentiles that
//! its report lacks.

use std::io;
use std::process::{Command, Stdio};

use super::{Driven, Load};

/// Requests in flight on each connection.
pub(crate) const STREAMS: usize = 16;

/// Its version, or `None` where it is not installed.
pub(crate) fn version() -> Option<String> {
    crate::peers::version_of("h2load", "--version")
}

/// One run with one thread, on the calling thread's core: for the load's duration or, without
/// regard to that, of so many requests. `scheme` is `https`, or `http` for prior knowledge.
pub(crate) fn drive(
    load: Load<'_>,
    scheme: &str,
    after_requests: Option<u64>,
) -> io::Result<Driven> {
    let log = std::env::temp_dir().join(format!("ringway-loadtest-{}.h2", std::process::id()));
    // h2load adds to what is there.
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new("h2load");
    command.arg("-t1").arg(format!("-c{}", load.connections)).arg(format!("-m{STREAMS}"));
    match after_requests {
        Some(count) => command.arg(format!("-n{}", count.max(load.connections as u64))),
        None => command.arg(format!("-D{}", load.duration.as_secs().max(1))),
    };
    // Should a gateway fall silent, its connections end instead of the run going on.
    command.arg("-N10").arg(format!("--log-file={}", log.display()));
    command.arg(format!("{scheme}://{}{}", load.target, load.path)).stdin(Stdio::null());
    let output = command.output()?;
    let requests = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    let text = String::from_utf8_lossy(&output.stdout);
    if scheme == "https" && !text.contains("Application protocol: h2\n") {
        return Err(io::Error::other(format!("h2load did not speak h2: {text}")));
    }
    let seconds = after_requests.is_none().then_some(load.duration.as_secs_f64());
    read_report(&text, &requests, seconds).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("h2load printed no result: {text}{said}"))
    })
}

/// `seconds` when the run was of that time: the report's own includes the start.
fn read_report(text: &str, requests: &str, seconds: Option<f64>) -> Option<Driven> {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let finished = line("finished in ")?.split(',').next()?;
    let counts = line("requests: ")?;
    let failed = count_before(counts, "failed")?;
    let codes = line("status codes: ")?;
    let good = count_before(codes, "2xx")?;
    let bad = ["3xx", "4xx", "5xx"].map(|class| count_before(codes, class).unwrap_or(0));
    let errors = failed + bad.iter().sum::<u64>();
    let mut times: Vec<u32> = requests.lines().filter_map(good_time).collect();
    times.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into a list of at most some millions"
        )]
        let index = (times.len() as f64 * share) as usize;
        times.get(index).or(times.last()).map_or(f64::NAN, |&time| f64::from(time))
    };
    Some(Driven {
        requests: good,
        seconds: seconds.or_else(|| as_seconds(finished))?,
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
        errors,
        first_error: (errors > 0).then(|| format!("h2load: {counts}; {codes}")),
    })
}

/// `8000` of `120 started, 8000 done`, asked for `done`.
fn count_before(text: &str, word: &str) -> Option<u64> {
    let item = text.split(", ").find_map(|item| item.trim().strip_suffix(word))?;
    item.trim().parse().ok()
}

/// Microseconds of a good request's line: when it began, its status, how long it took.
fn good_time(line: &str) -> Option<u32> {
    let mut columns = line.split('\t').skip(1);
    let status: i32 = columns.next()?.parse().ok()?;
    let time = columns.next()?.parse().ok()?;
    (200..300).contains(&status).then_some(time)
}

fn as_seconds(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    digits.parse::<f64>().ok().map(|number| number * unit)
}

#[cfg(test)]
mod tests {
    use super::{as_seconds, read_report};

    const REPORT: &str = "starting benchmark...\nApplication protocol: h2\n\n\
        finished in 16.09ms, 18648.60 req/s, 1.29MB/s\n\
        requests: 304 total, 400 started, 304 done, 301 succeeded, 3 failed, 3 errored, 0 timeout\n\
        status codes: 300 2xx, 0 3xx, 1 4xx, 0 5xx\n";

    #[test]
    fn the_report_and_the_log_are_read() {
        let log = "1795670553434642\t200\t15\n1795670553434644\t200\t5\n1\t404\t1\n1\t-1\t2\n";
        let driven = read_report(REPORT, log, None).unwrap();
        assert_eq!((driven.requests, driven.errors), (300, 4));
        assert!((driven.seconds - 0.016_09).abs() < 1e-9);
        assert!((driven.p50_us - 15.0).abs() < 1e-9 && (driven.p999_us - 15.0).abs() < 1e-9);
        assert!(driven.first_error.unwrap().contains("3 failed"));
        let driven = read_report(REPORT, log, Some(2.0)).unwrap();
        assert!((driven.requests_per_second() - 150.0).abs() < 1e-9);
        assert!(read_report("h2load: nothing\n", log, None).is_none());
    }

    #[test]
    fn times_have_units() {
        assert!((as_seconds("1.50s").unwrap() - 1.5).abs() < 1e-9);
        assert!((as_seconds("150us").unwrap() - 0.000_15).abs() < 1e-12);
        assert!(as_seconds("1m").is_none());
    }
}
