//! One answer as it arrives in pieces, checked: a 2xx status, a length, and exactly so many bytes.

use crate::message;

/// One answer as it arrives.
#[derive(Default)]
pub(super) struct Answer {
    partial: Vec<u8>,
    body_left: u64,
    close: bool,
    /// Takes every status, not only 2xx.
    any: bool,
    status: u16,
}

/// What a piece made of the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Partial,
    Complete { close: bool },
    Wrong(String),
}

impl Answer {
    /// One that may be a refusal.
    pub(super) fn of_any_status() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Of the answer that was read last.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Takes the next piece.
    pub(super) fn read(&mut self, received: &[u8]) -> Read {
        let joined;
        let mut bytes = received;
        if self.body_left == 0 {
            if !self.partial.is_empty() {
                joined = [std::mem::take(&mut self.partial).as_slice(), bytes].concat();
                bytes = &joined;
            }
            let Some(end) = message::head_end(bytes) else {
                self.partial = bytes.to_vec();
                return Read::Partial;
            };
            let (head, body) = bytes.split_at(end);
            match (message::status(head), message::content_length(head)) {
                (Some(status), Some(length)) if self.any || (200..=299).contains(&status) => {
                    (self.status, self.body_left) = (status, length);
                }
                (Some(200..=299), None) => return Read::Wrong("no Content-Length".to_owned()),
                (Some(status), _) => return Read::Wrong(format!("status {status}")),
                (None, _) => return Read::Wrong("not an HTTP/1.1 response".to_owned()),
            }
            self.close = message::says_close(head);
            bytes = body;
        }
        let Some(left) = self.body_left.checked_sub(bytes.len() as u64) else {
            return Read::Wrong("more bytes than Content-Length said".to_owned());
        };
        self.body_left = left;
        if left > 0 { Read::Partial } else { Read::Complete { close: self.close } }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Read};

    #[track_caller]
    fn check(pieces: &[&str], expected: &Read) {
        let mut answer = Answer::default();
        let (last, before) = pieces.split_last().unwrap();
        for piece in before {
            assert_eq!(answer.read(piece.as_bytes()), Read::Partial, "{piece:?}");
        }
        assert_eq!(&answer.read(last.as_bytes()), expected, "{pieces:?}");
    }

    #[test]
    fn answers_are_checked() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        check(&[whole], &Read::Complete { close: false });
        check(&[&whole[..9], &whole[9..40], &whole[40..]], &Read::Complete { close: false });
        let close = "HTTP/1.1 204 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        check(&[close], &Read::Complete { close: true });
        check(&["HTTP/1.1 503 x\r\n\r\n"], &Read::Wrong("status 503".to_owned()));
        check(&["HTTP/1.1 301 x\r\n\r\n"], &Read::Wrong("status 301".to_owned()));
        check(&["HTTP/1.1 200 x\r\n\r\n"], &Read::Wrong("no Content-Length".to_owned()));
        check(&["nonsense\r\n\r\n"], &Read::Wrong("not an HTTP/1.1 response".to_owned()));
        let surplus = format!("{whole}!");
        check(&[&surplus], &Read::Wrong("more bytes than Content-Length said".to_owned()));
    }
}
