//! API keys, usage plans and limits as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::NetworkText;

use crate::base::limits::{
    API_KEY_VALUE_BYTES_MAX, API_KEY_VALUE_BYTES_MIN, LIMIT_ROUTES_MAX, OWN_LIMITS_MAX,
};

/// The path of a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PathText(#[schemars(length(min = 1))] pub String);

/// Name or id of a key or a usage plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "name", "pattern" = r"^[^\u0000-\u001f\u007f-\u009f]{1,1024}$"))]
pub struct NameText(pub String);

/// A key of a caller, who sends its value in the header x-api-key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// Its name.
    pub name: NameText,
    /// What tells it from others for good: quotas are counted by it. Without it: the name.
    pub id: Option<NameText>,
    /// What the caller sends: 20 to 128 printable ASCII characters, no spaces.
    #[schemars(length(min = API_KEY_VALUE_BYTES_MIN, max = API_KEY_VALUE_BYTES_MAX))]
    #[schemars(extend("writeOnly" = true))]
    pub value: Option<String>,
    /// The SHA-256 of what the caller sends, instead of value: 64 hexadecimal digits.
    #[schemars(regex(pattern = r"^[0-9A-Fa-f]{64}$"))]
    #[schemars(extend("format" = "sha-256", "writeOnly" = true))]
    pub value_sha256: Option<String>,
    /// Whether it is valid.
    #[serde(default = "super::yes")]
    pub enabled: bool,
    /// What it is for; nothing reads it.
    pub description: Option<String>,
}

/// Throttles and quotas of API keys on stages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsagePlan {
    /// Its name.
    pub name: NameText,
    /// What tells it from others for good: quotas are counted by it. Without it: the name.
    pub id: Option<NameText>,
    /// What it is for; nothing reads it.
    pub description: Option<String>,
    /// The stages it is about.
    #[serde(default)]
    pub api_stages: Vec<ApiStage>,
    /// A key's throttle, over all stages together.
    pub throttle: Option<Throttle>,
    /// A key's quota, over all stages together.
    pub quota: Option<Quota>,
    /// Names or ids of its keys.
    #[serde(default)]
    pub api_keys: Vec<String>,
}

/// A stage of an API, by names.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiStage {
    /// The API's name.
    pub api: String,
    /// The stage's name.
    pub stage: String,
    /// A key's throttles on routes, beside its plan's: by "/path/VERB" as in AWS, such as
    /// "/pets/{id}/GET", or by route key, such as "GET /pets/{id}".
    #[serde(default)]
    pub throttle: BTreeMap<String, Throttle>,
}

/// A token bucket.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttle {
    /// Requests per second in the long run; may be a fraction.
    #[schemars(range(min = 0, max = 1e12))]
    pub rate_limit: Option<f64>,
    /// Requests at once. Without it: the rate, rounded up.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub burst_limit: Option<u32>,
}

/// Requests in a period.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Requests.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub limit: u64,
    /// In what time, in UTC.
    pub period: Period,
    /// WEEK: the day it begins, 0 to 6, 0 is Sunday. MONTH: the day it begins, 0 to 30, 0 is the
    /// first. DAY, or more than that: requests subtracted in the first period.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub offset: u32,
}

/// The time of a quota.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Period {
    /// A day.
    Day,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
}

/// Throttling over all APIs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttling {
    /// AWS's account level: the throttle of all APIs together. Without it: none.
    pub account: Option<Throttle>,
    /// Say Retry-After with a 429, which AWS does not.
    #[serde(default)]
    pub retry_after: bool,
    /// Say RateLimit-Policy and RateLimit in answers (draft-ietf-httpapi-ratelimit-headers).
    #[serde(default)]
    pub rate_limit_headers: bool,
    /// How often shards tell one another what they let through. Without it: 50.
    #[schemars(range(min = 10, max = 1000))]
    pub reconciliation_millis: Option<u16>,
    /// Limits that AWS does not have, asked before API keys.
    #[serde(default)]
    #[schemars(length(max = OWN_LIMITS_MAX))]
    pub limits: Vec<OwnLimit>,
}

/// A limit of callers, or of whatever the key tells apart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnLimit {
    /// Its name, in metrics and in RateLimit-Policy.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,64}$"))]
    #[schemars(extend("format" = "limit-name"))]
    pub name: String,
    /// Whose requests are counted together.
    pub key: LimitKey,
    /// Requests per second in the long run; may be a fraction.
    #[schemars(range(min = 0, max = 1e12))]
    pub rate_limit: Option<f64>,
    /// Requests at once. Without it: the rate, rounded up.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub burst_limit: Option<u32>,
    /// Requests under way at the same time, instead of rateLimit and burstLimit.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub concurrent_requests: Option<u32>,
    /// The routes it is about. Without it: all.
    #[schemars(length(min = 1, max = LIMIT_ROUTES_MAX))]
    pub routes: Option<Vec<LimitRoute>>,
    /// Count what it would refuse, and let it through.
    #[serde(default)]
    pub dry_run: bool,
}

/// Which client addresses may come.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpRule {
    /// Its name, in the access log and in metrics.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,64}$"))]
    #[schemars(extend("format" = "limit-name"))]
    pub name: String,
    /// Networks that may come, such as 10.0.0.0/8; all others may not. Without it and allowFile:
    /// everybody may.
    pub allow: Option<Vec<NetworkText>>,
    /// Path of a file with more of them, relative to this file: one in a line, # begins a comment.
    pub allow_file: Option<PathText>,
    /// Networks that may not come, also where they are allowed.
    pub deny: Option<Vec<NetworkText>>,
    /// Path of a file with more of them.
    pub deny_file: Option<PathText>,
    /// The routes it is about. Without it: every request, also those to no route.
    #[schemars(length(min = 1, max = LIMIT_ROUTES_MAX))]
    pub routes: Option<Vec<LimitRoute>>,
}

/// What tells apart whose requests are counted together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitKey {
    /// Of what kind it is.
    #[serde(rename = "type")]
    pub kind: LimitKeyType,
    /// With HEADER: the header field. With CLAIM: the claim.
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// With ADDRESS: the bits of an IPv4 address that count. Without it: 32.
    #[schemars(range(min = 0, max = 32))]
    pub ipv4_prefix_length: Option<u16>,
    /// With ADDRESS: the bits of an IPv6 address that count. Without it: 64.
    #[schemars(range(min = 0, max = 128))]
    pub ipv6_prefix_length: Option<u16>,
}

/// Kinds of keys of a limit.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum LimitKeyType {
    /// Everybody's requests are counted together.
    All,
    /// Those of one client address, or of its network.
    Address,
    /// Those with one value of a header field.
    Header,
    /// Those with one value of a claim of the caller's token; asked with AWS's limits, behind the
    /// authorizer.
    Claim,
}

/// Routes of a limit, by names; what is left out is any.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitRoute {
    /// The API's name.
    pub api: Option<String>,
    /// The stage's name.
    pub stage: Option<String>,
    /// The route's key, such as "GET /pets".
    pub route_key: Option<String>,
}
