//! What a gateway file (`corsConfiguration`) or a definition (`x-amazon-apigateway-cors`) says of
//! CORS: the members have the same names in both, and the same is wrong with them.
//!
//! Types and unknown keys are told where the two differ: by the file's schema, and in
//! `openapi::cors`. What is right is in `steps::cors`.

use super::{
    Problems,
    document::{Kind, Node},
};
use crate::{
    base::{Place, Problem, Severity, limits::PROBLEMS_MAX},
    steps::cors::{Cors, CorsDraft, Fault, Member},
};

/// What a document says, and where.
pub(super) struct Said<'d> {
    node: Node<'d>,
    draft: CorsDraft,
    /// The items of each list that are texts, in the order of the draft.
    items: [Vec<Node<'d>>; 4],
}

/// The members that are lists, in the order of [`Said::items`].
const LISTS: [Member; 4] =
    [Member::AllowOrigins, Member::AllowMethods, Member::AllowHeaders, Member::ExposeHeaders];

impl<'d> Said<'d> {
    /// Reads the mapping at `node`; `text` makes a text of an item, or tells why there is none.
    pub(super) fn read(
        node: Node<'d>,
        mut text: impl FnMut(Node<'d>, Member) -> Option<String>,
    ) -> Self {
        let mut items: [Vec<Node<'d>>; 4] = Default::default();
        let mut texts: [Vec<String>; 4] = Default::default();
        for (place, member) in LISTS.into_iter().enumerate() {
            for item in node.find(member.name()).into_iter().flat_map(Node::items) {
                if let Some(text) = text(item, member) {
                    items[place].push(item);
                    texts[place].push(text);
                }
            }
        }
        let [allow_origins, allow_methods, allow_headers, expose_headers] = texts;
        let allow_credentials = node.find(Member::AllowCredentials.name()).and_then(flag);
        let draft = CorsDraft {
            allow_origins,
            allow_methods,
            allow_headers,
            expose_headers,
            allow_credentials: allow_credentials == Some(true),
            max_age: node.find(Member::MaxAge.name()).and_then(seconds),
        };
        Self { node, draft, items }
    }

    /// What it comes to, `None` after an error. All that is wrong is told to `tell`, with the node
    /// at fault: of a document of nothing but faults, not every place is worth a search.
    pub(super) fn compile(
        &self,
        mut tell: impl FnMut(Severity, Node<'d>, String, &str),
    ) -> Option<Cors> {
        let (cors, faults) = Cors::compile(&self.draft);
        for Fault { member, item, severity, message, fix } in faults {
            tell(severity, self.at(member, item), message, &fix);
        }
        // Without an origin CORS is a lock without a key. A list of wrong ones was told already.
        let list = self.node.find(Member::AllowOrigins.name()).filter(|list| !list.is_null());
        let is_empty = |list: Node<'_>| list.kind() == Kind::Sequence && list.items().len() == 0;
        if list.is_none_or(is_empty) {
            let message =
                "CORS allows no origin: browsers keep every answer from other sites' pages";
            let at = self.at(Member::AllowOrigins, None);
            tell(Severity::Warning, at, message.to_owned(), "list origins in allowOrigins");
        }
        cors
    }

    fn at(&self, member: Member, item: Option<usize>) -> Node<'d> {
        let list = LISTS.iter().position(|list| *list == member);
        let item = list.zip(item).and_then(|(list, item)| self.items[list].get(item).copied());
        item.or(self.node.find(member.name())).unwrap_or(self.node)
    }
}

/// What the gateway file says at `node`, whose schema holds.
fn of_file(node: Node<'_>) -> Said<'_> {
    Said::read(node, |item, _| item.as_str().map(str::to_owned))
}

/// Tells what is wrong with the APIs' `corsConfiguration` in the gateway file under `root`, and
/// its schema cannot say.
pub(super) fn check(root: Node<'_>, problems: &mut Problems) {
    for api in root.find("apis").into_iter().flat_map(Node::items) {
        let Some(node) = api.find(KEY).filter(|node| node.is_mapping()) else { continue };
        let mut said = of_file(node);
        // The schema has told it when it is out of range.
        said.draft.max_age = None;
        said.compile(|severity, at, message, fix| {
            let place = (problems.count(severity) < PROBLEMS_MAX).then(|| at.place());
            problems.push(Problem { severity, place, message, fix: fix.to_owned() });
        });
    }
}

/// What the gateway file says of an API at `node`, once [`check`] has told no error.
pub(super) fn compile(api: Node<'_>) -> Option<(Cors, Place)> {
    let entry = api.entry(KEY).filter(|entry| entry.value.is_mapping())?;
    Some((of_file(entry.value).compile(|_, _, _, _| {})?, entry.key_place()))
}

const KEY: &str = "corsConfiguration";

/// A truth value, which templates also write as text (`"true"`).
pub(super) fn flag(node: Node<'_>) -> Option<bool> {
    let text = node.scalar_text()?;
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// A whole number, which templates also write as text (`"300"`).
pub(super) fn seconds(node: Node<'_>) -> Option<i64> {
    node.as_integer().or_else(|| node.as_str()?.parse().ok())
}
