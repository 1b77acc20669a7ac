//! A shard's view of the issuers whose keys are fetched: what it was told, whom it asked for more,
//! and who waits for that.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use super::Local;
use crate::{
    base::{Moment, limits::KEY_REFRESH_WAIT},
    runtime::News,
    steps::authorize::jwt::{KeyBook, KeySource, Page},
};

/// Asks for an issuer's keys to be fetched anew; never waits.
pub type AskIssuer = Arc<dyn Fn(&Arc<KeySource>) + Send + Sync>;

/// What one shard knows.
#[derive(Default)]
pub struct Issuers {
    book: RefCell<Arc<KeyBook>>,
    ask: RefCell<Option<AskIssuer>>,
    /// When an issuer was asked last, and how often it had been tried then.
    asked: RefCell<HashMap<Arc<KeySource>, (Moment, u64)>>,
    news: News,
}

impl Issuers {
    /// Takes a new book; whoever waits looks again.
    pub fn tell(&self, book: Arc<KeyBook>, ask: AskIssuer) {
        self.asked.borrow_mut().retain(|source, _| book.0.contains_key(source));
        self.book.replace(book);
        self.ask.replace(Some(ask));
        self.news.tell();
    }

    /// Which set the keys of an issuer are, if they are here.
    pub(super) fn key_set(&self, source: &Arc<KeySource>) -> Option<u128> {
        self.book.borrow().0.get(source)?.keys.as_ref().map(|keys| keys.id())
    }

    pub(super) fn page(&self, source: &Arc<KeySource>) -> Page {
        self.book.borrow().0.get(source).cloned().unwrap_or_default()
    }

    /// Whether it is worth waiting for other keys than those of a page: asks for them, at most once
    /// in `KEY_REFRESH_WAIT`, and does not wait for what was answered.
    pub(super) fn awaits(&self, source: &Arc<KeySource>, page: &Page, now: Moment) -> bool {
        if page.keys.is_none() {
            // Asked already, by itself; once that has failed there is nothing to wait for.
            return page.tries == 0;
        }
        let mut asked = self.asked.borrow_mut();
        if let Some((at, tries)) = asked.get(source)
            && now.since(*at) < KEY_REFRESH_WAIT
        {
            return *tries == page.tries;
        }
        asked.insert(Arc::clone(source), (now, page.tries));
        if let Some(ask) = &*self.ask.borrow() {
            ask(source);
        }
        true
    }

    /// Until something was told, or `deadline`.
    pub(super) async fn wait(&self, local: &Local, deadline: Moment) {
        self.news.wait(&local.runtime, deadline).await;
    }
}
