//! A document's text with two small indices, so that a place costs the same in a file of one
//! line as in any other: where lines begin, and how many characters precede every 64th byte.

const STEP: usize = 64;

/// The text of a document, without its byte order mark.
pub(super) struct Text {
    text: String,
    /// Byte offset of each line's first byte; the first is 0.
    lines: Vec<u32>,
    /// Characters before byte `index * STEP`.
    characters: Vec<u32>,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        let after_breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| offset(at + 1));
        let lines = std::iter::once(0).chain(after_breaks).collect();
        let mut characters = vec![0];
        let mut before = 0;
        for part in text.as_bytes().chunks(STEP) {
            before += count(part);
            characters.push(offset(before));
        }
        Self { text, lines, characters }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Line and column, both from 1, of the character that byte `at` belongs to.
    pub(super) fn line_and_column(&self, at: u32) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= at) - 1;
        let column = self.characters_before(at) - self.characters_before(self.lines[line]) + 1;
        (offset(line + 1), column)
    }

    /// The byte offset of character `index` (counted from 0); the end when there are fewer.
    pub(super) fn byte_of_character(&self, index: usize) -> u32 {
        let step = self.characters.partition_point(|before| *before as usize <= index) - 1;
        let start = (step * STEP).min(self.text.len());
        let mut missing = index - self.characters[step] as usize;
        for (at, byte) in self.text.as_bytes()[start..].iter().enumerate() {
            if !is_first_byte(*byte) {
                continue;
            }
            if missing == 0 {
                return offset(start + at);
            }
            missing -= 1;
        }
        offset(self.text.len())
    }

    /// The byte offset of a line and a byte column (both from 1), within the text and on the
    /// first byte of a character.
    pub(super) fn byte_of_line(&self, line: usize, byte_column: usize) -> u32 {
        let line = line.clamp(1, self.lines.len());
        let start = self.lines[line - 1] as usize;
        let mut at = (start + byte_column.saturating_sub(1)).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        offset(at)
    }

    fn characters_before(&self, at: u32) -> u32 {
        let step = at as usize / STEP;
        let rest = &self.text.as_bytes()[step * STEP..at as usize];
        self.characters[step] + offset(count(rest))
    }
}

/// A number within a document's text; the text is smaller than 4 GiB (see `base::limits`).
pub(super) fn offset(value: usize) -> u32 {
    u32::try_from(value).expect("a document is at most DOCUMENT_BYTES_MAX long")
}

fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| is_first_byte(**byte)).count()
}

/// Not a continuation byte of UTF-8.
const fn is_first_byte(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_agree_with_counting_from_the_start() {
        let line = "aé€😀\tz";
        let text = Text::new(format!("{}\n\n{}", line.repeat(400), line.repeat(300)));
        let (mut row, mut column) = (1, 1);
        for (index, (at, character)) in text.as_str().char_indices().enumerate() {
            assert_eq!(text.line_and_column(offset(at)), (row, column));
            assert_eq!(text.byte_of_character(index), offset(at));
            (row, column) = if character == '\n' { (row + 1, 1) } else { (row, column + 1) };
        }
        let end = offset(text.as_str().len());
        assert_eq!(text.line_and_column(end), (row, column));
        assert_eq!(text.byte_of_character(1 << 20), end);
        assert_eq!(text.byte_of_line(1, 3), 1, "the second byte of é");
        assert_eq!(text.byte_of_line(99, 1 << 20), end);
    }

    #[test]
    fn an_empty_text_has_a_first_place() {
        let text = Text::new(String::new());
        assert_eq!(text.line_and_column(0), (1, 1));
        assert_eq!(text.byte_of_character(0), 0);
    }
}
