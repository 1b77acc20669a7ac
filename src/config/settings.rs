//! What the process needs besides the plan: addresses, shards, log, drain. File, then flags.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Problems,
    gateway_file::raw::{self, AddressText, GatewayFile},
};
use crate::{
    base::{ListenAddress, WallTime, limits::DRAIN_WAIT},
    http::Http2,
    steps::integrate::{ProxyProtocol, TrustedProxies},
};

/// The state folder's name where nobody gives another.
const STATE_FOLDER: &str = "ringway-state";

/// What the command line says over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// When there are any: instead of all listeners of the file. They trust no proxy.
    pub listen: Vec<ListenAddress>,
    /// Beside them, addresses for clients that speak TLS.
    pub listen_tls: Vec<ListenAddress>,
    /// The certificate that is shown there.
    pub certificate: Option<GivenCertificate>,
    /// The private port.
    pub admin: Option<ListenAddress>,
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
    pub admin: ListenAddress,
    /// How many shards.
    pub shards: Shards,
    /// Where access log lines go.
    pub access_log: AccessLogTo,
    /// How long what is in flight may take at the end.
    pub drain: Duration,
    /// Where quotas are counted over restarts.
    pub state_folder: StateFolder,
}

/// Where what must outlive the process is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateFolder {
    /// The gateway file says it.
    Named(PathBuf),
    /// Nobody says it: the folder that systemd gives, else this one, beside the gateway file.
    Beside(PathBuf),
}

impl StateFolder {
    /// The folder, when systemd gives `of_system` (`$STATE_DIRECTORY`: one path, or several with
    /// `:` between them, of which the first is taken).
    #[must_use]
    pub fn resolve(&self, of_system: Option<&str>) -> PathBuf {
        let of_system = of_system.and_then(|paths| paths.split(':').next());
        match (self, of_system.filter(|path| !path.is_empty())) {
            (Self::Beside(_), Some(path)) => PathBuf::from(path),
            (Self::Named(path) | Self::Beside(path), _) => path.clone(),
        }
    }
}

/// An address that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: ListenAddress,
    /// The mode of a Unix socket's file; `None`: what the process's umask leaves.
    pub mode: Option<u32>,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// What APIs that are private to it call it.
    pub labels: Vec<String>,
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
            let compiled = file.listeners.iter();
            compiled.filter_map(|listener| compile_listener(listener, problems)).collect()
        } else {
            let at = |transport| move |at: &ListenAddress| Listener::at(at.clone(), transport);
            let plain = overrides.listen.iter().map(at(Transport::Plain));
            plain.chain(overrides.listen_tls.iter().map(at(Transport::Tls))).collect()
        };
        let mut settings = Self { listeners, ..Self::default() };
        if settings.listeners.is_empty() {
            settings.listeners = Self::default().listeners;
        }
        let in_file = file.admin.as_ref().and_then(|admin| parse_address(&admin.address, problems));
        let admin = overrides.admin.clone().or(in_file);
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
        settings.state_folder = match &file.state_folder {
            Some(path) => StateFolder::Named(folder.join(path)),
            None => StateFolder::Beside(folder.join(STATE_FOLDER)),
        };
        settings.check_addresses(problems);
        settings
    }

    /// No address may take in another one, and the private port must not be a public one.
    fn check_addresses(&self, problems: &mut Problems) {
        for (index, Listener { address, .. }) in self.listeners.iter().enumerate() {
            let mut before = self.listeners[..index].iter().map(|listener| &listener.address);
            if let Some(other) = before.find(|other| overlap(other, address)) {
                let message = match other == address {
                    true => format!("two listeners have the address {address}"),
                    false => format!("the listeners {other} and {address} overlap"),
                };
                problems.error_nowhere(message, "keep one of them, or change a port");
            }
            if overlap(&self.admin, address) {
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
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
        Self {
            listeners: vec![Listener::at(local(8080), Transport::Plain)],
            admin: local(9901),
            shards: Shards::PerCore,
            access_log: AccessLogTo::Stdout,
            drain: DRAIN_WAIT,
            state_folder: StateFolder::Beside(STATE_FOLDER.into()),
        }
    }
}

impl Listener {
    /// A listener at this address, with nothing else said.
    #[must_use]
    pub fn at(address: ListenAddress, transport: Transport) -> Self {
        let http2 = match transport {
            Transport::Plain => Http2::NotOffered,
            Transport::Tls => Http2::Offered,
        };
        let trusted_proxies = TrustedProxies::default();
        let (proxy_protocol, labels) = (ProxyProtocol::Off, Vec::new());
        Self { address, mode: None, trusted_proxies, proxy_protocol, labels, http2, transport }
    }
}

/// Whether both cannot be listened on: `0.0.0.0` and `[::]` are all addresses of their family. Port
/// 0 is whatever is free, and never the same.
fn overlap(one: &ListenAddress, other: &ListenAddress) -> bool {
    let (ListenAddress::Ip(one), ListenAddress::Ip(other)) = (one, other) else {
        return one == other;
    };
    let (a, b) = (one.ip(), other.ip());
    one.port() == other.port()
        && one.port() != 0
        && one.is_ipv4() == other.is_ipv4()
        && (a == b || a.is_unspecified() || b.is_unspecified())
}

/// The schema has checked it; a fault here would be one of ours.
fn parse_address(text: &AddressText, problems: &mut Problems) -> Option<ListenAddress> {
    let parsed = text.0.parse();
    parsed.map_err(|fault| problems.error_nowhere(format!("address {}: {fault}", text.0), "")).ok()
}

fn compile_listener(listener: &raw::Listener, problems: &mut Problems) -> Option<Listener> {
    let address = parse_address(&listener.address, problems)?;
    let mode = listener.mode.as_ref().and_then(|mode| u32::from_str_radix(&mode.0, 8).ok());
    let mut networks = |texts: &[raw::NetworkText]| {
        let parsed = TrustedProxies::parse(texts.iter().map(|network| network.0.as_str()));
        parsed.unwrap_or_else(|faults| {
            for fault in faults {
                problems.error_nowhere(format!("listener {address}: {fault}"), "");
            }
            TrustedProxies::default()
        })
    };
    let trusted_proxies = networks(&listener.trusted_proxies);
    let proxy_protocol = match &listener.proxy_protocol {
        Some(proxies) => ProxyProtocol::From(networks(&proxies.trusted)),
        None => ProxyProtocol::Off,
    };
    let transport = if listener.tls.is_some() { Transport::Tls } else { Transport::Plain };
    let offered = listener.http2.unwrap_or(transport == Transport::Tls);
    let http2 = if offered { Http2::Offered } else { Http2::NotOffered };
    let labels = listener.labels.iter().map(|label| label.0.clone()).collect();
    Some(Listener { address, mode, trusted_proxies, proxy_protocol, labels, http2, transport })
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
        let state_folder = StateFolder::Beside("/etc/r/ringway-state".into());
        assert_eq!((settings, errors), (Settings { state_folder, ..Settings::default() }, 0));
    }

    #[test]
    fn the_state_folder_is_the_file_s_else_systemd_s_else_beside_it() {
        #[track_caller]
        fn check(file: &str, of_system: Option<&str>, expected: &str) {
            let (settings, _) = compile(file, &Overrides::default());
            assert_eq!(settings.state_folder.resolve(of_system), Path::new(expected));
        }
        let named = r#"{"apis": [], "stateFolder": "state"}"#;
        check(named, None, "/etc/r/state");
        check(named, Some("/var/lib/ringway"), "/etc/r/state");
        check(r#"{"apis": [], "stateFolder": "/srv"}"#, None, "/srv");
        let bare = r#"{"apis": []}"#;
        check(bare, None, "/etc/r/ringway-state");
        check(bare, Some(""), "/etc/r/ringway-state");
        check(bare, Some("/var/lib/ringway"), "/var/lib/ringway");
        check(bare, Some("/var/lib/a:/var/lib/b"), "/var/lib/a");
    }

    #[test]
    fn flags_go_over_the_file() {
        let file = r#"{"apis": [], "admin": {"address": "127.0.0.1:1"}, "shards": 2,
            "listeners": [{"address": "0.0.0.0:80", "trustedProxies": ["10.0.0.0/8"]}],
            "accessLog": {"destination": "a.log"}, "drainSeconds": 5}"#;
        let (settings, _) = compile(file, &Overrides::default());
        assert_eq!(settings.listeners[0].address.to_string(), "0.0.0.0:80");
        assert!(settings.listeners[0].trusted_proxies.contains("10.1.2.3".parse().unwrap()));
        assert_eq!(settings.admin.to_string(), "127.0.0.1:1");
        assert_eq!(settings.shards, Shards::Exactly(2));
        assert_eq!(settings.access_log, AccessLogTo::File("/etc/r/a.log".into()));
        assert_eq!(settings.drain, Duration::from_secs(5));
        let listen = vec!["[::]:8080".parse().unwrap()];
        let admin = Some("127.0.0.1:2".parse().unwrap());
        let overrides = Overrides { listen, admin, shards: Some(7), ..Overrides::default() };
        let (settings, _) = compile(file, &overrides);
        let address = "[::]:8080".parse().unwrap();
        assert_eq!(settings.listeners, [Listener::at(address, Transport::Plain)]);
        assert_eq!(settings.admin.to_string(), "127.0.0.1:2");
        assert_eq!(settings.shards, Shards::Exactly(7));
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
        check_addresses(&["unix:/a", "unix:/b", "systemd:a", "systemd:b"], "unix:/c", 0);
        check_addresses(&["unix:/a", "unix:/a"], admin, 1);
        check_addresses(&["unix:/a/b", "unix:/a//b"], admin, 1);
        check_addresses(&["systemd:a"], "systemd:a", 1);
    }
}
