//! Who refused how often: counts by the name of a limit, which outlive the plan that named it.

use std::collections::BTreeMap;

use super::OTHER;
use crate::base::limits::LIMIT_SERIES_MAX;

/// Counts by name of limit; those that never refused are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttles(BTreeMap<Box<str>, Throttled>);

/// What one limit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttled {
    /// Requests that it refused.
    pub refused: u64,
    /// Requests that it would have refused, had it not been a dry run.
    pub dry: u64,
}

impl Throttles {
    /// Counts a request that the limit refused, or would have.
    pub fn count(&mut self, limit: &str, is_dry: bool) {
        let is_known = self.0.contains_key(limit);
        let name = if is_known || self.0.len() < LIMIT_SERIES_MAX { limit } else { OTHER };
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), Throttled::default());
        }
        if let Some(counts) = self.0.get_mut(name) {
            if is_dry { counts.dry += 1 } else { counts.refused += 1 }
        }
    }

    /// What one limit did.
    #[must_use]
    pub fn of(&self, limit: &str) -> Throttled {
        self.0.get(limit).copied().unwrap_or_default()
    }

    /// Adds what another shard counted.
    pub fn merge(&mut self, other: &Self) {
        for (name, theirs) in &other.0 {
            let counts = self.0.entry(name.clone()).or_default();
            counts.refused += theirs.refused;
            counts.dry += theirs.dry;
        }
    }

    /// The counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Throttled)> {
        self.0.iter().map(|(name, counts)| (&**name, *counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_beyond_the_bound_count_as_other() {
        let mut throttles = Throttles::default();
        for number in 0..LIMIT_SERIES_MAX + 2 {
            throttles.count(&format!("limit {number}"), false);
        }
        throttles.count("limit 0", true);
        let mut twice = throttles.clone();
        twice.merge(&throttles);
        assert_eq!(twice.of("limit 0"), Throttled { refused: 2, dry: 2 });
        assert_eq!(twice.of(OTHER), Throttled { refused: 4, dry: 0 });
        assert_eq!(twice.of("nobody"), Throttled::default());
        assert_eq!(twice.iter().count(), LIMIT_SERIES_MAX + 1);
    }
}
