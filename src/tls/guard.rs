//! Whether a request may reach its domain over the connection it came on.
//!
//! A client names a domain twice: in the handshake (SNI), which decides whether it must show a
//! certificate, and in each request (Host). The second may be another one: by HTTP/2's coalescing,
//! or on purpose.

use crate::base::fingerprint;

/// A domain, by its name: the same in all plans of a process, so that a connection made under one
/// plan is known under the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainKey(u64);

impl DomainKey {
    /// The key of a name such as `api.example.com` or `*.example.com`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(fingerprint(&name.trim_end_matches('.').to_ascii_lowercase()))
    }
}

/// What a domain asks of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The domain.
    pub key: DomainKey,
    /// `STRICT`: the name in the handshake must be the request's.
    pub strict: bool,
    /// Mutual TLS: the client must have shown a certificate, to this domain.
    pub mutual: bool,
}

/// What is known of a TLS connection.
#[derive(Clone, Copy, Debug)]
pub struct Shake<'c> {
    /// The name that the client came to.
    pub server_name: Option<&'c str>,
    /// The domain whose rules the handshake followed.
    pub domain: Option<DomainKey>,
    /// The client has shown a certificate, and it was checked.
    pub verified: bool,
}

/// Why a request may not reach its domain over its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Over another one it may: 421.
    Misdirected,
    /// Only clients with a certificate may: 403.
    Forbidden,
}

/// What each domain asks, by its place in the document.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    guards: Vec<Guard>,
    any: bool,
}

impl Guards {
    /// Adds the next domain's.
    pub fn push(&mut self, guard: Guard) {
        self.any |= guard.strict || guard.mutual;
        self.guards.push(guard);
    }

    /// No domain asks anything.
    #[must_use]
    pub const fn ask_nothing(&self) -> bool {
        !self.any
    }

    /// The guard of a domain.
    #[must_use]
    pub fn of(&self, place: usize) -> Option<&Guard> {
        self.guards.get(place)
    }
}

impl Guard {
    /// Whether a request to `host`, without its port, may go on, which belongs to this domain.
    /// `shake` gives `None` in plain text.
    ///
    /// # Errors
    /// See [`Breach`].
    pub fn check<'c>(
        &self,
        host: &[u8],
        shake: impl FnOnce() -> Option<Shake<'c>>,
    ) -> Result<(), Breach> {
        if !self.strict && !self.mutual {
            return Ok(());
        }
        let Some(shake) = shake() else {
            return Err(if self.mutual { Breach::Forbidden } else { Breach::Misdirected });
        };
        let same = is_same(host, shake.server_name);
        let proven = shake.verified && shake.domain == Some(self.key);
        if self.strict && !same || self.mutual && !proven {
            return Err(Breach::Misdirected);
        }
        Ok(())
    }

    /// Whether a connection made for this domain, by `name`, may carry a request to `host`.
    ///
    /// # Errors
    /// [`Breach::Misdirected`].
    pub fn keep(&self, host: &[u8], name: Option<&str>) -> Result<(), Breach> {
        if self.strict && !is_same(host, name) { Err(Breach::Misdirected) } else { Ok(()) }
    }
}

/// The host, without its port, is the name that the client came to.
fn is_same(host: &[u8], name: Option<&str>) -> bool {
    let host = host.strip_suffix(b".").unwrap_or(host);
    name.is_some_and(|name| host.eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A domain and what it asks; a host; the connection's name, domain and certificate.
    #[track_caller]
    fn check(
        (name, strict, mutual): (&str, bool, bool),
        host: &str,
        shake: Option<(&str, &str, bool)>,
        expected: Result<(), Breach>,
    ) {
        let guard = Guard { key: DomainKey::of(name), strict, mutual };
        let shake = shake.map(|(server_name, domain, verified)| Shake {
            server_name: (!server_name.is_empty()).then_some(server_name),
            domain: (!domain.is_empty()).then(|| DomainKey::of(domain)),
            verified,
        });
        assert_eq!(guard.check(host.as_bytes(), || shake), expected);
    }

    #[test]
    fn what_a_domain_asks_is_asked_of_the_connection() {
        let (misdirected, forbidden) = (Err(Breach::Misdirected), Err(Breach::Forbidden));
        let open = ("open.example", false, false);
        check(open, "open.example", None, Ok(()));
        check(open, "open.example", Some(("other.example", "other.example", false)), Ok(()));
        let strict = ("strict.example", true, false);
        check(strict, "strict.example", None, misdirected);
        check(strict, "strict.example", Some(("", "", false)), misdirected);
        check(strict, "strict.example", Some(("a.example", "", false)), misdirected);
        check(strict, "Strict.Example.", Some(("strict.example", "", false)), Ok(()));
        let mutual = ("Mutual.example", false, true);
        check(mutual, "mutual.example", None, forbidden);
        check(mutual, "mutual.example", Some(("mutual.example", "mutual.example", true)), Ok(()));
        // Coalesced, or a name in the handshake that asks for no certificate.
        check(mutual, "mutual.example", Some(("a.example", "a.example", false)), misdirected);
        let unasked = Some(("mutual.example", "mutual.example", false));
        check(mutual, "mutual.example", unasked, misdirected);
        // A certificate that another domain asked for was checked against its trust store.
        check(mutual, "mutual.example", Some(("a.example", "*.example", true)), misdirected);
        let both = ("*.example", true, true);
        check(both, "a.example", Some(("a.example", "*.example", true)), Ok(()));
        check(both, "a.example", Some(("b.example", "*.example", true)), misdirected);
        check(both, "a.example", None, forbidden);
    }
}
