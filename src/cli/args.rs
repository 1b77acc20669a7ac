//! The shape of the command line, and its help.

use std::{net::IpAddr, path::PathBuf};

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{
    base::ListenAddress,
    config::{GivenCertificate, Overrides},
    ledger::period::Day,
    tls,
};

/// An API gateway for bare-metal Linux that speaks AWS API Gateway's language
#[derive(Debug, Parser)]
#[command(name = "ringway", version, about, after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to do; `run` with the demo when nothing is said
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  ringway                                   serve a demo: a pet store with its own upstream
  ringway run petstore.yaml --set backend=127.0.0.1:9000
                                            serve an OpenAPI document
  ringway run gateway.yaml                  serve a gateway file: listeners, APIs, stages
  ringway validate gateway.yaml             tell every problem of a file, serve nothing
  ringway explain gateway.yaml GET /pets/1  tell which route answers, and why no other
  ringway explain gateway.yaml --key alice  tell what is left of a key's limits, and where
  ringway usage gateway.yaml                tell what keys used of their quotas today
  ringway schema > gateway.schema.json      the gateway file's JSON Schema, for editors

Exit codes: 0 done; 1 the file has errors; 2 wrong command line; 70 a fault of ringway;
75 another gateway uses the state folder; 78 the machine lacks something (io_uring, locked memory,
descriptors, a state folder).";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve a gateway file or an OpenAPI document; without FILE, a demo
    Run(RunArgs),
    /// Tell every problem of a file with its place and its fix; serve nothing
    Validate(ValidateArgs),
    /// Tell which API, stage and route answer a request, and why the others do not
    Explain(ExplainArgs),
    /// Print what keys used of their quotas, and what remains
    Usage(UsageArgs),
    /// Print the gateway file's JSON Schema
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a man page: `ringway man | man -l -`
    Man {
        /// The command that the page is about; without it, all of ringway
        command: Option<String>,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  ringway run
  ringway run petstore.yaml --set backend=127.0.0.1:9000
  ringway run gateway.yaml --listen 0.0.0.0:80 --listen '[::]:80' --shards 4
  ringway run --listen-tls 127.0.0.1:8443   and then: curl -k https://127.0.0.1:8443/pets

SIGHUP and changes of the files load them anew; a broken file changes nothing. SIGTERM finishes
what is in flight; a second one ends at once.";

/// Flags of `run`.
#[derive(Debug, Default, Parser)]
#[command(after_help = RUN_EXAMPLES)]
pub(super) struct RunArgs {
    /// A gateway file, or an OpenAPI 3.x document (YAML or JSON)
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// Flags that override what a file says.
#[derive(Debug, Default, Parser)]
pub(super) struct Flags {
    /// Address for clients; may be given again [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    listen: Vec<ListenAddress>,
    /// Address for clients that speak TLS; may be given again
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    listen_tls: Vec<ListenAddress>,
    /// The certificate that --listen-tls shows, with its chain, PEM [default: a self-signed one
    /// for localhost]
    #[arg(long, value_name = "FILE", requires_all = ["listen_tls", "tls_key"])]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Address of the private port: health, metrics [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    admin: Option<ListenAddress>,
    /// Shards, one per core [default: as many as there are cores allowed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// A stage variable, for every stage; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    set: Vec<(String, String)>,
}

impl Flags {
    /// What they say over a file. Without a certificate for `--listen-tls`, one is made.
    ///
    /// # Errors
    /// When the machine cannot make one.
    pub(super) fn into_overrides(self) -> Result<Overrides, String> {
        let Self { listen, listen_tls, tls_cert, tls_key, admin, shards, set } = self;
        let certificate = match (tls_cert, tls_key) {
            (Some(chain), Some(key)) => Some(GivenCertificate::Files { chain, key }),
            _ if listen_tls.is_empty() => None,
            _ => {
                let (chain, key) = tls::self_signed()?;
                Some(GivenCertificate::Made { chain, key })
            }
        };
        let now = super::now();
        let stage_variables = set;
        Ok(Overrides { listen, listen_tls, certificate, admin, shards, now, stage_variables })
    }
}

/// Flags of `validate`.
#[derive(Debug, Parser)]
pub(super) struct ValidateArgs {
    /// A gateway file, or an OpenAPI 3.x document (YAML or JSON)
    pub(super) file: PathBuf,
    /// For eyes or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// A stage variable, for every stage; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(super) set: Vec<(String, String)>,
}

/// How problems are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Each problem drawn into the lines it is about
    Text,
    /// One JSON object
    Json,
}

const EXPLAIN_USAGE: &str = "\
ringway explain [OPTIONS] <FILE> <METHOD> <URL>
       ringway explain [OPTIONS] <FILE> <--key <ID>|--source-ip <IP>|--limits>";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  ringway explain petstore.yaml GET /pets/1
  ringway explain gateway.yaml POST http://x7k2m9q4ab.execute-api.internal/prod/pets
  ringway explain gateway.yaml GET https://api.example.com/orders/7 -H 'x-version: beta'
  ringway explain gateway.yaml --key alice  what is left of a key's limits and quotas, now
  ringway explain gateway.yaml --source-ip 203.0.113.9 -H 'x-tenant: blue'
  ringway explain gateway.yaml --limits     the limits that all callers share

With METHOD and URL nothing is sent. --key, --source-ip and --limits ask the running gateway at its
private port.";

/// Flags of `explain`.
#[derive(Debug, Parser)]
#[command(
    after_help = EXPLAIN_EXAMPLES,
    override_usage = EXPLAIN_USAGE,
    group = ArgGroup::new("live").multiple(true)
)]
pub(super) struct ExplainArgs {
    /// A gateway file, or an OpenAPI 3.x document (YAML or JSON)
    pub(super) file: PathBuf,
    /// The request's method, such as GET; neither it nor URL with --key, --source-ip or --limits
    #[arg(
        requires = "url",
        required_unless_present = "live",
        conflicts_with = "live",
        value_name = "METHOD"
    )]
    pub(super) method: Option<String>,
    /// The request's URL, or its path and query
    #[arg(value_name = "URL")]
    pub(super) url: Option<String>,
    /// A header field of the request; may be given again
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub(super) header: Vec<String>,
    /// Ask the running gateway: the limits and quotas of this API key, by its id
    #[arg(long, value_name = "ID", group = "live")]
    pub(super) key: Option<String>,
    /// Ask the running gateway: limits by client address, of this client
    #[arg(long, value_name = "IP", group = "live")]
    pub(super) source_ip: Option<IpAddr>,
    /// Ask the running gateway: the limits that all callers share; with -H those by header, too
    #[arg(long, group = "live")]
    pub(super) limits: bool,
    /// Where the running gateway's private port is [default: as the file says]
    #[arg(long, value_name = "ADDR", requires = "live", value_parser = parse_private)]
    pub(super) private: Option<ListenAddress>,
    /// The private port's answer as it is, for programs
    #[arg(long, requires = "live")]
    pub(super) json: bool,
    /// A stage variable, for every stage; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(super) set: Vec<(String, String)>,
}

const USAGE_EXAMPLES: &str = "\
Examples:
  ringway usage gateway.yaml                today
  ringway usage gateway.yaml --plan gold --key alice --from 2026-11-01
  ringway usage gateway.yaml --from 2026-11-01 --json

Reads the state folder, also while the gateway runs: what was used in the last second may be
missing.";

/// Flags of `usage`.
#[derive(Debug, Parser)]
#[command(after_help = USAGE_EXAMPLES)]
pub(super) struct UsageArgs {
    /// The gateway file
    pub(super) file: PathBuf,
    /// Only this usage plan, by its id
    #[arg(long, value_name = "ID")]
    pub(super) plan: Option<String>,
    /// Only this API key, by its id
    #[arg(long, value_name = "ID")]
    pub(super) key: Option<String>,
    /// The first day, in UTC, as YYYY-MM-DD [default: the last]
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<Day>,
    /// The last day [default: today]
    #[arg(long, value_name = "DATE")]
    pub(super) to: Option<Day>,
    /// For programs: a JSON object for each plan, key and day
    #[arg(long)]
    pub(super) json: bool,
    /// A stage variable, for every stage; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(super) set: Vec<(String, String)>,
}

fn parse_address(text: &str) -> Result<ListenAddress, String> {
    text.parse().map_err(|fault| {
        format!(
            "{fault}; write an IP address and a port, as in 0.0.0.0:8080 or [::]:8080, or \
             unix:/path, or systemd:NAME"
        )
    })
}

/// An address, or the URL that an operator has at hand.
fn parse_private(text: &str) -> Result<ListenAddress, String> {
    parse_address(text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/'))
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("write KEY=VALUE, such as backend=127.0.0.1:9000")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn parse_header(text: &str) -> Result<String, &'static str> {
    let pair = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let is_line = |text: &str| !text.contains(['\r', '\n']);
    match pair {
        Some((name, value)) if !name.is_empty() && is_line(text) => Ok(format!("{name}: {value}")),
        _ => Err("write NAME: VALUE, such as 'x-version: beta'"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_become_overrides() {
        let line = "ringway run a.yaml --listen 0.0.0.0:80 --listen [::]:80 --set a=b --set c=d=e";
        let args = Args::parse_from(line.split(' '));
        let Some(Command::Run(args)) = args.command else { panic!("run") };
        let overrides = args.flags.into_overrides().unwrap();
        assert_eq!(overrides.listen.len(), 2);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(overrides.stage_variables, [pair("a", "b"), pair("c", "d=e")]);
        assert!(Args::parse_from(["ringway"]).command.is_none());
    }

    #[test]
    fn tls_without_a_certificate_gets_one() {
        let certificate = |line: &str| {
            let args = Args::parse_from(line.split(' '));
            let Some(Command::Run(args)) = args.command else { panic!("run") };
            args.flags.into_overrides().unwrap().certificate
        };
        assert!(certificate("ringway run a.yaml").is_none());
        let made = certificate("ringway run a.yaml --listen-tls 0.0.0.0:443").unwrap();
        assert!(matches!(made, GivenCertificate::Made { .. }));
        let line = "ringway run a.yaml --listen-tls 0.0.0.0:443 --tls-cert a --tls-key b";
        assert!(matches!(certificate(line), Some(GivenCertificate::Files { .. })));
    }

    #[test]
    fn a_running_gateway_is_asked_without_a_request() {
        let args = |line: &str| {
            let args = Args::parse_from(format!("ringway explain a {line}").split(' '));
            let Some(Command::Explain(args)) = args.command else { panic!("explain") };
            args
        };
        let address = Some("127.0.0.1:9901".parse().unwrap());
        let all = args("--key b --source-ip ::1 -H x:y --private http://127.0.0.1:9901/ --json");
        assert_eq!((all.key.as_deref(), &all.header[..]), (Some("b"), &["x: y".to_owned()][..]));
        assert_eq!((all.private, all.method, all.json), (address, None, true));
        assert!(args("--limits --private unix:/run/admin.sock").private.is_some());
        assert_eq!(args("GET /").method.as_deref(), Some("GET"));
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "run --set a",
            "run --set =b",
            "run --listen 80",
            "run --shards 0",
            "serve",
            "explain a GET / -H x-version",
            "explain a",
            "explain a GET",
            "explain a GET / --key b",
            "explain a GET --limits",
            "explain a -H x:y",
            "explain a GET / --json",
            "explain a GET / --private 127.0.0.1:1",
            "explain a --source-ip b",
            "explain a --limits --private localhost:1",
            "run --tls-cert a --tls-key b",
            "run --listen-tls 1.2.3.4:1 --tls-cert a",
            "run --listen-tls 1.2.3.4:1 --tls-key b",
        ] {
            let line = format!("ringway {line}");
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        for flag in ["--listen", "--admin"] {
            let line = ["ringway", "run", flag, "localhost:8080"];
            let Err(error) = Args::try_parse_from(line) else { panic!("{flag} takes a name") };
            assert!(error.to_string().contains("write an IP address and a port"), "{error}");
        }
    }
}
