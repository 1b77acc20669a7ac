//! Drives with wrk, whose own report lacks p99.9 and exact counts: a Lua `done` prints them.

use std::io;
use std::process::{Command, Stdio};

use super::{Callers, Driven, Load};

const DONE: &str = r#"
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d %d %d %d %d\n", summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.status,
    summary.errors.timeout))
end
"#;

/// Names one API key after the other, each far from the one before.
const KEYS: &str = r#"
local n, head, keys = 0, "GET PATH HTTP/1.1\r\nHost: HOST\r\nx-api-key: ", COUNT
request = function()
  n = (n * 1103515245 + 12345) % 2147483648
  return head .. string.format("loadtest-key-%010d", math.floor(n / 64) % keys) .. "\r\n\r\n"
end
"#;

fn script_of(load: Load<'_>) -> String {
    let more = match load.callers {
        Callers::Unnamed => String::new(),
        Callers::Keys(count) => {
            let keys = KEYS.replace("PATH", load.path).replace("HOST", &load.target.to_string());
            keys.replace("COUNT", &count.to_string())
        }
        // In each request's text, which wrk makes once.
        Callers::Token(token) => format!("wrk.headers[\"authorization\"] = \"Bearer {token}\"\n"),
    };
    DONE.to_owned() + &more
}

/// One run with one thread, on the calling thread's core. `scheme` is `http` or `https`.
pub(crate) fn drive(load: Load<'_>, scheme: &str) -> io::Result<Driven> {
    let script = std::env::temp_dir().join(format!("ringway-loadtest-{}.lua", std::process::id()));
    std::fs::write(&script, script_of(load))?;
    let output = Command::new("wrk")
        .args(["-t1", "--timeout", "10s"])
        .arg(format!("-c{}", load.connections))
        .arg(format!("-d{}s", load.duration.as_secs().max(1)))
        .arg("-s")
        .arg(&script)
        .arg(format!("{scheme}://{}{}", load.target, load.path))
        .stdin(Stdio::null())
        .output();
    std::fs::remove_file(&script)?;
    let output = output?;
    let text = String::from_utf8_lossy(&output.stdout);
    read_report(&text).ok_or_else(|| {
        io::Error::other(format!("wrk printed no result line: {text}{:?}", output.stderr))
    })
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of minutes are far below 2^53")]
fn read_report(text: &str) -> Option<Driven> {
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "))?;
    let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [requests, duration_us, p50, p99, p999, connect, read, write, status, timeout] = *numbers
    else {
        return None;
    };
    let errors = connect + read + write + status + timeout;
    let first_error = (errors > 0).then(|| {
        format!(
            "wrk: {connect} connect, {read} read, {write} write, {status} status (over 399), \
             {timeout} timeout errors"
        )
    });
    Some(Driven {
        requests: requests.saturating_sub(status),
        seconds: duration_us as f64 / 1e6,
        p50_us: p50 as f64,
        p99_us: p99 as f64,
        p999_us: p999 as f64,
        errors,
        first_error,
    })
}

#[cfg(test)]
mod tests {
    use super::read_report;

    #[test]
    fn the_result_line_is_read() {
        let driven = read_report("Running\nRESULT 1000 2000000 50 99 999 0 1 0 2 0\n").unwrap();
        assert_eq!((driven.requests, driven.errors), (998, 3));
        assert!((driven.requests_per_second() - 499.0).abs() < 1e-9);
        assert!(read_report("RESULT 1 2\n").is_none());
        assert!(read_report("unable to connect\n").is_none());
    }
}
