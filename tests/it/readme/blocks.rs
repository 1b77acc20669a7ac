//! The README's marked blocks, by section; and how an output is compared with what is shown.

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Runs until its section ends.
    Serve,
    /// Runs to its end, with exit code 0.
    Test,
    /// Runs to its end, with another exit code.
    TestFails,
}

/// A marked block with the output that is shown behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) commands: String,
    pub(super) shown: Option<String>,
}

/// The marked blocks of each `## ` section.
pub(super) fn sections(text: &str) -> Vec<Vec<Block>> {
    let mut sections: Vec<Vec<Block>> = vec![Vec::new()];
    let mut open: Option<(usize, &str, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(mark)) => open = Some((number, mark, String::new())),
            (Some(_), Some(_)) => {
                let (at, mark, body) = open.take().unwrap();
                close(sections.last_mut().unwrap(), at, mark, body);
            }
            (Some((_, _, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) if line.starts_with("## ") => sections.push(Vec::new()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    sections
}

fn close(blocks: &mut Vec<Block>, line: usize, mark: &str, body: String) {
    let kind = match mark {
        "sh serve" => Kind::Serve,
        "sh test" => Kind::Test,
        "sh test fails" => Kind::TestFails,
        "text" => {
            let tested = blocks.last_mut().filter(|block| block.kind != Kind::Serve);
            let tested = tested.unwrap_or_else(|| panic!("line {line}: output of no command"));
            tested.shown = Some(body);
            return;
        }
        "sh" | "yaml" | "json" => return,
        other => panic!("README.md:{line}: a block marked '{other}'"),
    };
    blocks.push(Block { line, kind, commands: body, shown: None });
}

/// Whether `lines` are what is shown: `..` within a line is any text, as a line any lines.
pub(super) fn matches(shown: &[&str], lines: &[&str]) -> bool {
    match (shown, lines) {
        ([], []) => true,
        (["..", rest @ ..], _) => (0..=lines.len()).any(|skip| matches(rest, &lines[skip..])),
        ([first, shown @ ..], [line, lines @ ..]) => {
            line_matches(first, line) && matches(shown, lines)
        }
        _ => false,
    }
}

fn line_matches(shown: &str, line: &str) -> bool {
    let Some((start, shown)) = shown.split_once("..") else { return shown == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    (0..=line.len())
        .filter(|place| line.is_char_boundary(*place))
        .any(|place| line_matches(shown, &line[place..]))
}

#[test]
fn the_judge_tells_outputs_apart() {
    #[track_caller]
    fn check(shown: &str, output: &str, expected: bool) {
        let (shown, output): (Vec<_>, Vec<_>) = (shown.lines().collect(), output.lines().collect());
        assert_eq!(matches(&shown, &output), expected, "{shown:?} {output:?}");
    }
    check("a\nb", "a\nb", true);
    check("a\nb", "a\nc", false);
    check("a", "a\nb", false);
    check("a\nb", "a", false);
    check("a\n..", "a\nb\nc", true);
    check("a\n..\nc", "a\nc", true);
    check("a\n..\nc", "a\nb", false);
    check("x: ..", "x: 1", true);
    check("x: .. y", "x: 1 y", true);
    check("x: .. y", "x: 1 z", false);
    check("x..", "yx", false);
}

#[test]
fn blocks_are_found() {
    let text =
        "a\n```sh test\nb\n```\n\n```text\nc\n```\n## d\n```sh\ne\n```\n```sh serve\nf\n```\n";
    let block = |line, kind, commands: &str, shown: Option<&str>| Block {
        line,
        kind,
        commands: commands.to_owned(),
        shown: shown.map(str::to_owned),
    };
    let expected = vec![
        vec![block(2, Kind::Test, "b\n", Some("c\n"))],
        vec![block(13, Kind::Serve, "f\n", None)],
    ];
    assert_eq!(sections(text), expected);
}
