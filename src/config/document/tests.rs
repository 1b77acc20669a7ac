use super::*;
use crate::base::Severity;

#[track_caller]
fn parse(name: &str, text: &str) -> Document {
    let mut problems = Problems::new();
    let document = Document::parse(Path::new(name), text.as_bytes(), &mut problems);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{told:?}");
    document.expect("a tree, as there are no problems")
}

#[track_caller]
fn check(text: &str, json: &str) {
    let expected: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(parse("a.yaml", text).root().to_json(), expected, "{text}");
}

#[track_caller]
fn check_refused(name: &str, text: &str, expected: &str) {
    let mut problems = Problems::new();
    Document::parse(Path::new(name), text.as_bytes(), &mut problems);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.count(Severity::Error) > 0, "{text}");
    assert_eq!(told.join("\n"), expected, "{text}");
}

#[test]
fn yaml_becomes_values() {
    check("", "null");
    check("# nothing\n", "null");
    check(
        "a: 1\nb: [x, 'y', \"z\\n\"]\nc:\n  - d: ~\n  - yes\n",
        r#"{"a":1,"b":["x","y","z\n"],"c":[{"d":null},"yes"]}"#,
    );
    check("200:\n  ok: true\n", r#"{"200":{"ok":true}}"#);
    check("a: |\n  one\n  two\nb: >-\n  one\n  two\n", r#"{"a":"one\ntwo\n","b":"one two"}"#);
    check("---\na: 1\n...\n", r#"{"a":1}"#);
    check("a: !!str 1\nb: ! 2\nc: !!int 3\n", r#"{"a":"1","b":"2","c":3}"#);
    check("'a': 1\r\nb:\r\n  - 2\r\n", r#"{"a":1,"b":[2]}"#);
}

#[test]
fn anchors_are_followed_and_merge_keys_merged() {
    check(
        "a: &x {k: 1}\nb: *x\nc: [*x, *x]\n",
        r#"{"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]}"#,
    );
    check("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3\n", r#"{"a":{"k":1,"l":2},"b":{"l":3,"k":1}}"#);
    check(
        "- &a {k: 1}\n- &b {k: 2, m: 3}\n- {<<: [*a, *b]}\n",
        r#"[{"k":1},{"k":2,"m":3},{"k":1,"m":3}]"#,
    );
    check("&k key: 1\nother: *k\n", r#"{"key":1,"other":"key"}"#);
    check("a: {'<<': 1}", r#"{"a":{"<<":1}}"#);
}

#[test]
fn cloudformation_short_tags_become_long() {
    check("a: !Sub '${X}/y'\n", r#"{"a":{"Fn::Sub":"${X}/y"}}"#);
    check("a: !GetAtt Fn.Arn\n", r#"{"a":{"Fn::GetAtt":["Fn","Arn"]}}"#);
    check("a: !GetAtt [Fn, Arn]\n", r#"{"a":{"Fn::GetAtt":["Fn","Arn"]}}"#);
    check("a: !Ref Stage\nb: !If [c, 1, 2]\n", r#"{"a":{"Ref":"Stage"},"b":{"Fn::If":["c",1,2]}}"#);
    check("a: !Join\n  - ''\n  - [x, !Ref Y]\n", r#"{"a":{"Fn::Join":["",["x",{"Ref":"Y"}]]}}"#);
    check("- !Sub\n  - a\n  - {k: v}\n", r#"[{"Fn::Sub":["a",{"k":"v"}]}]"#);
}

#[test]
fn json_is_strict_and_told_with_its_place() {
    let text = "{\n\t\"a\": 123456789012345678901234567890,\n\t\"b\": [1.50, \"\\u00e9\\ud83d\\ude00\", true, null]\n}\n";
    let document = parse("a.json", text);
    let root = document.root();
    assert_eq!(root.find("a").unwrap().number_text(), Some("123456789012345678901234567890"));
    assert_eq!(root.pointer("/b/0").unwrap().number_text(), Some("1.50"));
    assert_eq!(root.pointer("/b/1").unwrap().as_str(), Some("é😀"));
    let fix = "a .json file, or a text that begins with {, is strict JSON";
    check_refused(
        "a.json",
        "{\"a\": 1,}",
        &format!("a.json:1:9: JSON syntax: trailing comma; {fix}"),
    );
    check_refused(
        "a.yaml",
        "{a: 1}",
        &format!("a.yaml:1:2: JSON syntax: key must be a string; {fix}"),
    );
    check_refused(
        "a.json",
        "",
        &format!("a.json:1:1: JSON syntax: EOF while parsing a value; {fix}"),
    );
    check_refused(
        "a.json",
        "[1] 2",
        &format!("a.json:1:5: JSON syntax: trailing characters; {fix}"),
    );
    check_refused("a.json", "{\"a\": \"\\ud800\"}", "");
}

#[test]
fn errors_are_told_with_their_place() {
    check_refused(
        "a.yaml",
        "a: 1\nb: 2\na: 3\n",
        "a.yaml:3:1: the key \"a\" is given twice in one mapping: first in line 1, column 1; keep one of them",
    );
    check_refused(
        "a.yaml",
        "a: 1\n---\nb: 2\n",
        "a.yaml:2:1: a second YAML document begins here; one file holds one document; move it into a file of its own",
    );
    check_refused("a.yaml", "a: !Foo 1\n", "");
    check_refused("a.yaml", "a: !!int x\n", "");
    check_refused("a.yaml", "a: *x\n", "");
    check_refused("a.yaml", "a: &x [*x]\n", "");
    check_refused("a.yaml", "<<: 1\n", "");
    check_refused("a.yaml", "? [a]\n: 1\n", "");
    check_refused("a.yaml", "a: [1\nb: 2", "");
    check_refused("a.yaml", "a:\n\tb: 2", "");
    check_refused("a.yaml", "a: \0", "");
}
