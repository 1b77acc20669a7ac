//! A shard's view of passwords, which are hashed elsewhere: the key of what is said about them, and
//! what was verified lately.

use std::{cell::RefCell, net::IpAddr, sync::Arc};

use super::proofs::{Ask, Bounds, Crowd, Proofs};
use crate::{
    base::limits::{
        PASSWORD_WAIT, PASSWORD_WAITERS_MAX, PASSWORDS_ASKED_MAX, PASSWORDS_OF_ADDRESS_MAX,
    },
    runtime::{News, Runtime},
    steps::{
        authorize::{
            basic::{BasicAuthorizer, Claim, ClaimKey, Credentials, Question, Verified},
            proof::{Verdict, neighbourhood},
        },
        reject::BasicFault,
    },
};

const BOUNDS: Bounds = Bounds {
    asked: PASSWORDS_ASKED_MAX,
    of_address: PASSWORDS_OF_ADDRESS_MAX,
    of_address_when_rare: 1,
    waiters: PASSWORD_WAITERS_MAX,
    may_wait_for_place: true,
};

/// What one shard knows.
pub struct Passwords {
    key: RefCell<Option<Arc<ClaimKey>>>,
    opened: News,
    proofs: Proofs<Question>,
    verified: RefCell<Verified>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            key: RefCell::default(),
            opened: News::default(),
            proofs: Proofs::new(BOUNDS),
            verified: RefCell::default(),
        }
    }
}

impl Passwords {
    /// Learns whom to ask, and the key of claims.
    pub fn open(&self, key: Arc<ClaimKey>, ask: Ask<Question>) {
        self.proofs.open(ask);
        self.key.replace(Some(key));
        self.opened.tell();
    }

    /// Takes an answer; whoever waits looks again.
    pub fn tell(&self, runtime: &Runtime, verdict: &Verdict<Claim>) {
        if verdict.holds {
            self.verified.borrow_mut().keep(verdict.claim, runtime.now());
        }
        self.proofs.tell(verdict);
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
        let key = loop {
            if let Some(key) = self.key.borrow().clone() {
                break key;
            }
            if runtime.now() >= deadline {
                return Err(BasicFault::Busy);
            }
            self.opened.wait(runtime, deadline).await;
        };
        let asked = authorizer.ask(&key, credentials);
        if let Some(user) = asked.user
            && self.verified.borrow().holds(&asked.claim, runtime.now())
        {
            return Ok(user);
        }
        let question = || asked.question(credentials, source);
        let proven = self.proofs.prove(runtime, (asked.claim, source), deadline, question).await;
        match proven {
            Ok((true, _)) => asked.user.ok_or(BasicFault::Wrong),
            Ok((false, _)) => Err(BasicFault::Wrong),
            Err(Crowd::Address) => Err(BasicFault::Crowded),
            Err(Crowd::All) => Err(BasicFault::Busy),
        }
    }
}
