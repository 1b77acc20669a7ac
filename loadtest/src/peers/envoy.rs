//! Envoy, where it is in PATH: one worker, keep-alive both ways, a JSON access log (Envoy buffers
//! the file itself and flushes it every 10 s or 64 KiB).

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::{Site, configure, to_log};
use crate::children::Process;

pub(super) fn start(site: Site<'_>) -> io::Result<(Process, SocketAddr)> {
    let (file, address) =
        configure(site, "envoy.json", |listen| bootstrap(site, listen).to_string())?;
    let mut command = Command::new("envoy");
    command.arg("-c").arg(&file).args(["--concurrency", "1", "--disable-hot-restart"]);
    command.args(["--log-level", "error"]);
    to_log(&mut command, site, "envoy")?;
    Ok((Process::start(&mut command, site.core)?, address))
}

fn bootstrap(site: Site<'_>, listen: SocketAddr) -> Value {
    let address = |socket: SocketAddr| json!({"socket_address": {"address": socket.ip().to_string(), "port_value": socket.port()}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                  http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "use_remote_address": true,
        "generate_request_id": true,
        "access_log": [access_log(site)],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "out"}}]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    });
    let cluster = json!({
        "name": "out",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [{"max_connections": 30000, "max_requests": 30000,
            "max_pending_requests": 30000}]},
        "load_assignment": {"cluster_name": "out", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": address(site.upstream)}}]}]},
    });
    json!({"static_resources": {
        "listeners": [{"name": "in", "address": address(listen), "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
        "clusters": [cluster],
    }})
}

fn access_log(site: Site<'_>) -> Value {
    json!({"name": "envoy.access_loggers.file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": site.folder.join("envoy-access.log"),
        "log_format": {"json_format": {
            "time": "%START_TIME%", "requestId": "%REQ(X-REQUEST-ID)%",
            "ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "method": "%REQ(:METHOD)%",
            "path": "%REQ(:PATH)%", "protocol": "%PROTOCOL%", "status": "%RESPONSE_CODE%",
            "responseLength": "%BYTES_SENT%", "latency": "%DURATION%",
            "integrationLatency": "%RESPONSE_DURATION%"}},
    }})
}
