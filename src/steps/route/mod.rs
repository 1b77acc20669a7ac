//! Which route answers: method and path against the stage's route keys (`api-gateway.md` 2.2).
//!
//! The order of the candidates that match, best first:
//! 1. a full match; between two, from the left, a static segment beats a parameter; on the same
//!    path a verb beats `ANY`;
//! 2. a greedy match with the verb; between two, the longer literal prefix (compared as above);
//! 3. a greedy match with `ANY`, likewise;
//! 4. `$default`.
//!
//! A trailing slash is significant. `{x}` and `{x+}` never match nothing. Nothing is decoded.
//! [`key`] parses route keys, [`tree`] holds the radix trees, [`explain`] says why routes lost.

mod explain;
mod key;
mod tree;

pub use explain::{Candidate, Verdict};
pub use key::{RouteKey, RouteMethod, SEGMENTS_MAX, Segment};

use self::tree::{Found, Tree};
use crate::{
    http::{Method, Span},
    steps::context::{PARAMETERS_MAX, Parameters},
};

/// The routes of one stage, compiled.
pub struct Router {
    keys: Vec<RouteKey>,
    names: Vec<Vec<String>>,
    full: Tree,
    greedy: Tree,
    default: Fallback,
}

#[derive(Clone, Copy)]
enum Fallback {
    Nothing,
    Route(u16),
}

/// A route that was found: the proof that routing took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The position in the list of keys that the router was compiled from.
    pub route: usize,
    values: [Span; PARAMETERS_MAX],
    count: u8,
}

impl Router {
    /// Compiles the routes of a stage; [`Matched::route`] counts in the order given here.
    ///
    /// # Errors
    /// One sentence for each pair of routes that match the same requests with the same priority.
    pub fn compile(keys: Vec<RouteKey>) -> Result<Self, Vec<String>> {
        let mut router = Self::empty();
        let mut problems = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let Ok(route) = u16::try_from(index) else {
                problems.push(format!("{} routes; a stage takes at most 65535", keys.len()));
                break;
            };
            if let Err(other) = router.insert(route, key) {
                problems.push(format!(
                    "route {key} matches exactly what route {} matches; keep one of them",
                    keys[usize::from(other)]
                ));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let names = |key: &RouteKey| key.parameters().map(str::to_owned).collect();
        router.names = keys.iter().map(names).collect();
        router.keys = keys;
        Ok(router)
    }

    /// A router without routes.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            keys: Vec::new(),
            names: Vec::new(),
            full: Tree::default(),
            greedy: Tree::default(),
            default: Fallback::Nothing,
        }
    }

    /// The best route for a path as sent (without the stage's prefix). Does not allocate.
    #[must_use]
    pub fn find(&self, method: Method, path: &[u8]) -> Option<Matched> {
        let route = self.find_route(method, path)?;
        let mut matched = Matched {
            route: usize::from(route),
            values: [Span::default(); PARAMETERS_MAX],
            count: 0,
        };
        if let RouteKey::Path { segments, .. } = &self.keys[matched.route] {
            matched.locate(segments, path);
        }
        Some(matched)
    }

    /// The keys, in the order that the router was compiled from.
    #[must_use]
    pub fn keys(&self) -> &[RouteKey] {
        &self.keys
    }

    /// The path parameters of a match that this router made for this path.
    #[must_use]
    pub fn parameters<'a>(&'a self, matched: &'a Matched, path: &'a [u8]) -> Parameters<'a> {
        let values = &matched.values[..usize::from(matched.count)];
        Parameters { names: &self.names[matched.route], values, path }
    }

    fn find_route(&self, method: Method, path: &[u8]) -> Option<u16> {
        let default = match self.default {
            Fallback::Nothing => None,
            Fallback::Route(route) => Some(route),
        };
        // Paths are ASCII (`http::Target`); what is not can only be `$default`'s.
        let Ok(path) = str::from_utf8(path) else { return default };
        let slashes = path.bytes().filter(|&byte| byte == b'/').count();
        if let Found::Verb(route) | Found::Any(route) = self.full.find_full(path, slashes, method) {
            return Some(route);
        }
        match self.greedy.find_greedy(path, slashes, method) {
            Found::Verb(route) | Found::Any(route) => Some(route),
            Found::Nothing => default,
        }
    }

    fn insert(&mut self, route: u16, key: &RouteKey) -> Result<(), u16> {
        match key {
            RouteKey::Path { method, segments } if key.is_greedy() => {
                self.greedy.insert(route, *method, segments)
            }
            RouteKey::Path { method, segments } => self.full.insert(route, *method, segments),
            RouteKey::Default => match self.default {
                Fallback::Route(other) => Err(other),
                Fallback::Nothing => {
                    self.default = Fallback::Route(route);
                    Ok(())
                }
            },
        }
    }
}

impl Matched {
    /// Notes where in `path` the parameters of `segments` stand; the path is known to match.
    fn locate(&mut self, segments: &[Segment], path: &[u8]) {
        let mut start = 1;
        for segment in segments {
            let rest = &path[start..];
            let end = match segment {
                Segment::Greedy(_) => path.len(),
                _ => start + rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len()),
            };
            if !matches!(segment, Segment::Static(_)) {
                self.values[usize::from(self.count)] = span(start, end);
                self.count += 1;
            }
            start = end + 1;
        }
    }
}

/// Whether a path matches the segments, parameters' names aside.
fn matches(segments: &[Segment], path: &[u8]) -> bool {
    let Some(mut rest) = path.strip_prefix(b"/") else { return false };
    for (place, segment) in segments.iter().enumerate() {
        if let Segment::Greedy(_) = segment {
            return !rest.is_empty();
        }
        let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        let same = match segment {
            Segment::Static(literal) => literal.as_bytes() == text,
            Segment::Parameter(_) | Segment::Greedy(_) => !text.is_empty(),
        };
        if !same {
            return false;
        }
        match (after.strip_prefix(b"/"), place + 1 == segments.len()) {
            (None, last) => return last,
            (Some(_), true) => return false,
            (Some(tail), false) => rest = tail,
        }
    }
    false
}

fn span(start: usize, end: usize) -> Span {
    let offset = |place| u16::try_from(place).expect("a path is shorter than 64 KiB");
    Span { start: offset(start), end: offset(end) }
}

#[cfg(test)]
mod tests;
