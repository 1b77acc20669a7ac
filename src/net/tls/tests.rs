//! Two sessions of a real handshake, in memory: records in any pieces, keys that are used up.

use std::{rc::Rc, sync::Arc};

use rustls::{
    ClientConfig, ServerConfig, SupportedProtocolVersion,
    client::UnbufferedClientConnection,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::UnbufferedServerConnection,
    version::{TLS12, TLS13},
};

use super::{
    alert::Alert,
    handshake::{Step, step},
    record::Keys,
    session::{End, Kernel, Session},
};
use crate::{
    base::{
        Buffer, Joints, Moment, Shelf,
        limits::{JOINT_BLOCK_BYTES, LARGE_BLOCK_BYTES, SMALL_BLOCK_BYTES, TLS_QUIET_MAX},
    },
    ring::Outgoing,
};

struct Ends {
    server: Session,
    client: Session,
    large: Rc<Shelf>,
    small: Rc<Shelf>,
    joints: Rc<Joints>,
}

impl Ends {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
        let chain = vec![made.cert.der().clone()];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.unwrap())
            .unwrap();
        server.enable_secret_extraction = true;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.enable_secret_extraction = true;
        Self::shake(server, client)
    }

    fn shake(server: ServerConfig, client: ClientConfig) -> Self {
        let mut server = UnbufferedServerConnection::new(Arc::new(server)).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut client = UnbufferedClientConnection::new(Arc::new(client), name).unwrap();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut done = [false; 2];
        while done != [true; 2] {
            let mut out = Vec::new();
            done[0] = matches!(step(&mut client, &mut to_client, &mut out).unwrap(), Step::Done);
            to_server.append(&mut out);
            done[1] = matches!(step(&mut server, &mut to_server, &mut out).unwrap(), Step::Done);
            // Tickets are the session's to read.
            if !done[0] {
                to_client.append(&mut out);
            }
        }
        let (of_server, server) = server.dangerous_into_kernel_connection().unwrap();
        let (of_client, client) = client.dangerous_into_kernel_connection().unwrap();
        let session = |secrets: &rustls::ExtractedSecrets, kernel: Kernel, lost: u64| {
            let is_tls13 = kernel.is_tls13();
            let keys = |(sequence, secrets): &(u64, _), lost| {
                Keys::new(secrets, sequence + lost, is_tls13).unwrap()
            };
            Session::new(keys(&secrets.tx, 0), keys(&secrets.rx, lost), kernel, Vec::new())
        };
        // The client has not seen the tickets that were dropped above.
        let lost = of_server.tx.0 - of_client.rx.0;
        Self {
            server: session(&of_server, Kernel::Server(Box::new(server)), 0),
            client: session(&of_client, Kernel::Client(Box::new(client)), lost),
            large: Shelf::new(LARGE_BLOCK_BYTES, 64),
            small: Shelf::new(SMALL_BLOCK_BYTES, 64),
            joints: Rc::new(Joints::new(JOINT_BLOCK_BYTES, 4)),
        }
    }

    /// What the client sends of this text, as bytes on the wire.
    fn sealed(&mut self, text: &[u8]) -> Vec<u8> {
        let plain = Outgoing { text: text.to_vec(), pieces: Vec::new() };
        let mut out = Outgoing::default();
        assert!(self.client.seal(&plain, &mut out, &self.large, Moment(0)));
        wire(&out)
    }

    /// What the server has opened once these bytes have come in blocks of this size.
    fn opened(&mut self, wire: &[u8], size: usize) -> Vec<u8> {
        let shelf = if size > SMALL_BLOCK_BYTES { &self.large } else { &self.small };
        let mut opened = Vec::new();
        for piece in wire.chunks(size) {
            self.server.receive(shelf.gather(&[piece]).unwrap(), &self.joints);
            while let Some(plain) = self.server.take() {
                assert!(!plain.is_empty());
                opened.extend_from_slice(&plain);
            }
        }
        opened
    }
}

fn wire(out: &Outgoing) -> Vec<u8> {
    let pieces = out.pieces.iter().flat_map(|piece| piece.iter().copied());
    out.text.iter().copied().chain(pieces).collect()
}

fn text(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(length as u64).fill(&mut bytes);
    bytes
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

#[test]
fn records_are_opened_in_whatever_pieces_they_come() {
    for version in VERSIONS {
        let mut ends = Ends::new(version);
        for size in [1, 2, 5, 6, 21, 22, 23, 100, 1_399, 1_400, 4_095, 4_096, 16_383, 65_536] {
            for length in [1, 2, 1_400, 8_192, 8_193, 16_384, 40_000, 70_000, 300_000] {
                if length / size > 20_000 {
                    continue;
                }
                let text = text(length);
                let sealed = ends.sealed(&text);
                assert!(ends.opened(&sealed, size) == text, "{length} bytes in pieces of {size}");
            }
        }
        assert!(ends.server.is_quiet());
        assert_eq!(ends.large.available(), 64);
        assert_eq!(ends.small.available(), 64);
        assert_eq!(ends.joints.shelf().available(), 4);
    }
}

#[test]
fn head_and_body_share_a_record_and_the_first_ones_are_short() {
    let mut ends = Ends::new(&TLS13);
    let body = ends.small.gather(&[b"body"]).unwrap();
    let plain = Outgoing { text: b"head".to_vec(), pieces: vec![body.clone(), body] };
    let mut out = Outgoing::default();
    assert!(ends.client.seal(&plain, &mut out, &ends.large, Moment(0)));
    assert_eq!(out.len(), "headbodybody".len() + 22);
    assert_eq!(ends.opened(&wire(&out), 4_096), b"headbodybody");
    // Records until 16 KiB have gone fit in a packet each; a pause begins anew.
    let lengths = |wire: &[u8]| {
        let mut lengths = Vec::new();
        let mut at = 0;
        while at < wire.len() {
            let length = 5 + usize::from(u16::from_be_bytes([wire[at + 3], wire[at + 4]]));
            lengths.push(length);
            at += length;
        }
        lengths
    };
    let sealed = ends.sealed(&text(100_000));
    let found = lengths(&sealed);
    assert!(found[..11].iter().all(|length| *length <= 1_400), "{found:?}");
    assert!(found.iter().all(|length| *length <= 16_384), "{found:?}");
    assert!(found.iter().any(|length| *length > 16_000), "{found:?}");
    ends.opened(&sealed, 65_536);
    assert!(lengths(&ends.sealed(&text(2_000)))[0] > 1_400);
    let plain = Outgoing { text: text(2_000), pieces: Vec::new() };
    let mut out = Outgoing::default();
    let second = Moment(1_000_000_000);
    assert!(ends.client.seal(&plain, &mut out, &ends.large, second));
    assert!(lengths(&wire(&out))[0] <= 1_400);
}

#[test]
fn small_records_become_few_buffers_and_long_ones_stay_where_they_are() {
    let mut ends = Ends::new(&TLS13);
    let mut sealed = Vec::new();
    for number in 0..100_u8 {
        sealed.extend(ends.sealed(&[number; 3]));
    }
    ends.server.receive(ends.large.gather(&[&sealed]).unwrap(), &ends.joints);
    let only = ends.server.take().unwrap();
    assert_eq!(only.len(), 300);
    assert!(ends.server.take().is_none());
    assert!((0..100).all(|number| only[3 * number] == u8::try_from(number).unwrap()));
}

#[test]
fn keys_are_renewed_in_time_and_tls12_stops() {
    let mut ends = Ends::new(&TLS13);
    ends.client.set_sealed_max(50);
    for round in 0..500 {
        let sealed = ends.sealed(b"text");
        assert_eq!(ends.opened(&sealed, 4_096), b"text", "round {round}");
        assert!(ends.client.outbound.sequence() < 50);
    }
    let mut ends = Ends::new(&TLS12);
    ends.client.set_sealed_max(50);
    let mut sealed = 0;
    let plain = || Outgoing { text: b"text".to_vec(), pieces: Vec::new() };
    while ends.client.seal(&plain(), &mut Outgoing::default(), &ends.large, Moment(0)) {
        sealed += 1;
    }
    assert!((40..50).contains(&sealed), "{sealed}");
    assert!(ends.client.is_broken());
}

#[test]
fn records_without_data_are_borne_up_to_a_bound() {
    for version in VERSIONS {
        let mut ends = Ends::new(version);
        let empty = |ends: &mut Ends| {
            let mut record = vec![0; ends.client.outbound.overhead()];
            let content = super::record::Content::Data;
            ends.client.outbound.seal(content, &mut record, |_| {}).unwrap();
            ends.server.receive(ends.small.gather(&[&record]).unwrap(), &ends.joints);
        };
        (0..TLS_QUIET_MAX).for_each(|_| empty(&mut ends));
        let sealed = ends.sealed(b"text");
        assert_eq!(ends.opened(&sealed, 4_096), b"text");
        (0..TLS_QUIET_MAX).for_each(|_| empty(&mut ends));
        assert_eq!(ends.server.end, None);
        empty(&mut ends);
        assert_eq!(ends.server.end, Some(End::Unsound(Alert::UNEXPECTED_MESSAGE)));
        assert!(ends.server.take_urgency());
    }
}

#[test]
fn what_comes_before_the_end_is_handed_out_and_nothing_after_it() {
    for version in VERSIONS {
        let mut ends = Ends::new(version);
        let mut sealed = ends.sealed(b"last words");
        ends.client.close(Alert::CLOSE_NOTIFY);
        let mut out = Outgoing::default();
        ends.client.flush(&mut out);
        sealed.extend(wire(&out));
        sealed.extend(b"whatever");
        assert_eq!(ends.opened(&sealed, 4_096), b"last words");
        assert_eq!(ends.server.end, Some(End::Closed));
        assert_eq!(ends.opened(b"more", 4_096), b"");
        assert!(!ends.server.is_quiet());
    }
}

#[test]
fn a_record_that_finds_no_block_ends_its_connection_alone() {
    let mut ends = Ends::new(&TLS13);
    let kept: Vec<Buffer> = (0..4).map(|_| ends.joints.gather(&[b"x"]).unwrap()).collect();
    ends.sealed(&text(20_000));
    let sealed = ends.sealed(&text(16_000));
    let mut ends = Ends { joints: Rc::clone(&ends.joints), ..Ends::new(&TLS13) };
    for piece in sealed.chunks(4_096) {
        ends.server.receive(ends.small.gather(&[piece]).unwrap(), &ends.joints);
    }
    assert_eq!(ends.server.end, Some(End::Crowded));
    drop(kept);
}

/// No bytes that a peer may send are a reason to panic.
#[test]
fn anything_at_all_may_come() {
    bolero::check!().with_iterations(300).for_each(|bytes: &[u8]| {
        let mut ends = Ends::new(VERSIONS[usize::from(bytes.len() % 2 == 1)]);
        for piece in bytes.chunks(7) {
            ends.server.receive(ends.small.gather(&[piece]).unwrap(), &ends.joints);
        }
        while ends.server.take().is_some() {}
    });
}
