//! API keys, usage plans and what is left of quotas, in the shapes of AWS's REST API
//! (`api-gateway.md` 12), so that its command line and SDKs can be pointed at the private port.
//!
//! | request | AWS's name |
//! |---|---|
//! | `GET /apikeys`, `GET /apikeys/{id}` | GetApiKeys, GetApiKey; never with the value |
//! | `PATCH /apikeys/{id}` | UpdateApiKey: `replace` `/enabled` |
//! | `GET /usageplans`, `GET /usageplans/{id}` | GetUsagePlans, GetUsagePlan |
//! | `GET /usageplans/{id}/keys`, and `/{keyId}` | GetUsagePlanKeys, GetUsagePlanKey |
//! | `GET /usageplans/{id}/usage` | GetUsage |
//! | `PATCH /usageplans/{id}/keys/{keyId}/usage` | UpdateUsage: `replace` `/remaining` |
//!
//! What is asked for and how it is told; the doing is the process's. All else of keys and plans is
//! the gateway file's.

mod ask;
mod told;

#[cfg(test)]
mod tests;

pub(super) use ask::Query;
pub use ask::{Page, UsageQuestion, parse};
pub use told::{
    IsEnabled, api_key, api_keys, cut, unavailable, usage, usage_plan, usage_plan_key,
    usage_plan_keys, usage_plans,
};

use super::answers::{Answer, message};
use crate::{
    http::Status,
    ledger::{AccountId, LimitId, QuotaTerms, Subject},
};

/// The plan's usage plans and API keys, as they are told.
#[derive(Debug, Default, PartialEq)]
pub struct UsagePlans {
    plans: Vec<UsagePlan>,
    keys: Vec<ApiKey>,
}

/// A usage plan.
#[derive(Clone, Debug, PartialEq)]
pub struct UsagePlan {
    /// What tells it from others.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// On which stages it holds: pairs of an API's id and a stage's name.
    pub stages: Vec<(String, String)>,
    /// Requests per second and the burst of each key.
    pub throttle: Option<(f64, u32)>,
    /// The quota of each key, and its name for the ledger.
    pub quota: Option<(LimitId, QuotaTerms)>,
    /// The ids of its keys.
    pub keys: Vec<String>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// What tells it from others.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What the file says of it.
    pub description: Option<String>,
    /// Whether the file says that it is valid.
    pub enabled: bool,
    /// Whose accounts it spends.
    pub subject: Subject,
}

impl UsagePlans {
    /// These, in the order of their ids.
    #[must_use]
    pub fn new(mut plans: Vec<UsagePlan>, mut keys: Vec<ApiKey>) -> Self {
        plans.sort_by(|one, two| one.id.cmp(&two.id));
        plans.iter_mut().for_each(|plan| plan.keys.sort());
        keys.sort_by(|one, two| one.id.cmp(&two.id));
        Self { plans, keys }
    }

    /// All plans, by id.
    #[must_use]
    pub fn plans(&self) -> &[UsagePlan] {
        &self.plans
    }

    /// All keys, by id.
    #[must_use]
    pub fn keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// The usage plan of this id.
    ///
    /// # Errors
    /// AWS's 404.
    pub fn plan(&self, id: &str) -> Result<&UsagePlan, Answer> {
        let found = self.plans.binary_search_by(|plan| plan.id.as_str().cmp(id));
        let found = found.map(|place| &self.plans[place]);
        found.map_err(|_| not_found("Invalid Usage Plan ID specified"))
    }

    /// The key of this id.
    ///
    /// # Errors
    /// AWS's 404.
    pub fn key(&self, id: &str) -> Result<&ApiKey, Answer> {
        let found = self.keys.binary_search_by(|key| key.id.as_str().cmp(id));
        let found = found.map(|place| &self.keys[place]);
        found.map_err(|_| Self::no_such_key())
    }

    /// AWS's 404 of a key.
    #[must_use]
    pub fn no_such_key() -> Answer {
        not_found("Invalid API Key identifier specified")
    }

    /// A plan and a key of it.
    ///
    /// # Errors
    /// AWS's 404, also when the key is of other plans only.
    pub fn plan_and_key(&self, plan: &str, key: &str) -> Result<(&UsagePlan, &ApiKey), Answer> {
        let (plan, key) = (self.plan(plan)?, self.key(key)?);
        if !plan.has(&key.id) {
            return Err(Self::no_such_key());
        }
        Ok((plan, key))
    }

    /// The account of every key in every plan with a quota.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let with_quota = self.plans.iter().filter_map(|plan| Some((plan.quota?.0, &plan.keys)));
        with_quota.flat_map(|(limit, keys)| {
            let keys = keys.iter().filter_map(|key| self.key(key).ok());
            keys.map(move |key| AccountId::new(limit, key.subject))
        })
    }
}

impl UsagePlan {
    /// Whether the key of this id is in it.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.keys.binary_search_by(|known| known.as_str().cmp(key)).is_ok()
    }
}

fn not_found(sentence: &str) -> Answer {
    failed(Status::NOT_FOUND, "NotFoundException", sentence)
}

/// AWS's 400.
#[must_use]
pub fn bad_request(sentence: &str) -> Answer {
    failed(Status::BAD_REQUEST, "BadRequestException", sentence)
}

fn failed(status: Status, error_type: &'static str, sentence: &str) -> Answer {
    Answer { error_type: Some(error_type), ..message(status, sentence) }
}
