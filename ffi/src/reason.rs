//! The reason codes of MQTT 5.0, by the names of the specification.

/// Success; also Normal disconnection and Granted QoS 0.
pub const MQTT_REASON_SUCCESS: i32 = 0;
/// Granted QoS 1.
pub const MQTT_REASON_GRANTED_QOS_1: i32 = 1;
/// Granted QoS 2.
pub const MQTT_REASON_GRANTED_QOS_2: i32 = 2;
/// Disconnect with will message: the broker publishes the will all the same.
pub const MQTT_REASON_DISCONNECT_WITH_WILL: i32 = 4;
/// No matching subscribers: accepted, but nobody gets it.
pub const MQTT_REASON_NO_MATCHING_SUBSCRIBERS: i32 = 16;
/// No subscription existed.
pub const MQTT_REASON_NO_SUBSCRIPTION_EXISTED: i32 = 17;
/// Continue authentication.
pub const MQTT_REASON_CONTINUE_AUTHENTICATION: i32 = 24;
/// Re-authenticate.
pub const MQTT_REASON_RE_AUTHENTICATE: i32 = 25;
/// Unspecified error.
pub const MQTT_REASON_UNSPECIFIED_ERROR: i32 = 128;
/// Malformed packet.
pub const MQTT_REASON_MALFORMED_PACKET: i32 = 129;
/// Protocol error.
pub const MQTT_REASON_PROTOCOL_ERROR: i32 = 130;
/// Implementation specific error.
pub const MQTT_REASON_IMPLEMENTATION_SPECIFIC_ERROR: i32 = 131;
/// Unsupported protocol version.
pub const MQTT_REASON_UNSUPPORTED_PROTOCOL_VERSION: i32 = 132;
/// Client identifier not valid.
pub const MQTT_REASON_CLIENT_IDENTIFIER_NOT_VALID: i32 = 133;
/// Bad user name or password.
pub const MQTT_REASON_BAD_USER_NAME_OR_PASSWORD: i32 = 134;
/// Not authorized.
pub const MQTT_REASON_NOT_AUTHORIZED: i32 = 135;
/// Server unavailable.
pub const MQTT_REASON_SERVER_UNAVAILABLE: i32 = 136;
/// Server busy.
pub const MQTT_REASON_SERVER_BUSY: i32 = 137;
/// Banned.
pub const MQTT_REASON_BANNED: i32 = 138;
/// Server shutting down.
pub const MQTT_REASON_SERVER_SHUTTING_DOWN: i32 = 139;
/// Bad authentication method.
pub const MQTT_REASON_BAD_AUTHENTICATION_METHOD: i32 = 140;
/// Keep alive timeout.
pub const MQTT_REASON_KEEP_ALIVE_TIMEOUT: i32 = 141;
/// Session taken over.
pub const MQTT_REASON_SESSION_TAKEN_OVER: i32 = 142;
/// Topic filter invalid.
pub const MQTT_REASON_TOPIC_FILTER_INVALID: i32 = 143;
/// Topic name invalid.
pub const MQTT_REASON_TOPIC_NAME_INVALID: i32 = 144;
/// Packet identifier in use.
pub const MQTT_REASON_PACKET_IDENTIFIER_IN_USE: i32 = 145;
/// Packet identifier not found.
pub const MQTT_REASON_PACKET_IDENTIFIER_NOT_FOUND: i32 = 146;
/// Receive maximum exceeded.
pub const MQTT_REASON_RECEIVE_MAXIMUM_EXCEEDED: i32 = 147;
/// Topic alias invalid.
pub const MQTT_REASON_TOPIC_ALIAS_INVALID: i32 = 148;
/// Packet too large.
pub const MQTT_REASON_PACKET_TOO_LARGE: i32 = 149;
/// Message rate too high.
pub const MQTT_REASON_MESSAGE_RATE_TOO_HIGH: i32 = 150;
/// Quota exceeded.
pub const MQTT_REASON_QUOTA_EXCEEDED: i32 = 151;
/// Administrative action.
pub const MQTT_REASON_ADMINISTRATIVE_ACTION: i32 = 152;
/// Payload format invalid.
pub const MQTT_REASON_PAYLOAD_FORMAT_INVALID: i32 = 153;
/// Retain not supported.
pub const MQTT_REASON_RETAIN_NOT_SUPPORTED: i32 = 154;
/// QoS not supported.
pub const MQTT_REASON_QOS_NOT_SUPPORTED: i32 = 155;
/// Use another server.
pub const MQTT_REASON_USE_ANOTHER_SERVER: i32 = 156;
/// Server moved.
pub const MQTT_REASON_SERVER_MOVED: i32 = 157;
/// Shared subscriptions not supported.
pub const MQTT_REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: i32 = 158;
/// Connection rate exceeded.
pub const MQTT_REASON_CONNECTION_RATE_EXCEEDED: i32 = 159;
/// Maximum connect time.
pub const MQTT_REASON_MAXIMUM_CONNECT_TIME: i32 = 160;
/// Subscription identifiers not supported.
pub const MQTT_REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: i32 = 161;
/// Wildcard subscriptions not supported.
pub const MQTT_REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: i32 = 162;

#[cfg(test)]
mod tests {
    use mqttsession::protocol::ReasonCode;

    #[test]
    fn the_constants_are_the_reason_codes_of_the_core() {
        let constants: Vec<u8> = include_str!("reason.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub const MQTT_REASON_")?.strip_suffix(';'))
            .filter_map(|line| line.split_once(" = ")?.1.parse().ok())
            .collect();
        let core: Vec<u8> =
            (0..=u8::MAX).filter(|&code| ReasonCode::from_u8(code).is_some()).collect();
        assert_eq!(constants, core);
    }
}
