//! A route key: `GET /pets/{id}`, `ANY /files/{proxy+}`, or `$default`.

use std::fmt;

use crate::{http::Method, steps::context::PARAMETERS_MAX};

/// Segments of one route's path.
pub const SEGMENTS_MAX: usize = 64;

/// The methods that a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteMethod {
    /// One method.
    Only(Method),
    /// All that the gateway forwards.
    Any,
}

/// One segment of a route's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// These bytes exactly; empty for the end of a path that ends in `/`.
    Static(String),
    /// `{name}`: one segment that is not empty.
    Parameter(String),
    /// `{name+}`: the rest of the path, at least one byte. The last segment only.
    Greedy(String),
}

/// A checked route key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RouteKey {
    /// What no other route matches.
    Default,
    /// Method and path.
    Path {
        /// The methods.
        method: RouteMethod,
        /// The path's segments, in order; `/` is one empty static segment.
        segments: Vec<Segment>,
    },
}

impl RouteKey {
    /// Parses a route key as AWS writes it.
    ///
    /// # Errors
    /// One sentence that says what is wrong with which part, without the key's place.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "$default" {
            return Ok(Self::Default);
        }
        let Some((method, path)) = text.split_once(' ') else {
            return Err(format!(
                "route key '{text}': expected a method and a path such as 'GET /pets', or $default"
            ));
        };
        let method = match (method, Method::parse(method.as_bytes())) {
            ("ANY", _) => RouteMethod::Any,
            (_, Some(method)) => RouteMethod::Only(method),
            (_, None) => {
                return Err(format!(
                    "route key '{text}': '{method}' is not a method; expected ANY, GET, HEAD, \
                     POST, PUT, DELETE, OPTIONS or PATCH in capitals"
                ));
            }
        };
        Self::at(method, path)
    }

    /// The route key of a method and a path, as OpenAPI gives them apart.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the path.
    pub fn at(method: RouteMethod, path: &str) -> Result<Self, String> {
        let Some(tail) = path.strip_prefix('/') else {
            return Err(format!("path '{path}': a route's path starts with '/'"));
        };
        let mut segments = Vec::new();
        for text in tail.split('/') {
            if matches!(segments.last(), Some(Segment::Greedy(_))) {
                return Err(format!(
                    "path '{path}': a greedy parameter such as {{proxy+}} must be the last segment"
                ));
            }
            segments.push(segment(text).map_err(|fault| format!("path '{path}': {fault}"))?);
        }
        check_bounds(&segments).map_err(|fault| format!("path '{path}': {fault}"))?;
        Ok(Self::Path { method, segments })
    }

    /// The parameters' names in the order of the path; none for `$default`.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let segments: &[Segment] = match self {
            Self::Default => &[],
            Self::Path { segments, .. } => segments,
        };
        segments.iter().filter_map(|segment| match segment {
            Segment::Static(_) => None,
            Segment::Parameter(name) | Segment::Greedy(name) => Some(name.as_str()),
        })
    }

    /// Whether the path ends in a greedy parameter.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        let Self::Path { segments, .. } = self else { return false };
        matches!(segments.last(), Some(Segment::Greedy(_)))
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return literal(text);
    };
    let (name, greedy) = match inner.strip_suffix('+') {
        Some(name) => (name, true),
        None => (inner, false),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:$".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(format!(
            "'{text}': a parameter's name is letters, digits and any of _ - . : $, such as \
             {{petId}}"
        ));
    }
    let name = name.to_owned();
    Ok(if greedy { Segment::Greedy(name) } else { Segment::Parameter(name) })
}

/// Dot segments never reach routing (`http::Target`), so a route with one could never match.
fn literal(text: &str) -> Result<Segment, String> {
    if text.contains(['{', '}']) {
        return Err(format!(
            "segment '{text}': a parameter must be a whole segment, such as {{id}}"
        ));
    }
    if text == "." || text == ".." {
        return Err(format!("segment '{text}': requests with dot segments are refused"));
    }
    let foreign = |byte: u8| !byte.is_ascii_graphic() || b"?#\\\"<>^`|[]".contains(&byte);
    if text.bytes().any(foreign) {
        return Err(format!(
            "segment '{text}': write it percent-encoded, as a request line has it"
        ));
    }
    Ok(Segment::Static(text.to_owned()))
}

fn check_bounds(segments: &[Segment]) -> Result<(), String> {
    if segments.len() > SEGMENTS_MAX {
        return Err(format!("{} segments; at most {SEGMENTS_MAX}", segments.len()));
    }
    let mut names: Vec<&str> = Vec::new();
    for segment in segments {
        let (Segment::Parameter(name) | Segment::Greedy(name)) = segment else { continue };
        if names.contains(&name.as_str()) {
            return Err(format!("the parameter '{name}' stands twice"));
        }
        names.push(name);
    }
    if names.len() > PARAMETERS_MAX {
        return Err(format!("{} parameters; at most {PARAMETERS_MAX}", names.len()));
    }
    Ok(())
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Any => "ANY",
            Self::Only(method) => method.as_str(),
        })
    }
}

impl fmt::Display for RouteKey {
    /// The key as AWS writes it; parsing it again gives the same key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Path { method, segments } = self else { return out.write_str("$default") };
        write!(out, "{method} ")?;
        for segment in segments {
            match segment {
                Segment::Static(text) => write!(out, "/{text}")?,
                Segment::Parameter(name) => write!(out, "/{{{name}}}")?,
                Segment::Greedy(name) => write!(out, "/{{{name}+}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sound(text: &str) {
        assert_eq!(RouteKey::parse(text).unwrap().to_string(), text);
    }

    #[track_caller]
    fn faulty(text: &str, part: &str) {
        let sentence = RouteKey::parse(text).unwrap_err();
        assert!(sentence.contains(part), "{sentence}");
    }

    #[test]
    fn sound_keys_are_printed_as_they_came() {
        sound("$default");
        sound("GET /");
        sound("ANY /{proxy+}");
        sound("GET /pets/{id}");
        sound("PATCH /a/{x}/b/{y+}");
        sound("DELETE /pets/");
        sound("GET /a//b");
        sound("GET /caf%C3%A9/a:b@c,d;e=1");
    }

    #[test]
    fn faulty_keys_say_which_part() {
        faulty("GET", "a method and a path");
        faulty("get /pets", "'get' is not a method");
        faulty("BREW /pets", "'BREW' is not a method");
        faulty("GET pets", "starts with '/'");
        faulty("GET /{a+}/b", "must be the last segment");
        faulty("GET /x{a}", "whole segment");
        faulty("GET /{}", "name is letters");
        faulty("GET /{a b}", "name is letters");
        faulty("GET /{a}/{a}", "stands twice");
        faulty("GET /a/../b", "dot segments");
        faulty("GET /a?b", "percent-encoded");
    }

    #[test]
    fn bounds_hold_at_limit_and_limit_plus_one() {
        let path = |count: usize| -> String { (0..count).map(|n| format!("/{{p{n}}}")).collect() };
        assert!(RouteKey::at(RouteMethod::Any, &path(PARAMETERS_MAX)).is_ok());
        let sentence = RouteKey::at(RouteMethod::Any, &path(PARAMETERS_MAX + 1)).unwrap_err();
        assert!(sentence.contains("at most 16"), "{sentence}");
        assert!(RouteKey::at(RouteMethod::Any, &"/a".repeat(SEGMENTS_MAX)).is_ok());
        assert!(RouteKey::at(RouteMethod::Any, &"/a".repeat(SEGMENTS_MAX + 1)).is_err());
    }
}
