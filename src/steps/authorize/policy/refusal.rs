//! What the client is told when policies refuse it, in AWS's words (`api-gateway.md` 2.4).

use super::Action;
use crate::steps::{authorize::principal::Principal, reject::Denial};

/// The body: JSON, with a capital M as AWS has it. Of the account only the last four digits are
/// shown.
#[must_use]
pub fn refusal(
    principal: Option<&Principal>,
    action: Action,
    resource: &[u8],
    denial: Denial,
) -> String {
    let who = principal.map_or("anonymous", |principal| &principal.arn);
    let resource = String::from_utf8_lossy(resource);
    let mut out = String::with_capacity(160 + who.len() + resource.len());
    out.push_str("{\"Message\":\"User: ");
    escape(who, &mut out);
    out.push_str(" is not authorized to perform: execute-api:");
    out.push_str(action.as_str());
    out.push_str(" on resource: ");
    for (place, part) in resource.splitn(6, ':').enumerate() {
        if place > 0 {
            out.push(':');
        }
        let hidden = if place == 4 { part.len().saturating_sub(4) } else { 0 };
        out.extend(std::iter::repeat_n('*', hidden));
        escape(part.get(hidden..).unwrap_or_default(), &mut out);
    }
    if denial == Denial::Explicit {
        out.push_str(" with an explicit deny");
    }
    out.push_str("\"}");
    out
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "Invoke",
            Self::InvalidateCache => "InvalidateCache",
            Self::ManageConnections => "ManageConnections",
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for sign in text.chars() {
        match sign {
            '"' | '\\' => out.extend(['\\', sign]),
            sign if sign.is_control() => out.push(' '),
            sign => out.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_aws_s_and_the_account_is_masked() {
        let arn = "arn:aws:execute-api:us-east-1:123456784321:apiid/stage/GET/path";
        let told = refusal(None, Action::Invoke, arn.as_bytes(), Denial::Implicit);
        let expected = "{\"Message\":\"User: anonymous is not authorized to perform: \
                        execute-api:Invoke on resource: \
                        arn:aws:execute-api:us-east-1:********4321:apiid/stage/GET/path\"}";
        assert_eq!(told, expected);
        let told = refusal(None, Action::Invoke, arn.as_bytes(), Denial::Explicit);
        assert_eq!(told, expected.replace("path\"}", "path with an explicit deny\"}"));
        let told = refusal(None, Action::Invoke, b"a:b:c:d:\xff:\"\\:x", Denial::Implicit);
        assert!(told.ends_with("a:b:c:d:\u{fffd}:\\\"\\\\:x\"}"), "{told}");
    }
}
