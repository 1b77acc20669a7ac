//! `x-amazon-apigateway-authorizer` of type `jwt`: whose tokens an API takes (`api-gateway.md` 1.4,
//! 3.3). Ringway's own members under `jwtConfiguration`: `jwksFile` or `jwks`, the issuer's keys,
//! if they are not to be fetched; `caCertificates`, whom TLS trusts when they are; `algorithms`,
//! for those that API Gateway does not take.
//!
//! A file of keys is named here and read by the loader (`ApiDefinition::read_keys`).

use std::sync::Arc;

use super::{
    super::{fault::shorten, report::Report, text::Substitutions},
    reading::Reading,
};
use crate::{
    base::{Place, limits::AUDIENCES_MAX},
    config::{Problems, document::Node, token_keys},
    steps::authorize::jwt::{
        Algorithm, Algorithms, IdentitySource, Issuer, IssuerKeys, JwtAuthorizer, JwtDraft, KeySet,
        Manner,
    },
};

/// A JWT authorizer of the document.
#[derive(Clone)]
pub(super) struct Jwt {
    /// The name of its scheme.
    name: String,
    source: IdentitySource,
    issuer: String,
    audience: Vec<String>,
    algorithms: Algorithms,
    keys: KeysSaid,
}

/// Where the keys are.
#[derive(Clone)]
enum KeysSaid {
    Here(Arc<KeySet>, Place),
    File(String, Place),
    /// With the issuer; the file of whom TLS trusts there.
    Fetched(Option<(String, Place)>),
}

/// SAM has the URL beside the scheme's `x-amazon-apigateway-authorizer` or in it.
const FIELDS: &[&str] = &["type", "identitySource", "jwtConfiguration", DISCOVERY_URL];
const DISCOVERY_URL: &str = "openIdConnectUrl";
const CONFIGURATION: &[&str] =
    &["issuer", "audience", "algorithms", "jwks", "jwksFile", "caCertificates"];
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Reads the authorizer at `node` of the scheme `scheme`, called `name`; `None` after an error.
pub(super) fn read(
    name: &str,
    scheme: Node<'_>,
    node: Node<'_>,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<Jwt> {
    let short = shorten(name);
    let mut reading = Reading { name: &short, known, report };
    reading.check_scheme(scheme);
    reading.check_names(node, FIELDS);
    let source = reading.source(node);
    let Some(configuration) = node.find("jwtConfiguration").filter(|found| found.is_mapping())
    else {
        let fix = "write jwtConfiguration: {issuer: https://.., audience: [..]}";
        return reading.error(&node, "has no jwtConfiguration", fix);
    };
    reading.check_names(configuration, CONFIGURATION);
    let url = scheme.find(DISCOVERY_URL).or_else(|| node.find(DISCOVERY_URL));
    let issuer = reading.issuer(url, configuration);
    let audience = reading.audience(configuration);
    let algorithms = reading.algorithms(configuration);
    let keys = reading.keys(configuration, issuer.as_deref());
    Some(Jwt {
        name: name.to_owned(),
        source: source?,
        issuer: issuer?,
        audience: audience?,
        algorithms: algorithms?,
        keys: keys?,
    })
}

impl Reading<'_, '_> {
    fn check_scheme(&mut self, scheme: Node<'_>) {
        let kind = scheme.find("type").and_then(Node::scalar_text).unwrap_or_default();
        if !matches!(kind, "oauth2" | "openIdConnect") {
            let what =
                "its scheme is not of type oauth2 or openIdConnect; it is taken all the same";
            let message = format!("authorizer {}: {what}", self.name);
            self.report.warning(&scheme, message, "write type: oauth2");
        }
    }

    fn source(&mut self, node: Node<'_>) -> Option<IdentitySource> {
        let Some(found) = node.find("identitySource") else {
            let fix = "write identitySource: $request.header.Authorization";
            return self.error(&node, "has no identitySource", fix);
        };
        let text = self.text(found, "identitySource")?;
        IdentitySource::parse(&text).map_or_else(
            |what| {
                let what = format!("identitySource {} {what}", shorten(&text));
                let fix = "write $request.header.Authorization, or $request.querystring.NAME";
                self.error(&found, &what, fix)
            },
            Some,
        )
    }

    fn issuer(&mut self, url: Option<Node<'_>>, configuration: Node<'_>) -> Option<String> {
        let fix = "write issuer: https://.., as the tokens have it in iss";
        if let Some(found) = configuration.find("issuer") {
            let issuer = self.text(found, "issuer")?;
            if issuer.is_empty() {
                return self.error(&found, "issuer is empty", fix);
            }
            return Some(issuer);
        }
        let Some(found) = url else {
            return self.error(&configuration, "has no issuer", fix);
        };
        let url = self.text(found, "openIdConnectUrl")?;
        match url.strip_suffix(DISCOVERY).filter(|issuer| !issuer.is_empty()) {
            Some(issuer) => Some(issuer.to_owned()),
            None => {
                let what = format!("openIdConnectUrl does not end in {DISCOVERY}");
                self.error(&found, &what, fix)
            }
        }
    }

    fn audience(&mut self, configuration: Node<'_>) -> Option<Vec<String>> {
        let fix = "write audience: [..], one of which the tokens have in aud or client_id";
        let Some(found) = configuration.find("audience") else {
            return self.error(&configuration, "has no audience", fix);
        };
        let all = self.texts(found, "audience")?;
        if !(1..=AUDIENCES_MAX).contains(&all.len()) || all.iter().any(String::is_empty) {
            let what = format!("audience has to be 1 to {AUDIENCES_MAX} texts");
            return self.error(&found, &what, fix);
        }
        Some(all)
    }

    fn algorithms(&mut self, configuration: Node<'_>) -> Option<Algorithms> {
        let Some(found) = configuration.find("algorithms") else { return Some(Algorithms::AWS) };
        let mut all = Vec::new();
        for name in self.texts(found, "algorithms")? {
            let Some(algorithm) = Algorithm::parse(&name) else {
                let names = Algorithm::ALL.map(Algorithm::name).join(", ");
                let what = format!("{} is no algorithm that is taken", shorten(&name));
                return self.error(&found, &what, &format!("there are {names}"));
            };
            all.push(algorithm);
        }
        if all.is_empty() {
            return self.error(&found, "algorithms is empty", "name one, or leave algorithms out");
        }
        Some(Algorithms::of(&all))
    }

    fn keys(&mut self, configuration: Node<'_>, issuer: Option<&str>) -> Option<KeysSaid> {
        let authorities = configuration.find("caCertificates");
        let is_here = ["jwks", "jwksFile"].iter().any(|key| configuration.find(key).is_some());
        if let Some(found) = authorities.filter(|_| is_here) {
            let what = "caCertificates is for keys that are fetched, and the keys are here";
            return self.error(&found, what, "remove it, or jwks and jwksFile");
        }
        match (configuration.find("jwks"), configuration.find("jwksFile")) {
            (Some(here), None) => match KeySet::parse(here.to_json().to_string().as_bytes()) {
                Ok(set) => Some(KeysSaid::Here(Arc::new(set), here.place())),
                Err(what) => {
                    let fix = "write {keys: [..]}, the issuer's public keys (RFC 7517)";
                    self.error(&here, &format!("jwks {what}"), fix)
                }
            },
            (None, Some(file)) => {
                let path = self.text(file, "jwksFile")?;
                Some(KeysSaid::File(path, file.place()))
            }
            (Some(_), Some(file)) => {
                self.error(&file, "has jwks and jwksFile", "remove one of them")
            }
            (None, None) => {
                let issuer = issuer?;
                if !token_keys::is_fetchable(issuer) {
                    let what = format!("keys cannot be fetched from {}", shorten(issuer));
                    let fix = "write an issuer that begins with https://, or name its keys: \
                               jwksFile: keys.json";
                    return self.error(&configuration, &what, fix);
                }
                let Some(file) = authorities else { return Some(KeysSaid::Fetched(None)) };
                let path = self.text(file, "caCertificates")?;
                Some(KeysSaid::Fetched(Some((path, file.place()))))
            }
        }
    }
}

impl Jwt {
    /// The authorizer with its keys; `read` reads a file that stands at a place of the document,
    /// and tells when it cannot.
    pub(super) fn compile(
        &self,
        read: &mut impl FnMut(&str, &Place, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) -> Option<JwtAuthorizer> {
        let keys = self.keys(read, problems)?;
        let Self { name, source, issuer, audience, algorithms, .. } = self.clone();
        let issuers = vec![Issuer { name: issuer.into(), keys, says_use: false }];
        let manner = Manner::Jwt { audience: audience.into_iter().map(Into::into).collect() };
        Some(JwtAuthorizer::compile(JwtDraft { name, source, issuers, manner, algorithms }))
    }

    fn keys(
        &self,
        read: &mut impl FnMut(&str, &Place, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) -> Option<IssuerKeys> {
        let of = format!("authorizer {}", shorten(&self.name));
        match &self.keys {
            KeysSaid::Here(keys, place) => token_keys::fixed(&of, keys, place, problems),
            KeysSaid::File(path, place) => {
                let text = read(path, place, problems)?;
                token_keys::of_file(&of, (path, &text), place, problems)
            }
            KeysSaid::Fetched(None) => Some(token_keys::fetched(&self.issuer)),
            KeysSaid::Fetched(Some((path, place))) => {
                let authorities = read(path, place, problems)?;
                token_keys::fetched_by(&of, &self.issuer, (path, authorities), place, problems)
            }
        }
    }
}
