//! What the gateway file says of CORS. What a schema cannot say of it is told in `config::cors`.

use schemars::JsonSchema;
use serde::Deserialize;

/// What browsers are told of other sites' pages that call an API (CORS): the gateway answers
/// preflights itself, and what integrations say of it is dropped.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CorsConfiguration {
    /// The pages that may read answers, by origin, such as https://app.example.com; * for all,
    /// https://* or http://* for all of a scheme.
    #[serde(default)]
    pub allow_origins: Vec<String>,
    /// The methods that they may use beside GET, HEAD and POST; * for all.
    #[serde(default)]
    pub allow_methods: Vec<String>,
    /// The header fields that they may send; * for all but Authorization.
    #[serde(default)]
    pub allow_headers: Vec<String>,
    /// The header fields of answers that they may read; * for all.
    #[serde(default)]
    pub expose_headers: Vec<String>,
    /// Whether their requests may have credentials (cookies, client certificates). Not with *.
    #[serde(default)]
    pub allow_credentials: bool,
    /// For how many seconds a browser may remember the answer to a preflight; -1: not at all.
    /// Without it: as long as the browser likes.
    #[schemars(range(min = -1, max = 86_400))]
    pub max_age: Option<i32>,
}
