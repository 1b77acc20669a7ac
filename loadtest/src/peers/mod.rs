//! The gateways that are compared: how each is configured and started. Each logs every request and
//! keeps its upstream connections open, on one worker, so that all do the same work.

mod envoy;
mod floor;
mod haproxy;
pub(crate) mod limits;
mod nginx;
mod other;
pub(crate) mod ringway;
pub(crate) mod setup;
pub(crate) mod tokens;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use crate::certificate::Certificate;
use crate::children::Process;
use crate::drive::{Callers, Load, h2load, last_request};
use crate::tls::{Beginning, Client, Version};
use crate::{clock, listen};
use setup::Setup;
use tokens::Tokens;

const START_PATIENCE: Duration = Duration::from_secs(20);

/// Clients at once that gateways are set up for, unless many shall be idle.
pub(crate) const CLIENTS_MAX: u64 = 8000;

/// What a gateway speaks where it is measured. It is started anew for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Door {
    /// HTTP/1.1.
    Plain,
    /// HTTP/1.1 and HTTP/2 over TLS 1.3 and 1.2.
    Tls,
    /// HTTP/2 without TLS and without being asked.
    PriorKnowledge,
    /// HTTP/1.1, callers with API keys.
    Keys,
    /// HTTP/1.1, callers with tokens.
    Tokens,
}

impl Door {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::Tls, Self::PriorKnowledge, Self::Keys, Self::Tokens];

    /// What is spoken there, in words.
    pub(crate) fn speaks(self) -> &'static str {
        match self {
            Self::Plain => "HTTP/1.1",
            Self::Tls => "TLS",
            Self::PriorKnowledge => "HTTP/2 by prior knowledge",
            Self::Keys => "HTTP/1.1 with API keys",
            Self::Tokens => "HTTP/1.1 with tokens",
        }
    }
}

/// Which gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Floor,
    /// The floor with buffers for bodies, which would be a handicap for small messages.
    FloorForBodies,
    Ringway {
        program: PathBuf,
    },
    /// Another binary of Ringway, such as one of an earlier commit.
    RingwayBeside {
        name: String,
        program: PathBuf,
    },
    /// Ringway set up with more.
    RingwayWith {
        setup: Setup,
        program: PathBuf,
    },
    Nginx,
    Haproxy,
    Envoy,
    /// Any program that is started as `PROGRAM LISTEN UPSTREAM`, such as a prototype.
    Other {
        name: String,
        program: PathBuf,
    },
}

/// Where a gateway is put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) upstream: SocketAddr,
    /// For configurations and logs.
    pub(crate) folder: &'a Path,
    pub(crate) core: usize,
    pub(crate) door: Door,
    pub(crate) certificate: &'a Certificate,
    /// How many clients there may be at once, for those who want to be told.
    pub(crate) clients_max: u64,
}

/// A gateway that has answered a request.
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
    /// How many API keys its callers name.
    keys: u32,
    /// The token that they bring.
    token: Option<String>,
    door: Door,
    /// Speaks TLS to it.
    client: Client,
}

impl Peer {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Floor | Self::FloorForBodies => "floor",
            Self::Ringway { .. } => "ringway",
            Self::RingwayWith { setup, .. } => setup.name(),
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::RingwayBeside { name, .. } | Self::Other { name, .. } => name,
        }
    }

    /// Its version, or `None` where it is not installed.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Self::Floor | Self::FloorForBodies => Some(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Ringway { program }
            | Self::RingwayBeside { program, .. }
            | Self::RingwayWith { program, .. } => {
                Some(version_of(program, "--version").unwrap_or_else(|| "unversioned".to_owned()))
            }
            Self::Nginx => version_of("nginx", "-v"),
            Self::Haproxy => version_of("haproxy", "-v"),
            Self::Envoy => version_of("envoy", "--version"),
            Self::Other { program, .. } => Some(program.display().to_string()),
        }
    }

    /// Whether it can be measured there.
    pub(crate) fn has(&self, door: Door) -> bool {
        match self {
            Self::RingwayWith { setup, .. } => setup.has(door),
            Self::Ringway { .. } | Self::RingwayBeside { .. } | Self::Nginx | Self::Haproxy => {
                Setup::Plain.has(door)
            }
            Self::Floor | Self::FloorForBodies | Self::Envoy | Self::Other { .. } => {
                door == Door::Plain
            }
        }
    }

    /// Starts it and waits for its first good answer.
    pub(crate) fn start(&self, site: Site<'_>) -> io::Result<Running> {
        if !self.has(site.door) {
            let (name, speaks) = (self.name(), site.door.speaks());
            return Err(io::Error::other(format!("{name} is not measured over {speaks}")));
        }
        let version = self.version().ok_or_else(|| {
            io::Error::other(format!("{} is not installed (not found in PATH)", self.name()))
        })?;
        // Two of a kind must not write the same files.
        let folder = match self {
            Self::RingwayBeside { name, .. } => site.folder.join(name),
            Self::RingwayWith { setup, .. } => site.folder.join(setup.name()),
            _ => site.folder.to_owned(),
        };
        std::fs::create_dir_all(&folder)?;
        let site = Site { folder: &folder, ..site };
        let (keys, token) = match self {
            Self::RingwayWith { setup: Setup::Limits(limits), .. } => (limits.keys(), None),
            Self::RingwayWith { setup: Setup::Tokens(_), .. } => {
                (0, Some(Tokens::issue(site.folder)?))
            }
            _ => (0, None),
        };
        let (process, address) = match self {
            Self::Floor => floor::start(site, floor::SMALL)?,
            Self::FloorForBodies => floor::start(site, floor::BODIES)?,
            Self::Ringway { program } | Self::RingwayBeside { program, .. } => {
                ringway::start(site, self.name(), program, Setup::Plain)?
            }
            Self::RingwayWith { setup, program } => {
                ringway::start(site, setup.name(), program, *setup)?
            }
            Self::Nginx => nginx::start(site)?,
            Self::Haproxy => haproxy::start(site)?,
            Self::Envoy => envoy::start(site)?,
            Self::Other { name, program } => other::start(site, name, program)?,
        };
        let name = self.name().to_owned();
        let client = Client::new(site.certificate, Version::Tls13, Beginning::Full)?;
        let mut running =
            Running { name, process, address, version, keys, token, door: site.door, client };
        running.wait_until_it_answers(site.folder)?;
        Ok(running)
    }
}

impl Running {
    /// One request on a connection of its own; the status of the answer.
    pub(crate) fn ask(&self, path: &str) -> io::Result<u16> {
        match self.door {
            Door::Plain | Door::Keys | Door::Tokens => ask(self.address, path),
            Door::Tls => {
                let connection = self.client.connect(connect(self.address)?)?;
                ask_over(connection, self.address, path)
            }
            Door::PriorKnowledge => {
                let (target, duration) = (self.address, Duration::ZERO);
                let callers = Callers::Unnamed;
                let load = Load { target, path, connections: 1, callers, duration };
                let driven = h2load::drive(load, "http", Some(1))?;
                match driven.first_error {
                    None if driven.requests == 1 => Ok(200),
                    said => Err(io::Error::other(said.unwrap_or_default())),
                }
            }
        }
    }

    /// Who asks it.
    pub(crate) fn callers(&self) -> Callers<'_> {
        match (&self.token, self.keys) {
            (Some(token), _) => Callers::Token(token),
            (None, 0) => Callers::Unnamed,
            (None, keys) => Callers::Keys(keys),
        }
    }

    fn wait_until_it_answers(&mut self, folder: &Path) -> io::Result<()> {
        let deadline = clock::now() + START_PATIENCE;
        loop {
            let last = match self.ask("/") {
                Ok(status) if (200..300).contains(&status) => return Ok(()),
                Ok(status) => format!("status {status}"),
                Err(error) => error.to_string(),
            };
            let ended = self.process.ended()?;
            if ended.is_some() || clock::now() >= deadline {
                let said = std::fs::read_to_string(folder.join(log_name(&self.name)));
                return Err(io::Error::other(format!(
                    "{} at {} does not answer ({last}; ended: {ended:?}): {}",
                    self.name,
                    self.address,
                    said.unwrap_or_default().trim()
                )));
            }
            clock::pause(Duration::from_millis(20));
        }
    }
}

/// One request on a plain connection of its own; the status of the answer.
pub(crate) fn ask(address: SocketAddr, path: &str) -> io::Result<u16> {
    ask_over(connect(address)?, address, path)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    Ok(stream)
}

fn ask_over(mut stream: impl Read + Write, host: SocketAddr, path: &str) -> io::Result<u16> {
    stream.write_all(last_request(path, host).as_bytes())?;
    let mut head = [0; 512];
    let length = stream.read(&mut head)?;
    crate::message::status(&head[..length])
        .ok_or_else(|| io::Error::other("the answer was not an HTTP/1.1 response"))
}

/// The first line that `program flag` prints, on either stream.
pub(crate) fn version_of(program: impl AsRef<std::ffi::OsStr>, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let line =
        String::from_utf8_lossy(&said).lines().map(str::trim).find(|l| !l.is_empty())?.into();
    Some(line)
}

/// Sends what the command says on both streams to `NAME.log` in the site's folder.
fn to_log(command: &mut Command, site: Site<'_>, name: &str) -> io::Result<()> {
    let log = std::fs::File::create(site.folder.join(log_name(name)))?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}

fn log_name(name: &str) -> String {
    format!("{name}.log")
}

/// Writes a configuration into the site's folder and picks an address for it to listen on.
fn configure(
    site: Site<'_>,
    file: &str,
    text: impl FnOnce(SocketAddr) -> String,
) -> io::Result<(PathBuf, SocketAddr)> {
    let address = listen::unused()?;
    let path = site.folder.join(file);
    std::fs::write(&path, text(address))?;
    Ok((path, address))
}
