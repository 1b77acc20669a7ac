//! The two moments at which policies are asked (`api-gateway.md` 1.9, 3.2): before the authorizer,
//! whether the API's policy denies a request whoever makes it; after it, what all policies come to.
//! What they say is in `steps::authorize::policy`. The ARN is made in the shard's own buffer.

use super::{admission::Gate, pipeline::Request};
use crate::{
    base::limits::METHOD_ARN_BYTES_MAX,
    http::Name,
    steps::{
        authorize::{
            policy::{self, Action, Asked, Conditions, Decision, MethodArn, Policy},
            principal::Principal,
        },
        context::Facts,
        reject::{Client, Denial, Reject},
    },
};

impl<'c> Gate<'_, 'c> {
    /// Refuses what the policy denies to everybody, before anything is spent on finding out who
    /// calls.
    pub(super) fn check_denied(
        self,
        policy: &Policy,
        request: &Request<'c>,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        self.ask_policies(request, None, facts, |asked| match policy.forbids(asked) {
            true => Decision::Refuse(Denial::Explicit),
            false => Decision::Allow,
        })
    }

    /// Refuses what policies do not let in: the API's, and those of the principal that signed, if
    /// one did.
    pub(super) fn check_allowed(
        self,
        principal: Option<&Principal>,
        request: &Request<'c>,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        let api = self.api;
        let account = api.arn.split(':').nth(4).unwrap_or_default();
        let policy = api.policy.as_deref();
        self.ask_policies(request, principal, facts, |asked| policy::judge(policy, account, asked))
    }

    /// Asks for each reading of the request's path; all have to be allowed.
    fn ask_policies(
        self,
        request: &Request<'c>,
        principal: Option<&Principal>,
        facts: &mut Facts<'c>,
        decide: impl Fn(&Asked<'_>) -> Decision,
    ) -> Result<(), Reject> {
        let (fields, arrival) = (self.head.fields(), &facts.arrival);
        let mut referers = fields.all(Name::Referer);
        let conditions = Conditions {
            now: arrival.received,
            source_ip: arrival.source_ip,
            user_agent: fields.find(Name::UserAgent),
            referer: referers.next().filter(|_| referers.next().is_none()),
            is_secure: request.seat.origin.is_secure(fields),
            labels: arrival.listener_labels,
        };
        let mut buffer = self.local.arn.borrow_mut();
        let method = self.head.method.as_str().as_bytes();
        let arn =
            MethodArn::new(&mut buffer, &self.api.arn, self.stage.name.as_str(), method, self.path);
        if arn.readings().any(|reading| reading.len() > METHOD_ARN_BYTES_MAX) {
            return Err(Reject::Client(Client::TargetTooLong));
        }
        let refused = arn.readings().find_map(|resource| {
            let asked = Asked { action: Action::Invoke, resource, principal, conditions };
            match decide(&asked) {
                Decision::Allow => None,
                Decision::Refuse(denial) => Some(denial),
            }
        });
        let Some(denial) = refused else { return Ok(()) };
        let sent = arn.readings().next().unwrap_or_default();
        let words = policy::refusal(principal, Action::Invoke, sent, denial);
        facts.record_words(self.trail.words.get_or_init(|| words));
        Err(Reject::Client(Client::AccessDenied(denial)))
    }
}
