//! A request that is to be signed (`AWS_IAM`): its signature is judged before anything goes to the
//! integration. What is checked is in `steps::authorize::iam`.
//!
//! Where the head says the body's hash, in `x-amz-content-sha256`, that is what was signed: the
//! head is judged at once, and the body is hashed on its way ([`BodyHash`]), its last piece held
//! back until the hash is known. Else the body is read whole first, as far as the shard has room.

use super::{
    admission::Gate,
    body::BodyHash,
    forward::{self, RequestBody},
    pipeline::Request,
};
use crate::{
    base::limits::REQUEST_BODY_BYTES_MAX,
    http::Framing,
    steps::{
        authorize::{
            iam::{Canonical, Claim, Fault, SERVICE, Signed, Told, payload, unsigned_query},
            principal::{AccessKey, Principal},
        },
        context::Facts,
        reject::{Client, Reject},
    },
};

impl<'c> Gate<'_, 'c> {
    /// Finds out who signed the request, and whether it is what was signed.
    pub(super) async fn take_signed(
        self,
        request: &mut Request<'c>,
        facts: &mut Facts<'c>,
    ) -> Result<&'c Principal, Reject> {
        let target = self.head.target();
        let signed = Signed {
            method: self.head.method.as_str(),
            path: target.path,
            query: target.query,
            fields: self.head.fields(),
        };
        let claim = Claim::read(&signed)
            .map_err(|fault| self.not_signed(fault, &signed, (None, None), facts))?;
        let refuse = |fault, canonical, facts: &mut Facts<'c>| {
            self.not_signed(fault, &signed, (Some(&claim), canonical), facts)
        };
        let key = match self.check_head(&claim, &signed) {
            Ok(key) => key,
            Err(fault) => return Err(refuse(fault, None, facts)),
        };
        let payload = match (payload::said(signed.fields), &mut request.body) {
            (Some(said), RequestBody::Arriving(arriving)) => {
                arriving.rest.expect_hash(BodyHash::new(said));
                payload::hex(&said)
            }
            _ => self.hash_body(request).await?,
        };
        let (canonical, outcome) = Canonical::judge(&claim, &signed, &payload, key.secret());
        if let Err(fault) = outcome {
            return Err(refuse(fault, Some(&canonical), facts));
        }
        if claim.is_presigned() {
            self.trail.query.get_or_init(|| unsigned_query(target.query.unwrap_or_default()));
        }
        let principal = self.installed.plan.principals().owner(key);
        facts.record_identity(key.identity(principal));
        Ok(principal)
    }

    /// What can be said before the body is there.
    fn check_head(self, claim: &Claim<'_>, signed: &Signed<'_>) -> Result<&'c AccessKey, Fault> {
        let (plan, now) = (&self.installed.plan, self.local.runtime.wall());
        claim.check(signed, (plan.region(), SERVICE), now)?;
        plan.principals().find(&claim.key_id, claim.token.as_deref(), now)
    }

    /// Reads the body whole and hashes it. Whoever has no room left for it is told to come again.
    async fn hash_body(self, request: &mut Request<'c>) -> Result<String, Reject> {
        if let Framing::Length(bytes) = self.head.framing
            && bytes > REQUEST_BODY_BYTES_MAX
        {
            return Err(Reject::Client(Client::BodyTooLarge));
        }
        let (local, held) = (self.local, &self.local.unjudged);
        let _held = forward::collect_whole(local, request, usize::MAX, held).await?;
        Ok(payload::hex(&payload::of(request.body.begun())))
    }

    fn not_signed(
        self,
        fault: Fault,
        signed: &Signed<'_>,
        (claim, canonical): (Option<&Claim<'_>>, Option<&Canonical>),
        facts: &mut Facts<'c>,
    ) -> Reject {
        let now = self.local.runtime.wall();
        let told =
            Told { region: self.installed.plan.region(), signed: *signed, claim, canonical, now };
        facts.record_words(self.trail.words.get_or_init(|| told.body(fault)));
        Reject::Client(Client::NotSigned(fault))
    }
}
