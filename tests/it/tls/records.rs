//! Records after a handshake that a sound TLS library would never send: sealed here, by the keys
//! that rustls hands over.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::Duration,
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

use super::{Shown, greeting};
use crate::harness::{PATIENCE, Upstream, ok, trusting_with};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
const CHANGE_CIPHER_SPEC: u8 = 20;

/// A client after its handshake, whose records are what a test wants them to be.
struct Forger {
    socket: TcpStream,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    is_tls13: bool,
}

impl Forger {
    #[track_caller]
    fn connect(shown: &Shown, version: &'static SupportedProtocolVersion) -> Self {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let is_tls13 = version.version == TLS13.version;
        provider.cipher_suites.retain(|suite| {
            let name = format!("{:?}", suite.suite());
            name.contains("AES_256") && name.starts_with("TLS13") == is_tls13
        });
        let mut config: ClientConfig = trusting_with(&shown.authority, provider);
        config.enable_secret_extraction = true;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut socket = TcpStream::connect(shown.gateway.tls[0]).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).unwrap();
        }
        while connection.wants_write() {
            connection.write_tls(&mut socket).unwrap();
        }
        let (sequence, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else { panic!() };
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).unwrap());
        Self { socket, key, iv: iv.as_ref().try_into().unwrap(), sequence, is_tls13 }
    }

    /// One record of this type.
    fn seal(&mut self, content: u8, text: &[u8]) -> Vec<u8> {
        let mut nonce = self.iv;
        let sequence = self.sequence.to_be_bytes();
        nonce[4..].iter_mut().zip(sequence).for_each(|(byte, other)| *byte ^= other);
        let explicit = if self.is_tls13 { vec![] } else { nonce[4..].to_vec() };
        let mut inner = text.to_vec();
        inner.extend(self.is_tls13.then_some(content));
        let outer = if self.is_tls13 { DATA } else { content };
        let header = |length: usize| {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            [outer, 3, 3, high, low]
        };
        let protected = header(explicit.len() + inner.len() + 16);
        let aad = match self.is_tls13 {
            true => protected.to_vec(),
            false => [&sequence[..], &header(text.len())].concat(),
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut inner).unwrap();
        self.sequence += 1;
        [&protected[..], &explicit, &inner].concat()
    }

    fn send(&mut self, content: u8, text: &[u8]) {
        let record = self.seal(content, text);
        self.socket.write_all(&record).unwrap();
    }

    /// Records until the connection ends: their types and lengths.
    fn read_to_end(&mut self) -> Vec<(u8, usize)> {
        let mut bytes = Vec::new();
        if let Err(error) = self.socket.read_to_end(&mut bytes) {
            assert!(error.kind() == ErrorKind::ConnectionReset, "{error}");
        }
        let mut records = Vec::new();
        while let [kind, _, _, high, low, rest @ ..] = &bytes[..] {
            let length = usize::from(*high) << 8 | usize::from(*low);
            records.push((*kind, length));
            bytes = rest[length..].to_vec();
        }
        records
    }
}

/// Each refused renegotiation left an alert in memory until the client took the last one: 31 bytes
/// for 30, without end.
#[test]
fn renegotiations_that_are_refused_leave_nothing_behind() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(request.body.len().to_string()));
        }
    });
    let shown = Shown::start(&upstream);
    let mut hog = Forger::connect(&shown, &TLS12);
    hog.send(DATA, b"POST / HTTP/1.1\r\nhost: it\r\ncontent-length: 1000000\r\n\r\n");
    let rounds = |hog: &mut Forger, count: usize| {
        for _ in 0..count {
            let mut records = Vec::new();
            for _ in 0..20 {
                records.extend(hog.seal(DATA, b"x"));
                (0..32).for_each(|_| records.extend(hog.seal(HANDSHAKE, b"")));
            }
            hog.socket.write_all(&records).unwrap();
        }
    };
    rounds(&mut hog, 500);
    let before = shown.gateway.memory_kib();
    rounds(&mut hog, 1_500);
    let grown = shown.gateway.memory_kib().saturating_sub(before);
    assert!(grown < 8 * 1_024, "{grown} KiB");
}

/// 4,096 hellos of 64 KiB that did not end were 370 MiB.
#[test]
fn a_hello_that_is_too_long_is_not_waited_for() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let mut hello = vec![1, 0, 0xff, 0xf0, 3, 3];
    hello.resize(65_000, 0);
    let mut records = Vec::new();
    for piece in hello.chunks(16_000) {
        let [high, low] = u16::try_from(piece.len()).unwrap().to_be_bytes();
        records.extend([HANDSHAKE, 3, 1, high, low]);
        records.extend(piece);
    }
    for (count, is_borne) in [(32_010, true), (32_015, false)] {
        let mut socket = TcpStream::connect(shown.gateway.tls[0]).unwrap();
        socket.write_all(&records[..count]).unwrap();
        let patience = if is_borne { Duration::from_millis(500) } else { PATIENCE };
        socket.set_read_timeout(Some(patience)).unwrap();
        let waits = socket.read(&mut [0; 9]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
        assert_eq!(waits, is_borne, "{count} bytes");
    }
}

/// Records that did not end had all blocks to join records in, and everybody else's
/// connection ended at the first record that came in two pieces.
#[test]
fn records_that_do_not_end_hold_nobody_else() {
    let upstream = Upstream::echoing();
    let shown = Shown::start(&upstream);
    let mut hogs: Vec<Forger> = (0..9_000).map(|_| Forger::connect(&shown, &TLS13)).collect();
    for hog in &mut hogs {
        let record = hog.seal(DATA, &[b'x'; 16_000]);
        hog.socket.write_all(&record[..6_000]).unwrap();
    }
    thread::sleep(Duration::from_millis(500));
    let mut client = shown.connect();
    let body = vec![b'b'; 60_000];
    client.send(format!("POST / HTTP/1.1\r\nhost: it\r\ncontent-length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert!(client.answer().body == body);
}

/// After the handshake nothing comes in plain text, nothing changes the cipher, and what no record
/// may be ends the connection with one alert.
#[test]
fn records_that_may_not_come_end_the_connection() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let get = b"GET / HTTP/1.1\r\nhost: it\r\n\r\n";
    let mut ends = 0;
    for version in [&TLS12, &TLS13] {
        let mut check = |forge: &dyn Fn(&mut Forger)| {
            let mut forger = Forger::connect(&shown, version);
            forge(&mut forger);
            let after = forger.seal(DATA, get);
            let _ = forger.socket.write_all(&after);
            let records = forger.read_to_end();
            let alert = if forger.is_tls13 { (DATA, 19) } else { (ALERT, 26) };
            assert_eq!(records.last(), Some(&alert), "{records:?}");
            ends += 1;
            shown.gateway.await_number("ringway_tls_alerts_sent_total", ends);
        };
        check(&|forger| forger.socket.write_all(&[CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1]).unwrap());
        check(&|forger| forger.socket.write_all(&[ALERT, 3, 3, 0, 2, 1, 0]).unwrap());
        check(&|forger| {
            forger.socket.write_all(&[&[DATA, 3, 3, 0, 28], &get[..]].concat()).unwrap();
        });
        check(&|forger| forger.send(CHANGE_CIPHER_SPEC, &[1]));
        check(&|forger| forger.send(ALERT, &[1]));
        check(&|forger| forger.send(24, &[1, 0, 0]));
        check(&|forger| {
            let twice = forger.seal(DATA, b"G");
            forger.socket.write_all(&[&twice[..], &twice].concat()).unwrap();
        });
        check(&|forger| {
            let mut changed = forger.seal(DATA, b"G");
            *changed.last_mut().unwrap() ^= 1;
            forger.socket.write_all(&changed).unwrap();
        });
        check(&|forger| {
            let _lost = forger.seal(DATA, b"G");
        });
    }
    let mut split = Forger::connect(&shown, &TLS13);
    split.send(HANDSHAKE, &[24, 0, 0]);
    split.send(DATA, get);
    assert_eq!(split.read_to_end().last(), Some(&(DATA, 19)));
    assert!(upstream.requests().is_empty());
}

/// 2,100 clients that pipelined a long record behind a slow answer had all blocks to join ones in.
#[test]
fn records_behind_a_slow_answer_hold_nobody_else() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            match request.target.as_str() {
                "/never" => drop(peer.wait_for_close()),
                _ => drop(peer.send(ok("good"))),
            }
        }
    });
    let shown = Shown::start(&upstream);
    let mut hogs: Vec<Forger> = (0..2_500).map(|_| Forger::connect(&shown, &TLS13)).collect();
    for hog in &mut hogs {
        let mut text = b"GET /never HTTP/1.1\r\nhost: it\r\n\r\n".to_vec();
        text.resize(16_000, b'x');
        hog.send(DATA, &text);
    }
    thread::sleep(Duration::from_secs(1));
    let mut client = shown.connect();
    client.send("POST / HTTP/1.1\r\nhost: it\r\ncontent-length: 60000\r\n\r\n");
    client.send(vec![b'b'; 60_000]);
    assert_eq!(client.answer().text(), "good");
}
