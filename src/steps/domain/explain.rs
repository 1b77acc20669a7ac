//! Why routing rules lost, for `ringway explain`. Off the path of requests; may allocate.

use std::fmt;

use super::{Domain, RoutingRule};
use crate::http::Fields;

/// A rule and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct RuleCandidate<'d> {
    /// The rule.
    pub rule: &'d RoutingRule,
    /// What became of it.
    pub verdict: RuleVerdict,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleVerdict {
    /// It decides.
    Chosen,
    /// The path begins with none of its base paths.
    OtherPath,
    /// One of its header conditions does not hold.
    OtherHeaders,
    /// It would match; a rule before it does too.
    TooLate,
}

impl Domain {
    /// Every rule with its verdict, by ascending priority. At most one is chosen.
    #[must_use]
    pub fn rule_candidates(&self, path: &[u8], fields: Fields<'_>) -> Vec<RuleCandidate<'_>> {
        let mut decided = false;
        let mut judge = |rule: &RoutingRule| {
            if rule.find_base_path(path).is_none() {
                RuleVerdict::OtherPath
            } else if !rule.headers_hold(fields) {
                RuleVerdict::OtherHeaders
            } else if std::mem::replace(&mut decided, true) {
                RuleVerdict::TooLate
            } else {
                RuleVerdict::Chosen
            }
        };
        let rules = self.routing_rules().iter();
        rules.map(|rule| RuleCandidate { rule, verdict: judge(rule) }).collect()
    }
}

impl fmt::Display for RuleVerdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Chosen => "decides",
            Self::OtherPath => "the path begins with none of its base paths",
            Self::OtherHeaders => "a header condition does not hold",
            Self::TooLate => "matches; a rule of a lower priority number does too",
        })
    }
}

/// Its conditions.
impl fmt::Display for RoutingRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_catch_all() {
            return out.write_str("every request");
        }
        let headers = self.headers.iter().map(|any_of| {
            let texts: Vec<String> = any_of.iter().map(super::MatchHeader::text).collect();
            texts.join(" or ")
        });
        let paths: Vec<&str> = self.base_paths.iter().map(|base| base.as_str()).collect();
        let paths = (!paths.is_empty()).then(|| format!("base path {}", paths.join(" or ")));
        let all: Vec<String> = headers.chain(paths).collect();
        out.write_str(&all.join(" and "))
    }
}
