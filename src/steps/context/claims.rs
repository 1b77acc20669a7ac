//! What a verified token says of its bearer, as text: `$context.authorizer.claims.X`.

use crate::json::strict::Value;

/// The claims of a token, by name; every value is a text, as AWS hands them on: arrays as `[a b]`,
/// objects as `map[name:value]`, `null` left out (`api-gateway.md` 3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(Box<[(Box<str>, Box<str>)]>);

impl Claims {
    /// The claims of an object; those of anything else are none.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let Value::Object(members) = value else { return Self::default() };
        let texts = members.iter().filter(|(_, value)| *value != Value::Null);
        Self(texts.map(|(name, value)| (name.as_str().into(), text(value).into())).collect())
    }

    /// The claim of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// `sub`: who the bearer is.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.find("sub")
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(items) => {
            format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" "))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}:{}", text(value)));
            format!("map[{}]", members.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_texts() {
        let text = r#"{"sub":"u1","n":7,"f":1.5,"b":true,"none":null,"l":["a","b",1],
                       "o":{"k":["x"],"m":2}}"#;
        let claims = Claims::of(&Value::parse(text.as_bytes()).unwrap());
        let found = ["sub", "n", "f", "b", "l", "o"].map(|name| claims.find(name).unwrap());
        assert_eq!(found, ["u1", "7", "1.5", "true", "[a b 1]", "map[k:[x] m:2]"]);
        assert_eq!((claims.find("none"), claims.find("x")), (None, None));
        assert_eq!(claims.subject(), Some("u1"));
    }
}
