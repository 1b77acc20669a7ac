//! HAProxy: one thread, connections to the upstream reused, JSON log lines into a memory ring.
//!
//! HAProxy has no buffered log file: it writes each line to a descriptor or a syslog socket, one
//! system call a request. A ring in memory is its cheapest log, so the comparison favours it.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use super::{Door, Site, configure, to_log};
use crate::children::Process;

const LOG_FORMAT: &str = "{\"time\":\"%tr\",\"requestId\":\"%rt\",\"ip\":\"%ci\",\
    \"method\":\"%HM\",\"path\":\"%HPO\",\"protocol\":\"%HV\",\"status\":%ST,\
    \"responseLength\":%B,\"latency\":%Ta,\"integrationLatency\":%Tr}";

pub(super) fn start(site: Site<'_>) -> io::Result<(Process, SocketAddr)> {
    let (file, address) = configure(site, "haproxy.cfg", |listen| render(site, listen))?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    to_log(&mut command, site, "haproxy")?;
    Ok((Process::start(&mut command, site.core)?, address))
}

/// Session tickets are on by default; so is the order of its own cipher suites, which would give
/// it the longer keys where a client prefers the shorter ones. Without `no strict-limits` it would
/// not start where descriptors for both sides of all clients cannot be had, which idle ones do not
/// need.
fn render(site: Site<'_>, listen: SocketAddr) -> String {
    let (upstream, clients_max) = (site.upstream, site.clients_max);
    let certificate = site.certificate.both.display();
    let (speaks, scheme) = match site.door {
        Door::Plain | Door::Keys | Door::Tokens => (String::new(), "http"),
        Door::Tls => (
            format!(
                " ssl crt {certificate} alpn h2,http/1.1 ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3 \
                 curves X25519:P-256 prefer-client-ciphers"
            ),
            "https",
        ),
        Door::PriorKnowledge => (" proto h2".to_owned(), "http"),
    };
    let log_format = LOG_FORMAT;
    format!(
        r#"global
  nbthread 1
  no strict-limits
  maxconn {clients_max}
  log ring@requests format raw local0

ring requests
  description "access log"
  format raw
  maxlen 1024
  size 1048576

defaults
  mode http
  log global
  option http-keep-alive
  option forwardfor
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 3600s
  timeout server 60s
  timeout http-keep-alive 3600s
  log-format '{log_format}'

frontend in
  bind {listen} backlog 4096{speaks}
  http-request set-header X-Forwarded-Proto {scheme}
  default_backend out

backend out
  server one {upstream} pool-max-conn -1
"#
    )
}
