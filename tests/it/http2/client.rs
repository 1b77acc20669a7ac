//! The raw client: frames out as written, frames in as they come, every wait with a deadline.
//!
//! It answers nothing by itself (no acknowledgements, no window updates) unless a call says so:
//! what a case sends is all that is sent.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{
    frame::{self, Code, Frame, code_name, kind},
    hpack::{Decoder, Field, block},
    target,
};

/// RFC 9113 3.4.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What comes next.
#[derive(Debug)]
pub(super) enum Event {
    Frame(Frame),
    /// FIN or reset.
    Closed,
    /// Nothing within the time that was given.
    Silence,
}

/// How a stream ended without a whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Reset(Code),
    GoAway(Code),
    Closed,
    Silence,
    /// Bytes that no server may send.
    Malformed(String),
}

/// One whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Statuses of the interim (1xx) answers before it.
    pub(super) interims: Vec<u16>,
    pub(super) status: u16,
    /// Without `:status`, in wire order.
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Vec<(String, String)>,
}

impl Answer {
    /// The values of that name, in order.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let found = self.fields.iter().filter(|field| field.0 == name);
        found.map(|field| field.1.as_str()).collect()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One connection to the gateway.
pub(super) struct RawClient {
    stream: TcpStream,
    input: Vec<u8>,
    decoder: Decoder,
    /// What the server's SETTINGS said.
    pub(super) settings: HashMap<u16, u32>,
    /// Bytes of DATA that the connection's window has room for; whoever sends DATA counts them.
    pub(super) credit: usize,
    /// Both directions, for people; the last [`STORY_LINES`].
    story: Vec<String>,
}

const STORY_LINES: usize = 24;

impl RawClient {
    /// Connected; not a byte is sent.
    pub(super) fn connect(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect_timeout(&address, target::patience()).unwrap())
    }

    fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(target::patience())).unwrap();
        Self {
            stream,
            input: Vec::new(),
            decoder: Decoder::new(),
            settings: HashMap::new(),
            credit: 65_535,
            story: Vec::new(),
        }
    }

    /// Connected, both prefaces exchanged and acknowledged.
    #[track_caller]
    pub(super) fn open(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.shake_hands().unwrap();
        client
    }

    /// The other side: an upstream's end of a connection that the gateway made, its preface taken.
    pub(super) fn accept(mut stream: TcpStream) -> Option<Self> {
        let mut preface = [0; PREFACE.len()];
        stream.set_read_timeout(Some(target::patience())).unwrap();
        stream.read_exact(&mut preface).ok().filter(|()| preface == PREFACE)?;
        Some(Self::on(stream))
    }

    pub(super) fn shake_hands(&mut self) -> Result<(), String> {
        self.send_bytes(PREFACE);
        self.send(&frame::settings(&[(frame::setting::INITIAL_WINDOW_SIZE, 65_535)]));
        let (mut is_heard, mut has_heard) = (false, false);
        while !(is_heard && has_heard) {
            let settings = self.wait_for(kind::SETTINGS)?;
            if settings.has(frame::ACK) {
                is_heard = true;
            } else {
                has_heard = true;
                self.settings.extend(settings.settings());
                self.send(&frame::settings_ack());
            }
        }
        Ok(())
    }

    /// An error is the gateway's right (it may have gone): what it said then tells.
    pub(super) fn send(&mut self, frame: &Frame) -> bool {
        self.tell(format!("> {frame:?}"));
        self.stream.write_all(&frame.to_bytes()).is_ok()
    }

    /// In one write.
    pub(super) fn send_all(&mut self, frames: &[Frame]) -> bool {
        for frame in frames {
            self.tell(format!("> {frame:?}"));
        }
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
        self.stream.write_all(&bytes).is_ok()
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.tell(format!("> {}", crate::harness::show(bytes)));
        self.stream.write_all(bytes).is_ok()
    }

    /// No more will be sent; the gateway sees the end.
    pub(super) fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    pub(super) fn next(&mut self) -> Event {
        self.next_within(target::patience())
    }

    /// What comes next, if it comes within `time`; zero takes only what is here.
    pub(super) fn next_within(&mut self, time: Duration) -> Event {
        let end = Instant::now() + time;
        loop {
            if let Some(frame) = Frame::take(&mut self.input) {
                self.tell(format!("< {frame:?}"));
                if frame.kind == kind::WINDOW_UPDATE && frame.stream == 0 {
                    self.credit += frame.increment();
                }
                return Event::Frame(frame);
            }
            let left = end.saturating_duration_since(Instant::now());
            let mut bytes = [0; 16_384];
            match self.read_within(left, &mut bytes) {
                Ok(0) => return self.is_closed("< end"),
                Ok(read) => self.input.extend_from_slice(&bytes[..read]),
                Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Event::Silence,
                Err(_) => return self.is_closed("< reset"),
            }
        }
    }

    fn read_within(&mut self, time: Duration, into: &mut [u8]) -> Result<usize, ErrorKind> {
        self.stream.set_nonblocking(time.is_zero()).unwrap();
        if !time.is_zero() {
            self.stream.set_read_timeout(Some(time)).unwrap();
        }
        let read = self.stream.read(into).map_err(|error| error.kind());
        self.stream.set_nonblocking(false).unwrap();
        read
    }

    fn is_closed(&mut self, how: &str) -> Event {
        self.tell(how.to_owned());
        Event::Closed
    }

    /// The next frame of that type; others are passed over.
    pub(super) fn wait_for(&mut self, kind: u8) -> Result<Frame, String> {
        let end = Instant::now() + target::patience();
        loop {
            match self.next_within(end.saturating_duration_since(Instant::now())) {
                Event::Frame(frame) if frame.kind == kind => return Ok(frame),
                Event::Frame(_) => {}
                Event::Closed => return Err("the connection was closed".to_owned()),
                Event::Silence => return Err("nothing more came".to_owned()),
            }
        }
    }

    /// A whole answer on that stream, however long: windows are opened, PINGs answered.
    pub(super) fn answer(&mut self, stream: u32) -> Result<Answer, End> {
        let mut answer = Answer::default();
        loop {
            let frame = match self.next() {
                Event::Frame(frame) => frame,
                Event::Closed => return Err(End::Closed),
                Event::Silence => return Err(End::Silence),
            };
            let is_ours = frame.stream == stream;
            match frame.kind {
                kind::HEADERS => {
                    let is_last = frame.has(frame::END_STREAM);
                    let fields = self.whole_block(frame)?;
                    if is_ours && take_head(&mut answer, fields)? && is_last {
                        return Ok(answer);
                    }
                }
                kind::DATA => {
                    self.open_windows(&frame);
                    if is_ours {
                        answer.body.extend_from_slice(frame.content());
                        if frame.has(frame::END_STREAM) {
                            return Ok(answer);
                        }
                    }
                }
                kind::PING if !frame.has(frame::ACK) => {
                    let content = frame.payload[..].try_into().unwrap();
                    self.send(&frame::ping(frame::ACK, content));
                }
                kind::RST_STREAM if is_ours => return Err(End::Reset(frame.code().unwrap())),
                kind::GOAWAY if frame.code() != Some(frame::NO_ERROR) => {
                    return Err(End::GoAway(frame.code().unwrap()));
                }
                _ => {}
            }
        }
    }

    /// Sends a request (a whole one where there is no body) and takes its answer.
    pub(super) fn ask<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: u32,
        fields: &[(N, V)],
        body: &[u8],
    ) -> Result<Answer, End> {
        if body.is_empty() {
            self.send(&frame::headers(stream, frame::WHOLE, block(fields)));
        } else {
            self.send(&frame::headers(stream, frame::END_HEADERS, block(fields)));
            let pieces = body.chunks(16_384);
            let last = pieces.len() - 1;
            for (number, piece) in pieces.enumerate() {
                let flags = if number == last { frame::END_STREAM } else { 0 };
                self.send(&frame::data(stream, flags, piece));
            }
        }
        self.answer(stream)
    }

    /// `:status` of a HEADERS frame, its CONTINUATION frames read too.
    pub(super) fn status_of(&mut self, headers: Frame) -> Result<u16, String> {
        let fields = self.whole_block(headers).map_err(|end| format!("{end:?}"))?;
        let mut answer = Answer::default();
        take_head(&mut answer, fields).map_err(|end| format!("{end:?}"))?;
        Ok(answer.status)
    }

    /// The status of an interim answer.
    pub(super) fn interim_of(&mut self, headers: Frame) -> Result<u16, String> {
        let fields = self.whole_block(headers).map_err(|end| format!("{end:?}"))?;
        let mut answer = Answer::default();
        take_head(&mut answer, fields).map_err(|end| format!("{end:?}"))?;
        answer.interims.first().copied().ok_or_else(|| format!("answered {}", answer.status))
    }

    /// What the server lets a client send on a stream at first.
    pub(super) fn stream_window(&self) -> usize {
        let announced = self.settings.get(&frame::setting::INITIAL_WINDOW_SIZE);
        announced.map_or(65_535, |&bytes| bytes as usize)
    }

    pub(super) fn whole_block(&mut self, headers: Frame) -> Result<Vec<Field>, End> {
        let mut whole = headers.content().to_vec();
        let mut is_whole = headers.has(frame::END_HEADERS);
        while !is_whole {
            let Event::Frame(next) = self.next() else { return Err(End::Closed) };
            if next.kind != kind::CONTINUATION || next.stream != headers.stream {
                return Err(End::Malformed(format!("{next:?} within a header block")));
            }
            whole.extend(&next.payload);
            is_whole = next.has(frame::END_HEADERS);
        }
        self.decoder.decode(&whole).map_err(End::Malformed)
    }

    /// Gives back what a DATA frame took.
    pub(super) fn open_windows(&mut self, frame: &Frame) {
        let Ok(by @ 1..) = u32::try_from(frame.payload.len()) else { return };
        self.send(&frame::window_update(0, by));
        if !frame.has(frame::END_STREAM) {
            self.send(&frame::window_update(frame.stream, by));
        }
    }

    fn tell(&mut self, line: String) {
        if self.story.len() == STORY_LINES {
            self.story.remove(0);
        }
        self.story.push(line);
    }

    /// What was sent and what came, last lines.
    pub(super) fn story(&self) -> String {
        self.story.join("\n    ")
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reset(code) => write!(out, "RST_STREAM {}", code_name(*code)),
            Self::GoAway(code) => write!(out, "GOAWAY {}", code_name(*code)),
            other => write!(out, "{other:?}"),
        }
    }
}

/// Puts a block's fields into the answer, strictly (RFC 9113 8.2, 8.3); false for an interim one.
fn take_head(answer: &mut Answer, fields: Vec<Field>) -> Result<bool, End> {
    let is_trailer = answer.status >= 200;
    let mut taken = Vec::new();
    let mut status = None;
    for (name, value) in fields {
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|error| End::Malformed(format!("{error}")))
        };
        let (name, value) = (text(name)?, text(value)?);
        let is_late = is_trailer || !taken.is_empty() || status.is_some();
        if name == ":status" && !is_late {
            status = value.parse().ok();
        } else if name.starts_with(':') || !is_name(&name) || !is_value(&value) {
            return Err(End::Malformed(format!("the field {name:?}: {value:?}")));
        } else {
            taken.push((name, value));
        }
    }
    if is_trailer {
        answer.trailers = taken;
        return Ok(true);
    }
    let Some(status @ 100..600) = status else {
        return Err(End::Malformed("no :status".to_owned()));
    };
    if status < 200 {
        answer.interims.push(status);
        return Ok(false);
    }
    answer.status = status;
    answer.fields = taken;
    Ok(true)
}

/// Lower case, and no field of the connection (RFC 9113 8.2.1, 8.2.2).
fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    const OF_THE_CONNECTION: [&str; 5] =
        ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
    !name.is_empty() && name.bytes().all(is_token) && !OF_THE_CONNECTION.contains(&name)
}

fn is_value(value: &str) -> bool {
    let is_clean = !value.bytes().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
    is_clean && value.trim_matches([' ', '\t']) == value
}
