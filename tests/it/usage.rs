//! What operators ask and change: `ringway usage`, and AWS's API of keys and usage plans on the
//! private port, asked by AWS's own client.

use std::{fs, path::Path, process::Command};

use crate::{
    harness::{Gateway, eventually, exchange, python, ringway},
    quota::{ALICE, BOB, Stand, admin, call, patch, spend, today, usage},
};

/// The same program, its flags after `usage gateway.yaml`.
fn table(gateway: &Gateway, flags: &[&str]) -> (Option<i32>, String) {
    let ran = ringway(gateway.folder.path(), &[&["usage", "gateway.yaml"], flags].concat());
    (ran.code, format!("{}{}", ran.output, ran.said))
}

#[test]
fn usage_prints_each_key_while_the_gateway_runs_and_after() {
    let stand = Stand::new("{limit: 1000, period: MONTH}");
    let mut gateway = stand.start();
    assert_eq!((spend(&gateway, ALICE, 12), spend(&gateway, BOB, 3)), (12, 3));
    let today = today();
    let line = |key: &str, used: u64| {
        format!("gold  {key}  {today}  {used:>4}  {:>9}   1000\n", 1_000 - used)
    };
    eventually("the table has what was counted", || {
        let (code, text) = table(&gateway, &[]);
        code == Some(0)
            && text.starts_with("PLAN  KEY      DAY         USED  REMAINING  LIMIT\n")
            && text.contains(&line("alice-1", 12))
            && text.contains(&line("bob    ", 3))
    });
    gateway.signal("TERM");
    gateway.wait();
    let (code, text) = table(&gateway, &["--key", "bob"]);
    let head = "PLAN  KEY  DAY         USED  REMAINING  LIMIT\n";
    assert_eq!((code, text), (Some(0), format!("{head}{}", line("bob", 3))));
    let (code, text) = table(&gateway, &["--json", "--plan", "gold", "--key", "alice-1"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!([{
        "usagePlanId": "gold", "keyId": "alice-1", "date": today,
        "used": 12, "remaining": 988, "limit": 1000, "reserved": 0
    }]);
    assert_eq!((code, value), (Some(0), expected));
}

#[test]
fn usage_says_what_it_cannot_do() {
    let stand = Stand::new("{limit: 1000, period: MONTH}");
    let mut gateway = stand.start();
    spend(&gateway, ALICE, 1);
    gateway.signal("TERM");
    gateway.wait();
    let check = |flags: &[&str], code: i32, words: &str| {
        let (ended, text) = table(&gateway, flags);
        assert_eq!(ended, Some(code), "{text}");
        assert!(text.contains(words), "{words}: {text}");
    };
    check(&["--plan", "silver"], 1, "no usage plan has the id silver; there are gold");
    check(&["--key", "dave"], 1, "no API key has the id dave; there are alice-1, bob");
    check(&["--from", "2026-13-01"], 2, "YYYY-MM-DD");
    check(&["--from", "2026-02-01", "--to", "2026-01-01"], 2, "is after the last day, 2026-01-01");
    check(&["--from", "2020-01-01"], 2, "are more days than the 90 kept");
    let mut bytes = fs::read(stand.journal()).unwrap();
    bytes[150] ^= 1;
    fs::write(stand.journal(), bytes).unwrap();
    check(&[], 1, "journal, byte 96: a record's checksum is wrong");
    fs::remove_file(stand.journal()).unwrap();
    check(&[], 0, "alice-1");
}

/// Days that are over, as the keeper writes them, and one that is damaged.
#[test]
fn days_that_are_over_are_told_for_ninety() {
    let stand = Stand::new("{limit: 1000, period: DAY}");
    let gateway = stand.start();
    let ask = |from: &str, to: &str| {
        let target = format!("/usageplans/gold/usage?startDate={from}&endDate={to}");
        admin(&gateway, &format!("GET {target}"), "")
    };
    let days = ask("2026-01-01", "2026-01-03").text();
    let none = "[[0,1000],[0,1000],[0,1000]]";
    assert!(days.contains(&format!("{{\"alice-1\":{none},\"bob\":{none}}}")), "{days}");
    fs::write(stand.folder.join("state/usage-2026-01-02"), "nonsense").unwrap();
    let damaged = ask("2026-01-01", "2026-01-03");
    assert_eq!(damaged.status, 503, "{damaged:?}");
    assert!(damaged.text().contains("usage-2026-01-02, byte 0: "), "{damaged:?}");
    assert_eq!(ask("2026-01-03", "2026-01-03").status, 200);
    assert_eq!(ask("2026-01-01", "2026-04-01").status, 400);
}

#[test]
fn errors_are_aws_s() {
    let stand = Stand::new("{limit: 1000, period: DAY}");
    let gateway = stand.start();
    let check = |line: &str, status: u16, error_type: Option<&str>| {
        let answer = admin(&gateway, line, "");
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert_eq!(answer.field("x-amzn-errortype"), error_type, "{line}");
        assert!(answer.text().contains("\"message\":"), "{line}: {answer:?}");
    };
    let (missing, bad) = (Some("NotFoundException"), Some("BadRequestException"));
    check("GET /apikeys/dave", 404, missing);
    check("GET /usageplans/silver", 404, missing);
    check("GET /usageplans/silver/usage?startDate=2026-01-01&endDate=2026-01-01", 404, missing);
    check("GET /usageplans/gold/usage", 400, bad);
    check("PATCH /apikeys/alice-1", 400, bad);
    check("PATCH /usageplans/gold/keys/dave/usage", 400, bad);
    check("POST /apikeys", 405, None);
    check("DELETE /apikeys/alice-1", 405, None);
    assert_eq!(patch(&gateway, "/apikeys/dave", "/enabled", "false").status, 404);
    let target = "/usageplans/gold/keys/dave/usage";
    assert_eq!(patch(&gateway, target, "/remaining", "5").status, 404);
}

#[test]
fn bodies_on_the_private_port_are_bounded() {
    let stand = Stand::new("{limit: 1000, period: DAY}");
    let gateway = stand.start();
    let ask = |fields: &str, body: &str| {
        let head = format!("PATCH /apikeys/bob HTTP/1.1\r\nhost: it\r\n{fields}\r\n\r\n");
        exchange(gateway.admin, head + body)
    };
    let operation = "{\"patchOperations\":[{\"op\":\"replace\",\"path\":\"/enabled\",";
    let value = format!("{operation}\"value\":\"true\"}}]");
    let body = |length: usize| format!("{value}{}}}", " ".repeat(length - value.len() - 1));
    let limit = 16 * 1024;
    let fields = |length: usize| format!("content-length: {length}");
    assert_eq!(ask(&fields(limit), &body(limit)).status, 200);
    let refused = ask(&fields(limit + 1), &body(limit + 1));
    assert_eq!((refused.status, refused.says_close()), (413, true));
    assert_eq!(ask("transfer-encoding: chunked", "0\r\n\r\n").status, 413);
    // In pieces, after 100 Continue, with the next request behind it.
    let mut client = crate::harness::Client::connect(gateway.admin);
    let text = body(100);
    let head = "PATCH /apikeys/bob HTTP/1.1\r\nhost: it\r\ncontent-length: 100\r\n";
    client.send(format!("{head}expect: 100-continue\r\n\r\n"));
    assert_eq!(client.answer().status, 100);
    client.send(&text[..40]);
    client.send(format!("{}GET /apikeys/bob HTTP/1.1\r\nhost: it\r\n\r\n", &text[40..]));
    assert_eq!((client.answer().status, client.answer().status), (200, 200));
}

/// botocore, the client under boto3 and AWS's command line.
#[test]
fn aws_s_client_reads_and_changes_keys_and_usage() {
    let Some(python) = python() else { return };
    let stand = Stand::new("{limit: 100, period: DAY}");
    let gateway = stand.start();
    assert_eq!(spend(&gateway, ALICE, 10), 10);
    eventually("it is counted", || usage(&gateway, "alice-1") == (10, 90));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/usage_client.py");
    let output = Command::new(python)
        .arg(script)
        .args([format!("http://{}", gateway.admin), today()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"fine\n", "{said}");
    eventually("bob is switched off", || call(&gateway, BOB).status == 403);
    assert_eq!(spend(&gateway, ALICE, 100), 7);
}
