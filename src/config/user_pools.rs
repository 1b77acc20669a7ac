//! The gateway file's `userPools`: which issuers stand for the Cognito user pools that authorizers
//! name by ARN, and where their keys are. A pool that is not listed is AWS's own.

use super::{Problems, document::Document, gateway_file::raw, suggest::nearest, token_keys};
use crate::{
    base::Place,
    steps::authorize::jwt::{Issuer, PoolArn},
};

/// The pools of a gateway file.
#[derive(Default)]
pub struct UserPools {
    pools: Vec<UserPool>,
    /// Pools that authorizers name, listed or not.
    named: Vec<PoolArn>,
}

struct UserPool {
    arn: PoolArn,
    issuer: Issuer,
    place: Place,
}

impl UserPools {
    /// Compiles the section; `read` reads a file that stands at a place of the document, and tells
    /// when it cannot.
    pub(super) fn compile(
        file: &raw::GatewayFile,
        document: &Document,
        read: &mut impl FnMut(&str, &Place, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) -> Self {
        let mut pools: Vec<UserPool> = Vec::new();
        for (index, raw) in file.user_pools.iter().enumerate() {
            let place = |key: &str| {
                let found = document.root().pointer(&format!("/userPools/{index}/{key}"));
                found.unwrap_or(document.root()).place()
            };
            let arn = match PoolArn::parse(&raw.arn) {
                Ok(arn) => arn,
                Err(what) => {
                    let message = format!("userPools[{index}].arn: {} {what}", raw.arn);
                    let fix = "write arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID";
                    problems.error(place("arn"), message, fix);
                    continue;
                }
            };
            if pools.iter().any(|known| known.arn == arn) {
                let message = format!("userPools has {} twice", raw.arn);
                problems.error(place("arn"), message, "name each pool once");
                continue;
            }
            let Some(issuer) = issuer(raw, &arn, &place, read, problems) else { continue };
            pools.push(UserPool { arn, issuer, place: place("arn") });
        }
        Self { pools, named: Vec::new() }
    }

    /// The issuer that stands for a pool, which an authorizer names at `place`.
    pub(super) fn issuer(
        &mut self,
        of: &str,
        arn: &PoolArn,
        place: &Place,
        problems: &mut Problems,
    ) -> Issuer {
        if !self.named.contains(arn) {
            self.named.push(arn.clone());
        }
        if let Some(known) = self.pools.iter().find(|known| known.arn == *arn) {
            return known.issuer.clone();
        }
        let issuer = arn.issuer();
        let message = format!("{of}: the keys of {} are fetched from {issuer}", arn.as_str());
        problems.info(place.clone(), message, "");
        let keys = token_keys::fetched(issuer);
        Issuer { name: issuer.into(), keys, says_use: true }
    }

    /// Pools that no authorizer names are probably misspelt.
    pub(super) fn check(&self, problems: &mut Problems) {
        for UserPool { arn, place, .. } in &self.pools {
            if self.named.contains(arn) {
                continue;
            }
            let names = self.named.iter().map(PoolArn::as_str);
            let fix = match nearest(arn.as_str(), names) {
                Some(near) => format!("did you mean {near}?"),
                None => "remove it, or name it in providerARNs".to_owned(),
            };
            let message = format!("no authorizer names the user pool {}", arn.as_str());
            problems.warning(place.clone(), message, fix);
        }
    }
}

fn issuer(
    raw: &raw::UserPool,
    arn: &PoolArn,
    place: &impl Fn(&str) -> Place,
    read: &mut impl FnMut(&str, &Place, &mut Problems) -> Option<Vec<u8>>,
    problems: &mut Problems,
) -> Option<Issuer> {
    let of = format!("user pool {}", arn.as_str());
    let name = raw.issuer.as_deref().unwrap_or(arn.issuer());
    let keys = match (&raw.jwks_file, &raw.ca_certificates) {
        (Some(_), Some(_)) => {
            let message =
                format!("{of}: caCertificates is for keys that are fetched, and jwksFile is here");
            problems.error(place("caCertificates"), message, "remove one of them");
            return None;
        }
        (Some(path), None) => {
            let at = place("jwksFile");
            let text = read(&path.0, &at, problems)?;
            token_keys::of_file(&of, (&path.0, &text), &at, problems)?
        }
        (None, _) if !token_keys::is_fetchable(name) => {
            let message = format!("{of}: keys cannot be fetched from {name}");
            let fix = "write an issuer that begins with https://, or name its keys: jwksFile: \
                       keys.json";
            problems.error(place("issuer"), message, fix);
            return None;
        }
        (None, Some(path)) => {
            let at = place("caCertificates");
            let authorities = read(&path.0, &at, problems)?;
            token_keys::fetched_by(&of, name, (&path.0, authorities), &at, problems)?
        }
        (None, None) => token_keys::fetched(name),
    };
    Some(Issuer { name: name.into(), keys, says_use: name == arn.issuer() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ARN: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_";
    const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    /// The pools of a file, beside which `keys.json` is, once an authorizer has named those of
    /// `named`; and the problems' texts.
    fn read(pools: &str, named: &[&str]) -> (usize, Vec<String>) {
        let text = format!("{{\"apis\": [], \"userPools\": {pools}}}");
        let file = serde_json::from_str(&text).unwrap();
        let mut problems = Problems::new();
        let document =
            Document::parse(Path::new("g.json"), text.as_bytes(), &mut problems).unwrap();
        let mut found = |path: &str, place: &Place, problems: &mut Problems| {
            if path != "keys.json" {
                problems.error(place.clone(), format!("{path} cannot be read"), "");
                return None;
            }
            Some(KEYS.as_bytes().to_vec())
        };
        let mut pools = UserPools::compile(&file, &document, &mut found, &mut problems);
        let place = document.root().place();
        for id in named {
            let arn = PoolArn::parse(&format!("{ARN}{id}")).unwrap();
            pools.issuer("pools", &arn, &place, &mut problems);
        }
        pools.check(&mut problems);
        (pools.pools.len(), problems.iter().map(ToString::to_string).collect())
    }

    fn pool(id: &str, more: &str) -> String {
        format!(r#"{{"arn": "{ARN}{id}"{more}}}"#)
    }

    #[track_caller]
    fn check(pools: &[String], named: &[&str], expected: &[&str]) {
        let (_, problems) = read(&format!("[{}]", pools.join(", ")), named);
        let problems: Vec<String> =
            problems.iter().map(|problem| problem.replace(ARN, "ARN_")).collect();
        assert_eq!(problems, expected);
    }

    #[test]
    fn pools_that_are_listed_stand_for_those_that_authorizers_name() {
        let keys = r#", "jwksFile": "keys.json""#;
        let issuer = r#", "issuer": "https://id.example""#;
        let (count, problems) =
            read(&format!("[{}, {}]", pool("A", keys), pool("B", issuer)), &["A", "B"]);
        assert_eq!((count, problems), (2, vec![]));
        // One that is not is AWS's own, which is told.
        let told = "g.json:1:1: pools: the keys of ARN_A are fetched from \
                    https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A";
        check(&[], &["A", "A"], &[told, told]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        check(
            &[pool("A", ""), pool("A", "")],
            &["A"],
            &["g.json:1:112: userPools has ARN_A twice; name each pool once"],
        );
        let both = r#", "jwksFile": "keys.json", "caCertificates": "ca.pem""#;
        let (count, problems) = read(&format!("[{}]", pool("A", both)), &[]);
        assert_eq!(count, 0);
        assert!(
            problems[0].ends_with(
                "_A: caCertificates is for keys that are fetched, and jwksFile is here; remove one \
                 of them"
            ),
            "{problems:?}"
        );
        let plain = r#", "issuer": "http://id.example""#;
        let (_, problems) = read(&format!("[{}]", pool("A", plain)), &[]);
        assert!(
            problems[0].contains("keys cannot be fetched from http://id.example; write an issuer"),
            "{problems:?}"
        );
        let (_, problems) = read(r#"[{"arn": "arn:aws:cognito-idp:eu-west-1"}]"#, &[]);
        assert!(
            problems[0].contains("userPools[0].arn: arn:aws:cognito-idp:eu-west-1 ")
                && problems[0].ends_with("write arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID"),
            "{problems:?}"
        );
        let (_, problems) = read(&format!("[{}]", pool("A", r#", "jwksFile": "lost""#)), &[]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("lost cannot be read"), "{problems:?}");
    }

    #[test]
    fn pools_that_nobody_names_are_told() {
        let place = "g.json:1:36: no authorizer names the user pool";
        let (unused, misspelt) = (
            format!("{place} ARN_Abcdef; remove it, or name it in providerARNs"),
            format!("{place} ARN_Abcdef; did you mean ARN_Abcdeg?"),
        );
        let listed = [pool("Abcdef", "")];
        check(&listed, &[], &[&unused]);
        check(&listed, &["Abcdef"], &[]);
        let told = "g.json:1:1: pools: the keys of ARN_Abcdeg are fetched from \
                    https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Abcdeg";
        check(&listed, &["Abcdeg"], &[told, &misspelt]);
    }
}
