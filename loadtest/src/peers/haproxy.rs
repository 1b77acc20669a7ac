//! HAProxy: one thread, connections to the upstream reused, JSON log lines into a memory ring.
//!
//! HAProxy has no buffered log file: it writes each line to a descriptor or a syslog socket, one
//! system call a request. A ring in memory is the cheapest log it has, so the comparison favours it.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use super::{Site, configure, to_log};
use crate::children::Process;

pub(super) fn start(site: Site<'_>) -> io::Result<(Process, SocketAddr)> {
    let (file, address) = configure(site, "haproxy.cfg", |listen| render(site, listen))?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    to_log(&mut command, site, "haproxy")?;
    Ok((Process::start(&mut command, site.core)?, address))
}

fn render(site: Site<'_>, listen: SocketAddr) -> String {
    let upstream = site.upstream;
    format!(
        r#"global
  nbthread 1
  maxconn 8000
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
  log-format '{{"time":"%tr","requestId":"%rt","ip":"%ci","method":"%HM","path":"%HPO","protocol":"%HV","status":%ST,"responseLength":%B,"latency":%Ta,"integrationLatency":%Tr}}'

frontend in
  bind {listen} backlog 4096
  http-request set-header X-Forwarded-Proto http
  default_backend out

backend out
  server one {upstream} pool-max-conn -1
"#
    )
}
