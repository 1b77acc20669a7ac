//! Where documents come from: the file system, or what was compiled into the program.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustls::pki_types::CertificateDer;

use crate::{
    base::limits::{DOCUMENT_BYTES_MAX, FOLDER_NAMES_MAX},
    demo,
};

/// What is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A gateway file or an OpenAPI document.
    File(PathBuf),
    /// The pet store of [`demo`]: no file is read. Its stage variable [`demo::BACKEND`] must be
    /// overridden with the address of its upstream.
    Demo,
}

/// A variable of the process's environment; an empty one is none.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

impl Source {
    /// The path of the first document, as problems tell it.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Demo => Path::new(demo::FILE),
        }
    }

    /// The bytes at `path`, at most one more than a document may have.
    ///
    /// # Errors
    /// The reason, as the end of a sentence that begins with the file's name.
    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        match self {
            Self::Demo => Ok(demo::DEFINITION.as_bytes().to_vec()),
            Self::File(_) => self.read_beside(path),
        }
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub(super) fn list(&self, folder: &Path) -> Result<Vec<String>, String> {
        let cannot = |error: std::io::Error| format!("cannot be read: {error}");
        let entries = std::fs::read_dir(folder).map_err(cannot)?;
        let mut names = Vec::new();
        for entry in entries.take(FOLDER_NAMES_MAX) {
            names.push(entry.map_err(cannot)?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The certificates of the authorities that this machine trusts; none when it has none.
    #[expect(clippy::unused_self, reason = "all that is read is read from a source")]
    pub(super) fn system_authorities(&self) -> Vec<CertificateDer<'static>> {
        rustls_native_certs::load_native_certs().certs
    }

    /// Whether everybody on this machine may read a file.
    #[expect(clippy::unused_self, reason = "all that is read is read from a source")]
    pub(super) fn is_public(&self, path: &Path) -> bool {
        const OTHERS_READ: u32 = 0o004;
        let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        found.is_some_and(|found| found.permissions().mode() & OTHERS_READ != 0)
    }

    /// What is at `path`, in a form that changes when it changes; of a file at most one byte more
    /// than `bytes_max`.
    pub(super) fn look(&self, path: &Path, bytes_max: usize) -> Option<Vec<u8>> {
        let listed = || self.list(path).ok().map(|names| names.join("\n").into_bytes());
        self.read_up_to(path, bytes_max).ok().or_else(listed)
    }

    /// The bytes of a file that is no document: a certificate, a key.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub(super) fn read_beside(&self, path: &Path) -> Result<Vec<u8>, String> {
        self.read_up_to(path, DOCUMENT_BYTES_MAX)
    }

    /// The bytes of a file, at most one more than `bytes_max`.
    ///
    /// # Errors
    /// As [`Source::read`].
    #[expect(clippy::unused_self, reason = "all that is read is read from a source")]
    pub(super) fn read_up_to(&self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
        let cannot = |error: std::io::Error| format!("cannot be read: {error}");
        // Opening one waits for whoever writes: in a folder of certificates, that may be nobody.
        // A shell's `<(..)` is one too, with its writer at the other end.
        let is_fifo = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
        if is_fifo && !path.starts_with("/dev") && !path.starts_with("/proc") {
            return Err("is a FIFO, not a file".to_owned());
        }
        let file = File::open(path).map_err(cannot)?;
        if file.metadata().map_err(cannot)?.is_dir() {
            return Err("is a folder, not a file".to_owned());
        }
        let mut bytes = Vec::new();
        file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
        Ok(bytes)
    }
}
