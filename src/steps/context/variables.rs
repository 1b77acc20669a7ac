//! Stage variables (`api-gateway.md` 1.5): checked names and values, known when a stage is
//! compiled, so that no request ever looks one up.

/// Variables of one stage.
const STAGE_VARIABLES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 512;

/// The variables of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageVariables(Vec<(String, String)>);

impl StageVariables {
    /// Checks names and values.
    ///
    /// # Errors
    /// One sentence for each variable that AWS would not take.
    pub fn compile<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<String>> {
        let mut variables = Self::default();
        let mut problems = Vec::new();
        for (name, value) in entries {
            match check(name, value) {
                Err(problem) => problems.push(problem),
                Ok(()) if variables.find(name).is_some() => {
                    problems.push(format!("stage variable '{name}' stands twice"));
                }
                Ok(()) => variables.0.push((name.to_owned(), value.to_owned())),
            }
        }
        if variables.0.len() > STAGE_VARIABLES_MAX {
            let count = variables.0.len();
            problems.push(format!("{count} stage variables; at most {STAGE_VARIABLES_MAX}"));
        }
        if problems.is_empty() { Ok(variables) } else { Err(problems) }
    }

    /// The value of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Names and values in the document's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The text with each `${stageVariables.x}` replaced; an unknown one becomes empty, any other
    /// `${..}` is left alone (`api-gateway.md` 1.5).
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        const OPEN: &str = "${stageVariables.";
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let Some((name, tail)) = after.split_once('}') else { break };
            out.push_str(before);
            out.push_str(self.find(name).unwrap_or_default());
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

fn check(name: &str, value: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(plain) {
        return Err(format!(
            "stage variable '{name}': a name is 1 to {NAME_BYTES_MAX} letters, digits and '_'"
        ));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&byte);
    if value.len() > VALUE_BYTES_MAX || !value.bytes().all(plain) {
        return Err(format!(
            "stage variable '{name}': a value is at most {VALUE_BYTES_MAX} letters, digits and any \
             of - . _ ~ : / ? # & = ,"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_filled() {
        let variables = StageVariables::compile([("backend", "127.0.0.1:9000"), ("v", "1")]);
        let variables = variables.unwrap();
        let check = |text: &str, expected: &str| assert_eq!(variables.fill(text), expected);
        check("http://${stageVariables.backend}/v${stageVariables.v}", "http://127.0.0.1:9000/v1");
        check("a${stageVariables.none}b", "ab");
        check("${other}${stageVariables.v}", "${other}1");
        check("${stageVariables.v", "${stageVariables.v");
        check("", "");
    }

    #[test]
    fn names_and_values_are_checked_at_their_limits() {
        let one = |name: &str, value: &str| StageVariables::compile([(name, value)]);
        assert!(one(&"n".repeat(64), &"v".repeat(512)).is_ok());
        assert!(one(&"n".repeat(65), "v").unwrap_err()[0].contains("1 to 64"));
        assert!(one("n", &"v".repeat(513)).unwrap_err()[0].contains("at most 512"));
        assert!(one("", "v").is_err());
        assert!(one("a-b", "v").is_err());
        assert!(one("n", "a b").is_err());
        let many = |count: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("n{n}")).collect();
            StageVariables::compile(names.iter().map(|name| (name.as_str(), "v"))).is_ok()
        };
        assert!(many(100) && !many(101));
        assert!(StageVariables::compile([("a", "1"), ("a", "2")]).is_err());
    }
}
