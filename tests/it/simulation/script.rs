//! What one exchange is meant to be: a pure function of the seed and the exchange's id. Client,
//! upstream and the checks each work it out for themselves, so nothing has to be told on the wire.

use std::time::Duration;

/// The integrations' `timeoutInMillis` in `gateway.yaml`.
pub(super) const TIMEOUT: Duration = Duration::from_millis(6_000);

/// The value of the key in `limits::load`.
pub(super) const GOOD_KEY: &str = "good-0123456789-0123456789";

/// One exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) id: u64,
    pub(super) route: Route,
    pub(super) method: &'static str,
    pub(super) body: RequestBody,
    pub(super) expects_continue: bool,
    pub(super) manners: Manners,
    pub(super) key: Key,
    pub(super) answer: Answer,
}

/// The API key that a client sends, which only the plan with limits looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    Good,
    Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Plain,
    Reads,
    Maps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestBody {
    None,
    Length(usize),
    Chunked(usize),
}

/// What the client says of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    Keep,
    Close,
    Http10,
    Http10KeepAlive,
}

/// What the upstream does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) frame: Frame,
    pub(super) interims: usize,
    /// Before it has read the request's body.
    pub(super) early: bool,
    /// Says that it will close, and does not: the gateway must.
    pub(super) says_close: bool,
    pub(super) fault: Fault,
    /// Closes the idle connection after this long.
    pub(super) closes_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A status that has no body.
    Bodiless,
    Length(usize),
    Chunked(usize),
    UntilClose(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Closes instead of answering, the first time.
    Closes,
    /// Resets instead of answering, the first time.
    Resets,
    Silent,
    CutHead,
    CutBody,
    StalledBody,
    MalformedHead(usize),
    MalformedChunk,
    TooManyInterims,
    /// Garbage behind the answer.
    Extra,
    /// Answers before it has read the body, and closes over it.
    ClosesEarly,
}

/// How unkind the upstreams are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upstreams {
    Good,
    Bad,
}

impl Script {
    /// The exchange `id` of a seed.
    pub(super) fn of(seed: u64, id: u64, upstreams: Upstreams) -> Self {
        let mut random = fastrand::Rng::with_seed(mix(seed ^ mix(id)));
        let route = *pick(&mut random, &[Route::Plain, Route::Plain, Route::Reads, Route::Maps]);
        let methods = ["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
        let method = *pick(&mut random, &methods);
        let body = match method {
            "POST" | "PUT" | "PATCH" => match random.u8(0..5) {
                0 => RequestBody::None,
                1 | 2 => RequestBody::Length(size(&mut random)),
                _ => RequestBody::Chunked(size(&mut random)),
            },
            _ => RequestBody::None,
        };
        let manners = match random.u8(0..12) {
            0 => Manners::Close,
            1 => Manners::Http10,
            2 => Manners::Http10KeepAlive,
            _ => Manners::Keep,
        };
        // HTTP/1.0 has no chunks and no expectations.
        let body = match (body, manners) {
            (RequestBody::Chunked(length), Manners::Http10 | Manners::Http10KeepAlive) => {
                RequestBody::Length(length)
            }
            _ => body,
        };
        let http11 = matches!(manners, Manners::Keep | Manners::Close);
        let expects_continue = http11 && body.length() > 0 && random.u8(0..4) == 0;
        let answer = Answer::draw(&mut random, method, body, upstreams);
        let key = *pick(&mut random, &[Key::None, Key::Wrong, Key::Good, Key::Good, Key::Good]);
        Self { id, route, method, body, expects_continue, manners, key, answer }
    }

    /// Path and query.
    pub(super) fn target(&self) -> String {
        let folder = match self.route {
            Route::Plain => "plain",
            Route::Reads => "reads",
            Route::Maps => "maps",
        };
        format!("/{folder}/{}?of={}", self.id, self.id % 7)
    }

    pub(super) fn is_idempotent(&self) -> bool {
        !matches!(self.method, "POST" | "PATCH")
    }

    pub(super) fn is_http10(&self) -> bool {
        matches!(self.manners, Manners::Http10 | Manners::Http10KeepAlive)
    }

    /// The client wants no other request on its connection.
    pub(super) fn leaves(&self) -> bool {
        matches!(self.manners, Manners::Close | Manners::Http10)
    }

    /// The bytes of the answer's body as the client sees them.
    pub(super) fn answer_length(&self) -> usize {
        match self.answer.frame {
            _ if self.method == "HEAD" => 0,
            Frame::Bodiless => 0,
            Frame::Length(length) | Frame::Chunked(length) | Frame::UntilClose(length) => length,
        }
    }
}

impl Key {
    /// What is sent in `x-api-key`.
    pub(super) const fn value(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Good => Some(GOOD_KEY),
            Self::Wrong => Some("somebody-else-0123456789"),
        }
    }
}

impl RequestBody {
    pub(super) const fn length(self) -> usize {
        match self {
            Self::None => 0,
            Self::Length(length) | Self::Chunked(length) => length,
        }
    }
}

impl Answer {
    fn draw(
        random: &mut fastrand::Rng,
        method: &str,
        body: RequestBody,
        upstreams: Upstreams,
    ) -> Self {
        let frame = match random.u8(0..12) {
            0 => Frame::Bodiless,
            1..5 => Frame::Length(size(random)),
            5..10 => Frame::Chunked(size(random)),
            _ => Frame::UntilClose(size(random)),
        };
        let status = match frame {
            Frame::Bodiless => *pick(random, &[204, 304]),
            _ => *pick(random, &[200, 200, 200, 201, 404, 500]),
        };
        let interims = if random.u8(0..8) == 0 { random.usize(1..4) } else { 0 };
        let early = body.length() > 0 && random.u8(0..6) == 0;
        let says_close = random.u8(0..10) == 0;
        let (mut fault, mut closes_after) = (Fault::None, None);
        if upstreams == Upstreams::Bad {
            fault = Fault::draw(random, method, frame);
            let idle_max = *pick(random, &[20, 400]);
            let idle = Duration::from_millis(random.u64(0..idle_max));
            closes_after = (random.u8(0..6) == 0).then_some(idle);
        }
        if fault == Fault::None && early && upstreams == Upstreams::Bad && random.bool() {
            fault = Fault::ClosesEarly;
        }
        let early = early && matches!(fault, Fault::None | Fault::Extra | Fault::ClosesEarly);
        Self { status, frame, interims, early, says_close, fault, closes_after }
    }
}

impl Fault {
    fn draw(random: &mut fastrand::Rng, method: &str, frame: Frame) -> Self {
        let has_body = method != "HEAD";
        match random.u8(0..30) {
            0 | 12 => Self::Closes,
            1 | 13 => Self::Resets,
            2 => Self::Silent,
            3 => Self::CutHead,
            4 | 5 => match frame {
                Frame::Length(length) | Frame::Chunked(length) if has_body && length > 0 => {
                    Self::CutBody
                }
                _ => Self::CutHead,
            },
            6 => match frame {
                Frame::Length(length) | Frame::Chunked(length) if has_body && length > 0 => {
                    Self::StalledBody
                }
                _ => Self::Silent,
            },
            7 | 8 => Self::MalformedHead(random.usize(0..6)),
            9 => match frame {
                Frame::Chunked(_) if has_body => Self::MalformedChunk,
                _ => Self::MalformedHead(6),
            },
            10 => Self::TooManyInterims,
            11 => match frame {
                Frame::UntilClose(_) => Self::None,
                _ => Self::Extra,
            },
            _ => Self::None,
        }
    }
}

/// Small mostly, empty now and then, longer than all windows at times.
fn size(random: &mut fastrand::Rng) -> usize {
    match random.u8(0..24) {
        0 => 0,
        1..12 => random.usize(1..200),
        12..22 => random.usize(1..6_000),
        22 => random.usize(1..30_000),
        _ => random.usize(1..150_000),
    }
}

fn pick<'t, T>(random: &mut fastrand::Rng, from: &'t [T]) -> &'t T {
    &from[random.usize(0..from.len())]
}

/// The byte at `offset` of the body that `name` stands for.
pub(super) fn byte_of(name: u64, offset: usize) -> u8 {
    (mix(name).wrapping_add(offset as u64).wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
}

/// The body that `name` stands for.
pub(super) fn body_of(name: u64, length: usize) -> Vec<u8> {
    (0..length).map(|offset| byte_of(name, offset)).collect()
}

/// Splitmix64's finish.
pub(super) const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
