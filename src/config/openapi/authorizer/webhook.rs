//! `x-ringway-authorizer` of type `webhook`: whose signatures an API takes, and the secrets that
//! they are made with, in files, in the environment or in the document. Ringway's own.

use super::{super::report::Report, own::Reading};
use crate::{
    base::{
        Place,
        limits::{WEBHOOK_SECRET_BYTES_MAX, WEBHOOK_SECRETS_MAX},
    },
    config::{
        Problems,
        document::{Kind, Node},
        environment, shorten,
    },
    steps::authorize::webhook::{Provider, WebhookAuthorizer},
};

/// A webhook authorizer of the document.
#[derive(Clone)]
pub(super) struct Webhook {
    name: String,
    provider: Provider,
    secrets: Vec<(Secret, Place)>,
    tolerance_seconds: u64,
}

#[derive(Clone)]
enum Secret {
    Here(String),
    File(String),
    Environment(String),
}

const FIELDS: &[&str] = &[
    "type",
    "provider",
    "secretFile",
    "secretEnvironment",
    "secret",
    "secrets",
    "toleranceSeconds",
];
const SOURCES: [&str; 3] = ["secretFile", "secretEnvironment", "secret"];
const FIX: &str = "write one of secretFile: PATH, secretEnvironment: NAME, secret: TEXT, or \
                   secrets: [..], several of them";
const TOLERANCE_SECONDS: u64 = 300;

/// Reads the authorizer at `node`; `None` after an error.
pub(super) fn read(
    name: &str,
    scheme: Node<'_>,
    node: Node<'_>,
    report: &mut Report<'_>,
) -> Option<Webhook> {
    let mut reading = Reading::new(name, report);
    reading.check_names(node, FIELDS)?;
    let said = node.find("provider").and_then(Node::as_str).unwrap_or_default();
    let Some(provider) = Provider::ALL.into_iter().find(|one| one.name() == said) else {
        return reading.error(node, "its provider is none", "write GITHUB, STRIPE or SLACK");
    };
    let text = |key| scheme.find(key).and_then(Node::scalar_text).unwrap_or_default();
    let is_header = text("name").eq_ignore_ascii_case(provider.header());
    if text("type") != "apiKey" || text("in") != "header" || !is_header {
        let what = format!("its scheme is not the header that {said} signs with");
        let fix = format!("write {{type: apiKey, in: header, name: {}, ..}}", provider.header());
        return reading.error(scheme, &what, &fix);
    }
    let tolerance_seconds = match node.find("toleranceSeconds") {
        None => TOLERANCE_SECONDS,
        Some(at) if !provider.has_time() => {
            return reading.error(at, "GITHUB signs no time to be tolerant of", "remove it");
        }
        Some(at) => match at.as_integer().and_then(|it| u64::try_from(it).ok()) {
            Some(seconds @ 1..=3_600) => seconds,
            _ => return reading.error(at, "toleranceSeconds is not 1 to 3600", "write 300"),
        },
    };
    let mut secrets: Vec<_> = SOURCES.iter().filter_map(|key| source(node, key)).collect();
    if let Some(list) = node.find("secrets") {
        let is_list = list.kind() == Kind::Sequence;
        let all: Option<Vec<_>> = list.items().map(item).collect();
        match all.filter(|all| is_list && secrets.is_empty() && !all.is_empty()) {
            Some(all) => secrets = all,
            None => return reading.error(list, "its secrets are not as they should be", FIX),
        }
    } else if secrets.len() != 1 {
        return reading.error(node, "it has no secret, or several ways to one", FIX);
    }
    if secrets.len() > WEBHOOK_SECRETS_MAX {
        let what = format!("it has more than {WEBHOOK_SECRETS_MAX} secrets");
        return reading.error(node, &what, "remove those that nobody signs with any more");
    }
    Some(Webhook { name: name.to_owned(), provider, secrets, tolerance_seconds })
}

/// A secret at a key of a node.
fn source(node: Node<'_>, key: &str) -> Option<(Secret, Place)> {
    let found = node.find(key)?;
    let text = found.as_str().unwrap_or_default().to_owned();
    let secret = match key {
        "secretFile" => Secret::File(text),
        "secretEnvironment" => Secret::Environment(text),
        _ => Secret::Here(text),
    };
    Some((secret, found.place()))
}

/// A secret of a list: a text, or a mapping with one of the keys.
fn item(node: Node<'_>) -> Option<(Secret, Place)> {
    if let Some(text) = node.as_str() {
        return Some((Secret::Here(text.to_owned()), node.place()));
    }
    let [key] = node.entries().map(|entry| entry.key).collect::<Vec<_>>()[..] else { return None };
    SOURCES.contains(&key).then(|| source(node, key)).flatten()
}

impl Webhook {
    /// The authorizer with its secrets; `read` reads a file that stands at a place of the document.
    pub(super) fn compile(
        &self,
        read: &mut impl FnMut(&str, &Place, usize, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) -> Option<WebhookAuthorizer> {
        let label = format!("authorizer {}", shorten(&self.name));
        let mut secrets = Vec::new();
        for (secret, place) in &self.secrets {
            let bytes = match secret {
                Secret::Here(text) => text.clone().into_bytes(),
                Secret::File(path) => {
                    let bytes = read(path, place, WEBHOOK_SECRET_BYTES_MAX, problems)?;
                    let end = bytes.iter().rposition(|byte| !b"\r\n".contains(byte));
                    bytes[..end.map_or(0, |end| end + 1)].to_vec()
                }
                Secret::Environment(name) => match environment(name) {
                    Some(text) => text.into_bytes(),
                    None => {
                        let what = format!("{label}: {} is not in the environment", shorten(name));
                        let fix = "set it for the gateway, or write secretFile: PATH";
                        problems.error(place.clone(), what, fix);
                        return None;
                    }
                },
            };
            if !(1..=WEBHOOK_SECRET_BYTES_MAX).contains(&bytes.len()) {
                let what = format!("{label}: a secret is empty, or too long");
                problems.error(place.clone(), what, FIX);
                return None;
            }
            secrets.push(bytes);
        }
        let secrets = secrets.iter().map(Vec::as_slice);
        let tolerance = self.tolerance_seconds;
        Some(WebhookAuthorizer::compile(self.name.clone(), self.provider, secrets, tolerance))
    }
}
