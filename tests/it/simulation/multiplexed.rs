//! Clients that speak HTTP/2: many exchanges side by side on one connection, by the gateway's own
//! client half. Some are slow, some leave in the middle of a stream, some with the connection.

use std::{cell::Cell, rc::Rc, time::Duration};

use ringway::{
    base::Moment,
    net::{Outgoing, Stream, http2::Client},
};

use super::{
    answer::{self, Over},
    client::{Visit, render_head},
    message::Reader,
    script::{Manners, RequestBody, Script, body_of},
    world::{Outcome, Seen, World},
};

/// How a client deals with one of its streams.
#[derive(Clone, Copy, Debug)]
enum Temper {
    Steady,
    /// Takes its time between what it sends.
    Slow,
    /// Gives the stream up after this long.
    Leaves(Duration),
}

/// One client's visit.
pub(super) async fn visit(visit: Visit) {
    let Visit { world, number, stream, random } = visit;
    let Some(stream) = Rc::into_inner(stream) else { return };
    let mut random = random.into_inner();
    stream.set_deadline(Some(world.runtime.now() + Duration::from_secs(5)));
    let client = match Client::begin(&world.runtime, stream).await {
        Ok(client) => client,
        Err(error) => {
            if !world.draining.get() && !world.profile.breaks {
                world.violate(format!("client {number}: no HTTP/2: {error}"));
            }
            return;
        }
    };
    world.runtime.spawn(Rc::clone(&client).drive());
    let leaves_at = world.runtime.now() + Duration::from_millis(random.u64(0..3_000));
    let leaves = world.profile.rude_clients && random.u8(0..6) == 0;
    let open = Rc::new(Cell::new(0));
    for _ in 0..random.usize(1..20) {
        world.runtime.sleep(Duration::from_millis(random.u64(0..40))).await;
        let Some(lane) = lane(&world, number, &client).await else { break };
        let script = script(&world);
        let temper = match random.u8(0..8) {
            0 => Temper::Slow,
            1 if world.profile.rude_clients => {
                Temper::Leaves(Duration::from_millis(random.u64(0..500)))
            }
            _ => Temper::Steady,
        };
        open.set(open.get() + 1);
        let exchange = Exchange {
            world: Rc::clone(&world),
            script,
            temper,
            random: random.fork(),
            excused: leaves,
        };
        let left = Rc::clone(&open);
        world.runtime.spawn(async move {
            exchange.run(lane).await;
            left.set(left.get() - 1);
        });
    }
    while open.get() > 0 && !(leaves && world.runtime.now() > leaves_at) {
        world.runtime.sleep(Duration::from_millis(20)).await;
    }
}

/// A stream for one more request; `None` when the gateway takes none, as it may while it drains.
async fn lane(world: &World, number: u64, client: &Rc<Client>) -> Option<Stream> {
    match client.open().await {
        Ok(lane) => Some(lane),
        Err(_) if world.draining.get() || world.profile.breaks => None,
        Err(error) => {
            world.violate(format!("client {number}: no stream: {error}"));
            None
        }
    }
}

fn script(world: &World) -> Script {
    let script = world.next_script();
    // HTTP/2 has no manners; expectations are tried elsewhere.
    Script { manners: Manners::Keep, expects_continue: false, ..script }
}

struct Exchange {
    world: Rc<World>,
    script: Script,
    temper: Temper,
    random: fastrand::Rng,
    /// The client may leave while the exchange is under way.
    excused: bool,
}

impl Exchange {
    async fn run(mut self, lane: Stream) {
        self.world.tell(|| format!("a client asks over HTTP/2 {:?}", self.script));
        let lane = Rc::new(lane);
        let sent = self.world.runtime.now();
        let until = match self.temper {
            Temper::Leaves(wait) => Some(sent + wait),
            Temper::Steady | Temper::Slow => None,
        };
        lane.set_deadline(until);
        let ended = self.write(&lane).await;
        if ended.is_err() && until.is_some() {
            return;
        }
        let mut reader = Reader::new(Rc::clone(&lane));
        let got = answer::read(&self.script, Over::Http2, &mut reader, || ()).await;
        match got {
            _ if until.is_some() => {}
            Ok(got) => self.judge(got.outcome, sent),
            Err(what) => self.world.violate(format!("{:?} over HTTP/2: {what}", self.script)),
        }
    }

    /// What the codec hides of a stream that ends early is allowed for: it looks like a close.
    fn judge(&self, outcome: Outcome, sent: Moment) {
        let lost = matches!(outcome, Outcome::Closed | Outcome::Cut);
        if self.excused && lost {
            return;
        }
        // A reset takes the place of the close that shows a cut answer, and may overtake its head.
        let outcome = match outcome {
            Outcome::Closed if self.world.was_delivered(self.script.id) => Outcome::Cut,
            outcome => outcome,
        };
        let dismissed = outcome == Outcome::Closed;
        self.world.judge(&self.script, &Seen { outcome, sent, awaited: sent, dismissed });
    }

    async fn write(&mut self, lane: &Stream) -> Result<(), ()> {
        let body = body_of(self.script.id, self.script.body.length());
        let mut head = render_head(&self.script);
        if matches!(self.script.body, RequestBody::Chunked(_)) {
            let text = String::from_utf8_lossy(&head).replace("transfer-encoding: chunked\r\n", "");
            head = text.into_bytes();
        }
        let is_chunked = matches!(self.script.body, RequestBody::Chunked(_));
        let trailers = || is_chunked.then(|| format!("x-sum: {}\r\n", self.script.id).into_bytes());
        if body.is_empty() {
            lane.start_last(Outgoing { text: head, pieces: Vec::new() }, trailers());
            return Ok(());
        }
        lane.start_send(Outgoing { text: head, pieces: Vec::new() });
        let mut rest = &body[..];
        while !rest.is_empty() {
            let count = match self.temper {
                Temper::Slow if rest.len() > 1 => self.random.usize(1..rest.len()),
                _ => rest.len(),
            };
            let piece = Outgoing { text: rest[..count].to_vec(), pieces: Vec::new() };
            rest = &rest[count..];
            if rest.is_empty() {
                lane.start_last(piece, trailers());
            } else {
                lane.start_send(piece);
            }
            // An answer may come before the body is taken.
            let sent = std::future::poll_fn(|cx| lane.poll_sent(cx)).await;
            sent.map_err(drop)?;
            if matches!(self.temper, Temper::Slow) {
                let wait = self.random.u64(0..60);
                self.world.runtime.sleep(Duration::from_millis(wait)).await;
            }
        }
        Ok(())
    }
}
