//! The path parameters of a routed request. Values are as sent: nothing is decoded.

use crate::http::Span;

/// Path parameters of one route, a greedy one included.
pub const PARAMETERS_MAX: usize = 16;

/// Names from the route, values as slices of the path.
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    /// The names in the order of the path.
    pub names: &'a [String],
    /// Where in `path` each value stands.
    pub values: &'a [Span],
    /// The path without the stage's prefix.
    pub path: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// No parameters.
    pub const NONE: Parameters<'static> = Parameters { names: &[], values: &[], path: b"" };

    /// The value of a name; `None` when the route has no such parameter.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of the parameter at this place, counted from 0 in the order of the path.
    #[must_use]
    pub fn at(self, place: usize) -> Option<&'a [u8]> {
        self.values.get(place).map(|value| value.of(self.path))
    }

    /// Names and values in the order of the path.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let values = self.values.iter().map(move |value| value.of(self.path));
        self.names.iter().map(String::as_str).zip(values)
    }
}
