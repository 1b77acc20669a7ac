//! The keys of issuers, fetched by a thread of its own: off the request path, one fetch in flight
//! for each issuer, before what is known ages, and when a shard meets a key that it does not know.
//!
//! What was fetched stays when an issuer is away. `fetch.rs` speaks HTTP.

mod answer;
mod fetch;

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use self::fetch::{Fetched, fetch};
use super::tell;
use crate::{
    base::limits::{KEY_REFRESH_WAIT, KEY_WISHES_MAX},
    gateway::AskIssuer,
    plan::Plan,
    runtime::Sender as Mail,
    shard::Order,
    steps::authorize::jwt::{KeyBook, KeySource},
};

/// After a failure.
const RETRY_WAIT: Duration = Duration::from_secs(10);
/// After a shard took no message.
const UNTOLD_WAIT: Duration = Duration::from_millis(200);
/// When nothing is due.
const IDLE_WAIT: Duration = Duration::from_secs(3_600);

/// The thread, as the control loop holds it.
pub(super) struct Issuers {
    wishes: SyncSender<Wish>,
}

enum Wish {
    /// These are the issuers now.
    Follow(Vec<Arc<KeySource>>),
    /// A shard has met a key that it does not know.
    Refresh(Arc<KeySource>),
    /// A fetch has ended.
    Fetched(Arc<KeySource>, Result<Fetched, String>),
}

/// One issuer.
struct State {
    due: Instant,
    is_under_way: bool,
    /// It was asked for while a fetch was under way, which may have come too early.
    is_wanted_again: bool,
    /// When it was asked because of an unknown key.
    refreshed: Option<Instant>,
    /// What was told of its last failure.
    failure: Option<String>,
}

/// What the thread has.
struct Desk {
    shards: Vec<Mail<Order>>,
    wishes: SyncSender<Wish>,
    states: HashMap<Arc<KeySource>, State>,
    book: KeyBook,
    ask: AskIssuer,
    /// A shard did not take the last book.
    is_untold: bool,
}

impl Issuers {
    /// Starts the thread with a plan's issuers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(plan: &Plan, shards: &[Mail<Order>]) -> io::Result<Self> {
        let (wishes, received) = sync_channel(KEY_WISHES_MAX);
        let asking = wishes.clone();
        // A full queue has other wishes of this kind; the request asks again later.
        let ask: AskIssuer =
            Arc::new(move |source| drop(asking.try_send(Wish::Refresh(Arc::clone(source)))));
        let desk = Desk {
            shards: shards.to_vec(),
            wishes: wishes.clone(),
            states: HashMap::new(),
            book: KeyBook::default(),
            ask,
            is_untold: false,
        };
        thread::Builder::new().name("issuers".to_owned()).spawn(move || desk.work(&received))?;
        let issuers = Self { wishes };
        issuers.follow(plan);
        Ok(issuers)
    }

    /// Looks after the issuers of this plan from now on.
    pub(super) fn follow(&self, plan: &Plan) {
        let mut sources: Vec<Arc<KeySource>> = Vec::new();
        for (_, _, route) in plan.routes() {
            let demand = route.authorizer.as_ref();
            for source in demand.into_iter().flat_map(|demand| demand.authorizer.fetched()) {
                if !sources.contains(source) {
                    sources.push(Arc::clone(source));
                }
            }
        }
        let _ = self.wishes.send(Wish::Follow(sources));
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread of the process has no shard's clock")]
fn now() -> Instant {
    Instant::now()
}

impl Desk {
    fn work(mut self, wishes: &Receiver<Wish>) {
        loop {
            let idle = self.states.values().filter(|state| !state.is_under_way);
            let due = idle.map(|state| state.due.saturating_duration_since(now())).min();
            let longest = if self.is_untold { UNTOLD_WAIT } else { IDLE_WAIT };
            match wishes.recv_timeout(due.unwrap_or(IDLE_WAIT).min(longest)) {
                Ok(Wish::Follow(sources)) => self.follow(sources),
                Ok(Wish::Refresh(source)) => self.refresh(&source),
                Ok(Wish::Fetched(source, found)) => self.fetched(&source, found),
                Err(RecvTimeoutError::Timeout) if self.is_untold => self.publish(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let is_due = |state: &State| !state.is_under_way && state.due <= now();
            let due = self.states.iter().filter(|(_, state)| is_due(state));
            let due: Vec<Arc<KeySource>> = due.map(|(source, _)| Arc::clone(source)).collect();
            due.iter().for_each(|source| self.fetch(source));
        }
    }

    fn follow(&mut self, sources: Vec<Arc<KeySource>>) {
        if sources.is_empty() && self.states.is_empty() {
            return;
        }
        self.states.retain(|source, _| sources.contains(source));
        self.book.0.retain(|source, _| sources.contains(source));
        for source in sources {
            self.book.0.entry(Arc::clone(&source)).or_default();
            let new = State {
                due: now(),
                is_under_way: false,
                is_wanted_again: false,
                refreshed: None,
                failure: None,
            };
            self.states.entry(source).or_insert(new);
        }
        self.publish();
    }

    /// At most once in `KEY_REFRESH_WAIT`, however many shards and tokens ask for it.
    fn refresh(&mut self, source: &Arc<KeySource>) {
        let Some(state) = self.states.get_mut(source) else { return };
        let is_too_early = state.refreshed.is_some_and(|at| at.elapsed() < KEY_REFRESH_WAIT);
        if state.is_under_way {
            state.is_wanted_again |= !is_too_early;
            return;
        }
        if is_too_early {
            // Whoever waits need not.
            self.book.0.entry(Arc::clone(source)).or_default().tries += 1;
            self.publish();
            return;
        }
        state.refreshed = Some(now());
        self.fetch(source);
    }

    fn fetch(&mut self, source: &Arc<KeySource>) {
        let Some(state) = self.states.get_mut(source) else { return };
        let (asked, told) = (Arc::clone(source), self.wishes.clone());
        let work = move || {
            let found = fetch(&asked);
            let _ = told.send(Wish::Fetched(asked, found));
        };
        let started = thread::Builder::new().name("issuer".to_owned()).spawn(work);
        state.is_under_way = started.is_ok();
        state.due = now() + RETRY_WAIT;
    }

    fn fetched(&mut self, source: &Arc<KeySource>, found: Result<Fetched, String>) {
        let Some(state) = self.states.get_mut(source) else { return };
        state.is_under_way = false;
        let is_wanted_again = std::mem::take(&mut state.is_wanted_again);
        let page = self.book.0.entry(Arc::clone(source)).or_default();
        page.tries += u64::from(!is_wanted_again);
        match found {
            Ok(Fetched { keys, lifetime }) => {
                // Before it ages.
                state.due = now() + lifetime * 9 / 10;
                if state.failure.take().is_some() {
                    tell(&format!("issuer {}: its keys are here again", source.issuer));
                }
                page.keys = Some(Arc::new(keys));
            }
            Err(why) => {
                state.due = now() + RETRY_WAIT;
                if state.failure.as_ref() != Some(&why) {
                    let kept = match page.keys.is_some() {
                        true => "the keys that are known stay in force",
                        false => "none of its tokens is let in until they are here",
                    };
                    tell(&format!("issuer {}: no keys: {why}; {kept}", source.issuer));
                    state.failure = Some(why);
                }
            }
        }
        self.publish();
        if is_wanted_again {
            self.refresh(source);
        }
    }

    fn publish(&mut self) {
        self.is_untold = false;
        let book = Arc::new(self.book.clone());
        for shard in &self.shards {
            let (book, ask) = (Arc::clone(&book), Arc::clone(&self.ask));
            // A full mailbox is told again soon.
            self.is_untold |= shard.try_send(Order::KeySets(book, ask)).is_err();
        }
    }
}
