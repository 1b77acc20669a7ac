//! A client's HTTP/2 connection: each of its streams is a request of its own, side by side.
//!
//! One task moves the connection's frames; each request is a task that runs the same visit as a
//! request of HTTP/1.1, on a lane instead of the connection's stream.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};

use super::{
    Local,
    connection::{Leaving, Unread, close, linger, write_refusal},
    inbound::{Inbound, whole_head},
    seats::Seat,
    visit::Visit,
};
use crate::{
    base::{Buffer, limits},
    net::http2::{Event, Incoming, Server},
};

/// Serves a client that speaks HTTP/2 until the connection ends. `inbound` is what came of it.
pub(super) async fn serve(local: &Rc<Local>, leaving: &Leaving<'_>, inbound: Inbound) {
    let seat = &leaving.seat;
    seat.stream.set_deadline(Some(local.runtime.now() + limits::HEAD_WAIT));
    let begun = Server::begin(&local.runtime, Rc::clone(&seat.stream), inbound.pending);
    let Some(mut server) = begun.await else { return };
    local.count(|telemetry| telemetry.shard.http2_connections += 1);
    let lanes = Rc::new(Lanes {
        local: Rc::clone(local),
        seat: Rc::clone(seat),
        open: Cell::new(0),
        waiting: RefCell::new(None),
    });
    lanes.rest();
    if local.is_draining() {
        server.leave();
    }
    loop {
        match next(local, seat, &mut server).await {
            Next::Event(Event::Request(incoming)) => {
                local.runtime.spawn(answer(lanes.begin(), incoming));
            }
            Next::Event(Event::Flood(flood)) => {
                local.count(|telemetry| telemetry.shard.floods[flood as usize] += 1);
                server.end(Some(flood));
            }
            Next::Event(Event::Expired) => server.end(None),
            Next::Event(Event::Ended) => break,
            Next::Leave => server.leave(),
        }
    }
    // Frames with the last words are on their way, and the client may still be sending.
    close(leaving, Unread::Yes).await;
    // Requests that nobody waits for any more end by themselves, and are logged.
    lanes.settled().await;
}

enum Next {
    Event(Event),
    /// The shard ends: it is this connection's turn to say goodbye.
    Leave,
}

async fn next(local: &Local, seat: &Seat, server: &mut Server) -> Next {
    let mut turn = pin!(None);
    poll_fn(|cx| {
        if let Poll::Ready(event) = server.poll_next(cx) {
            return Poll::Ready(Next::Event(event));
        }
        let Some(at) = seat.leave_at(cx) else { return Poll::Pending };
        if turn.is_none() {
            turn.set(Some(local.runtime.sleep_until(at)));
        }
        let Some(sleep) = turn.as_mut().as_pin_mut() else { return Poll::Pending };
        sleep.poll(cx).map(|()| {
            seat.left();
            Next::Leave
        })
    })
    .await
}

/// The requests of one connection that are on their way.
struct Lanes {
    local: Rc<Local>,
    seat: Rc<Seat>,
    open: Cell<usize>,
    /// The connection's task, when it waits for the last of them.
    waiting: RefCell<Option<Waker>>,
}

impl Lanes {
    fn begin(self: &Rc<Self>) -> Open {
        self.local.count(|telemetry| telemetry.shard.http2_streams += 1);
        if self.open.replace(self.open.get() + 1) == 0 {
            self.seat.idle.set(false);
            self.seat.used.set(true);
            self.seat.stream.set_deadline(None);
        }
        Open(Rc::clone(self))
    }

    /// Ready when nothing is on its way any more.
    async fn settled(&self) {
        poll_fn(|cx| {
            if self.open.get() == 0 {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Nothing is on its way: the connection may wait for its next request for a while.
    fn rest(&self) {
        self.seat.idle.set(true);
        let until = self.seat.idle_until(self.local.runtime.now(), self.local.idle_wait());
        self.seat.stream.set_deadline(Some(until));
    }
}

/// One request on its way, counted until it ends however it may.
struct Open(Rc<Lanes>);

impl Drop for Open {
    fn drop(&mut self) {
        let open = self.0.open.get() - 1;
        self.0.open.set(open);
        if open == 0 {
            self.0.rest();
            self.0.waiting.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// Answers one request.
async fn answer(open: Open, incoming: Incoming) {
    let Lanes { local, seat, .. } = &*open.0;
    let began = local.runtime.now();
    let Incoming { head, is_all, lane } = incoming;
    match whole_head(local, head, is_all) {
        Ok(head) => {
            let (local, seat) = (Rc::clone(local), Rc::clone(seat));
            let inbound = Inbound { pending: Buffer::empty() };
            let visit = Visit { local, seat, lane: Some(Box::new(lane)), inbound, head, began };
            let _ = visit.guided().await;
        }
        Err(stop) => {
            let Some(out) = write_refusal(local, &seat.origin, &stop) else { return };
            lane.set_deadline(Some(local.runtime.now() + limits::SEND_WAIT));
            lane.start_last(out, None);
            if poll_fn(|cx| lane.poll_sent(cx)).await.is_ok() {
                linger(local, &lane, |cx| lane.poll_receive(cx)).await;
            }
        }
    }
}
