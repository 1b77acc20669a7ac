//! By which listeners an API is reached: what a gateway file or a definition says of its endpoint,
//! judged, and held against the labels that there are.

use super::{Problems, document::Node, gateway_file::raw, settings::Settings, suggest::nearest};
use crate::{base::Place, plan::AccessDraft};

/// Whether everybody may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// EDGE or REGIONAL.
    Public,
    /// PRIVATE.
    Private,
}

/// What a document says of an API's endpoint.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Its type, if it says one.
    pub(super) kind: Option<Kind>,
    /// The `vpcEndpointIds`, which are labels, each with its place.
    pub(super) labels: Vec<(String, Place)>,
    /// Where it says so.
    pub(super) place: Place,
}

/// The labels that listeners have.
#[derive(Default)]
pub(super) struct ListenerLabels {
    known: Vec<String>,
    /// Flags have replaced the file's listeners.
    are_flags: bool,
}

impl Endpoint {
    /// What a gateway file says, at `node`.
    pub(super) fn of_file(configuration: &raw::EndpointConfiguration, node: Node<'_>) -> Self {
        let kind = configuration.types.first().map(|kind| match kind {
            raw::EndpointType::Edge | raw::EndpointType::Regional => Kind::Public,
            raw::EndpointType::Private => Kind::Private,
        });
        let labels = configuration.vpc_endpoint_ids.iter().map(|label| label.0.clone());
        let places = node.find("vpcEndpointIds").into_iter().flat_map(Node::items);
        let labels = labels.zip(places.map(Node::place)).collect();
        Self { kind, labels, place: node.place() }
    }

    /// What it comes to, for the API `name`.
    pub(super) fn judge(
        &self,
        name: &str,
        has_policy: bool,
        listeners: &ListenerLabels,
        problems: &mut Problems,
    ) -> AccessDraft {
        match (self.kind, self.labels.first()) {
            (Some(Kind::Public) | None, None) => AccessDraft::Public,
            (Some(Kind::Public), Some((label, place))) => {
                let message = format!(
                    "API {name}: vpcEndpointIds has {label}, but its type lets everybody in"
                );
                let fix = "say types: [PRIVATE], or leave vpcEndpointIds out";
                problems.error(place.clone(), message, fix);
                AccessDraft::Public
            }
            // The policy says by which labels; a listener without any is the open internet.
            (Some(Kind::Private), None) if has_policy && !listeners.known.is_empty() => {
                AccessDraft::PrivateTo(listeners.known.clone())
            }
            (Some(Kind::Private), None) => {
                let message = match has_policy {
                    true => format!("API {name}: it is PRIVATE, and no listener has a label"),
                    false => format!(
                        "API {name}: it is PRIVATE without vpcEndpointIds and without a policy, so \
                         nobody would come in"
                    ),
                };
                let fix = match has_policy {
                    true => "give a listener of the gateway file labels: [internal]",
                    false => "name labels of listeners, as in vpcEndpointIds: [internal]",
                };
                problems.error(self.place.clone(), message, fix);
                AccessDraft::Public
            }
            (Some(Kind::Private) | None, Some(_)) => {
                for (label, place) in &self.labels {
                    listeners.check(name, label, place, problems);
                }
                AccessDraft::PrivateTo(self.labels.iter().map(|(label, _)| label.clone()).collect())
            }
        }
    }
}

impl ListenerLabels {
    /// Those of these settings; `are_flags` when their listeners are the command line's.
    pub(super) fn of(settings: &Settings, are_flags: bool) -> Self {
        let labels = settings.listeners.iter().flat_map(|listener| &listener.labels);
        Self { known: labels.cloned().collect(), are_flags }
    }

    /// A label that no listener has closes the API to everybody: surely misspelt.
    fn check(&self, name: &str, label: &str, place: &Place, problems: &mut Problems) {
        if self.known.iter().any(|known| known == label) {
            return;
        }
        let message =
            format!("API {name}: it is private to {label}, and no listener has that label");
        let fix = match nearest(label, self.known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None if self.are_flags => {
                "--listen replaces the file's listeners with their labels: leave it out".to_owned()
            }
            None => format!("give a listener of the gateway file labels: [{label}]"),
        };
        problems.error(place.clone(), message, fix);
    }
}
