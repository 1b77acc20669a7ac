//! What it costs to admit a request, and to settle leases with the ledger.
//!
//! `cargo bench --bench ledger` prints nanoseconds for each (quiet machines only), and instructions
//! when valgrind is there: from the difference of two runs, so that start-up does not count. The
//! cost of reconciliation is that of one round of all shards, as a share of a core when rounds are
//! 50 ms apart; it runs the same code for 2 to 64 shards. Under `cargo test --benches` all of it
//! runs a few times.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    env,
    hint::black_box,
    io::{self, Write},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use ringway::{
    base::{Moment, WallTime},
    ledger::{AccountId, Ledger, LimitId, Purse, Rate, Subject, Terms},
};

const ROUND: Duration = Duration::from_millis(50);
const ROUND_NS: u64 = 50_000_000;
/// Live accounts, and instructions that `Purse::take` may use with as many. Ratchets.
const TAKES: [(u64, u64); 3] = [(1, 170), (1_000, 500), (1_000_000, 1_500)];
const FEW: u64 = 1_000;
const MANY: u64 = 101_000;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    if let [_, live, count] = arguments.as_slice()
        && let (Ok(live), Ok(count)) = (live.parse(), count.parse())
    {
        Desk::new(live).run(count);
        return Ok(());
    }
    let mut out = io::stdout().lock();
    if !arguments.iter().any(|argument| argument == "--bench") {
        TAKES.iter().for_each(|(live, _)| Desk::new((*live).min(1_000)).run(FEW));
        reconciliation(2, 100, 3);
        return writeln!(out, "ledger: runs (not asked to measure)");
    }
    let valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    for (live, most) in TAKES {
        let nanoseconds = time(live);
        write!(out, "admit, {live:>9} live accounts: {nanoseconds:>6.1} ns")?;
        if valgrind {
            let each = (count(live, MANY)? - count(live, FEW)?) / (MANY - FEW);
            write!(out, ", {each:>5} instructions")?;
            assert!(each <= most, "over its budget of {most}");
        }
        writeln!(out)?;
    }
    for shards in [2, 4, 8, 16, 32, 64] {
        let spent = reconciliation(shards, 10_000, 200);
        let share = spent.as_secs_f64() / ROUND.as_secs_f64() * 100.0;
        writeln!(
            out,
            "reconciliation, 10,000 live accounts, {shards:>2} shards: {:>7.1} us a round, \
             {share:.3} % of a core in all, {:.4} % of each shard's",
            spent.as_secs_f64() * 1e6,
            share / shards as f64
        )?;
    }
    Ok(())
}

/// One shard, and accounts that are asked in turn.
struct Desk {
    purse: Purse,
    ledger: Arc<Ledger>,
    live: u64,
    terms: Terms,
    now: u64,
}

impl Desk {
    fn new(live: u64) -> Self {
        let ledger = Arc::new(Ledger::new(2).0);
        let purse = Purse::new(Arc::clone(&ledger), 0, ROUND);
        let rate = Rate::per_second(1e6).expect("a rate");
        let terms = Terms::Bucket { rate, burst: 1_000_000 };
        let mut desk = Self { purse, ledger, live, terms, now: 0 };
        for account in 0..live {
            desk.take(account);
        }
        desk
    }

    /// As a shard under load: a request every 10 us, and a round every 50 ms.
    fn take(&mut self, account: u64) {
        self.now += 10_000;
        let now = Moment(self.now);
        if self.now.is_multiple_of(ROUND_NS) {
            self.purse.reconcile(now, WallTime(0));
        }
        let paid = self.purse.take(name(account), &self.terms, now);
        assert!(black_box(paid).is_ok());
    }

    fn run(&mut self, count: u64) {
        for number in 0..count {
            // Far from the one before, as callers come.
            self.take(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.live);
        }
        black_box(self.ledger.is_empty());
    }
}

fn name(account: u64) -> AccountId {
    let spread = u128::from(account).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    AccountId::new(LimitId(1), Subject(spread))
}

/// Nanoseconds of a take, the best of several goes.
fn time(live: u64) -> f64 {
    const EACH: u64 = 2_000_000;
    let mut desk = Desk::new(live);
    let goes = (0..5).map(|_| {
        let started = Instant::now();
        desk.run(EACH);
        started.elapsed().as_secs_f64() * 1e9 / EACH as f64
    });
    goes.fold(f64::INFINITY, f64::min)
}

/// One round of all shards. A tenth of the accounts is asked five times in it, then rests: so as
/// many leases come as go back, with some 100,000 requests a second over `live` accounts of 10,000.
fn reconciliation(shards: usize, live: u64, rounds: u64) -> Duration {
    let ledger = Arc::new(Ledger::new(shards).0);
    let purse = |shard| Purse::new(Arc::clone(&ledger), shard, ROUND);
    let mut purses: Vec<Purse> = (0..shards).map(purse).collect();
    let rate = Rate::per_second(100.0).expect("a rate");
    let terms = Terms::Bucket { rate, burst: 1_000 };
    let mut now = 0;
    let mut spent = Duration::ZERO;
    for round in 0..rounds {
        now += ROUND_NS;
        for account in 0..live {
            if account % 10 != round % 10 {
                continue;
            }
            let shard = usize::try_from(account).expect("few") % shards;
            for _ in 0..5 {
                let paid = purses[shard].take(name(account), &terms, Moment(now));
                assert!(black_box(paid).is_ok());
            }
        }
        let started = Instant::now();
        purses.iter_mut().for_each(|purse| purse.reconcile(Moment(now), WallTime(0)));
        spent += started.elapsed();
    }
    spent / u32::try_from(rounds).expect("few")
}

/// All instructions of a process that takes so many times.
fn count(live: u64, takes: u64) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([live.to_string(), takes.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let number = collected.and_then(|(_, number)| number.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("callgrind did not count: {text}")))
}
