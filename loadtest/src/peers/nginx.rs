//! nginx: one worker, keep-alive on both sides, a JSON access log written in blocks of 64 KiB.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use super::{Door, Site, configure, to_log};
use crate::children::Process;

pub(super) fn start(site: Site<'_>) -> io::Result<(Process, SocketAddr)> {
    let (file, address) = configure(site, "nginx.conf", |listen| render(site, listen))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(site.folder).arg("-c").arg(&file);
    command.arg("-e").arg(site.folder.join("nginx-error.log"));
    to_log(&mut command, site, "nginx")?;
    Ok((Process::start(&mut command, site.core)?, address))
}

/// `master_process off` leaves exactly the worker, which costs the same as under a master and
/// cannot be orphaned. The keep-alive limits are lifted (their defaults reconnect every 1000
/// requests); the buffers hold a 64 KiB body, so that nothing spills to disk. Session tickets are
/// on by default.
fn render(site: Site<'_>, listen: SocketAddr) -> String {
    let folder = site.folder.display();
    let upstream = site.upstream;
    let connections_max = 2 * site.clients_max;
    let speaks = match site.door {
        Door::Plain | Door::Keys | Door::Tokens => "",
        Door::Tls => " ssl http2",
        Door::PriorKnowledge => " http2",
    };
    let certificate = match site.door {
        Door::Tls => format!(
            "ssl_certificate {};\n    ssl_certificate_key {};\n    \
             ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_ecdh_curve X25519:prime256v1;",
            site.certificate.chain.display(),
            site.certificate.key.display()
        ),
        Door::Plain | Door::PriorKnowledge | Door::Keys | Door::Tokens => String::new(),
    };
    format!(
        r#"daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections {connections_max}; use epoll; multi_accept on; }}
http {{
  log_format json escape=json '{{"time":"$time_iso8601","requestId":"$request_id",'
    '"ip":"$remote_addr","method":"$request_method","path":"$uri","protocol":"$server_protocol",'
    '"status":$status,"responseLength":$body_bytes_sent,"latency":$request_time,'
    '"integrationLatency":"$upstream_response_time","userAgent":"$http_user_agent"}}';
  access_log {folder}/nginx-access.log json buffer=64k flush=1s;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  tcp_nodelay on;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  server_tokens off;
  upstream backend {{
    server {upstream} max_fails=0;
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 3600s;
  }}
  server {{
    listen {listen}{speaks} reuseport backlog=4096;
    {certificate}
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffer_size 16k;
      proxy_buffers 8 16k;
      proxy_max_temp_file_size 0;
    }}
  }}
}}
"#
    )
}
