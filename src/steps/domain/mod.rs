//! Custom domain names (`api-gateway.md` 1.7): which domain a host belongs to.
//!
//! A host is found as it is sent, without its port: in any case, with or without the dot of the
//! root at its end. An exact name wins over a wildcard.

mod hosts;
mod name;

pub use name::DomainName;

use self::hosts::Hosts;

/// A domain's position in the document's list of domain names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainId(pub u32);

/// The custom domains, to be found by host.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    names: Vec<DomainName>,
    hosts: Hosts,
}

impl Domains {
    /// Compiles the domains of a document; [`DomainId`] counts in its order.
    ///
    /// # Errors
    /// One sentence for each name that stands twice.
    pub fn compile(names: Vec<DomainName>) -> Result<Self, Vec<String>> {
        let hosts = Hosts::compile(&names)?;
        Ok(Self { names, hosts })
    }

    /// The domain that a host (without a port) belongs to. Does not allocate; takes any bytes.
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Option<DomainId> {
        self.hosts.find(host, &self.names)
    }

    /// The names, in the document's order.
    #[must_use]
    pub fn names(&self) -> &[DomainName] {
        &self.names
    }
}
