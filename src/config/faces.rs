//! Certificate files in, faces out: what each listener shows to clients that speak TLS.

use std::sync::Arc;

use super::{GivenCertificate, Overrides, Problems, Settings, Source, Transport};
use crate::tls::{Certificate, Face, Faces, Policy};

/// Reads what the listeners of `settings` show. What is wrong is in `problems`.
pub(super) fn compile(
    settings: &Settings,
    overrides: &Overrides,
    problems: &mut Problems,
    mut read: impl FnMut(&std::path::Path) -> Result<Vec<u8>, String>,
) -> Faces {
    let mut faces = Faces::default();
    let Some(given) = &overrides.certificate else { return faces };
    let certificate = match given {
        GivenCertificate::Made { chain, key } => Certificate::parse(
            ("the certificate made for this run", chain.as_bytes()),
            ("its key", key.as_bytes()),
        ),
        GivenCertificate::Files { chain, key } => {
            let mut read = |path: &std::path::Path| {
                read(path).map_err(|reason| format!("{} {reason}", path.display()))
            };
            read(chain).and_then(|chain_pem| {
                let (chain, key_pem) = (chain.display().to_string(), read(key)?);
                let key = key.display().to_string();
                Certificate::parse((&chain, &chain_pem), (&key, &key_pem))
            })
        }
    };
    let listeners = settings.listeners.iter();
    for listener in listeners.filter(|listener| listener.transport == Transport::Tls) {
        let face = certificate.clone().and_then(|certificate| {
            Face::compile(vec![certificate], &Policy::default(), listener.http2)
        });
        match face {
            Ok(face) => faces.add(&listener.address.to_string(), Arc::new(face)),
            Err(sentence) => problems.error_nowhere(sentence, ""),
        }
    }
    faces
}

/// Reads for [`compile`], and notes what was read.
pub(super) fn reader<'r>(
    source: &'r Source,
    noted: &'r mut Vec<std::path::PathBuf>,
) -> impl FnMut(&std::path::Path) -> Result<Vec<u8>, String> + use<'r> {
    move |path| {
        if !noted.iter().any(|known| known == path) {
            noted.push(path.to_path_buf());
        }
        source.read_beside(path)
    }
}
