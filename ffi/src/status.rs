//! The statuses.
//!
//! The permanent table of the core, as C constants.

/// The result of a function: 0 is success, every error is negative.
///
/// The errors stand in families of one hundred: -1xx the call itself, -2xx the name lookup,
/// -3xx TCP, -4xx the proxy, -5xx TLS, -6xx WebSocket, -7xx the broker's answer to CONNECT, -8xx
/// the protocol, -9xx a refusal by the broker, -10xx a limit of the session, -11xx the store,
/// -12xx a fault of this library.
pub type mqtt_status = i32;

/// Success.
pub const MQTT_OK: mqtt_status = 0;

/// An argument is NULL, out of range or contradicts another one.
pub const MQTT_INVALID_ARGUMENT: mqtt_status = -101;
/// A text is not valid UTF-8, or holds a character that MQTT forbids (U+0000).
pub const MQTT_INVALID_UTF8: mqtt_status = -102;
/// A topic for publishing must be 1 to 65,535 bytes long and hold no wildcard.
pub const MQTT_INVALID_TOPIC: mqtt_status = -103;
/// A topic filter must be 1 to 65,535 bytes long, with + alone in a level and # alone in the last
/// one.
pub const MQTT_INVALID_FILTER: mqtt_status = -104;
/// The quality of service must be 0, 1 or 2.
pub const MQTT_INVALID_QOS: mqtt_status = -105;
/// An option has no such name or cannot take this value.
pub const MQTT_INVALID_OPTION: mqtt_status = -106;
/// The address cannot be understood; write host, host:port, mqtt://host or mqtts://host.
pub const MQTT_INVALID_ADDRESS: mqtt_status = -107;
/// The client id does not suit this protocol version.
pub const MQTT_INVALID_CLIENT_ID: mqtt_status = -108;
/// The session has not been connected.
pub const MQTT_NOT_CONNECTED: mqtt_status = -109;
/// The time given for this call has passed; what it waited for goes on.
pub const MQTT_TIMEOUT: mqtt_status = -110;
/// This call would wait for the thread or queue that it blocks itself.
pub const MQTT_WOULD_DEADLOCK: mqtt_status = -111;
/// Another call of this kind is running on this session.
pub const MQTT_BUSY: mqtt_status = -112;
/// This session belongs to the process before fork; make a new one in the child.
pub const MQTT_FORKED: mqtt_status = -113;
/// It was given up before it ended, because the session was disconnected or freed.
pub const MQTT_CANCELLED: mqtt_status = -114;
/// No message has this number, or it ended too long ago to be remembered.
pub const MQTT_UNKNOWN_MESSAGE: mqtt_status = -115;
/// This protocol version or this build has no such thing.
pub const MQTT_NOT_SUPPORTED: mqtt_status = -116;
/// The message is larger than the protocol or the broker allows.
pub const MQTT_PAYLOAD_TOO_LARGE: mqtt_status = -117;
/// The session has been closed.
pub const MQTT_CLOSED: mqtt_status = -118;
/// A signal interrupted the call; what it waited for goes on.
pub const MQTT_INTERRUPTED: mqtt_status = -119;
/// This can only be changed while the session is not connected.
pub const MQTT_ALREADY_CONNECTED: mqtt_status = -120;

/// The host name has no address; check its spelling and the name server.
pub const MQTT_NAME_NOT_FOUND: mqtt_status = -201;
/// The name server could not be asked.
pub const MQTT_NAME_LOOKUP_FAILED: mqtt_status = -202;
/// The name server did not answer in time.
pub const MQTT_NAME_TIMEOUT: mqtt_status = -203;

/// Nothing listens at this address and port; check both, and that the broker runs.
pub const MQTT_CONNECTION_REFUSED: mqtt_status = -301;
/// There is no route to this address; check the network and the firewall.
pub const MQTT_UNREACHABLE: mqtt_status = -302;
/// The address does not answer; check it, and that no firewall drops the packets.
pub const MQTT_CONNECT_TIMEOUT: mqtt_status = -303;
/// The other side closed the connection.
pub const MQTT_CONNECTION_CLOSED: mqtt_status = -304;
/// The connection was broken off.
pub const MQTT_CONNECTION_RESET: mqtt_status = -305;
/// The operating system reported an error of the connection.
pub const MQTT_IO: mqtt_status = -306;

/// The proxy refused to make the connection.
pub const MQTT_PROXY_REFUSED: mqtt_status = -401;

/// The server's certificate comes from an authority that is not trusted; give its CA certificate.
pub const MQTT_TLS_UNKNOWN_ISSUER: mqtt_status = -501;
/// The server's certificate has expired or is not valid yet; check it and this machine's clock.
pub const MQTT_TLS_EXPIRED: mqtt_status = -502;
/// The server's certificate is for another name; connect by the name that it holds.
pub const MQTT_TLS_WRONG_NAME: mqtt_status = -503;
/// The TLS handshake failed.
pub const MQTT_TLS_HANDSHAKE: mqtt_status = -504;
/// A certificate, key or CA that was given cannot be used.
pub const MQTT_TLS_CREDENTIALS: mqtt_status = -505;
/// The server refused the client's certificate, or wants one.
pub const MQTT_TLS_CLIENT_REFUSED: mqtt_status = -506;
/// The server did not finish the TLS handshake in time; does this port speak TLS?.
pub const MQTT_TLS_TIMEOUT: mqtt_status = -507;
/// The server's certificate cannot be accepted.
pub const MQTT_TLS_BAD_CERTIFICATE: mqtt_status = -508;
/// The server does not speak TLS on this port.
pub const MQTT_TLS_NOT_TLS: mqtt_status = -509;

/// The server refused the WebSocket upgrade.
pub const MQTT_WEBSOCKET_REFUSED: mqtt_status = -601;

/// The broker does not speak this version of MQTT.
pub const MQTT_REFUSED_VERSION: mqtt_status = -701;
/// The broker does not accept this client id.
pub const MQTT_REFUSED_CLIENT_ID: mqtt_status = -702;
/// The broker says that it is not available.
pub const MQTT_SERVER_UNAVAILABLE: mqtt_status = -703;
/// The broker does not accept the user name or password.
pub const MQTT_BAD_CREDENTIALS: mqtt_status = -704;
/// The broker does not allow this client to connect.
pub const MQTT_NOT_AUTHORIZED: mqtt_status = -705;
/// The broker refused the connection.
pub const MQTT_CONNECT_REFUSED: mqtt_status = -706;
/// The server accepted the connection but did not answer CONNECT in time; is it an MQTT broker?.
pub const MQTT_CONNACK_TIMEOUT: mqtt_status = -707;
/// The server closed the connection instead of answering CONNECT.
pub const MQTT_CLOSED_BEFORE_CONNACK: mqtt_status = -708;
/// The broker sends this client to another server.
pub const MQTT_SERVER_MOVED: mqtt_status = -709;
/// The broker has banned this client.
pub const MQTT_BANNED: mqtt_status = -710;
/// The authentication exchange with the broker failed.
pub const MQTT_AUTHENTICATION_FAILED: mqtt_status = -711;

/// The broker sent a packet that breaks the format of MQTT.
pub const MQTT_MALFORMED_PACKET: mqtt_status = -801;
/// The broker sent a packet that MQTT does not allow at this point.
pub const MQTT_PROTOCOL_ERROR: mqtt_status = -802;
/// The server does not speak MQTT on this port.
pub const MQTT_NOT_MQTT: mqtt_status = -803;
/// The broker sent a packet larger than this session accepts.
pub const MQTT_PACKET_TOO_LARGE: mqtt_status = -804;
/// The broker did not answer the ping in time.
pub const MQTT_KEEP_ALIVE_TIMEOUT: mqtt_status = -805;
/// The broker sent more unacknowledged messages than this session allows.
pub const MQTT_RECEIVE_MAXIMUM_EXCEEDED: mqtt_status = -806;
/// The broker used a topic alias that it had not set or was not allowed to set.
pub const MQTT_TOPIC_ALIAS_INVALID: mqtt_status = -807;

/// The broker refused the subscription.
pub const MQTT_SUBSCRIBE_REFUSED: mqtt_status = -901;
/// The broker refused to end the subscription.
pub const MQTT_UNSUBSCRIBE_REFUSED: mqtt_status = -902;
/// The broker refused the message.
pub const MQTT_PUBLISH_REFUSED: mqtt_status = -903;
/// The broker ended the connection.
pub const MQTT_SERVER_DISCONNECTED: mqtt_status = -904;
/// The broker lost the session; whether the message was delivered is unknown.
pub const MQTT_SESSION_LOST: mqtt_status = -905;
/// Another client connected with this client id.
pub const MQTT_SESSION_TAKEN_OVER: mqtt_status = -906;
/// Nobody has subscribed to the topic of the request.
pub const MQTT_NO_RESPONDER: mqtt_status = -907;

/// A queue of this session has reached its limit.
pub const MQTT_QUEUE_FULL: mqtt_status = -1001;
/// The message was dropped because the queue had reached its limit.
pub const MQTT_DROPPED: mqtt_status = -1002;
/// The message's time to live passed before it could be sent.
pub const MQTT_EXPIRED: mqtt_status = -1003;
/// There is not enough memory.
pub const MQTT_OUT_OF_MEMORY: mqtt_status = -1004;
/// All subscription or packet identifiers are in use.
pub const MQTT_TOO_MANY_SUBSCRIPTIONS: mqtt_status = -1005;
/// The message was set aside because the connection died on it again and again.
pub const MQTT_SET_ASIDE: mqtt_status = -1006;

/// The store could not be read or written.
pub const MQTT_STORE_FAILED: mqtt_status = -1101;
/// There is no room for the store; free some of its disk, or set its limits higher.
pub const MQTT_STORE_FULL: mqtt_status = -1102;
/// Another session or process has this store open; a store serves one at a time.
pub const MQTT_STORE_LOCKED: mqtt_status = -1103;
/// The store's directory cannot be written; check its owner and its permissions.
pub const MQTT_STORE_READ_ONLY: mqtt_status = -1104;
/// The store is damaged; repair it, which keeps what can be read and sets the rest aside.
pub const MQTT_STORE_CORRUPT: mqtt_status = -1105;
/// The store was written by a newer version of this library; use that version, or another directory.
pub const MQTT_STORE_VERSION: mqtt_status = -1106;
/// The directory holds something else than the store of this client id; use another directory.
pub const MQTT_STORE_FOREIGN: mqtt_status = -1107;
/// The session ended before the message did; it stays in the store, and the next session that opens
/// it sends it.
pub const MQTT_LEFT_IN_STORE: mqtt_status = -1108;

/// A fault in this library; please report it.
pub const MQTT_INTERNAL: mqtt_status = -1201;

#[cfg(test)]
mod tests {
    use mqttsession::error::Code;

    /// The constants cannot come out of the core's table, because the header's generator expands
    /// no macro; so they are compared with it.
    #[test]
    fn the_constants_are_the_table_of_the_core() {
        let constants: Vec<(&str, i32)> = include_str!("status.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub const MQTT_")?.strip_suffix(';'))
            .filter_map(|line| line.split_once(": mqtt_status = "))
            .filter(|(name, _)| *name != "OK")
            .map(|(name, number)| (name, number.parse().unwrap()))
            .collect();
        let table: Vec<(&str, i32)> =
            Code::ALL.iter().map(|code| (code.name(), code.number())).collect();
        assert_eq!(constants, table);
    }
}
