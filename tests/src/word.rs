//! Words of a script and of a trace: bytes, plain or in quotes.

/// Splits a line into words at white space, up to a `#` that begins a word.
///
/// Quotes keep white space together, also in the middle of a word as in `payload="two words"`.
/// Inside them `\n`, `\r`, `\t`, `\\`, `\"` and `\x41` stand for bytes.
pub(crate) fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        match characters.peek() {
            None | Some('#') => return Ok(words),
            Some(_) => {}
        }
        let mut word = Vec::new();
        while let Some(character) = characters.next_if(|c| !c.is_whitespace()) {
            match character {
                '"' => quoted(&mut characters, &mut word)?,
                _ => push(&mut word, character),
            }
        }
        words.push(word);
    }
}

fn quoted(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    word: &mut Vec<u8>,
) -> Result<(), String> {
    loop {
        match characters.next().ok_or("a quote is not closed")? {
            '"' => return Ok(()),
            '\\' => match characters.next().ok_or("a quote is not closed")? {
                'n' => word.push(b'\n'),
                'r' => word.push(b'\r'),
                't' => word.push(b'\t'),
                'x' => {
                    let digits: String = characters.by_ref().take(2).collect();
                    let byte = byte(&digits).ok_or(format!("\\x{digits} is not a byte"))?;
                    word.push(byte);
                }
                other @ ('\\' | '"') => push(word, other),
                other => return Err(format!("\\{other} means nothing")),
            },
            other => push(word, other),
        }
    }
}

fn push(word: &mut Vec<u8>, character: char) {
    word.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A byte from its two hexadecimal digits.
pub(crate) fn byte(digits: &str) -> Option<u8> {
    // The number's own parser would take a sign.
    let two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    two.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// The word for some bytes, in quotes where it needs them.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'#');
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut word = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => word.push_str("\\n"),
                '\r' => word.push_str("\\r"),
                '\t' => word.push_str("\\t"),
                '"' | '\\' => word.extend(['\\', character]),
                _ if character.is_ascii_control() => hexadecimal(&mut word, character as u8),
                _ => word.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| hexadecimal(&mut word, *byte));
    }
    word.push('"');
    word
}

fn hexadecimal(word: &mut String, byte: u8) {
    word.push_str(&format!("\\x{byte:02x}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_at_white_space_outside_quotes() {
        let words = split(r#"  send text "a b" c="d # e"	f # the rest"#).unwrap();
        assert_eq!(words, [&b"send"[..], b"text", b"a b", b"c=d # e", b"f"]);
        assert_eq!(split("   # nothing").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(split(r#""""#).unwrap(), [b""]);
        assert_eq!(split("a#b").unwrap(), [b"a#b"]);
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        for bytes in
            [&b"plain/+"[..], b"", b"two words", b"\"\\\r\n\t", b"\0\x7F\xFF", "é#".as_bytes()]
        {
            assert_eq!(split(&quote(bytes)).unwrap(), [bytes], "{}", quote(bytes));
        }
        assert_eq!(quote(b"a\0b"), r#""a\x00b""#);
    }

    #[test]
    fn a_bad_line_is_refused_with_its_reason() {
        for (line, reason) in [
            ("\"a", "a quote is not closed"),
            (r#""\q""#, r"\q means nothing"),
            (r#""\x4""#, "\\x4\" is not a byte"),
            (r#""\x+4""#, r"\x+4 is not a byte"),
        ] {
            assert_eq!(split(line).expect_err(line), reason);
        }
    }
}
