//! CONNECT: the client opens the session.

use std::fmt;

use super::{
    EncodeError, Frame, PacketType, Place, Properties, PropertyIdentifier, QoS, ReasonCode,
    Version, Violation, topic,
    wire::{Reader, Writer, write_packet},
};

const PACKET: PacketType = PacketType::Connect;

const CLEAN_START: u8 = 0b0000_0010;
const WILL: u8 = 0b0000_0100;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0b0010_0000;
const PASSWORD: u8 = 0b0100_0000;
const USER_NAME: u8 = 0b1000_0000;

const UNSUPPORTED: Violation =
    Violation::protocol_error("with a protocol name and level that are not MQTT's", "MQTT-3.1.2-2")
        .because(ReasonCode::UnsupportedProtocolVersion)
        .on(PACKET);
const RESERVED_FLAG: Violation =
    Violation::malformed("with the reserved flag set", "MQTT-3.1.2-3").on(PACKET);
const NO_WILL_QOS: Violation =
    Violation::malformed("with a will QoS and no will", "MQTT-3.1.2-11").on(PACKET);
const NO_WILL_RETAIN: Violation =
    Violation::malformed("with will retain and no will", "MQTT-3.1.2-13").on(PACKET);
const WILL_QOS_3: Violation = Violation::malformed("with will QoS 3", "MQTT-3.1.2-12").on(PACKET);
const LONE_PASSWORD: Violation =
    Violation::malformed("with a password and no user name", "3.1.1 MQTT-3.1.2-22").on(PACKET);
const EMPTY_ID: Violation =
    Violation::protocol_error("with an empty client identifier", "3.1.1 MQTT-3.1.3-7")
        .because(ReasonCode::ClientIdentifierNotValid)
        .on(PACKET);
const LONE_DATA: Violation =
    Violation::protocol_error("with authentication data and no authentication method", "")
        .on(PACKET);

/// The client's first packet.
///
/// Its debug form does not show the password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Begin without what is left of an earlier session. Before 5.0 it is called clean session, and
    /// also lets this session end with the connection.
    pub clean_start: bool,
    /// The longest silence of the client, in seconds; 0 for any.
    pub keep_alive: u16,
    /// The name of the session.
    pub client_id: &'a str,
    /// What the server publishes when the connection breaks.
    pub will: Option<Will<'a>>,
    /// The user name.
    pub user_name: Option<&'a str>,
    /// The password; before 5.0 only beside a user name.
    pub password: Option<&'a [u8]>,
    /// What the client asks for under 5.0.
    pub properties: Properties<'a>,
}

/// The message that the server publishes when the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where to.
    pub topic: &'a str,
    /// The message.
    pub payload: &'a [u8],
    /// With which quality of service.
    pub qos: QoS,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// What 5.0 says about the message, and how long to wait.
    pub properties: Properties<'a>,
}

impl<'a> Connect<'a> {
    /// Reads a CONNECT of any version and tells which.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>) -> Result<(Version, Self), Violation> {
        // A CONNECT's fixed header is the same in every version.
        let mut reader = frame.open(PACKET, Version::V5)?;
        let name = reader.binary()?;
        let level = reader.byte()?;
        // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
        let version = Version::from_level(level)
            .filter(|version| version.protocol_name().as_bytes() == name)
            .ok_or(UNSUPPORTED)?;
        let flags = reader.byte()?;
        check_flags(flags, version)?;
        let keep_alive = reader.two_byte()?;
        let properties = reader.properties(version, Place::Connect)?;
        // [MQTT-3.1.3-1] The order of the fields. [MQTT-3.1.3-3] [MQTT-3.1.3-4]
        let client_id = reader.text()?;
        let will = match flags & WILL {
            0 => None,
            // [MQTT-3.1.2-9]
            _ => Some(Will::read(&mut reader, flags, version)?),
        };
        // MQTT 3.1 lets a packet end before a field that its flags promise, as MQTT 3 did.
        let present = |flag, reader: &Reader<'_>| {
            flags & flag != 0 && !(version == Version::V31 && reader.is_empty())
        };
        // [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.3-12]
        let user_name = present(USER_NAME, &reader).then(|| reader.text()).transpose()?;
        // [MQTT-3.1.2-18] [MQTT-3.1.2-19]
        let password = present(PASSWORD, &reader).then(|| reader.binary()).transpose()?;
        reader.finish()?;
        let clean_start = flags & CLEAN_START != 0;
        let connect =
            Self { clean_start, keep_alive, client_id, will, user_name, password, properties };
        connect.check(version)?;
        Ok((version, connect))
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.check(version)?;
        check_flags(self.flags(), version)?;
        write_packet(PACKET, 0, out, |writer| {
            writer.text(version.protocol_name())?;
            writer.byte(version.level())?;
            writer.byte(self.flags())?;
            writer.two_byte(self.keep_alive)?;
            writer.properties(version, Place::Connect, self.properties)?;
            writer.text(self.client_id)?;
            if let Some(will) = &self.will {
                will.write(writer, version)?;
            }
            if let Some(user_name) = self.user_name {
                writer.text(user_name)?;
            }
            if let Some(password) = self.password {
                writer.binary(password)?;
            }
            Ok(())
        })
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        let mut set = |flag, on| flags |= if on { flag } else { 0 };
        set(CLEAN_START, self.clean_start);
        set(USER_NAME, self.user_name.is_some());
        set(PASSWORD, self.password.is_some());
        if let Some(will) = &self.will {
            set(WILL | (will.qos as u8) << WILL_QOS_SHIFT, true);
            set(WILL_RETAIN, will.retain);
        }
        flags
    }

    /// The rules that no single field can break.
    fn check(&self, version: Version) -> Result<(), Violation> {
        if version.is_v5() {
            let has = |identifier| self.properties.contains(identifier);
            // Section 3.1.2.11.10.
            if has(PropertyIdentifier::AuthenticationData)
                && !has(PropertyIdentifier::AuthenticationMethod)
            {
                return Err(LONE_DATA);
            }
            return Ok(());
        }
        // [3.1.1 MQTT-3.1.3-7] A session without a name cannot be found again. 3.1 wants a name
        // always.
        if self.client_id.is_empty() && (!self.clean_start || version == Version::V31) {
            return Err(EMPTY_ID);
        }
        Ok(())
    }
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("user_name", &self.user_name)
            .field("password", &self.password.map(|_| "hidden"))
            .field("properties", &self.properties)
            .finish()
    }
}

impl<'a> Will<'a> {
    fn read(reader: &mut Reader<'a>, flags: u8, version: Version) -> Result<Self, Violation> {
        let properties = reader.properties(version, Place::Will)?;
        // [MQTT-3.1.3-11]
        let topic =
            topic::check_name(reader.binary()?).map_err(|error| error.violation().on(PACKET))?;
        let payload = reader.binary()?;
        // [MQTT-3.1.2-12]
        let qos = QoS::from_u8(flags >> WILL_QOS_SHIFT & 0b11).ok_or(WILL_QOS_3)?;
        Ok(Self { topic, payload, qos, retain: flags & WILL_RETAIN != 0, properties })
    }

    fn write(&self, writer: &mut Writer<'_>, version: Version) -> Result<(), EncodeError> {
        writer.properties(version, Place::Will, self.properties)?;
        topic::check_characters(self.topic.as_bytes())
            .map_err(|error| error.violation().on(PACKET))?;
        writer.text(self.topic)?;
        writer.binary(self.payload)
    }
}

fn check_flags(flags: u8, version: Version) -> Result<(), Violation> {
    // [MQTT-3.1.2-3]
    if flags & 1 != 0 {
        return Err(RESERVED_FLAG);
    }
    let will_qos = flags >> WILL_QOS_SHIFT & 0b11;
    if flags & WILL == 0 {
        // [MQTT-3.1.2-11]
        if will_qos != 0 {
            return Err(NO_WILL_QOS);
        }
        // [MQTT-3.1.2-13]
        if flags & WILL_RETAIN != 0 {
            return Err(NO_WILL_RETAIN);
        }
    }
    // [MQTT-3.1.2-12]
    if will_qos == 3 {
        return Err(WILL_QOS_3);
    }
    // [3.1.1 MQTT-3.1.2-22] 5.0 lets a password stand alone.
    if flags & PASSWORD != 0 && flags & USER_NAME == 0 && !version.is_v5() {
        return Err(LONE_PASSWORD);
    }
    Ok(())
}
