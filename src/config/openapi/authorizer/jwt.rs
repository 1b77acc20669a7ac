//! `x-amazon-apigateway-authorizer` of type `jwt`: whose tokens an API takes (`api-gateway.md` 1.4,
//! 3.3). Ringway's own members under `jwtConfiguration`: `jwksFile` or `jwks`, the issuer's keys,
//! if they are not to be fetched; `caCertificates`, whom TLS trusts when they are; `algorithms`,
//! for those that API Gateway does not take.
//!
//! A file of keys is named here and read by the loader (`ApiDefinition::read_keys`).

use std::sync::Arc;

use super::super::{
    fault::shorten,
    intrinsic,
    report::Report,
    text::{Substitutions, stage_variables, substitute},
};
use crate::{
    base::{Place, limits::AUDIENCES_MAX},
    config::{
        Problems,
        document::{Kind, Node},
        suggest::nearest,
    },
    steps::authorize::jwt::{
        Algorithm, Algorithms, IdentitySource, IssuerKeys, JwtAuthorizer, JwtDraft, KeySet,
        KeySource,
    },
    tls::CallerParts,
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

/// An authorizer while it is read.
struct Reading<'r, 'p> {
    name: &'r str,
    known: &'r Substitutions,
    report: &'r mut Report<'p>,
}

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
    fn error<T>(&mut self, at: &Node<'_>, what: &str, fix: &str) -> Option<T> {
        self.report.error(at, format!("authorizer {}: {what}", self.name), fix);
        None
    }

    fn text(&mut self, node: Node<'_>, field: &str) -> Option<String> {
        let thing = format!("authorizer {}: {field}", self.name);
        let text = intrinsic::resolve(node, &thing, self.known, self.report)?;
        let text = substitute(&text, self.known);
        if stage_variables(&text).next().is_some() {
            let what = format!("{field} has a stage variable; it is the same for all stages");
            return self.error(&node, &what, "write its value");
        }
        Some(text)
    }

    fn check_scheme(&mut self, scheme: Node<'_>) {
        let kind = scheme.find("type").and_then(Node::scalar_text).unwrap_or_default();
        if !matches!(kind, "oauth2" | "openIdConnect") {
            let what =
                "its scheme is not of type oauth2 or openIdConnect; it is taken all the same";
            let message = format!("authorizer {}: {what}", self.name);
            self.report.warning(&scheme, message, "write type: oauth2");
        }
    }

    fn check_names(&mut self, node: Node<'_>, known: &[&str]) {
        for entry in node.entries().filter(|entry| !known.contains(&entry.key)) {
            let fix = match nearest(entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.join(", ")),
            };
            let name = shorten(entry.key);
            let message = format!("authorizer {}: {name} is no field here", self.name);
            self.report.error(&entry, message, &fix);
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

    fn texts(&mut self, list: Node<'_>, field: &str) -> Option<Vec<String>> {
        if list.kind() != Kind::Sequence {
            let what = format!("{field} is {}; a list is expected", list.kind());
            return self.error(&list, &what, &format!("write {field}: [..]"));
        }
        list.items().map(|item| self.text(item, field)).collect()
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
                if !is_fetchable(issuer) {
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

/// In plain text from this machine only: elsewhere anybody on the way could name keys.
fn is_fetchable(issuer: &str) -> bool {
    let host = |rest: &str| !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']);
    let is_sound =
        !issuer.contains(['?', '#', '@']) && issuer.bytes().all(|b| b.is_ascii_graphic());
    let is_local = |rest: &str| {
        let host = rest.split('/').next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
    };
    let (tls, plain) = (issuer.strip_prefix("https://"), issuer.strip_prefix("http://"));
    is_sound && (tls.is_some_and(host) || plain.is_some_and(is_local))
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
        Some(JwtAuthorizer::compile(JwtDraft { name, source, issuer, audience, algorithms, keys }))
    }

    fn keys(
        &self,
        read: &mut impl FnMut(&str, &Place, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) -> Option<IssuerKeys> {
        let name = shorten(&self.name);
        let (keys, place) = match &self.keys {
            KeysSaid::Here(keys, place) => (Arc::clone(keys), place),
            KeysSaid::File(path, place) => match KeySet::parse(&read(path, place, problems)?) {
                Ok(keys) => (Arc::new(keys), place),
                Err(what) => {
                    let message = format!("authorizer {name}: {} {what}", shorten(path));
                    let fix = "save what the issuer's jwks_uri answers in it (RFC 7517)";
                    problems.error(place.clone(), message, fix);
                    return None;
                }
            },
            KeysSaid::Fetched(None) => return Some(self.fetched(None)),
            KeysSaid::Fetched(Some((path, place))) => {
                let authorities = read(path, place, problems)?;
                if let Err(sentence) = CallerParts::default().trust((path, &authorities)) {
                    let message = format!("authorizer {name}: {sentence}");
                    problems.error(place.clone(), message, "name a file of PEM certificates");
                    return None;
                }
                return Some(self.fetched(Some(authorities)));
            }
        };
        for note in keys.notes() {
            problems.warning(place.clone(), format!("authorizer {name}: {note}"), "");
        }
        if keys.is_empty() {
            let message = format!("authorizer {name}: no key is left: no token is let in");
            problems.error(place.clone(), message, "name the issuer's public keys");
        }
        Some(IssuerKeys::Fixed(keys))
    }

    fn fetched(&self, authorities: Option<Vec<u8>>) -> IssuerKeys {
        IssuerKeys::Fetched(Arc::new(KeySource::new(self.issuer.clone(), authorities)))
    }
}
