//! Host names to what belongs to them: exact ones, then wildcards of one label.

use std::collections::HashMap;

/// A table of names.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    exact: HashMap<Box<[u8]>, T>,
    /// By what follows the `*`, its dot included.
    wildcards: HashMap<Box<[u8]>, T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wildcards: HashMap::new() }
    }
}

impl<T> Names<T> {
    /// What belongs to a name, such as `a.example` or `*.example`, to be changed.
    pub(super) fn entry(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match name.strip_prefix('*') {
            Some(rest) => self.wildcards.entry(rest.as_bytes().into()).or_default(),
            None => self.exact.entry(name.into_bytes().into()).or_default(),
        }
    }

    /// What belongs to a host: the exact name's, else that of the wildcard that covers it.
    pub(super) fn find(&self, host: &[u8]) -> Option<&T> {
        let mut folded = [0; NAME_BYTES_MAX];
        let host = host.strip_suffix(b".").unwrap_or(host);
        let folded = folded.get_mut(..host.len())?;
        folded.copy_from_slice(host);
        folded.make_ascii_lowercase();
        self.exact.get(&*folded).or_else(|| {
            let dot = folded.iter().position(|&byte| byte == b'.').filter(|&dot| dot > 0)?;
            self.wildcards.get(&folded[dot..])
        })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcards.is_empty()
    }
}

/// The longest name that DNS has.
const NAME_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_name_goes_before_the_wildcard() {
        let mut names: Names<u8> = Names::default();
        assert!(names.is_empty());
        *names.entry("API.example.com") = 1;
        *names.entry("*.example.com") = 2;
        let check = |host: &str, expected: Option<u8>| {
            assert_eq!(names.find(host.as_bytes()).copied(), expected, "{host}");
        };
        check("api.example.com", Some(1));
        check("Api.Example.Com.", Some(1));
        check("other.example.com", Some(2));
        check("a.b.example.com", None);
        check("example.com", None);
        check(".example.com", None);
        check("", None);
        check("com", None);
        check(&format!("{}.example.com", "a".repeat(241)), Some(2));
        check(&format!("{}.example.com", "a".repeat(242)), None);
    }
}
