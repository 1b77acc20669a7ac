//! Asking the limits of a request one after the other; what was taken is given back when a later
//! one refuses, so that a refused request costs nothing.

use std::net::IpAddr;

use super::{By, Limit, LimitIndex, Mode};
use crate::{
    base::{Moment, WallTime, limits::OWN_LIMITS_MAX},
    http::Fields,
    ledger::{AccountId, Ledger, Paid, Purse, QuotaTerms, Spent, Subject},
    steps::context::Claims,
};

/// Limits that one request may come under at a time: of Ringway's own those by claims, and AWS's
/// four.
const LIMITS_MAX: usize = OWN_LIMITS_MAX + 4;
const _: () = assert!(LIMITS_MAX <= u64::BITS as usize);

/// Whose request it is, as limits tell callers apart.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The client's address, as text.
    pub source_ip: &'a [u8],
    /// The head's fields.
    pub fields: Fields<'a>,
    /// Of the API key; zero without one.
    pub key: Subject,
    /// What the caller's token says.
    pub claims: Option<&'a Claims>,
}

/// What a request comes under.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The plan's limits.
    pub table: &'a [Limit],
    /// A quota's account, asked first.
    pub quota: Option<(AccountId, &'a QuotaTerms)>,
    /// A key's throttles, of the method and in all.
    pub of_key: [Option<LimitIndex>; 2],
    /// The others, in order.
    pub others: &'a [LimitIndex],
    /// Whose request it is.
    pub caller: Caller<'a>,
}

/// Of a request's limits those, by their place, under which it holds a place in flight: not under
/// one that is dry and would have refused it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held(pub(super) u64);

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on, and holds these places among the requests in flight.
    Admitted(Held),
    /// This limit has no token before this time.
    Throttled(LimitIndex, Moment),
    /// The quota of its period is used up.
    QuotaExceeded,
    /// The quota's journal has to promise first: ask again then.
    Unreserved,
}

impl Held {
    /// Whether it holds no place.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<'a> Asked<'a> {
    /// Asks all limits. `dry` is told of those that would have refused.
    pub fn admit(
        &self,
        purse: &mut Purse,
        now: Moment,
        wall: WallTime,
        mut dry: impl FnMut(LimitIndex),
    ) -> Verdict {
        let counted = match self.quota.map(|(id, terms)| purse.spend(id, terms, now, wall)) {
            None => None,
            Some(Spent::Counted(paid)) => Some(paid),
            Some(Spent::Exhausted) => return Verdict::QuotaExceeded,
            Some(Spent::Unreserved) => return Verdict::Unreserved,
        };
        let mut paid = [None; LIMITS_MAX];
        let mut held = Held::default();
        for (place, (index, limit)) in self.limits().enumerate() {
            let Some(paid_here) = paid.get_mut(place) else { break };
            let account = self.account(limit, purse);
            match purse.take(account, &limit.terms, now) {
                Ok(taken) => {
                    *paid_here = Some(taken);
                    held.0 |= u64::from(taken == Paid::Place) << place;
                }
                Err(_) if limit.mode == Mode::DryRun => dry(index),
                Err(until) => {
                    self.give_back(purse, &paid[..place]);
                    if let Some(((id, _), counted)) = self.quota.zip(counted) {
                        purse.unspend(id, counted);
                    }
                    return Verdict::Throttled(index, until);
                }
            }
        }
        Verdict::Admitted(held)
    }

    /// The accounts in which an admitted request holds a place until it ends.
    pub fn places(&self, held: Held, purse: &Purse) -> Vec<AccountId> {
        let limits = self.limits().take(LIMITS_MAX).enumerate();
        let held = limits.filter(|(place, _)| held.0 >> place & 1 == 1);
        held.map(|(_, (_, limit))| self.account(limit, purse)).collect()
    }

    /// The limits, in the order that they are asked in.
    pub fn limits(&self) -> impl Iterator<Item = (LimitIndex, &'a Limit)> {
        let indices = self.of_key.into_iter().flatten().chain(self.others.iter().copied());
        let table = self.table;
        indices.map(move |index| (index, &table[index.0 as usize]))
    }

    /// The caller's account under a limit.
    pub fn account(&self, limit: &Limit, purse: &Purse) -> AccountId {
        AccountId::new(limit.id, self.caller.subject(&limit.by, purse.ledger()))
    }

    fn give_back(&self, purse: &mut Purse, paid: &[Option<Paid>]) {
        for ((_, limit), paid) in self.limits().zip(paid) {
            if let Some(paid) = paid {
                let account = self.account(limit, purse);
                purse.give_back(account, *paid);
            }
        }
    }
}

impl Caller<'_> {
    /// For whom a limit keeps the account that the caller's requests are counted in.
    #[must_use]
    pub fn subject(&self, by: &By, ledger: &Ledger) -> Subject {
        match by {
            By::All => Subject(0),
            By::Key => self.key,
            By::Address { ipv4_prefix, ipv6_prefix } => {
                match std::str::from_utf8(self.source_ip).ok().and_then(|text| text.parse().ok()) {
                    Some(address) => network(address, *ipv4_prefix, *ipv6_prefix),
                    // A trusted proxy may say a name, or `unknown` (RFC 7239 6).
                    None => ledger.subject_of(self.source_ip),
                }
            }
            By::Header(name) => match self.fields.named(name).next() {
                Some(value) => ledger.subject_of(value),
                None => Subject(0),
            },
            By::Claim(name) => match self.claims.and_then(|claims| claims.find(name)) {
                Some(value) => ledger.subject_of(value.as_bytes()),
                None => Subject(0),
            },
        }
    }
}

/// The network of an address. An IPv4 address in an IPv6 one is the same client.
fn network(address: IpAddr, ipv4_prefix: u8, ipv6_prefix: u8) -> Subject {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let bits = u32::from(address);
            let kept = bits & u32::MAX.checked_shl(32 - u32::from(ipv4_prefix)).unwrap_or(0);
            // As IPv6 writes it (RFC 4291 2.5.5.2), so that it is no IPv6 network's.
            Subject(0xffff_0000_0000 | u128::from(kept))
        }
        IpAddr::V6(address) => {
            let bits = u128::from(address);
            Subject(bits & u128::MAX.checked_shl(128 - u32::from(ipv6_prefix)).unwrap_or(0))
        }
    }
}
