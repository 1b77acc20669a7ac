//! Arbitrary bytes, and real documents with slips of the pen, through the importer: it ends, and
//! says why when it refuses. A fuzz target (`cargo bolero test`) that also runs as a plain test.

use std::{path::Path, sync::OnceLock};

use bolero::check;

use crate::{
    config::{
        Problems,
        document::Document,
        openapi::{ApiDefinition, BasePath, ImportOptions, StageInputs, import},
        user_pools::UserPools,
    },
    steps::{context::StageVariables, route::Router, stage::StageName},
};

/// One slip: where, what, and with which byte.
type Slip = (u16, u8, u8);

/// Texts that mean something to the importer, put in at random places.
const WORDS: &[&str] = &[
    "$ref: '#/paths/~1a'",
    "${stageVariables.host}",
    "${AWS::Region}",
    "{proxy+}",
    "Fn::Sub",
    "x-amazon-apigateway-integration",
    "security: [{a: []}]",
    "*a",
    "&a ",
    "null",
    "[]",
    "{}",
    "\n",
    "%",
    "$default",
    "\u{10ffff}",
];

/// What a file of keys holds.
const KEYS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Imports and compiles; what must hold for any bytes.
fn import_and_compile(name: &str, bytes: &[u8]) {
    let options = ImportOptions { basepath: BasePath::Prepend, ..ImportOptions::default() };
    let mut problems = Problems::new();
    let document = Document::parse(Path::new(name), bytes, &mut problems);
    let Some(document) = document else {
        assert!(problems.errors() > 0, "refused without a sentence");
        return;
    };
    let before = problems.errors();
    let definition = import(&document, &options, &mut problems);
    let is_sound = definition.as_ref().is_some_and(ApiDefinition::is_sound);
    assert_eq!(is_sound, problems.errors() == before);
    let Some(mut definition) = definition else { return };
    let mut pools = UserPools::default();
    definition.read_keys(|_, _, _, _| Some(KEYS.to_vec()), &mut pools, &mut problems);
    let stage = StageName::parse("prod").unwrap();
    let variables = StageVariables::compile([("host", "10.0.0.5:8000"), ("version", "v1")]);
    let variables = variables.unwrap();
    let inputs = StageInputs { name: &stage, variables: &variables };
    let draft = definition.compile(&inputs, &mut problems);
    assert_eq!(draft.is_none(), problems.errors() > before);
    if let Some(draft) = draft {
        assert_eq!(draft.routes.len(), definition.routes().len());
        let keys = draft.routes.iter().map(|route| route.key.clone()).collect();
        assert!(Router::compile(keys).is_ok(), "a conflict of routes was not told with its place");
    }
}

/// The golden documents, which hold an example of every rule.
fn originals() -> &'static [String] {
    static ORIGINALS: OnceLock<Vec<String>> = OnceLock::new();
    ORIGINALS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/openapi/tests/golden");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    })
}

fn with_slips(original: &str, slips: &[Slip]) -> Vec<u8> {
    let mut bytes = original.as_bytes().to_vec();
    for &(at, what, byte) in slips.iter().take(16) {
        let at = usize::from(at) % (bytes.len() + 1);
        let word = WORDS[usize::from(byte) % WORDS.len()].bytes();
        match what % 5 {
            0 => drop(bytes.splice(at..at, [byte])),
            1 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [])),
            2 => drop(bytes.splice(at..at, word)),
            3 => drop(bytes.splice(at..(at + usize::from(byte)).min(bytes.len()), word)),
            _ => {
                let line = bytes[at..].iter().take_while(|&&byte| byte != b'\n').copied();
                let copy: Vec<u8> = line.chain([b'\n']).collect();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
    bytes
}

#[test]
fn arbitrary_bytes_are_imported_or_refused() {
    check!().with_type::<Vec<u8>>().for_each(|bytes| {
        import_and_compile("api.yaml", bytes);
        import_and_compile("api.json", bytes);
    });
}

#[test]
fn documents_with_slips_are_imported_or_refused() {
    check!().with_type::<(u8, Vec<Slip>)>().for_each(|(which, slips)| {
        let originals = originals();
        let original = &originals[usize::from(*which) % originals.len()];
        import_and_compile("api.yaml", &with_slips(original, slips));
    });
}
