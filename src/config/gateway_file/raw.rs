//! The gateway file as it is written: serde types whose schema is the file's schema.
//!
//! A key that this version knows and does not do yet carries `x-ringway-not-yet` in the schema:
//! the check says so at its place. `error` refuses to run, where running would leave open what
//! the writer believes closed or unreachable (other protocols); `warning` runs without (log
//! formats). What the file says of keys, plans and limits is in [`traffic`].

mod cors;
mod principals;
mod traffic;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::base::limits::{
    ANY_OF_MAX, API_KEY_FILES_MAX, API_MAPPINGS_MAX, DOMAIN_NAMES_MAX, IP_RULES_MAX,
    PRINCIPAL_FILES_MAX, PRINCIPALS_MAX, ROUTING_RULE_PRIORITY_MAX, ROUTING_RULES_MAX,
    USAGE_PLANS_MAX, USER_POOLS_MAX,
};

pub use cors::CorsConfiguration;
pub use principals::{AccessKey, AccessKeyStatus, Principal, SecretText};
pub use traffic::{
    ApiKey, ApiStage, IpRule, LimitKey, LimitKeyType, LimitRoute, NameText, OwnLimit, PathText,
    Period, Quota, Throttle, Throttling, UsagePlan,
};

/// The gateway file of Ringway.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayFile {
    /// Where clients connect. Without it: 127.0.0.1:8080.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// The APIs that are served.
    #[schemars(length(min = 1))]
    pub apis: Vec<Api>,
    /// The private port: health, metrics.
    pub admin: Option<Admin>,
    /// One JSON line per request.
    pub access_log: Option<AccessLog>,
    /// The region that ${AWS::Region} and $context say, and that stands in the APIs' default host
    /// names. Without it: us-east-1.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,32}$"))]
    #[schemars(extend("format" = "region"))]
    pub region: Option<String>,
    /// The account that ${AWS::AccountId} and $context.accountId say, 12 digits.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    #[schemars(extend("format" = "account-id"))]
    pub account_id: Option<String>,
    /// The last part of the APIs' default host names, {apiId}.execute-api.{region}.{domainSuffix},
    /// and what ${AWS::URLSuffix} says. Without it: amazonaws.com, and hosts with any other last
    /// part are taken too.
    #[schemars(regex(pattern = r"^[a-z0-9.-]{1,190}$"))]
    #[schemars(extend("format" = "domain-suffix"))]
    pub domain_suffix: Option<String>,
    /// How long what is in flight may take to finish at the end. Without it: 30.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: Option<u32>,
    /// Shards, one per core. Without it: as many as there are cores allowed.
    #[schemars(range(min = 1, max = 1024))]
    pub shards: Option<u16>,
    /// What stands for the Cognito user pools that authorizers name. Without it, AWS's own do.
    #[serde(default)]
    #[schemars(length(max = USER_POOLS_MAX))]
    pub user_pools: Vec<UserPool>,
    /// What the URI of an integration cannot say of its upstream.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// Path of the folder where quotas are counted and switched keys are noted, relative to this
    /// file. Without it: the one that systemd gives (StateDirectory), else ringway-state beside
    /// this file. It is made when there are API keys.
    #[schemars(length(min = 1))]
    pub state_folder: Option<String>,
    /// Keys of callers, for usage plans.
    #[serde(default)]
    pub api_keys: Vec<ApiKey>,
    /// Paths of files with more keys, relative to this file: CSV as API Gateway imports it, with
    /// the columns Name and Key, and Description, Enabled and UsagePlanIds.
    #[serde(default)]
    #[schemars(length(max = API_KEY_FILES_MAX))]
    pub api_key_files: Vec<PathText>,
    /// Throttles and quotas of API keys.
    #[serde(default)]
    #[schemars(length(max = USAGE_PLANS_MAX))]
    pub usage_plans: Vec<UsagePlan>,
    /// What holds of all throttles, the account's, and limits that AWS does not have.
    #[serde(default)]
    pub throttling: Throttling,
    /// Which client addresses may come, asked before anything else: Ringway's own.
    #[serde(default)]
    #[schemars(length(max = IP_RULES_MAX))]
    pub ip_rules: Vec<IpRule>,
    /// Who may sign requests for routes with AWS_IAM.
    #[serde(default)]
    #[schemars(length(max = PRINCIPALS_MAX))]
    pub principals: Vec<Principal>,
    /// Paths of files with more principals, relative to this file: YAML or JSON, a list like
    /// principals.
    #[serde(default)]
    #[schemars(length(max = PRINCIPAL_FILES_MAX))]
    pub principal_files: Vec<PathText>,
    /// Custom domain names and what they lead to. With them, an API answers on no other hosts than
    /// these and its default one.
    #[serde(default)]
    #[schemars(length(max = DOMAIN_NAMES_MAX))]
    pub domain_names: Vec<DomainName>,
}

/// An issuer of tokens in the place of a Cognito user pool.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPool {
    /// The pool, as providerARNs of an authorizer names it, such as
    /// arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_aBcDeFgHi.
    #[schemars(length(min = 1))]
    pub arn: String,
    /// What its tokens have in iss, and where its keys are found (OpenID Connect Discovery). Any
    /// such server will do; where its tokens have no token_use, one is taken for what a route asks:
    /// an ID token, or with scopes an access token. Without it: AWS's address of the pool.
    #[schemars(length(min = 1))]
    pub issuer: Option<String>,
    /// Path of a file with its public keys (JWKS), relative to this file; then nothing is fetched.
    pub jwks_file: Option<PathText>,
    /// Path of a file with the certificates (PEM) that vouch for the issuer, relative to this file.
    /// Without it: the system's.
    pub ca_certificates: Option<PathText>,
}

/// An address that clients connect to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// IP address and port, such as 0.0.0.0:8080 or [::]:8080 (which takes IPv4 too, unless another
    /// listener has the port there); unix:/path of a socket to make; systemd:NAME of a socket that
    /// systemd passes on.
    pub address: AddressText,
    /// Names by which APIs are private to this listener; they stand where AWS has the ids of VPC
    /// endpoints.
    #[serde(default)]
    pub labels: Vec<LabelText>,
    /// The mode of a Unix socket's file, in octal, such as "0660". Without it: what the process's
    /// umask leaves.
    pub mode: Option<ModeText>,
    /// Certificates; with them the listener speaks HTTPS.
    pub tls: Option<Tls>,
    /// Networks whose X-Forwarded-For, -Port and -Proto are believed, such as 10.0.0.0/8.
    #[serde(default)]
    pub trusted_proxies: Vec<NetworkText>,
    /// Every connection begins with a header of the PROXY protocol (version 1 or 2) that says who
    /// the client is. For a listener behind a load balancer that sends it.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whether clients may speak HTTP/2 beside HTTP/1.1. Without it: with TLS, yes; without TLS,
    /// where clients have to know beforehand that they may (prior knowledge), no.
    pub http2: Option<bool>,
}

/// Who sends the PROXY protocol.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyProtocol {
    /// Networks of the proxies, such as 10.0.0.0/8: their header is needed and believed, and
    /// connections from elsewhere are closed.
    #[schemars(length(min = 1))]
    pub trusted: Vec<NetworkText>,
}

/// An upstream of integrations, by its origin.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// Scheme, host and port as in the integrations' URIs, such as http://orders.internal:8080.
    #[schemars(length(min = 1))]
    pub origin: String,
    /// Where connections to it go, whatever its host is: an IP address and port, or unix:/path.
    pub connect_to: Option<ConnectText>,
    /// What it speaks. Without it: HTTP1.
    #[serde(default)]
    pub protocol_version: ProtocolVersion,
    /// For https: whom to trust, what to show. Without it: the system's authorities, nothing.
    pub tls: Option<UpstreamTls>,
}

/// How an upstream is called by TLS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamTls {
    /// Path of the authorities to trust instead of the system's, PEM.
    #[schemars(length(min = 1))]
    pub ca_certificates: Option<String>,
    /// The gateway's own certificate, for an upstream that asks for one.
    pub client_certificate: Option<ClientCertificate>,
    /// The name that the upstream's certificate must be for, instead of the URI's host.
    #[schemars(length(min = 1))]
    pub server_name_to_verify: Option<String>,
    /// Take any certificate: for tests only.
    #[serde(default)]
    pub insecure_skip_verification: bool,
}

/// A certificate that the gateway shows, and its private key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCertificate {
    /// Path of the chain, PEM, the certificate itself first.
    #[schemars(length(min = 1))]
    pub certificate: String,
    /// Path of the key, PEM, not encrypted.
    #[schemars(length(min = 1))]
    pub private_key: String,
}

/// IP address and port, or unix:/path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "connect-address"))]
pub struct ConnectText(pub String);

/// The version of HTTP that an upstream speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProtocolVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, as gRPC needs it: without TLS by prior knowledge.
    Http2,
}

/// IP address and port, such as 0.0.0.0:8080 or [::]:8080, or unix:/path, or systemd:NAME.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "listen-address"))]
pub struct AddressText(pub String);

/// A listener's label: 1 to 63 of a-z 0-9 -.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "listener-label", "pattern" = "^[a-z0-9-]{1,63}$"))]
pub struct LabelText(pub String);

/// A file's mode, as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "file-mode", "pattern" = "^0?[0-7]{3}$"))]
pub struct ModeText(pub String);

/// A network as written: an address and the length of its prefix, or one address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "cidr"))]
pub struct NetworkText(pub String);

/// What a listener needs to speak HTTPS.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Certificates with their keys. A client sees the one for the name that it comes to, else the
    /// first.
    #[serde(default)]
    #[schemars(length(max = 10_000))]
    pub certificates: Vec<Certificate>,
    /// Path of a folder of more certificates: NAME.pem or NAME.crt, with NAME.key.
    #[schemars(length(min = 1))]
    pub certificate_folder: Option<String>,
    /// AWS's name of versions and cipher suites. Without it:
    /// SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09.
    pub security_policy: Option<String>,
}

/// A certificate chain and its private key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// Path of the chain, PEM, the certificate itself first.
    #[schemars(length(min = 1))]
    pub certificate: String,
    /// Path of the key, PEM, not encrypted.
    #[schemars(length(min = 1))]
    pub private_key: String,
    /// Path of an OCSP responder's answer about the certificate, DER.
    #[schemars(length(min = 1))]
    pub ocsp_staple: Option<String>,
}

/// One API: a definition and the stages that serve it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Api {
    /// Its name, different from the others'.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The API's id, 10 lower-case letters and digits. Without it: made from the name.
    #[schemars(regex(pattern = r"^[a-z0-9]{10}$"))]
    #[schemars(extend("format" = "api-id"))]
    pub api_id: Option<String>,
    /// What the API speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// Path of the OpenAPI 3.x document, relative to this file.
    #[schemars(length(min = 1))]
    pub definition: String,
    /// What becomes of the base path of the document's servers.
    #[serde(default)]
    pub basepath: BasePath,
    /// Whether the API is reached by custom domain names only: not by its id, in the host or in
    /// x-apigw-api-id, and not as the only API. Without it: as the definition says, else false.
    pub disable_execute_api_endpoint: Option<bool>,
    /// Who may reach it by which listener. Without it: as the definition says, else everybody.
    pub endpoint_configuration: Option<EndpointConfiguration>,
    /// What browsers are told of other sites' pages that call it. Without it: as the definition
    /// says, else nothing.
    pub cors_configuration: Option<CorsConfiguration>,
    /// Who may call it at all: a policy as IAM has them (Version, Statement), or the path of a file
    /// with one, relative to this file. Without it: as the definition says in
    /// x-amazon-apigateway-policy, else no policy.
    pub policy: Option<PolicySaid>,
    /// Refuse to run when the import of the definition warns.
    #[serde(default)]
    pub fail_on_warnings: bool,
    /// The stages. Without them: one, $default.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub stages: Vec<Stage>,
}

/// A policy, or the path of its file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("type" = ["object", "string"], "minLength" = 1, "additionalProperties" = true))]
pub struct PolicySaid(pub serde_json::Value);

/// Who may reach an API: everybody, or those who come by certain listeners.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointConfiguration {
    /// One type. Without it: PRIVATE when there are vpcEndpointIds.
    #[serde(default)]
    #[schemars(length(max = 1))]
    pub types: Vec<EndpointType>,
    /// With PRIVATE: the labels of the listeners by which it is reached.
    #[serde(default)]
    pub vpc_endpoint_ids: Vec<LabelText>,
}

/// AWS's endpoint types.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum EndpointType {
    /// Reached by every listener.
    Edge,
    /// Reached by every listener.
    Regional,
    /// Reached by some listeners.
    Private,
}

/// What an API speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum Protocol {
    /// AWS's HTTP API (v2).
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// AWS's REST API (v1).
    #[serde(rename = "REST")]
    #[schemars(extend("x-ringway-not-yet" = json!({
        "severity": "error",
        "because": "this version serves HTTP APIs",
    })))]
    Rest,
    /// AWS's WebSocket API.
    #[serde(rename = "WEBSOCKET")]
    #[schemars(extend("x-ringway-not-yet" = json!({
        "severity": "error",
        "because": "this version serves HTTP APIs",
    })))]
    WebSocket,
}

/// AWS's `basepath` parameter of an import.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum BasePath {
    /// Routes are the document's paths.
    #[default]
    Ignore,
    /// The base path stands before every path.
    Prepend,
    /// The base path without its first segment stands before every path.
    Split,
}

/// A stage of an API: where it is reached, and its variables.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// $default (served at /), or the first segment of the path that selects the stage.
    #[schemars(regex(pattern = r"^(\$default|[A-Za-z0-9_-]{1,128})$"))]
    #[schemars(extend("format" = "stage-name"))]
    pub stage_name: String,
    /// What it is for; nothing reads it.
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Variables that integrations name as ${stageVariables.name}; at most 100.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100, "propertyNames" = json!({
        "format": "stage-variable-name",
        "pattern": "^[A-Za-z0-9_]+$",
        "maxLength": 64,
    })))]
    pub stage_variables: BTreeMap<String, StageVariable>,
    /// The throttle that each route has by itself, unless routeSettings give it another.
    #[serde(default)]
    pub default_route_settings: RouteSettings,
    /// Throttles by route key, such as "GET /pets".
    #[serde(default)]
    pub route_settings: BTreeMap<String, RouteSettings>,
    /// Where and what this stage logs.
    #[schemars(extend("x-ringway-not-yet" = json!({
        "severity": "warning",
        "because": "the file's accessLog logs every request",
    })))]
    pub access_log_settings: Option<AccessLogSettings>,
    /// A changed file is always deployed by itself.
    #[serde(default = "yes")]
    #[schemars(extend("x-ringway-not-yet" = json!({
        "severity": "warning",
        "unless": true,
        "because": "a changed file is always deployed by itself",
    })))]
    pub auto_deploy: bool,
}

const fn yes() -> bool {
    true
}

impl Stage {
    /// A stage of this name, with nothing else said.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            stage_name: name.to_owned(),
            description: None,
            stage_variables: BTreeMap::new(),
            default_route_settings: RouteSettings::default(),
            route_settings: BTreeMap::new(),
            access_log_settings: None,
            auto_deploy: yes(),
        }
    }
}

/// A stage variable's value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "stage-variable-value", "pattern" = "^[A-Za-z0-9._~:/?#&=,-]+$"))]
pub struct StageVariable(#[schemars(length(max = 512))] pub String);

/// Throttles and metrics of one route, or of all.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteSettings {
    /// Requests per second that are let through in the long run, of all callers together.
    #[schemars(range(min = 0, max = 1e12))]
    pub throttling_rate_limit: Option<f64>,
    /// Requests that are let through at once. Without it: the rate, rounded up.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub throttling_burst_limit: Option<u32>,
    /// Metrics for every route.
    #[schemars(extend("x-ringway-not-yet" = json!({
        "severity": "warning",
        "unless": false,
        "because": "metrics are kept for each shard and not for each route",
    })))]
    pub detailed_metrics_enabled: Option<bool>,
}

/// Where and what a stage logs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessLogSettings {
    /// Where to.
    pub destination_arn: Option<String>,
    /// A line's shape, of $context variables.
    pub format: Option<String>,
}

/// The private port.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Admin {
    /// Where it listens, written as a listener's. Without it: 127.0.0.1:9901.
    pub address: AddressText,
}

/// One JSON line per request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessLog {
    /// stdout, off, or a file's path, relative to this file.
    #[schemars(length(min = 1))]
    pub destination: String,
}

/// A custom domain name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DomainName {
    /// The name, such as api.example.com; *.example.com covers all names of one more label.
    pub domain_name: String,
    /// What is asked where a request goes.
    #[serde(default)]
    pub routing_mode: RoutingMode,
    /// What the beginning of its paths leads to; the longest that matches is taken.
    #[serde(default)]
    #[schemars(length(max = API_MAPPINGS_MAX))]
    pub api_mappings: Vec<ApiMapping>,
    /// What headers and the beginning of its paths lead to; the first by priority is taken.
    #[serde(default)]
    #[schemars(length(max = ROUTING_RULES_MAX))]
    pub routing_rules: Vec<RoutingRule>,
    /// Certificates with their keys; several for several algorithms. Without them the listener's
    /// are shown.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub certificates: Vec<Certificate>,
    /// AWS's name of versions and cipher suites. Without it the listener's holds.
    pub security_policy: Option<String>,
    /// Whether the name in the handshake must be the request's.
    #[serde(default)]
    pub endpoint_access_mode: AccessMode,
    /// Ask clients for certificates, and let in no others.
    pub mutual_tls_authentication: Option<MutualTls>,
}

/// Over which connections a domain is reached.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum AccessMode {
    /// Any.
    #[default]
    Basic,
    /// Those whose handshake named the host that the request names; others are answered 421.
    Strict,
}

/// Whose certificates clients may show.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MutualTls {
    /// Path of the authorities' certificates, PEM: at most 1,000 and 1 MB.
    #[schemars(length(min = 1))]
    pub truststore_uri: String,
    /// Path of what the authorities have taken back: CRLs, PEM, or one in DER.
    #[schemars(length(min = 1))]
    pub certificate_revocation_list: Option<String>,
}

/// What a custom domain asks where a request goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum RoutingMode {
    /// Its API mappings.
    #[default]
    #[serde(rename = "API_MAPPING_ONLY")]
    ApiMappingOnly,
    /// Its routing rules.
    #[serde(rename = "ROUTING_RULE_ONLY")]
    RoutingRuleOnly,
    /// Its routing rules; its API mappings when no rule matches.
    #[serde(rename = "ROUTING_RULE_THEN_API_MAPPING")]
    RoutingRuleThenApiMapping,
}

/// The beginning of a domain's paths and the stage it leads to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiMapping {
    /// The API's name.
    pub api: String,
    /// The stage's name.
    pub stage: String,
    /// The path's beginning, such as orders/v1; the stage does not see it. Without it, or with
    /// (none), every path.
    pub api_mapping_key: Option<String>,
}

/// Conditions that hold together, and the stage that they lead to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingRule {
    /// What $context.customDomain.routingRuleIdMatched says. Without it: the priority.
    pub routing_rule_id: Option<String>,
    /// The rule with the lowest number is asked first.
    #[schemars(range(min = 1, max = ROUTING_RULE_PRIORITY_MAX))]
    pub priority: u32,
    /// What must hold; without any, the rule takes every request.
    #[serde(default)]
    pub conditions: RoutingRuleConditions,
    /// Where requests go.
    pub action: RoutingRuleAction,
}

/// What must hold of a request, all of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingRuleConditions {
    /// Header fields that must be there; at most two.
    #[serde(default)]
    #[schemars(length(max = 2))]
    pub match_headers: Vec<MatchHeaders>,
    /// What the path must begin with.
    pub match_base_paths: Option<MatchBasePaths>,
}

/// One of several header fields.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchHeaders {
    /// One of them must be there.
    #[schemars(length(min = 1, max = ANY_OF_MAX))]
    pub any_of: Vec<MatchHeaderValue>,
}

/// A header field, by name and value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchHeaderValue {
    /// The name, in any case; at most 40 characters.
    pub header: String,
    /// The value, its case kept: as it is (beta), or with a * at its ends (beta*, *beta, *beta*).
    pub value_glob: String,
}

/// One of several beginnings of a path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchBasePaths {
    /// The path must begin with one of them, such as orders or orders/v1, in whole segments.
    #[schemars(length(min = 1, max = ANY_OF_MAX))]
    pub any_of: Vec<String>,
}

/// Where a routing rule sends requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingRuleAction {
    /// The API's name.
    pub api: String,
    /// The stage's name.
    pub stage: String,
    /// Whether the stage sees the path without the base path that matched.
    #[serde(default)]
    pub strip_base_path: bool,
}
