//! Instructions per operation of the pure parts, counted by callgrind: unlike time, the same on a
//! busy machine, so two commits can be compared.
//!
//! A bench of `benches/` (`harness = false`) takes `CASE ROUNDS` and, without a case, runs all of
//! them and prints a line that begins with each one's name. A case is run with N and with 2 N
//! rounds: the difference is N operations and nothing of the start.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};

use serde_json::Value;

use crate::peers::ringway::workspace;

/// Which benches and cases.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Only benches and cases whose name contains one of these
    filters: Vec<String>,
    /// Rounds of the shorter run; the longer one has twice as many
    #[arg(long, default_value_t = 200, value_parser = rounds())]
    rounds: u32,
    /// A built bench to count, instead of building those of the workspace
    #[arg(long)]
    program: Vec<PathBuf>,
}

fn rounds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

/// Counts and prints a table.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let built = if options.program.is_empty() { build()? } else { options.program.clone() };
    if built.is_empty() {
        println!("there are no benches with `harness = false` in this workspace");
    }
    println!("{:<44} {:>14}", "bench case", "instructions");
    for program in built {
        let stem = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bench = stem.rsplit_once('-').map_or(stem.as_str(), |(name, _)| name);
        for case in cases(&program)? {
            let name = format!("{bench} {case}");
            let wanted = options.filters.is_empty()
                || options.filters.iter().any(|filter| name.contains(filter));
            if !wanted {
                continue;
            }
            let shorter = count(&program, &case, options.rounds)?;
            let longer = count(&program, &case, 2 * options.rounds)?;
            let each = longer.saturating_sub(shorter) / u64::from(options.rounds);
            println!("{name:<44} {each:>14}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the benches; their executables in the order in which cargo names them.
fn build() -> io::Result<Vec<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["bench", "--package", "ringway", "--benches", "--no-run", "--message-format=json"];
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other("cargo bench --no-run failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(bench_executable).collect())
}

/// The executable that a message of cargo announces, if it is a bench.
fn bench_executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_bench = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "bench");
    is_bench.then(|| message["executable"].as_str().map(PathBuf::from))?
}

fn cases(program: &PathBuf) -> io::Result<Vec<String>> {
    let output = Command::new(program).stdin(Stdio::null()).output()?;
    check(&output, &format!("{} without arguments", program.display()))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(case_names(&String::from_utf8_lossy(&said)))
}

/// The first word of each line that reports a time.
fn case_names(report: &str) -> Vec<String> {
    let lines = report.lines().filter(|line| line.trim_end().ends_with(" ns"));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn count(program: &PathBuf, case: &str, rounds: u32) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([case, &rounds.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::other(format!("valgrind: {error} (apt install valgrind)")))?;
    check(&output, &format!("callgrind of {} {case} {rounds}", program.display()))?;
    collected(&String::from_utf8_lossy(&output.stderr))
        .ok_or_else(|| io::Error::other("callgrind printed no `Collected` line"))
}

/// `==123== Collected : 456`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}

fn check(output: &Output, what: &str) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{what}: {}: {}", output.status, said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        let report = "request_curl            320 ns\nnoise\nanswer   1 ns\n";
        assert_eq!(case_names(report), ["request_curl", "answer"]);
        assert_eq!(collected("==1== Events    : Ir\n==1== Collected : 2187733\n"), Some(2_187_733));
        assert_eq!(collected("==1== nothing\n"), None);
        let message = r#"{"target":{"kind":["bench"],"name":"x"},"executable":"/t/x-1"}"#;
        assert_eq!(bench_executable(message), Some(PathBuf::from("/t/x-1")));
        let library = r#"{"target":{"kind":["lib"],"name":"x"},"executable":null}"#;
        assert_eq!(bench_executable(library), None);
        assert_eq!(bench_executable("not json"), None);
    }
}
