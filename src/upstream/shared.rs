//! Connections to one upstream that many requests share, because it speaks HTTP/2.
//!
//! Few are made: one more only when all that are there have as many requests as the upstream takes
//! at once; beyond the bound requests wait for room. One is made at a time, and who needs it waits.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use super::pool::{CheckoutFault, Pool};
use crate::{
    base::{Moment, limits},
    net::{Stream, http2::Client},
    runtime::Waiters,
};

/// The connections of a pool that are shared.
#[derive(Default)]
pub(super) struct Shared {
    clients: RefCell<Vec<Rc<Client>>>,
    connecting: Cell<bool>,
    /// Who waits until the connection that is being made is there, or is not.
    waiting: Waiters,
}

/// One connection is being made.
struct Connecting<'s>(&'s Shared);

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.0.connecting.set(false);
        self.0.waiting.wake();
    }
}

impl Shared {
    /// A lane for one request; whether its connection had requests before.
    ///
    /// # Errors
    /// See [`CheckoutFault`].
    pub(super) async fn open(
        &self,
        pool: &Rc<Pool>,
        deadline: Moment,
    ) -> Result<(Stream, bool), CheckoutFault> {
        loop {
            self.keep(|client| !client.is_gone());
            if let Some(client) = self.choose() {
                if let Ok(lane) = before(pool, deadline, client.open()).await? {
                    return Ok((lane, true));
                }
            } else if self.connecting.get() {
                before(pool, deadline, self.settled()).await?;
            } else {
                let client = self.connect(pool, deadline).await?;
                let lane = before(pool, deadline, client.open()).await?;
                return lane.map(|lane| (lane, false)).map_err(CheckoutFault::Connect);
            }
        }
    }

    /// The connection with the most requests that has room, so that others come to rest; any,
    /// when there may not be more. `None`: one more is to be made.
    fn choose(&self) -> Option<Rc<Client>> {
        let clients = self.clients.borrow();
        let with_room = clients.iter().filter(|client| client.has_room());
        let fullest = with_room.max_by_key(|client| client.lanes());
        let may_connect = clients.len() < limits::HTTP2_UPSTREAM_CONNECTIONS_MAX;
        let chosen = match fullest {
            None if may_connect => None,
            None => clients.iter().min_by_key(|client| client.lanes()),
            some => some,
        };
        chosen.map(Rc::clone)
    }

    async fn connect(
        &self,
        pool: &Rc<Pool>,
        deadline: Moment,
    ) -> Result<Rc<Client>, CheckoutFault> {
        self.connecting.set(true);
        let _connecting = Connecting(self);
        let stream = pool.reach(deadline).await?;
        let client = Client::begin(&pool.runtime, stream).await.map_err(CheckoutFault::Connect)?;
        pool.runtime.spawn(Rc::clone(&client).drive());
        self.clients.borrow_mut().push(Rc::clone(&client));
        Ok(client)
    }

    /// Ready when no connection is being made any more.
    async fn settled(&self) {
        poll_fn(|cx| {
            if !self.connecting.get() {
                return Poll::Ready(());
            }
            self.waiting.add(cx);
            Poll::Pending
        })
        .await;
    }

    /// Gives up the others; what is on its way on them ends as it may.
    pub(super) fn keep(&self, keep: impl FnMut(&Rc<Client>) -> bool) {
        self.clients.borrow_mut().retain(keep);
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self, now: Moment) {
        self.keep(|client| {
            !client.is_gone() && !client.has_rested(now, limits::UPSTREAM_IDLE_WAIT)
        });
    }
}

/// Waits for `work`, at most until `deadline`.
async fn before<R>(
    pool: &Pool,
    deadline: Moment,
    work: impl Future<Output = R>,
) -> Result<R, CheckoutFault> {
    let mut work = pin!(work);
    let mut alarm = None;
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        let alarm = alarm.get_or_insert_with(|| pool.runtime.sleep_until(deadline));
        let late = || CheckoutFault::Connect(std::io::ErrorKind::TimedOut.into());
        pin!(alarm).poll(cx).map(|()| Err(late()))
    })
    .await
}
