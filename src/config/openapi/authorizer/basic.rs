//! `x-ringway-authorizer` of type `basic`: users and the hashes of their passwords, in a file as
//! `htpasswd` makes it (`usersFile`) or in the document (`users`). Ringway's own.

use super::{super::report::Report, own::Reading};
use crate::{
    base::{Place, limits::BASIC_FILE_BYTES_MAX},
    config::{Problems, document::Node, shorten},
    steps::authorize::basic::{BasicAuthorizer, Users},
};

/// A basic authorizer of the document.
#[derive(Clone)]
pub(super) struct Basic {
    name: String,
    realm: String,
    users: UsersSaid,
}

#[derive(Clone)]
enum UsersSaid {
    /// Name, hash and place.
    Here(Vec<(String, String, Place)>, Place),
    File(String, Place),
}

const FIELDS: &[&str] = &["type", "usersFile", "users", "realm"];
const FIX: &str = "write usersFile: users.htpasswd, a file that htpasswd -B makes";

/// Reads the authorizer at `node`; `None` after an error.
pub(super) fn read(
    name: &str,
    scheme: Node<'_>,
    node: Node<'_>,
    report: &mut Report<'_>,
) -> Option<Basic> {
    let mut reading = Reading::new(name, report);
    let text = |key| scheme.find(key).and_then(Node::scalar_text).unwrap_or_default();
    if text("type") != "http" || !text("scheme").eq_ignore_ascii_case("basic") {
        let fix = "write {type: http, scheme: basic, x-ringway-authorizer: ..}";
        return reading.error(scheme, "its scheme is not of type http, scheme basic", fix);
    }
    reading.check_names(node, FIELDS)?;
    let realm = match node.find("realm") {
        Some(found) => match found.as_str().filter(|realm| is_realm(realm)) {
            Some(realm) => realm.to_owned(),
            None => {
                let fix = "write 1 to 128 printable ASCII characters, without \" and \\";
                return reading.error(found, "its realm cannot be told to clients", fix);
            }
        },
        None => "api".to_owned(),
    };
    let users = match (node.find("usersFile"), node.find("users")) {
        (Some(file), None) => match file.as_str().filter(|path| !path.is_empty()) {
            Some(path) => UsersSaid::File(path.to_owned(), file.place()),
            None => return reading.error(file, "usersFile is no path", FIX),
        },
        (None, Some(users)) if users.is_mapping() => {
            let text = |value: Node<'_>| value.as_str().unwrap_or_default().to_owned();
            let all = users.entries();
            let all = all.map(|one| (one.key.to_owned(), text(one.value), one.key_place()));
            UsersSaid::Here(all.collect(), users.place())
        }
        (None, Some(users)) => {
            return reading.error(users, "users is no mapping", "write users: {alice: '$2y$..'}");
        }
        (Some(_), Some(users)) => {
            return reading.error(users, "it has usersFile and users", "remove one of them");
        }
        (None, None) => return reading.error(node, "it has no users", FIX),
    };
    Some(Basic { name: name.to_owned(), realm, users })
}

fn is_realm(realm: &str) -> bool {
    let is_sound = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    (1..=128).contains(&realm.len()) && realm.bytes().all(is_sound)
}

impl Basic {
    /// The authorizer with its users; `read` reads a file that stands at a place of the document.
    pub(super) fn compile(
        &self,
        read: &mut impl FnMut(&str, &Place, usize, &mut Problems) -> Option<Vec<u8>>,
        problems: &mut Problems,
    ) -> Option<BasicAuthorizer> {
        let label = format!("authorizer {}", shorten(&self.name));
        let (users, place) = match &self.users {
            UsersSaid::File(path, place) => {
                let bytes = read(path, place, BASIC_FILE_BYTES_MAX, problems)?;
                if bytes.len() > BASIC_FILE_BYTES_MAX {
                    let what = format!("{label}: {} is too large", shorten(path));
                    problems.error(place.clone(), what, "remove users");
                    return None;
                }
                let parsed = Users::parse(&bytes).map_err(|faults| {
                    for fault in faults {
                        let at = format!("{}, line {}", shorten(path), fault.line);
                        let what = format!("{label}: {at}: {}", fault.what);
                        problems.error(place.clone(), what, fault.fix);
                    }
                });
                (parsed.ok()?, place)
            }
            UsersSaid::Here(said, place) => {
                let mut users = Users::default();
                for (name, hash, place) in said {
                    if let Err(fault) = users.add(name, hash) {
                        problems.error(
                            place.clone(),
                            format!("{label}: {}", fault.what),
                            fault.fix,
                        );
                    }
                }
                (users, place)
            }
        };
        if users.is_empty() {
            problems.error(place.clone(), format!("{label}: it has no user"), FIX);
            return None;
        }
        Some(BasicAuthorizer::compile(self.name.clone(), &self.realm, users))
    }
}
