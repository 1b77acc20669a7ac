//! The IP rules of a gateway file, and the files of networks that they name: one network in a line,
//! `#` begins a comment. Which routes a rule is about is in `config::traffic`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Problems, document::Document, gateway_file::raw, shorten};
use crate::{
    base::{
        Place,
        limits::{IP_FILE_BYTES_MAX, IP_NETWORKS_MAX},
    },
    steps::ip_rules::{IpRule, Network},
};

/// Reads all rules; `read` reads a file. What is wrong is told, and then the rule has less.
pub(super) fn read(
    (file, document): (&raw::GatewayFile, &Document),
    folder: &Path,
    read: impl FnMut(&Path) -> Result<Vec<u8>, String>,
    problems: &mut Problems,
) -> Vec<IpRule> {
    let mut reading = Reading { document, folder, read, left: IP_NETWORKS_MAX, problems };
    let rules = file.ip_rules.iter().enumerate();
    rules.map(|(index, raw)| reading.rule(index, raw)).collect()
}

struct Reading<'r, F> {
    document: &'r Document,
    folder: &'r Path,
    read: F,
    /// How many networks there may still be.
    left: usize,
    problems: &'r mut Problems,
}

impl<F: FnMut(&Path) -> Result<Vec<u8>, String>> Reading<'_, F> {
    fn rule(&mut self, index: usize, raw: &raw::IpRule) -> IpRule {
        let at = format!("/ipRules/{index}");
        let allow = self.networks(raw.allow.as_deref(), raw.allow_file.as_ref(), (&at, "allow"));
        let deny = self.networks(raw.deny.as_deref(), raw.deny_file.as_ref(), (&at, "deny"));
        if allow.as_ref().is_some_and(Vec::is_empty) {
            let message = format!("IP rule {}: it allows nobody", shorten(&raw.name));
            let place = self.place(&at);
            self.problems.warning(place, message, "leave it so, if that is meant");
        }
        IpRule::compile(raw.name.clone(), allow, deny.unwrap_or_default())
    }

    /// The networks of one list and of its file; `None` when there is neither.
    fn networks(
        &mut self,
        here: Option<&[raw::NetworkText]>,
        file: Option<&raw::PathText>,
        (at, key): (&str, &str),
    ) -> Option<Vec<Network>> {
        if here.is_none() && file.is_none() {
            return None;
        }
        let mut networks = Vec::new();
        for (place, text) in here.unwrap_or_default().iter().enumerate() {
            match Network::parse(&text.0) {
                Ok(network) => networks.push(network),
                // The schema's check takes what this does not, in rare forms.
                Err(fault) => {
                    let place = self.place(&format!("{at}/{key}/{place}"));
                    let message = format!("{} {}", shorten(&text.0), fault.reason());
                    self.problems.error(place, message, FIX);
                }
            }
        }
        if let Some(file) = file {
            let place = self.place(&format!("{at}/{key}File"));
            self.file(&self.folder.join(&file.0), &place, &mut networks);
        }
        if networks.len() > self.left {
            let message = format!("the IP rules have more than {IP_NETWORKS_MAX} networks");
            let place = self.place(at);
            self.problems.error(place, message, "join neighbours, or remove some");
            networks.truncate(self.left);
        }
        self.left -= networks.len();
        Some(networks)
    }

    fn file(&mut self, path: &Path, named_at: &Place, networks: &mut Vec<Network>) {
        let bytes = match (self.read)(path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let message = format!("{} {reason}", path.display());
                let fix = "name a file that exists; paths are relative to the file they stand in";
                return self.problems.error(named_at.clone(), message, fix);
            }
        };
        if bytes.len() > IP_FILE_BYTES_MAX {
            let message = format!("{} has more than {IP_FILE_BYTES_MAX} bytes", path.display());
            return self.problems.error(named_at.clone(), message, "split it");
        }
        let file = Arc::new(path.to_path_buf());
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let text = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
            if text.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(text);
            match Network::parse(&text) {
                Ok(network) => networks.push(network),
                Err(fault) => {
                    let message = format!("{} {}", shorten(&text), fault.reason());
                    self.problems.error(place_of(&file, number), message, FIX);
                }
            }
            if networks.len() > self.left {
                return;
            }
        }
    }

    fn place(&self, pointer: &str) -> Place {
        let root = self.document.root();
        root.pointer(pointer).unwrap_or(root).place()
    }
}

const FIX: &str = "write a network or an address, such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32";

fn place_of(file: &Arc<PathBuf>, line: u32) -> Place {
    Place { file: Arc::clone(file), line, column: 1, bytes: (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of a file beside which `list` has this text, and the problems' texts.
    fn read_with(rules: &str, list: &str) -> (Vec<IpRule>, Vec<String>) {
        let text = format!("{{\"apis\": [], \"ipRules\": {rules}}}");
        let file = serde_json::from_str(&text).unwrap();
        let mut problems = Problems::new();
        let path = Path::new("g.json");
        let document = Document::parse(path, text.as_bytes(), &mut problems).unwrap();
        let found = |path: &Path| match path.to_str() {
            Some("list") => Ok(list.as_bytes().to_vec()),
            _ => Err("cannot be read".to_owned()),
        };
        let rules = read((&file, &document), Path::new(""), found, &mut problems);
        (rules, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn files_have_a_network_in_a_line_and_comments() {
        let rules = r#"[{"name": "a", "deny": ["192.0.2.1"], "denyFile": "list"}]"#;
        let list = "# partners\n10.0.0.0/8\r\n\n  2001:db8::/32 # six\n#\n";
        let (rules, problems) = read_with(rules, list);
        assert!(problems.is_empty(), "{problems:?}");
        let is_denied = |text: &str| rules[0].check(text.parse().unwrap()).is_err();
        assert!(["192.0.2.1", "10.9.9.9", "2001:db8::9"].into_iter().all(is_denied));
        assert!(!is_denied("192.0.2.2"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let rule = r#"[{"name": "a", "denyFile": "list"}]"#;
        let (_, problems) = read_with(rule, "10.0.0.0/8\n10.0.0.0/33\nx y\n");
        let expected = [
            format!("list:2:1: 10.0.0.0/33 has a prefix that is longer than its address; {FIX}"),
            format!("list:3:1: x y is no IP network and no address; {FIX}"),
        ];
        assert_eq!(problems, expected);
        let (_, problems) = read_with(r#"[{"name": "a", "allowFile": "no"}]"#, "");
        assert!(problems[0].contains("no cannot be read"), "{problems:?}");
        let (rules, problems) = read_with(r#"[{"name": "a", "allowFile": "list"}]"#, "# none\n");
        assert!(problems[0].contains("allows nobody"), "{problems:?}");
        assert!(rules[0].check([10, 0, 0, 1].into()).is_err());
    }

    #[test]
    fn there_is_a_bound_for_all_rules_together() {
        let rules = r#"[{"name": "a", "denyFile": "list"}, {"name": "b", "deny": ["10.0.0.1"]}]"#;
        let most = "10.0.0.1\n".repeat(IP_NETWORKS_MAX);
        let (_, problems) = read_with(rules, &most);
        assert!(problems[0].contains("more than 1000000 networks"), "{problems:?}");
        let (_, problems) = read_with(rules, &most[9..]);
        assert!(problems.is_empty(), "{problems:?}");
    }
}
