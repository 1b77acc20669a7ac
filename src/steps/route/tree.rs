//! The radix trees under the router.
//!
//! matchit alone cannot serve: it prefers a static segment to a parameter before it looks whether
//! the rest is full or greedy, refuses `{x}` beside `{x+}` in one place, and allocates when it has
//! to remember a branch for backtracking. So there is one matchit tree per *shape*, the row of
//! kinds of a route's segments (static, parameter, greedy). In one shape at most one path template
//! matches a path and no node has both a static and a wild child, so that nothing is remembered;
//! between shapes the order of the rows from the left *is* AWS's priority. A lookup asks the shapes
//! in that order, and goes on where a template has no route for the method.

use super::{RouteMethod, Segment};
use crate::http::Method;

/// matchit keeps this many parameters inline; a shape with more is a list instead.
const INLINE_PARAMETERS: usize = 3;

/// Shapes in order of priority; all full, or all greedy.
#[derive(Default)]
pub(super) struct Tree {
    shapes: Vec<Shape>,
}

/// What a lookup found.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// A route of this method.
    Verb(u16),
    /// A route of `ANY`.
    Any(u16),
    /// No route.
    Nothing,
}

/// The declaration order is the priority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Static,
    Parameter,
    Greedy,
}

struct Shape {
    kinds: Vec<Kind>,
    /// Tells which template matches a path.
    index: Index,
    templates: Vec<Template>,
}

enum Index {
    Radix(matchit::Router<u16>),
    List,
}

/// A path without its parameters' names, and the routes on it.
struct Template {
    segments: Vec<Segment>,
    verbs: [Option<u16>; Method::ANY.len()],
    any: Option<u16>,
}

impl Tree {
    /// Adds a route. The error is the route that matches exactly the same requests.
    pub(super) fn insert(
        &mut self,
        route: u16,
        method: RouteMethod,
        segments: &[Segment],
    ) -> Result<(), u16> {
        let kinds: Vec<Kind> = segments.iter().map(Kind::of).collect();
        let place = self.shapes.binary_search_by(|shape| shape.kinds.cmp(&kinds));
        let place = match place {
            Ok(place) => place,
            Err(place) => {
                self.shapes.insert(place, Shape::new(kinds));
                place
            }
        };
        let slot = self.shapes[place].template(segments).slot(method);
        if let Some(other) = *slot {
            return Err(other);
        }
        *slot = Some(route);
        Ok(())
    }

    /// The first template in order of priority with a route for the method. On one template the
    /// verb goes before `ANY`.
    pub(super) fn find_full(&self, path: &str, slashes: usize, method: Method) -> Found {
        for shape in &self.shapes {
            if shape.kinds.len() != slashes {
                continue;
            }
            match shape.find(path, method) {
                Found::Nothing => {}
                found => return found,
            }
        }
        Found::Nothing
    }

    /// The first template with a route for the verb, else the first with a route for `ANY`.
    pub(super) fn find_greedy(&self, path: &str, slashes: usize, method: Method) -> Found {
        let mut any = Found::Nothing;
        for shape in &self.shapes {
            if shape.kinds.len() > slashes {
                continue;
            }
            match (shape.find(path, method), any) {
                (Found::Verb(route), _) => return Found::Verb(route),
                (Found::Any(route), Found::Nothing) => any = Found::Any(route),
                _ => {}
            }
        }
        any
    }
}

impl Shape {
    fn new(kinds: Vec<Kind>) -> Self {
        let parameters = kinds.iter().filter(|&&kind| kind != Kind::Static).count();
        let index = if parameters <= INLINE_PARAMETERS {
            Index::Radix(matchit::Router::new())
        } else {
            Index::List
        };
        Self { kinds, index, templates: Vec::new() }
    }

    /// The template of these segments, made when it is new.
    fn template(&mut self, segments: &[Segment]) -> &mut Template {
        let found = self.templates.iter().position(|template| template.is_of(segments));
        let place = found.unwrap_or_else(|| {
            let place = self.templates.len();
            if let Index::Radix(tree) = &mut self.index {
                let place = u16::try_from(place).expect("no more templates than routes");
                tree.insert(pattern(segments), place)
                    .expect("two templates of one shape differ in a static segment");
            }
            let verbs = [None; Method::ANY.len()];
            self.templates.push(Template { segments: segments.to_vec(), verbs, any: None });
            place
        });
        &mut self.templates[place]
    }

    fn find(&self, path: &str, method: Method) -> Found {
        let template = match &self.index {
            Index::Radix(tree) => match tree.at(path) {
                Ok(found) => &self.templates[usize::from(*found.value)],
                Err(_) => return Found::Nothing,
            },
            Index::List => match self.templates.iter().find(|template| template.matches(path)) {
                Some(template) => template,
                None => return Found::Nothing,
            },
        };
        match (template.verbs[method as usize], template.any) {
            (Some(route), _) => Found::Verb(route),
            (None, Some(route)) => Found::Any(route),
            (None, None) => Found::Nothing,
        }
    }
}

impl Template {
    /// Whether the segments differ at most in the names of parameters; the shape is the same.
    fn is_of(&self, segments: &[Segment]) -> bool {
        self.segments.iter().zip(segments).all(|pair| match pair {
            (Segment::Static(mine), Segment::Static(other)) => mine == other,
            _ => true,
        })
    }

    fn matches(&self, path: &str) -> bool {
        super::matches(&self.segments, path.as_bytes())
    }

    fn slot(&mut self, method: RouteMethod) -> &mut Option<u16> {
        match method {
            RouteMethod::Only(method) => &mut self.verbs[method as usize],
            RouteMethod::Any => &mut self.any,
        }
    }
}

impl Kind {
    const fn of(segment: &Segment) -> Self {
        match segment {
            Segment::Static(_) => Self::Static,
            Segment::Parameter(_) => Self::Parameter,
            Segment::Greedy(_) => Self::Greedy,
        }
    }
}

/// The template in matchit's language. Static segments hold no braces (`RouteKey::at`).
fn pattern(segments: &[Segment]) -> String {
    let mut text = String::new();
    for (place, segment) in segments.iter().enumerate() {
        text.push('/');
        match segment {
            Segment::Static(literal) => text.push_str(literal),
            Segment::Parameter(_) => text.push_str(&format!("{{p{place}}}")),
            Segment::Greedy(_) => text.push_str("{*rest}"),
        }
    }
    text
}
