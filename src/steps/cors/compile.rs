//! What a document says of CORS, checked and made into the lines that answers say.

use std::{collections::HashSet, fmt::Write};

use super::{
    Cors, Methods, Names,
    origin::{Origins, Pattern},
};
use crate::{
    base::{
        Severity,
        limits::{CORS_NAME_BYTES_MAX, CORS_NAMES_MAX, CORS_ORIGINS_MAX},
    },
    http::Method,
};

/// `corsConfiguration` as a document has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsDraft {
    /// Origins, `*`, `https://*`, `http://*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Names of header fields, or `*`.
    pub allow_headers: Vec<String>,
    /// Names of header fields, or `*`.
    pub expose_headers: Vec<String>,
    /// Whether cookies and the like may come along.
    pub allow_credentials: bool,
    /// Seconds that a browser may remember a preflight's answer; -1: it may not.
    pub max_age: Option<i64>,
}

/// A member of `corsConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// `allowOrigins`
    AllowOrigins,
    /// `allowMethods`
    AllowMethods,
    /// `allowHeaders`
    AllowHeaders,
    /// `exposeHeaders`
    ExposeHeaders,
    /// `allowCredentials`
    AllowCredentials,
    /// `maxAge`
    MaxAge,
}

/// What is wrong with a member, or with one item of its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The member.
    pub member: Member,
    /// The item, when it is one.
    pub item: Option<usize>,
    /// Whether it can be served.
    pub severity: Severity,
    /// A sentence.
    pub message: String,
    /// How to mend it.
    pub fix: String,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AllowOrigins,
        Self::AllowMethods,
        Self::AllowHeaders,
        Self::ExposeHeaders,
        Self::AllowCredentials,
        Self::MaxAge,
    ];

    /// AWS's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllowOrigins => "allowOrigins",
            Self::AllowMethods => "allowMethods",
            Self::AllowHeaders => "allowHeaders",
            Self::ExposeHeaders => "exposeHeaders",
            Self::AllowCredentials => "allowCredentials",
            Self::MaxAge => "maxAge",
        }
    }
}

impl Cors {
    /// Compiles what a document says; `None` after an error. Warnings come with both.
    #[must_use]
    pub fn compile(draft: &CorsDraft) -> (Option<Self>, Vec<Fault>) {
        let mut faults = Faults::default();
        let origins = faults.origins(&draft.allow_origins);
        let methods = faults.methods(&draft.allow_methods);
        let headers = faults.names(Member::AllowHeaders, &draft.allow_headers);
        faults.names(Member::ExposeHeaders, &draft.expose_headers);
        faults.credentials(draft, &origins);
        if draft.max_age.is_some_and(|seconds| !(-1..=MAX_AGE_MAX).contains(&seconds)) {
            let message = format!("maxAge is {} and out of range", draft.max_age.unwrap_or(0));
            let fix = format!("write seconds from 0 to {MAX_AGE_MAX}, or -1: remember nothing");
            faults.error(Member::MaxAge, None, message, &fix);
        }
        let Faults(faults) = faults;
        if faults.iter().any(|fault| fault.severity == Severity::Error) {
            return (None, faults);
        }
        let (mut preflight, mut actual) = (String::new(), String::new());
        if draft.allow_credentials {
            preflight.push_str("access-control-allow-credentials: true\r\n");
            actual.push_str("access-control-allow-credentials: true\r\n");
        }
        write_list("access-control-allow-methods", &draft.allow_methods, &mut preflight);
        write_list("access-control-allow-headers", &draft.allow_headers, &mut preflight);
        if let Some(seconds) = draft.max_age {
            let _ = write!(preflight, "access-control-max-age: {seconds}\r\n");
        }
        write_list("access-control-expose-headers", &draft.expose_headers, &mut actual);
        let cors = Self {
            origins: Origins::compile(origins),
            preflight: preflight.into_bytes().into(),
            actual: actual.into_bytes().into(),
            methods,
            headers,
            origins_text: some_of(&draft.allow_origins),
        };
        (Some(cors), faults)
    }
}

/// AWS's bound: a day.
const MAX_AGE_MAX: i64 = 86_400;

fn write_list(name: &str, items: &[String], out: &mut String) {
    if !items.is_empty() {
        let _ = write!(out, "{name}: {}\r\n", items.join(","));
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn error(&mut self, member: Member, item: Option<usize>, message: String, fix: &str) {
        self.add(Severity::Error, (member, item), message, fix);
    }

    fn warning(&mut self, member: Member, message: &str, fix: &str) {
        self.add(Severity::Warning, (member, None), message.to_owned(), fix);
    }

    fn add(
        &mut self,
        severity: Severity,
        (member, item): (Member, Option<usize>),
        message: String,
        fix: &str,
    ) {
        self.0.push(Fault { member, item, severity, message, fix: fix.to_owned() });
    }

    /// Whether a list has more than `most` items; nobody looks at them then.
    fn is_long(&mut self, member: Member, items: &[String], most: usize) -> bool {
        let is_long = items.len() > most;
        if is_long {
            let message = format!("{} has {} items; at most {most}", member.name(), items.len());
            self.error(member, None, message, "remove some, or write * for all");
        }
        is_long
    }

    fn twice(&mut self, member: Member, item: usize, text: &str) {
        let message = format!("{} has {} twice", member.name(), shown(text));
        self.error(member, Some(item), message, "write it once");
    }

    /// A list that has `*` and more besides.
    fn covered(&mut self, member: Member, items: &[String]) {
        if items.len() > 1 && items.iter().any(|item| item == "*") {
            let message = format!("{} has * and more, and * stands for all", member.name());
            self.warning(member, &message, "keep one or the other");
        }
    }

    fn origins(&mut self, items: &[String]) -> Vec<Pattern> {
        const MEMBER: Member = Member::AllowOrigins;
        if self.is_long(MEMBER, items, CORS_ORIGINS_MAX) {
            return Vec::new();
        }
        let (mut seen, mut patterns) = (HashSet::new(), Vec::new());
        for (item, text) in items.iter().enumerate() {
            match Pattern::parse(text) {
                Ok(pattern) if !seen.insert(origin_text(&pattern)) => {
                    self.twice(MEMBER, item, text);
                }
                Ok(pattern) => patterns.push(pattern),
                Err((what, fix)) => {
                    let message = format!("the origin {} {what}", shown(text));
                    self.error(MEMBER, Some(item), message, &fix);
                }
            }
        }
        self.covered(MEMBER, items);
        patterns
    }

    fn methods(&mut self, items: &[String]) -> Methods {
        const MEMBER: Member = Member::AllowMethods;
        if self.is_long(MEMBER, items, CORS_NAMES_MAX) {
            return Methods::Any;
        }
        let mut methods: Vec<Method> = Vec::new();
        for (item, text) in items.iter().enumerate().filter(|(_, text)| *text != "*") {
            match Method::parse(text.as_bytes()) {
                Some(method) if methods.contains(&method) => self.twice(MEMBER, item, text),
                Some(method) => methods.push(method),
                None => {
                    let message = format!("{} is no method", shown(text));
                    self.error(MEMBER, Some(item), message, &mended_method(text));
                }
            }
        }
        if items.iter().filter(|item| *item == "*").count() > 1 {
            self.twice(MEMBER, items.iter().rposition(|item| item == "*").unwrap_or(0), "*");
        }
        self.covered(MEMBER, items);
        match items.iter().any(|item| item == "*") {
            true => Methods::Any,
            false => Methods::These(methods),
        }
    }

    fn names(&mut self, member: Member, items: &[String]) -> Names {
        if self.is_long(member, items, CORS_NAMES_MAX) {
            return Names::default();
        }
        let mut names = Names::default();
        let mut seen = HashSet::new();
        for (item, text) in items.iter().enumerate() {
            let lower = text.to_ascii_lowercase();
            if !is_token(text) {
                let message = format!("{} is no name of a header field", shown(text));
                let fix = "write a name of letters, digits and -, or *";
                self.error(member, Some(item), message, fix);
            } else if text.len() > CORS_NAME_BYTES_MAX {
                let message = format!("{} has {} bytes", shown(text), text.len());
                let fix = format!("at most {CORS_NAME_BYTES_MAX} are taken");
                self.error(member, Some(item), message, &fix);
            } else if !seen.insert(lower.clone()) {
                self.twice(member, item, text);
            } else if text == "*" {
                names.any = true;
            } else {
                names.names.push(lower);
            }
        }
        // Beside * the name authorization is not idle: * does not stand for it.
        let idle = names.names.iter().any(|name| name != "authorization");
        if member == Member::ExposeHeaders || idle {
            self.covered(member, items);
        }
        names
    }

    fn credentials(&mut self, draft: &CorsDraft, origins: &[Pattern]) {
        const MEMBER: Member = Member::AllowCredentials;
        if !draft.allow_credentials {
            return;
        }
        if origins.contains(&Pattern::Any) {
            let message = "allowCredentials is true and allowOrigins has *: neither browsers nor \
                           AWS take the two together";
            self.error(MEMBER, None, message.to_owned(), "list the origins that may");
        }
        if origins.iter().any(|origin| matches!(origin, Pattern::AnyHttp | Pattern::AnyHttps)) {
            let message = "allowCredentials is true and allowOrigins stands for every host: each \
                           site may call with the cookies of its visitors";
            self.warning(MEMBER, message, "list the origins that may");
        }
        let lists = [
            (Member::AllowMethods, &draft.allow_methods),
            (Member::AllowHeaders, &draft.allow_headers),
            (Member::ExposeHeaders, &draft.expose_headers),
        ];
        for (member, _) in lists.iter().filter(|(_, list)| list.iter().any(|item| item == "*")) {
            let message = format!(
                "{} has *, which browsers take for a name and not for all when a request has \
                 credentials",
                member.name()
            );
            self.warning(*member, &message, "list what may be used");
        }
    }
}

/// For people: those that stand first.
fn some_of(origins: &[String]) -> String {
    const TOLD_MAX: usize = 20;
    let told = &origins[..origins.len().min(TOLD_MAX)];
    let more = if origins.len() > told.len() { ", .." } else { "" };
    format!("{}{more}", told.join(", "))
}

/// What tells one origin from another.
fn origin_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Any => "*".to_owned(),
        Pattern::AnyHttp => "http://*".to_owned(),
        Pattern::AnyHttps => "https://*".to_owned(),
        Pattern::Exact(text) => text.clone(),
    }
}

fn mended_method(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    if upper == "ANY" {
        return "write * for all methods".to_owned();
    }
    match Method::parse(upper.as_bytes()) {
        Some(method) => format!("methods are in capitals: write {}", method.as_str()),
        None => format!("write * or some of {}", Method::ANY.map(Method::as_str).join(", ")),
    }
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}

/// A text of a document within a sentence: escaped, and not endless.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}..", &text[..end]),
        None => format!("{text:?}"),
    }
}
