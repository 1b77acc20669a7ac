//! `x-amazon-apigateway-authorizer` of type `cognito_user_pools` (`api-gateway.md` 1.4, 3.4): whose
//! users an API takes. AWS has it for REST APIs; here it is for every API.
//!
//! Which issuer stands for a pool, and where its keys are, is said by the gateway file's
//! `userPools`; without that, AWS's own addresses hold.

use super::{
    super::{fault::shorten, report::Report, text::Substitutions},
    reading::Reading,
};
use crate::{
    base::{Place, limits::AUTHORIZER_POOLS_MAX},
    config::{Problems, document::Node, user_pools::UserPools},
    steps::authorize::jwt::{
        Algorithm, Algorithms, IdentitySource, Issuer, JwtAuthorizer, JwtDraft, Manner, PoolArn,
        Validation,
    },
};

/// A Cognito authorizer of the document.
#[derive(Clone)]
pub(super) struct Cognito {
    /// The name of its scheme.
    name: String,
    source: IdentitySource,
    pools: Vec<(PoolArn, Place)>,
    /// It compiles.
    validation: Option<String>,
}

const FIELDS: &[&str] = &[
    "type",
    "providerARNs",
    "identitySource",
    "identityValidationExpression",
    "authorizerResultTtlInSeconds",
];
const TTL_MAX: u32 = 3_600;

/// Reads the authorizer at `node` of the scheme `scheme`, called `name`; `None` after an error.
pub(super) fn read(
    name: &str,
    scheme: Node<'_>,
    node: Node<'_>,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<Cognito> {
    let short = shorten(name);
    let mut reading = Reading { name: &short, known, report };
    reading.check_names(node, FIELDS);
    reading.check_authtype(scheme);
    reading.check_ttl(node);
    let source = reading.header(scheme, node);
    let pools = reading.pools(node);
    let validation = reading.validation(node);
    Some(Cognito { name: name.to_owned(), source: source?, pools: pools?, validation: validation? })
}

impl Reading<'_, '_> {
    fn check_authtype(&mut self, scheme: Node<'_>) {
        let Some(found) = scheme.find("x-amazon-apigateway-authtype") else { return };
        if found.as_str() != Some("cognito_user_pools") {
            let message = format!(
                "authorizer {}: x-amazon-apigateway-authtype is not cognito_user_pools; it is \
                 taken as that all the same",
                self.name
            );
            self.report.warning(&found, message, "write cognito_user_pools");
        }
    }

    /// AWS remembers for so long what it found out; here a token that was verified is remembered
    /// until it expires or its key goes.
    fn check_ttl(&mut self, node: Node<'_>) {
        let Some(found) = node.find("authorizerResultTtlInSeconds") else { return };
        let seconds = found.scalar_text().and_then(|text| text.parse().ok());
        if seconds.is_none_or(|seconds: u32| seconds > TTL_MAX) {
            let what = format!("authorizerResultTtlInSeconds has to be 0 to {TTL_MAX}");
            let _: Option<()> = self.error(&found, &what, "write a number, or leave it out");
            return;
        }
        let message = format!(
            "authorizer {}: authorizerResultTtlInSeconds changes nothing: a token holds until it \
             expires or its key is withdrawn",
            self.name
        );
        self.report.info(&found, message, "");
    }

    /// The header that the scheme names, or `identitySource`, which has to be the same one.
    fn header(&mut self, scheme: Node<'_>, node: Node<'_>) -> Option<IdentitySource> {
        const FIX: &str = "write {type: apiKey, in: header, name: Authorization}";
        let text = |key| scheme.find(key).and_then(Node::as_str).unwrap_or_default();
        let named = IdentitySource::parse(&format!("$request.header.{}", text("name"))).ok();
        let is_header = text("type") == "apiKey" && text("in") == "header";
        let named = named.filter(|_| is_header);
        let Some(found) = node.find("identitySource") else {
            return match named {
                Some(source) => Some(source),
                None => self.error(&scheme, "its scheme names no header", FIX),
            };
        };
        let text = self.text(found, "identitySource")?;
        let header = text.strip_prefix("method.request.header.");
        let source =
            header.and_then(|name| IdentitySource::parse(&format!("$request.header.{name}")).ok());
        match (source, named) {
            (None, _) => {
                let what = format!("identitySource {} names no header", shorten(&text));
                self.error(&found, &what, "write method.request.header.Authorization")
            }
            (Some(source), Some(named)) if source != named => {
                let what = format!(
                    "identitySource {} is not the header that its scheme names",
                    shorten(&text)
                );
                self.error(&found, &what, "write one of them, or the same name in both")
            }
            (Some(source), _) => Some(source),
        }
    }

    fn pools(&mut self, node: Node<'_>) -> Option<Vec<(PoolArn, Place)>> {
        const FIX: &str = "write providerARNs: [arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID]";
        let Some(list) = node.find("providerARNs") else {
            return self.error(&node, "has no providerARNs", FIX);
        };
        let mut pools: Vec<(PoolArn, Place)> = Vec::new();
        let texts = self.texts(list, "providerARNs")?;
        if !(1..=AUTHORIZER_POOLS_MAX).contains(&texts.len()) {
            let what = format!("providerARNs has to be 1 to {AUTHORIZER_POOLS_MAX} ARNs");
            return self.error(&list, &what, FIX);
        }
        for (text, item) in texts.iter().zip(list.items()) {
            match PoolArn::parse(text) {
                Ok(arn) if pools.iter().any(|(known, _)| *known == arn) => {
                    let what = format!("{} is there twice", shorten(text));
                    return self.error(&item, &what, "name each pool once");
                }
                Ok(arn) => pools.push((arn, item.place())),
                Err(what) => {
                    return self.error(&item, &format!("{} {what}", shorten(text)), FIX);
                }
            }
        }
        Some(pools)
    }

    /// The outer `None` after an error.
    #[expect(clippy::option_option, reason = "there need not be one, and reading may fail")]
    fn validation(&mut self, node: Node<'_>) -> Option<Option<String>> {
        let Some(found) = node.find("identityValidationExpression") else { return Some(None) };
        let text = self.text(found, "identityValidationExpression")?;
        match Validation::parse(&text) {
            Ok(_) => Some(Some(text)),
            Err(what) => {
                let what = format!("identityValidationExpression {what}");
                let what = what.lines().map(str::trim).collect::<Vec<_>>().join(" ");
                let fix = "write a regular expression for aud, without look-around and references";
                self.error(&found, &what, fix)
            }
        }
    }
}

impl Cognito {
    /// The authorizer with the issuers that stand for its pools; tells when it cannot.
    pub(super) fn compile(
        &self,
        pools: &mut UserPools,
        problems: &mut Problems,
    ) -> Option<JwtAuthorizer> {
        let Self { name, source, .. } = self.clone();
        let mut issuers: Vec<Issuer> = Vec::new();
        for (arn, place) in &self.pools {
            let of = format!("authorizer {}", shorten(&self.name));
            let issuer = pools.issuer(&of, arn, place, problems);
            if issuers.iter().any(|known| known.name == issuer.name) {
                let message = format!(
                    "{of}: two of its pools have the issuer {}, which tells them apart",
                    issuer.name
                );
                problems.error(place.clone(), message, "give each its own issuer in userPools");
                return None;
            }
            issuers.push(issuer);
        }
        let validation = self.validation.as_deref().and_then(|text| Validation::parse(text).ok());
        debug_assert_eq!(validation.is_some(), self.validation.is_some());
        let manner = Manner::UserPools { validation };
        let algorithms = Algorithms::of(&[Algorithm::Rs256]);
        Some(JwtAuthorizer::compile(JwtDraft { name, source, issuers, manner, algorithms }))
    }
}
