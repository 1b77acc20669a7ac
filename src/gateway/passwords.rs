//! A shard's view of passwords that are being hashed: what it asked the process's thread for, who
//! waits for which answer, and what was verified lately.
//!
//! Nobody may take the places of others: the clients of one address have few at a time, fewer when
//! places are rare, and the thread takes turns among addresses.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc, sync::Arc};

use crate::{
    base::limits::{
        PASSWORD_WAIT, PASSWORD_WAITERS_MAX, PASSWORDS_ASKED_MAX, PASSWORDS_OF_ADDRESS_MAX,
    },
    runtime::{News, Runtime},
    steps::{
        authorize::basic::{
            Asked, BasicAuthorizer, Claim, ClaimKey, Credentials, Question, Verified, neighbourhood,
        },
        reject::BasicFault,
    },
};

/// Has a question answered by the thread; never waits. `false` when it takes no more.
pub type AskPassword = Arc<dyn Fn(Question) -> bool + Send + Sync>;

/// What one shard knows.
#[derive(Default)]
pub struct Passwords {
    desk: RefCell<Option<Rc<Desk>>>,
    pending: RefCell<HashMap<Claim, Pending>>,
    /// Requests that wait, by who sent them.
    waiting: RefCell<HashMap<IpAddr, usize>>,
    verified: RefCell<Verified>,
    news: News,
}

struct Desk {
    key: Arc<ClaimKey>,
    ask: AskPassword,
}

/// A question on its way, or answered and not heard by all.
struct Pending {
    source: IpAddr,
    verdict: Option<bool>,
    listeners: usize,
}

/// A request that waits for an answer.
struct Ticket<'p> {
    passwords: &'p Passwords,
    claim: Claim,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut pending = self.passwords.pending.borrow_mut();
        if let Some(found) = pending.get_mut(&self.claim) {
            found.listeners -= 1;
            if found.listeners == 0 && found.verdict.is_some() {
                pending.remove(&self.claim);
            }
        }
    }
}

/// A request that waits at all.
struct Waiter<'p> {
    passwords: &'p Passwords,
    source: IpAddr,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.passwords.waiting.borrow_mut();
        if let Some(count) = waiting.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.source);
            }
        }
    }
}

impl Passwords {
    /// Learns whom to ask, and the key of claims.
    pub fn open(&self, key: Arc<ClaimKey>, ask: AskPassword) {
        self.desk.replace(Some(Rc::new(Desk { key, ask })));
        self.news.tell();
    }

    /// Takes an answer; whoever waits looks again.
    pub fn tell(&self, runtime: &Runtime, claim: Claim, verdict: bool) {
        if verdict {
            self.verified.borrow_mut().keep(claim, runtime.now());
        }
        let mut pending = self.pending.borrow_mut();
        if let Some(found) = pending.get_mut(&claim) {
            found.verdict = Some(verdict);
            if found.listeners == 0 {
                pending.remove(&claim);
            }
        }
        drop(pending);
        self.news.tell();
    }

    /// The user whose password this is.
    pub(super) async fn check<'c>(
        &self,
        runtime: &Runtime,
        authorizer: &'c BasicAuthorizer,
        credentials: &Credentials,
        source: IpAddr,
    ) -> Result<&'c str, BasicFault> {
        let deadline = runtime.now() + PASSWORD_WAIT;
        let source = neighbourhood(source);
        let desk = loop {
            if let Some(desk) = self.desk.borrow().clone() {
                break desk;
            }
            if runtime.now() >= deadline {
                return Err(BasicFault::Busy);
            }
            self.news.wait(runtime, deadline).await;
        };
        let asked = authorizer.ask(&desk.key, credentials);
        if let Some(user) = asked.user
            && self.verified.borrow().holds(&asked.claim, runtime.now())
        {
            return Ok(user);
        }
        let _waiter = self.wait_in_line(source)?;
        let mut ticket = None;
        loop {
            if ticket.is_none() {
                ticket = self.take_ticket(&desk, &asked, credentials, source)?;
            }
            match ticket.as_ref().and_then(Ticket::verdict) {
                Some(true) => return asked.user.ok_or(BasicFault::Wrong),
                Some(false) => return Err(BasicFault::Wrong),
                None if runtime.now() < deadline => self.news.wait(runtime, deadline).await,
                None if ticket.is_some() => return Err(BasicFault::Busy),
                None => return Err(BasicFault::Crowded),
            }
        }
    }

    fn wait_in_line(&self, source: IpAddr) -> Result<Waiter<'_>, BasicFault> {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.entry(source).or_default();
        if *count >= PASSWORD_WAITERS_MAX {
            return Err(BasicFault::Crowded);
        }
        *count += 1;
        Ok(Waiter { passwords: self, source })
    }

    /// A ticket for the answer, asked for unless it is already; `None` while others of its address
    /// have all the places that they may have.
    fn take_ticket(
        &self,
        desk: &Desk,
        asked: &Asked<'_>,
        credentials: &Credentials,
        source: IpAddr,
    ) -> Result<Option<Ticket<'_>>, BasicFault> {
        let mut pending = self.pending.borrow_mut();
        if let Some(found) = pending.get_mut(&asked.claim) {
            found.listeners += 1;
            return Ok(Some(Ticket { passwords: self, claim: asked.claim }));
        }
        let open = || pending.values().filter(|one| one.verdict.is_none());
        let (all, own) = (open().count(), open().filter(|one| one.source == source).count());
        let most = if all < PASSWORDS_ASKED_MAX / 2 { PASSWORDS_OF_ADDRESS_MAX } else { 1 };
        if own >= most {
            return Ok(None);
        }
        if all >= PASSWORDS_ASKED_MAX || !(desk.ask)(asked.question(credentials, source)) {
            return Err(BasicFault::Busy);
        }
        pending.insert(asked.claim, Pending { source, verdict: None, listeners: 1 });
        Ok(Some(Ticket { passwords: self, claim: asked.claim }))
    }
}

impl Ticket<'_> {
    fn verdict(&self) -> Option<bool> {
        self.passwords.pending.borrow().get(&self.claim).and_then(|found| found.verdict)
    }
}
