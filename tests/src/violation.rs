//! The table of what a broker must not send, `violations.txt`; its head describes the form.

use std::iter::Peekable;

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called; unique.
    pub name: String,
    /// The protocol levels for which it holds: 3, 4, 5.
    pub levels: Vec<u8>,
    /// What the session is doing when the bytes come.
    pub situation: String,
    bytes: String,
    /// What the session writes before it closes, or goes on.
    pub answer: String,
    /// The error's name; none where the session goes on.
    pub code: Option<String>,
    told: String,
}

impl Row {
    /// Every row of the table.
    ///
    /// # Panics
    /// A row is not in the form that the table's head describes.
    pub fn all() -> Vec<Self> {
        parse(include_str!("../violations.txt")).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// What the broker sends at this level.
    ///
    /// # Panics
    /// The bytes are not in the form that the table's head describes.
    pub fn bytes(&self, level: u8) -> Vec<u8> {
        bytes(&self.bytes, level).unwrap_or_else(|reason| panic!("{}: {reason}", self.name))
    }

    /// The sentence that the user gets at this level, with the number that the statement has there.
    pub fn sentence(&self, level: u8) -> String {
        let Some((words, statements)) = self.told.split_once(" [") else {
            return self.told.clone();
        };
        let statements = statements.trim_end_matches(']').split(", ");
        let of_level = |statement: &str| match (statement.split_once(' '), level) {
            (_, 3) => None,
            (None, _) => Some(statement.to_owned()),
            (Some(("3.1.1", number)), 4) | (Some(("5.0", number)), 5) => Some(number.to_owned()),
            _ => None,
        };
        match statements.filter_map(of_level).next() {
            Some(number) => format!("{words} [{number}]"),
            None => words.to_owned(),
        }
    }
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let lines = text.lines().enumerate().filter(|(_, line)| !is_comment(line));
    let mut lines = lines.peekable();
    while let Some((index, line)) = lines.next() {
        let failed = |reason: &str| format!("line {}: {reason}", index + 1);
        let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [name, versions, situation, bytes, answer, code] = fields[..] else {
            return Err(failed("a row has six fields"));
        };
        let told = following(&mut lines);
        if told.is_empty() {
            return Err(failed("a row has a sentence below it"));
        }
        rows.push(Row {
            name: name.to_owned(),
            levels: levels(versions).ok_or_else(|| failed("there is no such version"))?,
            situation: situation.to_owned(),
            bytes: bytes.to_owned(),
            answer: answer.to_owned(),
            code: (code != "-").then(|| code.to_owned()),
            told,
        });
    }
    Ok(rows)
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// The indented lines that come next, as one.
fn following<'a>(lines: &mut Peekable<impl Iterator<Item = (usize, &'a str)>>) -> String {
    let indented = |(_, line): &(usize, &str)| line.starts_with(' ');
    let parts: Vec<&str> =
        std::iter::from_fn(|| lines.next_if(indented)).map(|(_, line)| line.trim()).collect();
    parts.join(" ")
}

fn levels(versions: &str) -> Option<Vec<u8>> {
    if versions == "all" {
        return Some(vec![3, 4, 5]);
    }
    let level = |version| match version {
        "3.1" => Some(3),
        "3.1.1" => Some(4),
        "5.0" => Some(5),
        _ => None,
    };
    versions.split(' ').map(level).collect()
}

fn bytes(text: &str, level: u8) -> Result<Vec<u8>, String> {
    let mut rest = text.trim_start();
    let bytes = sequence(&mut rest, level, None)?;
    Ok(bytes)
}

/// Reads up to the bracket that closes the sequence, or to the end.
fn sequence(rest: &mut &str, level: u8, close: Option<char>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(next) = rest.chars().next() else {
            return close.map_or(Ok(bytes), |bracket| Err(format!("{bracket} is missing")));
        };
        if Some(next) == close {
            *rest = &rest[1..];
            return Ok(bytes);
        }
        match next {
            '(' => {
                *rest = &rest[1..];
                let inner = sequence(rest, level, Some(')'))?;
                bytes.extend([crate::wire::variable(inner.len()), inner].concat());
            }
            '{' => {
                *rest = &rest[1..];
                let inner = sequence(rest, level, Some('}'))?;
                if level == 5 {
                    bytes.extend([crate::wire::variable(inner.len()), inner].concat());
                } else if !inner.is_empty() {
                    return Err("only 5.0 has properties".to_owned());
                }
            }
            quote @ ('"' | '\'') => {
                let (text, after) = rest[1..].split_once(quote).ok_or("a quote is not closed")?;
                *rest = after;
                match quote {
                    '"' => bytes.extend(crate::wire::counted(text)),
                    _ => bytes.extend(text.as_bytes()),
                }
            }
            _ => {
                let pair = rest.get(..2).and_then(crate::word::byte);
                bytes.push(pair.ok_or_else(|| format!("these are no bytes: {rest}"))?);
                *rest = &rest[2..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_lengths_filled_in() {
        assert_eq!(bytes("00 0102 'ab' \"ab\"", 4).unwrap(), b"\0\x01\x02ab\0\x02ab");
        assert_eq!(bytes("30 (\"t\" {} 'x')", 4).unwrap(), b"\x30\x04\0\x01tx");
        assert_eq!(bytes("30 (\"t\" {} 'x')", 5).unwrap(), b"\x30\x05\0\x01t\0x");
        assert_eq!(bytes("30 (\"t\" {23 0001})", 5).unwrap(), b"\x30\x07\0\x01t\x03\x23\0\x01");
    }

    #[test]
    fn bad_bytes_are_refused() {
        for text in ["0", "xy", "(00", "{00", "\"a", "{00}"] {
            assert!(bytes(text, 4).is_err(), "{text}");
        }
    }

    #[test]
    fn a_statement_has_the_number_of_its_version() {
        let row = |told: &str| {
            let table = format!("name | all | online | 00 | 0x81 | CODE\n    {told}\n");
            parse(&table).unwrap().remove(0)
        };
        let told = |told: &str| [3, 4, 5].map(|level| row(told).sentence(level));
        assert_eq!(told("It sent"), ["It sent"; 3]);
        assert_eq!(told("It sent [X-1]"), ["It sent", "It sent [X-1]", "It sent [X-1]"]);
        assert_eq!(told("It sent [5.0 X-1]"), ["It sent", "It sent", "It sent [X-1]"]);
        let both = "It sent [5.0 X-1, 3.1.1 X-2]";
        assert_eq!(told(both), ["It sent", "It sent [X-2]", "It sent [X-1]"]);
    }

    #[test]
    fn a_bad_row_is_refused_with_its_line() {
        for (table, reason) in [
            ("name | all | online | 00 | 0x81\n  told\n", "line 1: a row has six fields"),
            ("# x\na | 4.0 | b | 00 | c | d\n  told\n", "line 2: there is no such version"),
            ("a | all | b | 00 | c | d\n", "line 1: a row has a sentence below it"),
        ] {
            assert_eq!(parse(table).unwrap_err(), reason);
        }
    }
}
