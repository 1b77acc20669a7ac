//! Who may sign requests, as it is written.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{PathText, PolicySaid};
use crate::base::limits::{PRINCIPAL_POLICIES_MAX, PRINCIPAL_TAGS_MAX};

/// A user, a session or an account's root that signs requests for routes with AWS_IAM.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Principal {
    /// Who it is, such as arn:aws:iam::123456789012:user/alice, or
    /// arn:aws:sts::123456789012:assumed-role/ROLE/SESSION.
    #[schemars(extend("format" = "principal-arn"))]
    pub arn: String,
    /// What aws:userid and $context.identity.user say of it. Without it: one that is made of the
    /// ARN.
    #[schemars(extend("format" = "principal-id", "pattern" = "^[!-~]{1,128}$"))]
    pub user_id: Option<String>,
    /// What it signs with.
    #[serde(default)]
    pub access_keys: Vec<AccessKey>,
    /// What it may do: policies as IAM has them (Version, Statement), or paths of files with one
    /// each, relative to this file.
    #[serde(default)]
    #[schemars(length(max = PRINCIPAL_POLICIES_MAX))]
    pub policies: Vec<PolicySaid>,
    /// Its tags, which policies know as aws:PrincipalTag/NAME.
    #[serde(default)]
    #[schemars(extend("maxProperties" = PRINCIPAL_TAGS_MAX))]
    pub tags: BTreeMap<String, String>,
    /// Its organization, such as o-a1b2c3d4e5, which policies know as aws:PrincipalOrgID.
    #[schemars(extend("format" = "organization-id", "pattern" = "^o-[a-z0-9]{1,32}$"))]
    pub organization_id: Option<String>,
    /// Where in its organization it stands, such as o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub organization_paths: Vec<String>,
    /// When it gave its second factor (ISO 8601), which policies know as
    /// aws:MultiFactorAuthPresent and aws:MultiFactorAuthAge. Without it: it did not.
    #[schemars(extend("format" = "iso-time"))]
    pub multi_factor_auth: Option<String>,
}

/// An access key of a principal. Its secret is in a file, in the environment, or here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessKey {
    /// Its id, such as AKIAIOSFODNN7EXAMPLE.
    #[schemars(extend("format" = "access-key-id", "pattern" = "^[A-Za-z0-9_]{16,128}$"))]
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Option<SecretText>,
    /// Path of a file with the secret, relative to this file; a line end after it does not count.
    pub secret_access_key_file: Option<PathText>,
    /// Name of a variable of the gateway's environment with the secret.
    #[schemars(length(min = 1))]
    pub secret_access_key_environment: Option<String>,
    /// The session token that requests of a temporary key bring.
    pub session_token: Option<SecretText>,
    /// Path of a file with the session token, relative to this file.
    pub session_token_file: Option<PathText>,
    /// Until when it holds (ISO 8601). Without it: for ever.
    #[schemars(extend("format" = "iso-time"))]
    pub expiration: Option<String>,
    /// Whether it may be used.
    #[serde(default)]
    pub status: AccessKeyStatus,
}

/// AWS's states of an access key.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum AccessKeyStatus {
    /// It may be used.
    #[default]
    Active,
    /// It is as if it were not there.
    Inactive,
}

/// A secret. `Debug` does not show it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("writeOnly" = true))]
pub struct SecretText(#[schemars(length(min = 1))] pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(not shown)")
    }
}
