//! What the process needs besides the plan: addresses, shards, log, drain. File, then flags.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Problems, gateway_file::raw::GatewayFile};
use crate::{
    base::{WallTime, limits::DRAIN_WAIT},
    http::Http2,
    steps::integrate::TrustedProxies,
};

/// What the command line says over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// When there are any: instead of all listeners of the file. They trust no proxy.
    pub listen: Vec<SocketAddr>,
    /// Beside them, addresses for clients that speak TLS.
    pub listen_tls: Vec<SocketAddr>,
    /// The certificate that is shown there.
    pub certificate: Option<GivenCertificate>,
    /// The private port.
    pub admin: Option<SocketAddr>,
    /// How many shards.
    pub shards: Option<u16>,
    /// What time it is, for the certificates' sake; zero when nobody has looked.
    pub now: WallTime,
    /// Stage variables, name and value, for every stage of every API; the last of a name wins.
    pub stage_variables: Vec<(String, String)>,
}

/// A certificate that the command line gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenCertificate {
    /// Files of PEM.
    Files {
        /// The certificate and its chain.
        chain: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Made for this run, in PEM.
    Made {
        /// The certificate.
        chain: String,
        /// Its key.
        key: String,
    },
}

/// Everything that serving needs besides the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// The private port.
    pub admin: SocketAddr,
    /// How many shards.
    pub shards: Shards,
    /// Where access log lines go.
    pub access_log: AccessLogTo,
    /// How long what is in flight may take at the end.
    pub drain: Duration,
}

/// An address that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// IP address and port.
    pub address: SocketAddr,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether clients may speak HTTP/2.
    pub http2: Http2,
    /// What its clients speak.
    pub transport: Transport,
}

/// What the clients of a listener speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP in plain text.
    Plain,
    /// TLS; the plan has the certificates.
    Tls,
}

/// How many shards there shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    /// One for each core that the process may run on.
    PerCore,
    /// This many; 1 to 1024.
    Exactly(u16),
}

/// Where access log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTo {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// This file, appended to. Relative paths are the gateway file's folder's.
    File(PathBuf),
}

impl Settings {
    /// The settings of a gateway file in `folder`, flags over it.
    pub(super) fn compile(
        file: &GatewayFile,
        folder: &Path,
        overrides: &Overrides,
        problems: &mut Problems,
    ) -> Self {
        let listeners = if overrides.listen.is_empty() && overrides.listen_tls.is_empty() {
            file.listeners.iter().map(|listener| compile_listener(listener, problems)).collect()
        } else {
            let plain = overrides.listen.iter().map(|at| listener_at(*at, Transport::Plain));
            let tls = overrides.listen_tls.iter().map(|at| listener_at(*at, Transport::Tls));
            plain.chain(tls).collect()
        };
        let mut settings = Self { listeners, ..Self::default() };
        if settings.listeners.is_empty() {
            settings.listeners = Self::default().listeners;
        }
        let admin = overrides.admin.or(file.admin.as_ref().map(|admin| admin.address));
        settings.admin = admin.unwrap_or(settings.admin);
        if let Some(shards) = overrides.shards.or(file.shards) {
            settings.shards = Shards::Exactly(shards);
        }
        settings.access_log = match file.access_log.as_ref().map(|log| log.destination.as_str()) {
            None | Some("stdout") => AccessLogTo::Stdout,
            Some("off") => AccessLogTo::Off,
            Some(path) => AccessLogTo::File(folder.join(path)),
        };
        if let Some(seconds) = file.drain_seconds {
            settings.drain = Duration::from_secs(seconds.into());
        }
        settings.check_addresses(problems);
        settings
    }

    /// No address may take in another one, and the private port must not be a public one.
    fn check_addresses(&self, problems: &mut Problems) {
        for (index, Listener { address, .. }) in self.listeners.iter().enumerate() {
            let mut before = self.listeners[..index].iter().map(|listener| listener.address);
            if let Some(other) = before.find(|other| overlap(*other, *address)) {
                let message = match other == *address {
                    true => format!("two listeners have the address {address}"),
                    false => format!("the listeners {other} and {address} overlap"),
                };
                problems.error_nowhere(message, "keep one of them, or change a port");
            }
            if overlap(self.admin, *address) {
                let message = match self.admin == *address {
                    true => format!(
                        "{address} is both a listener's address and that of the private port"
                    ),
                    false => {
                        format!(
                            "the listener {address} and the private port {} overlap",
                            self.admin
                        )
                    }
                };
                let fix = "change one of them (admin: {address: ..}, or --admin)";
                problems.error_nowhere(message, fix);
            }
        }
    }
}

impl Default for Settings {
    /// What holds when nothing is said.
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listeners: vec![listener_at(local(8080), Transport::Plain)],
            admin: local(9901),
            shards: Shards::PerCore,
            access_log: AccessLogTo::Stdout,
            drain: DRAIN_WAIT,
        }
    }
}

/// Whether both cannot be listened on: `0.0.0.0` and `[::]` are all addresses of their family. Port
/// 0 is whatever is free, and never the same.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip(), other.ip());
    one.port() == other.port()
        && one.port() != 0
        && one.is_ipv4() == other.is_ipv4()
        && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn listener_at(address: SocketAddr, transport: Transport) -> Listener {
    let http2 = match transport {
        Transport::Plain => Http2::NotOffered,
        Transport::Tls => Http2::Offered,
    };
    Listener { address, trusted_proxies: TrustedProxies::default(), http2, transport }
}

fn compile_listener(
    listener: &super::gateway_file::raw::Listener,
    problems: &mut Problems,
) -> Listener {
    let texts = listener.trusted_proxies.iter().map(|network| network.0.as_str());
    let trusted_proxies = TrustedProxies::parse(texts).unwrap_or_else(|faults| {
        for fault in faults {
            problems.error_nowhere(format!("listener {}: {fault}", listener.address), "");
        }
        TrustedProxies::default()
    });
    let transport = if listener.tls.is_some() { Transport::Tls } else { Transport::Plain };
    let offered = listener.http2.unwrap_or(transport == Transport::Tls);
    let http2 = if offered { Http2::Offered } else { Http2::NotOffered };
    Listener { address: listener.address, trusted_proxies, http2, transport }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(file: &str, overrides: &Overrides) -> (Settings, usize) {
        let file: GatewayFile = serde_json::from_str(file).unwrap();
        let mut problems = Problems::new();
        let settings = Settings::compile(&file, Path::new("/etc/r"), overrides, &mut problems);
        (settings, problems.errors())
    }

    #[test]
    fn nothing_said_means_the_defaults() {
        let (settings, errors) = compile(r#"{"apis": []}"#, &Overrides::default());
        assert_eq!((settings, errors), (Settings::default(), 0));
    }

    #[test]
    fn flags_go_over_the_file() {
        let file = r#"{"apis": [], "admin": {"address": "127.0.0.1:1"}, "shards": 2,
            "listeners": [{"address": "0.0.0.0:80", "trustedProxies": ["10.0.0.0/8"]}],
            "accessLog": {"destination": "a.log"}, "drainSeconds": 5}"#;
        let (settings, _) = compile(file, &Overrides::default());
        assert_eq!(settings.listeners[0].address.port(), 80);
        assert!(settings.listeners[0].trusted_proxies.contains("10.1.2.3".parse().unwrap()));
        assert_eq!((settings.admin.port(), settings.shards), (1, Shards::Exactly(2)));
        assert_eq!(settings.access_log, AccessLogTo::File("/etc/r/a.log".into()));
        assert_eq!(settings.drain, Duration::from_secs(5));
        let listen = vec!["[::]:8080".parse().unwrap()];
        let admin = Some("127.0.0.1:2".parse().unwrap());
        let overrides = Overrides { listen, admin, shards: Some(7), ..Overrides::default() };
        let (settings, _) = compile(file, &overrides);
        assert_eq!(
            settings.listeners,
            [listener_at("[::]:8080".parse().unwrap(), Transport::Plain)]
        );
        assert_eq!((settings.admin.port(), settings.shards), (2, Shards::Exactly(7)));
    }

    #[track_caller]
    fn check_addresses(listen: &[&str], admin: &str, expected: usize) {
        let overrides = Overrides {
            listen: listen.iter().map(|text| text.parse().unwrap()).collect(),
            admin: Some(admin.parse().unwrap()),
            ..Overrides::default()
        };
        assert_eq!(compile(r#"{"apis": []}"#, &overrides).1, expected);
    }

    /// They were bound all the same, and "another program" was blamed for it.
    #[test]
    fn no_address_takes_in_another_one() {
        let admin = "127.0.0.1:2";
        check_addresses(&["127.0.0.1:1", "127.0.0.2:1", "127.0.0.1:3", "[::1]:1"], admin, 0);
        check_addresses(&["127.0.0.1:0", "127.0.0.1:0"], "127.0.0.1:0", 0);
        check_addresses(&["127.0.0.1:1", "127.0.0.1:1"], admin, 1);
        check_addresses(&["127.0.0.1:1", "0.0.0.0:1"], admin, 1);
        check_addresses(&["0.0.0.0:1", "[::]:1"], admin, 0);
        check_addresses(&["[::]:1", "[::1]:1"], admin, 1);
        check_addresses(&["127.0.0.1:2"], admin, 1);
        check_addresses(&["0.0.0.0:2"], admin, 1);
        check_addresses(&["[::]:2"], admin, 0);
    }
}
