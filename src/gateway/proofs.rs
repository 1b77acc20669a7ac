//! A shard's view of what is found out elsewhere: what it asked one of the process's threads for
//! (`serve::proofs`), and who waits for which answer.
//!
//! Nobody may take the places of others: the clients of one address have few at a time, fewer when
//! places are rare, and the thread takes turns among addresses.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc, sync::Arc, time::Duration};

use crate::{
    base::Moment,
    runtime::{News, Runtime},
    steps::authorize::proof::{Question, Verdict},
};

/// Has a question answered by the thread; never waits. `false` when it takes no more.
pub type Ask<Q> = Arc<dyn Fn(Q) -> bool + Send + Sync>;

/// How much may be asked by one shard, and waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Asked and not answered.
    pub(super) asked: usize,
    /// Of which of one address.
    pub(super) of_address: usize,
    /// The same when half of all places are taken.
    pub(super) of_address_when_rare: usize,
    /// Requests of one address that wait.
    pub(super) waiters: usize,
    /// Whether an address whose places are taken may wait for one of them.
    pub(super) may_wait_for_place: bool,
}

/// Why nothing was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// Its address has asked too much.
    Address,
    /// All have, or it took too long.
    All,
}

/// What one shard knows.
pub(super) struct Proofs<Q: Question> {
    bounds: Bounds,
    ask: RefCell<Option<Ask<Q>>>,
    pending: RefCell<HashMap<Q::Claim, Pending>>,
    /// Requests that wait, by who sent them.
    waiting: RefCell<HashMap<IpAddr, usize>>,
    /// Something was answered: places are free.
    places: News,
}

/// A question on its way, or answered and not heard by all.
struct Pending {
    source: IpAddr,
    /// And how long that took.
    verdict: Option<(bool, Duration)>,
    listeners: usize,
    answered: Rc<News>,
}

/// A request that waits for an answer.
struct Ticket<'p, Q: Question> {
    proofs: &'p Proofs<Q>,
    claim: Q::Claim,
    answered: Rc<News>,
}

impl<Q: Question> Drop for Ticket<'_, Q> {
    fn drop(&mut self) {
        let mut pending = self.proofs.pending.borrow_mut();
        if let Some(found) = pending.get_mut(&self.claim) {
            found.listeners -= 1;
            if found.listeners == 0 && found.verdict.is_some() {
                pending.remove(&self.claim);
            }
        }
    }
}

/// A request that waits at all.
struct Waiter<'p, Q: Question> {
    proofs: &'p Proofs<Q>,
    source: IpAddr,
}

impl<Q: Question> Drop for Waiter<'_, Q> {
    fn drop(&mut self) {
        let mut waiting = self.proofs.waiting.borrow_mut();
        if let Some(count) = waiting.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.source);
            }
        }
    }
}

impl<Q: Question> Proofs<Q> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ask: RefCell::default(),
            pending: RefCell::default(),
            waiting: RefCell::default(),
            places: News::default(),
        }
    }

    /// Learns whom to ask.
    pub(super) fn open(&self, ask: Ask<Q>) {
        self.ask.replace(Some(ask));
    }

    /// Whether there is somebody to ask.
    pub(super) fn is_open(&self) -> bool {
        self.ask.borrow().is_some()
    }

    /// Takes an answer; whoever waits for it looks again.
    pub(super) fn tell(&self, verdict: &Verdict<Q::Claim>) {
        let mut pending = self.pending.borrow_mut();
        let answered = pending.get_mut(&verdict.claim).map(|found| {
            found.verdict = Some((verdict.holds, verdict.took));
            (found.listeners, Rc::clone(&found.answered))
        });
        if let Some((0, _)) = answered {
            pending.remove(&verdict.claim);
        }
        drop(pending);
        if let Some((_, answered)) = answered {
            answered.tell();
        }
        self.places.tell();
    }

    /// Has a claim found out, by `question` unless it is asked already: whether it holds, and how
    /// long that took.
    pub(super) async fn prove(
        &self,
        runtime: &Runtime,
        (claim, source): (Q::Claim, IpAddr),
        deadline: Moment,
        question: impl Fn() -> Q,
    ) -> Result<(bool, Duration), Crowd> {
        let _waiter = self.wait_in_line(source)?;
        let mut ticket = None;
        loop {
            if ticket.is_none() {
                ticket = self.take_ticket(claim, source, &question)?;
            }
            if let Some(verdict) = ticket.as_ref().and_then(Ticket::verdict) {
                return Ok(verdict);
            }
            match &ticket {
                _ if runtime.now() < deadline => {
                    let news = ticket.as_ref().map_or(&self.places, |ticket| &*ticket.answered);
                    news.wait(runtime, deadline).await;
                }
                Some(_) => return Err(Crowd::All),
                None => return Err(Crowd::Address),
            }
        }
    }

    fn wait_in_line(&self, source: IpAddr) -> Result<Waiter<'_, Q>, Crowd> {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.entry(source).or_default();
        if *count >= self.bounds.waiters {
            return Err(Crowd::Address);
        }
        *count += 1;
        Ok(Waiter { proofs: self, source })
    }

    /// A ticket for the answer, asked for unless it is already; `None` while others of its address
    /// have all the places that they may have.
    fn take_ticket(
        &self,
        claim: Q::Claim,
        source: IpAddr,
        question: &impl Fn() -> Q,
    ) -> Result<Option<Ticket<'_, Q>>, Crowd> {
        let mut pending = self.pending.borrow_mut();
        if let Some(found) = pending.get_mut(&claim) {
            found.listeners += 1;
            let answered = Rc::clone(&found.answered);
            return Ok(Some(Ticket { proofs: self, claim, answered }));
        }
        let Bounds { asked, of_address, of_address_when_rare, may_wait_for_place, .. } =
            self.bounds;
        let open = || pending.values().filter(|one| one.verdict.is_none());
        let (all, own) = (open().count(), open().filter(|one| one.source == source).count());
        let most = if all < asked / 2 { of_address } else { of_address_when_rare };
        if own >= most {
            return if may_wait_for_place { Ok(None) } else { Err(Crowd::Address) };
        }
        let is_asked = all < asked && self.ask.borrow().as_ref().is_some_and(|ask| ask(question()));
        if !is_asked {
            return Err(Crowd::All);
        }
        let answered = Rc::new(News::default());
        let own = Pending { source, verdict: None, listeners: 1, answered: Rc::clone(&answered) };
        pending.insert(claim, own);
        Ok(Some(Ticket { proofs: self, claim, answered }))
    }

    /// Whether nobody waits, and nothing is asked.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.pending.borrow().is_empty() && self.waiting.borrow().is_empty()
    }
}

impl<Q: Question> Ticket<'_, Q> {
    fn verdict(&self) -> Option<(bool, Duration)> {
        self.proofs.pending.borrow().get(&self.claim).and_then(|found| found.verdict)
    }
}

#[cfg(test)]
mod tests;
