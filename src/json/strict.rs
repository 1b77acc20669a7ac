//! A JSON text as a tree in which no object has a name twice, at any depth: for texts that prove
//! something, where two readers must not read two things.

use simd_json::{Node, StaticNode};

use super::depth;
use crate::base::limits::JSON_DEPTH_MAX;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without fraction or exponent that fits in 64 bits.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// A string, its escapes resolved.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object: its members in their order, each name once.
    Object(Vec<(String, Self)>),
}

/// Why a text is no such tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON, or nested deeper than [`JSON_DEPTH_MAX`].
    NotJson,
    /// An object has a name twice.
    DuplicateMember,
}

impl Value {
    /// Reads a text.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        if depth(text) > JSON_DEPTH_MAX {
            return Err(Fault::NotJson);
        }
        let mut copy = text.to_vec();
        let tape = simd_json::to_tape(&mut copy).map_err(|_| Fault::NotJson)?;
        take(&mut tape.0.iter())
    }

    /// The member of an object.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array that holds strings only.
    #[must_use]
    pub fn as_texts(&self) -> Option<Vec<&str>> {
        let Self::List(items) = self else { return None };
        items.iter().map(Self::as_text).collect()
    }
}

fn take(nodes: &mut std::slice::Iter<'_, Node<'_>>) -> Result<Value, Fault> {
    let value = match nodes.next().ok_or(Fault::NotJson)? {
        Node::String(text) => Value::Text((*text).to_owned()),
        Node::Static(StaticNode::Null) => Value::Null,
        Node::Static(StaticNode::Bool(value)) => Value::Bool(*value),
        Node::Static(StaticNode::I64(value)) => Value::Integer(i128::from(*value)),
        Node::Static(StaticNode::U64(value)) => Value::Integer(i128::from(*value)),
        Node::Static(StaticNode::F64(value)) => Value::Float(*value),
        Node::Array { len, .. } => {
            Value::List((0..*len).map(|_| take(nodes)).collect::<Result<_, _>>()?)
        }
        Node::Object { len, .. } => {
            let mut members = Vec::with_capacity(*len);
            for _ in 0..*len {
                let Some(Node::String(name)) = nodes.next() else { return Err(Fault::NotJson) };
                members.push(((*name).to_owned(), take(nodes)?));
            }
            let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            if names.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Fault::DuplicateMember);
            }
            Value::Object(members)
        }
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_in_an_object_at_any_depth() {
        let check = |text: &str, expected| assert_eq!(Value::parse(text.as_bytes()), expected);
        let member = |name: &str, value| (name.to_owned(), value);
        let nested = Value::Object(vec![member("a", Value::Integer(-2))]);
        let list = Value::List(vec![nested, Value::Float(1.5), Value::Null, Value::Bool(true)]);
        check(r#"{"a":[{"a":-2},1.5,null,true]}"#, Ok(Value::Object(vec![member("a", list)])));
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":[{"a":1,"c":2,"a":3}]}"#,
            // The same name, written in two ways.
            "{\"a\":1,\"\\u0061\":2}",
        ] {
            check(text, Err(Fault::DuplicateMember));
        }
        for text in ["", "{", "{\"a\":1} x", "nonsense", "{'a':1}"] {
            check(text, Err(Fault::NotJson));
        }
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Value::parse(deep(JSON_DEPTH_MAX).as_bytes()).is_ok());
        check(&deep(JSON_DEPTH_MAX + 1), Err(Fault::NotJson));
    }
}
