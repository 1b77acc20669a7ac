//! `x-amazon-apigateway-policy` at the top of a document: who may call the API at all
//! (`api-gateway.md` 1.4, 3.2). AWS has it for REST APIs; here every API may have one.

use super::{
    intrinsic,
    report::Report,
    text::{Substitutions, substitute},
};
use crate::{
    config::{
        document::Node,
        policy::{self, Functions},
    },
    steps::authorize::policy::{Policy, PolicyKind},
};

pub(super) const EXTENSION: &str = "x-amazon-apigateway-policy";

/// The policy of the document under `root`, of the API whose ARN is `arn`; `None` when it has none,
/// or after an error.
pub(super) fn read(
    root: Node<'_>,
    arn: &str,
    known: &Substitutions,
    report: &mut Report<'_>,
) -> Option<Policy> {
    let node = root.find(EXTENSION)?;
    let (mut notes, kind) = (Vec::new(), PolicyKind::Resource(arn));
    // `intrinsic` tells what is wrong with a text, and holds the report meanwhile.
    let policy = {
        let text = |node: Node<'_>| {
            let text = intrinsic::resolve(node, "the policy", known, report)?;
            Some(substitute(&text, known))
        };
        policy::compile(node, kind, Functions::Known, text, |severity, at, message, fix| {
            notes.push((severity, at, message, fix.to_owned()));
        })
    };
    for (severity, at, message, fix) in notes {
        report.add(severity, &at, message, &fix);
    }
    policy
}
