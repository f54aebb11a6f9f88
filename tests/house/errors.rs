//! `docs/errors.md` says of every error what the table in the code says, and of nothing else.

use std::fs;

use mqttsession::error::Code;

use super::root;

/// The rows of the document: number, name, whether it is tried again, sentence.
fn rows(document: &str) -> Vec<[String; 4]> {
    let cells = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, name, again, sentence] = cells[..] else {
            panic!("a row has four cells: {line}")
        };
        [number, name, again, sentence].map(|cell| cell.replace('`', "").replace("\\|", "|"))
    };
    document.lines().filter(|line| line.starts_with("| -")).map(cells).collect()
}

#[test]
fn the_document_agrees_with_the_code() {
    let document = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let expected: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            let again = if code.is_retryable() { "yes" } else { "no" };
            [&code.number().to_string(), code.name(), again, &code.sentence().replace('`', "")]
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(rows(&document), expected);
}

#[test]
fn a_row_is_read_as_it_stands() {
    let document = "| number | name |\n|--:|---|\n| -1 | `A` | yes | one `x` |\n";
    assert_eq!(rows(document), [["-1", "A", "yes", "one x"].map(str::to_owned)]);
}
