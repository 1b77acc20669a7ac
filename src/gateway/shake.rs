//! The TLS handshakes of a shard's clients: bounded in time and in number, counted.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use super::{
    Local,
    connection::{linger, write_refusal},
    inbound::Stop,
    seats::Seat,
};
use crate::{
    base::limits::{TLS_HANDSHAKE_WAIT, TLS_HANDSHAKES_MAX},
    net::{End, HandshakeFault},
    telemetry::ShardCounters,
};

/// Handshakes that are under way, the oldest first.
#[derive(Default)]
pub struct Handshakes {
    /// Those that are over may still stand here.
    begun: RefCell<VecDeque<Weak<Seat>>>,
    under_way: Cell<usize>,
}

impl Handshakes {
    /// Another one begins. At the bound the oldest is given up: a client that says nothing, or
    /// little, must not keep the others out.
    fn begin(&self, local: &Local, seat: &Rc<Seat>) {
        let mut begun = self.begun.borrow_mut();
        if begun.len() >= 2 * TLS_HANDSHAKES_MAX {
            begun.retain(|seat| seat.upgrade().is_some_and(|seat| seat.shaking.get()));
        }
        while self.under_way.get() >= TLS_HANDSHAKES_MAX {
            let Some(oldest) = begun.pop_front() else { break };
            let Some(oldest) = oldest.upgrade().filter(|seat| seat.shaking.get()) else { continue };
            self.end(&oldest);
            oldest.stream.set_deadline(Some(local.runtime.now()));
            local.count(|telemetry| telemetry.shard.tls_handshakes_crowded += 1);
        }
        seat.shaking.set(true);
        self.under_way.set(self.under_way.get() + 1);
        begun.push_back(Rc::downgrade(seat));
    }

    /// It is over, or given up.
    fn end(&self, seat: &Seat) {
        if seat.shaking.replace(false) {
            self.under_way.set(self.under_way.get() - 1);
        }
    }
}

/// A handshake's place; given up however the task ends.
struct Place<'l> {
    local: &'l Local,
    seat: &'l Rc<Seat>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.local.handshakes.end(self.seat);
    }
}

/// Runs a client's handshake. `false`: there is no TLS connection, and all is said that there was
/// to say.
pub(super) async fn shake(local: &Local, seat: &Rc<Seat>) -> bool {
    let stream = &seat.stream;
    local.handshakes.begin(local, seat);
    let place = Place { local, seat };
    stream.set_deadline(Some(local.runtime.now() + TLS_HANDSHAKE_WAIT));
    let outcome = stream.handshake().await;
    let is_given_up = !seat.shaking.get();
    drop(place);
    match outcome {
        Ok(()) => {
            let resumed = stream.negotiated().is_some_and(|negotiated| negotiated.resumed);
            local.count(|telemetry| {
                telemetry.shard.tls_handshakes += 1;
                telemetry.shard.tls_resumed += u64::from(resumed);
            });
            true
        }
        Err(fault) => {
            if !is_given_up {
                local.count(|telemetry| count(&mut telemetry.shard, &fault));
            }
            // Told in plain HTTP.
            if matches!(fault, HandshakeFault::PlainHttp)
                && let Some(out) = write_refusal(local, &seat.origin, &Stop::PlainHttp)
            {
                stream.start_send_plain(out);
            }
            // In TLS 1.3 a client sends its request before it hears of its certificate.
            if !is_given_up && is_told(&fault) {
                linger(local, stream, |cx| stream.poll_receive_raw(cx)).await;
            }
            false
        }
    }
}

/// The client is told what is wrong: by an alert, or in plain HTTP.
const fn is_told(fault: &HandshakeFault) -> bool {
    match fault {
        HandshakeFault::PlainHttp | HandshakeFault::NoCertificate | HandshakeFault::Refused(_) => {
            true
        }
        HandshakeFault::Silent | HandshakeFault::Broken(_) | HandshakeFault::Garbage => false,
    }
}

const fn count(shard: &mut ShardCounters, fault: &HandshakeFault) {
    match fault {
        // A port that is looked at, a client that connected early: nothing went wrong.
        HandshakeFault::Silent => {}
        HandshakeFault::Broken(_) => shard.tls_handshakes_broken += 1,
        HandshakeFault::PlainHttp => shard.tls_plain += 1,
        HandshakeFault::Garbage => shard.tls_garbage += 1,
        HandshakeFault::NoCertificate | HandshakeFault::Refused(_) => {
            shard.tls_handshakes_refused += 1;
        }
    }
}

/// Counts how a TLS connection ended.
pub(super) fn record_end(local: &Local, end: Option<End>) {
    local.count(|telemetry| match end {
        Some(End::Alerted(_)) => telemetry.shard.tls_alerts_received += 1,
        Some(End::Unsound(_)) => telemetry.shard.tls_alerts_sent += 1,
        Some(End::Closed | End::Cut | End::Crowded) | None => {}
    });
}
