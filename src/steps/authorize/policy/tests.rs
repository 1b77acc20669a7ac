//! Tables of what policies say: every operator, every element, what is refused, what is noted.

mod reference;

use super::*;
use crate::steps::authorize::principal::PrincipalType;

const PREFIX: &str = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234";
/// 2026-11-26T11:30:00Z
const NOW: WallTime = WallTime(1_795_692_600_000);

pub(super) fn compile(text: &str) -> Result<(Policy, Vec<Note>), Vec<Note>> {
    let document = Value::parse(text.as_bytes()).unwrap_or_else(|_| panic!("no JSON: {text}"));
    Policy::compile(&document, PolicyKind::Resource(PREFIX))
}

pub(super) fn alice() -> Principal {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).into()).collect();
    Principal {
        arn: "arn:aws:iam::123456789012:user/alice".into(),
        account_id: "123456789012".into(),
        user_id: "AIDAALICEALICEALICE1".into(),
        user_name: Some("alice".into()),
        kind: PrincipalType::User,
        org_id: Some("o-abc".into()),
        org_paths: texts(&["o-abc/r-1/ou-1/", "o-abc/r-1/ou-2/"]),
        tags: Box::new([("Team".into(), "pets".into()), ("level".into(), "7".into())]),
        mfa: Some(WallTime(NOW.0 - 90_000)),
        policies: Box::new([]),
    }
}

fn session() -> Principal {
    Principal {
        arn: "arn:aws:sts::123456789012:assumed-role/Reader/one".into(),
        user_id: "AROAREADERREADERREAD:one".into(),
        user_name: None,
        kind: PrincipalType::AssumedRole,
        mfa: None,
        ..alice()
    }
}

pub(super) fn asked<'a>(
    resource: &'a [u8],
    principal: Option<&'a Principal>,
    labels: &'a [String],
) -> Asked<'a> {
    let conditions = Conditions {
        now: NOW,
        source_ip: b"192.0.2.7",
        user_agent: Some(b"curl/8"),
        referer: None,
        is_secure: true,
        labels,
    };
    Asked { action: Action::Invoke, resource, principal, conditions }
}

fn resource() -> Vec<u8> {
    format!("{PREFIX}/prod/GET/pets/7").into_bytes()
}

fn statement(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{members}}}]}}"#)
}

/// Whether the one statement that has this condition is about alice's request, and about one that
/// nobody signed.
#[track_caller]
fn check(condition: &str, of_alice: bool, of_nobody: bool) {
    let text = statement(&format!(
        r#""Principal":"*","Action":"*","Resource":"*","Condition":{{{condition}}}"#
    ));
    let (policy, _) = compile(&text).unwrap_or_else(|faults| panic!("{condition}: {faults:?}"));
    let (resource, alice, labels) =
        (resource(), alice(), ["internal".to_owned(), "lab".to_owned()]);
    let found = policy.evaluate(&asked(&resource, Some(&alice), &labels)) == Effect::Allow;
    assert_eq!(found, of_alice, "alice: {condition}");
    let found = policy.evaluate(&asked(&resource, None, &[])) == Effect::Allow;
    assert_eq!(found, of_nobody, "nobody: {condition}");
}

/// An operator on a key that alice's request has and nobody's has not, plain and with every prefix
/// and suffix: what it says of a value that is there and fits, and one that does not.
#[track_caller]
fn check_operator(operator: &str, key: &str, fits: &str, differs: &str, is_negated: bool) {
    let condition = |operator: &str, value: &str| format!(r#""{operator}":{{"{key}":{value}}}"#);
    for (value, is_like) in [(fits, true), (differs, false)] {
        let holds = is_like != is_negated;
        check(&condition(operator, value), holds, is_negated);
        check(&condition(&format!("{operator}IfExists"), value), holds, true);
        check(&condition(&format!("ForAnyValue:{operator}"), value), holds, false);
        check(&condition(&format!("ForAnyValue:{operator}IfExists"), value), holds, true);
        check(&condition(&format!("ForAllValues:{operator}"), value), holds, true);
        check(&condition(&format!("ForAllValues:{operator}IfExists"), value), holds, true);
    }
    // One of several values is enough, and for a negated operator one too many.
    let both = format!("[{differs},{fits}]");
    check(&condition(operator, &both), !is_negated, is_negated);
}

#[test]
fn every_operator_with_every_prefix_and_suffix() {
    let (name, level, arn) = ("aws:username", "aws:PrincipalTag/level", "aws:PrincipalArn");
    let rows = [
        ("StringEquals", name, r#""alice""#, r#""Alice""#, false),
        ("StringNotEquals", name, r#""alice""#, r#""ali*""#, true),
        ("StringEqualsIgnoreCase", name, r#""ALICE""#, r#""al""#, false),
        ("StringNotEqualsIgnoreCase", name, r#""ALICE""#, r#""al""#, true),
        ("StringLike", name, r#""a?i*e""#, r#""A*""#, false),
        ("StringNotLike", name, r#""*li*""#, r#""?""#, true),
        ("NumericEquals", level, r#""7.0""#, r#""8""#, false),
        ("NumericNotEquals", level, "7", "8", true),
        ("NumericLessThan", level, "7.5", "7", false),
        ("NumericLessThanEquals", level, "7", "6", false),
        ("NumericGreaterThan", level, "6", "7", false),
        ("NumericGreaterThanEquals", level, "7", "8", false),
        ("BinaryEquals", name, r#""YWxpY2U=""#, r#""YWxpY2Ux""#, false),
        ("Bool", "aws:MultiFactorAuthPresent", "true", r#""false""#, false),
        ("ArnEquals", arn, r#""arn:aws:iam::*:user/al*""#, r#""arn:*:user/*:x:y:z:a""#, false),
        ("ArnLike", arn, r#""arn:aws:iam::1234567890??:user/alice""#, r#""arn:a:*:*:*:*""#, false),
        ("ArnNotEquals", arn, r#""*""#, r#""arn:aws:sts::*:*""#, true),
        ("ArnNotLike", arn, r#""arn:*:iam:*:*:*""#, r#""arn:aws:iam::*:role/*""#, true),
    ];
    for (operator, key, fits, differs, is_negated) in rows {
        check_operator(operator, key, fits, differs, is_negated);
    }
}

#[test]
fn dates_addresses_and_what_every_request_has() {
    let both = |condition: &str, holds: bool| check(condition, holds, holds);
    for key in ["aws:CurrentTime", "aws:EpochTime", "AWS:currenttime"] {
        for (operator, value, holds) in [
            ("DateEquals", "2026-11-26T11:30:00Z", true),
            ("DateEquals", "2026-11-26T11:30:01Z", false),
            ("DateNotEquals", "2026-11-26T12:30:00+01:00", false),
            ("DateLessThan", "2026-11-26T11:30:00Z", false),
            ("DateLessThan", "2026-11-26T11:30:01Z", true),
            ("DateLessThanEquals", "1795692600", true),
            ("DateGreaterThan", "2026-11-26", true),
            ("DateGreaterThanEquals", "2026-11-26T11:30Z", true),
            ("DateGreaterThanEqualsIfExists", "2027", false),
        ] {
            both(&format!(r#""{operator}":{{"{key}":"{value}"}}"#), holds);
        }
    }
    both(r#""NumericEquals":{"aws:EpochTime":1795692600}"#, true);
    both(r#""StringEquals":{"aws:CurrentTime":"2026-11-26T11:30:00Z"}"#, true);
    both(r#""StringEquals":{"aws:EpochTime":"1795692600"}"#, true);
    both(r#""Bool":{"aws:SecureTransport":true}"#, true);
    both(r#""Bool":{"aws:SecureTransport":"False"}"#, false);
    both(r#""Bool":{"aws:SecureTransport":["true","false"]}"#, true);
    for (network, holds) in [
        ("192.0.2.0/24", true),
        ("192.0.2.7", true),
        ("192.0.2.8/31", false),
        ("0.0.0.0/0", true),
        ("::ffff:192.0.2.0/120", true),
        ("::/0", false),
    ] {
        both(&format!(r#""IpAddress":{{"aws:SourceIp":"{network}"}}"#), holds);
        both(&format!(r#""NotIpAddress":{{"aws:SourceIp":["203.0.113.1","{network}"]}}"#), !holds);
    }
    both(r#""StringEquals":{"aws:UserAgent":"curl/8"}"#, true);
    both(r#""StringNotEquals":{"aws:Referer":"x"}"#, true);
    both(r#""StringEquals":{"aws:Referer":"x"}"#, false);
    both(r#""Null":{"aws:Referer":"true"}"#, true);
    both(r#""Null":{"aws:Referer":[true,false]}"#, true);
    check(r#""Null":{"aws:username":"false"}"#, true, false);
    both(r#""StringEquals":{"aws:TokenIssueTime":"x","aws:UserAgent":"curl/8"}"#, false);
    both(r#""StringEqualsIfExists":{"aws:nothing":"x"}"#, true);
}

#[test]
fn keys_with_several_values() {
    let (vpce, paths) = ("aws:SourceVpce", "aws:PrincipalOrgPaths");
    let row = |operator: &str, key: &str, values: &str, of_alice, of_nobody| {
        check(&format!(r#""{operator}":{{"{key}":{values}}}"#), of_alice, of_nobody);
    };
    row("StringEquals", vpce, r#""lab""#, true, false);
    row("StringEquals", "aws:SourceVpc", r#""internal""#, true, false);
    row("StringNotEquals", vpce, r#""lab""#, false, true);
    row("StringNotEquals", vpce, r#""other""#, true, true);
    row("ForAllValues:StringEquals", vpce, r#"["lab","internal"]"#, true, true);
    row("ForAllValues:StringEquals", vpce, r#"["lab"]"#, false, true);
    row("ForAnyValue:StringNotEquals", vpce, r#"["lab"]"#, true, false);
    row("ForAllValues:StringNotEquals", vpce, r#"["lab"]"#, false, true);
    row("ForAnyValue:StringLike", paths, r#""o-abc/*/ou-2/*""#, true, false);
    row("ForAllValues:StringLike", paths, r#""o-abc/*/ou-2/*""#, false, true);
    row("IpAddress", "aws:VpcSourceIp", r#""192.0.2.0/24""#, true, false);
    row("Null", vpce, r#""true""#, false, true);
}

#[test]
fn every_key_of_a_principal() {
    for (key, value) in [
        ("aws:PrincipalAccount", "123456789012"),
        ("aws:PrincipalArn", "arn:aws:iam::123456789012:user/alice"),
        ("aws:PrincipalOrgID", "o-abc"),
        ("aws:PrincipalTag/TEAM", "pets"),
        ("aws:PrincipalType", "User"),
        ("aws:userid", "AIDAALICEALICEALICE1"),
        ("aws:UserName", "alice"),
        ("aws:MultiFactorAuthAge", "90"),
    ] {
        check(&format!(r#""StringEquals":{{"{key}":"{value}"}}"#), true, false);
    }
    check(r#""NumericLessThan":{"aws:MultiFactorAuthAge":"91"}"#, true, false);
    // Of a session AWS shows the role.
    let text = statement(
        r#""Principal":"*","Action":"*","Resource":"*","Condition":{
        "ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/Reader"},
        "Bool":{"aws:MultiFactorAuthPresent":"false"},"Null":{"aws:username":"true"}}"#,
    );
    let (resource, session) = (resource(), session());
    let (policy, _) = compile(&text).unwrap();
    assert_eq!(policy.evaluate(&asked(&resource, Some(&session), &[])), Effect::Allow);
}

#[test]
fn operators_and_keys_are_all_needed() {
    let yes = r#""StringEquals":{"aws:username":"alice","aws:PrincipalType":"User"}"#;
    check(yes, true, false);
    check(&format!(r#"{yes},"Bool":{{"aws:SecureTransport":"false"}}"#), false, false);
    check(r#""StringEquals":{"aws:username":"alice","aws:PrincipalType":"X"}"#, false, false);
}

#[track_caller]
fn check_callers(principal: &str, alice_is: bool, session_is: bool, nobody_is: bool) {
    let text = statement(&format!(r#"{principal},"Action":"*","Resource":"*""#));
    let (policy, _) = compile(&text).unwrap_or_else(|faults| panic!("{principal}: {faults:?}"));
    let (resource, alice, session) = (resource(), alice(), session());
    for (principal, expected) in
        [(Some(&alice), alice_is), (Some(&session), session_is), (None, nobody_is)]
    {
        let found = policy.evaluate(&asked(&resource, principal, &[])) == Effect::Allow;
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn whom_a_statement_is_about() {
    check_callers(r#""Principal":"*""#, true, true, true);
    check_callers(r#""Principal":{"AWS":"*"}"#, true, true, true);
    check_callers(
        r#""Principal":{"AWS":["1","*"]}"#.replace("\"1\",", "").as_str(),
        true,
        true,
        true,
    );
    for account in ["123456789012", "arn:aws:iam::123456789012:root"] {
        check_callers(&format!(r#""Principal":{{"AWS":"{account}"}}"#), true, true, false);
        check_callers(&format!(r#""NotPrincipal":{{"AWS":"{account}"}}"#), false, false, true);
    }
    let user = r#"{"AWS":["arn:aws:iam::123456789012:user/alice"]}"#;
    check_callers(&format!(r#""Principal":{user}"#), true, false, false);
    check_callers(&format!(r#""NotPrincipal":{user}"#), false, true, true);
    let role = r#"{"AWS":"arn:aws:iam::123456789012:role/team/Reader"}"#;
    check_callers(&format!(r#""Principal":{role}"#), false, true, false);
    let one = r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/Reader/one"}"#;
    check_callers(&format!(r#""Principal":{one}"#), false, true, false);
    let other = r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/Reader/two"}"#;
    check_callers(&format!(r#""Principal":{other}"#), false, false, false);
    check_callers(r#""Principal":{"AWS":"AIDAALICEALICEALICE1"}"#, true, false, false);
    check_callers(r#""Principal":{"AWS":"AROAREADERREADERREAD"}"#, false, true, false);
    check_callers(r#""Principal":{"Service":"lambda.amazonaws.com"}"#, false, false, false);
    check_callers(r#""Principal":{"AWS":"210987654321"}"#, false, false, false);
}

#[track_caller]
fn check_resource(pattern: &str, yes: &[&str], no: &[&str]) {
    let text = |name| statement(&format!(r#""Principal":"*","Action":"*","{name}":"{pattern}""#));
    let (policy, _) = compile(&text("Resource")).unwrap();
    let (inverse, _) = compile(&text("NotResource")).unwrap();
    let alice = alice();
    for (paths, expected) in [(yes, true), (no, false)] {
        for path in paths {
            let resource = format!("{PREFIX}/{path}");
            let asked = asked(resource.as_bytes(), Some(&alice), &[]);
            let says = |policy: &Policy| policy.evaluate(&asked) == Effect::Allow;
            assert_eq!(says(&policy), expected, "{pattern}: {path}");
            assert_eq!(says(&inverse), !expected, "not {pattern}: {path}");
        }
    }
}

#[test]
fn what_a_statement_is_about() {
    check_resource("*", &["prod/GET/", "x"], &[]);
    check_resource("execute-api:/*", &["prod/GET/pets"], &[]);
    check_resource("execute-api:/prod/*", &["prod/GET/a", "prod/"], &["production/GET/a", "prod"]);
    check_resource(
        "execute-api:/prod/GET/pets",
        &["prod/GET/pets"],
        &["prod/GET/pets/", "prod/GET/Pets"],
    );
    check_resource(
        "execute-api:/*/GET/*/x",
        &["a/GET/b/x", "a/b/GET/c/d/x"],
        &["a/GET/x", "a/PUT/b/x"],
    );
    check_resource(
        "execute-api:/prod/*/pe?s",
        &["prod/GET/pets", "prod/a/b/pe/s"],
        &["prod/GET/pes"],
    );
    check_resource(
        "arn:*:execute-api:*:*:*/prod/*a?c*d",
        &["prod/xabcd", "prod/aacaxcd"],
        &["prod/acd"],
    );
    check_resource(
        &format!("{PREFIX}/*/GET/${{aws:username}}/*"),
        &["p/GET/alice/x"],
        &["p/GET/bob/x"],
    );
    check_resource("execute-api:/${aws:username}-*", &["alice-x"], &["alic-x", "alice"]);
    check_resource("execute-api:/a${*}b${?}${$}", &["a*b?$"], &["axb?$", "a*bx$"]);
    check_resource("execute-api:/*${aws:PrincipalTag/team}*", &["x/pets/y", "pets"], &["pet"]);
    check_resource("execute-api:/${aws:Referer, 'none'}", &["none"], &["", "x"]);
    check_resource("execute-api:/**a**", &["a", "bab"], &["b"]);
}

/// A variable without a value: neither the element nor its opposite is about the request.
#[test]
fn a_variable_without_a_value_matches_nothing() {
    for element in ["Resource", "NotResource"] {
        let text = statement(&format!(
            r#""Principal":"*","Action":"*","{element}":"execute-api:/${{aws:username}}""#
        ));
        let (policy, _) = compile(&text).unwrap();
        assert_eq!(policy.evaluate(&asked(&resource(), None, &[])), Effect::Silent, "{element}");
    }
    check(r#""StringNotEquals":{"aws:UserAgent":"${aws:username}"}"#, true, false);
    check(r#""StringEquals":{"aws:UserAgent":"${aws:username, 'curl/8'}"}"#, false, true);
}

#[test]
fn the_old_version_has_no_variables() {
    let text = statement(
        r#""Principal":"*","Action":"*","Resource":"*",
        "Condition":{"StringEquals":{"aws:username":"${aws:username}"}}"#,
    );
    let (new, _) = compile(&text).unwrap();
    let (old, notes) = compile(&text.replace("2012", "2008")).unwrap();
    let (resource, alice) = (resource(), alice());
    assert_eq!(new.evaluate(&asked(&resource, Some(&alice), &[])), Effect::Allow);
    assert_eq!(old.evaluate(&asked(&resource, Some(&alice), &[])), Effect::Silent);
    assert!(notes[0].sentence.contains("variables need the new version"), "{notes:?}");
}

#[test]
fn actions_are_globs_without_case() {
    let allows = |element: &str, action: &str| {
        let text = statement(&format!(r#""Principal":"*","{element}":"{action}","Resource":"*""#));
        let (policy, _) = compile(&text).unwrap();
        policy.evaluate(&asked(&resource(), None, &[])) == Effect::Allow
    };
    for action in
        ["*", "execute-api:*", "execute-api:invoke", "EXECUTE-API:Inv*", "execute-api:?nvoke"]
    {
        assert!(allows("Action", action), "{action}");
        assert!(!allows("NotAction", action), "{action}");
    }
    for action in ["execute-api:InvalidateCache", "s3:*", "execute-api:Invok"] {
        assert!(!allows("Action", action), "{action}");
        assert!(allows("NotAction", action), "{action}");
    }
}

/// What is asked before the caller is known must not depend on who it is.
#[test]
fn only_what_is_denied_to_everybody_is_denied_before_the_authorizer() {
    let check = |members: &str, forbids: bool, effect: Effect| {
        let text = statement(members).replace("Allow", "Deny");
        let (policy, _) = compile(&text).unwrap();
        let resource = resource();
        let asked = asked(&resource, None, &[]);
        assert_eq!((policy.forbids(&asked), policy.evaluate(&asked)), (forbids, effect), "{text}");
    };
    let rest = r#""Action":"*","Resource":"*""#;
    check(&format!(r#""Principal":"*",{rest}"#), true, Effect::Deny);
    let user = r#"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#;
    check(&format!(r#""NotPrincipal":{user},{rest}"#), false, Effect::Deny);
    let condition = r#""Condition":{"StringNotEquals":{"aws:username":"alice"}}"#;
    check(&format!(r#""Principal":"*",{rest},{condition}"#), false, Effect::Deny);
    let variable = r#""Condition":{"StringNotEquals":{"aws:UserAgent":"${aws:userid, 'x'}"}}"#;
    check(&format!(r#""Principal":"*",{rest},{variable}"#), false, Effect::Deny);
}

#[track_caller]
fn check_fault(text: &str, path: &str, sentence: &str) {
    let faults = compile(text).err().unwrap_or_else(|| panic!("taken: {text}"));
    let is_told = |note: &Note| note.path == path && note.sentence.contains(sentence);
    assert!(faults.iter().any(is_told), "{text}: {faults:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    check_fault("[]", "", "a policy is an object");
    check_fault(r#"{"Version":"2012-10-17"}"#, "", "has no Statement");
    check_fault(r#"{"Version":"2013","Statement":[]}"#, "/Version", "neither");
    check_fault(r#"{"Statement":[],"statement":[]}"#, "/statement", "no member of a policy");
    check_fault(r#"{"Statement":"x"}"#, "/Statement", "a list is expected");
    check_fault(r#"{"Statement":["x"]}"#, "/Statement/0", "a statement is an object");
    let rest = r#""Principal":"*","Action":"*","Resource":"*""#;
    let with = |old: &str, new: &str| statement(&rest.replace(old, new));
    check_fault(&statement(rest).replace("Allow", "allow"), "/Statement/0/Effect", "neither");
    check_fault(&with(r#""Principal":"*","#, ""), "/Statement/0", "no Principal");
    check_fault(&with(r#""Action":"*","#, ""), "/Statement/0", "no Action");
    check_fault(&with(r#","Resource":"*""#, ""), "/Statement/0", "no Resource");
    check_fault(&with("\"*\",\"Action\"", "\"x\",\"Action\""), "/Statement/0/Principal", "a text");
    check_fault(&with(r#""Action":"*""#, r#""Action":[]"#), "/Statement/0/Action", "empty list");
    check_fault(&with(r#""Action":"*""#, r#""Action":"x""#), "/Statement/0/Action", "no action");
    check_fault(
        &with(r#""Action""#, r#""NotAction":"*","Action""#),
        "/Statement/0",
        "and NotAction",
    );
    check_fault(
        &with(r#""Resource":"*""#, r#""Resource":"x""#),
        "/Statement/0/Resource",
        "no resource",
    );
    let pattern = r#""Principal":{"AWS":["arn:aws:iam::123456789012:user/*"]}"#;
    check_fault(
        &with(r#""Principal":"*""#, pattern),
        "/Statement/0/Principal/AWS/0",
        "no principal",
    );
    for (condition, path, sentence) in [
        (r#"{"StringIs":{"a":"b"}}"#, "/StringIs", "no condition operator"),
        (r#"{"NullIfExists":{"a":"true"}}"#, "/NullIfExists", "neither IfExists"),
        (r#"{"StringEquals":{"a/b":[]}}"#, "/StringEquals/a~1b", "empty list"),
        (r#"{"StringEquals":{"a":null}}"#, "/StringEquals/a", "a text is expected"),
        (r#"{"StringEquals":{}}"#, "/StringEquals", "names no key"),
        (r#"{"Bool":{"a":"yes"}}"#, "/Bool/a", "neither true nor false"),
        (r#"{"NumericEquals":{"a":["1","x"]}}"#, "/NumericEquals/a/1", "no number"),
        (r#"{"DateEquals":{"a":"today"}}"#, "/DateEquals/a", "no date"),
        (r#"{"IpAddress":{"a":"10.0.0.0/33"}}"#, "/IpAddress/a", "no address"),
        (r#"{"ArnLike":{"a":"x"}}"#, "/ArnLike/a", "no ARN"),
        (r#"{"BinaryEquals":{"a":"x"}}"#, "/BinaryEquals/a", "no base64"),
        (r#"{"StringLike":{"a":"${aws:x"}}"#, "/StringLike/a", "nothing closes"),
    ] {
        let text = statement(&format!(r#"{rest},"Condition":{condition}"#));
        check_fault(&text, &format!("/Statement/0/Condition{path}"), sentence);
    }
}

#[track_caller]
fn check_note(members: &str, path: &str, sentence: &str) {
    let (_, notes) = compile(&statement(members)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let is_told = |note: &Note| note.path == path && note.sentence.contains(sentence);
    assert!(notes.iter().any(is_told), "{members}: {notes:?}");
}

#[test]
fn what_never_matches_is_noted() {
    let rest = r#""Principal":"*","Action":"*","Resource":"*""#;
    assert_eq!(compile(&statement(rest)).unwrap().1, []);
    let (_, notes) = compile(r#"{"Statement":[]}"#).unwrap();
    assert!(notes[0].sentence.contains("no statement"), "{notes:?}");
    let with = |old: &str, new: &str| rest.replace(old, new);
    let other = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/*";
    let resource = format!(r#""Resource":"{other}""#);
    check_note(&with(r#""Resource":"*""#, &resource), "/Statement/0", "never matches");
    check_note(&with(r#""Action":"*""#, r#""Action":"s3:Get""#), "/Statement/0", "no action");
    let service = r#""Principal":{"Service":"x"}"#;
    check_note(&with(r#""Principal":"*""#, service), "/Statement/0", "no possible caller");
    let condition = |text: &str| format!(r#"{rest},"Condition":{{{text}}}"#);
    let at = "/Statement/0/Condition";
    for (text, path, sentence) in [
        (
            r#""StringEquals":{"aws:sourceipx":"1"}"#,
            "/StringEquals/aws:sourceipx",
            "no request has",
        ),
        (r#""ArnLike":{"aws:SourceArn":"*"}"#, "/ArnLike/aws:SourceArn", "never set here"),
        (
            r#""NumericEquals":{"aws:UserAgent":"1"}"#,
            "/NumericEquals/aws:UserAgent",
            "another kind",
        ),
        (r#""Null":{"aws:CurrentTime":"true"}"#, "/Null/aws:CurrentTime", "every request has"),
        (
            r#""Null":{"aws:Referer":"true"},"StringEquals":{"aws:Referer":"x"}"#,
            "",
            "contradict each other",
        ),
        (
            r#""DateGreaterThan":{"aws:CurrentTime":"2027"},"DateLessThan":{"aws:CurrentTime":"2026"}"#,
            "",
            "leave nothing between",
        ),
    ] {
        check_note(&condition(text), &format!("{at}{path}"), sentence);
    }
}

#[test]
fn sizes_at_their_limits() {
    use crate::base::limits::{POLICY_CHARACTERS_QUOTA, POLICY_STATEMENTS_MAX};
    let one = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
    let many = |count: usize| format!(r#"{{"Statement":[{}]}}"#, vec![one; count].join(","));
    assert!(compile(&many(POLICY_STATEMENTS_MAX)).is_ok());
    check_fault(&many(POLICY_STATEMENTS_MAX + 1), "/Statement", "at most 2000");
    let padded = |size: usize| {
        let bare = format!(r#"{{"Id":"","Statement":[{one}]}}"#).len();
        format!(r#"{{"Id":"{}","Statement":[{one}]}}"#, "x".repeat(size - bare))
    };
    assert_eq!(compile(&padded(POLICY_CHARACTERS_QUOTA - 8)).unwrap().1, []);
    assert_eq!(compile(&padded(POLICY_CHARACTERS_QUOTA + 8)).unwrap().1.len(), 1);
    check_fault(&padded(64 * POLICY_CHARACTERS_QUOTA + 16), "", "characters");
    let variables = |count: usize| {
        statement(&format!(
            r#""Principal":"*","Action":"*","Resource":"execute-api:/{}""#,
            "${aws:userid}".repeat(count)
        ))
    };
    assert!(compile(&variables(8)).is_ok());
    check_fault(&variables(9), "/Statement/0/Resource", "more than 8 variables");
    let part = |count: usize| {
        let resource = format!("execute-api:/*?{}*", "a".repeat(count));
        statement(&format!(r#""Principal":"*","Action":"*","Resource":"{resource}""#))
    };
    assert!(compile(&part(255)).is_ok());
    check_fault(&part(256), "/Statement/0/Resource", "more than 256 characters");
}

#[test]
fn identity_policies_name_no_principal() {
    let of =
        |text: &str| Policy::compile(&Value::parse(text.as_bytes()).unwrap(), PolicyKind::Identity);
    let bare = r#""Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/*""#;
    let (policy, notes) = of(&statement(bare)).unwrap();
    assert_eq!(notes, []);
    let resource = resource();
    assert_eq!(policy.evaluate(&asked(&resource, Some(&alice()), &[])), Effect::Allow);
    let faults = of(&statement(&format!(r#""Principal":"*",{bare}"#))).err().unwrap();
    assert_eq!(faults[0].path, "/Statement/0/Principal");
    // The shorthand is the API's: a principal has none.
    assert!(of(&statement(r#""Action":"*","Resource":"execute-api:/*""#)).is_err());
}

/// Policies and a principal together: the table of 3.2 with documents.
#[test]
fn principals_of_this_and_of_other_accounts() {
    let policy = |effect: &str, principal: &str| {
        let text = statement(&format!(r#"{principal}"Action":"*","Resource":"*""#));
        text.replace("Allow", effect)
    };
    let identity = |effect: &str| {
        let document = Value::parse(policy(effect, "").as_bytes()).unwrap();
        Policy::compile(&document, PolicyKind::Identity).unwrap().0
    };
    let api = |effect: &str| compile(&policy(effect, r#""Principal":"*","#)).unwrap().0;
    let resource = resource();
    let check = |own: &[&str], of_api: Option<&str>, ours: bool, foreign: bool| {
        let policies = own.iter().map(|effect| identity(effect)).collect();
        let principal = Principal { policies, ..alice() };
        let api = of_api.map(api);
        let asked = asked(&resource, Some(&principal), &[]);
        for (account, expected) in [("123456789012", ours), ("210987654321", foreign)] {
            let found = judge(api.as_ref(), account, &asked) == Decision::Allow;
            assert_eq!(found, expected, "{own:?}, {of_api:?}, {account}");
        }
    };
    check(&["Allow"], Some("Allow"), true, true);
    check(&["Allow"], None, true, false);
    check(&[], Some("Allow"), true, false);
    check(&[], None, false, false);
    check(&["Allow"], Some("Deny"), false, false);
    check(&["Allow", "Deny"], Some("Allow"), false, false);
}

/// Many stars against a long path: work that grows with their product, never faster.
#[test]
fn no_pattern_is_exponential() {
    let stars = "*a".repeat(60);
    let text = statement(&format!(
        r#""Principal":"*","Action":"*","Resource":"execute-api:/{stars}*b?c*d""#
    ));
    let (policy, _) = compile(&text).unwrap();
    let resource = format!("{PREFIX}/{}", "a".repeat(8_000));
    assert_eq!(policy.evaluate(&asked(resource.as_bytes(), None, &[])), Effect::Silent);
    let resource = format!("{resource}bxcxd");
    assert_eq!(policy.evaluate(&asked(resource.as_bytes(), None, &[])), Effect::Allow);
}
