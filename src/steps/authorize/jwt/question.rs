//! A token's signature as a question for another thread: by a key that takes long, what a shard has
//! no time for.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::digest;

use super::{Algorithms, KeySet, token::Unverified};
use crate::steps::authorize::proof;

/// Tells a token under a set of keys from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignatureClaim([u8; 32]);

/// Whether a token is signed by the key of a set that it names.
pub struct SignatureQuestion {
    claim: SignatureClaim,
    source: IpAddr,
    keys: Arc<KeySet>,
    algorithms: Algorithms,
    token: Box<[u8]>,
}

impl SignatureClaim {
    pub(super) fn new(token: &[u8], key_set: u128) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&key_set.to_be_bytes());
        context.update(token);
        Self(context.finish().as_ref().try_into().expect("it has 32 bytes"))
    }
}

impl SignatureQuestion {
    pub(super) fn new(
        token: &[u8],
        keys: &Arc<KeySet>,
        algorithms: Algorithms,
        source: IpAddr,
    ) -> Self {
        let claim = SignatureClaim::new(token, keys.id());
        Self { claim, source, keys: Arc::clone(keys), algorithms, token: token.into() }
    }
}

impl Drop for SignatureQuestion {
    fn drop(&mut self) {
        self.token.fill(0);
    }
}

impl proof::Question for SignatureQuestion {
    type Claim = SignatureClaim;

    fn claim(&self) -> SignatureClaim {
        self.claim
    }

    fn source(&self) -> IpAddr {
        self.source
    }

    fn answer(&self) -> bool {
        let token = Unverified::parse(&self.token, self.algorithms);
        token.and_then(|token| self.keys.choose(&token)?.verify(&token)).is_ok()
    }
}
