//! A shard's view of signatures that would hold it for long (`VERIFICATION_LONG`): they are
//! verified elsewhere. Those that take less have a turn's budget, or a turn to themselves (`pace`).

use std::net::IpAddr;

use super::proofs::{Ask, Bounds, Crowd, Proofs};
use crate::{
    base::limits::{
        SIGNATURE_WAIT, SIGNATURE_WAITERS_MAX, SIGNATURES_ASKED_MAX, SIGNATURES_OF_ADDRESS_MAX,
    },
    runtime::Runtime,
    steps::authorize::{
        jwt::{SignatureClaim, SignatureQuestion},
        proof::{Verdict, neighbourhood},
    },
};

const BOUNDS: Bounds = Bounds {
    asked: SIGNATURES_ASKED_MAX,
    of_address: SIGNATURES_OF_ADDRESS_MAX,
    of_address_when_rare: SIGNATURES_OF_ADDRESS_MAX / 8,
    waiters: SIGNATURE_WAITERS_MAX,
    may_wait_for_place: false,
};

/// What one shard knows.
pub struct Signatures(Proofs<SignatureQuestion>);

impl Default for Signatures {
    fn default() -> Self {
        Self(Proofs::new(BOUNDS))
    }
}

impl Signatures {
    /// Learns whom to ask.
    pub fn open(&self, ask: Ask<SignatureQuestion>) {
        self.0.open(ask);
    }

    /// Takes an answer; whoever waits looks again.
    pub fn tell(&self, verdict: &Verdict<SignatureClaim>) {
        self.0.tell(verdict);
    }

    /// Whether there is somebody to ask.
    pub(super) fn are_taken(&self) -> bool {
        self.0.is_open()
    }

    /// Whether a signature is sound, and how long that took.
    pub(super) async fn check(
        &self,
        runtime: &Runtime,
        (claim, source): (SignatureClaim, IpAddr),
        question: impl Fn(IpAddr) -> SignatureQuestion,
    ) -> Result<(bool, std::time::Duration), Crowd> {
        let (deadline, source) = (runtime.now() + SIGNATURE_WAIT, neighbourhood(source));
        self.0.prove(runtime, (claim, source), deadline, || question(source)).await
    }
}
