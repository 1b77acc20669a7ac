//! Where the keys of an issuer of tokens are, as an authorizer or a user pool says it: in the
//! document, in a file, or with the issuer. Who reads files is the caller.

use std::sync::Arc;

use super::{Problems, shorten};
use crate::{
    base::Place,
    steps::authorize::jwt::{IssuerKeys, KeySet, KeySource},
    tls::CallerParts,
};

/// In plain text from this machine only: elsewhere anybody on the way could name keys.
pub(super) fn is_fetchable(issuer: &str) -> bool {
    let host = |rest: &str| !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']);
    let is_sound =
        !issuer.contains(['?', '#', '@']) && issuer.bytes().all(|b| b.is_ascii_graphic());
    let is_local = |rest: &str| {
        let host = rest.split('/').next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
    };
    let (tls, plain) = (issuer.strip_prefix("https://"), issuer.strip_prefix("http://"));
    is_sound && (tls.is_some_and(host) || plain.is_some_and(is_local))
}

/// These keys; `of` is whose they are. `None` after an error.
pub(super) fn fixed(
    of: &str,
    keys: &Arc<KeySet>,
    place: &Place,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    for note in keys.notes() {
        problems.warning(place.clone(), format!("{of}: {note}"), "");
    }
    if keys.is_empty() {
        let message = format!("{of}: no key is left: no token is let in");
        problems.error(place.clone(), message, "name the issuer's public keys");
        return None;
    }
    Some(IssuerKeys::Fixed(Arc::clone(keys)))
}

/// The keys of a file that was read: its name and text. `None` after an error.
pub(super) fn of_file(
    of: &str,
    (path, text): (&str, &[u8]),
    place: &Place,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    match KeySet::parse(text) {
        Ok(keys) => fixed(of, &Arc::new(keys), place, problems),
        Err(what) => {
            let message = format!("{of}: {} {what}", shorten(path));
            let fix = "save what the issuer's jwks_uri answers in it (RFC 7517)";
            problems.error(place.clone(), message, fix);
            None
        }
    }
}

/// With the issuer, whom the system's authorities vouch for.
pub(super) fn fetched(issuer: &str) -> IssuerKeys {
    IssuerKeys::Fetched(Arc::new(KeySource::new(issuer.to_owned(), None)))
}

/// With the issuer, whom the authorities of a file vouch for that was read. `None` after an error.
pub(super) fn fetched_by(
    of: &str,
    issuer: &str,
    (path, authorities): (&str, Vec<u8>),
    place: &Place,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    if let Err(sentence) = CallerParts::default().trust((path, &authorities)) {
        let message = format!("{of}: {sentence}");
        problems.error(place.clone(), message, "name a file of PEM certificates");
        return None;
    }
    Some(IssuerKeys::Fetched(Arc::new(KeySource::new(issuer.to_owned(), Some(authorities)))))
}
