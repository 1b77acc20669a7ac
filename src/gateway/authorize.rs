//! Whether a route's authorizer lets a request in. What is checked is in `steps::authorize`; what
//! was verified a moment ago is in the shard's cache, where finding it allocates nothing.

use std::rc::Rc;

use super::admission::Gate;
use crate::steps::{
    authorize::{Demand, Verified},
    context::Facts,
    reject::{Client, Reject, TokenFault},
};

impl<'c> Gate<'_, 'c> {
    /// Finds the token, verifies it if that is new, and asks for the route's scopes.
    pub(super) fn authorize(self, demand: &'c Demand, facts: &mut Facts<'c>) -> Result<(), Reject> {
        facts.record_scopes(demand.scopes());
        let refused = |fault| Reject::Client(Client::NotAuthorized(fault));
        let verified = self.verify(demand).map_err(refused)?;
        let verified = self.token.get_or_init(|| verified);
        facts.record_claims(&verified.claims);
        demand.check_scopes(verified).map_err(refused)
    }

    fn verify(self, demand: &Demand) -> Result<Rc<Verified>, TokenFault> {
        let authorizer = &demand.authorizer;
        let query = self.head.target().query;
        let token = authorizer.source.find(self.head.fields(), query)?;
        let now = self.local.runtime.wall();
        let key = authorizer.cache_key(token);
        let known = self.local.tokens.borrow_mut().find(&key, now);
        if let Some(verified) = known {
            return Ok(verified);
        }
        let verified = Rc::new(authorizer.verify(token, now)?);
        self.local.tokens.borrow_mut().keep(key, Rc::clone(&verified));
        Ok(verified)
    }
}
