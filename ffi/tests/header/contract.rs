//! Reads a header as a user does and checks what each function's comment and signature promise.

/// Headers that break a rule, and what is to be said about it.
pub(crate) const EXAMPLES: [(&str, &str); 10] = [
    ("int32_t mqtt_a(void);", "no comment"),
    (
        "/**\n * @return MQTT_OK.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(void);",
        "no purpose",
    ),
    (
        "/**\n * Does.\n * @return MQTT_OK.\n * @callbacks Any.\n */\nint32_t mqtt_a(void);",
        "no @threads",
    ),
    (
        "/**\n * Does.\n * @return MQTT_OK.\n * @threads Any.\n */\nint32_t mqtt_a(void);",
        "no @callbacks",
    ),
    (
        "/**\n * Does.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(void);",
        "no @return",
    ),
    (
        "/**\n * Does.\n * @return MQTT_OK.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(int32_t b);",
        "`b` is not described",
    ),
    (
        "/**\n * Does.\n * @param b The b.\n * @return MQTT_OK.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(int32_t b);",
        "`b` does not say who owns it",
    ),
    (
        "/**\n * Does.\n * @param b Output.\n * @param c Value.\n * @return MQTT_OK.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(int32_t *b, int32_t c);",
        "out of order",
    ),
    (
        "/**\n * Does.\n * @param b Lent.\n * @return MQTT_OK.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(const void *b);",
        "`b` is lent for ever",
    ),
    (
        "/**\n * Does.\n * @param b Value.\n * @return MQTT_OK.\n * @threads Any.\n * @callbacks Any.\n */\nint32_t mqtt_a(long b);",
        "`long`",
    ),
];

/// What is wrong with the functions of a header.
pub(crate) fn faults(header: &str) -> Vec<String> {
    functions(header).iter().flat_map(Function::faults).collect()
}

/// Types that differ from one compiler to the next, or that a signature must not use.
const FORBIDDEN: [&str; 12] = [
    "long", "short", "int", "unsigned", "signed", "bool", "_Bool", "enum", "ssize_t", "intptr_t",
    "time_t", "double",
];

/// The first words of a parameter's comment, in the order in which parameters stand: the object
/// and the inputs, the callback triple, the outputs.
const INPUTS: [&str; 4] = ["Value.", "Borrowed.", "Taken.", "Lent."];

struct Function {
    name: String,
    returns: String,
    parameters: Vec<String>,
    comment: Vec<String>,
}

impl Function {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.comment.is_empty() {
            faults.push("no comment".to_owned());
        }
        if self.comment.first().is_none_or(|line| line.starts_with('@') || line.is_empty()) {
            faults.push("no purpose".to_owned());
        }
        for part in ["@threads", "@callbacks"] {
            if self.part(part).is_none() {
                faults.push(format!("no {part}"));
            }
        }
        match (self.returns.as_str(), self.part("@return")) {
            ("void", Some(_)) => faults.push("a @return for nothing".to_owned()),
            ("void", None) => {}
            (_, None) => faults.push("no @return".to_owned()),
            ("mqtt_status", Some(text)) if !text.contains("MQTT_") && !text.contains("mqtt_") => {
                faults.push("a @return without a status".to_owned());
            }
            _ => {}
        }
        faults.extend(self.forbidden());
        faults.extend(self.parameter_faults());
        faults.into_iter().map(|fault| format!("{}: {fault}", self.name)).collect()
    }

    /// The text of a part such as `@threads`.
    fn part(&self, name: &str) -> Option<&str> {
        let text = self.comment.iter().find_map(|line| line.strip_prefix(name))?;
        (!text.trim().is_empty()).then(|| text.trim())
    }

    fn forbidden(&self) -> Vec<String> {
        let signature = self.parameters.iter().chain([&self.returns]);
        let words =
            signature.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'));
        let bad = words.filter(|word| FORBIDDEN.contains(word));
        bad.map(|word| format!("`{word}` in the signature")).collect()
    }

    fn parameter_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut stage = 0;
        for parameter in &self.parameters {
            let name = parameter.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
            let name = name.unwrap_or_default();
            let Some(text) = self.part(&format!("@param {name} ")) else {
                faults.push(format!("`{name}` is not described"));
                continue;
            };
            let owner = text.split_whitespace().next().unwrap_or_default();
            let place = match owner {
                // The user data stands in the triple, between its function and its destroy.
                "Taken." if name == "user_data" => 1,
                owner if INPUTS.contains(&owner) => 0,
                "Callback." => 1,
                "Output." | "Output," => 2,
                _ => {
                    faults.push(format!("`{name}` does not say who owns it"));
                    continue;
                }
            };
            if owner == "Lent." && self.part("@param destroy ").is_none() {
                faults.push(format!("`{name}` is lent for ever"));
            }
            if place < stage {
                faults.push(format!("`{name}` is out of order"));
            }
            stage = stage.max(place);
        }
        faults
    }
}

fn functions(header: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut comment = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if line == "/**" {
            comment = read_comment(&mut lines);
        } else if is_function(line) {
            let mut text = line.to_owned();
            while !text.contains(';') {
                text.push_str(lines.next().unwrap_or(";").trim());
            }
            functions.push(parse(&text, std::mem::take(&mut comment)));
        } else if !line.is_empty() {
            comment.clear();
        }
    }
    functions
}

/// The parts of a comment, each on one line.
fn read_comment<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut fresh = true;
    for line in lines.take_while(|line| line.trim() != "*/") {
        let text = line.trim().trim_start_matches('*').trim();
        match parts.last_mut() {
            Some(last) if !fresh && !text.is_empty() && !text.starts_with('@') => {
                last.push(' ');
                last.push_str(text);
            }
            _ if text.is_empty() => fresh = true,
            _ => {
                parts.push(text.to_owned());
                fresh = false;
            }
        }
    }
    parts
}

fn is_function(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_lowercase())
        && line.contains('(')
        && !line.starts_with("typedef")
        && !line.starts_with("extern")
}

fn parse(text: &str, comment: Vec<String>) -> Function {
    let (head, rest) = text.split_once('(').unwrap();
    let split = head.rfind([' ', '*']).unwrap_or(0) + 1;
    let (returns, name) = head.split_at(split);
    let inside = rest.rsplit_once(')').map_or(rest, |(inside, _)| inside);
    let parameters = inside.split(',').map(|it| it.trim().to_owned());
    Function {
        name: name.to_owned(),
        returns: returns.trim().to_owned(),
        parameters: parameters.filter(|it| !it.is_empty() && it != "void").collect(),
        comment,
    }
}
