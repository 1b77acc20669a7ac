//! Why routes lost, for `ringway explain`: every route of the stage with a verdict. Off the path of
//! requests; may allocate.

use std::fmt;

use super::{RouteKey, RouteMethod, Router, Segment, matches};
use crate::http::Method;

/// A route and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The position in the list of keys that the router was compiled from.
    pub route: usize,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answers.
    Chosen,
    /// The path is another one.
    OtherPath,
    /// The path matches, but not the method.
    OtherMethod,
    /// It matches, but a full match goes before a greedy one.
    LostToFull,
    /// It matches, but `ANY` comes after the verb.
    LostToVerb,
    /// It matches, but where the two paths differ first, the winner is more literal.
    LostToLiteral,
    /// It is `$default`, and another route matches.
    LostAsDefault,
}

impl Router {
    /// Every route with its verdict, in the order of the keys. At most one is chosen.
    #[must_use]
    pub fn candidates(&self, method: Method, path: &[u8]) -> Vec<Candidate> {
        let winner = self.find(method, path).map(|matched| matched.route);
        let verdict = |route: usize| match winner {
            Some(winner) if winner == route => Verdict::Chosen,
            Some(winner) => lost(&self.keys()[route], &self.keys()[winner], method, path),
            None => missed(&self.keys()[route], path),
        };
        (0..self.keys().len()).map(|route| Candidate { route, verdict: verdict(route) }).collect()
    }
}

fn missed(key: &RouteKey, path: &[u8]) -> Verdict {
    match key {
        RouteKey::Path { segments, .. } if matches(segments, path) => Verdict::OtherMethod,
        _ => Verdict::OtherPath,
    }
}

fn lost(key: &RouteKey, winner: &RouteKey, method: Method, path: &[u8]) -> Verdict {
    let RouteKey::Path { method: mine, segments } = key else { return Verdict::LostAsDefault };
    if !matches(segments, path) {
        return Verdict::OtherPath;
    }
    if *mine != RouteMethod::Any && *mine != RouteMethod::Only(method) {
        return Verdict::OtherMethod;
    }
    let RouteKey::Path { method: other, segments: best } = winner else {
        return Verdict::OtherPath;
    };
    let same = kinds(segments).eq(kinds(best));
    match (key.is_greedy(), winner.is_greedy()) {
        (true, false) => Verdict::LostToFull,
        (true, true) if *mine == RouteMethod::Any && *other != RouteMethod::Any => {
            Verdict::LostToVerb
        }
        _ if same => Verdict::LostToVerb,
        _ => Verdict::LostToLiteral,
    }
}

/// Two routes that match one path and have the same kinds have the same template.
fn kinds(segments: &[Segment]) -> impl Iterator<Item = u8> {
    segments.iter().map(|segment| match segment {
        Segment::Static(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Greedy(_) => 2,
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Chosen => "answers",
            Self::OtherPath => "the path does not match",
            Self::OtherMethod => "the path matches, the method does not",
            Self::LostToFull => "matches; a full match goes before a greedy one",
            Self::LostToVerb => "matches; a route of the method itself goes before ANY",
            Self::LostToLiteral => "matches; the winner is literal where the two differ first",
            Self::LostAsDefault => "matches; $default comes last",
        })
    }
}
