//! What it costs to find an API key by its value, among few and many.
//!
//! `cargo bench --bench keys` prints nanoseconds for each find (quiet machines only): most of it is
//! the SHA-256 of the value, the rest reads of memory that is cold when there are many keys.
//! Instructions would mislead: valgrind has no SHA extensions and runs other code. Under
//! `cargo test --benches` all of it runs a few times.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    env,
    hint::black_box,
    io::{self, Write},
    sync::Arc,
    time::Instant,
};

use ringway::steps::api_key::{Digest, KeyDraft, Keys, StagePlans, UsagePlanIndex};

/// Finds of one measurement.
const FINDS: usize = 1_000_000;

fn main() -> io::Result<()> {
    let is_asked = env::args().any(|argument| argument == "--bench");
    let mut out = io::stdout().lock();
    if !is_asked {
        measure(100, 1_000);
        return writeln!(out, "keys: runs (not asked to measure)");
    }
    for count in [1, 1_000, 100_000, 1_000_000] {
        // The fastest of five: what else runs on the machine only adds.
        let fastest = (0..5).map(|_| measure(count, FINDS)).fold(f64::INFINITY, f64::min);
        writeln!(out, "find, {count:>9} keys: {fastest:>6.1} ns")?;
    }
    Ok(())
}

/// Nanoseconds of one find among `count` keys, each found in turn, far from the one before. What it
/// takes to make the values is taken off.
fn measure(count: usize, finds: usize) -> f64 {
    let keys = keys(count);
    let values = || (0..finds).map(|at| value(at.wrapping_mul(7_919) % count));
    let before = Instant::now();
    for value in values() {
        assert!(black_box(value).len() == VALUE_BYTES);
    }
    let made = before.elapsed();
    let before = Instant::now();
    for value in values() {
        let key = keys.find(black_box(&value)).expect("it is there");
        assert!(black_box(key.enabled) && keys.plan(key, 3).is_some());
    }
    before.elapsed().saturating_sub(made).as_secs_f64() * 1e9 / finds as f64
}

fn keys(count: usize) -> Keys {
    let stages = vec![(3, UsagePlanIndex(0)), (5, UsagePlanIndex(1))];
    let plans = Arc::new(StagePlans::compile(stages).expect("one plan a stage"));
    let draft = |at: usize| KeyDraft {
        id: format!("key-{at}"),
        name: format!("key-{at}"),
        enabled: true,
        digest: Digest::of(&value(at)),
        plans: Arc::clone(&plans),
    };
    Keys::compile((0..count).map(draft).collect()).expect("they differ")
}

/// As long as the values that AWS makes.
const VALUE_BYTES: usize = 40;

fn value(mut at: usize) -> [u8; VALUE_BYTES] {
    let mut value = [b'0'; VALUE_BYTES];
    for digit in value.iter_mut().rev().take(7) {
        *digit += u8::try_from(at % 10).expect("a digit");
        at /= 10;
    }
    value
}
