//! Messages as the simulation's peers read them: strictly, and by code that shares nothing with
//! the gateway's own.

use std::{io, rc::Rc};

use ringway::net::Stream;

/// Reads messages off a stream.
pub(super) struct Reader {
    stream: Rc<Stream>,
    held: Vec<u8>,
    at: usize,
}

/// A start line and its fields.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) start: String,
    pub(super) fields: Vec<(String, String)>,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Why a message is not whole.
#[derive(Debug)]
pub(super) enum Broken {
    /// FIN.
    Ended,
    /// A reset, or what else recv(2) says.
    Reset,
    TimedOut,
    /// Bytes that are no HTTP.
    Malformed(String),
}

/// Trailer fields.
pub(super) type Trailers = Vec<(String, String)>;

impl Reader {
    pub(super) const fn new(stream: Rc<Stream>) -> Self {
        Self { stream, held: Vec::new(), at: 0 }
    }

    /// The stream that it reads.
    pub(super) fn stream(&self) -> Rc<Stream> {
        Rc::clone(&self.stream)
    }

    /// Bytes that were received and belong to no message yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.held[self.at..]
    }

    /// Takes them.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.held.split_off(self.at);
        self.held.clear();
        self.at = 0;
        rest
    }

    /// Waits for more bytes.
    pub(super) async fn more(&mut self) -> Result<(), Broken> {
        match self.stream.receive().await {
            Ok(Some(bytes)) => {
                self.held.drain(..self.at);
                self.at = 0;
                self.held.extend_from_slice(&bytes);
                Ok(())
            }
            Ok(None) => Err(Broken::Ended),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Broken::TimedOut),
            Err(_) => Err(Broken::Reset),
        }
    }

    /// The next head.
    pub(super) async fn head(&mut self) -> Result<Head, Broken> {
        let start = self.line().await?;
        let fields = self.fields().await?;
        Ok(Head { start, fields })
    }

    /// The body behind a head, as much as came of it, and its trailers when it is whole.
    pub(super) async fn body(&mut self, framing: Framing) -> (Vec<u8>, Result<Trailers, Broken>) {
        let mut body = Vec::new();
        let end = match framing {
            Framing::Length(length) => self.take(length, &mut body).await.map(|()| Vec::new()),
            Framing::Chunked => self.chunks(&mut body).await,
            Framing::UntilClose => match self.take(usize::MAX, &mut body).await {
                Err(Broken::Ended) | Ok(()) => Ok(Vec::new()),
                Err(broken) => Err(broken),
            },
        };
        (body, end)
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Result<Trailers, Broken> {
        loop {
            let line = self.line().await?;
            let plain = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            let length = usize::from_str_radix(&line, 16).ok().filter(|_| plain);
            let Some(length) = length else {
                return Err(Broken::Malformed(format!("a chunk's size is {line:?}")));
            };
            if length == 0 {
                return self.fields().await;
            }
            self.take(length, body).await?;
            let end = self.line().await?;
            if !end.is_empty() {
                return Err(Broken::Malformed(format!("{end:?} behind a chunk")));
            }
        }
    }

    async fn take(&mut self, count: usize, into: &mut Vec<u8>) -> Result<(), Broken> {
        let mut left = count;
        loop {
            let here = left.min(self.rest().len());
            into.extend_from_slice(&self.held[self.at..self.at + here]);
            self.at += here;
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.more().await?;
        }
    }

    async fn fields(&mut self) -> Result<Vec<(String, String)>, Broken> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let split = line.split_once(':').filter(|(name, _)| is_token(name));
            let Some((name, value)) = split else {
                return Err(Broken::Malformed(format!("a field is {line:?}")));
            };
            fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
        }
    }

    async fn line(&mut self) -> Result<String, Broken> {
        loop {
            let end = self.rest().iter().position(|byte| *byte == b'\n');
            let Some(end) = end else {
                if self.rest().len() > 40_000 {
                    return Err(Broken::Malformed("a line without end".to_owned()));
                }
                self.more().await?;
                continue;
            };
            let line = String::from_utf8_lossy(&self.rest()[..end]).into_owned();
            self.at += end + 1;
            let whole = line.strip_suffix('\r').map(str::to_owned);
            return whole.ok_or_else(|| Broken::Malformed(format!("a bare LF ends {line:?}")));
        }
    }
}

impl Head {
    /// The only value of a field; more than one is malformed.
    pub(super) fn only(&self, name: &str) -> Result<Option<&str>, String> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        let first = found.next().map(|(_, value)| value.as_str());
        match found.next() {
            Some(_) => Err(format!("field {name} twice in {self:?}")),
            None => Ok(first),
        }
    }

    /// How the body is framed; `otherwise` when nothing is said.
    pub(super) fn framing(&self, otherwise: Framing) -> Result<Framing, String> {
        match (self.only("content-length")?, self.only("transfer-encoding")?) {
            (None, None) => Ok(otherwise),
            (None, Some("chunked")) => Ok(Framing::Chunked),
            (Some(length), None) => match length.parse() {
                Ok(length) => Ok(Framing::Length(length)),
                Err(_) => Err(format!("content-length {length:?}")),
            },
            both => Err(format!("content-length and transfer-encoding {both:?}")),
        }
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
