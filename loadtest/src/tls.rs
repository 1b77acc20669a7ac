//! TLS as a client of the gateways speaks it: X25519 before all, so that all do the same work.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind,
    SignatureScheme, StreamOwned, SupportedProtocolVersion, version,
};
use serde::Serialize;

use crate::certificate::{Certificate, SERVER_NAME};
use crate::{drive, soak};

/// A connection whose first write or read makes the handshake.
pub(crate) type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) enum Version {
    #[serde(rename = "TLS 1.2")]
    Tls12,
    #[serde(rename = "TLS 1.3")]
    Tls13,
}

impl Version {
    pub(crate) const ALL: [Self; 2] = [Self::Tls13, Self::Tls12];

    fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &version::TLS12,
            Self::Tls13 => &version::TLS13,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// Whether a handshake goes on from an earlier session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Beginning {
    Full,
    Resumed,
}

/// What a client offers, and what it keeps of earlier sessions.
#[derive(Debug)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    /// A client that speaks only `version` and, with [`Beginning::Resumed`], offers the tickets
    /// that its earlier connections got.
    pub(crate) fn new(
        certificate: &Certificate,
        version: Version,
        beginning: Beginning,
    ) -> io::Result<Self> {
        // OpenSSL takes an ECDSA certificate of P-256 with TLS 1.2 only where the group is offered.
        let kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
        let provider = CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
        let pinned = Pinned(certificate.der.clone());
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version.supported()])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pinned))
            .with_no_client_auth();
        config.resumption = match beginning {
            Beginning::Full => Resumption::disabled(),
            Beginning::Resumed => Resumption::in_memory_sessions(8),
        };
        Ok(Self { config: Arc::new(config) })
    }

    /// Puts TLS on a connection.
    pub(crate) fn connect(&self, socket: TcpStream) -> io::Result<Connection> {
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        let session =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, socket))
    }
}

/// Whether the handshake, which is over, began as it was meant to.
pub(crate) fn began(connection: &Connection, wanted: Beginning) -> bool {
    match wanted {
        Beginning::Full => connection.conn.handshake_kind() == Some(HandshakeKind::Full),
        Beginning::Resumed => connection.conn.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// What a gateway agrees to, in words, so that a reader can see that all agree to the same.
pub(crate) fn describe(address: SocketAddr, certificate: &Certificate) -> io::Result<String> {
    let mut words = vec![];
    for version in Version::ALL {
        let client = Client::new(certificate, version, Beginning::Resumed)?;
        let (mut resumes, mut tickets) = ("does not resume", String::new());
        let mut agreed = String::new();
        for round in 0..2 {
            let mut connection = client.connect(soak::connect_from(address, 2)?)?;
            drive::exchange(&mut connection, &drive::last_request("/", address))?;
            if began(&connection, Beginning::Resumed) {
                resumes = "resumes";
            }
            if round == 0 && version == Version::Tls13 {
                tickets = format!(" ({} tickets)", connection.conn.tls13_tickets_received());
            }
            let suite = connection.conn.negotiated_cipher_suite().map(|suite| suite.suite());
            let group = connection.conn.negotiated_key_exchange_group().map(|group| group.name());
            agreed = match (suite, group) {
                (Some(suite), Some(group)) => format!("{suite:?} {group:?}"),
                // A resumed handshake of TLS 1.2 exchanges no keys.
                _ => agreed,
            };
        }
        words.push(format!("{version}: {agreed}, {resumes}{tickets}"));
    }
    Ok(words.join("; "))
}

/// Knows one certificate. The signature of the handshake is not checked: that is the load's own
/// work and would slow it down.
#[derive(Debug)]
struct Pinned(CertificateDer<'static>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let known = *end_entity == self.0;
        let wrong = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        known.then(ServerCertVerified::assertion).ok_or(wrong)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
