//! Which API a request names by its id: in `x-apigw-api-id`, or in the APIs' own host names,
//! `{apiId}.execute-api.{region}.{suffix}` (`api-gateway.md` 1.6).

use super::table::Table;

/// The ids of all APIs, and what follows them in a host.
#[derive(Clone, Debug)]
pub struct ApiIds {
    ids: Vec<String>,
    table: Table,
    hosts: OwnHosts,
}

/// What the APIs' own host names look like after the id.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OwnHosts {
    /// `.execute-api`, and anything.
    Anywhere,
    /// Exactly this, in any case: `.execute-api.us-east-1.example.internal`.
    Under(Box<[u8]>),
}

const SERVICE: &[u8] = b".execute-api";

impl Default for ApiIds {
    fn default() -> Self {
        Self { ids: Vec::new(), table: Table::default(), hosts: OwnHosts::Anywhere }
    }
}

impl ApiIds {
    /// The ids of these APIs, which differ. `parent` is what follows `execute-api.` in their host
    /// names; without it, anything may.
    #[must_use]
    pub fn compile(ids: Vec<String>, parent: Option<&str>) -> Self {
        let mut table = Table::with_room_for(ids.len());
        for (number, id) in (0..).zip(&ids) {
            table.insert(number, id.as_bytes());
        }
        let under = |parent| [SERVICE, b".", str::as_bytes(parent)].concat().into();
        let hosts = parent.map_or(OwnHosts::Anywhere, |parent| OwnHosts::Under(under(parent)));
        Self { ids, table, hosts }
    }

    /// The position of the API with this id, in any case.
    #[must_use]
    #[inline]
    pub fn find(&self, id: &[u8]) -> Option<usize> {
        let number = self.table.find(id, |number| self.ids[number as usize].as_bytes())?;
        Some(number as usize)
    }

    /// The id that a host (without a port) names; `None` for a host of another form.
    #[must_use]
    #[inline]
    pub fn of_host<'h>(&self, host: &'h [u8]) -> Option<&'h [u8]> {
        // An id is short: a search for long texts costs more than this.
        let (id, rest) = host.split_at(host.iter().position(|&byte| byte == b'.')?);
        let is_own = match &self.hosts {
            OwnHosts::Anywhere => {
                let (service, after) = rest.split_at_checked(SERVICE.len())?;
                service.eq_ignore_ascii_case(SERVICE) && matches!(after.first(), None | Some(b'.'))
            }
            OwnHosts::Under(tail) => {
                rest.strip_suffix(b".").unwrap_or(rest).eq_ignore_ascii_case(tail)
            }
        };
        is_own.then_some(id)
    }

    /// The host name of an API, as far as it is known: `*` stands for the rest.
    #[must_use]
    pub fn host_of(&self, api: usize) -> String {
        let tail = match &self.hosts {
            OwnHosts::Anywhere => ".execute-api.*".into(),
            OwnHosts::Under(tail) => String::from_utf8_lossy(tail),
        };
        format!("{}{tail}", self.ids[api])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parent: Option<&str>, host: &str, expected: Option<&str>) {
        let ids = ApiIds::compile(vec!["a".to_owned()], parent);
        let found = ids.of_host(host.as_bytes()).map(|id| str::from_utf8(id).unwrap());
        assert_eq!(found, expected, "{host}");
    }

    #[test]
    fn without_a_suffix_any_will_do() {
        check(None, "a.execute-api.us-east-1.amazonaws.com", Some("a"));
        check(None, "A.EXECUTE-API.x", Some("A"));
        check(None, "a.execute-api", Some("a"));
        check(None, "a.execute-api.", Some("a"));
        check(None, "a.execute-apix", None);
        check(None, ".execute-api.x", Some(""));
        check(None, "a.b.execute-api.x", None);
        check(None, "", None);
    }

    #[test]
    fn a_suffix_is_held_to() {
        let parent = Some("eu-1.example.internal");
        check(parent, "a.execute-api.eu-1.example.internal", Some("a"));
        check(parent, "a.Execute-API.EU-1.example.internal.", Some("a"));
        check(parent, "a.execute-api.eu-2.example.internal", None);
        check(parent, "a.execute-api.eu-1.example.internal.x", None);
        check(parent, "b.a.execute-api.eu-1.example.internal", None);
        check(parent, "a.execute-api", None);
    }

    #[test]
    fn an_api_is_found_by_its_id() {
        let ids = ["a1", "b2", "c3"].map(str::to_owned).to_vec();
        let ids = ApiIds::compile(ids, Some("x.y"));
        assert_eq!(ids.find(b"b2"), Some(1));
        assert_eq!(ids.find(b"C3"), Some(2));
        for id in [b"".as_slice(), b"d4", b"b2 ", &[b'b'; 70_000], &[0xFF; 3]] {
            assert_eq!(ids.find(id), None);
        }
        assert_eq!(ApiIds::default().find(b"a1"), None);
        assert_eq!(ids.host_of(1), "b2.execute-api.x.y");
        let ids = ApiIds::compile(vec!["a".to_owned()], None);
        assert_eq!(ids.host_of(0), "a.execute-api.*");
    }
}
