//! Whether a route's authorizer lets a request in. What is checked is in `steps::authorize`; what
//! was verified a moment ago is in the shard's cache, where finding it allocates nothing.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use super::{admission::Gate, forward, pace::Overlong, pipeline::Request, proofs::Crowd};
use crate::{
    base::limits::{KEYS_WAIT, WEBHOOK_BODY_BYTES_MAX},
    http::Framing,
    steps::{
        authorize::{
            Authorizer, Demand,
            basic::{self, BasicAuthorizer},
            jwt::{CacheKey, Candidate, IssuerKeys, JwtAuthorizer, KeySet, KeySource, Verified},
            principal::Principal,
            webhook::WebhookAuthorizer,
        },
        context::Facts,
        reject::{Client, Ours, Reject, TokenFault},
    },
};

impl<'c> Gate<'_, 'c> {
    /// Lets the caller in, or says why not. Whoever signed has policies of its own, which are still
    /// to be asked.
    pub(super) async fn authorize(
        self,
        demand: &'c Demand,
        request: &mut Request<'c>,
        facts: &mut Facts<'c>,
    ) -> Result<Option<&'c Principal>, Reject> {
        match &*demand.authorizer {
            Authorizer::Jwt(authorizer) => self.take_token(demand, authorizer, facts).await?,
            Authorizer::Basic(authorizer) => self.take_password(authorizer, facts).await?,
            Authorizer::Webhook(authorizer) => self.take_signature(authorizer, request).await?,
            Authorizer::Iam => return self.take_signed(request, facts).await.map(Some),
        }
        Ok(None)
    }

    /// Finds user and password, and has them verified elsewhere if that is new.
    async fn take_password(
        self,
        authorizer: &'c BasicAuthorizer,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        facts.record_realm(authorizer.realm());
        let refused = |fault| Reject::Client(Client::NotAUser(fault));
        let credentials = basic::find(self.head.fields()).map_err(refused)?;
        let (local, source) = (self.local, facts.arrival.source);
        let user = local.passwords.check(&local.runtime, authorizer, &credentials, source).await;
        facts.record_principal(user.map_err(refused)?);
        Ok(())
    }

    /// Reads the body whole, unless the head is refused already, and verifies its signature.
    async fn take_signature(
        self,
        authorizer: &WebhookAuthorizer,
        request: &mut Request<'c>,
    ) -> Result<(), Reject> {
        let refused = |fault| Reject::Client(Client::Unsigned(fault));
        let (local, fields) = (self.local, self.head.fields());
        let now = local.runtime.wall();
        authorizer.check_form(fields, now).map_err(refused)?;
        if let Framing::Length(bytes) = self.head.framing
            && bytes > WEBHOOK_BODY_BYTES_MAX as u64
        {
            return Err(Reject::Client(Client::BodyTooLarge));
        }
        let (most, held) = (WEBHOOK_BODY_BYTES_MAX, &local.unjudged);
        let _held = forward::collect_whole(local, request, most, held).await?;
        let body = request.body.begun();
        if body.len() > WEBHOOK_BODY_BYTES_MAX {
            return Err(Reject::Client(Client::BodyTooLarge));
        }
        authorizer.verify(fields, body, now).map_err(refused)
    }

    /// Finds the token, verifies it if that is new, and asks for the route's scopes.
    async fn take_token(
        self,
        demand: &'c Demand,
        authorizer: &'c JwtAuthorizer,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        facts.record_scopes(demand.scopes());
        let refused = |fault| Reject::Client(Client::NotAuthorized(authorizer.catalogue(), fault));
        let verified =
            self.verify(authorizer, facts.arrival.source).await.map_err(|fault| match fault {
                Fault::Token(fault) => refused(fault),
                Fault::Overlong => Reject::Ours(Ours::Overloaded),
            })?;
        let verified = self.trail.token.get_or_init(|| verified);
        facts.record_claims(&verified.claims);
        demand.check_scopes(verified).map_err(refused)
    }

    async fn verify(
        self,
        authorizer: &JwtAuthorizer,
        source: IpAddr,
    ) -> Result<Rc<Verified>, Fault> {
        let query = self.head.target().query;
        let token = authorizer.source.find(self.head.fields(), query)?;
        let key = self.local.tokens.borrow().key(token, authorizer.id());
        if let Some(verified) = self.remembered(authorizer, &key) {
            return Ok(verified);
        }
        let issuer = authorizer.choose(token)?;
        let asked = Asked { authorizer, issuer, token, key, source };
        match &authorizer.issuers()[usize::from(issuer)].keys {
            IssuerKeys::Fixed(keys) => self.verify_with(asked, keys).await,
            IssuerKeys::Fetched(source) => self.verify_fetched(asked, source).await,
        }
    }

    /// A token that was verified, by a key set that is still its issuer's.
    fn remembered(self, authorizer: &JwtAuthorizer, key: &CacheKey<'_>) -> Option<Rc<Verified>> {
        let local = self.local;
        let verified = local.tokens.borrow_mut().find(key, local.runtime.wall())?;
        let current = match &authorizer.issuers()[usize::from(verified.issuer)].keys {
            IssuerKeys::Fixed(keys) => keys.id(),
            IssuerKeys::Fetched(source) => local.issuers.key_set(source)?,
        };
        (current == verified.key_set).then_some(verified)
    }

    /// A key that is not known may be new: then it is waited for, a bounded time, if the issuer was
    /// not asked a moment ago.
    async fn verify_fetched(
        self,
        asked: Asked<'_>,
        source: &Arc<KeySource>,
    ) -> Result<Rc<Verified>, Fault> {
        let local = self.local;
        let deadline = local.runtime.now() + KEYS_WAIT;
        loop {
            let page = local.issuers.page(source);
            let fault = match &page.keys {
                None => TokenFault::KeysUnavailable,
                Some(keys) => match self.verify_with(asked, keys).await {
                    Err(Fault::Token(TokenFault::UnknownKey)) => TokenFault::UnknownKey,
                    done => return done,
                },
            };
            let now = local.runtime.now();
            if now >= deadline || !local.issuers.awaits(source, &page, now) {
                return Err(fault.into());
            }
            local.issuers.wait(local, deadline).await;
        }
    }

    /// Verifies a token when its turn has come; by then another request may have done it.
    async fn verify_with(
        self,
        asked: Asked<'_>,
        keys: &Arc<KeySet>,
    ) -> Result<Rc<Verified>, Fault> {
        let Asked { authorizer, issuer, token, key, .. } = asked;
        let local = self.local;
        let candidate = authorizer.prepare(token, issuer, keys)?;
        if local.pace.is_slow(&candidate) && local.signatures.are_taken() {
            // In a box: seldom, and large, and others should not carry it.
            return Box::pin(self.verify_elsewhere(asked, &candidate, keys)).await;
        }
        let permit = local.pace.wait(&local.runtime, local.pace.cost(&candidate)).await?;
        if let Some(verified) = self.remembered(authorizer, &key) {
            permit.unused();
            return Ok(verified);
        }
        let started = local.runtime.driver().clock();
        let verified = authorizer.complete(&candidate, local.runtime.wall());
        let took = local.runtime.driver().clock().since(started);
        drop(permit);
        if !matches!(verified, Err(TokenFault::Signature)) {
            local.pace.learn(&candidate, took);
        }
        let verified = Rc::new(verified?);
        local.tokens.borrow_mut().keep(&key, Rc::clone(&verified));
        Ok(verified)
    }

    /// Has another thread verify the signature, which takes more than a turn has for all of them.
    async fn verify_elsewhere(
        self,
        asked: Asked<'_>,
        candidate: &Candidate<'_, '_>,
        keys: &Arc<KeySet>,
    ) -> Result<Rc<Verified>, Fault> {
        let Asked { authorizer, token, key, source, .. } = asked;
        let local = self.local;
        let question = |source| authorizer.question(token, keys, source);
        let claim = candidate.claim(token);
        let checked = local.signatures.check(&local.runtime, (claim, source), question).await;
        let (is_signed, took) = checked?;
        if is_signed {
            local.pace.learn(candidate, took);
        }
        if let Some(verified) = self.remembered(authorizer, &key) {
            return Ok(verified);
        }
        let verified = authorizer.conclude(candidate, is_signed, local.runtime.wall())?;
        let verified = Rc::new(verified);
        local.tokens.borrow_mut().keep(&key, Rc::clone(&verified));
        Ok(verified)
    }
}

/// A token that is not remembered.
#[derive(Clone, Copy)]
struct Asked<'t> {
    authorizer: &'t JwtAuthorizer,
    issuer: u8,
    token: &'t [u8],
    key: CacheKey<'t>,
    /// Who brings it.
    source: IpAddr,
}

/// Why nobody is let in.
enum Fault {
    Token(TokenFault),
    /// Too many tokens wait to be verified.
    Overlong,
}

impl From<TokenFault> for Fault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<Crowd> for Fault {
    fn from(_: Crowd) -> Self {
        Self::Overlong
    }
}

impl From<Overlong> for Fault {
    fn from(_: Overlong) -> Self {
        Self::Overlong
    }
}
