//! Routes with `AWS_IAM` as callers meet them: botocore and curl sign, requests and curl send;
//! whose key, which body, which time, what policies say, what the integration sees.

use std::{
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::harness::{
    Answer, Client, Gateway, Launch, Upstream, eventually, has, ok, python, ringway,
};

const ALICE: &str = "arn:aws:iam::123456789012:user/staff/alice";
const ALLOW: &str = "{Version: '2012-10-17', Statement: [{Effect: Allow, Action: \
                     'execute-api:Invoke', Resource: '*'}]}";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const DENIED: &str = "AccessDeniedException";

/// Everything below `/` for whoever signs; `/open` for everybody.
fn definition(upstream: SocketAddr) -> String {
    let mapped = ["accountId", "accessKey", "caller", "user", "userArn", "principalOrgId"];
    let mapped = mapped.map(|name| format!("overwrite:header.x-{name}: $context.identity.{name}"));
    let integration = |uri: &str, more: &str| {
        format!(
            "x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: ANY, uri: \
             'http://{upstream}{uri}', payloadFormatVersion: '1.0'{more}}}"
        )
    };
    let signed = integration("/{p}", &format!(", requestParameters: {{{}}}", mapped.join(", ")));
    let open = integration("/open", "");
    format!(
        "openapi: 3.0.1\ncomponents:\n  securitySchemes:\n    sigv4: {{type: apiKey, name: \
         Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}}\npaths:\n  \
         /{{p+}}:\n    x-amazon-apigateway-any-method:\n      security: [{{sigv4: []}}]\n      \
         {signed}\n  /open: {{get: {{{open}}}}}\n"
    )
}

/// Alice may all; Bob has no policy, Carol a denial; Dave is of another account; Eve's keys are
/// inactive, expired and temporary.
fn principals() -> String {
    let key = |id: &str, more: &str| format!("{{accessKeyId: {id}, secretAccessKeyFile: s{more}}}");
    let user = |name: &str, account: &str, keys: &str, policies: &str| {
        format!(
            "- {{arn: 'arn:aws:iam::{account}:user/{name}', organizationId: o-abc, accessKeys: \
             [{keys}], policies: [{policies}]}}\n"
        )
    };
    let (here, there) = ("123456789012", "999999999999");
    let deny = "{Version: '2012-10-17', Statement: [{Effect: Deny, Action: 'execute-api:*', \
                Resource: 'arn:aws:execute-api:*:*:*/*/GET/private*'}]}";
    let eve = [
        key("AKIAINACTIVE00000000", ", status: Inactive"),
        key("AKIAEXPIRED000000000", ", expiration: '2020-01-01T00:00:00Z'"),
        key("ASIATEMPORARY0000000", ", sessionTokenFile: t, expiration: '2999-01-01T00:00:00Z'"),
    ];
    [
        user("staff/alice", here, &key(KEY, ""), "alice.json"),
        user("bob", here, &key("AKIABOB0000000000000", ""), ""),
        user("carol", here, &key("AKIACAROL00000000000", ""), &format!("{ALLOW}, {deny}")),
        user("dave", there, &key("AKIADAVE000000000000", ""), ALLOW),
        user("eve", here, &eve.join(", "), ALLOW),
    ]
    .concat()
}

fn launch(upstream: SocketAddr, of_api: &str) -> Launch {
    let file = format!(
        "listeners: [{{address: '127.0.0.1:0', http2: true}}]\naccountId: '123456789012'\n\
         accessLog: {{destination: access.log}}\nprincipalFiles: [store/principals.yaml]\n\
         apis: [{{name: it, apiId: aaaaaaaaaa, definition: api.yaml{of_api}}}]\n"
    );
    let alice = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Action": "execute-api:Invoke", "Resource": "*"}}"#;
    Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &definition(upstream))
        .beside("store/principals.yaml", &principals())
        .beside("store/s", &format!("{SECRET}\n"))
        .beside("store/t", "the+session/token==\n")
        .beside("store/alice.json", alice)
        .listeners_of_file()
}

/// What botocore and requests made of these cases; see `iam_client.py`.
fn python_asks(gateway: &Gateway, mut cases: Vec<Value>) -> Option<Vec<Value>> {
    let python = python()?;
    for case in &mut cases {
        let path = case["url"].as_str().unwrap_or("/pets");
        case["url"] = format!("http://{}{path}", gateway.address).into();
        let given = case.as_object_mut().unwrap();
        given.entry("key").or_insert(KEY.into());
        given.entry("secret").or_insert(SECRET.into());
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/iam_client.py");
    let mut command = Command::new(python);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let text = Value::from(cases).to_string();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "iam_client.py failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Each is refused as it should be: status, type, and what the text has in it.
#[track_caller]
fn check_refused(gateway: &Gateway, upstream: &Upstream, cases: Vec<(Value, &str, &str)>) {
    let (asked, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(case, kind, words)| (case, (kind, words))).unzip();
    let Some(answers) = python_asks(gateway, asked.clone()) else { return };
    for ((answer, (kind, words)), case) in answers.iter().zip(expected).zip(asked) {
        assert_eq!((answer["status"].as_u64(), text(answer, "type")), (Some(403), kind), "{case}");
        assert!(text(answer, "text").contains(words), "{case}: {}", text(answer, "text"));
        assert!(!text(answer, "text").contains(text(answer, "signature")), "{case}");
        assert!(!text(answer, "text").contains(SECRET), "{case}");
    }
    assert!(upstream.requests().is_empty());
}

/// The head of a request that botocore signed.
fn head(signed: &Value, method: &str) -> String {
    let lines = signed["lines"].as_array().unwrap();
    let lines: String =
        lines.iter().map(|line| format!("{}\r\n", line.as_str().unwrap())).collect();
    format!("{method} {} HTTP/1.1\r\n{lines}\r\n", text(signed, "target"))
}

fn send(gateway: &Gateway, head: &str) -> Answer {
    Client::connect(gateway.address).ask(head)
}

#[test]
fn botocore_s_requests_are_let_in_whatever_is_in_them() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let mega = 1 << 20;
    let mut cases = Vec::new();
    for path in [
        "/pets",
        "/a%2Fb/c",
        "/a%20b",
        "/a//b",
        "/caf%C3%A9/%E2%82%AC",
        "/a~b_c-d.e",
        "/a:b@c,d;e=f",
        "/pets?b=2&a=1&a=0&a",
        "/pets?empty=&none&x=%20&y=%2B&z=%C3%A9",
        "/pets?a=1%2F2&A=3",
    ] {
        cases.push(json!({"url": path}));
    }
    for body in [json!(""), json!("small"), json!(mega)] {
        for (chunked, hash) in [(false, false), (false, true), (true, false), (true, true)] {
            let case = json!({"method": "POST", "body": body, "chunked": chunked, "hash": hash});
            cases.push(case);
        }
    }
    cases.push(json!({"headers": {"x-own": "two   words", "X-Amz-Meta-A": "b"}}));
    cases.push(json!({"method": "DELETE", "url": "/pets/7"}));
    cases.push(json!({"presign": 60, "url": "/pets?b=2&a=%20x"}));
    cases.push(json!({"presign": 604_800, "age": 86_400}));
    cases.push(json!({"key": "ASIATEMPORARY0000000", "token": "the+session/token=="}));
    cases.push(json!({"key": "ASIATEMPORARY0000000", "token": "the+session/token==",
                      "presign": 60}));
    cases.push(json!({"age": 290}));
    cases.push(json!({"age": -290}));
    let Some(answers) = python_asks(&gateway, cases.clone()) else { return };
    for (answer, case) in answers.iter().zip(&cases) {
        assert_eq!(answer["status"], 200, "{case}: {}", text(answer, "text"));
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), cases.len());
    for (request, case) in requests.iter().zip(&cases) {
        let has_length = case["body"].as_u64().is_none_or(|body| request.body.len() as u64 == body);
        assert!(has_length, "{case}");
        // What says who signed stays here.
        for (name, value) in &request.fields {
            let is_signature = ["authorization", "x-amz-security-token"]
                .iter()
                .any(|kept| name.eq_ignore_ascii_case(kept));
            assert!(!is_signature && !value.contains("Signature"), "{name}: {value}");
        }
        assert!(!request.target.to_ascii_lowercase().contains("x-amz-"), "{}", request.target);
    }
    let first = &requests[0];
    assert_eq!(first.field("x-accountid"), Some("123456789012"));
    assert_eq!(first.field("x-accesskey"), Some(KEY));
    assert_eq!(first.field("x-userarn"), Some(ALICE));
    assert_eq!(first.field("x-principalorgid"), Some("o-abc"));
    let id = first.field("x-user").unwrap();
    assert!(id.starts_with("AIDA") && id.len() == 21 && first.field("x-caller") == Some(id));
    let presigned = requests.iter().find(|request| request.target.contains("%20x")).unwrap();
    assert_eq!(presigned.target, "/pets?b=2&a=%20x");
    assert!(requests.iter().all(|request| !request.target.ends_with('?')));
    assert_eq!(send(&gateway, "GET /open HTTP/1.1\r\nhost: it\r\n\r\n").status, 200);
}

#[test]
fn curl_s_requests_are_let_in_by_both_versions() {
    if !has("curl") {
        return;
    }
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let big = gateway.folder.write("big", &"x".repeat(1 << 20));
    let big = format!("@{}", big.display());
    let ask = |secret: &str, path: &str, more: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "20", "--write-out", "%{http_code} %{http_version}"])
            .args(["--output", "/dev/null", "--aws-sigv4", "aws:amz:us-east-1:execute-api"])
            .args(["--user", &format!("{KEY}:{secret}")])
            .args(more)
            .arg(format!("http://{}{path}", gateway.address))
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    for (version, flag) in [("1.1", "--http1.1"), ("2", "--http2-prior-knowledge")] {
        let well = format!("200 {version}");
        assert_eq!(ask(SECRET, "/pets", &[flag]), well);
        assert_eq!(ask(SECRET, "/pets?a=1&b=2", &[flag]), well);
        assert_eq!(ask(SECRET, "/pets", &[flag, "--data", "small"]), well);
        assert_eq!(ask(SECRET, "/pets", &[flag, "--data", ""]), well);
        assert_eq!(ask(SECRET, "/pets", &[flag, "--data-binary", &big]), well);
        let wrong = format!("403 {version}");
        assert_eq!(ask("other", "/pets", &[flag, "--data", "small"]), wrong);
    }
    assert_eq!(upstream.requests().len(), 10);
}

#[test]
fn attack_a_changed_request_is_refused_with_what_should_have_been_signed() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let wrong = json!({"secret": "other", "url": "/a%2Fb?b=2&a=%20", "body": "x",
                       "method": "POST", "headers": {"X-Amz-Meta": "a  \"b\""}});
    let Some(answers) = python_asks(&gateway, vec![wrong]) else { return };
    let words: Value = serde_json::from_str(text(&answers[0], "text")).unwrap();
    let words = words["message"].as_str().unwrap();
    assert!(words.starts_with("The request signature we calculated does not match"), "{words}");
    let canonical = format!("should have been\n'{}'\n", text(&answers[0], "canonical"));
    assert!(words.contains(&canonical), "{words}\nbotocore:\n{canonical}");
    let to_sign = format!("String-to-Sign should have been\n'{}'\n", text(&answers[0], "to_sign"));
    assert!(words.contains(&to_sign), "{words}\nbotocore:\n{to_sign}");
    const SIGNATURE: &str = "InvalidSignatureException";
    let cases = vec![
        (json!({"secret": "other"}), "does not match"),
        (json!({"presign": 60, "secret": "other"}), "does not match"),
        (json!({"method": "POST", "body": "sound", "change": "wrong"}), "does not match"),
        (json!({"add_query": "?more=1"}), "does not match"),
        (json!({"presign": 60, "add_query": "&more=1"}), "does not match"),
        (json!({"add": {"X-Amz-Meta": "unsigned"}}), "must be a 'SignedHeader'"),
        (json!({"presign": 60, "add": {"X-Amz-Meta": "unsigned"}}), "must be a 'SignedHeader'"),
        (json!({"add": {"Host": "other.example"}}), "does not match"),
        (json!({"age": 360}), "Signature expired: "),
        (json!({"age": -360}), "Signature not yet current: "),
        (json!({"presign": 60, "age": 61}), "Signature expired: "),
        (json!({"presign": 0}), "X-Amz-Expires must be"),
        (json!({"presign": 604_801}), "X-Amz-Expires must be"),
        (json!({"region": "eu-west-1"}), "not 'eu-west-1'"),
        (json!({"service": "s3"}), "correct service: 'execute-api'"),
        (json!({"headers": {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}}), "does not match"),
        (
            json!({"headers": {"X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}}),
            "does not match",
        ),
    ];
    let cases = cases.into_iter().map(|(case, words)| (case, SIGNATURE, words)).collect();
    check_refused(&gateway, &upstream, cases);
}

#[test]
fn attack_a_body_that_is_not_the_said_one_never_arrives_whole() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let sound = "s".repeat(300_000);
    let mut wrong = sound.clone();
    wrong.replace_range(299_999.., "t");
    let longer = format!("{sound}t");
    let mut cases = Vec::new();
    for change in [&wrong, &longer, &sound[..299_999].to_owned(), &"x".to_owned()] {
        for chunked in [false, true] {
            cases.push((
                json!({"method": "POST", "body": sound, "hash": true, "change": change,
                       "chunked": chunked}),
                "InvalidSignatureException",
                "does not match",
            ));
        }
    }
    check_refused(&gateway, &upstream, cases);
}

#[test]
fn attack_keys_that_are_not_or_no_longer_there() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let (invalid, expired) = ("UnrecognizedClientException", "ExpiredTokenException");
    let token = "The security token included in the request is invalid";
    let temporary = "ASIATEMPORARY0000000";
    let cases = vec![
        (json!({"key": "AKIANOBODY0000000000"}), invalid, token),
        (json!({"key": "AKIAINACTIVE00000000"}), invalid, token),
        (json!({"key": "AKIAEXPIRED000000000"}), expired, "is expired"),
        (json!({"key": temporary}), invalid, token),
        (json!({"key": temporary, "token": "the+session/token="}), invalid, token),
        (json!({"key": temporary, "token": "the+session/token==="}), invalid, token),
        (json!({"token": "the+session/token=="}), invalid, token),
        (json!({"key": temporary, "presign": 60}), invalid, token),
    ];
    check_refused(&gateway, &upstream, cases);
}

#[test]
fn policies_of_the_caller_and_of_the_api_decide() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let words = |name: &str, account: &str, path: &str, end: &str| {
        format!(
            "{{\"Message\":\"User: arn:aws:iam::{account}:user/{name} is not authorized to \
             perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:\
             aaaaaaaaaa/$default/GET{path}{end}\"}}"
        )
    };
    let (carol, dave) = ("AKIACAROL00000000000", "AKIADAVE000000000000");
    let bob = "AKIABOB0000000000000";
    let (here, there) = ("123456789012", "999999999999");
    let denied = [
        (json!({"key": bob}), words("bob", here, "/pets", "")),
        (
            json!({"key": carol, "url": "/private/x"}),
            words("carol", here, "/private/x", " with an explicit deny"),
        ),
        (json!({"key": dave}), words("dave", there, "/pets", "")),
    ];
    let cases: Vec<_> =
        denied.iter().map(|(case, words)| (case.clone(), DENIED, words.as_str())).collect();
    check_refused(&gateway, &upstream, cases);
    // The API's own policy lets other accounts in, and its own users that have none.
    let policy = format!(
        ", policy: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Principal: {{AWS: \
         ['arn:aws:iam::{there}:root', 'arn:aws:iam::{here}:user/bob']}}, Action: \
         'execute-api:Invoke', Resource: 'execute-api:/*'}}]}}"
    );
    let opened = launch(upstream.address(), &policy).start();
    let cases = [bob, dave, carol, KEY].map(|key| json!({"key": key}));
    let Some(answers) = python_asks(&opened, cases.to_vec()) else { return };
    for answer in &answers {
        assert_eq!(answer["status"], 200, "{}", text(answer, "text"));
    }
    let late = json!({"key": carol, "url": "/private/x"});
    let answers = python_asks(&opened, vec![late]).unwrap();
    assert_eq!(answers[0]["status"], 403);
}

#[test]
fn attack_heads_with_two_signatures_or_half_of_one() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let cases = vec![json!({"only": true}), json!({"only": true, "presign": 60})];
    let Some(signed) = python_asks(&gateway, cases) else { return };
    let (sound, presigned) = (head(&signed[0], "GET"), head(&signed[1], "GET"));
    assert_eq!(send(&gateway, &sound).status, 200);
    assert_eq!(send(&gateway, &presigned).status, 200);
    let signature = text(&signed[0], "signature");
    let line = sound.lines().find(|line| line.starts_with("Authorization")).unwrap();
    let twice = |line: &str| sound.replacen("\r\n", &format!("\r\n{line}\r\n"), 1);
    let date = sound.lines().find(|line| line.starts_with("X-Amz-Date")).unwrap();
    let query = text(&signed[1], "target").split_once('?').unwrap().1;
    let attacks = [
        ("Authorization twice", twice(line)),
        ("the date twice", twice(date)),
        ("host twice", twice("host: it")),
        ("header and query", sound.replacen("/pets", &format!("/pets?{query}"), 1)),
        ("two in the query", presigned.replacen(query, &format!("{query}&{query}"), 1)),
        ("cut", sound.replacen(signature, &signature[..63], 1)),
        ("upper case", sound.replacen(signature, &signature.to_uppercase(), 1)),
        ("empty", sound.replacen(signature, "", 1)),
        ("another path", sound.replacen("/pets", "/p%65ts", 1)),
        ("another method", sound.replacen("GET", "PUT", 1)),
        ("lower-case name", presigned.replacen("X-Amz-Signature", "x-amz-signature", 1)),
        ("no signature", "GET /pets HTTP/1.1\r\nhost: it\r\n\r\n".into()),
        ("Basic", "GET /pets HTTP/1.1\r\nhost: it\r\nauthorization: Basic YTpi\r\n\r\n".into()),
    ];
    for (what, head) in &attacks {
        let answer = send(&gateway, head);
        assert!(matches!(answer.status, 400 | 403), "{what}: {}", answer.status);
        assert!(!answer.text().contains(&signature[..63]), "{what}");
        assert!(!answer.text().contains("YTpi"), "{what}");
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn a_key_is_rotated_under_load() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(upstream.address(), "").shards(2).start();
    let cases = vec![json!({"only": true}), json!({"only": true, "secret": "new-secret"})];
    let Some(signed) = python_asks(&gateway, cases) else { return };
    let [old, new] = [0, 1].map(|place| head(&signed[place], "GET"));
    let (ends, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let load = || {
            // Whatever comes is one of both, and old is never good after new was.
            let (mut client, mut is_new) = (Client::connect(gateway.address), false);
            while !ends.load(Ordering::Relaxed) {
                let took_new = client.ask(&new).status == 200;
                let took_old = client.ask(&old).status == 200;
                assert!(!(is_new && took_old), "the old key came back");
                assert!(!is_new || took_new, "the new key went away");
                is_new |= took_new;
                asked.fetch_add(2, Ordering::Relaxed);
            }
            is_new
        };
        let loads: Vec<_> = (0..3).map(|_| scope.spawn(load)).collect();
        eventually("some were asked", || asked.load(Ordering::Relaxed) > 50);
        gateway.folder.write("store/s", "new-secret\n");
        eventually("the new key is taken", || (0..4).all(|_| send(&gateway, &new).status == 200));
        eventually("the old key is refused", || (0..4).all(|_| send(&gateway, &old).status == 403));
        let before = asked.load(Ordering::Relaxed);
        eventually("more were asked", || asked.load(Ordering::Relaxed) > before + 50);
        ends.store(true, Ordering::Relaxed);
        for load in loads {
            assert!(load.join().unwrap(), "a connection never met the new key");
        }
    });
}

#[test]
fn secrets_and_signatures_are_told_nowhere() {
    let upstream = Upstream::echoing();
    let gateway = launch(upstream.address(), "").start();
    let token = "the+session/token==";
    let cases = vec![
        json!({"only": true}),
        json!({"only": true, "secret": "other"}),
        json!({"only": true, "presign": 60}),
        json!({"only": true, "key": "ASIATEMPORARY0000000", "token": token}),
        json!({"only": true, "key": "ASIATEMPORARY0000000", "token": token, "secret": "other"}),
    ];
    let Some(signed) = python_asks(&gateway, cases) else { return };
    let answers: Vec<Answer> =
        signed.iter().map(|signed| send(&gateway, &head(signed, "GET"))).collect();
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 403, 200, 200, 403]);
    let folder = gateway.folder.path();
    let log = || std::fs::read_to_string(gateway.folder.join("access.log")).unwrap_or_default();
    eventually("all are logged", || log().lines().count() == 5);
    let mut told = vec![log(), gateway.metrics(), gateway.said()];
    told.extend(answers.iter().filter(|answer| answer.status == 403).map(Answer::text));
    let ran = ringway(folder, &["validate", "gateway.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    told.push(format!("{ran:?}"));
    for signed in &signed {
        let target = text(signed, "target");
        let mut words = vec!["explain", "gateway.yaml", "GET", target];
        for line in signed["lines"].as_array().unwrap() {
            words.extend(["-H", line.as_str().unwrap()]);
        }
        let ran = ringway(folder, &words);
        assert!(ran.output.contains("AWS_IAM"), "{ran:?}");
        told.push(format!("{}{}", ran.output, ran.said));
    }
    let secrets = [SECRET, "the+session", "the%2Bsession", "new-secret"].map(str::to_owned);
    let signatures = signed.iter().map(|signed| text(signed, "signature").to_owned());
    for secret in secrets.into_iter().chain(signatures) {
        for told in &told {
            assert!(!told.contains(&secret), "{secret} in:\n{told}");
        }
    }
    assert!(told[0].contains(KEY) || told[0].contains("the signature is not"), "{}", told[0]);
}
