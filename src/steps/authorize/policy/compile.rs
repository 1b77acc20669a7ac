//! From a document of AWS's policy language to a [`Policy`]: its form, element by element, and
//! what in it can never match (`never`). Everything is told with its place, as a JSON pointer.

mod never;

use super::{
    Effect, Note, Policy, PolicyKind,
    caller::{Callers, Who},
    condition::Condition,
    glob::{Pattern, Syntax},
    key::{Key, View},
    operator::Operator,
    statement::{Actions, Resources, Statement},
};
use crate::{
    base::limits::{
        POLICY_CHARACTERS_MAX, POLICY_CHARACTERS_QUOTA, POLICY_NOTES_MAX, POLICY_STATEMENTS_MAX,
    },
    json::strict::Value,
};

/// A document while it is compiled.
struct Compiler<'k> {
    kind: PolicyKind<'k>,
    has_variables: bool,
    warnings: Vec<Note>,
    faults: Vec<Note>,
}

/// The new version has variables; without one, AWS takes the old.
const VERSION: &str = "2012-10-17";
const VERSION_OLD: &str = "2008-10-17";
const MEMBERS: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT_MEMBERS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
const PRINCIPAL_MEMBERS: &[&str] = &["AWS", "Service", "Federated", "CanonicalUser"];
const SERVICE: &str = "execute-api:";

/// Compiles a document; see [`Policy::compile`].
pub(super) fn compile(
    document: &Value,
    kind: PolicyKind<'_>,
) -> Result<(Policy, Vec<Note>), Vec<Note>> {
    let (warnings, faults) = (Vec::new(), Vec::new());
    let mut compiler = Compiler { kind, has_variables: false, warnings, faults };
    let policy = compiler.policy(document);
    match policy.filter(|_| compiler.faults.is_empty()) {
        Some(policy) => Ok((policy, compiler.warnings)),
        None => Err(compiler.faults),
    }
}

impl Compiler<'_> {
    fn fault(&mut self, path: &str, sentence: impl Into<String>, fix: &str) {
        add(&mut self.faults, path, sentence.into(), fix);
    }

    fn warn(&mut self, path: &str, sentence: impl Into<String>, fix: &str) {
        add(&mut self.warnings, path, sentence.into(), fix);
    }

    fn policy(&mut self, document: &Value) -> Option<Policy> {
        let Value::Object(members) = document else {
            let fix = "write {\"Version\": \"2012-10-17\", \"Statement\": [..]}";
            self.fault("", format!("a policy is an object; this is {}", kind_of(document)), fix);
            return None;
        };
        self.check_size(document)?;
        self.check_names("", members, MEMBERS, "a policy");
        match document.find("Version") {
            Some(Value::Text(version)) if version == VERSION => self.has_variables = true,
            Some(Value::Text(version)) if version == VERSION_OLD => {}
            None => {}
            Some(_) => {
                let sentence = "Version is neither 2012-10-17 nor 2008-10-17";
                self.fault("/Version", sentence, "write \"Version\": \"2012-10-17\"");
            }
        }
        if let Some(id) = document.find("Id").filter(|id| id.as_text().is_none()) {
            let sentence = format!("Id is {}; a text is expected", kind_of(id));
            self.fault("/Id", sentence, "");
        }
        let alone = document.find("Statement");
        let (statements, is_list) = match alone {
            Some(Value::List(items)) => (items.as_slice(), true),
            Some(one @ Value::Object(_)) => (std::slice::from_ref(one), false),
            Some(other) => {
                let sentence = format!("Statement is {}; a list is expected", kind_of(other));
                self.fault("/Statement", sentence, "write \"Statement\": [{..}]");
                return None;
            }
            None => {
                self.fault("", "the policy has no Statement", "write \"Statement\": [{..}]");
                return None;
            }
        };
        self.statements(statements, is_list)
    }

    fn statements(&mut self, statements: &[Value], is_list: bool) -> Option<Policy> {
        if statements.is_empty() {
            let what = match self.kind {
                PolicyKind::Resource(_) => "so it refuses every request",
                PolicyKind::Identity => "so it allows nothing",
            };
            self.warn("/Statement", format!("the policy has no statement, {what}"), "add one");
        }
        if statements.len() > POLICY_STATEMENTS_MAX {
            let sentence = format!(
                "the policy has {} statements; at most {POLICY_STATEMENTS_MAX} are taken",
                statements.len()
            );
            self.fault("/Statement", sentence, "put what has the same effect into one statement");
            return None;
        }
        let (mut denies, mut allows) = (Vec::new(), Vec::new());
        let mut sids: Vec<&str> = Vec::new();
        for (place, value) in statements.iter().enumerate() {
            let path =
                if is_list { format!("/Statement/{place}") } else { "/Statement".to_owned() };
            if let Some(sid) = value.find("Sid").and_then(Value::as_text) {
                if sids.contains(&sid) && !sid.is_empty() {
                    let sentence = format!("Sid {sid} is another statement's too");
                    self.fault(&format!("{path}/Sid"), sentence, "give each its own");
                }
                sids.push(sid);
            }
            match self.statement(value, &path, place + 1) {
                Some((Effect::Deny, statement)) => denies.push(statement),
                Some((_, statement)) => allows.push(statement),
                None => {}
            }
        }
        Some(Policy { denies: denies.into(), allows: allows.into() })
    }

    fn statement(
        &mut self,
        value: &Value,
        path: &str,
        number: usize,
    ) -> Option<(Effect, Statement)> {
        let Value::Object(members) = value else {
            let sentence = format!("a statement is an object; this is {}", kind_of(value));
            self.fault(path, sentence, "write {\"Effect\": \"Allow\", ..}");
            return None;
        };
        self.check_names(path, members, STATEMENT_MEMBERS, "a statement");
        let name = match value.find("Sid") {
            None => format!("statement {number}"),
            Some(Value::Text(sid)) => {
                format!("statement {number} ({})", sid.chars().take(64).collect::<String>())
            }
            Some(other) => {
                let sentence = format!("Sid is {}; a text is expected", kind_of(other));
                self.fault(&format!("{path}/Sid"), sentence, "");
                String::new()
            }
        };
        let effect = match value.find("Effect").map(Value::as_text) {
            Some(Some("Allow")) => Some(Effect::Allow),
            Some(Some("Deny")) => Some(Effect::Deny),
            Some(_) => {
                let sentence = "Effect is neither Allow nor Deny";
                self.fault(&format!("{path}/Effect"), sentence, "write one of them");
                None
            }
            None => {
                let fix = "write \"Effect\": \"Allow\" or \"Deny\"";
                self.fault(path, "the statement has no Effect", fix);
                None
            }
        };
        let callers = self.callers(value, path);
        let actions = self.actions(value, path);
        let resources = self.resources(value, path);
        let conditions = self.conditions(value, path);
        let (effect, actions, callers) = (effect?, actions?, callers?);
        let (resources, conditions) = (resources?, conditions?);
        let mut statement = Statement {
            name: name.into(),
            actions,
            callers,
            resources,
            conditions: conditions.into(),
            is_of_principal: false,
        };
        statement.is_of_principal = statement.depends_on_principal();
        self.note_never(&statement, effect, path);
        Some((effect, statement))
    }

    /// One of two members; told when there is none, or both.
    fn either<'v>(
        &mut self,
        statement: &'v Value,
        path: &str,
        names: [&'static str; 2],
    ) -> Option<(&'static str, &'v Value)> {
        let [plain, negated] = names;
        match (statement.find(plain), statement.find(negated)) {
            (Some(value), None) => Some((plain, value)),
            (None, Some(value)) => Some((negated, value)),
            (Some(_), Some(_)) => {
                let sentence = format!("the statement has {plain} and {negated}");
                self.fault(path, sentence, "keep one of them");
                None
            }
            (None, None) => {
                let sentence = format!("the statement has no {plain}");
                self.fault(path, sentence, &format!("write \"{plain}\": .. or \"{negated}\": .."));
                None
            }
        }
    }

    fn callers(&mut self, statement: &Value, path: &str) -> Option<Callers> {
        let names = ["Principal", "NotPrincipal"];
        if self.kind == PolicyKind::Identity {
            let found = names.into_iter().find(|name| statement.find(name).is_some());
            let Some(name) = found else { return Some(Callers::Everyone) };
            let sentence = format!("{name} stands in the policy of a principal");
            let fix = "remove it: the policy is about the principal that has it";
            self.fault(&format!("{path}/{name}"), sentence, fix);
            return None;
        }
        let (name, value) = self.either(statement, path, names)?;
        let path = format!("{path}/{name}");
        let fix = "write \"*\", or {\"AWS\": [\"arn:aws:iam::123456789012:user/alice\"]}";
        let who = match value {
            Value::Text(text) if text == "*" => None,
            Value::Object(members) if !members.is_empty() => {
                self.check_names(&path, members, PRINCIPAL_MEMBERS, name);
                self.principals(members, &path)?
            }
            other => {
                let sentence = format!("{name} is {}; * or an object is expected", kind_of(other));
                self.fault(&path, sentence, fix);
                return None;
            }
        };
        match (who, name == "NotPrincipal") {
            (None, false) => Some(Callers::Everyone),
            (Some(all), false) => Some(Callers::Only(all.into())),
            (Some(all), true) => Some(Callers::Except(all.into())),
            (None, true) => {
                self.fault(&path, "NotPrincipal is *, which leaves nobody", "remove the statement");
                None
            }
        }
    }

    /// `Some(None)`: everybody.
    #[expect(clippy::option_option, reason = "a fault was told, or everybody, or some")]
    fn principals(&mut self, members: &[(String, Value)], path: &str) -> Option<Option<Vec<Who>>> {
        let mut who = Vec::new();
        let (mut is_everyone, mut is_sound) = (false, true);
        for (name, value) in members {
            let path = format!("{path}/{name}");
            let Some(texts) = self.texts(value, &path, name) else {
                is_sound = false;
                continue;
            };
            if name != "AWS" {
                let sentence = format!("no request here comes of a {name}: it matches nobody");
                self.warn(&path, sentence, "");
                who.push(Who::Nobody);
                continue;
            }
            for (at, text) in texts {
                if text == "*" {
                    is_everyone = true;
                } else if let Some(one) = Who::parse(&text) {
                    who.push(one);
                } else {
                    let sentence = format!("{} is no principal", shorten(&text));
                    let fix = "write an account's number, the ARN of a user, a role or a session, \
                               or *; for patterns, write \"*\" and the condition ArnLike \
                               aws:PrincipalArn";
                    self.fault(&at, sentence, fix);
                    is_sound = false;
                }
            }
        }
        is_sound.then_some((!is_everyone).then_some(who))
    }

    fn actions(&mut self, statement: &Value, path: &str) -> Option<Actions> {
        let (name, value) = self.either(statement, path, ["Action", "NotAction"])?;
        let path = format!("{path}/{name}");
        let (mut set, mut is_sound) = (0, true);
        for (at, text) in self.texts(value, &path, name)? {
            if text != "*" && !text.contains(':') {
                let sentence = format!("{} is no action", shorten(&text));
                self.fault(&at, sentence, "write it as in execute-api:Invoke");
                is_sound = false;
                continue;
            }
            let matched = self.actions_like(&text);
            if matched == 0 {
                let sentence = format!("{} is none of an API's actions", shorten(&text));
                let fix = "there are execute-api:Invoke, execute-api:InvalidateCache and \
                           execute-api:ManageConnections";
                self.warn(&at, sentence, fix);
            }
            set |= matched;
        }
        let all = Actions::ALL.iter().fold(0, |set, (_, action)| set | Actions::of(*action).0);
        let set = if name == "NotAction" { all & !set } else { set };
        is_sound.then_some(Actions(set))
    }

    fn actions_like(&self, text: &str) -> u8 {
        let syntax = Syntax { has_globs: true, has_variables: false };
        let Ok(pattern) = Pattern::parse(&text.to_ascii_lowercase(), syntax) else { return 0 };
        let asked = never::nobody();
        let view = View::new(&asked);
        let is_like = |name: &str| {
            let name = name.to_ascii_lowercase();
            pattern.matches(name.as_bytes(), &view, super::glob::Case::Sensitive)
        };
        let like = Actions::ALL.iter().filter(|(name, _)| is_like(name));
        like.fold(0, |set, (_, action)| set | Actions::of(*action).0)
    }

    fn resources(&mut self, statement: &Value, path: &str) -> Option<Resources> {
        let (name, value) = self.either(statement, path, ["Resource", "NotResource"])?;
        let path = format!("{path}/{name}");
        let (mut patterns, mut is_sound) = (Vec::new(), true);
        for (at, text) in self.texts(value, &path, name)? {
            match self.resource(&text, &at) {
                Ok(pattern) => patterns.push(pattern),
                Err((sentence, fix)) => {
                    let sentence = format!("{} {sentence}", shorten(&text));
                    self.fault(&at, sentence, &fix);
                    is_sound = false;
                }
            }
        }
        let patterns = patterns.into();
        is_sound.then_some(match name {
            "Resource" => Resources::Only(patterns),
            _ => Resources::Except(patterns),
        })
    }

    fn resource(&mut self, text: &str, at: &str) -> Result<Pattern, (String, String)> {
        let syntax = Syntax { has_globs: true, has_variables: self.has_variables };
        self.note_old_variable(text, at);
        let example = match self.kind {
            PolicyKind::Resource(_) => "write execute-api:/STAGE/VERB/PATH, an ARN, or *",
            PolicyKind::Identity => "write an ARN, or *",
        };
        let no_arn = || Err(("is no resource".to_owned(), example.to_owned()));
        let full = match (text.strip_prefix(SERVICE), self.kind) {
            (Some(rest), PolicyKind::Resource(prefix)) if rest.starts_with('/') => {
                format!("{prefix}{rest}")
            }
            (Some(_), _) => return no_arn(),
            (None, _) if text == "*" => text.to_owned(),
            (None, _) => {
                let parts = text.splitn(6, ':').count();
                if !text.starts_with("arn:") || parts < 6 && !text.ends_with('*') {
                    return no_arn();
                }
                text.to_owned()
            }
        };
        let pattern = Pattern::parse(&full, syntax)?;
        self.note_variables(pattern.variables(), at);
        let start = match self.kind {
            PolicyKind::Resource(prefix) => format!("{prefix}/"),
            PolicyKind::Identity => "arn:".to_owned(),
        };
        if !pattern.may_begin_with(start.as_bytes()) {
            let sentence = format!("{} is not of this API: it never matches", shorten(text));
            self.warn(at, sentence, &format!("this API's resources begin with {start}"));
        }
        Ok(pattern)
    }

    fn conditions(&mut self, statement: &Value, path: &str) -> Option<Vec<Condition>> {
        let Some(block) = statement.find("Condition") else { return Some(Vec::new()) };
        let path = format!("{path}/Condition");
        let fix = "write {\"IpAddress\": {\"aws:SourceIp\": \"10.0.0.0/8\"}}";
        let Value::Object(operators) = block else {
            let sentence = format!("Condition is {}; an object is expected", kind_of(block));
            self.fault(&path, sentence, fix);
            return None;
        };
        let (mut conditions, mut is_sound) = (Vec::new(), true);
        for (name, keys) in operators {
            let path = format!("{path}/{}", escape(name));
            let operator = match Operator::parse(name) {
                Ok(operator) => operator,
                Err((what, fix)) => {
                    self.fault(&path, format!("{} {what}", shorten(name)), &fix);
                    is_sound = false;
                    continue;
                }
            };
            let Value::Object(keys) = keys else {
                let sentence = format!("{name} is {}; an object is expected", kind_of(keys));
                self.fault(&path, sentence, fix);
                is_sound = false;
                continue;
            };
            if keys.is_empty() {
                self.fault(&path, format!("{name} names no key"), fix);
                is_sound = false;
            }
            for (key, values) in keys {
                let path = format!("{path}/{}", escape(key));
                match self.condition(operator, (name, key), values, &path) {
                    Some(condition) => conditions.push(condition),
                    None => is_sound = false,
                }
            }
        }
        is_sound.then_some(conditions)
    }

    fn condition(
        &mut self,
        operator: Operator,
        (name, key): (&str, &str),
        values: &Value,
        path: &str,
    ) -> Option<Condition> {
        let (places, texts): (Vec<String>, Vec<String>) =
            self.texts(values, path, key)?.into_iter().unzip();
        for (text, at) in texts.iter().zip(&places) {
            self.note_old_variable(text, at);
        }
        match operator.compile(name, key, &texts, self.has_variables) {
            Ok(condition) => {
                for variable in condition.variables() {
                    self.note_variables(std::slice::from_ref(variable), path);
                }
                self.note_key(&condition, key, path);
                Some(condition)
            }
            Err(faults) => {
                for (place, (what, fix)) in faults {
                    let sentence = format!("{} {what}", shorten(&texts[place]));
                    self.fault(&places[place], sentence, &fix);
                }
                None
            }
        }
    }

    /// A text or a list of some, each with its place.
    fn texts(&mut self, value: &Value, path: &str, name: &str) -> Option<Vec<(String, String)>> {
        if let Value::List(items) = value {
            if items.is_empty() {
                let sentence = format!("{} is an empty list", shorten(name));
                self.fault(path, sentence, "name something in it, or remove it");
                return None;
            }
            let texts = items.iter().enumerate().map(|(place, item)| {
                let path = format!("{path}/{place}");
                let text = self.text(item, &path, name)?;
                Some((path, text))
            });
            // All are looked at: each may have something to be told.
            let all: Vec<Option<_>> = texts.collect();
            return all.into_iter().collect();
        }
        Some(vec![(path.to_owned(), self.text(value, path, name)?)])
    }

    fn text(&mut self, value: &Value, path: &str, name: &str) -> Option<String> {
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Integer(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Object(_) => {
                let found = kind_of(value);
                let sentence = format!("{} is {found}; a text is expected", shorten(name));
                self.fault(path, sentence, "");
                None
            }
        }
    }

    fn check_names(
        &mut self,
        path: &str,
        members: &[(String, Value)],
        known: &[&str],
        thing: &str,
    ) {
        for (name, _) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let near = known.iter().find(|known| known.eq_ignore_ascii_case(name));
            let fix = match near {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.join(", ")),
            };
            let sentence = format!("{} is no member of {thing}", shorten(name));
            self.fault(&format!("{path}/{}", escape(name)), sentence, &fix);
        }
    }

    fn check_size(&mut self, document: &Value) -> Option<()> {
        let size = size_of(document);
        if size > POLICY_CHARACTERS_MAX {
            let sentence = format!(
                "the policy has {size} characters; at most {POLICY_CHARACTERS_MAX} are taken"
            );
            self.fault("", sentence, "put what has the same effect into one statement");
            return None;
        }
        if size > POLICY_CHARACTERS_QUOTA {
            let sentence = format!(
                "the policy has {size} characters; AWS takes {POLICY_CHARACTERS_QUOTA} at most"
            );
            self.warn("", sentence, "");
        }
        Some(())
    }
}

impl Statement {
    fn depends_on_principal(&self) -> bool {
        let (Resources::Only(patterns) | Resources::Except(patterns)) = &self.resources;
        let mut variables = patterns.iter().flat_map(Pattern::variables);
        !matches!(self.callers, Callers::Everyone)
            || variables.any(|variable| variable.key.is_of_principal())
            || self.conditions.iter().any(Condition::is_of_principal)
    }
}

fn add(notes: &mut Vec<Note>, path: &str, sentence: String, fix: &str) {
    if notes.len() < POLICY_NOTES_MAX {
        notes.push(Note { path: path.to_owned(), sentence, fix: fix.to_owned() });
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Characters as JSON without blanks.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(value) => 5 - usize::from(*value),
        Value::Integer(value) => value.to_string().len(),
        Value::Float(value) => value.to_string().len(),
        Value::Text(text) => text.chars().count() + 2,
        Value::List(items) => items.iter().map(|item| size_of(item) + 1).sum::<usize>().max(1) + 1,
        Value::Object(members) => {
            let each =
                members.iter().map(|(name, value)| name.chars().count() + size_of(value) + 4);
            each.sum::<usize>().max(1) + 1
        }
    }
}

/// A member's name within a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A text of the document, as far as a sentence has room for it.
fn shorten(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let plain = |sign: char| if sign.is_control() { ' ' } else { sign };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}..", text[..end].chars().map(plain).collect::<String>()),
        None => text.chars().map(plain).collect(),
    }
}

/// The names of keys, for a sentence.
fn key_names() -> String {
    Key::names().collect::<Vec<_>>().join(", ")
}
