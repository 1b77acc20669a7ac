//! Documents for the gateway under test: OpenAPI with `http_proxy` integrations, gateway files.

use std::{fmt::Write, net::SocketAddr};

/// One operation of an OpenAPI document.
pub(crate) struct Route {
    /// A verb in upper case, `ANY`, or with the path `$default` whatever.
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) uri: String,
    /// More lines of the integration, in YAML's flow or block form, unindented.
    pub(crate) more: String,
    /// It asks for an API key.
    pub(crate) is_keyed: bool,
}

impl Route {
    pub(crate) fn new(method: &'static str, path: &'static str, uri: impl Into<String>) -> Self {
        Self { method, path, uri: uri.into(), more: String::new(), is_keyed: false }
    }

    pub(crate) fn more(mut self, lines: &str) -> Self {
        self.more.push_str(lines);
        self.more.push('\n');
        self
    }

    pub(crate) fn keyed(self) -> Self {
        Self { is_keyed: true, ..self }
    }

    pub(crate) fn timeout(self, millis: u32) -> Self {
        self.more(&format!("timeoutInMillis: {millis}"))
    }
}

/// An OpenAPI 3.0 document (YAML) with these routes.
pub(crate) fn openapi(routes: &[Route]) -> String {
    let mut text = String::from("openapi: 3.0.1\ninfo: {title: it, version: '1.0'}\npaths:\n");
    let mut paths: Vec<&str> = routes.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        let _ = writeln!(text, "  {path}:");
        for route in routes.iter().filter(|route| route.path == path) {
            write_operation(&mut text, route);
        }
    }
    if routes.iter().any(|route| route.is_keyed) {
        let scheme = "{key: {type: apiKey, name: x-api-key, in: header}}";
        let _ = writeln!(text, "components: {{securitySchemes: {scheme}}}");
    }
    text
}

/// Everything goes to one upstream, at the same path.
pub(crate) fn proxy_all(upstream: SocketAddr) -> String {
    proxy_all_in(upstream, 30_000)
}

/// The same with a timeout.
pub(crate) fn proxy_all_in(upstream: SocketAddr, timeout_millis: u32) -> String {
    openapi(&[
        Route::new("ANY", "/", format!("http://{upstream}/")).timeout(timeout_millis),
        Route::new("ANY", "/{proxy+}", format!("http://{upstream}/{{proxy}}"))
            .timeout(timeout_millis),
    ])
}

/// A gateway file with one API from `definition` and these stages (YAML list items, flow form).
pub(crate) fn gateway_file(definition: &str, stages: &[&str], more: &str) -> String {
    let mut text = format!(
        "{more}\napis:\n  - name: it\n    protocol: HTTP\n    definition: {definition}\n\
         \x20   stages:\n"
    );
    for stage in stages {
        let _ = writeln!(text, "      - {stage}");
    }
    text
}

fn write_operation(text: &mut String, route: &Route) {
    let key = match route.method {
        "ANY" => "x-amazon-apigateway-any-method".to_owned(),
        verb => verb.to_ascii_lowercase(),
    };
    let _ = writeln!(text, "    {key}:");
    if route.path == "/$default" {
        let _ = writeln!(text, "      isDefaultRoute: true");
    }
    if route.is_keyed {
        let _ = writeln!(text, "      security: [{{key: []}}]");
    }
    let _ = writeln!(text, "      responses: {{default: {{description: any}}}}");
    let _ = writeln!(text, "      x-amazon-apigateway-integration:");
    let lines = format!(
        "type: http_proxy\nhttpMethod: {}\nuri: '{}'\nconnectionType: INTERNET\n\
         payloadFormatVersion: '1.0'\n{}",
        route.method, route.uri, route.more
    );
    for line in lines.lines() {
        let _ = writeln!(text, "        {line}");
    }
}
