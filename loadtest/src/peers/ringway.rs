//! Ringway: an OpenAPI document whose routes lead to the upstream by HTTP_PROXY, one shard, access
//! log to a file, metrics on the private port.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::setup::Setup;
use super::{Door, Site, to_log};
use crate::certificate::Certificate;
use crate::children::Process;
use crate::listen;

const GATEWAY_FILE: &str = "gateway.json";
const DEFINITION: &str = "bench.json";

pub(super) fn start(
    site: Site<'_>,
    name: &str,
    program: &Path,
    setup: Setup,
) -> io::Result<(Process, SocketAddr)> {
    let address = listen::unused()?;
    write(site, address, None, setup)?;
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg(site.folder.join(GATEWAY_FILE))
        .arg(format!("--admin={}", listen::unused()?))
        .arg("--shards=1");
    to_log(&mut command, site, name)?;
    Ok((Process::start(&mut command, site.core)?, address))
}

/// Writes the gateway file and its definition; `extra` is a literal route in place of the one that
/// catches all, so that a reload can be seen by its answer. Each file appears at once, never half
/// written.
pub(crate) fn write_files(
    site: Site<'_>,
    address: SocketAddr,
    extra: Option<&str>,
) -> io::Result<()> {
    write(site, address, extra, Setup::Plain)
}

fn write(site: Site<'_>, address: SocketAddr, extra: Option<&str>, setup: Setup) -> io::Result<()> {
    let Certificate { chain, key, .. } = site.certificate;
    let certificates = json!([{"certificate": chain, "privateKey": key}]);
    let listener = match site.door {
        Door::Plain | Door::Keys | Door::Tokens => json!({"address": address}),
        Door::PriorKnowledge => json!({"address": address, "http2": true}),
        Door::Tls => json!({"address": address, "tls": {"certificates": certificates}}),
    };
    let mut gateway = json!({
        "listeners": [listener],
        "accessLog": {"destination": site.folder.join("ringway-access.log")},
        "apis": [{"name": "bench", "protocol": "HTTP", "definition": DEFINITION,
            "stages": [setup.stage()]}],
    });
    if let (Value::Object(gateway), Value::Object(more)) =
        (&mut gateway, setup.sections(site.folder)?)
    {
        gateway.extend(more);
    }
    for (name, document) in
        [(DEFINITION, definition(site.upstream, extra, setup)), (GATEWAY_FILE, gateway)]
    {
        let path = site.folder.join(name);
        let text = serde_json::to_string_pretty(&document)?;
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        let new = path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(new, path)?;
    }
    Ok(())
}

/// Literal routes for what is measured, and `{proxy+}` or `extra` beside them.
fn definition(upstream: SocketAddr, extra: Option<&str>, setup: Setup) -> Value {
    let integration = |path: &str| {
        json!({"x-amazon-apigateway-integration": {"type": "http_proxy", "httpMethod": "ANY",
            "uri": format!("http://{upstream}{path}"), "payloadFormatVersion": "1.0",
            "connectionType": "INTERNET", "timeoutInMillis": 29000}})
    };
    let mut paths = serde_json::Map::new();
    for path in ["/", "/pets", "/64k", "/1m"].into_iter().chain(extra) {
        paths.insert(path.to_owned(), json!({"get": integration(path)}));
    }
    if extra.is_none() {
        let mut greedy = json!({"x-amazon-apigateway-any-method": integration("/{proxy}")});
        greedy["x-amazon-apigateway-any-method"]["parameters"] = json!(
            [{"name": "proxy", "in": "path", "required": true, "schema": {"type": "string"}}]);
        paths.insert("/{proxy+}".to_owned(), greedy);
    }
    if let Some((path, security)) = setup.route() {
        let mut guarded = integration("/");
        if let Some(security) = security {
            guarded["security"] = security;
        }
        paths.insert(path.to_owned(), json!({"get": guarded}));
    }
    json!({"openapi": "3.0.1", "info": {"title": "bench", "version": "1"}, "paths": paths,
        "components": {"securitySchemes": setup.schemes()}})
}

/// The program to measure: the one that was named, or this workspace's, built by cargo now (which
/// does nothing when it is fresh).
pub(crate) fn program(named: Option<PathBuf>) -> io::Result<PathBuf> {
    if let Some(named) = named {
        return named
            .canonicalize()
            .map_err(|error| io::Error::other(format!("--ringway {}: {error}", named.display())));
    }
    let root = workspace();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--package", "ringway", "--bin", "ringway"];
    let built = Command::new(cargo).current_dir(&root).args(arguments).status()?;
    if !built.success() {
        return Err(io::Error::other(
            "cargo build --release failed; --ringway PATH takes a binary",
        ));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), |t| root.join(t));
    Ok(target.join("release/ringway"))
}

/// The folder of the workspace's Cargo.toml.
pub(crate) fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
