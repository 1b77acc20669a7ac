//! Whether a route's authorizer lets a request in. What is checked is in `steps::authorize`; what
//! was verified a moment ago is in the shard's cache, where finding it allocates nothing.

use std::{rc::Rc, sync::Arc};

use super::{admission::Gate, forward, pipeline::Request};
use crate::{
    base::limits::{KEYS_WAIT, WEBHOOK_BODY_BYTES_MAX},
    http::Framing,
    steps::{
        authorize::{
            Authorizer, Demand,
            basic::{self, BasicAuthorizer},
            jwt::{IssuerKeys, JwtAuthorizer, KeySet, KeySource, Verified},
            principal::Principal,
            webhook::WebhookAuthorizer,
        },
        context::Facts,
        reject::{Client, Reject, TokenFault},
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
        let body = forward::collect_up_to(local, request, WEBHOOK_BODY_BYTES_MAX).await?;
        if body.len() > WEBHOOK_BODY_BYTES_MAX {
            return Err(Reject::Client(Client::BodyTooLarge));
        }
        authorizer.verify(fields, &body, now).map_err(refused)
    }

    /// Finds the token, verifies it if that is new, and asks for the route's scopes.
    async fn take_token(
        self,
        demand: &'c Demand,
        authorizer: &'c JwtAuthorizer,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        facts.record_scopes(demand.scopes());
        let refused = |fault| Reject::Client(Client::NotAuthorized(fault));
        let verified = self.verify(authorizer).await.map_err(refused)?;
        let verified = self.trail.token.get_or_init(|| verified);
        facts.record_claims(&verified.claims);
        demand.check_scopes(verified).map_err(refused)
    }

    async fn verify(self, authorizer: &JwtAuthorizer) -> Result<Rc<Verified>, TokenFault> {
        let query = self.head.target().query;
        let token = authorizer.source.find(self.head.fields(), query)?;
        match authorizer.keys() {
            IssuerKeys::Fixed(keys) => self.verify_with(authorizer, token, keys),
            IssuerKeys::Fetched(source) => self.verify_fetched(authorizer, token, source).await,
        }
    }

    /// A key that is not known may be new: then it is waited for, a bounded time, if the issuer was
    /// not asked a moment ago.
    async fn verify_fetched(
        self,
        authorizer: &JwtAuthorizer,
        token: &[u8],
        source: &Arc<KeySource>,
    ) -> Result<Rc<Verified>, TokenFault> {
        let local = self.local;
        let deadline = local.runtime.now() + KEYS_WAIT;
        loop {
            let page = local.issuers.page(source);
            let fault = match &page.keys {
                None => TokenFault::KeysUnavailable,
                Some(keys) => match self.verify_with(authorizer, token, keys) {
                    Err(TokenFault::UnknownKey) => TokenFault::UnknownKey,
                    done => return done,
                },
            };
            let now = local.runtime.now();
            if now >= deadline || !local.issuers.awaits(source, &page, now) {
                return Err(fault);
            }
            local.issuers.wait(local, deadline).await;
        }
    }

    fn verify_with(
        self,
        authorizer: &JwtAuthorizer,
        token: &[u8],
        keys: &KeySet,
    ) -> Result<Rc<Verified>, TokenFault> {
        let now = self.local.runtime.wall();
        let key = authorizer.cache_key(token, keys);
        let known = self.local.tokens.borrow_mut().find(&key, now);
        if let Some(verified) = known {
            return Ok(verified);
        }
        let verified = Rc::new(authorizer.verify(token, keys, now)?);
        self.local.tokens.borrow_mut().keep(key, Rc::clone(&verified));
        Ok(verified)
    }
}
