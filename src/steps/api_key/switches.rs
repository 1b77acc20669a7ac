//! Keys that an operator switched on or off while the gateway ran, over what their file says.

use std::collections::HashMap;

use crate::ledger::Subject;

/// Which keys were switched, and to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches(HashMap<Subject, bool>);

impl Switches {
    /// These keys, to this.
    #[must_use]
    pub fn new(switched: impl IntoIterator<Item = (Subject, bool)>) -> Self {
        Self(switched.into_iter().collect())
    }

    /// Whether a key is in force of which its file says this.
    #[must_use]
    pub fn is_enabled(&self, key: Subject, in_file: bool) -> bool {
        self.0.get(&key).copied().unwrap_or(in_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_goes_over_the_file() {
        let switches = Switches::new([(Subject(1), false), (Subject(2), true)]);
        let enabled = |key, in_file| switches.is_enabled(Subject(key), in_file);
        assert_eq!([enabled(1, true), enabled(1, false)], [false, false]);
        assert_eq!([enabled(2, true), enabled(2, false)], [true, true]);
        assert_eq!([enabled(3, true), enabled(3, false)], [true, false]);
    }
}
