//! The clients: each is one connection. Most ask as a client may; some misbehave on purpose.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use ringway::{
    base::{Moment, limits},
    net::{Outgoing, Stream},
};

use super::{
    answer::{self, Got, Over},
    message::{Broken, Framing, Reader},
    multiplexed,
    script::{Manners, RequestBody, Route, Script, Upstreams, body_of},
    upstream::chunks,
    world::{Outcome, SLACK, Seen, World},
};

/// One client's visit.
pub(super) async fn visit(world: Rc<World>, number: u64) {
    let mut random = world.random(number);
    world.runtime.sleep(Duration::from_millis(random.u64(0..300))).await;
    let until = world.runtime.now() + Duration::from_secs(5);
    let stream = match Stream::connect(&world.runtime, world.gateway, until).await {
        Ok(stream) => Rc::new(stream),
        Err(error) => {
            if !world.draining.get() {
                world.violate(format!("client {number} cannot connect: {error}"));
            }
            return;
        }
    };
    stream.set_deadline(None);
    let visit = Visit { world, number, stream, random: RefCell::new(random) };
    let kind = visit.random.borrow_mut().u8(0..20);
    match kind {
        0 if visit.world.profile.rude_clients => visit.stall_in_head().await,
        1 if visit.world.profile.rude_clients => visit.stall_in_body().await,
        2 if visit.world.profile.rude_clients => visit.send_garbage().await,
        3..6 if visit.world.profile.rude_clients => visit.quit().await,
        6 => visit.say_nothing().await,
        7 => visit.tunnel().await,
        8..12 if visit.world.profile.http2 => multiplexed::visit(visit).await,
        _ => visit.talk().await,
    }
}

pub(super) struct Visit {
    pub(super) world: Rc<World>,
    pub(super) number: u64,
    pub(super) stream: Rc<Stream>,
    pub(super) random: RefCell<fastrand::Rng>,
}

/// What writer and reader of one connection tell each other.
#[derive(Default)]
struct Progress {
    /// Answers that came.
    answered: Cell<usize>,
    /// `100 Continue` came for the request that is being answered.
    may_continue: Cell<bool>,
    /// Nothing more will be answered.
    over: Cell<bool>,
    /// When each request was begun, as far as they were.
    begun: RefCell<Vec<Moment>>,
    written: Cell<bool>,
    /// The client sent its FIN, and may be closed for it.
    half_closed: Cell<bool>,
}

impl Visit {
    /// Asks some questions and reads the answers, at the same time.
    async fn talk(self) {
        let scripts = self.scripts();
        let progress = Rc::new(Progress::default());
        let writer = Writer {
            world: Rc::clone(&self.world),
            stream: Rc::clone(&self.stream),
            progress: Rc::clone(&progress),
            random: self.world.random(self.number | 1 << 40),
        };
        self.world.runtime.spawn(writer.write(scripts.clone()));
        let mut reader = Reader::new(Rc::clone(&self.stream));
        let dismissed = self.read(&scripts, &progress, &mut reader).await;
        progress.over.set(true);
        if dismissed {
            self.await_close(&mut reader).await;
        } else {
            self.idle(&mut reader, &progress).await;
        }
        while !progress.written.get() {
            self.world.runtime.sleep(Duration::from_millis(50)).await;
        }
    }

    /// Up to the first one that ends the connection.
    fn scripts(&self) -> Vec<Script> {
        let count = self.random.borrow_mut().usize(1..7);
        let mut scripts = Vec::new();
        while scripts.len() < count {
            scripts.push(self.world.next_script());
            if scripts.last().is_some_and(Script::leaves) {
                break;
            }
        }
        scripts
    }

    /// Reads and judges the answers; says whether the connection is to be closed by the gateway.
    async fn read(&self, scripts: &[Script], progress: &Progress, reader: &mut Reader) -> bool {
        let world = &self.world;
        let mut dismissed = false;
        let mut ended = false;
        let mut last = Moment(0);
        for script in scripts {
            let got = if dismissed || ended {
                Got { outcome: Outcome::Closed, closes: true }
            } else {
                progress.may_continue.set(false);
                let on_continue = || progress.may_continue.set(true);
                match answer::read(script, Over::Http1, reader, on_continue).await {
                    Ok(got) => got,
                    Err(what) => {
                        world.violate(format!("client {} of {script:?}: {what}", self.number));
                        return true;
                    }
                }
            };
            let begun = progress.begun.borrow().get(progress.answered.get()).copied();
            let sent = begun.unwrap_or(Moment(0));
            let awaited = sent.max(last);
            let ends = matches!(got.outcome, Outcome::Cut | Outcome::Closed);
            let dismissed_before = dismissed || ended;
            let outcome = got.outcome;
            world.judge(script, &Seen { outcome, sent, awaited, dismissed: dismissed_before });
            ended |= ends;
            dismissed |= got.closes;
            last = world.runtime.now();
            progress.answered.set(progress.answered.get() + 1);
            if dismissed {
                progress.over.set(true);
            }
        }
        dismissed
    }

    /// The gateway said that it closes, so it must.
    async fn await_close(&self, reader: &mut Reader) {
        let now = self.world.runtime.now();
        self.stream.set_deadline(Some(now + limits::LINGER_WAIT + SLACK));
        match reader.more().await {
            Err(Broken::Ended | Broken::Reset) => {}
            Ok(()) => self.violate(&format!("{} bytes after the last answer", reader.rest().len())),
            Err(end) => self.violate(&format!("not closed by {now:?}: {end:?}")),
        }
    }

    /// The connection stays open, and silent, until the client has had enough.
    async fn idle(&self, reader: &mut Reader, progress: &Progress) {
        let wait = match self.random.borrow_mut().u8(0..8) {
            0 => Duration::from_secs(70),
            1..4 => Duration::from_millis(500),
            _ => return,
        };
        self.stream.set_deadline(Some(self.world.runtime.now() + wait));
        match reader.more().await {
            Err(Broken::TimedOut) => {}
            Err(Broken::Ended) if progress.half_closed.get() => {}
            Err(_) if self.world.draining.get() || self.world.profile.breaks => {}
            Ok(()) => self.violate("bytes that nobody asked for"),
            Err(end) => self.violate(&format!("an idle connection ended: {end:?}")),
        }
    }

    /// Switches protocols; then what it sends must come back, all of it, and then the end.
    async fn tunnel(self) {
        let script = loop {
            let script = self.world.next_script();
            if script.method == "GET" && script.route == Route::Plain {
                break script;
            }
        };
        let mut head = render_head(&Script { manners: Manners::Keep, ..script });
        head.truncate(head.len() - 2);
        head.extend_from_slice(b"connection: upgrade\r\nupgrade: echo\r\n\r\n");
        let began = self.world.runtime.now();
        if self.send(&head).await.is_err() {
            return;
        }
        let mut reader = Reader::new(Rc::clone(&self.stream));
        let id = script.id.to_string();
        match reader.head().await {
            Ok(head) if head.only("x-answer") == Ok(Some(&id)) && head.start.contains("101") => {}
            Ok(head)
                if ["403", "429"].iter().any(|status| head.start.contains(status))
                    && self.world.was_limited(began) =>
            {
                return self.world.tell(|| format!("no tunnel: {head:?}"));
            }
            // Garbage behind an earlier answer, a broken connection.
            other if self.world.profile.upstreams == Upstreams::Bad => {
                return self.world.tell(|| format!("no tunnel: {other:?}"));
            }
            Err(_) if self.world.draining.get() => return,
            other => return self.violate(&format!("no tunnel: {other:?}")),
        }
        let body = body_of(script.id, self.random.borrow_mut().usize(0..100_000));
        let mut writer = Writer {
            world: Rc::clone(&self.world),
            stream: Rc::clone(&self.stream),
            progress: Rc::default(),
            random: self.world.random(self.number | 1 << 40),
        };
        let sent = body.clone();
        self.world.runtime.spawn(async move {
            if writer.send(&sent).await.is_ok() {
                writer.stream.shutdown_send();
            }
        });
        let (echo, end) = reader.body(Framing::UntilClose).await;
        let whole = end.is_ok() && echo == body;
        if !body.starts_with(&echo) || !(whole || self.world.profile.breaks) {
            let (here, there) = (echo.len(), body.len());
            self.violate(&format!("{here} of {there} bytes through the tunnel, {end:?}"));
        }
    }

    /// Never asks anything: the gateway must end it in time.
    async fn say_nothing(self) {
        let from = self.world.runtime.now();
        let mut reader = Reader::new(Rc::clone(&self.stream));
        self.stream.set_deadline(Some(from + limits::KEEP_ALIVE_WAIT + SLACK));
        let end = reader.more().await;
        let took = self.world.runtime.now().since(from);
        let early = took < limits::KEEP_ALIVE_WAIT;
        let excused = self.world.draining.get() || self.world.profile.breaks;
        match end {
            Err(Broken::Ended) if !early || excused => {}
            Err(Broken::Reset) if excused => {}
            end => self.violate(&format!("said nothing, {end:?} after {took:?}")),
        }
    }

    /// Sends a part of a head and stops: 408 in time.
    async fn stall_in_head(self) {
        let script = self.world.next_script();
        let bytes = render_head(&script);
        let part = self.random.borrow_mut().usize(1..bytes.len());
        let began = self.world.runtime.now();
        if self.send(&bytes[..part]).await.is_ok() {
            self.expect_refusal(&[408], began, limits::HEAD_WAIT).await;
        }
    }

    /// Sends a part of a body and stops: 503 when the integration's time is over, or 408 where
    /// the gateway waits for the body first.
    async fn stall_in_body(self) {
        let script = loop {
            let script = self.world.next_script();
            if script.body.length() > 1 && !script.answer.early {
                break script;
            }
        };
        let bytes = render(&script, &mut self.random.borrow_mut());
        let head = render_head(&script).len();
        let part = self.random.borrow_mut().usize(head..bytes.len() - 1);
        let began = self.world.runtime.now();
        if self.send(&bytes[..part]).await.is_ok() {
            let wait = Duration::from_secs(1);
            self.expect_refusal(&[408, 503], began, wait).await;
        }
    }

    /// What is no request gets a refusal, and the connection is closed.
    async fn send_garbage(self) {
        const GARBAGE: [(&[u8], u16); 5] = [
            (b"GET /plain/1\r\n\r\n", 400),
            (b"GET /plain/1 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
            (b"GET /plain/1 HTTP/3.0\r\nhost: a\r\n\r\n", 505),
            (b"POST /plain/1 HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", 400),
            (b"GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404),
        ];
        let (bytes, status) = GARBAGE[self.random.borrow_mut().usize(0..GARBAGE.len())];
        let began = self.world.runtime.now();
        if self.send(bytes).await.is_ok() {
            self.expect_refusal(&[status], began, Duration::ZERO).await;
        }
    }

    /// One of these refusals, no earlier than `wait` and at most the longest deadline later; then
    /// the end of the connection.
    async fn expect_refusal(&self, statuses: &[u16], began: Moment, wait: Duration) {
        let mut reader = Reader::new(Rc::clone(&self.stream));
        let latest = match wait {
            Duration::ZERO => SLACK,
            limits::HEAD_WAIT => limits::HEAD_WAIT + SLACK,
            _ => limits::BODY_WAIT + SLACK,
        };
        self.stream.set_deadline(Some(began + latest));
        let found = answer::read_refusal(&mut reader).await;
        let took = self.world.runtime.now().since(began);
        match found {
            // A draining gateway waits less for heads.
            Ok(status)
                if statuses.contains(&status) && (took >= wait || self.world.draining.get()) =>
            {
                self.await_close(&mut reader).await;
            }
            Ok(403 | 429) if self.world.was_limited(began) => self.await_close(&mut reader).await,
            Err(Broken::Ended | Broken::Reset)
                if self.world.draining.get() || self.world.profile.breaks => {}
            _ if self.world.profile.breaks => {}
            Ok(503) if self.world.was_surprised(began) => {}
            found => self.violate(&format!("{found:?} after {took:?}, expected {statuses:?}")),
        }
    }

    /// Goes away at any moment, in the middle of whatever it is.
    async fn quit(self) {
        let writer = Writer {
            world: Rc::clone(&self.world),
            stream: Rc::clone(&self.stream),
            progress: Rc::default(),
            random: self.world.random(self.number | 1 << 40),
        };
        let progress = Rc::clone(&writer.progress);
        self.world.runtime.spawn(writer.write(self.scripts()));
        let wait = self.random.borrow_mut().u64(0..400);
        let until = self.world.runtime.now() + Duration::from_millis(wait);
        self.stream.set_deadline(Some(until));
        if self.random.borrow_mut().bool() {
            while let Ok(Some(_)) = self.stream.receive().await {}
        }
        self.world.runtime.sleep_until(until).await;
        progress.over.set(true);
    }

    async fn send(&self, bytes: &[u8]) -> Result<(), ()> {
        let outgoing = Outgoing { text: bytes.to_vec(), pieces: Vec::new() };
        let sent = self.stream.send(outgoing).await;
        sent.map_err(|error| {
            if !self.world.profile.breaks && !self.world.draining.get() {
                self.violate(&format!("cannot send: {error}"));
            }
        })
    }

    pub(super) fn violate(&self, what: &str) {
        self.world.violate(format!("client {}: {what}", self.number));
    }
}

/// The sending half of a client.
struct Writer {
    world: Rc<World>,
    stream: Rc<Stream>,
    progress: Rc<Progress>,
    random: fastrand::Rng,
}

impl Writer {
    async fn write(mut self, scripts: Vec<Script>) {
        let pipelined = self.random.bool();
        for (place, script) in scripts.iter().enumerate() {
            let is_here = || self.progress.answered.get() >= place;
            while !(pipelined || is_here() || self.progress.over.get()) {
                self.nap(4).await;
            }
            if self.progress.over.get() || self.write_one(script, place).await.is_err() {
                break;
            }
        }
        if !self.progress.over.get() && self.random.u8(0..6) == 0 {
            self.stream.shutdown_send();
            self.progress.half_closed.set(true);
        }
        self.progress.written.set(true);
    }

    async fn write_one(&mut self, script: &Script, place: usize) -> Result<(), ()> {
        let bytes = render(script, &mut self.random);
        let head = render_head(script).len();
        self.world.tell(|| format!("a client asks {script:?}"));
        self.progress.begun.borrow_mut().push(self.world.runtime.now());
        if !script.expects_continue {
            return self.send(&bytes).await;
        }
        self.send(&bytes[..head]).await?;
        let patience = self.world.runtime.now() + Duration::from_secs(2);
        loop {
            if self.progress.over.get() || self.progress.answered.get() > place {
                // It was answered without its body: no other request may follow it.
                return Err(());
            }
            let here = self.progress.answered.get() == place && self.progress.may_continue.get();
            if here || self.world.runtime.now() > patience {
                return self.send(&bytes[head..]).await;
            }
            self.nap(4).await;
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let slow = self.random.u8(0..4) == 0;
        let mut rest = bytes;
        let mut naps = 0;
        while !rest.is_empty() {
            let count =
                if slow && naps < 10 { self.random.usize(1..=rest.len()) } else { rest.len() };
            let outgoing = Outgoing { text: rest[..count].to_vec(), pieces: Vec::new() };
            self.stream.send(outgoing).await.map_err(drop)?;
            rest = &rest[count..];
            if slow && !rest.is_empty() {
                naps += 1;
                let wait = self.random.u64(0..60);
                self.nap(wait).await;
            }
        }
        Ok(())
    }

    async fn nap(&self, wait_ms: u64) {
        self.world.runtime.sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// The bytes of a request.
fn render(script: &Script, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = render_head(script);
    let body = body_of(script.id, script.body.length());
    match script.body {
        RequestBody::None => {}
        RequestBody::Length(_) => bytes.extend_from_slice(&body),
        RequestBody::Chunked(_) => bytes.extend_from_slice(&chunks(&body, script, random)),
    }
    bytes
}

pub(super) fn render_head(script: &Script) -> Vec<u8> {
    let version = if script.is_http10() { "1.0" } else { "1.1" };
    let mut head = format!("{} {} HTTP/{version}\r\n", script.method, script.target());
    head += &format!("host: api.test\r\nx-id: {}\r\n", script.id);
    if let Some(key) = script.key.value() {
        head += &format!("x-api-key: {key}\r\n");
    }
    head += match script.manners {
        Manners::Keep | Manners::Http10 => "",
        Manners::Close => "connection: close\r\n",
        Manners::Http10KeepAlive => "connection: keep-alive\r\n",
    };
    match script.body {
        RequestBody::None => {}
        RequestBody::Length(length) => head += &format!("content-length: {length}\r\n"),
        RequestBody::Chunked(_) => head += "transfer-encoding: chunked\r\n",
    }
    if script.expects_continue {
        head += "expect: 100-continue\r\n";
    }
    head += "\r\n";
    head.into_bytes()
}
