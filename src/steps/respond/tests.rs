use super::*;
use crate::{
    http::Method,
    steps::{
        context::StageVariables,
        fixture::{self, Said},
        mapping::Scope,
        reject::{Catalogue, Client, TokenFault, Upstream},
    },
};

const DATE: &str = "date: Thu, 12 Mar 2026 19:03:58 GMT";
const ID: &str = "apigw-requestid: AAAAAAAAAAAAAAA=";

#[track_caller]
fn check(
    status: u16,
    fields: &[(&str, &str)],
    rules: &[(&str, &[(&str, &str)])],
    expected: (u16, &[&str]),
) {
    let variables = StageVariables::default();
    let scope = Scope { parameters: &[], variables: &variables };
    let mut mapping = ResponseMapping::new();
    for (when, entries) in rules {
        mapping.insert(when, entries.iter().copied(), scope).unwrap();
    }
    let (bytes, list) = fixture::fields(fields);
    let facts = Facts::new(fixture::arrival(Method::Get, b"/pets"));
    let body = Body::new(br#"{"error":{"code":418,"id":"e1"}}"#);
    let status = Status::new(status).unwrap();
    let answer = Answer { status, fields: Fields::new(&bytes, &list), body: &body };
    let mut said = Said::default();
    let date = HttpDate::new(1_773_342_238);
    let seen = interpret(&mapping, &answer, &facts, &date, &mut Vec::new(), &mut said);
    assert_eq!(said.start, seen.code().to_string());
    assert_eq!(
        (seen.code(), said.fields.iter().map(String::as_str).collect()),
        (expected.0, expected.1.to_vec())
    );
}

#[test]
fn fields_pass_in_lower_case_without_those_of_the_connection() {
    let fields = [
        ("Content-Type", "text/plain"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "5"),
        ("Trailer", "x"),
        ("Upgrade", "h2c"),
        ("Proxy-Authenticate", "x"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-Custom-Name", "V"),
        ("Apigw-RequestId", "forged="),
        ("Server", "nginx"),
    ];
    let expected = [
        "content-type: text/plain",
        "set-cookie: a=1",
        "set-cookie: b=2",
        "x-custom-name: V",
        "server: nginx",
        DATE,
        ID,
    ];
    check(200, &fields, &[], (200, &expected));
}

#[test]
fn the_date_of_the_integration_stays() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    check(200, &[("Date", date)], &[], (200, &[&format!("date: {date}"), ID]));
}

#[test]
fn mappings_apply_by_status() {
    let rules: [(&str, &[(&str, &str)]); 2] = [
        (
            "500",
            &[
                ("overwrite:statuscode", "$response.body.error.code"),
                ("append:header.error-id", "$response.body.error.id"),
                ("remove:header.Secret", ""),
                ("overwrite:header.X-Kept", "$response.header.x-kept-2"),
            ],
        ),
        ("404", &[("overwrite:statuscode", "403")]),
    ];
    let fields = [("Secret", "s"), ("X-Kept", "a"), ("X-Kept-2", "b")];
    let expected = ["x-kept-2: b", DATE, ID, "error-id: e1", "x-kept: b"];
    check(500, &fields, &rules, (418, &expected));
    let all = ["secret: s", "x-kept: a", "x-kept-2: b", DATE, ID];
    check(404, &fields, &rules, (403, &all));
    check(200, &fields, &rules, (200, &all));
}

#[test]
fn a_switch_keeps_its_protocol() {
    let fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    check(101, &fields, &[], (101, &[DATE, ID, "connection: upgrade", "upgrade: websocket"]));
}

#[test]
fn refusals_are_awss_bytes() {
    let id = RequestId::new((0, 0));
    let mut said = Said::default();
    let date = HttpDate::new(1_773_342_238);
    let body = refuse(Reject::Client(Client::NoRoute), &id, &date, None, &mut said);
    assert_eq!(body, br#"{"message":"Not Found"}"#);
    assert_eq!(said.start, "404");
    assert_eq!(said.fields, [DATE, "content-type: application/json", ID]);
    let mut said = Said::default();
    let body = refuse(Reject::Upstream(Upstream::Timeout), &id, &date, None, &mut said);
    assert_eq!((said.start.as_str(), body.len()), ("503", 33));
}

#[test]
fn refused_tokens_are_told_as_aws_tells_them() {
    let (id, date) = (RequestId::new((0, 0)), HttpDate::new(1_773_342_238));
    let mut facts = Facts::new(fixture::arrival(Method::Get, b"/pets"));
    let mut check = |scopes, fault, status: &str, body: &str, challenge: &str| {
        let mut said = Said::default();
        facts.record_scopes(scopes);
        let reject = Reject::Client(Client::NotAuthorized(Catalogue::HttpApi, fault));
        let found = refuse(reject, &id, &date, Some(&facts), &mut said);
        assert_eq!((found, said.start.as_str()), (body.as_bytes(), status));
        assert_eq!(said.fields[3], format!("www-authenticate: {challenge}"));
    };
    let unauthorized = r#"{"message":"Unauthorized"}"#;
    check("", TokenFault::Missing, "401", unauthorized, "Bearer");
    // As in AWS's documentation.
    let challenge = "Bearer scope=\"\" error=\"invalid_token\" \
                     error_description=\"the token does not have a valid audience\"";
    check("", TokenFault::Audience, "401", unauthorized, challenge);
    let challenge = "Bearer scope=\"a b\" error=\"insufficient_scope\" \
                     error_description=\"the token does not have a required scope\"";
    let forbidden = r#"{"message":"Forbidden"}"#;
    check("a b", TokenFault::InsufficientScope, "403", forbidden, challenge);
}

#[test]
fn refused_users_of_pools_are_told_as_rest_apis_tell_them() {
    let (id, date) = (RequestId::new((0, 0)), HttpDate::new(1_773_342_238));
    let check = |fault, body: &str| {
        let mut said = Said::default();
        let reject = Reject::Client(Client::NotAuthorized(Catalogue::RestApi, fault));
        let found = refuse(reject, &id, &date, None, &mut said);
        assert_eq!((found, said.start.as_str()), (body.as_bytes(), "401"));
        let kind = "x-amzn-errortype: UnauthorizedException";
        assert_eq!(said.fields, [DATE, "content-type: application/json", ID, kind]);
    };
    for fault in [TokenFault::Missing, TokenFault::NotAnIdToken, TokenFault::InsufficientScope] {
        check(fault, r#"{"message":"Unauthorized"}"#);
    }
    check(TokenFault::Expired, r#"{"message":"The incoming token has expired"}"#);
}
