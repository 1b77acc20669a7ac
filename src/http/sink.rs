//! Where a head is written to: how the steps say what to send without knowing the wire.
//!
//! A codec implements it (`wire::http1` over a `Vec<u8>`); tests collect what was said. Framing
//! fields (`content-length`, `transfer-encoding`, `connection`) are the forwarder's: the steps
//! never write them, except `connection: upgrade` for an upgrade that was accepted.

use super::{Fields, Method, Name, Status};

/// A head being written: first its start line, then its fields in order.
pub trait HeadSink {
    /// The start line of a request. `target` is in origin form, checked: nothing in it can end
    /// the line.
    fn request_line(&mut self, method: Method, target: &[u8]);

    /// The start line of an answer.
    fn status_line(&mut self, status: Status);

    /// One field. The value's pieces follow each other with nothing between them; neither name
    /// nor value holds CR, LF or NUL.
    fn field(&mut self, name: &[u8], value: &[&[u8]]);

    /// One field that needs no look: a name of a checked head or in the gateway's own words, and a
    /// value likewise. Nothing of a mapping, a document or a body.
    fn sound_field(&mut self, name: &[u8], value: &[&[u8]]) {
        self.field(name, value);
    }

    /// Whole lines that need no look, as [`HeadSink::sound_field`]: the pieces, which follow each
    /// other, end in CRLF.
    fn sound_lines<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        let lines = pieces.concat();
        for line in lines.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii_end();
            if let Some(colon) = line.windows(2).position(|pair| pair == b": ") {
                self.field(&line[..colon], &[&line[colon + 2..]]);
            }
        }
    }

    /// The fields of a checked head that `keep` says yes to.
    fn forward(
        &mut self,
        fields: Fields<'_>,
        case: Case,
        mut keep: impl FnMut(Name, &[u8]) -> bool,
    ) {
        for (name, text, value) in fields.iter() {
            if keep(name, text) {
                match case {
                    Case::AsSent => self.sound_field(text, &[value]),
                    Case::Lower => self.sound_field(&text.to_ascii_lowercase(), &[value]),
                }
            }
        }
    }
}

/// How names of forwarded fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// As they came.
    AsSent,
    /// In lower case.
    Lower,
}
