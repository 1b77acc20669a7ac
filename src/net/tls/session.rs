//! A TLS connection after its handshake: what came, opened in place; what goes, sealed.
//!
//! No IO here: `stream` brings received blocks and takes what is to be sent. rustls made the keys
//! and makes the next ones (`KernelConnection`); the records and the few messages that may come
//! after a handshake are read here.

use std::{collections::VecDeque, rc::Rc};

use rustls::{
    ProtocolVersion, SupportedCipherSuite, client::ClientConnectionData, kernel::KernelConnection,
    server::ServerConnectionData,
};

use super::{
    alert::Alert,
    record::{Content, HEADER_BYTES, Keys, record_bytes},
    seal::Pace,
};
use crate::base::{
    Buffer, Joint, Joints,
    limits::{LARGE_BLOCK_BYTES, RECEIVE_COPY_BYTES_MAX, TLS_MESSAGE_BYTES_MAX, TLS_QUIET_MAX},
};

/// `key_update` with `update_not_requested`, as a message.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
/// Plaintext parts of one block: each but the first is longer than what is moved up to the part
/// before it.
const PARTS_MAX: usize = LARGE_BLOCK_BYTES / RECEIVE_COPY_BYTES_MAX + 2;

/// One connection's state.
pub(super) struct Session {
    pub(super) outbound: Keys,
    inbound: Keys,
    kernel: Kernel,
    /// As many records may be sealed with one key.
    sealed_max: u64,
    is_tls13: bool,
    /// The beginning of a record whose end has not come, as long as it lies in the block that it
    /// came in.
    raw: Buffer,
    /// Longer ones, in a block to join them in.
    joint: Option<Rc<Joint>>,
    /// Plaintext that nobody has taken.
    plain: VecDeque<Buffer>,
    /// The beginning of a message that goes on in the next record.
    message: Vec<u8>,
    /// Records without data since the last one with some.
    quiet: u32,
    /// Sealed records that go out with the next send.
    pub(super) waiting: Vec<u8>,
    /// The peer waits for them.
    urgent: bool,
    /// A key update, or a renegotiation, was answered since the last send: one answer is enough
    /// (RFC 8446 4.6.3).
    pub(super) answered: bool,
    /// Why nothing more is received.
    pub(super) end: Option<End>,
    /// Nothing more may be sealed: an alert that ends our side was, or the keys are used up.
    pub(super) closed: bool,
    /// The keys are used up, or the cipher failed.
    exhausted: bool,
    pub(super) pace: Pace,
}

/// Why nothing more will be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer said that it has no more to say.
    Closed,
    /// The connection ended without that: what came may not be all.
    Cut,
    /// What came is not sound; the peer was sent this alert.
    Unsound(Alert),
    /// The peer sent this alert.
    Alerted(Alert),
    /// No block was left to join a record in.
    Crowded,
}

/// rustls's half of an open connection.
pub(super) enum Kernel {
    Server(Box<KernelConnection<ServerConnectionData>>),
    Client(Box<KernelConnection<ClientConnectionData>>),
}

impl Session {
    /// The connection whose handshake left these keys; `waiting` is what is still to be sent of
    /// the handshake.
    pub(super) fn new(outbound: Keys, inbound: Keys, kernel: Kernel, waiting: Vec<u8>) -> Self {
        let (suite, is_tls13) = (kernel.suite(), kernel.is_tls13());
        let sealed_max = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
            SupportedCipherSuite::Tls12(suite) => suite.common.confidentiality_limit,
        };
        Self {
            outbound,
            inbound,
            kernel,
            sealed_max,
            is_tls13,
            raw: Buffer::empty(),
            joint: None,
            plain: VecDeque::new(),
            message: Vec::new(),
            quiet: 0,
            waiting,
            urgent: false,
            answered: false,
            end: None,
            closed: false,
            exhausted: false,
            pace: Pace::default(),
        }
    }

    pub(super) const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub(super) const fn is_tls13(&self) -> bool {
        self.is_tls13
    }

    /// The next plaintext.
    pub(super) fn take(&mut self) -> Option<Buffer> {
        self.plain.pop_front()
    }

    /// Neither plaintext nor part of a record lies here, and nothing has ended.
    pub(super) fn is_quiet(&self) -> bool {
        let is_between = self.raw.is_empty() && self.joint.is_none();
        self.plain.is_empty() && is_between && self.end.is_none() && !self.closed
    }

    /// Opens all whole records of a received block; the rest is kept. `joints` has blocks to join
    /// a record in that came in two.
    pub(super) fn receive(&mut self, mut block: Buffer, joints: &Joints) {
        if self.end.is_some() {
            return;
        }
        if !self.raw.is_empty() || self.joint.is_some() {
            match self.complete(&mut block, joints) {
                Ok(Some(record)) => self.open_all(record),
                Ok(None) => return,
                Err(end) => return self.fail(end),
            }
        }
        if !block.is_empty() && self.end.is_none() {
            self.open_all(block);
        }
    }

    /// Moves bytes from `block` to the record that is not whole, copied into a block of its own
    /// when they do not fit behind it. The record, once it is whole.
    fn complete(&mut self, block: &mut Buffer, joints: &Joints) -> Result<Option<Buffer>, End> {
        loop {
            let read = |bytes: &[u8]| (record_bytes(bytes), bytes.len());
            let (length, here) = match &self.joint {
                Some(joint) => joint.look(read),
                None => read(&self.raw),
            };
            let length = length.map_err(End::Unsound)?;
            if length == Some(here) {
                return match self.joint.take() {
                    Some(joint) => joint.take().ok_or(End::Crowded).map(Some),
                    None => Ok(Some(std::mem::replace(&mut self.raw, Buffer::empty()))),
                };
            }
            let taken = (length.unwrap_or(HEADER_BYTES) - here).min(block.len());
            if taken == 0 {
                return Ok(None);
            }
            let more = &block[..taken];
            match &self.joint {
                Some(joint) => joint.append(more).ok_or(End::Crowded)?,
                None if self.raw.append(more) => {}
                None => {
                    let joined = joints.gather(&[&self.raw, more]).ok_or(End::Crowded)?;
                    self.raw = Buffer::empty();
                    self.joint = Some(joints.keep(joined));
                }
            }
            block.advance(taken);
        }
    }

    /// Opens the whole records that `bytes` begin with. Their plaintext stays where it is, but
    /// short pieces, which are moved up to the one before them: a block of many small records
    /// becomes few buffers.
    fn open_all(&mut self, mut bytes: Buffer) {
        let mut parts = Parts { ranges: [(0, 0); PARTS_MAX], count: 0 };
        let mut at = 0;
        let Some(view) = bytes.bytes_mut() else {
            return self.fail(End::Unsound(Alert::INTERNAL_ERROR));
        };
        while self.end.is_none() {
            let length = match record_bytes(&view[at..]) {
                Ok(Some(length)) if length <= view.len() - at => length,
                Ok(_) => break,
                Err(alert) => {
                    self.fail(End::Unsound(alert));
                    break;
                }
            };
            let record = &mut view[at..at + length];
            let read = match self.inbound.open(record) {
                Ok(opened) => {
                    let range = at + opened.start..at + opened.end;
                    let text = &view[range.clone()];
                    self.read(opened.content, text).map(|is_data| {
                        if is_data {
                            parts.add(view, range.start, range.end);
                        }
                    })
                }
                Err(alert) => Err(End::Unsound(alert)),
            };
            at += length;
            if let Err(end) = read {
                self.fail(end);
            }
        }
        let ranges = &parts.ranges[..parts.count];
        self.plain.extend(ranges.iter().map(|&(start, end)| bytes.part(start..end)));
        if self.end.is_none() && at < bytes.len() {
            bytes.advance(at);
            self.raw = bytes;
        }
    }

    /// Reads one record's plaintext; says whether it is data for whoever uses the connection.
    fn read(&mut self, content: Content, text: &[u8]) -> Result<bool, End> {
        if content == Content::Data && !self.message.is_empty() {
            return Err(End::Unsound(Alert::UNEXPECTED_MESSAGE));
        }
        if content == Content::Data && !text.is_empty() {
            self.quiet = 0;
            return Ok(true);
        }
        // Records without data cost work and bring nothing.
        self.quiet += 1;
        if self.quiet > TLS_QUIET_MAX {
            return Err(End::Unsound(Alert::UNEXPECTED_MESSAGE));
        }
        match content {
            Content::Data => Ok(()),
            Content::Alert => self.read_alert(text),
            Content::Handshake => self.read_messages(text),
            Content::ChangeCipherSpec => Err(End::Unsound(Alert::UNEXPECTED_MESSAGE)),
        }
        .map(|()| false)
    }

    fn read_alert(&self, text: &[u8]) -> Result<(), End> {
        let &[level, number] = text else { return Err(End::Unsound(Alert::DECODE_ERROR)) };
        let alert = Alert(number);
        let is_warning = level == 1 && !self.is_tls13;
        match alert {
            Alert::CLOSE_NOTIFY => Err(End::Closed),
            _ if is_warning || alert.is_harmless() => Ok(()),
            _ => Err(End::Alerted(alert)),
        }
    }

    /// Messages after the handshake: TLS 1.3 has tickets and key updates. TLS 1.2 would begin
    /// another handshake, which is refused.
    fn read_messages(&mut self, text: &[u8]) -> Result<(), End> {
        if !self.is_tls13 {
            // Once for each send: a peer that takes nothing cannot pile them up.
            if std::mem::replace(&mut self.answered, true) {
                return Ok(());
            }
            self.seal_waiting(Content::Alert, &Alert::NO_RENEGOTIATION.bytes());
            self.urgent = true;
            return Ok(());
        }
        self.message.extend_from_slice(text);
        let messages = std::mem::take(&mut self.message);
        let mut rest = messages.as_slice();
        while let [kind, high, middle, low, behind @ ..] = rest {
            let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
            if length > TLS_MESSAGE_BYTES_MAX {
                return Err(End::Unsound(Alert::DECODE_ERROR));
            }
            if behind.len() < length {
                break;
            }
            let (body, next) = behind.split_at(length);
            self.read_message(*kind, body, next.is_empty()).map_err(End::Unsound)?;
            rest = next;
        }
        if !rest.is_empty() {
            self.message = rest.to_vec();
        }
        Ok(())
    }

    fn read_message(&mut self, kind: u8, body: &[u8], is_last: bool) -> Result<(), Alert> {
        match (kind, body, &mut self.kernel) {
            // What follows is under the next key: nothing may follow in this record.
            (24, &[requested @ (0 | 1)], _) if is_last => self.update_keys(requested == 1),
            (4, ticket, Kernel::Client(kernel)) => {
                kernel.handle_new_session_ticket(ticket).map_err(|_| Alert::DECODE_ERROR)
            }
            _ => Err(Alert::UNEXPECTED_MESSAGE),
        }
    }

    fn update_keys(&mut self, requested: bool) -> Result<(), Alert> {
        let next = match &mut self.kernel {
            Kernel::Server(kernel) => kernel.update_rx_secret(),
            Kernel::Client(kernel) => kernel.update_rx_secret(),
        };
        self.inbound = keys(next)?;
        if requested && !self.answered {
            self.answered = true;
            self.renew_outbound()?;
        }
        Ok(())
    }

    /// Tells the peer that the next records are under the next key, and takes it.
    fn renew_outbound(&mut self) -> Result<(), Alert> {
        self.seal_waiting(Content::Handshake, &KEY_UPDATE);
        let next = match &mut self.kernel {
            Kernel::Server(kernel) => kernel.update_tx_secret(),
            Kernel::Client(kernel) => kernel.update_tx_secret(),
        };
        self.outbound = keys(next)?;
        Ok(())
    }

    /// A key may seal so many records only: takes the next one in time. `false` when there is none
    /// (TLS 1.2): then nothing more may be sent.
    pub(super) fn may_seal(&mut self, records: usize) -> bool {
        if self.closed {
            return false;
        }
        let sealed = self.outbound.sequence().saturating_add(records as u64 + 2);
        if sealed < self.sealed_max {
            return true;
        }
        let renewed = self.is_tls13 && self.renew_outbound().is_ok();
        if !renewed {
            self.exhaust();
        }
        renewed
    }

    pub(super) const fn exhaust(&mut self) {
        self.closed = true;
        self.exhausted = true;
    }

    /// What is sent from here on does not arrive.
    pub(super) fn is_broken(&self) -> bool {
        self.exhausted || self.end.is_some_and(End::is_failure)
    }

    /// Whether what waits should be sent at once; asked once.
    pub(super) const fn take_urgency(&mut self) -> bool {
        std::mem::replace(&mut self.urgent, false)
    }

    fn fail(&mut self, end: End) {
        self.end = Some(end);
        self.urgent = matches!(end, End::Unsound(_) | End::Crowded);
        self.raw = Buffer::empty();
        self.joint = None;
        match end {
            End::Unsound(alert) => self.close(alert),
            End::Crowded => self.close(Alert::INTERNAL_ERROR),
            End::Alerted(_) => self.closed = true,
            End::Closed | End::Cut => {}
        }
    }

    #[cfg(test)]
    pub(super) const fn set_sealed_max(&mut self, records: u64) {
        self.sealed_max = records;
    }

    /// Seals the alert that ends our side, once.
    pub(super) fn close(&mut self, alert: Alert) {
        if !self.closed {
            self.seal_waiting(Content::Alert, &alert.bytes());
            self.closed = true;
        }
    }

    fn seal_waiting(&mut self, content: Content, text: &[u8]) {
        let start = self.waiting.len();
        self.waiting.resize(start + self.outbound.overhead() + text.len(), 0);
        let record = &mut self.waiting[start..];
        if self.outbound.seal(content, record, |out| out.copy_from_slice(text)).is_err() {
            self.waiting.truncate(start);
            self.exhaust();
        }
    }
}

impl Kernel {
    fn suite(&self) -> SupportedCipherSuite {
        match self {
            Self::Server(kernel) => kernel.negotiated_cipher_suite(),
            Self::Client(kernel) => kernel.negotiated_cipher_suite(),
        }
    }

    pub(super) fn is_tls13(&self) -> bool {
        let version = match self {
            Self::Server(kernel) => kernel.protocol_version(),
            Self::Client(kernel) => kernel.protocol_version(),
        };
        version == ProtocolVersion::TLSv1_3
    }
}

/// The next keys of a direction; only TLS 1.3 has any.
fn keys(
    next: Result<(u64, rustls::ConnectionTrafficSecrets), rustls::Error>,
) -> Result<Keys, Alert> {
    let (sequence, secrets) = next.map_err(|_| Alert::INTERNAL_ERROR)?;
    Keys::new(&secrets, sequence, true).ok_or(Alert::INTERNAL_ERROR)
}

/// The plaintext parts of one block, in order.
struct Parts {
    ranges: [(usize, usize); PARTS_MAX],
    count: usize,
}

impl Parts {
    fn add(&mut self, view: &mut [u8], start: usize, end: usize) {
        if let Some((_, last_end)) = self.ranges[..self.count].last_mut()
            && end - start <= RECEIVE_COPY_BYTES_MAX
        {
            view.copy_within(start..end, *last_end);
            *last_end += end - start;
            return;
        }
        self.ranges[self.count] = (start, end);
        self.count += 1;
    }
}
