//! The load test: runs Ringway beside its peers and its floor, and records what each costs.
//!
//! `compare` is the measurement; the rest finds leaks (`soak`, `idle`), lost requests
//! (`reload-storm`), costs (`syscalls`, `instructions`), requests that a limit should have refused
//! (`throttle`) and clients that a flood of tokens holds up (`tokens`), or is a part that the
//! others start (`upstream`, `floor`). Everything stays on loopback and is bounded in time and
//! count.
#![expect(clippy::print_stdout, reason = "a program of the command line prints what it found")]

mod account;
mod certificate;
mod chart;
mod children;
mod clock;
mod compare;
mod drive;
mod floor;
mod idle;
mod instructions;
mod issuer;
mod listen;
mod message;
mod peers;
mod record;
mod reload_storm;
mod session;
mod soak;
mod subject;
mod sys;
mod syscalls;
mod throttle;
mod tls;
mod tokens;
mod upstream;
mod verdict;
mod workload;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use sys::uring::Buffers;

#[derive(Parser)]
#[command(
    version,
    about = "Runs Ringway beside its peers and its floor, and records what each costs"
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compares CPU per request, throughput and latency: floor, Ringway, nginx, HAProxy, Envoy
    Compare(compare::Options),
    /// Drives one target with the own generator, closed loop or at a fixed rate
    Drive(drive::Options),
    /// Makes a million short connections and looks for memory and descriptors that stay
    Soak(soak::Options),
    /// Measures the memory of idle keep-alive connections
    Idle(idle::Options),
    /// Reloads Ringway 200 times under load and counts failed requests
    ReloadStorm(reload_storm::Options),
    /// Counts system calls per request with strace
    Syscalls(syscalls::Options),
    /// Asks for ten times a plan's throttle on two shards and counts what is let through
    Throttle(throttle::Options),
    /// Floods a shard with new tokens, forged and valid, and times a client that has none
    Tokens(tokens::Options),
    /// Counts instructions per operation of the benches with callgrind
    Instructions(instructions::Options),
    /// Serves canned answers: /, /64k, /1m, /delay/MS
    Upstream {
        #[arg(long, default_value = "127.0.0.1:9000")]
        listen: SocketAddr,
        /// Added to every answer
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
        delay_ms: u64,
    },
    /// Forwards bytes on bare io_uring, one upstream connection for each client connection
    Floor {
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        #[arg(long)]
        upstream: SocketAddr,
        /// How many buffers there are: a power of two
        #[arg(long, default_value_t = 256, value_parser = power_of_two)]
        buffers: u16,
        #[arg(long, default_value_t = 4096, value_parser = buffer_size())]
        buffer_bytes: u32,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> io::Result<ExitCode> {
    match task {
        Task::Compare(options) => return compare::run(&options),
        Task::Drive(options) => return drive::run(&options),
        Task::Soak(options) => return soak::run(&options),
        Task::Idle(options) => return idle::run(&options),
        Task::ReloadStorm(options) => return reload_storm::run(&options),
        Task::Syscalls(options) => return syscalls::run(&options),
        Task::Throttle(options) => return throttle::run(&options),
        Task::Tokens(options) => return tokens::run(&options),
        Task::Instructions(options) => return instructions::run(&options),
        Task::Upstream { listen, delay_ms } => {
            sys::process::raise_descriptor_limit(65_536)?;
            upstream::run(listen, Duration::from_millis(delay_ms))?;
        }
        Task::Floor { listen, upstream, buffers: count, buffer_bytes: bytes } => {
            sys::process::raise_descriptor_limit(65_536)?;
            let buffers = Buffers { count, bytes };
            floor::run(floor::Floor { listen, upstream, buffers })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn buffer_size() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(64..=1 << 20)
}

fn power_of_two(text: &str) -> Result<u16, String> {
    let count: u16 = text.parse().map_err(|_| "expected a number up to 32768".to_owned())?;
    let fits = count.is_power_of_two() && count >= 2;
    fits.then_some(count).ok_or_else(|| "expected a power of two from 2 to 32768".to_owned())
}
