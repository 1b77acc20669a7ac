//! Unix sockets to listen on: the file is made with its mode, a dead process's is cleared away, and
//! one that is in use is left alone.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::sockets::BACKLOG;
use crate::base::Problem;

/// The file of a listening socket; removed on drop, if it is still this socket's.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode. As long as the socket is open, no other file has them.
    identity: (u64, u64),
}

/// Listens at `path`. Its file gets `mode` before a client can connect; without one, what the
/// process's umask leaves of 0777.
///
/// # Errors
/// `AddrInUse` when somebody listens there, `AlreadyExists` when a file is there that is no socket;
/// what bind(2) and chmod(2) say.
pub(super) fn bind(path: &Path, mode: Option<u32>) -> io::Result<(OwnedFd, SocketFile)> {
    let address = SockAddr::unix(path)?;
    clear(path, &address)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    let file = SocketFile::of(path)?;
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    // Before this, connecting is refused: nobody comes in by a mode that was there for a moment.
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// Makes way: a socket that refuses connections has lost its process.
fn clear(path: &Path, address: &SockAddr) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let asking = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // With a full queue behind the address a blocking connect would wait.
    asking.set_nonblocking(true)?;
    match asking.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Its folder may be gone or read-only: the next start clears it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

pub(super) fn explain(path: &Path, error: &io::Error) -> Problem {
    let folder = path.parent().unwrap_or(path).display();
    let path = path.display();
    let (what, fix) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            format!("unix:{path} is in use by another program"),
            format!("stop it (`ss -lxp 'src = {path}'` names it) or choose another path"),
        ),
        io::ErrorKind::AlreadyExists => (
            format!("{path} is there and is no socket"),
            "remove it, or choose another path".to_owned(),
        ),
        io::ErrorKind::NotFound => (
            format!("cannot listen on unix:{path}: the folder {folder} is not there"),
            "make it; with systemd, RuntimeDirectory= does".to_owned(),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("this user may not make or use the socket {path}"),
            format!("let it write to the folder {folder}, or remove what another user left there"),
        ),
        _ => (format!("cannot listen on unix:{path}: {error}"), String::new()),
    };
    Problem::of_process(what, fix)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    /// A path of this test's own, in a folder that is removed at the end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir();
            let folder = folder.join(format!("ringway-unix-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn path(&self) -> PathBuf {
            self.0.join("s")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_socket_has_its_mode_and_goes_with_its_owner() {
        let place = Place::new("mode");
        let (socket, file) = bind(&place.path(), Some(0o620)).unwrap();
        let mode = fs::metadata(place.path()).unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o620);
        assert!(UnixStream::connect(place.path()).is_ok());
        drop((file, socket));
        assert!(!place.path().exists());
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let place = Place::new("dead");
        let other = UnixListener::bind(place.path()).unwrap();
        let error = bind(&place.path(), None).unwrap_err();
        let problem = explain(&place.path(), &error);
        assert!(problem.message.contains("is in use by another program"), "{problem}");
        assert!(UnixStream::connect(place.path()).is_ok());
        drop(other);
        assert!(bind(&place.path(), None).is_ok());
    }

    /// A blocking connect would have waited there for ever.
    #[test]
    fn a_live_socket_whose_queue_is_full_is_left_alone() {
        let place = Place::new("full");
        let full = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        full.bind(&SockAddr::unix(place.path()).unwrap()).unwrap();
        full.listen(0).unwrap();
        let _waits = UnixStream::connect(place.path()).unwrap();
        let error = bind(&place.path(), None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(place.path().exists());
    }

    #[test]
    fn other_files_are_left_alone() {
        let place = Place::new("files");
        fs::write(place.path(), "precious").unwrap();
        let error = bind(&place.path(), None).unwrap_err();
        assert!(explain(&place.path(), &error).message.contains("is no socket"));
        assert_eq!(fs::read(place.path()).unwrap(), b"precious");
        let error = bind(&place.0.join("none/s"), None).unwrap_err();
        assert!(explain(&place.0.join("none/s"), &error).message.contains("none is not there"));
    }

    #[test]
    fn the_file_of_a_successor_is_left_alone() {
        let place = Place::new("successor");
        let (_socket, file) = bind(&place.path(), None).unwrap();
        fs::remove_file(place.path()).unwrap();
        let _successor = UnixListener::bind(place.path()).unwrap();
        drop(file);
        assert!(UnixStream::connect(place.path()).is_ok());
    }
}
