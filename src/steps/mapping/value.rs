//! The values of a mapping: `$request.header.X`, `${request.path.a}-${context.stage}`, static text.

use super::{encode::decode_query, names};
use crate::{
    http::Fields,
    json::{Body, Path},
    steps::context::{Facts, Parameters, StageVariables, Variable},
};

/// A compiled value: its pieces follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// All values of a header field, joined by commas; the name in lower case.
    Header(Vec<u8>),
    /// All values of a query parameter, decoded, joined by commas.
    Query(Vec<u8>),
    WholeBody,
    Body(Path),
    Path,
    /// A path parameter by its place.
    Parameter(usize),
    Context(Variable),
}

/// Which message a value is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// What is known when a mapping is compiled.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The route's path parameters in the order of the path.
    pub parameters: &'a [&'a str],
    /// The stage's variables.
    pub variables: &'a StageVariables,
}

/// What the values are read from when a mapping is applied. For an answer, `fields` and `body` are
/// the answer's and the rest is empty.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The header fields as sent.
    pub fields: Fields<'a>,
    /// The query as sent, without `?`.
    pub query: Option<&'a [u8]>,
    /// The path without the stage's prefix.
    pub path: &'a [u8],
    /// The path's parameters.
    pub parameters: Parameters<'a>,
    /// The body, where a rule reads it; else empty.
    pub body: &'a Body<'a>,
    /// `$context`.
    pub facts: &'a Facts<'a>,
}

impl Value {
    /// Compiles the text of a value.
    pub(super) fn compile(text: &str, side: Side, scope: Scope<'_>) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix('$')
            && !name.starts_with('{')
        {
            return Ok(Self(vec![variable(name, side, scope)?]));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else {
                return Err(format!("value '{text}': a '${{' is not closed"));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.as_bytes().to_vec()));
            }
            pieces.push(variable(name, side, scope)?);
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.as_bytes().to_vec()));
        }
        Ok(Self(pieces))
    }

    /// The text of a value that reads nothing; `None` when it does.
    pub(super) fn as_text(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [] => Some(b""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the body has to be collected before the value can be made.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::WholeBody | Piece::Body(_)))
    }

    /// Appends the value; what is missing is empty.
    pub fn render(&self, sources: &Sources<'_>, out: &mut Vec<u8>) {
        for piece in &self.0 {
            piece.render(sources, out);
        }
    }
}

impl Piece {
    fn render(&self, sources: &Sources<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Header(name) => {
                for (place, value) in sources.fields.named(name).enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(value);
                }
            }
            Self::Query(name) => render_query(sources.query.unwrap_or_default(), name, out),
            Self::WholeBody => out.extend_from_slice(sources.body.text()),
            Self::Body(path) => {
                sources.body.render(path, out);
            }
            Self::Path => out.extend_from_slice(sources.path),
            Self::Parameter(place) => {
                out.extend_from_slice(sources.parameters.at(*place).unwrap_or_default());
            }
            Self::Context(variable) => {
                variable.render(sources.facts, out);
            }
        }
    }
}

fn render_query(query: &[u8], name: &[u8], out: &mut Vec<u8>) {
    let mut first = true;
    for pair in query.split(|&byte| byte == b'&') {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let key = halves.next().unwrap_or_default();
        if !decode_query(key).eq(name.iter().copied()) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend(decode_query(halves.next().unwrap_or_default()));
    }
}

/// The variable of a name without its `$`.
fn variable(name: &str, side: Side, scope: Scope<'_>) -> Result<Piece, String> {
    if let Some(name) = name.strip_prefix("context.") {
        return Ok(Piece::Context(Variable::parse(name)?));
    }
    if let Some(name) = name.strip_prefix("stageVariables.") {
        let value = scope.variables.find(name).unwrap_or_default();
        return Ok(Piece::Text(value.as_bytes().to_vec()));
    }
    let (own, root, other) = match side {
        Side::Request => ("request", name.strip_prefix("request."), "response."),
        Side::Response => ("response", name.strip_prefix("response."), "request."),
    };
    if name.starts_with(other) {
        return Err(format!("${name}: here only ${own}.. can be read"));
    }
    let unknown = || {
        format!(
            "${name} is not a variable; expected $request.header.X, $request.querystring.X, \
             $request.path, $request.path.X, $request.body, $response.header.X, $response.body, \
             $context.X or $stageVariables.X"
        )
    };
    let root = root.ok_or_else(unknown)?;
    if let Some(name) = root.strip_prefix("header.") {
        return Ok(Piece::Header(names::header(name)?));
    }
    if let Some(path) = root.strip_prefix("body") {
        return body(path).ok_or_else(unknown)?;
    }
    match (side, root.strip_prefix("querystring."), root.strip_prefix("path.")) {
        (Side::Request, Some(name), _) => Ok(Piece::Query(names::query(name)?)),
        (Side::Request, _, Some(name)) => parameter(name, scope),
        (Side::Request, None, None) if root == "path" => Ok(Piece::Path),
        _ => Err(unknown()),
    }
}

/// What follows `$request.body`; `None` when it is another word.
fn body(path: &str) -> Option<Result<Piece, String>> {
    let path = match path.strip_prefix('.') {
        Some(path) if !path.is_empty() => path,
        _ if path.is_empty() => return Some(Ok(Piece::WholeBody)),
        _ if path.starts_with('[') => path,
        _ => return None,
    };
    Some(Path::parse(path).map(Piece::Body))
}

fn parameter(name: &str, scope: Scope<'_>) -> Result<Piece, String> {
    match scope.parameters.iter().position(|known| *known == name) {
        Some(place) => Ok(Piece::Parameter(place)),
        None if scope.parameters.is_empty() => {
            Err(format!("$request.path.{name}: the route has no path parameters"))
        }
        None => Err(format!(
            "$request.path.{name}: the route has no such parameter, only {}",
            scope.parameters.join(", ")
        )),
    }
}
