//! The authorizers of a document: security schemes that find out who calls, one file for each kind.

mod jwt;

use std::sync::Arc;

use super::{definition::ApiDefinition, report::Report, text::Substitutions};
use crate::{
    base::Place,
    config::{Problems, document::Node},
    steps::authorize,
};

/// An authorizer of the document.
#[derive(Clone)]
pub(super) struct Authorizer {
    kind: Kind,
    /// Once its keys are known.
    pub(super) compiled: Option<Arc<authorize::Authorizer>>,
}

#[derive(Clone)]
enum Kind {
    Jwt(jwt::Jwt),
}

/// A scheme that is an authorizer of a kind that is known, and where it says so.
#[derive(Clone, Copy)]
pub(super) struct Scheme<'d> {
    name: &'d str,
    scheme: Node<'d>,
    node: Node<'d>,
}

impl<'d> Scheme<'d> {
    /// The scheme called `name`; `None` when it is no authorizer that is known.
    pub(super) fn of(name: &'d str, scheme: Node<'d>) -> Option<Self> {
        let node = scheme.find("x-amazon-apigateway-authorizer")?;
        let kind = node.find("type").and_then(Node::scalar_text)?;
        kind.eq_ignore_ascii_case("jwt").then_some(Self { name, scheme, node })
    }

    /// Reads it; `None` after an error.
    pub(super) fn read(self, known: &Substitutions, report: &mut Report<'_>) -> Option<Authorizer> {
        let jwt = jwt::read(self.name, self.scheme, self.node, known, report)?;
        Some(Authorizer { kind: Kind::Jwt(jwt), compiled: None })
    }
}

impl ApiDefinition {
    /// Gives the authorizers their keys; `read` reads a file that stands at a place of the
    /// document, and tells when it cannot.
    pub fn read_keys(
        &mut self,
        mut read: impl FnMut(&str, &Place, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) {
        let errors_before = problems.errors();
        for authorizer in &mut self.authorizers {
            let compiled = match &authorizer.kind {
                Kind::Jwt(jwt) => jwt.compile(&mut read, problems).map(authorize::Authorizer::Jwt),
            };
            authorizer.compiled = compiled.map(Arc::new);
        }
        self.is_sound &= problems.errors() == errors_before;
    }
}
