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
    let told = told.join("\n");
    assert!(told.contains(expected), "{told}");
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
    check_refused("a.json", "{\"a\": 1,}", "a.json:1:9: JSON syntax: key must be a string");
    check_refused("a.yaml", "{a: 1}", "a.yaml:1:2: JSON syntax: key must be a string");
    check_refused("a.json", "", "a.json:1:1: JSON syntax: the text ends too early");
    check_refused("a.json", "[1] 2", "a.json:1:5: JSON syntax: trailing characters");
    check_refused("a.json", "{\"é\":\n  \"é\" 1}", "a.json:2:7: JSON syntax: expected `,` or `}`");
    check_refused("a.json", "{\"a\": \"\\ud800\"}", "a.json:1:7: JSON syntax: unexpected end of");
    check_refused(
        "a.json",
        "{\"a\": 1, \"\\u0061\": 2}",
        "a.json:1:10: the key \"a\" is given twice",
    );
}

#[test]
fn errors_are_told_with_their_place() {
    let twice =
        "a.yaml:3:1: the key \"a\" is given twice in one mapping: first in line 1, column 1; keep";
    check_refused("a.yaml", "a: 1\nb: 2\na: 3\n", twice);
    check_refused("a.yaml", "a: 1\n---\nb: 2\n", "a.yaml:2:1: a second YAML document begins");
    check_refused("a.yaml", "a: !Foo 1\n", "a.yaml:1:4: the tag !Foo is not known here");
    check_refused(
        "a.yaml",
        "a: !!int x\n",
        "a.yaml:1:4: the tag before this value says an integer",
    );
    check_refused("a.yaml", "a: !!int true\n", "a.yaml:1:4: the tag before this value says an");
    check_refused(
        "a.yaml",
        "a: *x\n",
        "a.yaml:1:4: YAML syntax: while parsing node, found unknown",
    );
    check_refused(
        "a.yaml",
        "a: &x [*x]\n",
        "a.yaml:1:8: the alias names a value that it is itself",
    );
    check_refused("a.yaml", "<<: 1\n", "a.yaml:1:5: a merge key (<<) takes a mapping");
    check_refused("a.yaml", "? [a]\n: 1\n", "a.yaml:1:3: a key must be text");
    check_refused("a.yaml", "a: [1\nb: 2", "a.yaml:2:2: YAML syntax: illegal placement of ':'");
    check_refused("a.yaml", "a:\n\tb: 2", "a.yaml:2:2: YAML syntax: tabs disallowed");
    check_refused("a.yaml", "a: \0", "a.yaml:1:4: the text holds a NUL byte");
}

#[test]
fn a_text_that_is_not_utf_8_is_told_where() {
    let mut problems = Problems::new();
    assert!(Document::parse(Path::new("a"), b"a: 1\nb: \xFF", &mut problems).is_none());
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["a:2:4: the text is not UTF-8 from here; save the file as UTF-8"]);
    let document = Document::parse(Path::new("a"), b"\xEF\xBB\xBFa: 1", &mut Problems::new());
    let document = document.expect("a byte order mark is no part of the text");
    assert_eq!(document.root().find("a").unwrap().place().column, 4);
}

#[test]
fn a_key_that_is_given_twice_is_kept_once() {
    let mut problems = Problems::new();
    let document = Document::parse(Path::new("a"), b"a: 1\na: 2\nb: 3", &mut problems).unwrap();
    assert_eq!(problems.errors(), 1);
    assert_eq!(document.root().to_json(), serde_json::json!({"a": 1, "b": 3}));
}

/// `text` with `inner` at its middle, whatever is around it.
fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn depth_is_bounded_at_its_limit() {
    use crate::base::limits::DOCUMENT_DEPTH_MAX as MAX;
    for name in ["a.yaml", "a.json"] {
        parse(name, &nested("[", "", "]", MAX));
        parse(name, &nested("[", "1", "]", MAX - 1));
        let deep = format!("values are nested deeper than {MAX} levels");
        check_refused(name, &nested("[", "", "]", MAX + 1), &deep);
        check_refused(name, &nested("[", "1", "]", MAX), &deep);
    }
    let chain = |count: usize| {
        let links = (1..count).map(|link| format!("a{link}: &a{link} [*a{}]\n", link - 1));
        format!("a0: &a0 1\n{}", links.collect::<String>())
    };
    parse("a.yaml", &chain(MAX - 1));
    check_refused("a.yaml", &chain(MAX), "values are nested deeper");
}

#[test]
fn aliases_are_bounded_by_what_they_expand_to() {
    use crate::base::limits::DOCUMENT_NODES_MAX as MAX;
    let ten = "[*x, *x, *x, *x, *x, *x, *x, *x, *x, *x]";
    let mut bomb = String::from("- &a0 lol\n");
    for level in 1..9 {
        bomb += &format!("- &a{level} {}\n", ten.replace("*x", &format!("*a{}", level - 1)));
    }
    check_refused("a.yaml", &bomb, &format!("holds more than {MAX} values here"));
    let long = format!("a: &x {}\nb: [{}]\n", "y".repeat(64 * 1000), "*x, ".repeat(MAX / 1000));
    check_refused("a.yaml", &long, "values here");
    let keys: String = (0..1000).map(|key| format!("k{key}: 1, ")).collect();
    let merged = format!("- &x {{{keys}}}\n{}", "- {<<: *x}\n".repeat(MAX / 1000));
    check_refused("a.yaml", &merged, "values here");
}

#[test]
fn the_number_of_values_is_bounded_at_its_limit() {
    use crate::base::limits::DOCUMENT_NODES_MAX as MAX;
    let list = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    parse("a.json", &list(MAX - 1));
    check_refused("a.json", &list(MAX), &format!("holds more than {MAX} values here"));
}

#[test]
fn the_size_is_bounded_at_its_limit() {
    let text = format!("a: \"{}\"", "x".repeat(DOCUMENT_BYTES_MAX - 5));
    parse("a.yaml", &text);
    check_refused("a.yaml", &format!("{text} "), "at most 6291456 are read");
}

#[test]
fn every_place_points_at_its_text() {
    let text = "# c\nkey: value\n\"q k\": 'single'\n? long\n: |\n  block\n\nlist:\n  - one\n  \
                - {flow: [1, 2], x: !Sub abc}\nnested:\n  deep:\n    é€: 😀 smile\n\nempty:\n";
    let document = parse("a.yaml", text);
    let shown = |pointer: &str| {
        let place = document.root().pointer(pointer).unwrap().place();
        let text = &text[place.bytes.0 as usize..place.bytes.1 as usize];
        format!("{}:{} {text}", place.line, place.column)
    };
    assert_eq!(shown("/key"), "2:6 value");
    assert_eq!(shown("/q k"), "3:8 'single'");
    assert!(shown("/long").starts_with("6:3 block"));
    assert_eq!(shown("/list"), "9:3 - one\n  - {flow: [1, 2], x: !Sub abc}");
    assert_eq!(shown("/list/1"), "10:5 {flow: [1, 2], x: !Sub abc}");
    assert_eq!(shown("/list/1/flow/1"), "10:16 2");
    assert_eq!(shown("/list/1/x/Fn::Sub"), "10:23 !Sub abc");
    assert_eq!(shown("/nested/deep/é€"), "13:9 😀 smile");
    assert_eq!(shown("/empty"), "15:6 ");
    let deep = document.root().pointer("/nested/deep").unwrap().entries().next().unwrap();
    assert_eq!((deep.key_place().line, deep.key_place().column), (13, 5));
}
