//! Makes a header out of Rust sources.

use std::{fs, path::PathBuf};

/// A header and where it comes from.
pub(crate) struct Header {
    /// The file.
    pub(crate) name: &'static str,
    guard: &'static str,
    /// Whose `//!` comment is the preamble.
    preamble: &'static str,
    /// The sources of each section, in the order in which a reader meets them: what is used before
    /// what uses it. The first source of a section gives the title.
    sections: &'static [&'static [&'static str]],
}

/// All of them.
pub(crate) const HEADERS: [Header; 2] = [
    Header {
        name: "mqttsession.h",
        guard: "MQTTSESSION_H",
        preamble: "lib.rs",
        sections: &[
            &["value.rs"],
            &["status.rs"],
            &["property.rs"],
            &["error.rs"],
            &["message.rs"],
            &["outcome.rs"],
            &["callback.rs"],
            &["options/object.rs"],
            &["options/connection.rs"],
            &["options/will.rs"],
            &["options/queue.rs"],
            &["options/reconnect.rs"],
            &["options/store.rs"],
            &["options/tls.rs"],
            &["operation.rs"],
            &["session.rs"],
            &["connection.rs"],
            &["authentication.rs"],
            &["options/authentication.rs"],
            &["publish.rs"],
            &["subscribe.rs"],
            &["unsubscribe.rs"],
            &["request.rs"],
            &["event.rs"],
            &["event_store.rs"],
            &["statistic.rs"],
            &["stored_message.rs"],
            &["store.rs"],
            &["library.rs"],
            &["log.rs"],
            &["reason.rs"],
        ],
    },
    Header {
        name: "mqttsession_wlanguage.h",
        guard: "MQTTSESSION_WLANGUAGE_H",
        preamble: "wlanguage/mod.rs",
        sections: &[
            &["wlanguage/constant.rs"],
            &["wlanguage/function.rs", "wlanguage/session.rs"],
            &["wlanguage/french.rs"],
        ],
    },
];

impl Header {
    /// The whole text.
    pub(crate) fn generate(&self) -> String {
        let preamble = self.preamble();
        let sections: Vec<String> = self.sections.iter().map(|sources| section(sources)).collect();
        let body = sections.join("\n");
        let guard = self.guard;
        format!(
            "/*\n{preamble}\n */\n\n#ifndef {guard}\n#define {guard}\n\n\
             #include <stddef.h>\n#include <stdint.h>\n\n\
             #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
             {body}#ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
        )
    }

    /// The comment of the crate or module, with its code indented instead of fenced.
    fn preamble(&self) -> String {
        let mut code = false;
        let mut lines = Vec::new();
        for line in module_comment(self.preamble) {
            if line.trim().starts_with("```") {
                code = !code;
            } else if code {
                lines.push(format!(" *    {line}"));
            } else {
                lines.push(format!(" *{line}"));
            }
        }
        lines.join("\n")
    }
}

/// Where the headers are committed.
pub(crate) fn include_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../include")
}

/// What the sources of a section contribute, under the first line of the first one's comment.
fn section(sources: &[&str]) -> String {
    let config = cbindgen::Config::from_file(file("cbindgen.toml")).unwrap();
    let builder = sources
        .iter()
        .map(|source| file("src").join(source))
        .fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src);
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let comment = module_comment(sources[0]);
    let title = comment.first().map(|line| line.trim()).unwrap_or_default();
    let rule = "=".repeat(94);
    format!("/* {rule}\n * {title}\n * {rule} */\n\n{}\n", text.trim())
}

/// The lines of a source's `//!` comment.
fn module_comment(source: &str) -> Vec<String> {
    let text = fs::read_to_string(file("src").join(source)).unwrap();
    text.lines().map_while(|line| line.strip_prefix("//!").map(str::to_owned)).collect()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}
