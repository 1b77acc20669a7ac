//! A TLS handshake over a connection, by rustls. What it leaves behind is a [`Session`].
//!
//! rustls is given one whole record at a time, so that whatever follows the last record of the
//! handshake stays ours to open. Its memory and the copies here live as long as the handshake.

use std::{future::poll_fn, io, sync::Arc};

use rustls::{
    CipherSuite, CommonState, ExtractedSecrets, HandshakeKind, ProtocolVersion,
    client::{ClientConnectionData, UnbufferedClientConnection},
    pki_types::ServerName,
    server::{Accepted, Acceptor, ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus},
};

use super::{
    record::{Keys, record_bytes},
    session::{Kernel, Session},
};
use crate::{
    base::{
        Buffer,
        limits::{TLS_CLIENT_HANDSHAKE_BYTES_MAX, TLS_HANDSHAKE_BYTES_MAX},
    },
    http::{ClientCertificate, Secured},
    net::tcp::Tcp,
    ring::Outgoing,
    tls::{self, DomainKey, Shake},
};

/// The first byte of a handshake: the type of its record.
const HANDSHAKE: u8 = 22;
/// The first byte of a refusal of one.
const ALERT: u8 = 21;
/// A fatal alert in plain text: there is no certificate for this name.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Which side of a handshake this is, and with what.
pub(in crate::net) enum Party {
    Server(Arc<tls::Face>),
    Client(Arc<rustls::ClientConfig>, ServerName<'static>),
}

/// What a handshake agreed on.
#[derive(Debug)]
pub struct Negotiated {
    /// What requests tell of it.
    pub secured: Secured,
    /// The protocol that goes over the connection (ALPN), when one was agreed on.
    pub alpn: Option<Box<[u8]>>,
    /// The name that the client came to (SNI), in lower case, where names decide something.
    pub server_name: Option<Box<str>>,
    /// The domain whose rules the handshake followed.
    pub domain: Option<DomainKey>,
    /// The keys are those of an earlier connection.
    pub resumed: bool,
    /// The client has shown a certificate, and it was checked.
    pub verified: bool,
}

impl Negotiated {
    /// What a domain may ask of the connection.
    #[must_use]
    pub fn shake(&self) -> Shake<'_> {
        Shake {
            server_name: self.server_name.as_deref(),
            domain: self.domain,
            verified: self.verified,
        }
    }
}

/// Why there is no TLS connection.
#[derive(Debug)]
pub enum HandshakeFault {
    /// The peer left before it said anything, or had nothing to say in time.
    Silent,
    /// It left, or the connection broke, within the handshake.
    Broken(io::ErrorKind),
    /// What came first is HTTP in plain text.
    PlainHttp,
    /// What came first is neither.
    Garbage,
    /// There is no certificate for this name.
    NoCertificate,
    /// The two could not agree, or one lied: what rustls says. Where it was our side that found
    /// out, the peer has been told by an alert.
    Refused(rustls::Error),
}

/// Runs a handshake to its end.
///
/// # Errors
/// See [`HandshakeFault`]. The connection is of no more use then.
pub(super) async fn run(tcp: &Tcp, party: Party) -> Result<(Session, Negotiated), HandshakeFault> {
    let (rest, records, out) = (Buffer::empty(), Vec::new(), Vec::new());
    let bytes_max = match &party {
        Party::Server(_) => TLS_CLIENT_HANDSHAKE_BYTES_MAX,
        Party::Client(..) => TLS_HANDSHAKE_BYTES_MAX,
    };
    let mut wire = Wire { tcp, rest, records, bytes_max, out, heard: false };
    let outcome = match party {
        Party::Server(face) => wire.serve(&face).await,
        Party::Client(config, name) => wire.ask(config, name).await,
    };
    match outcome {
        Ok((mut session, negotiated)) => {
            // A client that has said nothing yet may wait for this: for the end of a TLS 1.2
            // handshake, and under Nagle's rule for any word at all. In HTTP/2 we speak first.
            let goes_with_more = !wire.rest.is_empty() || negotiated.alpn.as_deref() == Some(b"h2");
            if matches!(session.kernel(), Kernel::Server(_))
                && !(session.is_tls13() && goes_with_more)
            {
                wire.out = std::mem::take(&mut session.waiting);
                wire.flush().await?;
            }
            session.receive(wire.rest, tcp.joints());
            Ok((session, negotiated))
        }
        Err(fault) => {
            // An alert that cannot be sent is not waited for.
            if !wire.out.is_empty() && tcp.may_send() {
                tcp.start_send(Outgoing { text: wire.out, pieces: Vec::new() });
            }
            Err(fault)
        }
    }
}

/// The connection under a handshake.
struct Wire<'t> {
    tcp: &'t Tcp,
    /// Received, and not yet in `records`.
    rest: Buffer,
    /// What rustls has not done with: whole records, and the beginning of one behind them.
    records: Vec<u8>,
    /// How long those may become.
    bytes_max: usize,
    /// To be sent.
    out: Vec<u8>,
    /// The peer has said something.
    heard: bool,
}

type Chosen = (Arc<rustls::ServerConfig>, Option<Box<str>>, Option<DomainKey>);

/// How far one look of rustls at the records has come.
pub(super) enum Step {
    Blocked,
    Done,
}

impl Wire<'_> {
    async fn serve(&mut self, face: &tls::Face) -> Result<(Session, Negotiated), HandshakeFault> {
        self.read_record().await?;
        let (config, server_name, domain) = match face.only() {
            Some(config) => (Arc::clone(config), None, None),
            None => self.choose(face).await?,
        };
        let server = UnbufferedServerConnection::new(config).map_err(HandshakeFault::Refused)?;
        let mut server = Box::new(server);
        while let Step::Blocked = step(&mut *server, &mut self.records, &mut self.out)? {
            self.flush().await?;
            self.read_record().await?;
        }
        let own = server.peer_certificates().and_then(<[_]>::first);
        let negotiated = Negotiated {
            secured: secured(&server, own.and_then(tls::read_client)),
            alpn: server.alpn_protocol().map(Box::from),
            server_name,
            domain,
            resumed: server.handshake_kind() == Some(HandshakeKind::Resumed),
            verified: server.peer_certificates().is_some(),
        };
        let (secrets, kernel) =
            server.dangerous_into_kernel_connection().map_err(HandshakeFault::Refused)?;
        self.open(&secrets, Kernel::Server(Box::new(kernel)), negotiated)
    }

    async fn ask(
        &mut self,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<(Session, Negotiated), HandshakeFault> {
        let client =
            UnbufferedClientConnection::new(config, name).map_err(HandshakeFault::Refused)?;
        let mut client = Box::new(client);
        while let Step::Blocked = step(&mut *client, &mut self.records, &mut self.out)? {
            self.flush().await?;
            self.read_record().await?;
        }
        let negotiated = Negotiated {
            secured: secured(&client, None),
            alpn: client.alpn_protocol().map(Box::from),
            server_name: None,
            domain: None,
            resumed: client.handshake_kind() == Some(HandshakeKind::Resumed),
            verified: false,
        };
        let (secrets, kernel) =
            client.dangerous_into_kernel_connection().map_err(HandshakeFault::Refused)?;
        self.open(&secrets, Kernel::Client(Box::new(kernel)), negotiated)
    }

    /// The configuration for the name that the client comes to.
    async fn choose(&mut self, face: &tls::Face) -> Result<Chosen, HandshakeFault> {
        let hello = self.read_hello().await?;
        let name = hello.client_hello().server_name().map(str::to_ascii_lowercase);
        let Some((config, domain)) = face.find(name.as_deref()) else {
            self.out.extend_from_slice(&UNRECOGNIZED_NAME);
            return Err(HandshakeFault::NoCertificate);
        };
        Ok((Arc::clone(config), name.map(String::into_boxed_str), domain))
    }

    /// The whole ClientHello, in as many records as it comes; they stay in `records`.
    async fn read_hello(&mut self) -> Result<Accepted, HandshakeFault> {
        let mut acceptor = Acceptor::default();
        let mut seen = 0;
        loop {
            let mut new = &self.records[seen..];
            while !new.is_empty() {
                // Reading from memory fails only when rustls has more than a hello may be.
                let read = acceptor.read_tls(&mut new);
                read.map_err(|_| HandshakeFault::Broken(io::ErrorKind::InvalidData))?;
            }
            seen = self.records.len();
            match acceptor.accept() {
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => self.read_record().await?,
                Err((error, mut alert)) => {
                    // Writing into memory does not fail.
                    let _ = alert.write_all(&mut self.out);
                    return Err(HandshakeFault::Refused(error));
                }
            }
        }
    }

    fn open(
        &mut self,
        secrets: &ExtractedSecrets,
        kernel: Kernel,
        negotiated: Negotiated,
    ) -> Result<(Session, Negotiated), HandshakeFault> {
        let is_tls13 = kernel.is_tls13();
        let keys = |(sequence, secrets): &(u64, _)| {
            Keys::new(secrets, *sequence, is_tls13).ok_or_else(|| {
                HandshakeFault::Refused(rustls::Error::General("an unknown cipher".to_owned()))
            })
        };
        let (outbound, inbound) = (keys(&secrets.tx)?, keys(&secrets.rx)?);
        let waiting = std::mem::take(&mut self.out);
        Ok((Session::new(outbound, inbound, kernel, waiting), negotiated))
    }

    /// Moves the next whole record to `records`.
    async fn read_record(&mut self) -> Result<(), HandshakeFault> {
        let start = self.records.len();
        loop {
            let partial = &self.records[start..];
            let Ok(length) = record_bytes(partial) else { return Err(HandshakeFault::Garbage) };
            let missing = length.unwrap_or(super::record::HEADER_BYTES) - partial.len();
            if length.is_some() && missing == 0 {
                return Ok(());
            }
            if start + length.unwrap_or(0) > self.bytes_max {
                return Err(HandshakeFault::Broken(io::ErrorKind::InvalidData));
            }
            if self.rest.is_empty() {
                self.rest = self.receive().await?;
            }
            let taken = missing.min(self.rest.len());
            self.records.extend_from_slice(&self.rest[..taken]);
            self.rest.advance(taken);
        }
    }

    async fn receive(&mut self) -> Result<Buffer, HandshakeFault> {
        let is_first = !std::mem::replace(&mut self.heard, true);
        match poll_fn(|context| self.tcp.poll_receive(context)).await {
            Ok(Some(bytes)) if is_first && !matches!(bytes[0], HANDSHAKE | ALERT) => {
                Err(judge(&bytes))
            }
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) | Err(_) if is_first => Err(HandshakeFault::Silent),
            Ok(None) => Err(HandshakeFault::Broken(io::ErrorKind::UnexpectedEof)),
            Err(error) => Err(HandshakeFault::Broken(error.kind())),
        }
    }

    async fn flush(&mut self) -> Result<(), HandshakeFault> {
        if self.out.is_empty() {
            return Ok(());
        }
        let broken = |error: io::Error| HandshakeFault::Broken(error.kind());
        poll_fn(|context| self.tcp.poll_sent(context)).await.map_err(broken)?;
        let text = std::mem::take(&mut self.out);
        self.tcp.start_send(Outgoing { text, pieces: Vec::new() });
        Ok(())
    }
}

/// Lets rustls look at the records until it is done or needs more of them.
pub(super) fn step<E: Engine>(
    engine: &mut E,
    records: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Step, HandshakeFault> {
    let mut refused = None;
    loop {
        let UnbufferedStatus { discard, state } = engine.process(records);
        let end = match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(&mut data, out);
                None
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                None
            }
            Ok(ConnectionState::BlockedHandshake) => Some(Ok(Step::Blocked)),
            Ok(ConnectionState::WriteTraffic(_)) => Some(Ok(Step::Done)),
            Ok(_) => Some(Err(HandshakeFault::Broken(io::ErrorKind::InvalidData))),
            // Once more: there may be an alert to send.
            Err(error) if refused.is_none() => {
                refused = Some(error);
                None
            }
            Err(error) => Some(Err(HandshakeFault::Refused(error))),
        };
        records.drain(..discard);
        match (end, refused.take()) {
            (Some(_), Some(error)) => return Err(HandshakeFault::Refused(error)),
            (Some(end), None) => return end,
            (None, waiting) => refused = waiting,
        }
    }
}

/// Both of rustls's connections.
pub(super) trait Engine {
    type Side;
    fn process<'e, 'i>(&'e mut self, records: &'i mut [u8])
    -> UnbufferedStatus<'e, 'i, Self::Side>;
}

impl Engine for UnbufferedServerConnection {
    type Side = ServerConnectionData;
    fn process<'e, 'i>(
        &'e mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'e, 'i, Self::Side> {
        self.process_tls_records(records)
    }
}

impl Engine for UnbufferedClientConnection {
    type Side = ClientConnectionData;
    fn process<'e, 'i>(
        &'e mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'e, 'i, Self::Side> {
        self.process_tls_records(records)
    }
}

fn encode<Side>(data: &mut EncodeTlsData<'_, Side>, out: &mut Vec<u8>) {
    let start = out.len();
    let Err(EncodeError::InsufficientSize(short)) = data.encode(&mut []) else { return };
    out.resize(start + short.required_size, 0);
    let written = data.encode(&mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// What somebody says who does not begin a handshake.
fn judge(bytes: &[u8]) -> HandshakeFault {
    let word = bytes.iter().position(|byte| !byte.is_ascii_uppercase());
    match word {
        Some(1..) if bytes.get(word.unwrap_or(0)) == Some(&b' ') => HandshakeFault::PlainHttp,
        _ => HandshakeFault::Garbage,
    }
}

fn secured(connection: &CommonState, client: Option<ClientCertificate>) -> Secured {
    let is_tls13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    // rustls has names of its own for the suites of TLS 1.3.
    let cipher_suite = match suite {
        Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => "TLS_AES_128_GCM_SHA256",
        Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => "TLS_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.and_then(|suite| suite.as_str()).unwrap_or_default(),
    };
    Secured { version: if is_tls13 { "TLSv1.3" } else { "TLSv1.2" }, cipher_suite, client }
}
