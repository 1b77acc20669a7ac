//! Any program that proxies when started as `PROGRAM LISTEN UPSTREAM`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Site, to_log};
use crate::children::Process;
use crate::listen;

pub(super) fn start(
    site: Site<'_>,
    name: &str,
    program: &Path,
) -> io::Result<(Process, SocketAddr)> {
    let address = listen::unused()?;
    let mut command = Command::new(program);
    command.args([address.to_string(), site.upstream.to_string()]);
    to_log(&mut command, site, name)?;
    Ok((Process::start(&mut command, site.core)?, address))
}
