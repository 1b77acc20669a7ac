//! `x-amazon-apigateway-cors` at the top of a document (`api-gateway.md` 1.4, 9.1): its types and
//! keys. What its texts may be is told by `config::cors`.

use super::{intrinsic, report::Report, text::Substitutions};
use crate::{
    config::{
        cors::{Said, flag, seconds},
        document::{Entry, Kind, Node},
        shorten,
        suggest::nearest,
    },
    steps::cors::{Cors, Member},
};

pub(super) const EXTENSION: &str = "x-amazon-apigateway-cors";

/// What the document under `root` says; `None` when it says nothing, or something that is wrong.
pub(super) fn read(root: Node<'_>, known: &Substitutions, report: &mut Report<'_>) -> Option<Cors> {
    let entry = root.entry(EXTENSION)?;
    if !entry.value.is_mapping() {
        let message = format!("{EXTENSION} is {}; a mapping is expected", entry.value.kind());
        report.error(&entry, message, "write it as in {allowOrigins: ['https://app.example.com']}");
        return None;
    }
    entry.value.entries().for_each(|member| check(member, report));
    let text = |item, member: Member| intrinsic::resolve(item, member.name(), known, report);
    let said = Said::read(entry.value, text);
    said.compile(|severity, at, message, fix| report.add(severity, &at, message, fix))
}

/// Tells a key that is none, and a value of another type.
fn check(entry: Entry<'_>, report: &mut Report<'_>) {
    let Some(member) = Member::ALL.into_iter().find(|member| member.name() == entry.key) else {
        let near = nearest(entry.key, Member::ALL.map(Member::name));
        let message = format!("{} is no key of {EXTENSION}", shorten(entry.key));
        let fix = near.map_or_else(
            || format!("its keys are {}", Member::ALL.map(Member::name).join(", ")),
            |near| format!("did you mean {near}?"),
        );
        return report.error(&entry, message, &fix);
    };
    let value = entry.value;
    let expected = match member {
        _ if value.is_null() => return,
        Member::AllowCredentials if flag(value).is_none() => "true or false",
        Member::MaxAge if seconds(value).is_none() => "a whole number of seconds",
        Member::AllowCredentials | Member::MaxAge => return,
        _ if value.kind() == Kind::Sequence => return,
        _ => "a list",
    };
    let found = value.scalar_text().map_or_else(|| value.kind().to_string(), shorten);
    let message = format!("{} is {found}; {expected} is expected", entry.key);
    let fix = if expected == "a list" { "put it in [ ]" } else { "write one, or remove the key" };
    report.error(&value, message, fix);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        config::{
            Problems,
            document::Document,
            openapi::{ImportOptions, import},
        },
        http::Fields,
        steps::{context::CrossOrigin, fixture},
    };

    /// What a document with this extension says to a page of `origin`: the value and its lines.
    #[track_caller]
    fn check(extension: &str, origin: &str, expected: Option<(&str, &str)>) {
        let text = format!("openapi: 3.0.1\npaths: {{}}\n{EXTENSION}: {extension}\n");
        let mut problems = Problems::new();
        let document = Document::parse(Path::new("a"), text.as_bytes(), &mut problems).unwrap();
        let definition = import(&document, &ImportOptions::default(), &mut problems).unwrap();
        assert_eq!(problems.errors(), 0, "{problems:?}");
        let (bytes, list) = fixture::fields(&[("origin", origin)]);
        let cors = definition.cors.unwrap();
        let told = match cors.actual(Fields::new(&bytes, &list)) {
            CrossOrigin::Allowed { origin, lines } => {
                Some((str::from_utf8(origin).unwrap(), str::from_utf8(lines).unwrap()))
            }
            CrossOrigin::Refused | CrossOrigin::Unasked => None,
        };
        assert_eq!(told, expected, "{extension} {origin}");
    }

    #[test]
    fn what_a_template_writes_is_understood() {
        let credentials = "access-control-allow-credentials: true\r\n";
        let region = "{allowOrigins: [{'Fn::Sub': 'https://${AWS::Region}.a'}], maxAge: '60', \
                      allowCredentials: 'True'}";
        check(region, "https://us-east-1.a", Some(("https://us-east-1.a", credentials)));
        check(region, "https://eu-central-1.a", None);
        check("{allowOrigins: ['*'], allowHeaders: }", "null", Some(("*", "")));
        check("{}", "https://a", None);
    }
}
