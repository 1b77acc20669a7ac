use super::*;

fn draft(id: &str, value: &str) -> KeyDraft {
    let (id, name) = (id.to_owned(), id.to_uppercase());
    let digest = Digest::of(value.as_bytes());
    KeyDraft { id, name, enabled: true, digest, plans: Arc::default() }
}

fn numbered(count: usize) -> Keys {
    let drafts = (0..count).map(|at| draft(&format!("key-{at}"), &value(at))).collect();
    Keys::compile(drafts).expect("they differ")
}

fn value(at: usize) -> String {
    format!("value-of-the-key-number-{at}")
}

#[test]
fn a_digest_is_the_sha_256() {
    // FIPS 180-2, B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(format!("{:?}", Digest::of(b"abc")), abc);
    assert_eq!(Digest::parse(abc), Some(Digest::of(b"abc")));
    assert_eq!(Digest::parse(&abc.to_uppercase()), Some(Digest::of(b"abc")));
    assert_eq!(Digest::of(b"abc").first_8(), 0xba78_16bf_8f01_cfea);
    assert_eq!(Digest::of(b"abc").kept().place(2), 1);
    assert_eq!(Digest::of(b"abc").kept().place(1 << 12), 0xba7);
    assert_eq!(Digest::of_names(&["key", "a"]), Digest::of(b"key\0a"));
    for wrong in ["", &abc[1..], &format!("{abc}0"), &abc.replace('b', "g"), &abc.replace('b', "+")]
    {
        assert_eq!(Digest::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_key_is_found_by_its_value_and_by_its_id() {
    for count in [1, 2, 3, 4, 5, 1_000, 1_024, 1_025] {
        let keys = numbered(count);
        assert_eq!((keys.len(), keys.is_empty()), (count, false));
        for at in 0..count {
            let key = keys.find(value(at).as_bytes()).expect("it is there");
            assert_eq!(keys.id(key), format!("key-{at}"));
            assert_eq!(keys.named(keys.id(key)).map(|key| key.subject), Some(key.subject));
        }
        assert!(keys.find(value(count).as_bytes()).is_none());
        assert!(keys.named("key-").is_none());
    }
}

#[test]
fn values_that_no_key_can_have_are_not_found() {
    let long = "x".repeat(API_KEY_VALUE_BYTES_MAX);
    let short = "y".repeat(API_KEY_VALUE_BYTES_MIN);
    let keys = Keys::compile(vec![draft("long", &long), draft("short", &short)]).unwrap();
    assert_eq!(keys.find(long.as_bytes()).map(|key| keys.id(key)), Some("long"));
    assert_eq!(keys.find(short.as_bytes()).map(|key| keys.name(key)), Some("SHORT"));
    for wrong in [&format!("{long}x"), &short[1..], "", &short.to_uppercase()] {
        assert!(keys.find(wrong.as_bytes()).is_none(), "{wrong}");
    }
    assert!(Keys::default().find(short.as_bytes()).is_none());
    assert!(Keys::compile(Vec::new()).unwrap().find(short.as_bytes()).is_none());
}

#[test]
fn ids_and_values_differ() {
    let twice = vec![draft("a", "value-0"), draft("b", "value-0"), draft("a", "value-1")];
    let faults = Keys::compile(twice).err().expect("two faults");
    assert_eq!(faults[0], "two API keys have the id a");
    assert!(faults[1].contains("have the same value"), "{faults:?}");
    assert_eq!(faults.len(), 2);
}

/// Digests that a file gives may all begin alike, also at either end.
#[test]
fn digests_that_begin_alike_are_told_apart() {
    for first in [0, 0x7fff, 0xffff] {
        let digest = |at: usize| Digest::parse(&format!("{first:04x}{at:044x}{:016x}", 0)).unwrap();
        let mut drafts: Vec<KeyDraft> = (0..9)
            .map(|at| KeyDraft { digest: digest(at), ..draft(&at.to_string(), "") })
            .collect();
        drafts.push(draft("another", &value(0)));
        let keys = Keys::compile(drafts).unwrap();
        let ids: Vec<&str> = keys.iter().map(|key| keys.id(key)).collect();
        assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "another"]);
        for at in 0..9 {
            let found = keys.at(&keys.place_of(digest(at).kept())).expect("it is there");
            assert_eq!(keys.id(found), at.to_string(), "{first:x}");
        }
        assert!(keys.at(&keys.place_of(digest(9).kept())).is_none());
        assert!(keys.find(value(0).as_bytes()).is_some());
    }
}

#[test]
fn an_id_is_told_whether_it_fits_its_line_or_not() {
    for length in [1, SHORT_ID_BYTES_MAX - 1, SHORT_ID_BYTES_MAX, SHORT_ID_BYTES_MAX + 1, 300] {
        for letter in ["x", "é"] {
            let id = letter.repeat(length);
            let keys = Keys::compile(vec![draft(&id, &value(0))]).unwrap();
            let key = keys.find(value(0).as_bytes()).unwrap();
            assert_eq!((keys.id(key), keys.name(key)), (&*id, &*id.to_uppercase()));
        }
    }
}

#[test]
fn a_subject_is_its_id_s() {
    assert_eq!(subject_of("a").0, Digest::of(b"key\0a").first_16());
    assert_ne!(subject_of("a"), subject_of("b"));
}

#[test]
fn a_stage_has_one_plan() {
    let plan = UsagePlanIndex;
    let plans = StagePlans::compile(vec![(7, plan(1)), (2, plan(0)), (7, plan(1))]).unwrap();
    let found: Vec<_> = [0, 2, 3, 7, 8].map(|stage| plans.find(stage)).into();
    assert_eq!(found, [None, Some(plan(0)), None, Some(plan(1)), None]);
    let two = StagePlans::compile(vec![(7, plan(1)), (2, plan(0)), (7, plan(3))]);
    assert_eq!(two, Err((7, plan(1), plan(3))));
    assert_eq!(StagePlans::default().find(0), None);
}
