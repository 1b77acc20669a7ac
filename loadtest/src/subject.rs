//! One gateway under test with its upstream, for the commands that do not compare.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::certificate::Certificate;
use crate::children::Scratch;
use crate::compare::Upstream;
use crate::peers::{CLIENTS_MAX, Door, Peer, Running, Site, ringway};
use crate::sys;

/// Which gateway, and where it runs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Choice {
    /// ringway, floor, nginx, haproxy, envoy, or a program to start as PROGRAM LISTEN UPSTREAM
    #[arg(long, default_value = "ringway")]
    gateway: String,
    /// The ringway binary [default: built from this workspace]
    #[arg(long)]
    ringway: Option<PathBuf>,
    /// The core of the gateway
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// The core of upstream and generator
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

/// The gateway and what belongs to it; dropped in this order.
pub(crate) struct Subject {
    pub(crate) gateway: Running,
    pub(crate) upstream: Upstream,
    pub(crate) scratch: Scratch,
    pub(crate) certificate: Certificate,
    pub(crate) core: usize,
    door: Door,
    /// How many descriptors this process and its children may have each.
    pub(crate) descriptors_max: u64,
}

impl Choice {
    /// Whether it is Ringway, which alone can be asked to reload.
    pub(crate) fn is_ringway(&self) -> bool {
        self.gateway == "ringway"
    }

    /// Starts the upstream and the gateway, and pins this thread to the load's core.
    pub(crate) fn start(&self, descriptors: u64) -> io::Result<Subject> {
        self.start_for(descriptors, Door::Plain, CLIENTS_MAX)
    }

    /// The same, where `door` is spoken and for so many clients at once.
    pub(crate) fn start_for(
        &self,
        descriptors: u64,
        door: Door,
        clients_max: u64,
    ) -> io::Result<Subject> {
        let peer = match self.gateway.as_str() {
            "ringway" => Peer::Ringway { program: ringway::program(self.ringway.clone())? },
            "floor" => Peer::Floor,
            "nginx" => Peer::Nginx,
            "haproxy" => Peer::Haproxy,
            "envoy" => Peer::Envoy,
            program => Peer::Other { name: "other".to_owned(), program: program.into() },
        };
        let descriptors_max = sys::process::raise_descriptor_limit(descriptors)?;
        sys::process::pin_to(self.load_core)?;
        let scratch = Scratch::new()?;
        let upstream = Upstream::start(self.load_core, Duration::ZERO)?;
        let certificate = Certificate::make(scratch.path())?;
        let site = Site {
            upstream: upstream.address,
            folder: scratch.path(),
            core: self.core,
            door,
            certificate: &certificate,
            clients_max,
        };
        let gateway = peer.start(site)?;
        println!("{} at {}: {}", gateway.name, gateway.address, gateway.version);
        let core = self.core;
        Ok(Subject { gateway, upstream, scratch, certificate, core, door, descriptors_max })
    }
}

impl Subject {
    /// Where the gateway's files are.
    pub(crate) fn site(&self) -> Site<'_> {
        Site {
            upstream: self.upstream.address,
            folder: self.scratch.path(),
            core: self.core,
            door: self.door,
            certificate: &self.certificate,
            clients_max: CLIENTS_MAX,
        }
    }
}
