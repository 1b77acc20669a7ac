//! What takes too long to be found out by a shard: a question that a thread of the process answers
//! in its stead, and what it says. Who asks whom is `gateway::proofs` and `serve::proofs`.

use std::{hash::Hash, net::IpAddr, time::Duration};

/// Whether something is so, for a thread that has the time.
pub trait Question: Send + 'static {
    /// Tells what is asked from all else that could be.
    type Claim: Copy + Eq + Hash + Send + 'static;

    /// What it is about.
    fn claim(&self) -> Self::Claim;

    /// Who asks: questions of one address wait for one another, and not for those of others.
    fn source(&self) -> IpAddr;

    /// Finds out.
    fn answer(&self) -> bool;
}

/// What was found out.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<C> {
    /// What was asked.
    pub claim: C,
    /// Whether it is so.
    pub holds: bool,
    /// How long that took.
    pub took: Duration,
}

/// Whose questions wait for one another: IPv6 clients have networks of 64 bits.
#[must_use]
pub fn neighbourhood(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(bits.into())
        }
        address => address,
    }
}
