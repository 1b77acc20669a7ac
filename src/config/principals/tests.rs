use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::{
    base::{WallTime, limits::PRINCIPALS_FILES_NAMED_MAX},
    config::{
        Loaded, Overrides, Source, load,
        report::{self, Colours},
    },
};

const DEFINITION: &str = "openapi: 3.0.1\npaths:\n  /a:\n    get:\n      \
     x-amazon-apigateway-auth: {type: AWS_IAM}\n      x-amazon-apigateway-integration: {type: \
     http_proxy, httpMethod: ANY, uri: 'http://127.0.0.1:9000/', payloadFormatVersion: '1.0'}\n";
const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
/// An access key whose secret is in the environment, by cargo.
const SOUND: &str =
    "{accessKeyId: AKIAIOSFODNN7EXAMPLE, secretAccessKeyEnvironment: CARGO_PKG_NAME}";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";

/// A folder with a gateway file that has these lines; removed on drop.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, lines: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringway-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let files = Self(path);
        files.write("api.yaml", DEFINITION);
        files
            .write("gateway.yaml", &format!("apis: [{{name: it, definition: api.yaml}}]\n{lines}"));
        fs::set_permissions(files.0.join("gateway.yaml"), fs::Permissions::from_mode(0o600))
            .unwrap();
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn load(&self) -> Loaded {
        load(&Source::File(self.0.join("gateway.yaml")), &Overrides::default())
    }

    /// The problems, without the folder's name; none of them has a secret in it.
    fn told(&self) -> Vec<String> {
        let loaded = self.load();
        let drawn = report::render(&loaded.problems, &loaded.sources, Colours::Off);
        assert!(!drawn.contains("wJalr"), "{drawn}");
        assert_eq!(loaded.plan.is_some(), loaded.problems.errors() == 0);
        let folder = format!("{}/", self.0.display());
        let told = loaded.problems.iter().map(ToString::to_string);
        told.map(|told| told.replace(&folder, "")).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn check(name: &str, lines: &str, expected: &[&str]) {
    let told = Files::new(name, lines).told();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told}");
    }
}

/// A principal of the list, with these keys.
fn alice(keys: &str) -> String {
    format!("principals:\n- arn: {ALICE}\n  accessKeys: [{keys}]\n")
}

fn key(more: &str) -> String {
    format!("{{accessKeyId: {ID}, {more}}}")
}

#[test]
fn principals_of_the_file_and_of_others_are_found_by_their_keys() {
    let lines = format!(
        "{}  policies:\n  - {{Version: '2012-10-17', Statement: []}}\n  tags: {{Team: pets}}\n  \
         organizationId: o-abc\n  organizationPaths: [o-abc/r-a/]\n  multiFactorAuth: \
         2026-01-01T00:00:00Z\nprincipalFiles: [more/p.yaml, j.json]\n",
        alice(&key(&format!("secretAccessKey: {SECRET}, status: Inactive")))
    );
    let files = Files::new("found", &lines);
    fs::create_dir_all(files.0.join("more")).unwrap();
    files.write(
        "more/p.yaml",
        "- arn: arn:aws:sts::123456789012:assumed-role/r/s\n  accessKeys:\n  - accessKeyId: \
         ASIAIOSFODNN7EXAMPLE\n    secretAccessKeyFile: s\n    sessionTokenFile: t\n    \
         expiration: 2026-01-01T01:00:00+01:00\n  policies: [p.json]\n",
    );
    files.write("more/s", "the-secret\r\n");
    files.write("more/t", "the-token\n");
    files.write("more/p.json", r#"{"Version": "2012-10-17", "Statement": []}"#);
    files.write("j.json", r#"[{"arn": "arn:aws:iam::123456789012:root", "userId": "me"}]"#);
    let loaded = files.load();
    let plan = loaded.plan.expect("sound");
    let store = plan.principals();
    let at = WallTime(1_767_225_599_999);
    assert!(store.find(ID, None, at).is_err(), "it is inactive");
    let key = store.find("ASIAIOSFODNN7EXAMPLE", Some("the-token"), at).unwrap();
    assert_eq!(key.secret(), b"the-secret");
    let owner = store.owner(key);
    assert!(owner.user_id.starts_with("AROA") && owner.user_id.ends_with(":s"));
    assert_eq!(owner.policies.len(), 1);
    let late = WallTime(1_767_225_600_000);
    assert!(store.find("ASIAIOSFODNN7EXAMPLE", Some("the-token"), late).is_err());
    let named = ["more/p.yaml", "more/s", "more/t", "more/p.json", "j.json"];
    for name in named {
        assert!(loaded.files_read.contains(&files.0.join(name)), "{name} is not watched");
    }
}

#[test]
fn what_is_wrong_with_a_principal_is_told_at_its_place() {
    let arn = |arn: &str| format!("principals: [{{arn: '{arn}'}}]");
    check("arn", &arn("alice"), &["gateway.yaml:2:20: principals[0].arn: \"alice\" does not fit"]);
    check("role", &arn("arn:aws:iam::123456789012:role/r"), &["principals[0].arn"]);
    check("unknown", "principals: [{arn: x, name: y}]", &["arn: \"x\"", "the key \"name\" is not"]);
    check(
        "id",
        &alice("{accessKeyId: short, secretAccessKeyFile: f}"),
        &["\"short\" does not fit"],
    );
    check("none", &alice(&key("status: Active")), &["it has no secret; write one of"]);
    let two = key(&format!("secretAccessKey: {SECRET}, secretAccessKeyFile: f"));
    check("two", &alice(&two), &["there are several ways to its secret; keep one"]);
    let two = key("secretAccessKeyFile: f, sessionToken: a, sessionTokenFile: b");
    check("tokens", &alice(&two), &["it has sessionToken and sessionTokenFile; keep one"]);
    let odd = key("secretAccessKeyFile: f, expiration: tomorrow, status: active");
    check("odd", &alice(&odd), &["\"tomorrow\" does not fit", "\"active\" is not known"]);
    let tags = format!("{}  tags: {{a: x, A: y}}\n", alice(""));
    check("tags", &tags, &["the tags a and A are one"]);
    let policies = format!("{}  policies: [{{Statement: x}}, none.json]\n", alice(SOUND));
    check("policies", &policies, &["policy: ", "none.json cannot be read"]);
    let named = format!(
        "{}  policies: [{{Version: '2012-10-17', Statement: [{{Effect: Allow, \
                         Principal: '*', Action: '*', Resource: '*'}}]}}]\n",
        alice(SOUND)
    );
    check("named", &named, &["policy: "]);
}

#[test]
fn secrets_are_not_empty_not_odd_and_never_shown() {
    let file = |text: &str| {
        let files = Files::new("secret", &alice(&key("secretAccessKeyFile: s")));
        files.write("s", text);
        files.told()
    };
    assert!(
        file("x\n").is_empty() && file("x\r\n").is_empty() && file(&"x".repeat(1024)).is_empty()
    );
    for (text, why) in [
        ("", "its secret is empty"),
        ("\n", "its secret is empty"),
        ("wJalr\n\n", "a line end"),
        ("wJalr x\n", "a space"),
        ("wJalré", "another sign"),
        (&format!("{}\n", "x".repeat(1025)), "has more than 1024 bytes"),
        (&"x".repeat(5000), "has more than 1024 bytes"),
    ] {
        let told = file(text);
        assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
    }
    let inline = |text: &str| alice(&key(&format!("secretAccessKey: {text}")));
    check("space", &inline("wJalr x"), &["has a space"]);
    check("number", &inline("12345"), &["expected a string, found a number; put it in quotes"]);
    check("empty", &inline("''"), &["the text has 0 characters"]);
    check("lost", &alice(&key("secretAccessKeyFile: lost")), &["lost cannot be read"]);
    let variable = "secretAccessKeyEnvironment: RINGWAY_NO_SUCH_VARIABLE";
    check("variable", &alice(&key(variable)), &["RINGWAY_NO_SUCH_VARIABLE is not in the environ"]);
    check(
        "misspelt",
        &alice(&key(&format!("secretAccesKey: {SECRET}"))),
        &["no secret", "did you"],
    );
    check("broken", &alice(&key(&format!("secretAccessKey: {SECRET}, ["))), &["gateway.yaml:4:"]);
    let temporary = alice(&format!("{{accessKeyId: ASIA{ID}, secretAccessKey: {SECRET}}}"));
    check("temporary", &temporary, &["it is a temporary key's"]);
    let files = Files::new("public", &inline(SECRET));
    assert!(files.told().is_empty());
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(files.0.join("gateway.yaml"), mode).unwrap();
    let told = files.told();
    assert!(told[0].contains("everybody may read gateway.yaml"), "{told:?}");
    let raw = serde_json::from_str::<crate::config::gateway_file::raw::Principal>(&format!(
        r#"{{"arn": "", "accessKeys": [{{"accessKeyId": "", "secretAccessKey": "{SECRET}"}}]}}"#
    ));
    assert!(!format!("{:?}", raw.unwrap()).contains(SECRET));
}

#[test]
fn files_of_principals_are_told_with_their_places_and_not_drawn() {
    let files = Files::new("lists", "principalFiles: [a.yaml, b.json, a.yaml, none.yaml]\n");
    files.write(
        "a.yaml",
        &format!("- arn: {ALICE}\n  accessKeys:\n  - secretAccessKey: {SECRET}\n"),
    );
    files.write("b.json", "{\"arn\": \"x\"}");
    let told = files.told();
    let expected = [
        "a.yaml:3:5: [0].accessKeys[0]: the key accessKeyId is missing",
        "b.json:1:1: expected a list, found a mapping",
        "gateway.yaml:2:34: a.yaml is named twice",
        "gateway.yaml:2:42: none.yaml cannot be read",
    ];
    for expected in expected {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:#?}");
    }
    files.write(
        "a.yaml",
        &format!("- arn: {ALICE}\n  accessKeys: [{{secretAccessKey: {SECRET}, [\n"),
    );
    assert!(files.told().iter().any(|told| told.starts_with("a.yaml:")));
}

#[test]
fn an_arn_and_a_key_are_there_once_in_all_files() {
    let files = Files::new(
        "twice",
        &format!("{}principalFiles: [p.yaml]\n", alice(&key("secretAccessKeyFile: s"))),
    );
    files.write("s", "secret");
    files.write(
        "p.yaml",
        &format!(
            "- arn: {ALICE}\n- arn: {ALICE}b\n  accessKeys: [{}]\n",
            key("secretAccessKeyFile: s")
        ),
    );
    let told = files.told();
    let expected = [
        "p.yaml:1:8: two principals have the ARN arn:aws:iam::123456789012:user/alice: the first \
         is in line 3 of gateway.yaml; remove one of them",
        "p.yaml:3:30: two access keys have the id AKIAIOSFODNN7EXAMPLE: the first is in line 4 of \
         gateway.yaml; remove one of them",
    ];
    assert_eq!(told, expected);
}

#[test]
fn principals_and_routes_that_need_each_other() {
    let nobody = "api.yaml:4:5: the route asks for signatures (AWS_IAM), and no principal has an";
    check("nobody", "", &[nobody]);
    check("keyless", &format!("principals: [{{arn: '{ALICE}'}}]"), &[nobody]);
    let files = Files::new("needless", &alice(&key("secretAccessKeyFile: s")));
    files.write("s", "secret");
    assert_eq!(files.told(), [] as [&str; 0]);
    files.write("api.yaml", &DEFINITION.replace("AWS_IAM", "NONE"));
    let told = files.told();
    assert!(told[0].contains("no route asks for signatures"), "{told:?}");
}

#[test]
fn files_that_principals_name_are_bounded() {
    let keys = |count: usize| -> String {
        let key = |place| format!("{{accessKeyId: AKIA{place:016}, secretAccessKeyFile: s}}");
        (0..count).map(key).collect::<Vec<_>>().join(", ")
    };
    // One file, many times, is one.
    let files = Files::new("same", &alice(&keys(50)));
    files.write("s", "secret");
    assert!(files.told().is_empty());
    let list: Vec<_> = (0..=PRINCIPALS_FILES_NAMED_MAX)
        .map(|place| format!("{{accessKeyId: AKIA{place:016}, secretAccessKeyFile: s{place}}}"))
        .collect();
    let files = Files::new("many", &alice(&list.join(", ")));
    let told = files.told();
    // None of them is there; the last is not looked for.
    assert!(told.iter().all(|told| told.contains("cannot be read")), "{}", told.len());
    let loaded = files.load();
    assert_eq!(loaded.problems.errors(), PRINCIPALS_FILES_NAMED_MAX + 1);
}
