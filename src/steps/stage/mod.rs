//! Which stage answers: the first path segment when it names one, else `$default`
//! (`api-gateway.md` 1.5 and 2.2). A named stage's prefix is not part of the path that routes see.

use crate::steps::reject::{Client, Reject};

/// The name of the stage that is served without a prefix.
pub const DEFAULT: &str = "$default";

/// A checked stage name: 1 to 128 of letters, digits, `_` and `-`; or `$default`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StageName(String);

impl StageName {
    /// Checks a name as a document gives it.
    ///
    /// # Errors
    /// One sentence that says what a name may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let sound = (1..=128).contains(&text.len()) && text.bytes().all(plain);
        if sound || text == DEFAULT {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "stage name '{text}': a stage name is 1 to 128 letters, digits, '_' and '-', or \
             $default"
        ))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The stages of one API by name, in the API's order.
#[derive(Clone, Debug, Default)]
pub struct StageNames {
    named: Vec<(StageName, usize)>,
    default: Fallback,
}

/// What answers when the first segment names no stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fallback {
    #[default]
    Nothing,
    Stage(usize),
}

/// The stage that answers, and the path that its routes see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'a> {
    /// The position in the API's list of stages.
    pub stage: usize,
    /// The path after the stage's prefix; `/` when nothing follows it.
    pub path: &'a [u8],
}

impl StageNames {
    /// The names in the API's order.
    ///
    /// # Errors
    /// One sentence for each name that stands twice.
    pub fn compile(names: &[StageName]) -> Result<Self, Vec<String>> {
        let mut stages = Self::default();
        let mut problems = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                problems.push(format!("stage {}: two stages of one API have this name", name.0));
            }
            if name.0 == DEFAULT {
                stages.default = Fallback::Stage(index);
            } else {
                stages.named.push((name.clone(), index));
            }
        }
        if problems.is_empty() { Ok(stages) } else { Err(problems) }
    }
}

/// The stage for a request path (as sent, starting with `/`).
///
/// # Errors
/// [`Client::NoStage`] when the first segment names none and there is no `$default`.
pub fn select<'a>(stages: &StageNames, path: &'a [u8]) -> Result<Selected<'a>, Reject> {
    if !stages.named.is_empty() {
        let tail = path.strip_prefix(b"/").unwrap_or(path);
        let end = tail.iter().position(|&byte| byte == b'/').unwrap_or(tail.len());
        let (first, rest) = tail.split_at(end);
        let named = stages.named.iter().find(|(name, _)| name.0.as_bytes() == first);
        if let Some(&(_, stage)) = named {
            let path = if rest.is_empty() { b"/" } else { rest };
            return Ok(Selected { stage, path });
        }
    }
    match stages.default {
        Fallback::Stage(stage) => Ok(Selected { stage, path }),
        Fallback::Nothing => Err(Reject::Client(Client::NoStage)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(names: &[&str]) -> StageNames {
        let names: Vec<_> = names.iter().map(|name| StageName::parse(name).unwrap()).collect();
        StageNames::compile(&names).unwrap()
    }

    #[track_caller]
    fn check(names: &[&str], path: &str, expected: Option<(usize, &str)>) {
        let selected = select(&stages(names), path.as_bytes()).ok();
        let selected = selected.map(|found| (found.stage, str::from_utf8(found.path).unwrap()));
        assert_eq!(selected, expected);
    }

    #[test]
    fn the_first_segment_selects_the_stage() {
        check(&["prod", "$default"], "/prod/pets", Some((0, "/pets")));
        check(&["prod", "$default"], "/prod", Some((0, "/")));
        check(&["prod", "$default"], "/prod/", Some((0, "/")));
        check(&["prod", "$default"], "/prod//x", Some((0, "//x")));
        check(&["prod", "$default"], "/produce", Some((1, "/produce")));
        check(&["prod", "$default"], "/Prod/x", Some((1, "/Prod/x")));
        check(&["prod", "$default"], "/", Some((1, "/")));
        check(&["$default"], "/prod/x", Some((0, "/prod/x")));
        check(&["prod"], "/pets", None);
        check(&["prod"], "/", None);
        check(&[], "/prod", None);
        check(&["$default", "a", "b"], "/b/c", Some((2, "/c")));
        check(&["$default"], "/$default/c", Some((0, "/$default/c")));
    }

    #[test]
    fn names_are_checked() {
        for good in ["a", "A_b-9", "$default", &"x".repeat(128)] {
            assert!(StageName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "$other", "a/b", "é", &"x".repeat(129)] {
            assert!(StageName::parse(bad).unwrap_err().contains("1 to 128"), "{bad}");
        }
        let twice = [StageName::parse("a").unwrap(), StageName::parse("a").unwrap()];
        assert_eq!(StageNames::compile(&twice).unwrap_err().len(), 1);
    }
}
