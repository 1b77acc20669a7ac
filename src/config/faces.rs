//! Certificates, policies and trust stores of a gateway file: what each listener shows to clients
//! that speak TLS, and what each domain asks of a connection.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    GivenCertificate, Overrides, Problems, Settings, Source, Transport,
    document::{Document, Node},
    gateway_file::raw,
    report::Sources,
    suggest::nearest,
};
use crate::{
    base::Place,
    http::Http2,
    tls::{
        CallerParts, Certificate, DomainDraft, DomainKey, Face, FaceDraft, Faces, Guard, Guards,
        Policy, Trust,
    },
};

/// What a plan has of TLS.
#[derive(Default)]
pub(super) struct Shown {
    /// By listener.
    pub(super) faces: Faces,
    /// By domain, in the file's order.
    pub(super) guards: Guards,
    /// How upstreams are called, in the file's order.
    pub(super) callers: Vec<CallerParts>,
}

/// What is read from, and what is told and noted on the way.
pub(super) struct Reading<'r> {
    pub(super) source: &'r Source,
    pub(super) overrides: &'r Overrides,
    pub(super) problems: &'r mut Problems,
    pub(super) sources: &'r mut Sources,
    pub(super) files_read: &'r mut Vec<PathBuf>,
    /// Relative paths begin here.
    pub(super) folder: &'r Path,
    /// The gateway file; `None` when an API's definition is served without one.
    pub(super) document: Option<&'r Document>,
}

impl Reading<'_> {
    /// Compiles what `file` says. What is wrong is in the problems.
    pub(super) fn compile(mut self, file: &raw::GatewayFile, settings: &Settings) -> Shown {
        let mut shown = Shown { callers: self.callers(file), ..Shown::default() };
        let mut domains = Vec::new();
        for (index, domain) in file.domain_names.iter().enumerate() {
            let at = format!("domainNames[{index}]");
            shown.guards.push(guard(domain));
            domains.push(self.domain(domain, &at));
        }
        let speaks_tls = |listener: &super::Listener| listener.transport == Transport::Tls;
        if !settings.listeners.iter().any(speaks_tls) {
            self.tell_unshown(file);
            return shown;
        }
        let given = self.given();
        let mut uncovered: Vec<usize> = (0..domains.len()).collect();
        for (index, listener) in settings.listeners.iter().enumerate() {
            if listener.transport != Transport::Tls {
                continue;
            }
            let at = format!("listeners[{index}].tls");
            let draft = match given.as_ref() {
                Some(given) => FaceDraft {
                    certificates: given.iter().cloned().collect(),
                    policy: Policy::default(),
                    http2: listener.http2,
                },
                None => {
                    let draft = self.listener(&file.listeners[index], listener.http2, &at);
                    if file.domain_names.iter().all(|domain| domain.certificates.is_empty()) {
                        self.tell_bare(&file.listeners[index], &at);
                    }
                    draft
                }
            };
            uncovered.retain(|&index| !draft.covers(&domains[index]));
            match Face::compile(draft, &domains) {
                Ok(face) => shown.faces.add(&listener.address.to_string(), Arc::new(face)),
                Err(sentence) => {
                    let place = self.place(&at);
                    self.error(place, format!("{at}: {sentence}"), "");
                }
            }
        }
        self.tell_uncovered(&uncovered, &domains);
        shown
    }

    /// Domains for whose name no listener has a certificate. What could not be read may be for it.
    fn tell_uncovered(&mut self, uncovered: &[usize], domains: &[DomainDraft]) {
        if self.problems.errors() > 0 {
            return;
        }
        for &index in uncovered {
            let at = format!("domainNames[{index}].domainName");
            let place = self.place(&at);
            let name = &domains[index].name;
            let message = format!("{at}: no certificate is for {name}: clients will not trust it");
            let fix = "give it certificates of its own, or the listener one that covers it";
            self.warn(place, message, fix);
        }
    }

    /// The certificate of the command line: `None` when there is none, empty when it is wrong.
    fn given(&mut self) -> Option<Option<Certificate>> {
        let given = self.overrides.certificate.as_ref()?;
        let certificate = self.parse_given(given);
        if let Some(sentence) =
            certificate.as_ref().and_then(|own| own.complaint(self.overrides.now))
        {
            self.problems.warning_nowhere(sentence, "renew it");
        }
        Some(certificate)
    }

    fn parse_given(&mut self, given: &GivenCertificate) -> Option<Certificate> {
        let parsed = match given {
            GivenCertificate::Made { chain, key } => {
                let chain = ("the certificate made for this run", chain.as_bytes());
                Certificate::parse(chain, ("its key", key.as_bytes()), None)
            }
            GivenCertificate::Files { chain, key } => {
                // Paths of the command line begin where it was typed.
                let fix = "name files that exist with --tls-cert and --tls-key";
                let chain = self.read_at(chain, None, fix);
                let key = self.read_at(key, None, fix);
                let (chain, key) = (chain?, key?);
                Certificate::parse(chain.named(), key.named(), None)
            }
        };
        parsed.map_err(|sentence| self.problems.error_nowhere(sentence, "")).ok()
    }

    fn listener(&mut self, listener: &raw::Listener, http2: Http2, at: &str) -> FaceDraft {
        let none = raw::Tls::default();
        let tls = listener.tls.as_ref().unwrap_or(&none);
        let mut certificates = self.certificates(&tls.certificates, &format!("{at}.certificates"));
        if let Some(folder) = &tls.certificate_folder {
            certificates.extend(self.folder_of(folder, &format!("{at}.certificateFolder")));
        }
        let policy = self.policy(tls.security_policy.as_deref(), &format!("{at}.securityPolicy"));
        FaceDraft { certificates, policy: policy.unwrap_or_default(), http2 }
    }

    /// Neither the listener nor a domain has a certificate.
    fn tell_bare(&mut self, listener: &raw::Listener, at: &str) {
        let is_bare =
            |tls: &raw::Tls| tls.certificates.is_empty() && tls.certificate_folder.is_none();
        if listener.tls.as_ref().is_some_and(is_bare) {
            let place = self.place(at);
            let fix = "add certificates or certificateFolder";
            self.error(place, format!("{at}: there is no certificate to show"), fix);
        }
    }

    fn domain(&mut self, domain: &raw::DomainName, at: &str) -> DomainDraft {
        let policy =
            self.policy(domain.security_policy.as_deref(), &format!("{at}.securityPolicy"));
        let trust = domain.mutual_tls_authentication.as_ref();
        DomainDraft {
            name: domain.domain_name.clone(),
            certificates: self.certificates(&domain.certificates, &format!("{at}.certificates")),
            policy,
            trust: trust
                .and_then(|trust| self.trust(trust, &format!("{at}.mutualTlsAuthentication"))),
        }
    }

    fn policy(&mut self, name: Option<&str>, at: &str) -> Option<Policy> {
        let name = name?;
        Policy::parse(name)
            .map_err(|sentence| {
                let near = nearest(name, Policy::names()).filter(|_| name != "TLS_1_0");
                let fix = match near {
                    Some(near) => format!("did you mean {near}?"),
                    None => {
                        format!("write one of {}", Policy::names().collect::<Vec<_>>().join(", "))
                    }
                };
                let place = self.place(at);
                self.error(place, format!("{at}: {sentence}"), &fix);
            })
            .ok()
    }

    fn trust(&mut self, trust: &raw::MutualTls, at: &str) -> Option<Trust> {
        let place = self.place(&format!("{at}.truststoreUri"));
        let store = match &trust.truststore_uri {
            uri if uri.starts_with("s3://") => {
                let message =
                    format!("{at}.truststoreUri: {uri} is AWS's storage, which is not read");
                self.error(place, message, "copy the object beside this file and name its path");
                return None;
            }
            path => self.read(Path::new(path), place.as_ref())?,
        };
        let revoked = match &trust.certificate_revocation_list {
            Some(path) => {
                let place = self.place(&format!("{at}.certificateRevocationList"));
                Some(self.read(Path::new(path), place.as_ref())?)
            }
            None => None,
        };
        let mut heard = Vec::new();
        let revoked = revoked.as_ref().map(Given::named);
        let now = self.overrides.now;
        let parsed = Trust::parse(store.named(), revoked, now, |sentence| heard.push(sentence));
        for sentence in heard {
            self.warn(place.clone(), sentence, "renew it, or take it out");
        }
        parsed.map_err(|sentence| self.error(place, sentence, "")).ok()
    }

    fn certificates(&mut self, list: &[raw::Certificate], at: &str) -> Vec<Certificate> {
        let mut certificates = Vec::new();
        for (index, one) in list.iter().enumerate() {
            let place = |of: &Self, key: &str| of.place(&format!("{at}[{index}].{key}"));
            let chain_place = place(self, "certificate");
            let chain = self.read(Path::new(&one.certificate), chain_place.as_ref());
            let key_place = place(self, "privateKey");
            let key = self.read(Path::new(&one.private_key), key_place.as_ref());
            let staple = one.ocsp_staple.as_ref().map(|path| {
                let staple_place = place(self, "ocspStaple");
                self.read(Path::new(path), staple_place.as_ref())
            });
            let (Some(chain), Some(key)) = (chain, key) else { continue };
            certificates.extend(self.certificate(
                &chain,
                &key,
                staple.flatten().as_ref(),
                chain_place,
            ));
        }
        certificates
    }

    fn certificate(
        &mut self,
        chain: &Given,
        key: &Given,
        staple: Option<&Given>,
        place: Option<Place>,
    ) -> Option<Certificate> {
        match Certificate::parse(chain.named(), key.named(), staple.map(Given::named)) {
            Ok(certificate) => {
                if let Some(sentence) = certificate.complaint(self.overrides.now) {
                    self.warn(place, sentence, "renew it: clients do not take it");
                }
                Some(certificate)
            }
            Err(sentence) => {
                self.error(place, sentence, "");
                None
            }
        }
    }

    /// The pairs `NAME.pem` (or `NAME.crt`) and `NAME.key` of a folder, by name.
    fn folder_of(&mut self, folder: &str, at: &str) -> Vec<Certificate> {
        let place = self.place(at);
        let path = self.folder.join(folder);
        self.note(&path);
        let names = match self.source.list(&path) {
            Ok(names) => names,
            Err(reason) => {
                let message = format!("{at}: {} {reason}", path.display());
                self.error(place, message, "name a folder of NAME.pem and NAME.key files");
                return Vec::new();
            }
        };
        self.sources.add_beside(&path, names.join("\n").as_bytes());
        let mut certificates = Vec::new();
        let stems = names.iter().filter_map(|name| {
            let stem = name.strip_suffix(".pem").or_else(|| name.strip_suffix(".crt"))?;
            Some((name, format!("{stem}.key")))
        });
        for (name, key_name) in stems {
            if !names.contains(&key_name) {
                let message = format!("{at}: {name} has no key {key_name} beside it");
                self.warn(place.clone(), message, "add the key, or take the certificate out");
                continue;
            }
            let fix = "make the files of the folder readable for this user";
            let chain = self.read_at(&path.join(name), place.as_ref(), fix);
            let key = self.read_at(&path.join(key_name), place.as_ref(), fix);
            let (Some(chain), Some(key)) = (chain, key) else { continue };
            certificates.extend(self.certificate(&chain, &key, None, place.clone()));
        }
        if certificates.is_empty() {
            let message = format!("{at}: {} holds no certificate with its key", path.display());
            self.error(place, message, "put NAME.pem and NAME.key there");
        }
        certificates
    }

    fn callers(&mut self, file: &raw::GatewayFile) -> Vec<CallerParts> {
        let upstreams = file.upstreams.iter().enumerate();
        upstreams.map(|(index, upstream)| self.caller(upstream, index)).collect()
    }

    fn caller(&mut self, upstream: &raw::Upstream, index: usize) -> CallerParts {
        let mut parts = CallerParts::default();
        let Some(tls) = &upstream.tls else { return parts };
        let at = format!("upstreams[{index}].tls");
        if !upstream.origin.to_ascii_lowercase().starts_with("https:") {
            let place = self.place(&at);
            let message = format!("{at}: {} is not called by TLS", upstream.origin);
            self.warn(place, message, "write https in the origin and in the URIs, or remove it");
        }
        if tls.insecure_skip_verification {
            let place = self.place(&format!("{at}.insecureSkipVerification"));
            let message = format!(
                "{at}: any certificate is taken: whoever is in between reads and changes all"
            );
            self.warn(place, message, "for tests only; name the authority in caCertificates");
        }
        parts.server_name.clone_from(&tls.server_name_to_verify);
        parts.skips_verification = tls.insecure_skip_verification;
        if let Some(path) = &tls.ca_certificates {
            let place = self.place(&format!("{at}.caCertificates"));
            if let Some(given) = self.read(Path::new(path), place.as_ref())
                && let Err(sentence) = parts.trust(given.named())
            {
                self.error(place, sentence, "");
            }
        }
        if let Some(own) = &tls.client_certificate {
            let at = format!("{at}.clientCertificate");
            let place = self.place(&format!("{at}.certificate"));
            let chain = self.read(Path::new(&own.certificate), place.as_ref());
            let key_place = self.place(&format!("{at}.privateKey"));
            let key = self.read(Path::new(&own.private_key), key_place.as_ref());
            if let (Some(chain), Some(key)) = (chain, key)
                && let Err(sentence) = parts.show(chain.named(), key.named())
            {
                self.error(place, sentence, "");
            }
        }
        parts
    }

    /// Where no listener speaks TLS, a domain's settings do nothing, or keep everybody out.
    fn tell_unshown(&mut self, file: &raw::GatewayFile) {
        for (index, domain) in file.domain_names.iter().enumerate() {
            let said = [
                ("mutualTlsAuthentication", domain.mutual_tls_authentication.is_some()),
                ("certificates", !domain.certificates.is_empty()),
                ("securityPolicy", domain.security_policy.is_some()),
                ("endpointAccessMode", domain.endpoint_access_mode == raw::AccessMode::Strict),
            ];
            let Some((key, _)) = said.into_iter().find(|(_, is_said)| *is_said) else { continue };
            let at = format!("domainNames[{index}].{key}");
            let place = self.place(&at);
            let what = match guard(domain) {
                Guard { mutual: false, strict: false, .. } => "it does nothing",
                _ => "nobody reaches the domain",
            };
            let fix = "give a listener tls, or remove it";
            self.warn(place, format!("{at}: no listener speaks TLS: {what}"), fix);
        }
    }

    /// A file and its name; `None`, and told, when it cannot be read.
    fn read(&mut self, path: &Path, place: Option<&Place>) -> Option<Given> {
        let fix = "name a file that exists; paths are relative to the gateway file";
        self.read_at(&self.folder.join(path), place, fix)
    }

    fn read_at(&mut self, path: &Path, place: Option<&Place>, fix: &str) -> Option<Given> {
        self.note(path);
        match self.source.read_beside(path) {
            Ok(bytes) => {
                self.sources.add_beside(path, &bytes);
                Some(Given { name: path.display().to_string(), bytes })
            }
            Err(reason) => {
                self.error(place.cloned(), format!("{} {reason}", path.display()), fix);
                None
            }
        }
    }

    fn note(&mut self, path: &Path) {
        if !self.files_read.iter().any(|known| known == path) {
            self.files_read.push(path.to_path_buf());
        }
    }

    /// The place of a value, such as `listeners[0].tls`, or of what would hold it.
    fn place(&self, at: &str) -> Option<Place> {
        let mut pointer = format!("/{}", at.replace(['.', '['], "/").replace(']', ""));
        let root = self.document?.root();
        loop {
            if let Some(node) = root.pointer(&pointer) {
                return Some(Node::place(node));
            }
            pointer.truncate(pointer.rfind('/')?);
        }
    }

    fn error(&mut self, place: Option<Place>, message: String, fix: &str) {
        match place {
            Some(place) => self.problems.error(place, message, fix),
            None => self.problems.error_nowhere(message, fix),
        }
    }

    fn warn(&mut self, place: Option<Place>, message: String, fix: &str) {
        match place {
            Some(place) => self.problems.warning(place, message, fix),
            None => self.problems.warning_nowhere(message, fix),
        }
    }
}

/// A file that was read.
struct Given {
    name: String,
    bytes: Vec<u8>,
}

impl Given {
    fn named(&self) -> (&str, &[u8]) {
        (&self.name, &self.bytes)
    }
}

fn guard(domain: &raw::DomainName) -> Guard {
    Guard {
        key: DomainKey::of(&domain.domain_name),
        strict: domain.endpoint_access_mode == raw::AccessMode::Strict,
        mutual: domain.mutual_tls_authentication.is_some(),
    }
}
