//! Which API and which of its stages answer: by custom domain, else by `x-apigw-api-id`, by the
//! host `{apiId}.execute-api.*` or `{apiId}-{label}.execute-api.*`, or as the only API there is
//! (`api-gateway.md` 1.5 to 1.8).
//!
//! A custom domain goes first: no header that a client sends leads around what it is mapped to.

use super::{Api, ExecuteApiEndpoint, OtherHosts, Plan, Stage};
use crate::{
    http::{Fields, Name},
    steps::{
        context::CustomDomain,
        domain::DomainId,
        endpoint::{Access, LABEL_BYTES_MAX, LabelSet},
        reject::{Catalogue, Client, Reject},
        stage,
    },
    tls::{Breach, Shake},
};

/// Who answers a request.
#[derive(Clone, Copy)]
pub struct Selected<'p, 'r> {
    /// The API.
    pub api: &'p Api,
    /// Its stage.
    pub stage: &'p Stage,
    /// What the stage's routes see of the path.
    pub path: &'r [u8],
    /// The custom domain that the host belongs to.
    pub domain: Option<DomainId>,
    /// What it matched.
    pub matched: CustomDomain<'p>,
}

impl Plan {
    /// Whether the domain that the host belongs to may be reached over the connection that the
    /// request came on; `shake` gives `None` for plain text. Asked before anything is told of what
    /// the domain leads to.
    ///
    /// # Errors
    /// [`Client::Misdirected`], [`Client::Uncertified`].
    #[inline]
    pub fn admit<'c>(
        &self,
        host: &[u8],
        shake: impl FnOnce() -> Option<Shake<'c>>,
    ) -> Result<(), Reject> {
        if self.guards.ask_nothing() {
            return Ok(());
        }
        let guard_of = |host: &[u8]| {
            self.domains.find(host).and_then(|domain| self.guards.of(domain.0 as usize))
        };
        let shake = shake();
        let of_host = guard_of(host).map_or(Ok(()), |guard| guard.check(host, || shake));
        // A connection that was made for a STRICT domain is for no other one.
        let name = shake.and_then(|shake| shake.server_name);
        let of_name = name.and_then(|name| guard_of(name.as_bytes()));
        let breach = of_host.and_then(|()| of_name.map_or(Ok(()), |guard| guard.keep(host, name)));
        breach.map_err(|breach| {
            Reject::Client(match breach {
                Breach::Misdirected => Client::Misdirected,
                Breach::Forbidden => Client::Uncertified,
            })
        })
    }

    /// The stage for a request with these fields to this host (without the port) and path, which
    /// came by a listener with these labels.
    ///
    /// # Errors
    /// [`Client::NoMapping`], [`Client::NoApi`], [`Client::EndpointDisabled`],
    /// [`Client::NotOnThisListener`], [`Client::NoStage`].
    #[inline]
    pub fn select<'p, 'r>(
        &'p self,
        fields: Fields<'_>,
        host: &[u8],
        path: &'r [u8],
        listener: impl FnOnce() -> LabelSet,
    ) -> Result<Selected<'p, 'r>, Reject> {
        match self.domains.find(host) {
            Some(domain) => self.select_mapped(domain, fields, path, listener),
            None => self.select_own(fields, host, path, listener),
        }
    }

    fn select_mapped<'p, 'r>(
        &'p self,
        domain: DomainId,
        fields: Fields<'_>,
        path: &'r [u8],
        listener: impl FnOnce() -> LabelSet,
    ) -> Result<Selected<'p, 'r>, Reject> {
        let mapped = self.domains.domain(domain).map(path, fields)?;
        let api = &self.apis[mapped.destination.api];
        api.access.admit(listener)?;
        let stage = &api.stages[mapped.destination.stage];
        let (path, matched) = (mapped.path, mapped.matched);
        Ok(Selected { api, stage, path, domain: Some(domain), matched })
    }

    fn select_own<'p, 'r>(
        &'p self,
        fields: Fields<'_>,
        host: &[u8],
        path: &'r [u8],
        listener: impl FnOnce() -> LabelSet,
    ) -> Result<Selected<'p, 'r>, Reject> {
        let api = self.select_api(fields, host)?;
        // Before the stage: who may not come in learns of none.
        api.access.admit(listener)?;
        let selected = stage::select(&api.stage_names, path)?;
        let (stage, path) = (&api.stages[selected.stage], selected.path);
        Ok(Selected { api, stage, path, domain: None, matched: CustomDomain::default() })
    }

    /// The API for a request to a host that is no custom domain.
    ///
    /// The header decides alone when it is there; so does a host in AWS's form. Other hosts reach
    /// the API when there is exactly one, and no custom domain.
    ///
    /// # Errors
    /// [`Client::NoApi`], [`Client::EndpointDisabled`].
    pub fn select_api(&self, fields: Fields<'_>, host: &[u8]) -> Result<&Api, Reject> {
        let found = match (fields.find(Name::XApigwApiId), self.api_ids.of_host(host)) {
            (Some(id), _) => self.api_ids.find(id),
            (None, Some(name)) => self.api_ids.find(name).or_else(|| self.find_private(name)),
            (None, None) => match self.other_hosts {
                OtherHosts::OnlyApi => Some(0),
                OtherHosts::Nobody(_) => None,
            },
        };
        let refused = match self.other_hosts {
            OtherHosts::OnlyApi => Catalogue::HttpApi,
            OtherHosts::Nobody(catalogue) => catalogue,
        };
        let api = &self.apis[found.ok_or(Reject::Client(Client::NoApi(refused)))?];
        match api.endpoint {
            ExecuteApiEndpoint::Enabled => Ok(api),
            ExecuteApiEndpoint::Disabled => {
                Err(Reject::Client(Client::EndpointDisabled(api.catalogue)))
            }
        }
    }
    /// The private API of `{apiId}-{label}`, where AWS has the id of a VPC endpoint. Both may have
    /// a `-` in them.
    fn find_private(&self, name: &[u8]) -> Option<usize> {
        if name.len() > API_ID_BYTES_MAX + 1 + LABEL_BYTES_MAX {
            return None;
        }
        memchr::memchr_iter(b'-', name).find_map(|dash| {
            let found = self.api_ids.find(&name[..dash])?;
            let Access::PrivateTo(labels) = self.apis[found].access else { return None };
            let mut labels = self.labels.names(labels).map(str::as_bytes);
            labels.any(|label| label.eq_ignore_ascii_case(&name[dash + 1..])).then_some(found)
        })
    }
}

/// A label of a host name.
pub(super) const API_ID_BYTES_MAX: usize = 63;
