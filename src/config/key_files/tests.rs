use super::*;

const VALUE: &str = "abcdefg1234567890abcdefghi";

/// The rows of a file, one line each, and what is told of it.
fn read(text: &[u8]) -> (Vec<String>, Vec<String>) {
    let mut problems = Problems::new();
    let rows = parse(&Arc::new("k.csv".into()), text, &mut problems);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told.iter().all(|line| !line.contains(VALUE)), "a value is told: {told:?}");
    let rows = rows.into_iter().map(|row| {
        assert!([VALUE, &VALUE.to_uppercase()].map(digest_of).contains(&row.digest));
        let on = if row.enabled { "on" } else { "off" };
        format!("{} {} {on} {}", row.line, row.name, row.plans.join("+"))
    });
    (rows.collect(), told)
}

#[track_caller]
fn check(text: &str, rows: &[&str], expected: &[&str]) {
    let text = text.replace('$', VALUE);
    let (found, told) = read(text.as_bytes());
    assert_eq!(found, rows, "{told:?}");
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told}");
    }
}

/// AWS's own example, and its shortest form.
#[test]
fn files_of_aws_are_read() {
    let text = "Name,key,description,Enabled,usageplanIds\n\
                MyFirstKey,$,An imported key,TRUE,\"c7y23b, gold\"\n\
                MySecond,$,,false,\nThird,$,\"a, b\",,c7y23b\n";
    let rows = ["2 MyFirstKey on c7y23b+gold", "3 MySecond off ", "4 Third on c7y23b"];
    check(text, &rows, &[]);
    check("name,key\na,$", &["2 a on "], &[]);
    check("KEY , NAME\r\n$ , a b\r\n", &["2 a b on "], &[]);
    check("\u{feff}Name,Key\na,$\n", &["2 a on "], &[]);
    check("Name,Key\n", &[], &[]);
    check("Name,Key\n\"a \"\"b\"\"\",$\n", &["2 a \"b\" on "], &[]);
}

#[test]
fn lines_are_counted_over_blank_ones_and_line_ends_in_quotes() {
    check("Name,Key\n\n\na,$\n", &["4 a on "], &[]);
    let told = "k.csv:2:1: the row does not end with its line; close the quotation mark";
    check("Name,Key,Description\na,$,\"x\ny\"\nb,$,\n", &["4 b on "], &[told]);
    check(
        "Name,Key\r\n\r\na,$\r\nb,short\r\n",
        &["3 a on "],
        &["k.csv:4:1: key b: its value has 5"],
    );
}

#[test]
fn the_first_row_names_the_columns() {
    check("", &[], &["k.csv:1:1: the file is empty; begin it with the row Name,Key"]);
    check("\n\n", &[], &["the file is empty"]);
    check("a,$\n", &[], &["no column Name", "no column Key"]);
    check("Name\na\n", &[], &["no column Key"]);
    check("Name,Key,name\n", &[], &["the column Name is there twice"]);
    check(
        "Name,Key,Tags\na,$,x\n",
        &["2 a on "],
        &["the column \"Tags\" is not known; it is left"],
    );
    check("Name;Key\na;$\n", &[], &["no column Name", "no column Key"]);
}

#[test]
fn a_faulty_row_is_told_and_the_others_are_taken() {
    check(
        "Name,Key\na\nb,$\n",
        &["3 b on "],
        &["k.csv:2:1: the row has 1 fields; the first has 2"],
    );
    check("Name,Key\na,$,x\nb,$\n", &["3 b on "], &["the row has 3 fields"]);
    check("Name,Key\n,$\nb,$\n", &["3 b on "], &["the name \"\" does not fit"]);
    check(
        "Name,Key,Enabled\na,$,yes\nb,$,True\n",
        &["3 b on "],
        &["key a: Enabled is \"yes\"; write"],
    );
    check("Name,Key\na,\nb,$\n", &["3 b on "], &["key a: its value has 0 characters"]);
    check("Name,Key\n$,a\nb,$\n", &["3 b on "], &["k.csv:2:1: the key: its value has 1 char"]);
    check("Name,Key\na,$ $\n", &[], &["key a: character 27 of its value is none that a header"]);
    check("Name,Key\na,\"$\n$\"\nb,$\n", &["4 b on "], &["the row does not end with its line"]);
    check("Name,Key\na,\"$\nb,$\n", &[], &["the row does not end with its line"]);
    let (rows, told) =
        read(format!("Name,Key\n\u{e9},{VALUE}\n").replace('\u{e9}', "e").as_bytes());
    assert_eq!((rows.len(), told.len()), (1, 0));
    let latin =
        [b"Name,Key\n\xe9,".as_slice(), VALUE.as_bytes(), b"\nb,", VALUE.as_bytes()].concat();
    let (rows, told) = read(&latin);
    assert_eq!(rows, ["3 b on "]);
    assert_eq!(told, ["k.csv:2:1: the row is not UTF-8; save the file as UTF-8"]);
}

/// The rows behind it were a part of its last text: they were lost, or told as usage plans, their
/// values with them.
#[test]
fn a_quotation_mark_that_is_never_closed_loses_no_row_in_silence() {
    let told = ["k.csv:2:1: the row does not end with its line; close the quotation mark"];
    check("Name,Key,Description\na,$,\"its \nb,$,\nc,$,\n", &[], &told);
    check("Name,Key,Description\na,$,\"its \nb,$,\"\nc,$,\n", &["4 c on "], &told);
    check("Name,Key,UsagePlanIds\na,$,\"gold\nb,$,gold\n", &[], &told);
    check("Name,Key\r\n\"a,$\r\nb\",$\r\n", &[], &told);
}

/// Whatever a file holds, it is read or told.
#[test]
fn fuzz_any_bytes_are_read_or_told() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut problems = Problems::new();
        let rows = parse(&Arc::new("k.csv".into()), bytes, &mut problems);
        assert!(rows.iter().all(|row| is_name(&row.name)));
    });
}
