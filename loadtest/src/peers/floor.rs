//! The floor as a peer: this program, started as `loadtest floor`.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::Site;
use crate::children::Process;
use crate::listen;
use crate::sys::uring::Buffers;

/// For heads and small bodies: few enough buffers to stay in the cache.
pub(super) const SMALL: Buffers = Buffers { count: 256, bytes: 4096 };
/// For bodies of 64 KiB: fewer, larger pieces.
pub(super) const BODIES: Buffers = Buffers { count: 256, bytes: 64 << 10 };

pub(super) fn start(site: Site<'_>, buffers: Buffers) -> io::Result<(Process, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["floor", "--listen", "127.0.0.1:0"])
        .arg(format!("--upstream={}", site.upstream))
        .arg(format!("--buffers={}", buffers.count))
        .arg(format!("--buffer-bytes={}", buffers.bytes))
        .stdout(Stdio::piped());
    let mut process = Process::start(&mut command, site.core)?;
    let stdout = process.stdout().expect("stdout was piped above");
    Ok((process, listen::announced(stdout)?))
}
