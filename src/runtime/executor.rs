//! One shard's thread: a glommio executor whose never-ending task is the driver's loop.

use std::{future::Future, io, rc::Rc, sync::mpsc, time::Duration};

use super::seats::{Seat, Seats};
use crate::{
    base::{Moment, WallTime},
    ring::{Counts, Driver, Holdings, Outgoing, Uring},
};

/// How often glommio looks after its own timers and channels: as good as never, nothing of ours
/// uses them. And it must be never: whoever is taken off his CPU for this long between the line
/// that sets glommio's timer and the line that looks at it finds it expired before a task ran,
/// and glommio (0.9) takes that for idleness: it sleeps, with tasks to run, until an event of its
/// own. There is none: the shard would hang for good. With 10 ms a busy machine did it in minutes.
const GLOMMIO_TICK: Duration = Duration::from_secs(24 * 3_600);
/// Rounds of the tasks between two turns of the driver: tasks that keep each other busy must not
/// keep it from the kernel.
const ROUNDS_MAX: usize = 32;
/// Rounds that are given to the tasks of a stopping executor, to be dropped.
const LAST_ROUNDS: usize = 3;

/// Where an executor runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorSpec {
    /// The thread's name.
    pub name: String,
    /// The core it is pinned to; `None`: wherever the kernel puts it.
    pub cpu: Option<usize>,
}

/// A running executor's end.
pub struct JoinHandle {
    thread: glommio::ExecutorJoinHandle<io::Result<()>>,
}

impl JoinHandle {
    /// Waits for the executor's end.
    ///
    /// # Errors
    /// When its main future panicked, or the ring failed.
    pub fn join(self) -> io::Result<()> {
        match self.thread.join() {
            Ok(result) => result,
            Err(error) => Err(io::Error::other(format!("the executor ended badly: {error}"))),
        }
    }
}

/// One executor, as its tasks see it; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    driver: Rc<Driver>,
    seats: Rc<Seats>,
    spawner: Spawner,
}

#[derive(Clone)]
pub(super) enum Spawner {
    Glommio,
    Simulated(Rc<super::simulate::Queue>),
}

impl Runtime {
    pub(super) fn new(driver: Rc<Driver>, spawner: Spawner) -> Self {
        Self { driver, seats: Rc::default(), spawner }
    }

    /// The monotonic clock, as it was at the start of this turn of the driver.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.driver.now()
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        self.driver.wall()
    }

    /// An empty send, with the memory of an earlier one where there is one.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        self.driver.outgoing()
    }

    /// Takes the memory of a send that something else has sent.
    pub fn keep_outgoing(&self, outgoing: Outgoing) {
        self.driver.keep_outgoing(outgoing);
    }

    /// Runs a future beside the others of this executor. Its panic ends it and nothing else.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        if let Some(seat) = self.seats.take_in(Box::pin(future)) {
            self.seat(seat);
        }
    }

    fn seat(&self, seat: Seat) {
        match &self.spawner {
            Spawner::Glommio => drop(glommio::spawn_local(seat).detach()),
            Spawner::Simulated(queue) => queue.spawn(seat),
        }
    }

    /// Ready at `moment`: never earlier, about two milliseconds later at most.
    #[must_use]
    pub fn sleep_until(&self, moment: Moment) -> crate::ring::Sleep {
        self.driver.sleep_until(moment)
    }

    /// Ready after `wait`.
    #[must_use]
    pub fn sleep(&self, wait: Duration) -> crate::ring::Sleep {
        self.driver.sleep_until(self.now() + wait)
    }

    /// Futures that ended by a panic so far.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.seats.panics()
    }

    /// Futures that were spawned and have not ended; the main future is one.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.seats.busy()
    }

    /// What the driver holds now.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        self.driver.holdings()
    }

    /// What happened on the driver so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.driver.counts()
    }

    /// The driver, for `net/`.
    #[must_use]
    pub const fn driver(&self) -> &Rc<Driver> {
        &self.driver
    }

    pub(super) const fn seats(&self) -> &Rc<Seats> {
        &self.seats
    }
}

/// Starts an executor on its own thread. It ends when the future that `main` makes ends: then
/// all sockets are closed and all tasks dropped.
///
/// # Errors
/// When the thread or the ring cannot be made; `ring::probe` says why in sentences.
pub fn start<Main, Work>(spec: ExecutorSpec, main: Main) -> io::Result<JoinHandle>
where
    Main: FnOnce(Runtime) -> Work + Send + 'static,
    Work: Future<Output = ()> + 'static,
{
    let placement = match spec.cpu {
        Some(cpu) => glommio::Placement::Fixed(cpu),
        None => glommio::Placement::Unbound,
    };
    let (report, made) = mpsc::channel();
    let thread = glommio::LocalExecutorBuilder::new(placement)
        .name(&spec.name)
        .io_memory(0)
        .ring_depth(8)
        .preempt_timer(GLOMMIO_TICK)
        .spawn(move || async move {
            let driver = match Uring::new().and_then(|kernel| Driver::new(Box::new(kernel))) {
                Ok(driver) => driver,
                Err(error) => {
                    let _ = report.send(Err(error));
                    return Ok(());
                }
            };
            let _ = report.send(Ok(()));
            glommio::spawn_local(run(Runtime::new(driver, Spawner::Glommio), main)).await
        })
        .map_err(|error| io::Error::other(error.to_string()))?;
    match made.recv() {
        Ok(Ok(())) => Ok(JoinHandle { thread }),
        Ok(Err(error)) => Err(error),
        Err(_) => JoinHandle { thread }.join().and(Err(io::ErrorKind::BrokenPipe.into())),
    }
}

/// The driver's loop, until the main future has ended.
async fn run<Main, Work>(runtime: Runtime, main: Main) -> io::Result<()>
where
    Main: FnOnce(Runtime) -> Work,
    Work: Future<Output = ()> + 'static,
{
    let ended = spawn_main(&runtime, main);
    let executor = glommio::executor();
    loop {
        // Every woken task runs until a whole round found none.
        let mut idle = false;
        for _ in 0..ROUNDS_MAX {
            let before = runtime.seats.polls();
            executor.yield_now().await;
            idle = runtime.seats.polls() == before;
            if idle {
                break;
            }
        }
        if ended.get().is_some() {
            break;
        }
        runtime.driver.turn(idle)?;
    }
    runtime.seats.close();
    for _ in 0..LAST_ROUNDS {
        executor.yield_now().await;
    }
    runtime.driver.stop();
    judge(ended.get())
}

/// How the main future ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Panicked,
}

pub(super) fn judge(end: Option<End>) -> io::Result<()> {
    match end {
        Some(End::Panicked) => Err(io::Error::other("the executor's main future panicked")),
        Some(End::Done) | None => Ok(()),
    }
}

/// Seats the main future; the cell tells when and how it has ended.
pub(super) fn spawn_main<Main, Work>(
    runtime: &Runtime,
    main: Main,
) -> Rc<std::cell::Cell<Option<End>>>
where
    Main: FnOnce(Runtime) -> Work,
    Work: Future<Output = ()> + 'static,
{
    struct Guard(Rc<std::cell::Cell<Option<End>>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if self.0.get().is_none() {
                self.0.set(Some(End::Panicked));
            }
        }
    }
    let ended = Rc::new(std::cell::Cell::new(None));
    let guard = Guard(Rc::clone(&ended));
    let work = main(runtime.clone());
    runtime.spawn(async move {
        let guard = guard;
        work.await;
        guard.0.set(Some(End::Done));
    });
    ended
}
