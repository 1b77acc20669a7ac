// Questions of many requests, on a kernel in virtual time, and a thread that answers when the test
// says so.

use std::{cell::Cell, future::Future, sync::Mutex, task::Poll};

use super::*;
use crate::{
    ring::simulation::{Faults, Simulation},
    runtime::simulate,
};

const BOUNDS: Bounds = Bounds {
    asked: 8,
    of_address: 6,
    of_address_when_rare: 2,
    waiters: 7,
    may_wait_for_place: false,
};
const WAIT: Duration = Duration::from_secs(5);

struct Number(u32, IpAddr);

impl Question for Number {
    type Claim = u32;

    fn claim(&self) -> u32 {
        self.0
    }

    fn source(&self) -> IpAddr {
        self.1
    }

    fn answer(&self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// A shard, and the questions that it asked.
struct Desk {
    runtime: Runtime,
    proofs: Proofs<Number>,
    asked: Arc<Mutex<Vec<Number>>>,
}

type Proven = Result<bool, Crowd>;

impl Desk {
    fn new(runtime: Runtime, bounds: Bounds) -> Rc<Self> {
        let (proofs, asked) = (Proofs::new(bounds), Arc::new(Mutex::new(Vec::new())));
        let line: Arc<Mutex<Vec<Number>>> = Arc::clone(&asked);
        proofs.open(Arc::new(move |question| {
            line.lock().unwrap().push(question);
            true
        }));
        Rc::new(Self { runtime, proofs, asked })
    }

    /// A request's task; its end.
    fn ask(self: &Rc<Self>, claim: u32, source: u8) -> Rc<Cell<Option<Proven>>> {
        let (desk, done) = (Rc::clone(self), Rc::new(Cell::new(None)));
        let out = Rc::clone(&done);
        self.runtime.spawn(async move {
            out.set(Some(desk.prove(claim, source).await));
        });
        done
    }

    async fn prove(&self, claim: u32, source: u8) -> Proven {
        let source = IpAddr::from([10, 0, 0, source]);
        let deadline = self.runtime.now() + WAIT;
        let question = || Number(claim, source);
        let proven = self.proofs.prove(&self.runtime, (claim, source), deadline, question).await;
        proven.map(|(holds, _)| holds)
    }

    /// Lets all tasks come to rest.
    async fn settle(&self) {
        self.runtime.sleep(Duration::from_millis(1)).await;
    }

    /// What the thread does: everything that is asked by now.
    fn answer(&self) -> Vec<u32> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        for question in &asked {
            let (claim, holds) = (question.claim(), question.answer());
            self.proofs.tell(&Verdict { claim, holds, took: Duration::from_micros(300) });
        }
        asked.iter().map(Question::claim).collect()
    }
}

fn on_a_shard<F>(bounds: Bounds, test: impl FnOnce(Rc<Desk>) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let kernel = Simulation::new(1, Faults::none()).kernel();
    simulate(kernel, move |runtime| test(Desk::new(runtime, bounds))).unwrap();
}

#[test]
fn others_go_on_while_a_proof_takes_its_time_and_one_answer_serves_all_that_asked_the_same() {
    on_a_shard(BOUNDS, |desk| async move {
        let same = [desk.ask(4, 1), desk.ask(4, 1), desk.ask(4, 2)];
        let other = desk.ask(5, 2);
        // The thread has not answered for a second: whoever needs no proof is served meanwhile.
        for _ in 0..1_000 {
            desk.settle().await;
        }
        assert!(same.iter().all(|done| done.get().is_none()));
        assert_eq!(desk.answer(), [4, 5], "one job for the three");
        desk.settle().await;
        assert!(same.iter().all(|done| done.get() == Some(Ok(true))));
        assert_eq!(other.get(), Some(Ok(false)));
        assert!(desk.proofs.is_idle());
    });
}

#[test]
fn an_address_has_its_places_fewer_when_they_are_rare_and_all_have_no_more_than_there_are() {
    on_a_shard(BOUNDS, |desk| async move {
        let first: Vec<_> = (0..4).map(|claim| desk.ask(claim, 1)).collect();
        desk.settle().await;
        // Half of all are taken: whoever has two by now gets no third.
        let same = desk.ask(90, 1);
        let others = [desk.ask(10, 2), desk.ask(11, 2), desk.ask(12, 2)];
        let third = [desk.ask(20, 3), desk.ask(21, 3)];
        let too_much = desk.ask(30, 4);
        // What is asked already takes no place.
        let known = desk.ask(10, 4);
        desk.settle().await;
        assert_eq!(same.get(), Some(Err(Crowd::Address)));
        assert_eq!(others.each_ref().map(|one| one.get()), [None, None, Some(Err(Crowd::Address))]);
        assert!(third.iter().chain([&known]).all(|one| one.get().is_none()));
        assert_eq!(too_much.get(), Some(Err(Crowd::All)));
        assert_eq!(desk.answer().len(), BOUNDS.asked);
        desk.settle().await;
        let done = |one: &Rc<Cell<Option<Proven>>>| matches!(one.get(), Some(Ok(_)));
        assert!(first.iter().chain(&others[..2]).chain(&third).chain([&known]).all(done));
        assert!(desk.proofs.is_idle());
    });
}

#[test]
fn as_many_of_one_address_wait_as_may() {
    on_a_shard(BOUNDS, |desk| async move {
        let waiting: Vec<_> = (0..8).map(|_| desk.ask(2, 1)).collect();
        let other = desk.ask(2, 2);
        desk.settle().await;
        let refused = waiting.iter().filter(|one| one.get() == Some(Err(Crowd::Address)));
        assert_eq!((refused.count(), other.get()), (1, None));
        desk.answer();
        desk.settle().await;
        assert_eq!(other.get(), Some(Ok(true)));
    });
}

#[test]
fn where_it_may_an_address_waits_for_a_place_of_its_own() {
    let bounds = Bounds { of_address: 1, may_wait_for_place: true, ..BOUNDS };
    on_a_shard(bounds, |desk| async move {
        let all: Vec<_> = (0..3).map(|claim| desk.ask(2 * claim, 1)).collect();
        for claim in [0, 2, 4] {
            desk.settle().await;
            assert_eq!(desk.answer(), [claim]);
        }
        desk.settle().await;
        assert!(all.iter().all(|one| one.get() == Some(Ok(true))));
    });
}

#[test]
fn who_leaves_takes_no_place_once_there_is_an_answer_and_a_late_one_harms_nobody() {
    on_a_shard(BOUNDS, |desk| async move {
        for claim in [2, 4] {
            let mut wait = Box::pin(desk.prove(claim, 1));
            std::future::poll_fn(|context| {
                assert!(wait.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(wait);
        }
        assert!(!desk.proofs.is_idle(), "they are on their way");
        // One comes back meanwhile, and hears what the other one asked.
        let back = desk.ask(4, 1);
        desk.settle().await;
        assert_eq!(desk.answer(), [2, 4], "asked once");
        desk.settle().await;
        assert_eq!(back.get(), Some(Ok(true)));
        assert!(desk.proofs.is_idle());
        desk.proofs.tell(&Verdict { claim: 99, holds: true, took: WAIT });
        assert!(desk.proofs.is_idle());
    });
}

#[test]
fn nobody_waits_for_ever() {
    on_a_shard(BOUNDS, |desk| async move {
        assert_eq!(desk.prove(2, 1).await, Err(Crowd::All));
        desk.answer();
        assert!(desk.proofs.is_idle());
    });
}
