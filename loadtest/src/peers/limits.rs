//! The same Ringway under more and more limits: what keys, throttles and quotas cost.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

/// The path that is asked for there.
pub(crate) const PATH: &str = "/limited";
/// The gateway that the others are held against.
pub(crate) const NONE: &str = "no limits";
const KEYS: &str = "keys.csv";
/// Keys that callers have, where there are many.
const MANY: u32 = 100_000;

/// What a route's callers come under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// Nothing; their requests name keys all the same.
    None,
    /// A key, its throttle, the route's and the account's: one caller.
    OneKey,
    /// The same: 100,000 callers, one after the other.
    ManyKeys,
    /// One caller, with a quota too.
    Quota,
}

impl Limits {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::OneKey, Self::ManyKeys, Self::Quota];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => NONE,
            Self::OneKey => "one key",
            Self::ManyKeys => "100,000 keys",
            Self::Quota => "one key, quota",
        }
    }

    /// How many keys its callers name.
    pub(crate) fn keys(self) -> u32 {
        match self {
            Self::None | Self::ManyKeys => MANY,
            Self::OneKey | Self::Quota => 1,
        }
    }

    /// What the gateway file says of it. Nothing is ever refused. The keys are in a file of AWS's
    /// columns in `folder`.
    pub(super) fn sections(self, folder: &Path) -> io::Result<Value> {
        if self == Self::None {
            return Ok(json!({}));
        }
        let mut rows = "Name,Key,Enabled,UsagePlanIds\n".to_owned();
        for number in 0..self.keys() {
            // Writing to a String cannot fail.
            let _ = writeln!(rows, "caller-{number},{},true,plan", key(number));
        }
        std::fs::write(folder.join(KEYS), rows)?;
        let throttle = json!({"rateLimit": 1_000_000, "burstLimit": 1_000_000});
        let mut plan = json!({"name": "plan", "throttle": throttle,
            "apiStages": [{"api": "bench", "stage": "$default"}]});
        if self == Self::Quota {
            plan["quota"] = json!({"limit": 1_000_000_000_000_u64, "period": "MONTH"});
        }
        let throttling = json!({"account": throttle});
        Ok(json!({"apiKeyFiles": [KEYS], "usagePlans": [plan], "throttling": throttling}))
    }

    /// What the stage says of it.
    pub(super) fn stage(self) -> Value {
        match self {
            Self::None => json!({"stageName": "$default"}),
            _ => json!({"stageName": "$default", "defaultRouteSettings":
                {"throttlingRateLimit": 1_000_000, "throttlingBurstLimit": 1_000_000}}),
        }
    }

    /// What the route asks for.
    pub(super) fn security(self) -> Option<Value> {
        (self != Self::None).then(|| json!([{"key": []}]))
    }
}

/// A caller's key. [`crate::drive::wrk`] makes the same ones.
pub(crate) fn key(number: u32) -> String {
    format!("loadtest-key-{number:010}")
}
