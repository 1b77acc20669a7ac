//! The threads that find out what would hold a shard: one hashes passwords, which takes 50 to 300
//! ms each, one verifies signatures by keys that take more than a shard's turn has for them, and
//! should not wait for passwords. Each does one thing at a time, below the shards' priority, taking
//! turns among the addresses that ask.

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::tell;
use crate::{
    base::limits::{PASSWORDS_ASKED_MAX, SIGNATURES_ASKED_MAX},
    gateway::Ask,
    ring,
    runtime::Sender as Mail,
    shard::Order,
    steps::authorize::{
        basic::ClaimKey,
        proof::{Question, Verdict},
    },
};

/// After a shard took no message.
const UNTOLD_WAIT: Duration = Duration::from_millis(50);
/// When nothing is asked.
const IDLE_WAIT: Duration = Duration::from_secs(3_600);

/// A shard's question.
struct Job<Q> {
    shard: usize,
    question: Q,
}

/// What is asked and not answered, by address; the first is next.
struct Line<Q>(VecDeque<(IpAddr, VecDeque<Job<Q>>)>);

impl<Q> Default for Line<Q> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// What a thread does.
struct Duty<Q: Question> {
    /// The thread's name.
    name: &'static str,
    /// Questions of one shard at a time.
    asked_max: usize,
    /// Tells a shard whom to ask.
    open: Box<dyn Fn(Ask<Q>) -> Order>,
    /// Tells it what was found out.
    tell: fn(Verdict<Q::Claim>) -> Order,
}

/// Starts the threads, and tells every shard of them.
///
/// # Errors
/// When one cannot be started.
pub(super) fn start(shards: &[Mail<Order>]) -> io::Result<()> {
    let key = Arc::new(ClaimKey::new(&random()?));
    let passwords = Duty {
        name: "passwords",
        asked_max: PASSWORDS_ASKED_MAX,
        open: Box::new(move |ask| Order::Passwords(Arc::clone(&key), ask)),
        tell: Order::Password,
    };
    let signatures = Duty {
        name: "signatures",
        asked_max: SIGNATURES_ASKED_MAX,
        open: Box::new(Order::Signatures),
        tell: Order::Signature,
    };
    hire(passwords, shards)?;
    hire(signatures, shards)
}

fn hire<Q: Question>(duty: Duty<Q>, shards: &[Mail<Order>]) -> io::Result<()> {
    let Duty { name, asked_max, open, tell: answer } = duty;
    // Each shard keeps to its bound, so it is never full.
    let (jobs, asked) = sync_channel(asked_max * shards.len().max(1));
    let mails = shards.to_vec();
    let work = move || work::<Q>(&asked, &mails, answer);
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    for (number, shard) in shards.iter().enumerate() {
        if shard.try_send(open(asking(number, jobs.clone()))).is_err() {
            tell(&format!("shard {number} takes no messages: it does without {name}"));
        }
    }
    Ok(())
}

fn asking<Q: Question>(shard: usize, jobs: SyncSender<Job<Q>>) -> Ask<Q> {
    Arc::new(move |question| jobs.try_send(Job { shard, question }).is_ok())
}

/// Of the kernel's.
fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is told; there is no shard's clock"
)]
fn work<Q: Question>(
    asked: &Receiver<Job<Q>>,
    shards: &[Mail<Order>],
    tell: fn(Verdict<Q::Claim>) -> Order,
) {
    ring::step_back();
    let mut line = Line::default();
    let mut untold: Vec<(usize, Verdict<Q::Claim>)> = Vec::new();
    loop {
        untold.retain(|(shard, verdict)| shards[*shard].try_send(tell(*verdict)).is_err());
        // A shard that waits for this core would else wait for the rest of a time slice, which is
        // as long as ten signatures take.
        thread::yield_now();
        if line.0.is_empty() {
            let wait = if untold.is_empty() { IDLE_WAIT } else { UNTOLD_WAIT };
            match asked.recv_timeout(wait) {
                Ok(job) => line.add(job),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        while let Ok(job) = asked.try_recv() {
            line.add(job);
        }
        let Some(job) = line.next() else { continue };
        let (claim, started) = (job.question.claim(), Instant::now());
        let holds = job.question.answer();
        let verdict = Verdict { claim, holds, took: started.elapsed() };
        // Other shards may have been asked the same.
        while let Ok(job) = asked.try_recv() {
            line.add(job);
        }
        untold.push((job.shard, verdict));
        untold.extend(line.take(&claim).into_iter().map(|shard| (shard, verdict)));
    }
}

impl<Q: Question> Line<Q> {
    fn add(&mut self, job: Job<Q>) {
        let source = job.question.source();
        match self.0.iter_mut().find(|(known, _)| *known == source) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.0.push_back((source, VecDeque::from([job]))),
        }
    }

    /// The next question of the address whose turn it is.
    fn next(&mut self) -> Option<Job<Q>> {
        let (source, mut jobs) = self.0.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.0.push_back((source, jobs));
        }
        job
    }

    /// Takes out all questions of a claim: which shards asked them.
    fn take(&mut self, claim: &Q::Claim) -> Vec<usize> {
        let mut shards = Vec::new();
        for (_, jobs) in &mut self.0 {
            jobs.retain(|job| {
                let is_it = job.question.claim() == *claim;
                if is_it {
                    shards.push(job.shard);
                }
                !is_it
            });
        }
        self.0.retain(|(_, jobs)| !jobs.is_empty());
        shards
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::authorize::basic::{self, BasicAuthorizer, Credentials, Users};

    fn job(shard: usize, password: &str, last: u8) -> Job<basic::Question> {
        let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        let users = Users::parse(format!("a:{hash}").as_bytes()).unwrap();
        let authorizer = BasicAuthorizer::compile("it".to_owned(), "it", users);
        let text = format!("Basic {password}");
        let credentials = Credentials::parse(text.as_bytes()).unwrap();
        let asked = authorizer.ask(&ClaimKey::new(&[0; 32]), &credentials);
        Job { shard, question: asked.question(&credentials, [10, 0, 0, last].into()) }
    }

    /// "a:b" and "a:c".
    const PASSWORDS: [&str; 2] = ["YTpi", "YTpj"];

    #[test]
    fn addresses_take_turns_and_one_answer_serves_all_that_asked() {
        let mut line = Line::default();
        for _ in 0..10 {
            line.add(job(0, PASSWORDS[0], 1));
        }
        line.add(job(1, PASSWORDS[1], 2));
        line.add(job(2, PASSWORDS[1], 3));
        assert_eq!(line.next().unwrap().shard, 0);
        let other = line.next().unwrap();
        assert_eq!(other.shard, 1);
        assert_eq!(line.take(&other.question.claim()), [2]);
        assert_eq!(line.0.iter().map(|(_, jobs)| jobs.len()).sum::<usize>(), 9);
        for _ in 0..9 {
            assert_eq!(line.next().unwrap().shard, 0);
        }
        assert!(line.next().is_none());
    }
}
