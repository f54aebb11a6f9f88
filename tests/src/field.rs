//! The fields of a packet under their names: what a trace prints and what a script compares.

use std::{borrow::Cow, fmt};

use crate::{
    property::{Properties, Value},
    seen::{Acknowledgement, Connect, Filter, Publish, Seen},
    word::quote,
};

/// One field; several of one name stand in the order of the packet.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: Vec<u8>,
    shown: Shown,
}

/// How much of a field a trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Yes,
    /// It says what its absence says.
    No,
    /// Only its length: a secret belongs into no output.
    Length,
}

impl Seen {
    /// The packet's name in the specification.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "CONNECT",
            Self::Connack(_) => "CONNACK",
            Self::Publish(_) => "PUBLISH",
            Self::Puback(_) => "PUBACK",
            Self::Pubrec(_) => "PUBREC",
            Self::Pubrel(_) => "PUBREL",
            Self::Pubcomp(_) => "PUBCOMP",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Suback(_) => "SUBACK",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::Unsuback(_) => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect(_) => "DISCONNECT",
            Self::Auth(_) => "AUTH",
        }
    }

    /// Everything in the packet, under the names that scripts use.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut fields = Fields(Vec::new());
        match self {
            Self::Connect(connect) => fields.connect(connect),
            Self::Connack(connack) => {
                fields.number("session-present", connack.session_present);
                fields.text("reason", hexadecimal(connack.reason));
                fields.properties("", &connack.properties);
            }
            Self::Publish(publish) => fields.publish(publish),
            Self::Puback(it) | Self::Pubrec(it) | Self::Pubrel(it) | Self::Pubcomp(it) => {
                fields.acknowledgement(it);
            }
            Self::Subscribe(subscribe) => {
                fields.number("id", subscribe.id);
                fields.flag("dup", subscribe.dup);
                fields.properties("", &subscribe.properties);
                subscribe.filters.iter().for_each(|filter| fields.filter(filter));
            }
            Self::Suback(answer) | Self::Unsuback(answer) => {
                fields.number("id", answer.id);
                fields.properties("", &answer.properties);
                answer.reasons.iter().for_each(|code| fields.text("reason", hexadecimal(*code)));
            }
            Self::Unsubscribe(unsubscribe) => {
                fields.number("id", unsubscribe.id);
                fields.flag("dup", unsubscribe.dup);
                fields.properties("", &unsubscribe.properties);
                unsubscribe.filters.iter().for_each(|filter| fields.text("filter", filter));
            }
            Self::Pingreq | Self::Pingresp => {}
            Self::Disconnect(disconnect) => {
                fields.reason(disconnect.reason);
                fields.properties("", &disconnect.properties);
            }
            Self::Auth(auth) => {
                fields.reason(auth.reason);
                fields.properties("", &auth.properties);
            }
        }
        fields.0
    }
}

struct Fields(Vec<Field>);

impl Fields {
    fn connect(&mut self, connect: &Connect) {
        self.number("level", connect.level);
        self.text("client-id", &connect.client_id);
        self.number("clean", connect.clean);
        self.number("keep-alive", connect.keep_alive);
        self.properties("", &connect.properties);
        if let Some(will) = &connect.will {
            self.text("will-topic", &will.topic);
            self.number("will-qos", will.qos);
            self.flag("will-retain", will.retain);
            // The will's own properties never mix with the packet's.
            self.properties("will:", &will.properties);
            self.text("will-payload", &will.payload);
        }
        if let Some(user) = &connect.user {
            self.text("user", user);
        }
        if let Some(password) = &connect.password {
            self.add("password", password, Shown::Length);
        }
    }

    fn publish(&mut self, publish: &Publish) {
        self.text("topic", &publish.topic);
        self.number("qos", publish.qos);
        self.flag("dup", publish.dup);
        self.flag("retain", publish.retain);
        if publish.qos > 0 {
            self.number("id", publish.id);
        }
        self.properties("", &publish.properties);
        self.text("payload", &publish.payload);
    }

    fn acknowledgement(&mut self, acknowledgement: &Acknowledgement) {
        self.number("id", acknowledgement.id);
        self.flag("dup", acknowledgement.dup);
        self.reason(acknowledgement.reason);
        self.properties("", &acknowledgement.properties);
    }

    fn filter(&mut self, filter: &Filter) {
        self.text("filter", &filter.filter);
        self.number("qos", filter.qos);
        self.flag("no-local", filter.no_local);
        self.flag("retain-as-published", filter.retain_as_published);
        let shown = if filter.retain_handling == 0 { Shown::No } else { Shown::Yes };
        self.add("retain-handling", filter.retain_handling.to_string(), shown);
    }

    fn properties(&mut self, prefix: &str, properties: &Properties) {
        for property in properties.iter() {
            let (value, shown) = match &property.value {
                Value::Number(number) => (number.to_string().into(), Shown::Yes),
                Value::Text(text) => (text.clone().into(), Shown::Yes),
                Value::Binary(bytes) if property.name == "authentication-data" => {
                    (bytes.clone(), Shown::Length)
                }
                Value::Binary(bytes) => (bytes.clone(), Shown::Yes),
                Value::Pair(name, value) => (format!("{name}:{value}").into(), Shown::Yes),
            };
            let name = match prefix {
                "" => Cow::Borrowed(property.name),
                _ => format!("{prefix}{}", property.name).into(),
            };
            self.0.push(Field { name, value, shown });
        }
    }

    fn reason(&mut self, reason: u8) {
        let shown = if reason == 0 { Shown::No } else { Shown::Yes };
        self.add("reason", hexadecimal(reason), shown);
    }

    fn flag(&mut self, name: &'static str, set: bool) {
        self.add(name, u8::from(set).to_string(), if set { Shown::Yes } else { Shown::No });
    }

    fn number(&mut self, name: &'static str, number: impl Into<u32>) {
        self.add(name, number.into().to_string(), Shown::Yes);
    }

    fn text(&mut self, name: &'static str, text: impl AsRef<[u8]>) {
        self.add(name, text, Shown::Yes);
    }

    fn add(&mut self, name: &'static str, value: impl AsRef<[u8]>, shown: Shown) {
        self.0.push(Field { name: name.into(), value: value.as_ref().to_vec(), shown });
    }
}

fn hexadecimal(code: u8) -> String {
    format!("{code:#04x}")
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.fields().iter().filter(|field| field.shown != Shown::No).try_for_each(|field| {
            f.write_str(" ")?;
            field.fmt(f)
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line of a trace has to stay one.
        const LONGEST: usize = 80;
        let (name, length) = (&self.name, self.value.len());
        match self.shown {
            Shown::Length => write!(f, "{name}=({length} bytes)"),
            _ if length > LONGEST => {
                write!(f, "{name}={}... ({length} bytes)", quote(&self.value[..LONGEST]))
            }
            _ => write!(f, "{name}={}", quote(&self.value)),
        }
    }
}

impl fmt::Debug for Connect {
    /// As in a trace: without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Seen::Connect(self.clone()), f)
    }
}
