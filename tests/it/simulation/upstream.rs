//! The upstreams: they check what arrives against what was meant, and answer as the script says.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use ringway::net::{Listener, Outgoing};

use super::{
    message::{Broken, Framing, Head, Reader, Trailers},
    script::{Fault, Frame, RequestBody, Script, body_of},
    world::{World, has_body},
};

/// What answers' bodies are made of, so that no request's body equals one.
pub(super) const ANSWERS: u64 = 1 << 63;

/// Serves every connection that is made to `address`, until the listener is stopped.
pub(super) fn open(world: &Rc<World>, address: SocketAddr) -> Rc<Listener> {
    let listener = Rc::new(Listener::bind(&world.runtime, address, false).unwrap());
    let (acceptor, world) = (Rc::clone(&listener), Rc::clone(world));
    world.runtime.clone().spawn(async move {
        while let Ok((stream, _)) = acceptor.accept().await {
            let number = world.next_connection();
            let connection = Connection {
                reader: Reader::new(Rc::new(stream)),
                number,
                spent: None,
                random: world.random(number << 32),
                world: Rc::clone(&world),
            };
            world.runtime.spawn(connection.serve());
        }
    });
    listener
}

struct Connection {
    world: Rc<World>,
    reader: Reader,
    number: u64,
    /// Why no other request may come.
    spent: Option<Fault>,
    random: fastrand::Rng,
}

/// What follows an answer.
enum Next {
    Keep,
    /// Reads on, but nothing may come.
    Spent,
    Close,
}

impl Connection {
    async fn serve(mut self) {
        let mut idle = None;
        loop {
            if let Some(idle) = idle.take() {
                let until = self.world.runtime.now() + idle;
                self.reader.stream().set_deadline(Some(until));
            }
            let head = match self.reader.head().await {
                Ok(head) => head,
                Err(Broken::Malformed(what)) => return self.violate(&format!("head: {what}")),
                // Without the deadline, what is still being sent is not cut off.
                Err(Broken::TimedOut) => {
                    self.world.surprise();
                    return self.reader.stream().set_deadline(None);
                }
                // The end, or a request that was given up.
                Err(Broken::Ended | Broken::Reset) => return,
            };
            self.reader.stream().set_deadline(None);
            let Some(script) = self.find_script(&head) else { return };
            if let Some(fault) = self.spent {
                return self.violate(&format!("{} comes after {fault:?}", script.id));
            }
            match self.exchange(&script, &head).await {
                Ok(Next::Keep) => idle = script.answer.closes_after,
                Ok(Next::Spent) => self.spent = Some(script.answer.fault),
                Ok(Next::Close) | Err(()) => return,
            }
        }
    }

    /// Checks a head against the script that it names.
    fn find_script(&self, head: &Head) -> Option<Script> {
        let mut words = head.start.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let id = target.split(['/', '?']).nth(2).and_then(|id| id.parse().ok());
        let Some(id) = id.filter(|id| *id <= self.world.exchanges()) else {
            self.violate(&format!("no script for {head:?}"));
            return None;
        };
        let script = self.world.script(id);
        let told = head.only("x-id").ok().flatten() == Some(&*id.to_string());
        let host = head.only("host").is_ok_and(|host| host.is_some());
        let version = words.next() == Some("HTTP/1.1") && words.next().is_none();
        let expects = head.only("expect").is_ok_and(|expect| expect.is_none());
        let same = method == script.method && target == script.target();
        if !(told && host && version && same && expects) {
            self.violate(&format!("{head:?} of {script:?}"));
        }
        Some(script)
    }

    async fn exchange(&mut self, script: &Script, head: &Head) -> Result<Next, ()> {
        let (world, number) = (Rc::clone(&self.world), self.number);
        let before = world.deliver(script);
        world.tell(|| format!("upstream {number} got {script:?}"));
        if head.only("upgrade") == Ok(Some("echo")) {
            return self.echo(script).await;
        }
        if script.answer.early {
            self.answer(script).await?;
            if script.answer.fault == Fault::ClosesEarly {
                // What it did not read may have gone up whole: then the connection looks good.
                self.world.surprise();
                return Ok(Next::Close);
            }
            self.receive_body(script, head).await?;
        } else {
            self.receive_body(script, head).await?;
            match script.answer.fault {
                Fault::Closes if before == 0 => return Ok(Next::Close),
                Fault::Resets if before == 0 => {
                    self.world.simulation.reset(self.reader.stream().peer());
                    return Ok(Next::Close);
                }
                Fault::Silent => return Ok(Next::Spent),
                _ => {}
            }
            self.answer(script).await?;
        }
        Ok(match script.answer.fault {
            Fault::CutHead | Fault::CutBody => Next::Close,
            Fault::Extra => {
                self.world.surprise();
                Next::Close
            }
            Fault::None | Fault::Closes | Fault::Resets => match script.answer.frame {
                Frame::UntilClose(_) if has_body(script) => Next::Close,
                _ if script.answer.says_close => Next::Spent,
                _ => Next::Keep,
            },
            _ => Next::Spent,
        })
    }

    /// Switches protocols, then sends back whatever comes, until its end.
    async fn echo(&mut self, script: &Script) -> Result<Next, ()> {
        let text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\
             x-answer: {}\r\n\r\n",
            script.id
        );
        self.world.note(script.id, |delivery| delivery.answered = true);
        let stream = self.reader.stream();
        let mut text = text.into_bytes();
        loop {
            text.extend_from_slice(&self.reader.take_rest());
            let outgoing = Outgoing { text: std::mem::take(&mut text), pieces: Vec::new() };
            stream.send(outgoing).await.map_err(drop)?;
            match self.reader.more().await {
                Ok(()) => {}
                Err(Broken::Ended) => return Ok(Next::Close),
                Err(_) => return Err(()),
            }
        }
    }

    async fn receive_body(&mut self, script: &Script, head: &Head) -> Result<(), ()> {
        let framing = head.framing(Framing::Length(0)).map_err(|what| self.violate(&what))?;
        let length = script.body.length();
        match (script.body, framing) {
            (_, Framing::Length(told)) if told == length => {}
            (RequestBody::Chunked(_), Framing::Chunked) => {}
            _ => self.violate(&format!("{framing:?} frames the body of {script:?}")),
        }
        let (body, end) = self.reader.body(framing).await;
        let meant = body_of(script.id, length);
        if !meant.starts_with(&body) {
            self.violate(&format!("{} bytes of another body for {script:?}", body.len()));
        }
        match end {
            Ok(trailers) => {
                self.check_whole(script, framing, &body, &trailers);
                self.world.note(script.id, |delivery| delivery.whole = true);
                Ok(())
            }
            Err(broken) => {
                if let Broken::Malformed(what) = broken {
                    self.violate(&what);
                }
                Err(())
            }
        }
    }

    fn check_whole(&self, script: &Script, framing: Framing, body: &[u8], trailers: &Trailers) {
        if body.len() != script.body.length() {
            self.violate(&format!("a whole body of {} bytes for {script:?}", body.len()));
        }
        let meant = match framing {
            Framing::Chunked => vec![("x-sum".to_owned(), script.id.to_string())],
            Framing::Length(_) | Framing::UntilClose => Vec::new(),
        };
        if *trailers != meant {
            self.violate(&format!("trailers {trailers:?} for {script:?}"));
        }
    }

    async fn answer(&mut self, script: &Script) -> Result<(), ()> {
        let bytes = render(script, &mut self.random);
        self.world.note(script.id, |delivery| delivery.answered = true);
        let stream = self.reader.stream();
        let mut rest = &bytes[..];
        let slow = self.random.u8(0..3) == 0;
        while !rest.is_empty() {
            let count = if slow { self.random.usize(1..=rest.len()) } else { rest.len() };
            let outgoing = Outgoing { text: rest[..count].to_vec(), pieces: Vec::new() };
            stream.send(outgoing).await.map_err(drop)?;
            rest = &rest[count..];
            if script.answer.fault == Fault::Extra {
                self.world.surprise();
            }
            if slow {
                let wait = Duration::from_millis(self.random.u64(0..40));
                self.world.runtime.sleep(wait).await;
            }
        }
        Ok(())
    }

    fn violate(&self, what: &str) {
        self.world.violate(format!("upstream connection {}: {what}", self.number));
    }
}

/// The bytes of an answer, faults and all.
fn render(script: &Script, random: &mut fastrand::Rng) -> Vec<u8> {
    let answer = &script.answer;
    let interims = if answer.fault == Fault::TooManyInterims { 9 } else { answer.interims };
    let mut bytes = Vec::new();
    for _ in 0..interims {
        bytes.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n");
    }
    if let Fault::MalformedHead(variant) = answer.fault {
        bytes.extend_from_slice(MALFORMED[variant % MALFORMED.len()]);
        return bytes;
    }
    let head = format!("HTTP/1.1 {} Told\r\nx-answer: {}\r\n", answer.status, script.id);
    bytes.extend_from_slice(head.as_bytes());
    if answer.says_close {
        bytes.extend_from_slice(b"connection: close\r\n");
    }
    match answer.frame {
        Frame::Length(length) => {
            bytes.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        Frame::Chunked(_) => bytes.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Frame::Bodiless | Frame::UntilClose(_) => {}
    }
    bytes.extend_from_slice(b"\r\n");
    let head_bytes = bytes.len();
    if has_body(script) {
        let body = body_of(script.id | ANSWERS, script.answer_length());
        match answer.frame {
            Frame::Chunked(_) => bytes.extend_from_slice(&chunks(&body, script, random)),
            _ => bytes.extend_from_slice(&body),
        }
    }
    match answer.fault {
        Fault::CutHead => bytes.truncate(random.usize(1..head_bytes)),
        Fault::CutBody | Fault::StalledBody => {
            bytes.truncate(random.usize(head_bytes..bytes.len()));
        }
        Fault::MalformedChunk => {
            bytes.truncate(head_bytes);
            bytes.extend_from_slice(b"0x5\r\nhello\r\n0\r\n\r\n");
        }
        Fault::Extra => bytes.extend_from_slice(b"\0more than was asked for\r\n\r\n"),
        _ => {}
    }
    bytes
}

/// `body` in chunks of random sizes, with a trailer.
pub(super) fn chunks(body: &[u8], script: &Script, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let portion = if random.bool() { rest.len() } else { random.usize(1..=rest.len()) };
        bytes.extend_from_slice(format!("{portion:x}\r\n").as_bytes());
        bytes.extend_from_slice(&rest[..portion]);
        bytes.extend_from_slice(b"\r\n");
        rest = &rest[portion..];
    }
    bytes.extend_from_slice(format!("0\r\nx-sum: {}\r\n\r\n", script.id).as_bytes());
    bytes
}

const MALFORMED: [&[u8]; 8] = [
    b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
    b"no answer at all\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno field\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
];
