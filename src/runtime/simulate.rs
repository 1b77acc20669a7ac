//! The same tasks on a kernel in virtual time: a first-in first-out executor of its own, so that
//! a seed replays exactly. For tests; glommio's preemption timer would disturb the order.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Wake, Waker},
};

use super::{
    executor::{Runtime, Spawner, judge, spawn_main},
    seats::Seat,
};
use crate::ring::{Driver, Kernel};

/// Polls between two turns of the driver.
const POLLS_MAX: usize = 10_000;

/// Runs `main` on `kernel` until it ends, then stops everything.
///
/// # Errors
/// When the main future panicked or the kernel failed.
pub fn simulate<Main, Work>(kernel: Box<dyn Kernel>, main: Main) -> io::Result<()>
where
    Main: FnOnce(Runtime) -> Work,
    Work: Future<Output = ()> + 'static,
{
    let queue = Rc::new(Queue::default());
    let driver = Driver::new(kernel)?;
    let runtime = Runtime::new(Rc::clone(&driver), Spawner::Simulated(Rc::clone(&queue)));
    let ended = spawn_main(&runtime, main);
    let mut idle = queue.run();
    while ended.get().is_none() {
        driver.turn(idle)?;
        idle = queue.run();
    }
    runtime.seats().close();
    queue.run();
    driver.stop();
    judge(ended.get())
}

/// The run queue. Only its thread uses it; the lock is what `Waker` asks for.
#[derive(Default)]
pub(super) struct Queue {
    woken: Arc<Mutex<VecDeque<usize>>>,
    tasks: RefCell<Vec<Option<Task>>>,
    spawned: Cell<usize>,
}

/// A seat and its waker; absent while it is polled and after its end.
type Task = (Pin<Box<Seat>>, Waker);

struct TaskWaker {
    task: usize,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !woken.contains(&self.task) {
            woken.push_back(self.task);
        }
    }
}

impl Queue {
    pub(super) fn spawn(&self, seat: Seat) {
        let task = self.spawned.get();
        self.spawned.set(task + 1);
        let woken = Arc::clone(&self.woken);
        let waker = Waker::from(Arc::new(TaskWaker { task, woken }));
        waker.wake_by_ref();
        self.tasks.borrow_mut().push(Some((Box::pin(seat), waker)));
    }

    /// Polls the woken until none is left (`true`), or until it was enough for one turn.
    fn run(&self) -> bool {
        for _ in 0..POLLS_MAX {
            let Some(task) = self.next() else { return true };
            let taken = self.tasks.borrow_mut().get_mut(task).and_then(Option::take);
            let Some((mut seat, waker)) = taken else { continue };
            if seat.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.tasks.borrow_mut()[task] = Some((seat, waker));
            }
        }
        false
    }

    fn next(&self) -> Option<usize> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
