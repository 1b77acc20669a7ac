//! Signatures in tables: the providers' own examples, and what is none.

use super::{Provider, WebhookAuthorizer};
use crate::{
    base::WallTime,
    steps::{fixture, reject::SignatureFault},
};

type Pairs<'p> = &'p [(&'p str, &'p str)];

fn verify(
    (provider, secret): (Provider, &str),
    pairs: Pairs<'_>,
    body: &str,
    now: u64,
) -> Result<(), SignatureFault> {
    let name = "it".to_owned();
    let authorizer = WebhookAuthorizer::compile(name, provider, [secret.as_bytes()], 300);
    let (bytes, list) = fixture::fields(pairs);
    let fields = crate::http::Fields::new(&bytes, &list);
    let found = authorizer.verify(fields, body.as_bytes(), WallTime(now * 1_000));
    if let Err(fault) = authorizer.check_form(fields, WallTime(now * 1_000)) {
        assert_eq!(found, Err(fault));
    }
    found
}

const GITHUB: (Provider, &str) = (Provider::GitHub, "It's a Secret to Everybody");
const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const SLACK: (Provider, &str) = (Provider::Slack, "8f742231b10e8888abcd99yyyzzz85a5");
const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SLACK_SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
const SLACK_TIME: u64 = 1_531_420_618;

/// As GitHub and Slack publish them.
#[test]
fn the_providers_examples_are_sound() {
    let value = format!("sha256={HEX}");
    let fields = [("X-Hub-Signature-256", value.as_str())];
    assert_eq!(verify(GITHUB, &fields, "Hello, World!", 0), Ok(()));
    assert_eq!(verify(GITHUB, &fields, "Hello, World?", 0), Err(SignatureFault::Wrong));
    let fields =
        [("X-Slack-Signature", SLACK_SIGNATURE), ("X-Slack-Request-Timestamp", "1531420618")];
    assert_eq!(verify(SLACK, &fields, SLACK_BODY, SLACK_TIME), Ok(()));
    let other = (Provider::Slack, "8f742231b10e8888abcd99yyyzzz85a6");
    assert_eq!(verify(other, &fields, SLACK_BODY, SLACK_TIME), Err(SignatureFault::Wrong));
}

#[test]
fn times_hold_both_ways() {
    use SignatureFault::{NoTime, Several, TooNew, TooOld};
    let check = |time: &str, now: u64, expected| {
        let fields = [("X-Slack-Signature", SLACK_SIGNATURE), ("X-Slack-Request-Timestamp", time)];
        assert_eq!(verify(SLACK, &fields, SLACK_BODY, now), expected, "{time} at {now}");
    };
    check("1531420618", SLACK_TIME + 300, Ok(()));
    check("1531420618", SLACK_TIME - 300, Ok(()));
    check("1531420618", SLACK_TIME + 301, Err(TooOld));
    check("1531420618", SLACK_TIME - 301, Err(TooNew));
    check("1531420619", SLACK_TIME, Err(SignatureFault::Wrong));
    for time in ["", "x", "-1", "+1531420618", "1531420618.0", "9999999999999"] {
        check(time, SLACK_TIME, Err(NoTime));
    }
    let fields = [("X-Slack-Signature", SLACK_SIGNATURE)];
    assert_eq!(verify(SLACK, &fields, SLACK_BODY, SLACK_TIME), Err(NoTime));
    let twice = [
        ("X-Slack-Signature", SLACK_SIGNATURE),
        ("X-Slack-Request-Timestamp", "1531420618"),
        ("X-Slack-Request-Timestamp", "1531420618"),
    ];
    assert_eq!(verify(SLACK, &twice, SLACK_BODY, SLACK_TIME), Err(Several));
}

#[test]
fn signatures_are_read_strictly() {
    use SignatureFault::{Malformed, Missing, NoTime, Several};
    assert_eq!(verify(GITHUB, &[], "", 0), Err(Missing));
    let sound = format!("sha256={HEX}");
    let twice = [("X-Hub-Signature-256", &*sound), ("x-hub-signature-256", &*sound)];
    assert_eq!(verify(GITHUB, &twice, "Hello, World!", 0), Err(Several));
    let long = format!("{sound}00");
    let list = format!("{sound},{sound}");
    for value in ["", "sha256=", HEX, &sound[..sound.len() - 1], &long, &list, "sha1=00"] {
        let fields = [("X-Hub-Signature-256", value)];
        assert_eq!(verify(GITHUB, &fields, "Hello, World!", 0), Err(Malformed), "{value}");
    }
    let stripe = (Provider::Stripe, "whsec_x");
    for (value, fault) in [
        (format!("v1={HEX}"), NoTime),
        (format!("t=1,t=1,v1={HEX}"), Several),
        ("t=1".to_owned(), Malformed),
        (format!("t=1,v0={HEX}"), Malformed),
        (format!("t=x,v1={HEX}"), NoTime),
        (format!("t=1,v1={HEX}"), SignatureFault::Wrong),
        (format!("t=1000,v1={HEX}"), SignatureFault::TooNew),
    ] {
        assert_eq!(verify(stripe, &[("Stripe-Signature", &value)], "{}", 1), Err(fault), "{value}");
    }
}
