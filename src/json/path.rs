//! A simple JSON path: `a.b[0].c`.

/// Steps of one path.
const STEPS_MAX: usize = 32;

/// A checked path; without steps it means the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Key(String),
    /// An item of an array, from 0.
    Index(usize),
}

impl Path {
    /// Parses `a.b[0]`; an empty text is the whole document.
    ///
    /// # Errors
    /// One sentence that says what a path may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = |what: &str| {
            format!("JSON path '{text}': {what}; a path is names and [n], such as pet.tags[0].name")
        };
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('[') {
                let (digits, after) = tail.split_once(']').ok_or_else(|| fault("a '[' is open"))?;
                let index = digits.parse().map_err(|_| fault("only [n] may stand in brackets"))?;
                steps.push(Step::Index(index));
                rest = after;
            } else {
                let dot = rest.strip_prefix('.');
                let tail = if steps.is_empty() {
                    rest
                } else {
                    dot.ok_or_else(|| fault("a '.' is missing"))?
                };
                let end = tail.find(['.', '[']).unwrap_or(tail.len());
                if end == 0 {
                    return Err(fault("a name is empty"));
                }
                let (key, after) = tail.split_at(end);
                if key.contains(['*', '?', '@', '(', ']']) {
                    return Err(fault("wildcards and filters are not supported"));
                }
                steps.push(Step::Key(key.to_owned()));
                rest = after;
            }
        }
        if steps.len() > STEPS_MAX {
            return Err(format!("JSON path '{text}': {} steps; at most {STEPS_MAX}", steps.len()));
        }
        Ok(Self(steps))
    }

    /// The steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_paths() {
        let key = |text: &str| Step::Key(text.to_owned());
        assert_eq!(Path::parse("").unwrap().steps(), []);
        assert_eq!(Path::parse("a.b").unwrap().steps(), [key("a"), key("b")]);
        assert_eq!(Path::parse("[3]").unwrap().steps(), [Step::Index(3)]);
        let mixed = [key("a"), Step::Index(0), Step::Index(1), key("b-c")];
        assert_eq!(Path::parse("a[0][1].b-c").unwrap().steps(), mixed);
    }

    #[test]
    fn faulty_paths() {
        for text in [".a", "a.", "a..b", "a[", "a[x]", "a[-1]", "a[0]b", "a.*", "a[?(@.b)]", "$..a"]
        {
            let sentence = Path::parse(text).unwrap_err();
            assert!(sentence.contains("such as pet.tags[0].name"), "{text}: {sentence}");
        }
        assert!(Path::parse(&"[0]".repeat(STEPS_MAX)).is_ok());
        assert!(Path::parse(&"[0]".repeat(STEPS_MAX + 1)).unwrap_err().contains("at most 32"));
    }
}
