//! Properties over any bytes: parsing ends, never panics, holds its bounds, and places are true.
//! Seeds and inputs of a failure are printed by bolero; `cargo bolero test` fuzzes them longer.

use bolero::check;

use super::*;
use crate::base::limits::DOCUMENT_NODES_MAX;

/// Parses as YAML and as JSON, and checks every place of the tree and of the problems.
fn read(bytes: &[u8]) {
    for name in ["a.yaml", "a.json"] {
        let mut problems = Problems::new();
        let document = Document::parse(Path::new(name), bytes, &mut problems);
        for problem in problems.iter() {
            let place = problem.place.as_ref().expect("the bytes are few");
            let text = text_of(bytes);
            let range = place.bytes.0 as usize..place.bytes.1 as usize;
            assert!(text.get(range).is_some(), "{problem}");
        }
        assert!(document.is_some() || problems.errors() > 0, "nothing, and no reason");
        if let Some(document) = document {
            let mut left = DOCUMENT_NODES_MAX + 1;
            walk(document.root(), &mut left);
        }
    }
}

fn walk(node: Node<'_>, left: &mut usize) {
    *left = left.checked_sub(1).expect("no more values than the bound");
    check_place(node.document(), &node.place());
    let mut keys = std::collections::HashSet::new();
    for entry in node.entries() {
        assert!(keys.insert(entry.key), "{} twice", entry.key);
        check_place(node.document(), &entry.key_place());
        walk(entry.value, left);
    }
    node.items().for_each(|item| walk(item, left));
}

/// Line and column of a place, counted from the start of the text, lead to its first byte.
fn check_place(document: &Document, place: &Place) {
    let text = document.text();
    let before = &text[..place.bytes.0 as usize];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    assert_eq!((place.line as usize, place.column as usize), (line, column));
    assert!(text.get(place.bytes.0 as usize..place.bytes.1 as usize).is_some());
}

#[test]
fn any_bytes_are_a_document_or_are_refused() {
    check!().with_type::<Vec<u8>>().for_each(|bytes: &Vec<u8>| read(bytes));
}

/// Pieces of YAML and JSON in any order: much nearer to a document than any bytes are.
const PIECES: [&str; 40] = [
    "a",
    "b",
    ": ",
    ":",
    "\n",
    "  ",
    "    ",
    "- ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\"",
    "'",
    "&x ",
    "*x",
    "<<: ",
    "!Sub ",
    "!!int ",
    "!GetAtt a.b",
    "|\n",
    ">-\n",
    "# c\n",
    "---\n",
    "...\n",
    "é😀",
    "\t",
    "1",
    "-.5e3",
    "null",
    "true",
    "\"k\": ",
    "\\u00e9",
    "\r\n",
    "%YAML 1.2\n",
    "\u{feff}",
    "0x",
    "~",
];

#[test]
fn any_pieces_are_a_document_or_are_refused() {
    check!().with_type::<Vec<u8>>().for_each(|choices: &Vec<u8>| {
        let pieces = choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]);
        read(pieces.collect::<String>().as_bytes());
    });
}
