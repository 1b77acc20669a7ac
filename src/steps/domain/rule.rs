//! Routing rules (`api-gateway.md` 1.7): conditions that hold together, and where a request goes
//! for which they do. The first rule by priority is taken.

use super::{ApiMappingKey, Destination, Mapped, MatchHeader};
use crate::{http::Fields, steps::context::CustomDomain};

/// One rule.
#[derive(Clone, Debug)]
pub struct RoutingRule {
    /// 1 to 1,000,000; the lowest is asked first.
    pub priority: u32,
    /// `$context.customDomain.routingRuleIdMatched`.
    pub id: String,
    /// At most two; each holds when one of its headers is there. Without any, every head matches.
    pub headers: Vec<Vec<MatchHeader>>,
    /// One of them must be the path's beginning. Without any, every path matches.
    pub base_paths: Vec<ApiMappingKey>,
    /// Where requests go.
    pub destination: Destination,
    /// What becomes of the base path.
    pub base_path: BasePathFate,
}

/// What a stage sees of the base path that a rule matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasePathFate {
    /// All of it.
    Kept,
    /// Nothing (`stripBasePath`).
    Stripped,
}

impl RoutingRule {
    /// Whether it takes every request.
    #[must_use]
    pub fn is_catch_all(&self) -> bool {
        self.headers.is_empty() && self.base_paths.is_empty()
    }

    /// Where the request goes by this rule; `None` when a condition does not hold.
    #[inline]
    pub(super) fn map<'r, 'p>(
        &'r self,
        path: &'p [u8],
        fields: Fields<'_>,
    ) -> Option<Mapped<'r, 'p>> {
        let (base_path, rest) = self.find_base_path(path)?;
        if !self.headers_hold(fields) {
            return None;
        }
        let seen = match self.base_path {
            BasePathFate::Kept => path,
            BasePathFate::Stripped => rest,
        };
        let matched = CustomDomain { base_path, routing_rule_id: &self.id };
        Some(Mapped { destination: self.destination, path: seen, matched })
    }

    /// The longest base path that the path begins with, and what follows it. They are sorted.
    pub(super) fn find_base_path<'r, 'p>(&'r self, path: &'p [u8]) -> Option<(&'r str, &'p [u8])> {
        if self.base_paths.is_empty() {
            return Some(("", path));
        }
        self.base_paths.iter().find_map(|base| Some((base.as_str(), base.strip(path)?)))
    }

    pub(super) fn headers_hold(&self, fields: Fields<'_>) -> bool {
        self.headers.iter().all(|any_of| any_of.iter().any(|header| header.matches(fields)))
    }
}
