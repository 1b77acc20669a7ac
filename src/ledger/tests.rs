//! Shards that spend one account, in virtual time, out of seeds: never above the bound, and nearly
//! all of the allowance when more is asked for.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{Quota, RateLimiter, clock::FakeRelativeClock};

use super::*;
use crate::base::{
    WallTime,
    limits::{LEDGER_ACCOUNTS_MAX, LEDGER_PARTITIONS},
};

const ROUND: Duration = Duration::from_millis(50);
const SECOND: u64 = 1_000_000_000;
const TOKEN: i128 = 1_000_000_000;

fn account(number: u64) -> AccountId {
    AccountId::new(LimitId(number), Subject(0))
}

fn bucket(rate: f64, burst: u32) -> Terms {
    Terms::Bucket { rate: Rate::per_second(rate).expect("a rate"), burst }
}

/// A token bucket in one place, with its level exact: what is admitted must fit into it.
struct Model {
    level: i128,
    burst: i128,
    /// In millionths a second.
    rate: i128,
    then: u64,
    /// A shard's clock may be behind by this: what accrues meanwhile is another shard's.
    lag: u64,
    admitted: u64,
}

impl Model {
    fn new(terms: Terms, lag: u64) -> Self {
        let Terms::Bucket { rate, burst } = terms else { panic!("a bucket") };
        let burst = i128::from(burst) * TOKEN;
        let rate = i128::from(rate.millionths());
        Self { level: burst, burst, rate, then: 0, lag, admitted: 0 }
    }

    fn accrued(&self, nanoseconds: u64) -> i128 {
        (i128::from(nanoseconds) * self.rate).div_euclid(1_000_000) + 1
    }

    /// # Panics
    /// When there is no token: the shards let through what the bucket would not.
    #[track_caller]
    fn admit(&mut self, now: u64, case: &str) {
        let elapsed = now - self.then;
        self.level = self.burst.min(self.level + self.accrued(elapsed));
        self.then = now;
        self.level -= TOKEN;
        self.admitted += 1;
        let least = -self.accrued(self.lag);
        assert!(self.level >= least, "{case}: {} too many at {now} ns", -self.level);
    }

    /// Takes a token if there is one.
    fn offer(&mut self, now: u64) {
        let elapsed = now - self.then;
        self.level = self.burst.min(self.level + self.accrued(elapsed) - 1);
        self.then = now;
        if self.level >= TOKEN {
            self.level -= TOKEN;
            self.admitted += 1;
        }
    }
}

/// How requests are spread over shards.
#[derive(Clone, Copy, Debug)]
enum Demand {
    Uniform,
    /// 99 of 100 come to one shard.
    Skewed,
    /// The shard where all of them come changes.
    Moving,
    /// All come to one shard.
    Single,
}

struct Case {
    seed: u64,
    shards: usize,
    demand: Demand,
    terms: Terms,
    /// Requests a second.
    asked: u64,
    seconds: u64,
    /// Shards stop now and then for up to a second, and come back with their leases.
    stalls: bool,
    /// Shards' clocks are behind by up to this.
    lag: u64,
    /// Plans are replaced, the terms staying the same.
    reloads: bool,
}

impl Case {
    fn name(&self) -> String {
        let Self { seed, shards, demand, terms, asked, stalls, lag, reloads, .. } = self;
        format!(
            "seed {seed}, {shards} shards, {demand:?}, {terms:?}, {asked} a second, stalls \
             {stalls}, lag {lag}, reloads {reloads}"
        )
    }

    /// What was let through, and what one bucket would have let through of the same requests.
    fn run(&self) -> (u64, u64) {
        let name = self.name();
        let ledger = Arc::new(Ledger::new(self.shards).0);
        let purse = |shard| Purse::new(Arc::clone(&ledger), shard, ROUND);
        let mut purses: Vec<Purse> = (0..self.shards).map(purse).collect();
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut model = Model::new(self.terms, self.lag);
        let mut alone = Model::new(self.terms, 0);
        let mut asleep = vec![0_u64; self.shards];
        let end = self.seconds * SECOND;
        let gap = SECOND / self.asked;
        let rounds = SECOND / 20;
        let mut next_round: Vec<u64> = (0..self.shards).map(|_| random.u64(0..rounds)).collect();
        let mut now = 0;
        while now < end {
            now += random.u64(0..=2 * gap);
            for (shard, at) in next_round.iter_mut().enumerate() {
                if *at <= now && asleep[shard] <= now {
                    purses[shard].reconcile(Moment(now), WallTime(0));
                    *at = now + rounds;
                }
            }
            if self.stalls && random.u32(0..2_000) == 0 {
                asleep[random.usize(0..self.shards)] = now + random.u64(0..SECOND);
            }
            if self.reloads && random.u32(0..1_000) == 0 {
                purses[random.usize(0..self.shards)].give_all_back(Moment(now));
            }
            let shard = self.shard(now, &mut random);
            if asleep[shard] > now {
                continue;
            }
            alone.offer(now);
            let seen = now.saturating_sub(random.u64(0..=self.lag));
            if purses[shard].take(account(1), &self.terms, Moment(seen)).is_ok() {
                model.admit(now, &name);
            }
        }
        (model.admitted, alone.admitted)
    }

    fn shard(&self, now: u64, random: &mut fastrand::Rng) -> usize {
        match self.demand {
            Demand::Skewed if random.u32(0..100) > 0 => 0,
            Demand::Uniform | Demand::Skewed => random.usize(0..self.shards),
            // Not with the beat of the rounds.
            Demand::Moving => usize::try_from(now / 70_000_000).expect("small") % self.shards,
            Demand::Single => self.shards - 1,
        }
    }
}

const DEMANDS: [Demand; 4] = [Demand::Uniform, Demand::Skewed, Demand::Moving, Demand::Single];

#[test]
fn all_shards_together_let_through_what_one_bucket_would_and_nearly_all_of_it() {
    // Rates in tenths.
    let kinds = [(1_000_u32, 200), (10_000, 50), (100, 1), (5, 3), (20_000, 5_000), (3_000, 7)];
    for shards in [1, 2, 8, 64] {
        for demand in DEMANDS {
            for (seed, (rate, burst)) in (0..).zip(kinds) {
                let seconds = 20 + u64::from(burst) * 40 / u64::from(rate + 1);
                let asked = 4 * u64::from(rate) / 10 + u64::from(burst) / 4 + 20;
                let case = Case {
                    seed,
                    shards,
                    demand,
                    terms: bucket(f64::from(rate) / 10.0, burst),
                    asked,
                    seconds,
                    stalls: false,
                    lag: 0,
                    reloads: seed % 2 == 1,
                };
                let (admitted, allowed) = case.run();
                let least = (allowed * 98 / 100).min(allowed - 1);
                let name = case.name();
                assert!((least..=allowed).contains(&admitted), "{name}: {admitted} of {allowed}");
            }
        }
    }
}

#[test]
fn shards_that_stall_and_clocks_that_are_behind_let_nothing_more_through() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case {
            seed,
            shards: [1, 2, 8, 64][random.usize(0..4)],
            demand: DEMANDS[random.usize(0..4)],
            terms: bucket(f64::from(random.u32(1..20_000)) / 10.0, random.u32(1..1_000)),
            asked: random.u64(10..5_000),
            seconds: random.u64(1..6),
            stalls: true,
            lag: random.u64(0..20_000_000),
            reloads: random.bool(),
        };
        case.run();
    }
}

/// Ten minutes of a bucket that fills once in ten seconds.
#[test]
fn a_tenth_of_a_request_per_second_is_exact() {
    let terms = bucket(0.1, 1);
    let base = Case {
        seed: 0,
        shards: 64,
        demand: Demand::Uniform,
        terms,
        asked: 50,
        seconds: 600,
        stalls: false,
        lag: 0,
        reloads: false,
    };
    for demand in DEMANDS {
        let case = Case { demand, ..base };
        let (admitted, allowed) = case.run();
        assert_eq!(allowed, 60, "one at once, and 59 or 60 later");
        assert!((allowed - 1..=allowed).contains(&admitted), "{admitted} of {allowed}");
    }
}

/// To the request where there is nothing to lease. Else a lease that is not spent makes the bucket
/// overflow a little earlier: never more than governor, and hardly less.
#[test]
fn one_shard_decides_as_governor_does() {
    for (rate, burst) in [(1_u32, 1), (10, 3), (1_000, 1), (10, 5), (100, 200), (250, 40)] {
        let is_exact = burst < 4;
        let (mut admitted, mut of_governor) = (0_u64, 0_u64);
        let clock = FakeRelativeClock::default();
        let quota = Quota::per_second(NonZeroU32::new(rate).expect("a rate"))
            .allow_burst(NonZeroU32::new(burst).expect("a burst"));
        let oracle = RateLimiter::direct_with_clock(quota, clock.clone());
        let ledger = Arc::new(Ledger::new(1).0);
        let mut purse = Purse::new(ledger, 0, ROUND);
        let mut random = fastrand::Rng::with_seed(u64::from(rate));
        let (mut now, mut round) = (0, 0);
        for step in 0..20_000 {
            let wait = random.u64(0..3 * SECOND / u64::from(rate));
            now += wait;
            clock.advance(Duration::from_nanos(wait));
            if now >= round {
                purse.reconcile(Moment(now), WallTime(0));
                round = now + SECOND / 20;
            }
            let ours = purse.take(account(1), &bucket(f64::from(rate), burst), Moment(now));
            let theirs = oracle.check();
            assert!(!is_exact || ours.is_ok() == theirs.is_ok(), "{rate}/{burst}: step {step}");
            admitted += u64::from(ours.is_ok());
            of_governor += u64::from(theirs.is_ok());
            assert!(admitted <= of_governor, "{rate}/{burst}: step {step}");
        }
        assert!(admitted * 100 >= of_governor * 99, "{admitted} of {of_governor}");
    }
}

#[test]
fn nothing_comes_of_a_burst_or_a_rate_of_zero() {
    let mut purse = Purse::new(Arc::new(Ledger::new(2).0), 0, ROUND);
    for terms in [bucket(0.0, 10), bucket(10.0, 0)] {
        let refused = purse.take(account(1), &terms, Moment(SECOND));
        assert_eq!(refused, Err(Moment(u64::MAX)));
    }
}

#[test]
fn a_refusal_says_when_the_next_token_is_there() {
    let mut purse = Purse::new(Arc::new(Ledger::new(1).0), 0, ROUND);
    let terms = bucket(0.5, 1);
    assert_eq!(purse.take(account(1), &terms, Moment(0)), Ok(Paid::Ledger));
    assert_eq!(purse.take(account(1), &terms, Moment(SECOND)), Err(Moment(2 * SECOND)));
    assert!(purse.take(account(1), &terms, Moment(2 * SECOND - 2)).is_err());
    assert!(purse.take(account(1), &terms, Moment(2 * SECOND)).is_ok());
}

#[test]
fn a_token_that_was_not_used_is_there_for_the_next() {
    let ledger = Arc::new(Ledger::new(2).0);
    let mut purses = [0, 1].map(|shard| Purse::new(Arc::clone(&ledger), shard, ROUND));
    let terms = bucket(1.0, 40);
    let now = Moment(SECOND);
    for spent in 0..39 {
        let paid = purses[0].take(account(1), &terms, now).expect("there are 40");
        let again = purses[0].take(account(1), &terms, now).expect("there are 40");
        purses[0].give_back(account(1), if spent % 2 == 0 { paid } else { again });
    }
    assert!(purses[0].take(account(1), &terms, now).is_ok(), "the 40th");
    assert!(purses[1].take(account(1), &terms, now).is_err(), "and no 41st");
}

#[test]
fn requests_in_flight_are_counted_over_all_shards() {
    let ledger = Arc::new(Ledger::new(2).0);
    let mut purses = [0, 1].map(|shard| Purse::new(Arc::clone(&ledger), shard, ROUND));
    let terms = Terms::InFlight { max: 3 };
    let now = Moment(0);
    for turn in 0..3 {
        assert_eq!(purses[turn % 2].take(account(1), &terms, now), Ok(Paid::Place));
    }
    assert!(purses[0].take(account(1), &terms, now).is_err());
    assert!(purses[1].take(account(1), &terms, now).is_err());
    purses[1].give_back(account(1), Paid::Place);
    assert!(purses[0].take(account(1), &terms, now).is_ok());
    // A reload raises it, and lowers it below what is in flight.
    assert!(purses[0].take(account(1), &Terms::InFlight { max: 4 }, now).is_ok());
    let lower = Terms::InFlight { max: 1 };
    for _ in 0..4 {
        assert!(purses[0].take(account(1), &lower, now).is_err());
        purses[0].give_back(account(1), Paid::Place);
    }
    assert!(purses[0].take(account(1), &lower, now).is_ok());
}

/// It was given up in the account that its caller got meanwhile, and the strangers' one kept it.
#[test]
fn a_place_among_strangers_is_given_up_there() {
    let ledger = Arc::new(Ledger::new(1).0);
    let mut purse = Purse::new(Arc::clone(&ledger), 0, ROUND);
    let terms = Terms::InFlight { max: 2 };
    let neighbours = neighbours(&ledger);
    for id in &neighbours {
        assert_eq!(purse.take(*id, &terms, Moment(0)), Ok(Paid::Place));
    }
    let fits = neighbours.len() - 1;
    let out = |id| ledger.view(id, Moment(SECOND)).map_or(0, |view| view.out);
    assert_eq!(out(STRANGERS), 1);
    // There is room again, and the last one's second request has an account of its own.
    neighbours[..fits].iter().for_each(|id| ledger.leave(*id));
    let last = neighbours[fits];
    assert_eq!(purse.take(last, &terms, Moment(10 * SECOND)), Ok(Paid::Place));
    ledger.leave(last);
    ledger.leave(last);
    assert_eq!((out(STRANGERS), out(last)), (0, 0));
}

/// What strangers share under the limit of [`neighbours`].
const STRANGERS: AccountId = AccountId::new(LimitId(1), Subject(u128::MAX));

/// Accounts of one partition, one more than fit into it.
fn neighbours(ledger: &Ledger) -> Vec<AccountId> {
    let of = |subject| AccountId::new(LimitId(1), Subject(subject));
    let partition = |id| (ledger.accounts.hash(id).hash >> 32) as usize % LEDGER_PARTITIONS;
    let fits = LEDGER_ACCOUNTS_MAX / LEDGER_PARTITIONS;
    (0..).map(of).filter(|id| partition(*id) == partition(of(0))).take(fits + 1).collect()
}

/// It came back to the account that its caller had meanwhile, on another shard: that one got tokens
/// which it had not given, and the strangers' one was short of them for ever.
#[test]
fn a_stranger_has_no_lease_that_could_come_back_to_another_account() {
    let ledger = Arc::new(Ledger::new(2).0);
    let mut purses = [0, 1].map(|shard| Purse::new(Arc::clone(&ledger), shard, ROUND));
    let terms = bucket(1.0, 64);
    let neighbours = neighbours(&ledger);
    for id in &neighbours {
        assert!(purses[0].take(*id, &terms, Moment(0)).is_ok());
    }
    let last = *neighbours.last().expect("one too many");
    for _ in 0..9 {
        assert!(purses[0].take(last, &terms, Moment(0)).is_ok());
    }
    // The others are as new ones again, and there is room.
    let later = Moment(10 * SECOND);
    for _ in 0..9 {
        assert!(purses[1].take(last, &terms, later).is_ok());
    }
    purses[0].give_all_back(later);
    let view = |id| ledger.view(id, later).expect("it is kept");
    assert_eq!((view(STRANGERS).level, view(STRANGERS).out), (64, 0));
    let leased = purses[1].view(last).map_or(0, |lease| lease.tokens);
    assert_eq!(view(last).level + leased, 64 - 9);
}

/// Its account was never as a new one again, and was kept for ever.
#[test]
fn a_raised_limit_of_requests_in_flight_is_forgotten_when_none_is() {
    let ledger = Arc::new(Ledger::new(1).0);
    let mut purse = Purse::new(Arc::clone(&ledger), 0, ROUND);
    for max in [1, 9] {
        assert_eq!(purse.take(account(1), &Terms::InFlight { max }, Moment(0)), Ok(Paid::Place));
        ledger.leave(account(1));
    }
    assert_eq!(ledger.len(), 1);
    for _ in 0..LEDGER_PARTITIONS {
        purse.reconcile(Moment(SECOND), WallTime(0));
    }
    assert!(ledger.is_empty());
}

#[test]
fn a_rate_that_a_reload_changes_holds_from_then_on() {
    let mut purse = Purse::new(Arc::new(Ledger::new(1).0), 0, ROUND);
    let (slow, fast) = (bucket(1.0, 10), bucket(1_000.0, 10));
    for _ in 0..10 {
        assert!(purse.take(account(1), &slow, Moment(0)).is_ok());
    }
    // A second at one a second; nobody knows since when it is a thousand.
    let second = Moment(SECOND);
    assert!(purse.take(account(1), &fast, second).is_ok());
    purse.reconcile(second, WallTime(0));
    assert!(purse.take(account(1), &fast, second).is_err());
    for step in 1..=100 {
        let now = Moment(SECOND + step * SECOND / 1_000);
        assert!(purse.take(account(1), &fast, now).is_ok(), "{step} ms later");
    }
}

/// The new rate was taken for the whole time since the last token.
#[test]
fn a_rate_that_a_reload_raises_does_not_fill_an_empty_bucket() {
    let mut purse = Purse::new(Arc::new(Ledger::new(1).0), 0, ROUND);
    let (slow, fast) = (bucket(0.001, 10), bucket(1_000.0, 10));
    while purse.take(account(1), &slow, Moment(0)).is_ok() {}
    // Nothing is leased, and nobody has asked for a while.
    purse.reconcile(Moment(1), WallTime(0));
    purse.reconcile(Moment(2), WallTime(0));
    assert!(purse.is_empty());
    let reload = 100 * SECOND;
    assert!(purse.take(account(1), &fast, Moment(reload)).is_err());
    let now = Moment(reload + SECOND / 1_000);
    let admitted = (0..10).filter(|_| purse.take(account(1), &fast, now).is_ok()).count();
    assert_eq!(admitted, 1, "in a millisecond at a thousand a second");
}

#[test]
fn accounts_that_are_full_again_are_forgotten_and_leases_go_back() {
    let ledger = Arc::new(Ledger::new(2).0);
    let mut purses = [0, 1].map(|shard| Purse::new(Arc::clone(&ledger), shard, ROUND));
    let terms = bucket(10.0, 20);
    for number in 0..5_000 {
        for _ in 0..6 {
            assert!(purses[0].take(account(number), &terms, Moment(0)).is_ok());
        }
    }
    assert_eq!((ledger.len(), purses[0].len()), (5_000, 5_000));
    for round in 1..=1_200 {
        let now = Moment(round * SECOND / 20);
        purses.iter_mut().for_each(|purse| purse.reconcile(now, WallTime(0)));
    }
    assert_eq!((ledger.len(), purses[0].len()), (0, 0));
}

#[test]
fn who_was_refused_is_kept_for_a_while() {
    let ledger = Arc::new(Ledger::new(1).0);
    let mut purse = Purse::new(Arc::clone(&ledger), 0, ROUND);
    let terms = bucket(1.0, 1);
    let allowed = (0..5).filter(|_| purse.take(account(7), &terms, Moment(0)).is_ok()).count();
    assert_eq!(allowed, 1);
    for round in 1..=2_000 {
        purse.reconcile(Moment(round * SECOND / 20), WallTime(0));
    }
    let view = ledger.view(account(7), Moment(100 * SECOND));
    assert_eq!(view, Some(AccountView { level: 1, out: 0, refused: 4 }));
    for round in 1..=2_200 {
        purse.reconcile(Moment(round * SECOND), WallTime(0));
    }
    assert!(ledger.is_empty());
}

/// The keeper, at once: whatever is asked for is promised.
fn promise(ledger: &Ledger, asked: &Asks) {
    for ask in asked.try_iter().flatten() {
        ledger.quotas().reserve(ask.id, ask.period, ask.reserved);
    }
}

#[test]
fn a_quota_is_used_up_and_never_passed_whatever_shards_do_with_their_leases() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let shards = [1, 2, 8, 64][random.usize(0..4)];
        let (ledger, asked) = Ledger::new(shards);
        let ledger = Arc::new(ledger);
        let purse = |shard| Purse::new(Arc::clone(&ledger), shard, ROUND);
        let mut purses: Vec<Purse> = (0..shards).map(purse).collect();
        let limit = random.u64(1..3_000);
        let terms = QuotaTerms { limit, period: Period::Day, offset: 0 };
        let ids = [account(1), account(2)];
        let mut counted = [0, 0];
        let mut now = 0;
        for step in 0..40_000_u64 {
            now += random.u64(0..SECOND / 500);
            let (moment, wall) = (Moment(now), WallTime(now / 1_000_000));
            let shard = random.usize(0..shards);
            let which = usize::from(random.u32(0..10) == 0);
            match purses[shard].spend(ids[which], &terms, moment, wall) {
                // Now and then a throttle refuses what the quota let through.
                Spent::Counted(paid) if random.u32(0..20) == 0 => {
                    purses[shard].unspend(ids[which], paid);
                }
                Spent::Counted(_) => counted[which] += 1,
                Spent::Exhausted => {}
                Spent::Unreserved => promise(&ledger, &asked),
            }
            if random.u32(0..3) == 0 {
                promise(&ledger, &asked);
            }
            assert!(counted.iter().all(|count| *count <= limit), "seed {seed}, step {step}");
            if step % 100 == 0 {
                purses[random.usize(0..shards)].reconcile(moment, wall);
            }
        }
        purses.iter_mut().for_each(|purse| purse.give_all_back(Moment(now)));
        let wall = WallTime(now / 1_000_000);
        for (id, counted) in ids.into_iter().zip(counted) {
            let told = ledger.quotas().counters(id, &terms, wall).map(|counters| counters.used);
            assert_eq!(told, Some(counted), "seed {seed}");
        }
        assert_eq!(counted[0], limit, "seed {seed}: all of it is reached");
    }
}

/// Strangers share what one may have: a flood of addresses gets nobody more, and costs no memory.
#[test]
fn a_full_ledger_lets_strangers_share_an_account() {
    const ROOM: u64 = LEDGER_ACCOUNTS_MAX as u64;
    let ledger = Arc::new(Ledger::new(1).0);
    let mut purse = Purse::new(Arc::clone(&ledger), 0, ROUND);
    let terms = bucket(0.001, 2);
    let stranger = |number: u64| AccountId::new(LimitId(1), Subject(u128::from(number)));
    let now = Moment(SECOND);
    let mut admitted = 0_u64;
    for number in 0..ROOM + ROOM / 8 {
        admitted += u64::from(purse.take(stranger(number), &terms, now).is_ok());
    }
    let kept = ledger.len() as u64;
    assert!(kept <= ROOM + 1, "{kept}");
    assert!((kept..=kept + 2).contains(&admitted), "{admitted} of {kept} accounts");
    assert!(purse.take(stranger(5), &terms, now).is_ok(), "who was there has his second");
    // All are full again after a while, and room is made for strangers.
    let later = Moment(3_000 * SECOND);
    assert!(purse.take(stranger(u64::MAX), &terms, later).is_ok());
    assert!(ledger.len() < LEDGER_ACCOUNTS_MAX);
}
