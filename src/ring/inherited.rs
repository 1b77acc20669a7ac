//! Sockets that systemd passes on (`sd_listen_fds(3)`): which there are, and taking them over.
//! Here because a descriptor becomes an owner on its environment's word only.

use std::{
    env, io,
    os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use super::uring::address_of;
use crate::base::Address;

/// The first descriptor that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// More than that no unit has.
const DESCRIPTORS_MAX: usize = 256;

/// A socket that was listening before this process began.
#[derive(Debug)]
pub struct Inherited {
    /// `FileDescriptorName` of its unit; `unknown` where systemd says no name.
    pub name: String,
    /// The socket and its address; or what is wrong with it.
    pub socket: io::Result<(Address, OwnedFd)>,
}

/// The sockets that systemd passes to this process, in its order, once: later calls give none.
/// To be called before anything else is opened.
///
/// # Errors
/// One sentence, when there are some and they are not for this process, or cannot be counted.
pub fn inherited() -> Result<Vec<Inherited>, String> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let variable = |name| env::var(name).ok();
    let said = Said {
        process: variable("LISTEN_PID"),
        count: variable("LISTEN_FDS"),
        names: variable("LISTEN_FDNAMES"),
    };
    let names = said.names(process::id())?;
    let numbered = (FIRST..).zip(names);
    Ok(numbered.map(|(descriptor, name)| Inherited { name, socket: take(descriptor) }).collect())
}

/// What the environment says.
struct Said {
    process: Option<String>,
    count: Option<String>,
    names: Option<String>,
}

impl Said {
    /// A name for each descriptor; none when nothing is passed.
    fn names(&self, own: u32) -> Result<Vec<String>, String> {
        let Some(count) = &self.count else { return Ok(Vec::new()) };
        let process = self.process.as_deref().unwrap_or_default();
        if process.parse() != Ok(own) {
            return Err(format!(
                "LISTEN_FDS is {count}, but for the process {process:?} and not for this one \
                 ({own}): systemd has to start ringway itself, without a shell between"
            ));
        }
        let Some(count) = count.parse().ok().filter(|count| *count <= DESCRIPTORS_MAX) else {
            return Err(format!("LISTEN_FDS is {count:?}; expected 0 to {DESCRIPTORS_MAX}"));
        };
        let mut names: Vec<String> = match self.names.as_deref() {
            None | Some("") => Vec::new(),
            Some(names) => names.split(':').map(str::to_owned).collect(),
        };
        names.resize(count, "unknown".to_owned());
        Ok(names)
    }
}

/// Takes a descriptor over if it is a listening stream socket.
fn take(descriptor: RawFd) -> io::Result<(Address, OwnedFd)> {
    // SAFETY: fcntl with F_GETFD takes any number and touches no memory.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nothing closes it during these calls.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let socket = socket2::SockRef::from(&borrowed);
    if socket.r#type()? != socket2::Type::STREAM || !socket.is_listener()? {
        return Err(io::Error::other("it is no listening stream socket"));
    }
    let is_ip = socket.domain()? != socket2::Domain::UNIX;
    if is_ip {
        socket.set_tcp_nodelay(true)?;
    }
    socket.set_cloexec(true)?;
    let address = address_of(&socket.local_addr()?)?;
    // SAFETY: systemd passed it to this process alone (LISTEN_PID), so nobody here owns it, and
    // `inherited` comes here once for each.
    Ok((address, unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[track_caller]
    fn check(said: [Option<&str>; 3], expected: Result<&[&str], &str>) {
        let [process, count, names] = said.map(|text| text.map(str::to_owned));
        let found = Said { process, count, names }.names(7);
        match expected {
            Ok(names) => assert_eq!(found.unwrap(), names),
            Err(part) => assert!(found.as_ref().is_err_and(|why| why.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn the_environment_is_read_as_sd_listen_fds_does() {
        check([None, None, None], Ok(&[]));
        check([Some("7"), Some("0"), None], Ok(&[]));
        check([Some("7"), Some("2"), Some("http:admin")], Ok(&["http", "admin"]));
        check([Some("7"), Some("2"), None], Ok(&["unknown", "unknown"]));
        check([Some("7"), Some("1"), Some("")], Ok(&["unknown"]));
        check([Some("7"), Some("2"), Some("http")], Ok(&["http", "unknown"]));
        check([Some("7"), Some("1"), Some("a:b")], Ok(&["a"]));
        check([Some("8"), Some("1"), None], Err("and not for this one (7)"));
        check([None, Some("1"), None], Err("for the process \"\""));
        check([Some("7"), Some("-1"), None], Err("expected 0 to 256"));
        check([Some("7"), Some("257"), None], Err("expected 0 to 256"));
        check([Some("7"), Some("x"), None], Err("expected 0 to 256"));
    }

    #[test]
    fn what_is_no_listening_socket_is_not_taken() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let connected = std::os::unix::net::UnixStream::pair().unwrap();
        for descriptor in [file.as_raw_fd(), connected.0.as_raw_fd(), 1_000_000] {
            assert!(take(descriptor).is_err());
        }
    }
}
