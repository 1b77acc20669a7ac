//! Which client addresses may come at all: Ringway's own lists of networks that are allowed or
//! denied. AWS has this in resource policies and in WAF only.
//!
//! A rule is asked with the client's address as it was found (`Origin::source_ip`). A deny wins
//! over an allow, however long their prefixes are; a rule that allows somebody refuses everybody
//! else. Not here: files, and which routes a rule is about (`config`, `plan`).

mod network;
mod networks;

use std::net::IpAddr;

use crate::steps::reject::AddressFault;

pub use network::{Network, NetworkFault};
pub use networks::Networks;

/// A rule, compiled.
#[derive(Debug, Default)]
pub struct IpRule {
    /// Its name, in the log and in metrics.
    pub name: String,
    /// Who is let through; everybody, when nothing is said.
    allow: Option<Networks>,
    deny: Networks,
}

impl IpRule {
    /// Compiles one: who is let through (`None`: everybody), and who of them is not.
    #[must_use]
    pub fn compile(name: String, allow: Option<Vec<Network>>, deny: Vec<Network>) -> Self {
        Self { name, allow: allow.map(Networks::compile), deny: Networks::compile(deny) }
    }

    /// Whether a client of this address may come. One of IPv4 within IPv6 is one of IPv4.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, source: IpAddr) -> Result<(), AddressFault> {
        let source = source.to_canonical();
        if self.deny.contains(source) {
            return Err(AddressFault::Denied);
        }
        match &self.allow {
            Some(allow) if !allow.contains(source) => Err(AddressFault::NotAllowed),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| Network::parse(text).unwrap()).collect()
    }

    #[track_caller]
    fn check(
        allow: Option<&[&str]>,
        deny: &[&str],
        source: &str,
        expected: Result<(), AddressFault>,
    ) {
        let rule = IpRule::compile("it".to_owned(), allow.map(networks), networks(deny));
        assert_eq!(rule.check(source.parse().unwrap()), expected, "{source}");
    }

    #[test]
    fn a_deny_wins_and_an_allow_refuses_the_others() {
        use AddressFault::{Denied, NotAllowed};
        let office: Option<&[&str]> = Some(&["10.0.0.0/8", "2001:db8::/32"]);
        let deny = &["10.6.6.0/24"];
        check(office, deny, "10.1.2.3", Ok(()));
        check(office, deny, "10.6.6.6", Err(Denied));
        check(office, deny, "10.6.7.0", Ok(()));
        check(office, deny, "11.0.0.0", Err(NotAllowed));
        check(office, deny, "9.255.255.255", Err(NotAllowed));
        check(office, deny, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Ok(()));
        check(office, deny, "2001:db9::", Err(NotAllowed));
        // Longer or shorter, a deny wins.
        check(Some(&["10.6.6.6"]), deny, "10.6.6.6", Err(Denied));
        check(None, deny, "10.6.6.255", Err(Denied));
        check(None, deny, "192.0.2.1", Ok(()));
        check(Some(&[]), &[], "192.0.2.1", Err(NotAllowed));
        check(None, &[], "::1", Ok(()));
    }

    #[test]
    fn an_address_of_ipv4_within_ipv6_is_one_of_ipv4() {
        use AddressFault::{Denied, NotAllowed};
        check(None, &["10.0.0.0/8"], "::ffff:10.1.1.1", Err(Denied));
        check(None, &["::ffff:10.0.0.0/104"], "10.1.1.1", Err(Denied));
        check(None, &["::ffff:10.1.1.1"], "10.1.1.1", Err(Denied));
        check(None, &["::/0"], "10.1.1.1", Ok(()));
        check(Some(&["::/0"]), &[], "::ffff:10.1.1.1", Err(NotAllowed));
        check(None, &["0.0.0.0/0"], "::ffff:10.1.1.1", Err(Denied));
        check(None, &["0.0.0.0/0"], "::10.1.1.1", Ok(()));
    }
}
