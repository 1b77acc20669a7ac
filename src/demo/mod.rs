//! What `ringway run` serves without a file: a pet store. Its definition is
//! `examples/petstore.yaml`; here is what its upstream answers, as a pure function.
//!
//! Not here: the socket that the upstream stands on (`serve`).

use serde_json::{Value, json};

/// The definition's file name, as problems would tell it.
pub const FILE: &str = "petstore.yaml";
/// The definition: an OpenAPI document.
pub const DEFINITION: &str = include_str!("../../examples/petstore.yaml");
/// The stage variable of [`DEFINITION`] that names the upstream, `host:port`.
pub const BACKEND: &str = "backend";
/// What a new user may try, as method and target.
pub const TRIES: [(&str, &str); 5] = [
    ("GET", "/pets"),
    ("GET", "/pets?type=cat"),
    ("GET", "/pets/1"),
    ("POST", "/pets"),
    ("GET", "/anything/else"),
];

/// The upstream's answer: a status and a JSON body. `target` is the request's path and query. Any
/// bytes are answered; nothing is kept, so a pet that is created gets an id and is forgotten.
#[must_use]
pub fn answer(method: &str, target: &str, body: &[u8]) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, value) = match (method, path.strip_prefix("/pets")) {
        ("GET" | "HEAD", Some("")) => (200, list(query)),
        ("POST", Some("")) => create(body),
        (_, Some("")) => refused(405, "use GET or POST here"),
        ("GET" | "HEAD", Some(rest)) if rest.starts_with('/') => find(&rest[1..]),
        (_, Some(rest)) if rest.starts_with('/') => refused(405, "use GET here"),
        _ => (200, echo(method, target, body)),
    };
    (status, value.to_string() + "\n")
}

fn pets() -> [Value; 4] {
    [
        json!({"id": 1, "name": "Ada", "type": "cat", "price": 249.99}),
        json!({"id": 2, "name": "Linus", "type": "dog", "price": 124.5}),
        json!({"id": 3, "name": "Grace", "type": "fish", "price": 0.99}),
        json!({"id": 4, "name": "Ken", "type": "cat", "price": 199}),
    ]
}

fn list(query: &str) -> Value {
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("type="));
    let is_wanted = |pet: &Value| wanted.is_none_or(|kind| pet["type"] == kind);
    pets().into_iter().filter(is_wanted).collect()
}

fn find(id: &str) -> (u16, Value) {
    let found = pets().into_iter().find(|pet| pet["id"].to_string() == id);
    found.map_or_else(|| refused(404, "no pet has this id"), |pet| (200, pet))
}

fn create(body: &[u8]) -> (u16, Value) {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut pet)) => {
            pet.insert("id".to_owned(), 5.into());
            (201, Value::Object(pet))
        }
        _ => refused(400, "send a JSON object, such as {\"name\": \"Tove\", \"type\": \"cat\"}"),
    }
}

fn echo(method: &str, target: &str, body: &[u8]) -> Value {
    json!({
        "upstream": "the demo of ringway",
        "method": method,
        "path": target,
        "bodyBytes": body.len(),
        "try": TRIES.map(|(method, target)| format!("{method} {target}")),
    })
}

fn refused(status: u16, message: &str) -> (u16, Value) {
    (status, json!({ "message": message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, target: &str, body: &str, status: u16, fragment: &str) {
        let (found, text) = answer(method, target, body.as_bytes());
        assert_eq!(found, status, "{text}");
        assert!(text.contains(fragment), "{text}");
        assert!(text.ends_with('\n') && serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn the_store_answers() {
        check("GET", "/pets", "", 200, "Linus");
        check("GET", "/pets?limit=1&type=fish", "", 200, r#"[{"id":3,"#);
        check("GET", "/pets/2", "", 200, r#""name":"Linus""#);
        check("GET", "/pets/9", "", 404, "no pet");
        check("GET", "/pets/", "", 404, "no pet");
        check("POST", "/pets", r#"{"name":"Tove"}"#, 201, r#""id":5"#);
        check("POST", "/pets", "[", 400, "send a JSON object");
        check("DELETE", "/pets", "", 405, "GET or POST");
        check("DELETE", "/pets/1", "", 405, "use GET");
        check("PUT", "/petstore?x=1", "abc", 200, r#""path":"/petstore?x=1""#);
        check("GET", "", "", 200, "the demo");
    }
}
