//! The thread that hashes passwords, which would hold a shard for 50 to 300 ms each: one at a time,
//! below the shards' priority, taking turns among the addresses that ask.

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use super::tell;
use crate::{
    base::limits::PASSWORDS_ASKED_MAX,
    gateway::AskPassword,
    ring,
    runtime::Sender as Mail,
    shard::Order,
    steps::authorize::basic::{Claim, ClaimKey, Question},
};

/// After a shard took no message.
const UNTOLD_WAIT: Duration = Duration::from_millis(50);
/// When nothing is asked.
const IDLE_WAIT: Duration = Duration::from_secs(3_600);

/// A shard's question.
struct Job {
    shard: usize,
    question: Question,
}

/// What is asked and not answered, by address; the first is next.
#[derive(Default)]
struct Line(VecDeque<(IpAddr, VecDeque<Job>)>);

/// Starts the thread, and tells every shard of it.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(shards: &[Mail<Order>]) -> io::Result<()> {
    let key = Arc::new(ClaimKey::new(&random()?));
    // Each shard keeps to its bound, so it is never full.
    let (jobs, asked) = sync_channel(PASSWORDS_ASKED_MAX * shards.len().max(1));
    let mails = shards.to_vec();
    thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&asked, &mails))?;
    for (number, shard) in shards.iter().enumerate() {
        let ask = asking(number, jobs.clone());
        if shard.try_send(Order::Passwords(Arc::clone(&key), ask)).is_err() {
            tell(&format!("shard {number} takes no messages: basic authentication is off there"));
        }
    }
    Ok(())
}

fn asking(shard: usize, jobs: SyncSender<Job>) -> AskPassword {
    Arc::new(move |question| jobs.try_send(Job { shard, question }).is_ok())
}

/// Of the kernel's.
fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

fn work(asked: &Receiver<Job>, shards: &[Mail<Order>]) {
    ring::step_back();
    let mut line = Line::default();
    let mut untold: Vec<(usize, Claim, bool)> = Vec::new();
    loop {
        untold.retain(|(shard, claim, verdict)| {
            shards[*shard].try_send(Order::Password(*claim, *verdict)).is_err()
        });
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
        let (claim, verdict) = (job.question.claim, job.question.answer());
        // Other shards may have been asked the same.
        while let Ok(job) = asked.try_recv() {
            line.add(job);
        }
        untold.push((job.shard, claim, verdict));
        untold.extend(line.take(&claim).into_iter().map(|shard| (shard, claim, verdict)));
    }
}

impl Line {
    fn add(&mut self, job: Job) {
        let source = job.question.source;
        match self.0.iter_mut().find(|(known, _)| *known == source) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.0.push_back((source, VecDeque::from([job]))),
        }
    }

    /// The next question of the address whose turn it is.
    fn next(&mut self) -> Option<Job> {
        let (source, mut jobs) = self.0.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.0.push_back((source, jobs));
        }
        job
    }

    /// Takes out all questions of a claim: which shards asked them.
    fn take(&mut self, claim: &Claim) -> Vec<usize> {
        let mut shards = Vec::new();
        for (_, jobs) in &mut self.0 {
            jobs.retain(|job| {
                let is_it = job.question.claim == *claim;
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
    use crate::steps::authorize::basic::{BasicAuthorizer, Credentials, Users};

    fn job(shard: usize, password: &str, last: u8) -> Job {
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
        assert_eq!(line.take(&other.question.claim), [2]);
        assert_eq!(line.0.iter().map(|(_, jobs)| jobs.len()).sum::<usize>(), 9);
        for _ in 0..9 {
            assert_eq!(line.next().unwrap().shard, 0);
        }
        assert!(line.next().is_none());
    }
}
