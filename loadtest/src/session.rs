//! Gateways that are up at once, driven in turns, row after row.

use std::io;
use std::time::Duration;

use crate::account;
use crate::drive::clients::Clients;
use crate::drive::own::{self, Pace, Stop};
use crate::drive::{Callers, Driven, Generator, Load, h2load, wrk};
use crate::peers::{Peer, Running, Site};
use crate::record::{FixedRate, Row, Run, Table};
use crate::workload::{LONG_PATH, Protocol, Workload};

const CONNECTIONS_AT_FIXED_RATE: usize = 64;
/// Of the slowest gateway's throughput in the closed loop.
const FIXED_RATE_SHARE: f64 = 0.5;
/// Of a smoke run, each gateway and row.
const QUICK_REQUESTS: u64 = 300;
/// Bodies of 1 MiB over HTTP/2 are counted and not timed, so many for each second: 128 of them that
/// are cut off at the end of a second would be a good part of all that was done in it.
const LONG_REQUESTS_PER_SECOND: u64 = 512;

/// The gateways that are measured at one door.
pub(crate) struct Session<'s> {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) generator: Generator,
    pub(crate) clients: Clients<'s>,
    pub(crate) gateways: Vec<Running>,
    pub(crate) site: Site<'s>,
}

impl Session<'_> {
    /// Measures one row.
    pub(crate) fn measure(&mut self, workload: Workload) -> io::Result<Table> {
        if !workload.is_small() {
            self.swap_floor()?;
        }
        let (count, rounds) = (self.gateways.len(), self.rounds);
        let mut runs: Vec<Vec<Run>> = vec![vec![]; count];
        for gateway in &self.gateways {
            self.drive(gateway, &workload, Duration::from_secs(1))?;
        }
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", workload.title(), round + 1);
            for turn in 0..count {
                let index = (round + turn) % count;
                let time = Duration::from_secs(self.seconds);
                runs[index].push(self.drive(&self.gateways[index], &workload, time)?);
            }
        }
        let named = self.gateways.iter().zip(runs);
        let rows = named.map(|(gateway, runs)| Row::new(&gateway.name, runs)).collect();
        Ok(Table::new(workload, rows))
    }

    fn drive(&self, gateway: &Running, workload: &Workload, time: Duration) -> io::Result<Run> {
        let (path, connections) = (workload.path.as_str(), workload.connections);
        let (target, callers) = (gateway.address, gateway.callers());
        let load = Load { target, path, connections, callers, duration: time };
        let id = gateway.process.id();
        let before = account::cpu_nanoseconds(id)?;
        let mut driven = self.drive_over(load, workload)?;
        if driven.requests == 0 && driven.errors == 0 {
            // A gateway that hangs, or a generator that got no time, has no errors either.
            driven.errors = 1;
            driven.first_error = Some("nothing was answered in this run".to_owned());
        }
        let used = account::cpu_nanoseconds(id)? - before;
        if driven.errors > 0 {
            let first = driven.first_error.as_deref().unwrap_or("unnamed");
            eprintln!("INVALID RUN: {}: {} errors, {first}", gateway.name, driven.errors);
        }
        #[expect(clippy::cast_precision_loss, reason = "both stay far below 2^53")]
        let cpu_us_per_request = used as f64 / 1e3 / driven.requests.max(1) as f64;
        let resident_bytes = account::resident_bytes(id)?;
        let requests_per_second = driven.requests_per_second();
        Ok(Run { cpu_us_per_request, requests_per_second, resident_bytes, driven })
    }

    fn drive_over(&self, load: Load<'_>, workload: &Workload) -> io::Result<Driven> {
        let after_requests = match self.quick {
            true => Some(QUICK_REQUESTS),
            false if workload.is_http2() && workload.path == LONG_PATH => {
                Some(LONG_REQUESTS_PER_SECOND * load.duration.as_secs())
            }
            false => None,
        };
        match workload.protocol {
            Protocol::Http | Protocol::HttpKeys | Protocol::HttpTokens if self.quick => {
                own::drive(load, Pace::Closed, &Stop { after_requests, ..Stop::default() })
            }
            Protocol::Http | Protocol::HttpKeys | Protocol::HttpTokens => {
                self.generator.drive(load)
            }
            Protocol::Https if self.generator == Generator::Wrk => wrk::drive(load, "https"),
            Protocol::Https | Protocol::Handshake(..) => {
                self.clients.drive(load, workload.usage(), after_requests)
            }
            Protocol::Http2 => h2load::drive(load, "https", after_requests),
            Protocol::Http2Plain => h2load::drive(load, "http", after_requests),
        }
    }

    /// Bodies deserve the floor with large buffers: it would otherwise be no floor.
    fn swap_floor(&mut self) -> io::Result<()> {
        let floors = self.gateways.iter_mut().filter(|gateway| gateway.name == "floor");
        for floor in floors {
            *floor = Peer::FloorForBodies.start(self.site)?;
        }
        Ok(())
    }

    /// Every gateway at half of what the slowest can do.
    pub(crate) fn at_fixed_rate(&self, tables: &[Table]) -> io::Result<Vec<FixedRate>> {
        let busiest = tables.iter().find(|table| {
            table.workload.is_small() && table.workload.connections == CONNECTIONS_AT_FIXED_RATE
        });
        let Some(busiest) = busiest else { return Ok(vec![]) };
        let slowest = busiest.rows.iter().map(|row| row.requests_per_second);
        let requests_per_second =
            (slowest.fold(f64::INFINITY, f64::min) * FIXED_RATE_SHARE).floor();
        let mut found = vec![];
        for gateway in &self.gateways {
            eprintln!("fixed rate of {requests_per_second}/s: {}", gateway.name);
            let seconds = if self.quick { 1 } else { 2 * self.seconds };
            let load = Load {
                target: gateway.address,
                path: "/",
                connections: CONNECTIONS_AT_FIXED_RATE,
                callers: Callers::Unnamed,
                duration: Duration::from_secs(seconds),
            };
            let driven = own::drive(load, Pace::PerSecond(requests_per_second), &Stop::default())?;
            found.push(FixedRate { gateway: gateway.name.clone(), requests_per_second, driven });
        }
        Ok(found)
    }
}
