//! Which API answers, before custom domains come: `x-apigw-api-id`, else the host
//! `{apiId}.execute-api.*`, else the only API there is (`api-gateway.md` 1.6).

use super::{Api, Plan};
use crate::{
    http::{Fields, Name},
    steps::reject::{Client, Reject},
};

impl Plan {
    /// The API for a request with these fields to this host (without the port).
    ///
    /// The header decides alone when it is there; so does a host in AWS's form. All other hosts
    /// reach the API when there is exactly one.
    ///
    /// # Errors
    /// [`Client::NoApi`].
    pub fn select_api(&self, fields: Fields<'_>, host: &[u8]) -> Result<&Api, Reject> {
        let asked = fields.find(Name::XApigwApiId).or_else(|| execute_api_id(host));
        let found = match (asked, self.apis.as_slice()) {
            (Some(id), apis) => apis.iter().find(|api| id.eq_ignore_ascii_case(api.id.as_bytes())),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.ok_or(Reject::Client(Client::NoApi))
    }
}

/// The first label of `{apiId}.execute-api.*`. `{apiId}-{vpceId}.execute-api.*` names a private
/// API: that form comes with private APIs.
fn execute_api_id(host: &[u8]) -> Option<&[u8]> {
    let dot = host.iter().position(|&byte| byte == b'.')?;
    let (id, rest) = host.split_at(dot);
    let service = b".execute-api";
    let same = rest.get(..service.len())?.eq_ignore_ascii_case(service);
    let ends = matches!(rest.get(service.len()), None | Some(b'.'));
    (same && ends).then_some(id)
}
