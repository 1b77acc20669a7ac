//! The certificate that every gateway gets: self-signed, ECDSA P-256, made anew for each run.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

/// The name that clients ask for.
pub(crate) const SERVER_NAME: &str = "localhost";

/// A certificate and its key, on disk in the forms that gateways want.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The chain, PEM.
    pub(crate) chain: PathBuf,
    /// The private key, PEM.
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(crate) both: PathBuf,
    /// What clients compare with.
    pub(crate) der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one and writes it to `folder`.
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        let names = vec![SERVER_NAME.to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).map(|()| path)
        };
        Ok(Self {
            chain: write("certificate.pem", &chain)?,
            key: write("certificate.key", &key)?,
            both: write("certificate-and-key.pem", &(chain + &key))?,
            der: made.cert.der().clone(),
        })
    }
}
