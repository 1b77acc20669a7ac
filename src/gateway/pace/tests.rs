// The budget, on a kernel in virtual time: what a turn has spent, who is let through, in which
// order, and who stands in the way.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use super::*;
use crate::{
    ring::simulation::{Faults, Simulation},
    runtime::simulate,
};

/// What happened: which turn had which verifications, and how often another task came to run.
#[derive(Default)]
struct Seen {
    turns: RefCell<BTreeMap<u32, Vec<usize>>>,
    refused: Cell<usize>,
}

/// `count` requests that come in one turn, each with a token that costs as much; those that
/// `leave` names give up after their first wait.
fn flood(count: usize, cost: Duration, leave: impl Fn(usize) -> bool) -> Rc<Seen> {
    let (seen, told) = (Rc::new(Seen::default()), Rc::new(Cell::new(0)));
    let out = Rc::clone(&seen);
    let leaving: Vec<bool> = (0..count).map(leave).collect();
    let kernel = Simulation::new(1, Faults::none()).kernel();
    simulate(kernel, move |runtime| async move {
        let pace = Rc::new(Pace::default());
        for (number, leaves) in leaving.into_iter().enumerate() {
            let (pace, seen, told) = (Rc::clone(&pace), Rc::clone(&seen), Rc::clone(&told));
            let own = runtime.clone();
            runtime.spawn(async move {
                if leaves {
                    let mut wait = Box::pin(pace.wait(&own, cost));
                    poll_fn(|context| {
                        let _ = std::future::Future::poll(wait.as_mut(), context);
                        Poll::Ready(())
                    })
                    .await;
                    drop(wait);
                } else if let Ok(permit) = pace.wait(&own, cost).await {
                    let turn = own.driver().turns();
                    seen.turns.borrow_mut().entry(turn).or_default().push(number);
                    drop(permit);
                } else {
                    seen.refused.set(seen.refused.get() + 1);
                }
                told.set(told.get() + 1);
            });
        }
        while told.get() < count {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        assert!(pace.line.borrow().is_empty());
    })
    .unwrap();
    out
}

fn us(us: u64) -> Duration {
    Duration::from_micros(us)
}

#[test]
fn a_turn_spends_its_budget_and_no_more() {
    let check = |cost, each| {
        let seen = flood(64, cost, |_| false);
        let turns = seen.turns.borrow();
        let most = turns.values().map(Vec::len).max();
        assert_eq!(most, Some(each), "{cost:?}");
        let order: Vec<usize> = turns.values().flatten().copied().collect();
        assert_eq!(order, (0..64).collect::<Vec<_>>(), "first come, first served");
        assert_eq!(turns.len(), 64_usize.div_ceil(each), "one turn after the other");
        let (first, last) = (turns.keys().next().unwrap(), turns.keys().last().unwrap());
        assert_eq!((last - first) as usize + 1, turns.len(), "no turn is left out");
    };
    check(us(50), 4);
    check(us(67), 2);
    check(us(66), 3);
    check(us(200), 1);
    // What is over the budget by itself has a turn for itself.
    check(us(900), 1);
}

#[test]
fn the_line_is_bounded() {
    let let_through = 4;
    let count = VERIFICATIONS_WAITING_MAX + let_through;
    assert_eq!(flood(count, us(50), |_| false).refused.get(), 0);
    assert_eq!(flood(count + 3, us(50), |_| false).refused.get(), 3);
}

#[test]
fn who_leaves_the_line_holds_nobody_up() {
    for leaves in [|n: usize| n % 2 == 1, |n: usize| (4..20).contains(&n), |n: usize| n > 4] {
        let seen = flood(40, us(50), leaves);
        let order: Vec<usize> = seen.turns.borrow().values().flatten().copied().collect();
        assert_eq!(order, (0..40).filter(|n| !leaves(*n)).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_not_verified_costs_nothing() {
    let kernel = Simulation::new(1, Faults::none()).kernel();
    simulate(kernel, |runtime| async move {
        let pace = Pace::default();
        for _ in 0..100 {
            pace.wait(&runtime, us(150)).await.unwrap().unused();
        }
        assert_eq!(pace.spent.get(), Duration::ZERO);
    })
    .unwrap();
}

#[test]
fn a_lesson_counts_more_when_it_is_fast() {
    let teach = |known, took: &[u64]| {
        took.iter().fold(us(known), |known, took| corrected(known, us(*took))).as_micros()
    };
    assert_eq!(teach(200, &[100]), 175);
    assert_eq!(teach(200, &[232]), 202);
    // Taken off the CPU for a time slice, once: forgotten after a few.
    assert_eq!(teach(160, &[4_000]), 170);
    assert!(teach(160, &[4_000, 160, 160, 160, 160]) < 165);
    // A machine on which all take longer.
    assert!(teach(190, &[212; 40]) > 200);
}
