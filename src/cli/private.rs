//! Asking a running gateway's private port: one GET over plain HTTP/1.1, blocking, bounded in time
//! and in bytes.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use crate::base::ListenAddress;

/// To connect, and for each piece of the answer.
const WAIT: Duration = Duration::from_secs(5);
/// An answer's head and body: limits of many shards, and no more than a terminal's owner waits for.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nobody listens there.
    Nobody(io::Error),
    /// This address cannot be connected to.
    NoAddress(&'static str),
    /// Whoever listens does not answer as a private port does.
    Strange(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(error) => write!(out, "nobody answers there ({error})"),
            Self::NoAddress(why) => out.write_str(why),
            Self::Strange(how) => write!(out, "whoever listens there is no private port: {how}"),
        }
    }
}

/// The status and body of the answer to `GET target`.
///
/// # Errors
/// See [`Unanswered`].
pub(super) fn get(address: &ListenAddress, target: &str) -> Result<(u16, String), Unanswered> {
    let answer = match address {
        ListenAddress::Ip(address) if address.port() == 0 => {
            return Err(Unanswered::NoAddress("its port is chosen anew at every start"));
        }
        ListenAddress::Ip(address) => over_tcp(*address, target),
        ListenAddress::Unix(path) => {
            UnixStream::connect(path).map_err(Unanswered::Nobody).and_then(|stream| {
                let waits =
                    stream.set_read_timeout(Some(WAIT)).and(stream.set_write_timeout(Some(WAIT)));
                waits.map_err(Unanswered::Nobody)?;
                exchange(stream, target)
            })
        }
        ListenAddress::Systemd(_) => {
            return Err(Unanswered::NoAddress("only systemd knows where that is"));
        }
    };
    answer.and_then(|answer| parse(&answer))
}

fn over_tcp(address: SocketAddr, target: &str) -> Result<Vec<u8>, Unanswered> {
    let stream = TcpStream::connect_timeout(&address, WAIT).map_err(Unanswered::Nobody)?;
    let waits = stream.set_read_timeout(Some(WAIT)).and(stream.set_write_timeout(Some(WAIT)));
    waits.map_err(Unanswered::Nobody)?;
    exchange(stream, target)
}

fn exchange(mut stream: impl Read + Write, target: &str) -> Result<Vec<u8>, Unanswered> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: ringway\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let told = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer));
    match told {
        Ok(_) if answer.len() as u64 > ANSWER_BYTES_MAX => {
            let how = format!("its answer is longer than {ANSWER_BYTES_MAX} bytes");
            Err(Unanswered::Strange(how))
        }
        Ok(_) => Ok(answer),
        Err(error) if answer.is_empty() => Err(Unanswered::Nobody(error)),
        Err(error) => Err(Unanswered::Strange(format!("its answer breaks off: {error}"))),
    }
}

fn parse(answer: &[u8]) -> Result<(u16, String), Unanswered> {
    let strange = |how: &str| Unanswered::Strange(how.to_owned());
    let answer = str::from_utf8(answer).map_err(|_| strange("its answer is no UTF-8"))?;
    let (head, body) =
        answer.split_once("\r\n\r\n").ok_or_else(|| strange("its answer is no HTTP"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|line| line.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| strange("its answer is no HTTP/1.1"))?;
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    if length != Some(body.len()) {
        return Err(strange("its answer is not whole"));
    }
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Result<(u16, &str), &str>) {
        let found = parse(answer.as_bytes()).map_err(|why| why.to_string());
        match (&found, expected) {
            (Ok((status, body)), Ok(expected)) => assert_eq!((*status, body.as_str()), expected),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            _ => panic!("{answer:?}: {found:?}"),
        }
    }

    #[test]
    fn whole_answers_of_http_are_taken() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Ok((200, "{}")));
        check("HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", Ok((404, "")));
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", Err("not whole"));
        check("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", Err("not whole"));
        check("HTTP/1.1 200 OK\r\n\r\n{}", Err("not whole"));
        check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Err("no HTTP/1.1"));
        check("HTTP/1.1 2\r\n\r\n", Err("no HTTP/1.1"));
        check("SSH-2.0-OpenSSH_9.6\r\n", Err("no HTTP"));
        check("", Err("no HTTP"));
    }

    #[test]
    fn an_endless_answer_is_given_up() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'x');
                Ok(buffer.len())
            }
        }
        impl Write for Endless {
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                Ok(buffer.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let why = exchange(Endless, "/").expect_err("too long").to_string();
        assert!(why.contains("longer than 16777216 bytes"), "{why}");
    }

    #[test]
    fn some_addresses_cannot_be_asked() {
        for address in ["127.0.0.1:0", "systemd:admin"] {
            let address = address.parse().expect("an address");
            assert!(matches!(get(&address, "/"), Err(Unanswered::NoAddress(_))));
        }
        let address = "unix:/nowhere/ringway.sock".parse().expect("an address");
        assert!(matches!(get(&address, "/"), Err(Unanswered::Nobody(_))));
    }
}
