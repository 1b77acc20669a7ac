use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::ledger::{LimitId, Period};

const HOUR: u64 = 60 * 60 * 1000;

fn account(number: u64) -> AccountId {
    AccountId::new(LimitId(7), Subject(u128::from(number)))
}

fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

fn at(text: &str, hour: u64) -> WallTime {
    WallTime(day(text).start().0 + hour * HOUR)
}

fn daily(limit: u64) -> QuotaTerms {
    QuotaTerms { limit, period: Period::Day, offset: 0 }
}

/// Quotas whose keeper is as quick as could be.
struct Kept {
    quotas: Quotas,
    asks: Asks,
}

impl Kept {
    fn new() -> Self {
        let (quotas, asks) = Quotas::new();
        Self { quotas, asks }
    }

    fn journal(&self) -> usize {
        let asks: Vec<Ask> = self.asks.try_iter().flatten().collect();
        asks.iter().for_each(|ask| self.quotas.reserve(ask.id, ask.period, ask.reserved));
        asks.len()
    }

    /// Takes and spends all of it; waits for the journal.
    fn spend(&self, id: AccountId, terms: &QuotaTerms, wall: WallTime, want: u32) -> u32 {
        loop {
            match self.quotas.spend(id, terms, wall, Settled::default(), want - 1) {
                QuotaTaken::Granted(QuotaLease { count, period_start, .. }) => {
                    let settled = Settled { period_start, spent: count, back: 0 };
                    self.quotas.settle(id, settled);
                    return 1 + count;
                }
                QuotaTaken::Exhausted => return 0,
                QuotaTaken::Unreserved => assert!(self.journal() > 0, "waits for nobody"),
            }
        }
    }

    fn spend_all(&self, id: AccountId, terms: &QuotaTerms, wall: WallTime) -> u64 {
        let mut spent = 0;
        loop {
            match self.spend(id, terms, wall, 16) {
                0 => return spent,
                count => spent += u64::from(count),
            }
        }
    }
}

#[test]
fn all_of_the_limit_is_let_through_and_no_more() {
    for limit in [0, 1, 2, 3, 99, 100, 101, 199, 200, 10_000, 250_000] {
        let kept = Kept::new();
        let today = at("2026-11-26", 9);
        assert_eq!(kept.spend_all(account(1), &daily(limit), today), limit, "{limit}");
        assert_eq!(kept.spend_all(account(1), &daily(limit), at("2026-11-26", 23)), 0);
        assert_eq!(kept.spend_all(account(1), &daily(limit), at("2026-11-27", 0)), limit);
    }
}

#[test]
fn nothing_is_granted_that_the_journal_has_not_promised() {
    let (terms, wall) = (daily(1_000), at("2026-11-26", 0));
    let kept = Kept::new();
    let take =
        |want: u32| kept.quotas.spend(account(1), &terms, wall, Settled::default(), want - 1);
    assert_eq!(take(1), QuotaTaken::Unreserved);
    assert_eq!(take(1), QuotaTaken::Unreserved);
    let asks: Vec<Ask> = kept.asks.try_iter().flatten().collect();
    assert_eq!(asks.len(), 1, "asked once for all that wait");
    assert_eq!((asks[0].reserved, asks[0].limit, asks[0].period), (10, 1_000, day("2026-11-26")));
    kept.quotas.reserve(account(1), day("2026-11-25"), 500);
    assert_eq!(take(1), QuotaTaken::Unreserved, "a promise for another period");
    kept.quotas.reserve(account(1), day("2026-11-26"), 10);
    let ends = at("2026-11-27", 0);
    let lease = |count: u32| QuotaLease { count: count - 1, period_start: day("2026-11-26"), ends };
    assert_eq!(take(5), QuotaTaken::Granted(lease(5)));
    assert_eq!(kept.asks.try_iter().count(), 0, "half is left");
    assert_eq!(take(1), QuotaTaken::Granted(lease(1)));
    assert_eq!(kept.journal(), 1, "asked ahead");
    assert_eq!(take(100), QuotaTaken::Granted(lease(10)), "six were leased, 16 promised");
}

/// Requests went on uncounted, so many as came.
#[test]
fn a_disk_that_hangs_lets_nothing_through_beyond_the_limit() {
    let (terms, wall, id) = (daily(1_000), at("2026-11-26", 0), account(1));
    let kept = Kept::new();
    let mut waited = 0;
    let spent = (0..5_000).filter(|_| {
        let spend = || kept.quotas.spend(id, &terms, wall, Settled::default(), 0);
        let mut taken = spend();
        if taken == QuotaTaken::Unreserved {
            waited += 1;
            kept.quotas.presume(id, &terms);
            taken = spend();
        }
        assert_ne!(taken, QuotaTaken::Unreserved);
        matches!(taken, QuotaTaken::Granted(_))
    });
    assert_eq!(spent.count(), 1_000);
    assert!((100..=200).contains(&waited), "once for half of a hundredth: {waited}");
    // Also where there was no room for the wish.
    let full = Kept::new();
    let others = QUOTA_ASKS_MAX as u64 + 1;
    for number in 2..2 + others {
        let taken = full.quotas.spend(account(number), &terms, wall, Settled::default(), 0);
        assert_eq!(taken, QuotaTaken::Unreserved);
    }
    full.quotas.presume(account(1 + others), &terms);
    assert_eq!(full.spend(account(1 + others), &terms, wall, 5), 5);
}

#[test]
fn the_limit_that_is_extended_or_cut_is_this_periods() {
    let (terms, wall) = (daily(100), at("2026-11-26", 0));
    let kept = Kept::new();
    let id = account(1);
    let change = |remaining| {
        let extension = kept.quotas.extension(id, &terms, wall, remaining).expect("room");
        kept.quotas.extend(extension, &terms);
        extension.extension
    };
    assert_eq!(change(20), -80, "before the first request");
    assert_eq!(kept.spend_all(id, &terms, wall), 20);
    assert_eq!(change(500), 420);
    let counters = kept.quotas.counters(id, &terms, wall).expect("used");
    assert_eq!((counters.used, counters.limit, counters.remaining()), (20, 520, 500));
    assert_eq!(kept.spend_all(id, &terms, wall), 500);
    change(0);
    assert_eq!(kept.spend_all(id, &terms, wall), 0);
    change(u64::MAX);
    assert_eq!(kept.spend(id, &terms, wall, 5), 1, "a chunk is a hundredth of the terms' limit");
    assert_eq!(kept.spend_all(id, &terms, at("2026-11-27", 0)), 100, "the next has none of it");
}

#[test]
fn a_clock_that_goes_back_gives_nothing_twice() {
    let (terms, kept, id) = (daily(10), Kept::new(), account(1));
    assert_eq!(kept.spend_all(id, &terms, at("2026-11-26", 23)), 10);
    assert_eq!(kept.spend(id, &terms, at("2026-11-27", 0), 4), 1);
    kept.journal();
    // Behind the period's start the later period is spent, and the earlier one is over.
    let taken = kept.quotas.spend(id, &terms, at("2026-11-26", 23), Settled::default(), 0);
    let QuotaTaken::Granted(lease) = taken else { panic!("{taken:?}") };
    assert_eq!((lease.period_start, lease.ends), (day("2026-11-27"), at("2026-11-28", 0)));
    assert_eq!(kept.spend_all(id, &terms, at("2026-11-25", 0)), 8);
    assert_eq!(kept.spend_all(id, &terms, at("2026-11-27", 5)), 0);
    assert_eq!(kept.spend_all(id, &terms, at("2026-11-28", 0)), 10);
}

#[test]
fn terms_that_change_by_a_reload_keep_what_was_used() {
    let (kept, id, wall) = (Kept::new(), account(1), at("2026-11-15", 1));
    assert_eq!(kept.spend_all(id, &daily(10), wall), 10);
    assert_eq!(kept.spend_all(id, &daily(25), wall), 15);
    assert_eq!(kept.spend_all(id, &daily(5), wall), 0);
    let monthly = QuotaTerms { limit: 30, period: Period::Month, offset: 0 };
    assert_eq!(kept.spend_all(id, &monthly, wall), 5, "what the day used is the month's");
    assert_eq!(kept.spend_all(id, &monthly, at("2026-11-30", 23)), 0);
    assert_eq!(kept.spend_all(id, &monthly, at("2026-12-01", 0)), 30);
}

#[test]
fn the_offset_that_names_no_day_is_subtracted_in_the_first_period_only() {
    let terms = QuotaTerms { limit: 10, period: Period::Day, offset: 4 };
    let kept = Kept::new();
    assert_eq!(kept.spend_all(account(1), &terms, at("2026-11-26", 0)), 6);
    assert_eq!(kept.spend_all(account(1), &terms, at("2026-11-27", 0)), 10);
    let mut later = Vec::new();
    kept.quotas.each(|counters, _| later.push(counters));
    let again = Kept::new();
    later.into_iter().for_each(|counters| again.quotas.restore(counters));
    assert_eq!(again.spend_all(account(1), &terms, at("2026-11-28", 0)), 10);
}

#[test]
fn each_day_is_told_once_with_what_came_in_late() {
    let terms = QuotaTerms { limit: 100, period: Period::Month, offset: 0 };
    let (kept, id) = (Kept::new(), account(1));
    kept.spend(id, &terms, at("2026-11-29", 1), 1);
    kept.spend(id, &terms, at("2026-11-29", 2), 1);
    assert_eq!(kept.quotas.close_days(day("2026-11-29")), []);
    let closed = |day, used, remaining| ClosedDay { id, day, used, remaining };
    let told = kept.quotas.close_days(day("2026-11-30"));
    assert_eq!(told, [closed(day("2026-11-29"), 2, 98)]);
    // Two leases of November; one is settled when December has begun.
    let november = at("2026-11-30", 23);
    kept.spend(id, &terms, november, 1);
    kept.quotas.reserve(id, day("2026-11-01"), 10);
    let taken = kept.quotas.spend(id, &terms, november, Settled::default(), 4);
    assert!(matches!(taken, QuotaTaken::Granted(QuotaLease { count: 4, .. })), "{taken:?}");
    assert_eq!(kept.spend(id, &terms, at("2026-12-01", 0), 1), 1);
    kept.quotas.settle(id, Settled { period_start: day("2026-11-01"), spent: 1, back: 3 });
    let told = kept.quotas.close_days(day("2026-12-01"));
    assert_eq!(told, [closed(day("2026-11-30"), 3, 95)]);
    let counters = kept.quotas.counters(id, &terms, at("2026-12-01", 1)).expect("used");
    assert_eq!((counters.used, counters.used_today), (1, 1));
}

#[test]
fn what_changed_is_told_once_and_in_parts() {
    let (kept, terms, wall) = (Kept::new(), daily(100), at("2026-11-26", 0));
    for number in 0..100 {
        kept.spend(account(number), &terms, wall, 1);
        kept.spend(account(number), &terms, wall, 1);
    }
    assert_eq!(kept.quotas.changed(30).len(), 30);
    assert_eq!(kept.quotas.changed(300).len(), 70);
    assert_eq!(kept.quotas.changed(300), []);
    kept.spend(account(5), &terms, wall, 1);
    let changed = kept.quotas.changed(300);
    assert_eq!(changed.iter().map(|c| (c.id, c.used)).collect::<Vec<_>>(), [(account(5), 3)]);
}

#[test]
fn accounts_of_keys_that_are_gone_are_forgotten() {
    let (kept, terms) = (Kept::new(), daily(100));
    for number in 0..3 {
        kept.spend(account(number), &terms, at("2026-10-01", 0), 1);
    }
    kept.spend(account(2), &terms, at("2026-11-10", 0), 1);
    kept.quotas.forget(day("2026-11-10"), |_| false);
    assert_eq!(kept.quotas.len(), 3);
    kept.quotas.forget(day("2026-11-11"), |id| id == account(1));
    assert_eq!(kept.quotas.len(), 2);
    kept.quotas.forget(day("2026-12-21"), |_| false);
    assert!(kept.quotas.is_empty());
}

#[test]
fn without_a_keeper_it_counts_in_memory() {
    let (quotas, asks) = Quotas::new();
    drop(asks);
    let (terms, wall) = (daily(3), at("2026-11-26", 0));
    let mut granted = 0;
    for _ in 0..20 {
        match quotas.spend(account(1), &terms, wall, Settled::default(), 0) {
            QuotaTaken::Granted(lease) => granted += 1 + lease.count,
            QuotaTaken::Exhausted | QuotaTaken::Unreserved => {}
        }
    }
    assert_eq!(granted, 3);
}

/// Shards with leases, a keeper that may be slow, a clock that jumps, a process that dies; beside
/// them, what each period has let through.
struct World {
    random: fastrand::Rng,
    kept: Kept,
    shards: Vec<BTreeMap<u64, QuotaLease>>,
    /// Leases that a stalled shard will settle one day.
    stalled: VecDeque<(u64, Settled)>,
    /// What the disk has.
    disk: BTreeMap<AccountId, Counters>,
    wall: WallTime,
    terms: QuotaTerms,
    spent: BTreeMap<(u64, Day), u64>,
}

const ACCOUNTS: u64 = 3;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let shards = [1, 2, 8, 64][random.usize(..4)];
        let period = [Period::Day, Period::Week, Period::Month][random.usize(..3)];
        let terms = QuotaTerms {
            limit: [0, 1, 7, 100, 1_000, 30_000][random.usize(..6)],
            period,
            offset: random.u32(..33),
        };
        Self {
            kept: Kept::new(),
            shards: vec![BTreeMap::new(); shards],
            stalled: VecDeque::new(),
            disk: BTreeMap::new(),
            wall: at("2026-11-26", random.u64(..24)),
            terms,
            spent: BTreeMap::new(),
            random,
        }
    }

    /// The keeper writes first and publishes then, as the real one.
    fn journal(&mut self) {
        while let Ok(Some(ask)) = self.kept.asks.try_recv() {
            let new = Counters::new(ask.id, ask.period, ask.day);
            let on_disk = self.disk.entry(ask.id).or_insert(new);
            if ask.period > on_disk.period {
                *on_disk = Counters { first: on_disk.first, ..new };
            }
            on_disk.reserved = on_disk.reserved.max(ask.reserved);
            self.kept.quotas.reserve(ask.id, ask.period, ask.reserved);
        }
    }

    fn crash(&mut self) {
        self.kept = Kept::new();
        self.shards.iter_mut().for_each(BTreeMap::clear);
        self.stalled.clear();
        for counters in self.disk.values() {
            self.kept.quotas.restore(Counters { used: counters.reserved, ..*counters });
        }
    }

    fn request(&mut self) {
        let key = self.random.u64(..ACCOUNTS);
        let shard = self.random.usize(..self.shards.len());
        let lease = self.shards[shard].remove(&key);
        let lease = lease.filter(|lease| self.wall < lease.ends);
        let lease = match lease {
            Some(lease) => lease,
            None => {
                let want = self.random.u32(..40);
                let none = Settled::default();
                match self.kept.quotas.spend(account(key), &self.terms, self.wall, none, want) {
                    QuotaTaken::Granted(lease) => {
                        self.count(key, lease.period_start, 1);
                        lease
                    }
                    QuotaTaken::Exhausted | QuotaTaken::Unreserved => return,
                }
            }
        };
        self.spend(shard, key, lease);
    }

    /// Spends some of a lease, and keeps, gives back or sits on the rest.
    fn spend(&mut self, shard: usize, key: u64, lease: QuotaLease) {
        let QuotaLease { count, period_start, ends } = lease;
        let spent = self.random.u32(..=count);
        self.count(key, period_start, spent);
        let left = count - spent;
        let (back, keeps) = if self.random.bool() { (left, 0) } else { (0, left) };
        let settled = Settled { period_start, spent, back };
        if self.random.u8(..8) == 0 {
            self.stalled.push_back((key, settled));
        } else {
            self.kept.quotas.settle(account(key), settled);
        }
        if keeps > 0 {
            self.shards[shard].insert(key, QuotaLease { count: keeps, period_start, ends });
        }
    }

    fn count(&mut self, key: u64, period: Day, spent: u32) {
        let all = self.spent.entry((key, period)).or_default();
        *all += u64::from(spent);
        assert!(*all <= self.terms.limit, "{all} in the period of {period}");
    }

    fn settle_all(&mut self) {
        for (key, settled) in self.stalled.drain(..) {
            self.kept.quotas.settle(account(key), settled);
        }
        for (key, lease) in self.shards.iter_mut().flat_map(std::mem::take) {
            let QuotaLease { count, period_start, .. } = lease;
            self.kept.quotas.settle(account(key), Settled { period_start, spent: 0, back: count });
        }
    }

    fn step(&mut self) {
        match self.random.u32(..1_000) {
            0..10 => self.wall.0 += self.random.u64(..40 * 24 * HOUR),
            10..20 => {
                let back = self.random.u64(..40 * 24 * HOUR);
                self.wall.0 -= back;
            }
            20..100 => self.wall.0 += self.random.u64(..HOUR),
            100..300 => self.journal(),
            300..340 => {
                let Some((key, settled)) = self.stalled.pop_back() else { return };
                self.kept.quotas.settle(account(key), settled);
            }
            340..345 => drop(self.kept.quotas.close_days(Day::of(self.wall))),
            _ => self.request(),
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    let first = std::env::var("RINGWAY_SEED").ok().and_then(|seed| seed.parse().ok());
    first.map_or(0..150, |seed| seed..seed + 1)
}

#[test]
fn no_period_lets_through_more_than_its_limit() {
    for seed in seeds() {
        eprintln!("RINGWAY_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..3_000 {
            world.step();
            if world.random.u32(..700) == 0 {
                world.crash();
            }
        }
    }
}

/// Whatever came before: when the shards have settled, the rest of the limit can be had.
#[test]
fn all_of_the_limit_can_be_had_when_nobody_crashes() {
    for seed in seeds() {
        eprintln!("RINGWAY_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..2_000 {
            world.step();
        }
        world.settle_all();
        world.journal();
        for key in 0..ACCOUNTS {
            let (terms, wall) = (world.terms, world.wall);
            let before = world.kept.quotas.counters(account(key), &terms, wall);
            let more = world.kept.spend_all(account(key), &terms, wall);
            let after = world.kept.quotas.counters(account(key), &terms, wall).expect("asked");
            let before_all = world.spent.get(&(key, after.period)).copied().unwrap_or(0);
            assert_eq!(before_all, before.map_or(0, |counters| counters.used));
            let is_first = after.first == after.period;
            assert_eq!(before_all + more, terms.limit_of(is_first), "{terms:?}");
        }
    }
}

/// The same from threads that really run side by side.
#[test]
fn threads_share_a_limit() {
    let kept = Kept::new();
    let (terms, wall) = (daily(20_000), at("2026-11-26", 0));
    let Kept { quotas, asks } = &kept;
    let granted = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4_u32)
            .map(|number| {
                scope.spawn(move || {
                    let (mut granted, mut settled) = (0, Settled::default());
                    loop {
                        let last = std::mem::take(&mut settled);
                        match quotas.spend(account(1), &terms, wall, last, number) {
                            QuotaTaken::Granted(QuotaLease { count, period_start, .. }) => {
                                granted += 1 + u64::from(count);
                                settled = Settled { period_start, spent: count, back: 0 };
                            }
                            QuotaTaken::Unreserved => std::thread::yield_now(),
                            QuotaTaken::Exhausted => return granted,
                        }
                    }
                })
            })
            .collect();
        while takers.iter().any(|taker| !taker.is_finished()) {
            match asks.try_recv() {
                Ok(Some(ask)) => quotas.reserve(ask.id, ask.period, ask.reserved),
                _ => std::thread::yield_now(),
            }
        }
        takers.into_iter().map(|taker| taker.join().expect("no panic")).sum::<u64>()
    });
    assert_eq!(granted, 20_000);
}
