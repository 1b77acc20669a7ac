//! What all peers of one simulation share, and what they saw of each exchange. The checks of a
//! whole exchange are here: what became of it, held against what was meant.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    time::Duration,
};

use ringway::{
    base::{Address, Moment, limits},
    ring::simulation::{Faults, Simulation},
    runtime::Runtime,
};

use super::script::{Fault, Frame, Key, RequestBody, Route, Script, TIMEOUT, Upstreams};

/// How unkind a simulation is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    pub(super) name: &'static str,
    pub(super) faults: Faults,
    pub(super) upstreams: Upstreams,
    /// Clients that misbehave.
    pub(super) rude_clients: bool,
    /// Connections break for no reason.
    pub(super) breaks: bool,
    /// Some clients speak HTTP/2.
    pub(super) http2: bool,
    pub(super) clients: u64,
}

/// One simulation.
pub(super) struct World {
    pub(super) runtime: Runtime,
    pub(super) simulation: Simulation,
    pub(super) profile: Profile,
    pub(super) gateway: SocketAddr,
    pub(super) draining: Cell<bool>,
    limited: Cell<Limited>,
    /// Peers of the gateway's client connections, for those who break them.
    pub(super) peers: RefCell<Vec<Address>>,
    next_id: Cell<u64>,
    next_connection: Cell<u64>,
    ledger: RefCell<HashMap<u64, Vec<Delivery>>>,
    violations: RefCell<Vec<String>>,
    /// When upstreams closed idle connections, or sent garbage behind an answer.
    surprises: RefCell<Vec<Moment>>,
    talks: bool,
}

/// Since when the plan with limits is in force, and until when it was before.
#[derive(Clone, Copy, Debug, Default)]
struct Limited {
    since: Option<Moment>,
    until: Option<Moment>,
}

/// One time that an upstream got a request's head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// Its body came whole.
    pub(super) whole: bool,
    /// The first byte of an answer was sent.
    pub(super) answered: bool,
}

/// What a client got for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The upstream's answer; `whole` is false when a body that the close ends is too short.
    Answered { whole: bool },
    /// The gateway's own words.
    Refused(u16),
    /// The connection ended in the middle of the answer.
    Cut,
    /// The connection ended before it.
    Closed,
}

/// What a client knows of an exchange that is over.
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    pub(super) sent: Moment,
    /// From when on the gateway had nothing else to do on the connection.
    pub(super) awaited: Moment,
    /// The gateway had said that it will close, or had cut an earlier answer off.
    pub(super) dismissed: bool,
}

impl World {
    pub(super) fn new(
        runtime: Runtime,
        simulation: Simulation,
        profile: Profile,
        gateway: SocketAddr,
    ) -> Self {
        Self {
            runtime,
            simulation,
            profile,
            gateway,
            draining: Cell::new(false),
            limited: Cell::default(),
            peers: RefCell::default(),
            next_id: Cell::new(1),
            next_connection: Cell::new(1),
            ledger: RefCell::default(),
            violations: RefCell::default(),
            surprises: RefCell::default(),
            talks: std::env::var_os("RINGWAY_SEED").is_some(),
        }
    }

    pub(super) const fn seed(&self) -> u64 {
        self.simulation.seed()
    }

    /// A source of chance for `who`.
    pub(super) fn random(&self, who: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(super::script::mix(self.seed().wrapping_mul(0x1_0001) ^ who))
    }

    pub(super) fn script(&self, id: u64) -> Script {
        Script::of(self.seed(), id, self.profile.upstreams)
    }

    pub(super) fn next_script(&self) -> Script {
        let id = self.next_id.replace(self.next_id.get() + 1);
        self.script(id)
    }

    /// How many exchanges were begun.
    pub(super) fn exchanges(&self) -> u64 {
        self.next_id.get() - 1
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.next_connection.replace(self.next_connection.get() + 1)
    }

    /// Tells what happens, when a seed is replayed.
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.talks {
            eprintln!("{:>9.3} ms  {}", self.runtime.now().0 as f64 / 1e6, what());
        }
    }

    /// Something that must never happen has happened.
    pub(super) fn violate(&self, what: String) {
        self.tell(|| format!("VIOLATION {what}"));
        self.violations.borrow_mut().push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.violations.borrow().clone()
    }

    /// The plan with limits, or another one, comes into force.
    pub(super) fn set_limited(&self, is_limited: bool) {
        let (now, Limited { since, until }) = (self.runtime.now(), self.limited.get());
        self.limited.set(match is_limited {
            true => Limited { since: since.or(Some(now)), until },
            false => Limited { since: None, until: since.map(|_| now).or(until) },
        });
    }

    /// Whether the plan with limits was in force at any time from `moment` on.
    pub(super) fn was_limited(&self, moment: Moment) -> bool {
        let Limited { since, until } = self.limited.get();
        since.is_some() || until.is_some_and(|until| until >= moment)
    }

    /// A limit refuses what it has to, and what it refuses goes nowhere.
    fn judge_limits(
        &self,
        script: &Script,
        seen: &Seen,
        deliveries: &[Delivery],
    ) -> Option<Result<(), String>> {
        let always = self.limited.get().since.is_some_and(|since| since < seen.sent);
        if always && script.key != Key::Good && !deliveries.is_empty() {
            return Some(Err("delivered without a key".to_owned()));
        }
        let Outcome::Refused(status @ (403 | 429)) = seen.outcome else { return None };
        Some(match deliveries {
            _ if !self.was_limited(seen.sent) => Err(format!("{status} without a limit")),
            [] if status == 403 && script.key == Key::Good => Err("403 with a key".to_owned()),
            [] => Ok(()),
            _ => Err(format!("delivered, and answered {status}")),
        })
    }

    /// An upstream does to an idle connection what the gateway can learn only later.
    pub(super) fn surprise(&self) {
        self.surprises.borrow_mut().push(self.runtime.now());
    }

    /// An upstream got a request's head: says how often before, and checks that it may.
    pub(super) fn deliver(&self, script: &Script) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        let before = ledger.entry(script.id).or_default();
        let again = before.len();
        let may = match before.last() {
            None => true,
            Some(first) => {
                // A reset may overtake what was answered.
                let may_be_lost = self.profile.breaks || script.answer.fault == Fault::ClosesEarly;
                let unanswered = !first.answered || may_be_lost;
                again == 1 && script.is_idempotent() && unanswered
            }
        };
        if !may {
            self.violate(format!("exchange {} is delivered again: {before:?}", script.id));
        }
        before.push(Delivery { whole: false, answered: false });
        again
    }

    /// An upstream got an exchange's head.
    pub(super) fn was_delivered(&self, id: u64) -> bool {
        self.ledger.borrow().get(&id).is_some_and(|deliveries| !deliveries.is_empty())
    }

    /// Changes the last delivery of an exchange.
    pub(super) fn note(&self, id: u64, change: impl FnOnce(&mut Delivery)) {
        if let Some(last) = self.ledger.borrow_mut().get_mut(&id).and_then(|all| all.last_mut()) {
            change(last);
        }
    }

    /// Checks what became of an exchange.
    pub(super) fn judge(&self, script: &Script, seen: &Seen) {
        let deliveries = self.ledger.borrow().get(&script.id).cloned().unwrap_or_default();
        let took = self.runtime.now().since(seen.awaited);
        self.tell(|| format!("exchange {}: {:?} after {took:?}", script.id, seen.outcome));
        let verdict = match self.judge_limits(script, seen, &deliveries) {
            Some(verdict) => verdict,
            None if self.profile.breaks => judge_broken(&seen.outcome),
            None => self.judge_strictly(script, seen, &deliveries),
        };
        if let Err(what) = verdict {
            let outcome = &seen.outcome;
            self.violate(format!("{what}: {outcome:?} of {script:?}, delivered {deliveries:?}"));
        }
    }

    fn judge_strictly(
        &self,
        script: &Script,
        seen: &Seen,
        deliveries: &[Delivery],
    ) -> Result<(), String> {
        let outcome = &seen.outcome;
        if *outcome == Outcome::Closed {
            if !seen.dismissed && !self.draining.get() {
                return Err("closed unasked".to_owned());
            }
            return match deliveries {
                [] => Ok(()),
                _ => Err("delivered, and closed without an answer".to_owned()),
            };
        }
        if seen.dismissed {
            return Err("answered after a close was announced".to_owned());
        }
        let is_new = deliveries.len() < 2;
        let answered = [Outcome::Answered { whole: true }];
        let short = Outcome::Answered { whole: false };
        // Behind a head of HTTP/1.0 a cut body looks like a short one, or a whole one that lacks
        // its last chunk.
        let cut_http10 = [Outcome::Cut, short, answered[0].clone()];
        let cut_mapped = [&cut_http10[..], &[Outcome::Refused(502)]].concat();
        let overtaken = [&cut_http10[..], &[Outcome::Refused(502), Outcome::Refused(503)]].concat();
        let cut: &[Outcome] = match script.route {
            // A rule waits for the body, unless that is longer than what rules read.
            Route::Maps if script.answer.status == 200 && script.answer_length() <= READ_MAX => {
                &[Outcome::Refused(502)]
            }
            Route::Maps => &cut_mapped,
            _ if script.is_http10() => &cut_http10,
            _ => &[Outcome::Cut],
        };
        let expected: &[Outcome] = match script.answer.fault {
            Fault::None | Fault::Extra => &answered,
            Fault::Closes | Fault::Resets if !is_new => &answered,
            Fault::Closes | Fault::Resets | Fault::Silent => &[Outcome::Refused(503)],
            Fault::CutHead | Fault::MalformedHead(_) | Fault::TooManyInterims => {
                &[Outcome::Refused(502)]
            }
            Fault::CutBody | Fault::StalledBody | Fault::MalformedChunk => cut,
            // Its reset may overtake any part of the answer.
            Fault::ClosesEarly => &overtaken,
        };
        if script.answer.fault == Fault::Silent && !deliveries.is_empty() {
            self.judge_timeout(seen)?;
        }
        if expected.contains(outcome) || self.is_a_race(script, seen, deliveries) {
            return Ok(());
        }
        Err(format!("expected {expected:?}"))
    }

    /// An upstream may close, or send garbage, just when its connection is used again. What it did
    /// before, the gateway knows.
    fn is_a_race(&self, script: &Script, seen: &Seen, deliveries: &[Delivery]) -> bool {
        let outcome = &seen.outcome;
        if !self.was_surprised(seen.awaited) {
            return false;
        }
        let resendable = script.is_idempotent() && script.body == RequestBody::None;
        match outcome {
            // A request that can be sent again is, and a new connection has no such races.
            Outcome::Refused(503) => !resendable && deliveries.iter().all(|one| !one.answered),
            Outcome::Refused(502) => deliveries.iter().all(|one| !one.answered),
            _ => false,
        }
    }

    /// Something happened that the gateway could not know at `moment`.
    pub(super) fn was_surprised(&self, moment: Moment) -> bool {
        self.surprises.borrow().iter().any(|surprise| *surprise + NEWS_WAIT >= moment)
    }

    /// The integration's timeout is kept: neither early nor late.
    fn judge_timeout(&self, seen: &Seen) -> Result<(), String> {
        let now = self.runtime.now();
        if now.since(seen.sent) < TIMEOUT {
            return Err("timed out early".to_owned());
        }
        let late = now.since(seen.awaited);
        if late > TIMEOUT + SLACK {
            return Err(format!("timed out after {late:?}"));
        }
        Ok(())
    }
}

/// The gateway knows by then that an idle connection was closed.
const NEWS_WAIT: Duration = Duration::from_millis(60);

/// What a rule reads of a body.
const READ_MAX: usize = limits::BODY_READ_BYTES_MAX;

/// What a message may take beyond the deadline that it tells of.
pub(super) const SLACK: Duration = Duration::from_millis(1_500);

/// On a network that breaks, anything may be missing, but nothing may be wrong.
fn judge_broken(outcome: &Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Answered { .. }
        | Outcome::Cut
        | Outcome::Closed
        | Outcome::Refused(408 | 502 | 503) => Ok(()),
        Outcome::Refused(_) => Err("a refusal that nothing explains".to_owned()),
    }
}

/// Whether an answer of this frame has a body for this method.
pub(super) fn has_body(script: &Script) -> bool {
    script.method != "HEAD" && script.answer.frame != Frame::Bodiless
}
