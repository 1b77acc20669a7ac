//! TLS peers: authorities that sign what a test needs, and a client by rustls's own record layer.
//!
//! The gateway's records are its own code, so that what is judged here shares none of it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};

use super::{
    Answer, Folder, PATIENCE,
    answer::{self, Fault},
};

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, folder: &Folder, name: &str) {
        folder.write(&format!("{name}.key"), &self.key);
        folder.write(&format!("{name}.pem"), &self.chain);
    }
}

/// An authority that signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    /// What comes before it in a chain: itself and those above it, but the root.
    above: String,
}

/// What a certificate says.
pub(crate) struct Wish<'w> {
    pub(crate) name: &'w str,
    pub(crate) hosts: &'w [&'w str],
    pub(crate) serial: u64,
    pub(crate) is_rsa: bool,
}

impl<'w> Wish<'w> {
    pub(crate) fn host(host: &'w [&'w str]) -> Self {
        Self { name: host[0], hosts: host, serial: 7, is_rsa: false }
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem, above: String::new() }
    }

    /// An authority below this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let above = format!("{pem}{}", self.above);
        Self { issuer: Issuer::new(params, key), pem, above }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = named(name);
        params
    }

    pub(crate) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate, its chain behind it.
    pub(crate) fn sign(&self, wish: &Wish<'_>) -> Pair {
        self.sign_with(wish, |_| {})
    }

    pub(crate) fn sign_with(
        &self,
        wish: &Wish<'_>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Pair {
        let hosts: Vec<String> = wish.hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = named(wish.name);
        params.serial_number = Some(SerialNumber::from(wish.serial));
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let algorithm =
            if wish.is_rsa { &rcgen::PKCS_RSA_SHA256 } else { &rcgen::PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { chain: format!("{own}{}", self.above), key: key.serialize_pem() }
    }

    /// The authority's list of serials that it takes back.
    pub(crate) fn revoke(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: rcgen::date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2024, 1, 1),
            next_update: rcgen::date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// What a client brings to its handshakes.
pub(crate) fn trusting(authority: &Authority, own: Option<&Pair>) -> ClientConfig {
    let builder = ClientConfig::builder().with_root_certificates(roots(authority));
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = CertificateDer::pem_slice_iter(own.chain.as_bytes());
            let chain = chain.collect::<Result<_, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.resumption = Resumption::disabled();
    config
}

/// The same with chosen suites and groups.
pub(crate) fn trusting_with(authority: &Authority, provider: CryptoProvider) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(authority))
        .with_no_client_auth()
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    roots
}

/// One TLS connection to the gateway.
pub(crate) struct TlsClient {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl TlsClient {
    /// Connects and shakes hands.
    pub(crate) fn try_connect(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream: BufReader::new(stream) })
    }

    #[track_caller]
    pub(crate) fn connect(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Self {
        Self::try_connect(address, config, name).unwrap()
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes.as_ref())?;
        stream.flush()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn try_answer(&mut self) -> Result<Answer, Fault> {
        answer::read_answer(&mut self.stream, "GET")
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|fault| panic!("no answer: {fault:?}"))
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    #[track_caller]
    pub(crate) fn get(&mut self, host: &str, target: &str) -> Answer {
        self.ask(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"))
    }

    /// The rustls connection, and the socket under it.
    pub(crate) fn parts(&mut self) -> (&mut ClientConnection, &mut TcpStream) {
        let stream = self.stream.get_mut();
        (&mut stream.conn, &mut stream.sock)
    }

    /// What comes until the end; an end without `close_notify` is `UnexpectedEof`.
    pub(crate) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).map(|_| rest)
    }

    /// Exactly these many bytes.
    #[track_caller]
    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The common name of the certificate that the gateway showed.
    pub(crate) fn shown(&self) -> String {
        let connection = &self.stream.get_ref().conn;
        let own = connection.peer_certificates().unwrap().first().unwrap();
        // The issuer's common name comes first, then the subject's: its type, tag and length.
        let places = own.windows(3).enumerate().filter(|(_, bytes)| bytes == b"U\x04\x03");
        let start = places.map(|(place, _)| place + 3).nth(1).unwrap();
        let length = usize::from(own[start + 1]);
        String::from_utf8(own[start + 2..start + 2 + length].to_vec()).unwrap()
    }
}

/// An upstream that speaks TLS, by rustls; its script runs once per connection.
pub(crate) struct TlsUpstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    resumed: AtomicUsize,
    certificates: AtomicUsize,
}

/// One connection from the gateway.
pub(crate) type TlsPeer = BufReader<StreamOwned<ServerConnection, TcpStream>>;

impl TlsUpstream {
    pub(crate) fn start(
        config: ServerConfig,
        script: impl Fn(&mut TlsPeer) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (config, script, seen_) = (Arc::new(config), Arc::new(script), Arc::clone(&seen));
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let (config, script) = (Arc::clone(&config), Arc::clone(&script));
                let seen = Arc::clone(&seen_);
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    let mut stream = StreamOwned::new(connection, socket);
                    while stream.conn.is_handshaking() {
                        if stream.conn.complete_io(&mut stream.sock).is_err() {
                            return;
                        }
                    }
                    let connection = &stream.conn;
                    let is_resumed =
                        connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
                    let is_known = connection.peer_certificates().is_some();
                    seen.connections.fetch_add(1, Ordering::SeqCst);
                    seen.resumed.fetch_add(usize::from(is_resumed), Ordering::SeqCst);
                    seen.certificates.fetch_add(usize::from(is_known), Ordering::SeqCst);
                    let _ = script(&mut BufReader::new(stream));
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Those that went on with an earlier session.
    pub(crate) fn resumed(&self) -> usize {
        self.seen.resumed.load(Ordering::SeqCst)
    }

    /// Those on which the gateway showed a certificate.
    pub(crate) fn certificates(&self) -> usize {
        self.seen.certificates.load(Ordering::SeqCst)
    }
}

/// What an upstream shows, and whom it asks for a certificate.
pub(crate) fn showing(pair: &Pair, asks: Option<&Authority>) -> ServerConfig {
    let builder = match asks {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots(authority)));
            ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_slice_iter(pair.chain.as_bytes());
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    config
}

/// A request without a body; `None` at the end.
pub(crate) fn read_head(peer: &mut TlsPeer) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if peer.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}
