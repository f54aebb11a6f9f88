//! The messages of a store as lines of JSON.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
    time::SystemTime,
};

use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};

use super::{StoredMessage, StoredState};
use crate::{
    error::{Code, Error, Result},
    protocol::Property,
};

/// Writes them; how many.
pub(super) fn write(messages: impl Iterator<Item = StoredMessage>, to: &Path) -> Result<usize> {
    let failed = |error: io::Error| {
        let shown = to.display();
        let (code, sentence) = match error.kind() {
            io::ErrorKind::AlreadyExists => (
                Code::StoreFailed,
                format!("There is a file {shown} already; export into a new one"),
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (Code::StoreFull, format!("There is no room for the file {shown}"))
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (Code::StoreReadOnly, format!("The file {shown} cannot be written"))
            }
            _ => (Code::StoreFailed, format!("The file {shown} could not be written")),
        };
        Error::new(code, sentence).with_source(error)
    };
    let file = OpenOptions::new().write(true).create_new(true).open(to).map_err(failed)?;
    let mut lines = BufWriter::new(file);
    let mut count = 0;
    for message in messages {
        serde_json::to_writer(&mut lines, &line(&message))
            .map_err(io::Error::from)
            .and_then(|()| lines.write_all(b"\n"))
            .map_err(failed)?;
        count += 1;
    }
    let file = lines.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(count)
}

fn line(message: &StoredMessage) -> Value {
    let state = match message.state {
        StoredState::Waiting => "waiting",
        StoredState::Sent => "sent",
        StoredState::Released => "released",
    };
    let mut user = Vec::new();
    let mut others = Map::new();
    for property in message.properties().iter() {
        match property {
            Property::UserProperty(name, value) => user.push(json!([name, value])),
            property => {
                others.insert(property.identifier().name().to_owned(), value(property));
            }
        }
    }
    json!({
        "number": message.number,
        "state": state,
        "accepted": millis(message.accepted),
        "expires": message.expires.map(millis),
        "topic": message.topic,
        "qos": message.qos as u8,
        "retain": message.retain,
        "payload": Base64::encode_string(&message.payload),
        "user_properties": user,
        "properties": others,
    })
}

fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Text as text, numbers as numbers, bytes in base64.
fn value(property: Property<'_>) -> Value {
    match property {
        Property::PayloadFormatIndicator(value) => json!(value),
        Property::MessageExpiryInterval(value) => json!(value),
        Property::TopicAlias(value) => json!(value),
        Property::ContentType(text) | Property::ResponseTopic(text) => json!(text),
        Property::CorrelationData(bytes) => json!(Base64::encode_string(bytes)),
        // No other stands in a PUBLISH of a client.
        other => json!(format!("{other:?}")),
    }
}
