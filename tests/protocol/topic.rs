//! Topics, filters, and which matches which.

use mqttsession::protocol::topic::{TopicError, check_filter, check_name, matches, share_filter};

#[test]
fn topics() {
    let longest = "x".repeat(65_535);
    for topic in ["a", "/", "//", " ", "a b/ü/", "$SYS/x", "\u{FEFF}", "\u{1}", &longest] {
        assert_eq!(check_name(topic.as_bytes()), Ok(topic));
    }
    let too_long = "x".repeat(65_536);
    for (topic, error) in [
        (b"".as_slice(), TopicError::Empty),
        (too_long.as_bytes(), TopicError::TooLong),
        (b"a\0", TopicError::Nul),
        (b"+\0", TopicError::Nul),
        (b"#", TopicError::Wildcard),
        (b"a/+/b", TopicError::Wildcard),
        (b"a+", TopicError::Wildcard),
        (b"\xFF", TopicError::NotUtf8),
        (b"\xED\xA0\x80", TopicError::NotUtf8),
        (b"0123456789abcdef\xC3", TopicError::NotUtf8),
    ] {
        assert_eq!(check_name(topic), Err(error), "{topic:02x?}");
    }
}

#[test]
fn a_forbidden_character_is_found_wherever_it_stands() {
    for length in 1..=40 {
        // Neighbours of the forbidden ones, and bytes that carry into them.
        let filling: Vec<u8> = b"\x01*,\"$~\x7F/a".iter().copied().cycle().take(length).collect();
        assert!(check_name(&filling).is_ok(), "{filling:02x?}");
        for at in 0..length {
            for (byte, error) in
                [(0, TopicError::Nul), (b'+', TopicError::Wildcard), (b'#', TopicError::Wildcard)]
            {
                let mut topic = filling.clone();
                topic[at] = byte;
                assert_eq!(check_name(&topic), Err(error), "{topic:02x?}");
            }
        }
    }
    assert_eq!(check_name("«+»«ÿÿ»".replace('+', "").as_bytes()), Ok("«»«ÿÿ»"));
}

#[test]
fn filters() {
    let longest = "x".repeat(65_535);
    for filter in [
        "a",
        "/",
        "#",
        "+",
        "+/+",
        "/#",
        "a/#",
        "a/+/#",
        "+/a/",
        "//",
        "$SYS/#",
        "$share",
        "$shares/#",
        "$share/g/a",
        "$share/g/#",
        "$share/g/+/b",
        "$share/g//",
        "$share/g/$SYS/#",
        "$share/ü/a",
        &longest,
    ] {
        assert_eq!(check_filter(filter.as_bytes()), Ok(filter));
    }
    let too_long = "x".repeat(65_536);
    for (filter, error) in [
        (b"".as_slice(), TopicError::Empty),
        (too_long.as_bytes(), TopicError::TooLong),
        (b"a/\0", TopicError::Nul),
        (b"\xC0", TopicError::NotUtf8),
        (b"a#", TopicError::MultiLevelWildcard),
        (b"#a", TopicError::MultiLevelWildcard),
        (b"##", TopicError::MultiLevelWildcard),
        (b"#/", TopicError::MultiLevelWildcard),
        (b"#/a", TopicError::MultiLevelWildcard),
        (b"a/#/b", TopicError::MultiLevelWildcard),
        (b"+#", TopicError::MultiLevelWildcard),
        (b"a+", TopicError::SingleLevelWildcard),
        (b"+a/b", TopicError::SingleLevelWildcard),
        (b"a/++", TopicError::SingleLevelWildcard),
        (b"$share/", TopicError::ShareName),
        (b"$share//a", TopicError::ShareName),
        (b"$share/g", TopicError::ShareFilter),
        (b"$share/g/", TopicError::ShareFilter),
        (b"$share/g+/a", TopicError::ShareFilter),
        (b"$share/#/a", TopicError::ShareFilter),
        (b"$share/g/a#", TopicError::MultiLevelWildcard),
        (b"$share/g/a+", TopicError::SingleLevelWildcard),
    ] {
        assert_eq!(check_filter(filter), Err(error), "{}", String::from_utf8_lossy(filter));
    }
}

#[test]
fn filters_match_topics() {
    for (filter, topic) in [
        ("a", "a"),
        ("a/b", "a/b"),
        ("#", "a"),
        ("#", "/a/b"),
        ("a/#", "a"),
        ("a/#", "a/"),
        ("a/#", "a/b/c"),
        ("+", "a"),
        ("+", " "),
        ("a/+", "a/"),
        ("a/+", "a/b"),
        ("+/+", "/a"),
        ("/+", "/a"),
        ("+/b/#", "a/b"),
        ("+/#", "a"),
        ("a//b", "a//b"),
        ("a/+/b", "a//b"),
        ("$SYS/#", "$SYS/x"),
        ("$SYS/+", "$SYS/x"),
        ("a/#", "a/$b"),
        ("a/+", "a/$b"),
        ("ü/+", "ü/x"),
    ] {
        assert!(matches(filter, topic), "{filter} should match {topic}");
    }
    for (filter, topic) in [
        ("a", "A"),
        ("a", "a/"),
        ("a", "/a"),
        ("a/", "a"),
        ("a", "ab"),
        ("ab", "a"),
        ("a/b", "a"),
        ("a", "a/b"),
        ("+", "/a"),
        ("+", "a/b"),
        ("a/+", "a"),
        ("a/+", "a/b/c"),
        ("a/#", "ab"),
        ("a/b/#", "a"),
        ("+/b/#", "a/c"),
        ("#", "$SYS"),
        ("#", "$SYS/x"),
        ("+/x", "$SYS/x"),
        ("+", "$SYS"),
    ] {
        assert!(!matches(filter, topic), "{filter} should not match {topic}");
    }
}

/// [MQTT-4.7.3-4]
#[test]
fn matching_normalizes_nothing() {
    // One letter, and a letter with an accent of its own.
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}");
    assert!(matches(composed, composed) && matches(decomposed, decomposed));
    for (filter, topic) in [
        (composed, decomposed),
        (decomposed, composed),
        ("a/./b", "a/b"),
        ("a/../b", "b"),
        ("%61", "a"),
        ("a ", "a"),
        ("\u{FEFF}a", "a"),
    ] {
        assert!(!matches(filter, topic), "{filter} should not match {topic}");
    }
}

#[test]
fn a_shared_filter_has_a_group_and_a_filter() {
    assert_eq!(share_filter("$share/g/a/#"), Some(("g", "a/#")));
    assert_eq!(share_filter("$share/g//a"), Some(("g", "/a")));
    assert_eq!(share_filter("$share"), None);
    assert_eq!(share_filter("$sharex/g/a"), None);
    assert_eq!(share_filter("a/$share/g/a"), None);
}

#[test]
fn an_error_says_what_is_wrong() {
    let sentence = check_name(b"a/#").unwrap_err().to_string();
    assert_eq!(sentence, "it holds a wildcard, which only a filter may");
}
