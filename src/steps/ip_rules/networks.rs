//! Many networks, and whether an address lies in one of them.
//!
//! Which of the networks does not matter, so those that overlap or touch are joined: what is left
//! are ranges in order, each apart from the next. A lookup is a binary search over every 64th of
//! them (16,384 of a million: 64 KiB of IPv4), then among 64 that stand together.

use std::net::IpAddr;

use super::Network;

/// A set of addresses.
#[derive(Debug, Default)]
pub struct Networks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Ranges of one family.
#[derive(Debug)]
struct Ranges<A> {
    /// The first address of every [`STEP`]th range.
    guide: Box<[A]>,
    first: Box<[A]>,
    last: Box<[A]>,
}

const STEP: usize = 64;

/// The address behind this one.
trait Next: Copy + Ord {
    fn next(self) -> Option<Self>;
}

impl Next for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Next for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl<A> Default for Ranges<A> {
    fn default() -> Self {
        Self { guide: Box::default(), first: Box::default(), last: Box::default() }
    }
}

impl Networks {
    /// The set that these networks make together.
    #[must_use]
    pub fn compile(networks: Vec<Network>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                Network::V4(first, last) => v4.push((first, last)),
                Network::V6(first, last) => v6.push((first, last)),
            }
        }
        Self { v4: Ranges::compile(v4), v6: Ranges::compile(v6) }
    }

    /// Whether the address is in the set.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(u32::from(address)),
            IpAddr::V6(address) => self.v6.contains(u128::from(address)),
        }
    }
}

impl<A: Next> Ranges<A> {
    fn compile(mut ranges: Vec<(A, A)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(A, A)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if end.next().is_none_or(|next| first <= next) => {
                    *end = last.max(*end);
                }
                _ => joined.push((first, last)),
            }
        }
        Self {
            guide: joined.iter().step_by(STEP).map(|(first, _)| *first).collect(),
            first: joined.iter().map(|(first, _)| *first).collect(),
            last: joined.iter().map(|(_, last)| *last).collect(),
        }
    }

    fn contains(&self, address: A) -> bool {
        let Some(block) = self.guide.partition_point(|first| *first <= address).checked_sub(1)
        else {
            return false;
        };
        let start = block * STEP;
        let end = self.first.len().min(start + STEP);
        let within = self.first[start..end].partition_point(|first| *first <= address);
        // The block begins with one that is not behind the address.
        address <= self.last[start + within - 1]
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::base::limits::IP_NETWORKS_MAX;

    fn ranges(networks: &Networks) -> usize {
        networks.v4.first.len() + networks.v6.first.len()
    }

    #[test]
    fn networks_that_overlap_or_touch_are_one() {
        let compile = |texts: &[&str]| {
            Networks::compile(texts.iter().map(|text| Network::parse(text).unwrap()).collect())
        };
        assert_eq!(ranges(&compile(&["10.0.0.0/9", "10.128.0.0/9", "10.1.1.1"])), 1);
        assert_eq!(ranges(&compile(&["10.0.0.0/8", "12.0.0.0/8", "::1", "::3"])), 4);
        assert_eq!(ranges(&compile(&["0.0.0.0/0", "255.255.255.255", "10.0.0.0/8"])), 1);
        assert_eq!(ranges(&compile(&["128.0.0.0/1", "0.0.0.0/1"])), 1);
    }

    /// Any set of networks says what asking each of them would.
    #[test]
    fn a_set_is_what_its_networks_are() {
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..200_usize {
            let made: Vec<Network> = (0..round * 2)
                .map(|_| {
                    let bits = random.u32(20..=32);
                    let text = format!("10.{}.{}.{}/{bits}", random.u8(..4), random.u8(..), 7);
                    Network::parse(&text).unwrap()
                })
                .collect();
            let networks = Networks::compile(made.clone());
            for _ in 0..200 {
                let address = 0x0A00_0000 | random.u32(..0x0005_0000);
                let expected = made.iter().any(|network| match network {
                    Network::V4(first, last) => (*first..=*last).contains(&address),
                    Network::V6(..) => false,
                });
                assert_eq!(networks.contains(Ipv4Addr::from(address).into()), expected);
            }
        }
    }

    #[test]
    fn the_bound_is_kept_in_order_and_found_again() {
        let count = u32::try_from(IP_NETWORKS_MAX).unwrap();
        let half = count / 2;
        // Every other address: nothing can be joined.
        let v4 = (0..half).map(|at| Network::V4(at * 2, at * 2));
        let v6 = (0..half).map(|at| {
            let at = (0x2001_0DB8 << 96) | (u128::from(at) << 65);
            Network::V6(at, at)
        });
        let networks = Networks::compile(v4.chain(v6).collect());
        assert_eq!(ranges(&networks), IP_NETWORKS_MAX);
        for at in (0..half).step_by(997) {
            assert!(networks.contains(Ipv4Addr::from(at * 2).into()));
            assert!(!networks.contains(Ipv4Addr::from(at * 2 + 1).into()));
            let address = (0x2001_0DB8 << 96) | (u128::from(at) << 65);
            assert!(networks.contains(Ipv6Addr::from(address).into()));
            assert!(!networks.contains(Ipv6Addr::from(address + 1).into()));
        }
        assert!(!networks.contains(Ipv4Addr::from(u32::MAX).into()));
        assert!(!networks.contains(Ipv6Addr::from(0).into()));
        assert!(!networks.contains(Ipv6Addr::from(u128::MAX).into()));
    }
}
