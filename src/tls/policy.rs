//! AWS's security policies by name: versions, cipher suites, groups (`api-gateway.md` 11.1).
//!
//! A policy is what rustls has of AWS's list: suites with CBC and those with RSA key exchange are
//! left out, rustls does not know them. So policies that differ in these only are the same here.

use std::sync::Arc;

use rustls::{
    SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{self, cipher_suite as suite, kx_group as group},
    },
    version::{TLS12, TLS13},
};

/// A security policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// AWS's name.
    pub name: &'static str,
    versions: &'static [&'static SupportedProtocolVersion],
    suites: &'static [SupportedCipherSuite],
    groups: &'static [Group],
}

#[derive(Clone, Copy, Debug)]
enum Group {
    X25519MlKem768,
    Secp256r1MlKem768,
    X25519,
    Secp256r1,
    Secp384r1,
}

const ONE_3: &[&SupportedProtocolVersion] = &[&TLS13];
const ONE_2: &[&SupportedProtocolVersion] = &[&TLS12];
const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

const SUITES_13: &[SupportedCipherSuite] = &[
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
];
const FIPS_13: &[SupportedCipherSuite] =
    &[suite::TLS13_AES_128_GCM_SHA256, suite::TLS13_AES_256_GCM_SHA384];
const GCM_12: &[SupportedCipherSuite] = &[
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];
const BOTH_GCM: &[SupportedCipherSuite] =
    &[SUITES_13[0], SUITES_13[1], SUITES_13[2], GCM_12[0], GCM_12[1], GCM_12[2], GCM_12[3]];
const BOTH_FIPS: &[SupportedCipherSuite] =
    &[FIPS_13[0], FIPS_13[1], GCM_12[0], GCM_12[1], GCM_12[2], GCM_12[3]];
/// The edge's: AES-GCM and ChaCha20.
const BOTH_EDGE: &[SupportedCipherSuite] = &[
    SUITES_13[0],
    SUITES_13[1],
    SUITES_13[2],
    GCM_12[0],
    GCM_12[1],
    GCM_12[2],
    GCM_12[3],
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

const CLASSIC: &[Group] = &[Group::X25519, Group::Secp256r1, Group::Secp384r1];
const QUANTUM: &[Group] = &[
    Group::X25519MlKem768,
    Group::Secp256r1MlKem768,
    Group::X25519,
    Group::Secp256r1,
    Group::Secp384r1,
];
const QUANTUM_FIPS: &[Group] =
    &[Group::X25519MlKem768, Group::Secp256r1MlKem768, Group::Secp256r1, Group::Secp384r1];

/// Every policy but `TLS_1_0`.
const POLICIES: [Policy; 11] = [
    policy("SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", BOTH, BOTH_GCM, QUANTUM),
    policy("TLS_1_2", ONE_2, GCM_12, CLASSIC),
    policy("SecurityPolicy_TLS13_1_3_2025_09", ONE_3, SUITES_13, QUANTUM),
    policy("SecurityPolicy_TLS13_1_3_FIPS_2025_09", ONE_3, FIPS_13, QUANTUM_FIPS),
    policy("SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09", BOTH, BOTH_FIPS, QUANTUM_FIPS),
    policy("SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09", BOTH, BOTH_FIPS, QUANTUM_FIPS),
    policy("SecurityPolicy_TLS13_1_2_PQ_2025_09", BOTH, BOTH_GCM, QUANTUM),
    policy("SecurityPolicy_TLS13_1_2_2021_06", BOTH, BOTH_GCM, CLASSIC),
    policy("SecurityPolicy_TLS13_2025_EDGE", ONE_3, SUITES_13, QUANTUM),
    policy("SecurityPolicy_TLS12_PFS_2025_EDGE", BOTH, BOTH_EDGE, QUANTUM),
    policy("SecurityPolicy_TLS12_2018_EDGE", BOTH, BOTH_EDGE, CLASSIC),
];

const fn policy(
    name: &'static str,
    versions: &'static [&'static SupportedProtocolVersion],
    suites: &'static [SupportedCipherSuite],
    groups: &'static [Group],
) -> Policy {
    Policy { name, versions, suites, groups }
}

impl Policy {
    /// The policy of a name.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some(policy) = POLICIES.iter().find(|policy| policy.name == name) {
            return Ok(*policy);
        }
        if name == "TLS_1_0" {
            return Err("TLS_1_0 would let clients speak TLS 1.0 and 1.1, which are broken; the \
                        least is TLS_1_2"
                .to_owned());
        }
        Err(format!("{name} is no security policy of API Gateway"))
    }

    /// All names that [`Policy::parse`] takes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        POLICIES.iter().map(|policy| policy.name)
    }

    /// The versions to speak.
    #[must_use]
    pub const fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        self.versions
    }

    /// AWS-LC, with this policy's suites and groups alone.
    #[must_use]
    pub fn provider(&self) -> Arc<CryptoProvider> {
        let kx_groups = self.groups.iter().map(|group| group.of_rustls()).collect();
        let cipher_suites = self.suites.to_vec();
        Arc::new(CryptoProvider { cipher_suites, kx_groups, ..aws_lc_rs::default_provider() })
    }
}

impl Default for Policy {
    /// Forward secrecy always, post-quantum where the client can, TLS 1.2 for those that cannot
    /// more.
    fn default() -> Self {
        POLICIES[0]
    }
}

impl Group {
    fn of_rustls(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::X25519MlKem768 => group::X25519MLKEM768,
            Self::Secp256r1MlKem768 => group::SECP256R1MLKEM768,
            Self::X25519 => group::X25519,
            Self::Secp256r1 => group::SECP256R1,
            Self::Secp384r1 => group::SECP384R1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_old_versions_are_refused() {
        for name in Policy::names() {
            assert_eq!(Policy::parse(name).unwrap().name, name);
        }
        assert!(Policy::parse("TLS_1_0").unwrap_err().contains("TLS_1_2"));
        assert!(Policy::parse("TLS_1_3").unwrap_err().contains("TLS_1_3 is no"));
    }
}
