//! What a mapping does to an answer, by the integration's status.

use super::{
    Action, Edits, names,
    value::{Scope, Side, Sources, Value},
};
use crate::{
    base::limits::MAPPING_ENTRIES_MAX,
    http::{HeadSink, Status},
};

/// The compiled `responseParameters` of an integration; the default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct ResponseMapping(Vec<ForStatus>);

/// What is done to answers of one status.
#[derive(Clone, Debug)]
pub struct ForStatus {
    when: u16,
    headers: Edits,
    status: StatusRule,
}

#[derive(Clone, Debug)]
enum StatusRule {
    Keep,
    Overwrite(Value),
}

impl ResponseMapping {
    /// Compiles the map of one status after the other; see [`Self::insert`].
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the entries for a status ("200" to "599"), in the document's order.
    ///
    /// # Errors
    /// One sentence for each entry that is wrong, with the status and the entry's key.
    pub fn insert<'t>(
        &mut self,
        status: &str,
        entries: impl IntoIterator<Item = (&'t str, &'t str)>,
        scope: Scope<'_>,
    ) -> Result<(), Vec<String>> {
        let when = match status.parse::<u16>() {
            Ok(when) if (200..=599).contains(&when) => when,
            _ => return Err(vec![format!("status '{status}': expected 200 to 599")]),
        };
        if self.0.iter().any(|known| known.when == when) {
            return Err(vec![format!("status {when} stands twice")]);
        }
        let mut rules = ForStatus { when, headers: Edits::default(), status: StatusRule::Keep };
        let mut problems = Vec::new();
        let mut count = 0;
        for (key, text) in entries {
            count += 1;
            if let Err(fault) = rules.insert(key, text, scope) {
                problems.push(format!("status {when}: {key}: {fault}"));
            }
        }
        if count > MAPPING_ENTRIES_MAX {
            let fault = format!("{count} mapped parameters; at most {MAPPING_ENTRIES_MAX}");
            problems.push(format!("status {when}: {fault}"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.0.push(rules);
        Ok(())
    }

    /// The rules for an answer of this status.
    #[must_use]
    pub fn find(&self, status: Status) -> Option<&ForStatus> {
        self.0.iter().find(|rules| rules.when == status.code())
    }

    /// Whether the answer's body has to be collected when it has this status.
    #[must_use]
    pub fn reads_body(&self, status: Status) -> bool {
        self.find(status).is_some_and(ForStatus::reads_body)
    }
}

impl ForStatus {
    /// Whether the body has to be collected before the rules can be applied.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        let status = match &self.status {
            StatusRule::Keep => false,
            StatusRule::Overwrite(value) => value.reads_body(),
        };
        status || self.headers.reads_body()
    }

    /// Whether a header field of the integration is not passed on.
    #[must_use]
    pub fn drops_field(&self, name: &[u8]) -> bool {
        self.headers.drops_field(name)
    }

    /// Whether the rules add a field of this name (in lower case), when they have a value for it.
    #[must_use]
    pub fn sets_field(&self, name: &[u8]) -> bool {
        self.headers.added.iter().any(|(added, _)| added == name)
    }

    /// Writes the fields that the rules add. `scratch` is overwritten.
    pub fn write_fields(
        &self,
        sources: &Sources<'_>,
        scratch: &mut Vec<u8>,
        sink: &mut impl HeadSink,
    ) {
        self.headers.write_fields(sources, scratch, sink);
    }

    /// The status that the client gets. A value that is no number from 200 to 599 changes nothing.
    #[must_use]
    pub fn status(&self, status: Status, sources: &Sources<'_>, scratch: &mut Vec<u8>) -> Status {
        let StatusRule::Overwrite(value) = &self.status else { return status };
        scratch.clear();
        value.render(sources, scratch);
        parse_status(scratch).unwrap_or(status)
    }

    fn insert(&mut self, key: &str, text: &str, scope: Scope<'_>) -> Result<(), String> {
        let expected = "expected append|overwrite|remove:header.NAME or overwrite:statuscode";
        let (action, target) = Action::split(key).ok_or(expected)?;
        let value = Value::compile(text, Side::Response, scope)?;
        if action == Action::Remove && value.as_text() != Some(b"") {
            return Err("the value of 'remove' must be ''".to_owned());
        }
        if let Some(name) = target.strip_prefix("header.") {
            return self.headers.insert(action, names::writable_header(name)?, value);
        }
        if (action, target) != (Action::Overwrite, "statuscode") {
            return Err(expected.to_owned());
        }
        if value.as_text().is_some_and(|text| parse_status(text).is_none()) {
            return Err(format!("'{text}' is not a status from 200 to 599"));
        }
        if matches!(self.status, StatusRule::Overwrite(_)) {
            return Err("stands twice".to_owned());
        }
        self.status = StatusRule::Overwrite(value);
        Ok(())
    }
}

fn parse_status(text: &[u8]) -> Option<Status> {
    let code: u16 = str::from_utf8(text).ok()?.parse().ok()?;
    Status::new(code).filter(|_| text.len() == 3 && code >= 200)
}
