/*
 * mqttsession.h - an MQTT client for C: protocol 3.1, 3.1.1 and 5.0.
 *
 * A first program:
 *
 *     mqtt_options *options = NULL;
 *     mqtt_session *session = NULL;
 *     mqtt_options_new(&options);
 *     mqtt_options_set_address(options, "mqtt://localhost");
 *     mqtt_session_new(options, &session);
 *     mqtt_options_free(options);
 *     if (mqtt_session_connect(session, 10000) != MQTT_OK)
 *         fprintf(stderr, "%s\n", mqtt_last_error_message());
 *     else
 *         mqtt_session_publish(session, "greeting", "hello", 5, 1, 0, NULL);
 *     mqtt_session_flush(session, 10000);
 *     mqtt_session_free(session);
 *
 * The rules below hold for every function. A comment at a function says only what is special
 * about it.
 *
 * # Objects
 *
 * Everything that can grow is an opaque object. `mqtt_..._new` makes one and stores it through
 * its output; the matching `mqtt_..._free` ends it and accepts NULL. Each thing that you own has
 * exactly one function that frees it, and no other may be used for it.
 *
 * # Parameters
 *
 * The order is always: the object, the inputs, the callback triple, the outputs. The first word
 * of each parameter's comment says who owns it:
 *
 * - Value: a number, nothing to own.
 * - Borrowed: yours; the library looks at it during the call and keeps nothing of it.
 * - Taken: the library's from the first moment of the call, whether the call succeeds or not.
 * - Lent: yours; the library looks at it, and it stays as it is, until the `destroy` of the same call
 *   is called.
 * - Callback: a function of the triple, see below; NULL where the comment allows it.
 * - Output: a place of yours that is written only when the call returns MQTT_OK, and left
 *   untouched otherwise. "Optional" means that it may be NULL.
 *
 * A `const` object may be used by several threads at the same time. An options or properties
 * object that is not `const` is being changed, and only one thread may use it during the call.
 * A session may be used by all threads at all times, `const` or not.
 *
 * # Text and bytes
 *
 * Text that goes in is UTF-8 and ends with NUL; bytes that go in are a pointer and a size, and
 * the pointer may be NULL when the size is 0. What comes out is an mqtt_view, which is not ended
 * with NUL and lives as long as the object that gave it; its `data` is never NULL. Only the
 * library's own sentences and names, and the client ids of stores, come out as NUL-terminated
 * text.
 *
 * # Numbers
 *
 * Quality of service, kinds, reasons, choices and yes-or-no values are int32_t, in which a wrong
 * value is an error and never a surprise; for yes-or-no, 0 is no and everything else is yes.
 * Times are milliseconds, with one exception that carries it in its name.
 *
 * # Waiting
 *
 * A parameter `timeout_ms` is the longest time for which the call waits. MQTT_FOREVER waits as
 * long as it takes. A timeout never cancels anything: MQTT_TIMEOUT says that the thing goes on,
 * and that it can be waited for again. In a function that starts something, 0 starts it and
 * returns MQTT_OK at once, without writing any output; in a function that only asks
 * (mqtt_session_wait, mqtt_session_flush, mqtt_operation_wait), 0 asks and returns at once.
 *
 * # Errors
 *
 * A function that can fail returns an mqtt_status: MQTT_OK is 0, every error is negative, and a
 * number never changes its meaning. Wherever a status reaches you, as a result, as an argument of
 * a callback or through an event, mqtt_last_error_message and its sisters tell the rest about it
 * on that thread: the sentence, the layer, the cause, what the broker said. They stay until the
 * thread's next failure; a call that succeeds leaves them alone, as with errno.
 *
 * Three statuses can come from every function and are not repeated at each:
 * MQTT_INVALID_ARGUMENT for NULL where it is not allowed or a value out of range; MQTT_FORKED for
 * a session or store from before a fork; MQTT_INTERNAL for a fault of this library, which has been
 * caught and has broken nothing else. After MQTT_CLOSED or MQTT_FORKED a session is of no more
 * use and can only be freed: mqtt_status_ends_session tells these apart.
 *
 * # Threads
 *
 * Every function may be called from any thread, and from inside every callback, unless its
 * comment says otherwise. This includes the calls that wait, disconnecting and freeing. Freeing
 * is the one call that must be the last: no other call on that object may begin after it has. Calls
 * that wait for something of the session at that moment end with MQTT_CANCELLED or MQTT_CLOSED.
 *
 * # Callbacks
 *
 * A callback is given as a triple: the function, its user data, and `destroy`, which the library
 * calls with the user data when it needs it no more. `destroy` may be NULL. It is called exactly
 * once, after the last call of the function has returned and never at the same time as one; and
 * also when the function that was given the triple fails, whatever the reason.
 *
 * By default callbacks run on threads of the library, never on one that does input and output:
 * for each session one at a time and in order, for several sessions at the same time. A callback
 * may take its time; the keep-alive goes on. It must not wait for another callback of the same
 * session (wait for the thing itself: mqtt_session_wait, mqtt_operation_wait), and neither a C++
 * exception nor longjmp nor the end of the thread may leave it. mqtt_options_set_dispatch chooses
 * two other ways: the input and output thread itself, or your own thread.
 *
 * Two callbacks are questions, which answer with a status: the authenticator and the source of
 * credentials. They run on threads of their own, one at a time for each session, and may overlap
 * another callback of it; a call that would have to wait for the same session answers
 * MQTT_WOULD_DEADLOCK there.
 *
 * # Messages that survive
 *
 * A session with a store (mqtt_options_set_store) has its messages of quality of service 1 and 2 on
 * disk: they survive the process and, as mqtt_options_set_durability says, the machine. Nothing is sent
 * before it is stored; mqtt_session_wait_stored tells when it is. The next session with the same
 * directory and client id goes on where the last one ended, however that was. docs/durability.md tells
 * it step by step; mqtt_store_open looks into a store that no session has open.
 *
 * # Growth
 *
 * Upgrades within the same soname (libmqttsession.so.0) do not break a compiled program: functions
 * are added, never changed or removed; numbers keep their meaning; the only public structure,
 * mqtt_view, stays as it is; new kinds of events and new statuses may appear, so treat an unknown
 * negative status as an error and an unknown event as one to ignore.
 *
 * # fork
 *
 * The child of a fork must not use the sessions of its parent: every call on one answers
 * MQTT_FORKED, mqtt_session_free returns at once, and nothing is sent. New sessions work. A store
 * that the parent looks into is likewise the parent's alone.
 */

#ifndef MQTTSESSION_H
#define MQTTSESSION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ==============================================================================================
 * Views of bytes, and time limits.
 * ============================================================================================== */

/**
 * No limit of time, for every `timeout_ms`.
 */
#define MQTT_FOREVER -1

/**
 * Bytes, or UTF-8 text, that an object of the library shows.
 *
 * It is not ended with NUL. `data` is never NULL, also when `size` is 0. It lives as long as the
 * object that gave it.
 */
typedef struct {
    /**
     * The first byte.
     */
    const uint8_t *data;
    /**
     * The number of bytes.
     */
    size_t size;
} mqtt_view;

/* ==============================================================================================
 * The statuses.
 * ============================================================================================== */

/**
 * The result of a function: 0 is success, every error is negative.
 *
 * The errors stand in families of one hundred: -1xx the call itself, -2xx the name lookup,
 * -3xx TCP, -4xx the proxy, -5xx TLS, -6xx WebSocket, -7xx the broker's answer to CONNECT, -8xx
 * the protocol, -9xx a refusal by the broker, -10xx a limit of the session, -11xx the store,
 * -12xx a fault of this library.
 */
typedef int32_t mqtt_status;

/**
 * Success.
 */
#define MQTT_OK 0

/**
 * An argument is NULL, out of range or contradicts another one.
 */
#define MQTT_INVALID_ARGUMENT -101

/**
 * A text is not valid UTF-8, or holds a character that MQTT forbids (U+0000).
 */
#define MQTT_INVALID_UTF8 -102

/**
 * A topic for publishing must be 1 to 65,535 bytes long and hold no wildcard.
 */
#define MQTT_INVALID_TOPIC -103

/**
 * A topic filter must be 1 to 65,535 bytes long, with + alone in a level and # alone in the last
 * one.
 */
#define MQTT_INVALID_FILTER -104

/**
 * The quality of service must be 0, 1 or 2.
 */
#define MQTT_INVALID_QOS -105

/**
 * An option has no such name or cannot take this value.
 */
#define MQTT_INVALID_OPTION -106

/**
 * The address cannot be understood; write host, host:port, mqtt://host or mqtts://host.
 */
#define MQTT_INVALID_ADDRESS -107

/**
 * The client id does not suit this protocol version.
 */
#define MQTT_INVALID_CLIENT_ID -108

/**
 * The session has not been connected.
 */
#define MQTT_NOT_CONNECTED -109

/**
 * The time given for this call has passed; what it waited for goes on.
 */
#define MQTT_TIMEOUT -110

/**
 * This call would wait for the thread or queue that it blocks itself.
 */
#define MQTT_WOULD_DEADLOCK -111

/**
 * Another call of this kind is running on this session.
 */
#define MQTT_BUSY -112

/**
 * This session belongs to the process before fork; make a new one in the child.
 */
#define MQTT_FORKED -113

/**
 * It was given up before it ended, because the session was disconnected or freed.
 */
#define MQTT_CANCELLED -114

/**
 * No message has this number, or it ended too long ago to be remembered.
 */
#define MQTT_UNKNOWN_MESSAGE -115

/**
 * This protocol version or this build has no such thing.
 */
#define MQTT_NOT_SUPPORTED -116

/**
 * The message is larger than the protocol or the broker allows.
 */
#define MQTT_PAYLOAD_TOO_LARGE -117

/**
 * The session has been closed.
 */
#define MQTT_CLOSED -118

/**
 * A signal interrupted the call; what it waited for goes on.
 */
#define MQTT_INTERRUPTED -119

/**
 * This can only be changed while the session is not connected.
 */
#define MQTT_ALREADY_CONNECTED -120

/**
 * The host name has no address; check its spelling and the name server.
 */
#define MQTT_NAME_NOT_FOUND -201

/**
 * The name server could not be asked.
 */
#define MQTT_NAME_LOOKUP_FAILED -202

/**
 * The name server did not answer in time.
 */
#define MQTT_NAME_TIMEOUT -203

/**
 * Nothing listens at this address and port; check both, and that the broker runs.
 */
#define MQTT_CONNECTION_REFUSED -301

/**
 * There is no route to this address; check the network and the firewall.
 */
#define MQTT_UNREACHABLE -302

/**
 * The address does not answer; check it, and that no firewall drops the packets.
 */
#define MQTT_CONNECT_TIMEOUT -303

/**
 * The other side closed the connection.
 */
#define MQTT_CONNECTION_CLOSED -304

/**
 * The connection was broken off.
 */
#define MQTT_CONNECTION_RESET -305

/**
 * The operating system reported an error of the connection.
 */
#define MQTT_IO -306

/**
 * The proxy refused to make the connection.
 */
#define MQTT_PROXY_REFUSED -401

/**
 * The server's certificate comes from an authority that is not trusted; give its CA certificate.
 */
#define MQTT_TLS_UNKNOWN_ISSUER -501

/**
 * The server's certificate has expired or is not valid yet; check it and this machine's clock.
 */
#define MQTT_TLS_EXPIRED -502

/**
 * The server's certificate is for another name; connect by the name that it holds.
 */
#define MQTT_TLS_WRONG_NAME -503

/**
 * The TLS handshake failed.
 */
#define MQTT_TLS_HANDSHAKE -504

/**
 * A certificate, key or CA that was given cannot be used.
 */
#define MQTT_TLS_CREDENTIALS -505

/**
 * The server refused the client's certificate, or wants one.
 */
#define MQTT_TLS_CLIENT_REFUSED -506

/**
 * The server did not finish the TLS handshake in time; does this port speak TLS?.
 */
#define MQTT_TLS_TIMEOUT -507

/**
 * The server's certificate cannot be accepted.
 */
#define MQTT_TLS_BAD_CERTIFICATE -508

/**
 * The server does not speak TLS on this port.
 */
#define MQTT_TLS_NOT_TLS -509

/**
 * The server refused the WebSocket upgrade.
 */
#define MQTT_WEBSOCKET_REFUSED -601

/**
 * The broker does not speak this version of MQTT.
 */
#define MQTT_REFUSED_VERSION -701

/**
 * The broker does not accept this client id.
 */
#define MQTT_REFUSED_CLIENT_ID -702

/**
 * The broker says that it is not available.
 */
#define MQTT_SERVER_UNAVAILABLE -703

/**
 * The broker does not accept the user name or password.
 */
#define MQTT_BAD_CREDENTIALS -704

/**
 * The broker does not allow this client to connect.
 */
#define MQTT_NOT_AUTHORIZED -705

/**
 * The broker refused the connection.
 */
#define MQTT_CONNECT_REFUSED -706

/**
 * The server accepted the connection but did not answer CONNECT in time; is it an MQTT broker?.
 */
#define MQTT_CONNACK_TIMEOUT -707

/**
 * The server closed the connection instead of answering CONNECT.
 */
#define MQTT_CLOSED_BEFORE_CONNACK -708

/**
 * The broker sends this client to another server.
 */
#define MQTT_SERVER_MOVED -709

/**
 * The broker has banned this client.
 */
#define MQTT_BANNED -710

/**
 * The authentication exchange with the broker failed.
 */
#define MQTT_AUTHENTICATION_FAILED -711

/**
 * The broker sent a packet that breaks the format of MQTT.
 */
#define MQTT_MALFORMED_PACKET -801

/**
 * The broker sent a packet that MQTT does not allow at this point.
 */
#define MQTT_PROTOCOL_ERROR -802

/**
 * The server does not speak MQTT on this port.
 */
#define MQTT_NOT_MQTT -803

/**
 * The broker sent a packet larger than this session accepts.
 */
#define MQTT_PACKET_TOO_LARGE -804

/**
 * The broker did not answer the ping in time.
 */
#define MQTT_KEEP_ALIVE_TIMEOUT -805

/**
 * The broker sent more unacknowledged messages than this session allows.
 */
#define MQTT_RECEIVE_MAXIMUM_EXCEEDED -806

/**
 * The broker used a topic alias that it had not set or was not allowed to set.
 */
#define MQTT_TOPIC_ALIAS_INVALID -807

/**
 * The broker refused the subscription.
 */
#define MQTT_SUBSCRIBE_REFUSED -901

/**
 * The broker refused to end the subscription.
 */
#define MQTT_UNSUBSCRIBE_REFUSED -902

/**
 * The broker refused the message.
 */
#define MQTT_PUBLISH_REFUSED -903

/**
 * The broker ended the connection.
 */
#define MQTT_SERVER_DISCONNECTED -904

/**
 * The broker lost the session; whether the message was delivered is unknown.
 */
#define MQTT_SESSION_LOST -905

/**
 * Another client connected with this client id.
 */
#define MQTT_SESSION_TAKEN_OVER -906

/**
 * Nobody has subscribed to the topic of the request.
 */
#define MQTT_NO_RESPONDER -907

/**
 * A queue of this session has reached its limit.
 */
#define MQTT_QUEUE_FULL -1001

/**
 * The message was dropped because the queue had reached its limit.
 */
#define MQTT_DROPPED -1002

/**
 * The message's time to live passed before it could be sent.
 */
#define MQTT_EXPIRED -1003

/**
 * There is not enough memory.
 */
#define MQTT_OUT_OF_MEMORY -1004

/**
 * All subscription or packet identifiers are in use.
 */
#define MQTT_TOO_MANY_SUBSCRIPTIONS -1005

/**
 * The message was set aside because the connection died on it again and again.
 */
#define MQTT_SET_ASIDE -1006

/**
 * The store could not be read or written.
 */
#define MQTT_STORE_FAILED -1101

/**
 * There is no room for the store; free some of its disk, or set its limits higher.
 */
#define MQTT_STORE_FULL -1102

/**
 * Another session or process has this store open; a store serves one at a time.
 */
#define MQTT_STORE_LOCKED -1103

/**
 * The store's directory cannot be written; check its owner and its permissions.
 */
#define MQTT_STORE_READ_ONLY -1104

/**
 * The store is damaged; repair it, which keeps what can be read and sets the rest aside.
 */
#define MQTT_STORE_CORRUPT -1105

/**
 * The store was written by a newer version of this library; use that version, or another directory.
 */
#define MQTT_STORE_VERSION -1106

/**
 * The directory holds something else than the store of this client id; use another directory.
 */
#define MQTT_STORE_FOREIGN -1107

/**
 * The session ended before the message did; it stays in the store, and the next session that opens
 * it sends it.
 */
#define MQTT_LEFT_IN_STORE -1108

/**
 * A fault in this library; please report it.
 */
#define MQTT_INTERNAL -1201

/* ==============================================================================================
 * MQTT 5.0 properties: what a message, a will or a packet carries beyond its fields.
 * ============================================================================================== */

/**
 * Number: 1 says that the payload is UTF-8 text. Message, will.
 */
#define MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR 1

/**
 * Number: seconds for which the message is worth delivering. Message, will.
 */
#define MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL 2

/**
 * Text: what the payload is, by convention a MIME type. Message, will.
 */
#define MQTT_PROPERTY_CONTENT_TYPE 3

/**
 * Text: the topic for an answer. Message, will.
 */
#define MQTT_PROPERTY_RESPONSE_TOPIC 8

/**
 * Bytes: which question an answer belongs to. Message, will.
 */
#define MQTT_PROPERTY_CORRELATION_DATA 9

/**
 * Number: the subscription that the message matched. Received message; the session gives its
 * own.
 */
#define MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER 11

/**
 * Number: seconds for which the broker keeps the session. CONNECT, CONNACK, DISCONNECT.
 */
#define MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL 17

/**
 * Text: the client id that the broker chose. CONNACK.
 */
#define MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER 18

/**
 * Number: the keep-alive in seconds that the broker wants. CONNACK.
 */
#define MQTT_PROPERTY_SERVER_KEEP_ALIVE 19

/**
 * Text: the method of an extended authentication. CONNECT, CONNACK.
 */
#define MQTT_PROPERTY_AUTHENTICATION_METHOD 21

/**
 * Bytes: the data of an extended authentication. CONNECT, CONNACK.
 */
#define MQTT_PROPERTY_AUTHENTICATION_DATA 22

/**
 * Number: 0 asks the broker to explain no failures. CONNECT.
 */
#define MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION 23

/**
 * Number: seconds before the will is published. Will.
 */
#define MQTT_PROPERTY_WILL_DELAY_INTERVAL 24

/**
 * Number: 1 asks for the response information. CONNECT.
 */
#define MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION 25

/**
 * Text: where answers may be published. CONNACK.
 */
#define MQTT_PROPERTY_RESPONSE_INFORMATION 26

/**
 * Text: another server to use. CONNACK, DISCONNECT from the broker.
 */
#define MQTT_PROPERTY_SERVER_REFERENCE 28

/**
 * Text: the other side's explanation. Every answer.
 */
#define MQTT_PROPERTY_REASON_STRING 31

/**
 * Number: how many unacknowledged messages may be sent. CONNECT, CONNACK.
 */
#define MQTT_PROPERTY_RECEIVE_MAXIMUM 33

/**
 * Number: how many topic aliases may be used. CONNECT, CONNACK.
 */
#define MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM 34

/**
 * Number: a topic alias; the session gives its own.
 */
#define MQTT_PROPERTY_TOPIC_ALIAS 35

/**
 * Number: the highest quality of service of the broker. CONNACK.
 */
#define MQTT_PROPERTY_MAXIMUM_QOS 36

/**
 * Number: 0 when the broker retains nothing. CONNACK.
 */
#define MQTT_PROPERTY_RETAIN_AVAILABLE 37

/**
 * Pair of texts: anything, as often as wanted. Everywhere.
 */
#define MQTT_PROPERTY_USER_PROPERTY 38

/**
 * Number: the largest packet in bytes. CONNECT, CONNACK.
 */
#define MQTT_PROPERTY_MAXIMUM_PACKET_SIZE 39

/**
 * Number: 0 when the broker knows no wildcards. CONNACK.
 */
#define MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE 40

/**
 * Number: 0 when the broker knows no subscription identifiers. CONNACK.
 */
#define MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE 41

/**
 * Number: 0 when the broker knows no shared subscriptions. CONNACK.
 */
#define MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE 42

/**
 * A list of MQTT 5.0 properties, in order.
 *
 * One that mqtt_properties_new made is filled and given to options; one that a message, an event or
 * another object shows is read.
 */
typedef struct mqtt_properties mqtt_properties;

/**
 * Makes an empty list of properties.
 *
 * @param properties Output. The list; free it with mqtt_properties_free.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_properties_new(mqtt_properties **properties);

/**
 * Frees a list from mqtt_properties_new; never one that another object shows.
 *
 * @param properties Taken. The list, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_properties_free(mqtt_properties *properties);

/**
 * Adds a property whose value is a number.
 *
 * @param properties Borrowed. The list.
 * @param identifier Value. An MQTT_PROPERTY_... that says "Number".
 * @param number Value. The value.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for another identifier or a number that the property
 *         cannot have.
 * @threads One at a time for each list.
 * @callbacks Any.
 */
mqtt_status mqtt_properties_add_number(mqtt_properties *properties,
                                       int32_t identifier,
                                       uint32_t number);

/**
 * Adds a property whose value is a text.
 *
 * @param properties Borrowed. The list.
 * @param identifier Value. An MQTT_PROPERTY_... that says "Text".
 * @param text Borrowed. The value, at most 65,535 bytes of UTF-8, ended with NUL.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for another identifier or too long a text;
 *         MQTT_INVALID_UTF8.
 * @threads One at a time for each list.
 * @callbacks Any.
 */
mqtt_status mqtt_properties_add_text(mqtt_properties *properties,
                                     int32_t identifier,
                                     const char *text);

/**
 * Adds a property whose value is bytes.
 *
 * @param properties Borrowed. The list.
 * @param identifier Value. An MQTT_PROPERTY_... that says "Bytes".
 * @param data Borrowed. The value; may be NULL when the size is 0.
 * @param size Value. The number of bytes, at most 65,535.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for another identifier or too many bytes.
 * @threads One at a time for each list.
 * @callbacks Any.
 */
mqtt_status mqtt_properties_add_binary(mqtt_properties *properties,
                                       int32_t identifier,
                                       const void *data,
                                       size_t size);

/**
 * Adds a user property. Names may be repeated; the order is kept.
 *
 * @param properties Borrowed. The list.
 * @param name Borrowed. The name, at most 65,535 bytes of UTF-8, ended with NUL.
 * @param text Borrowed. The value, likewise.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for too long a text; MQTT_INVALID_UTF8.
 * @threads One at a time for each list.
 * @callbacks Any.
 */
mqtt_status mqtt_properties_add_user_property(mqtt_properties *properties,
                                              const char *name,
                                              const char *text);

/**
 * Counts the properties.
 *
 * @param properties Borrowed.
 * @return The number of properties; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
size_t mqtt_properties_count(const mqtt_properties *properties);

/**
 * Finds a property.
 *
 * @param properties Borrowed.
 * @param identifier Value. An MQTT_PROPERTY_...
 * @param first Value. The place from which to look: 0, or one after the last find.
 * @return The place of the property, from 0; -1 when there is none, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int64_t mqtt_properties_find(const mqtt_properties *properties,
                             int32_t identifier,
                             size_t first);

/**
 * Gives the identifier of a property.
 *
 * @param properties Borrowed.
 * @param place Value. The place of the property, from 0.
 * @return An MQTT_PROPERTY_...; -1 when there is no such place, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_properties_identifier(const mqtt_properties *properties,
                                   size_t place);

/**
 * Gives the value of a property that is a number.
 *
 * @param properties Borrowed.
 * @param place Value. The place of the property, from 0.
 * @return The number; 0 when there is no such place or it holds no number, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
uint32_t mqtt_properties_number(const mqtt_properties *properties,
                                size_t place);

/**
 * Gives the value of a property that is a text or bytes, and of a user property.
 *
 * @param properties Borrowed.
 * @param place Value. The place of the property, from 0.
 * @return The value, valid until the list is changed or ends; empty when there is no such place
 *         or it holds a number, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_properties_value(const mqtt_properties *properties,
                                size_t place);

/**
 * Gives the name of a user property.
 *
 * @param properties Borrowed.
 * @param place Value. The place of the property, from 0.
 * @return The name, valid until the list is changed or ends; empty when there is no such place or
 *         it holds no user property, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_properties_name(const mqtt_properties *properties,
                               size_t place);

/* ==============================================================================================
 * What went wrong: this thread's last failure, and what a status means.
 * ============================================================================================== */

/**
 * Gives the sentence of this thread's last failure: what was tried, what came back, what to
 * check. It never holds a password or a key.
 *
 * @return NUL-terminated text, "" when nothing has failed yet; valid until this thread's next
 *         failure.
 * @threads Any; each has its own.
 * @callbacks Any. In a callback that was given a status or an event with one, it is about that.
 */
const char *mqtt_last_error_message(void);

/**
 * Gives the status of this thread's last failure.
 *
 * @return The status; MQTT_OK when nothing has failed yet.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
mqtt_status mqtt_last_error_status(void);

/**
 * Gives the cause behind this thread's last failure, down to the operating system's own words.
 *
 * @return NUL-terminated text, "" without a cause; several causes are joined by ": ", the nearest
 *         first; valid until this thread's next failure.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
const char *mqtt_last_error_cause(void);

/**
 * Gives the layer in which this thread's last failure arose.
 *
 * @return One of "caller", "name lookup", "tcp", "proxy", "tls", "websocket", "connack",
 *         "protocol", "broker", "capacity", "store", "internal"; "" when nothing has failed yet.
 *         NUL-terminated text that is valid for ever.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
const char *mqtt_last_error_layer(void);

/**
 * Gives the reason code with which the broker explained this thread's last failure.
 *
 * @return 0 to 255, a reason code of MQTT 5.0 or a return code of MQTT 3.1 and 3.1.1; -1 when the
 *         broker gave none.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
int32_t mqtt_last_error_reason_code(void);

/**
 * Gives the broker's own words about this thread's last failure: the Reason String of MQTT 5.0.
 *
 * @return NUL-terminated text, "" when the broker gave none; valid until this thread's next
 *         failure.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
const char *mqtt_last_error_reason_string(void);

/**
 * Gives where the broker sends the session with this thread's last failure: the Server Reference
 * of MQTT 5.0.
 *
 * @return NUL-terminated text, "" when the broker gave none; valid until this thread's next
 *         failure.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
const char *mqtt_last_error_server_reference(void);

/**
 * Gives what the broker said with this thread's last failure as properties (MQTT 5.0): server
 * reference, reason string, user properties.
 *
 * @return The properties, valid until this thread's next failure; never to be freed; NULL when
 *         nothing has failed yet, which reads as an empty list.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
const mqtt_properties *mqtt_last_error_properties(void);

/**
 * Says whether what failed last on this thread may succeed later without a change to the
 * program or its options.
 *
 * @return 1 when it may, else 0.
 * @threads Any; each has its own.
 * @callbacks Any.
 */
int32_t mqtt_last_error_is_retryable(void);

/**
 * Gives the name of a status, as it stands in this header.
 *
 * @param status Value. Any number.
 * @return The name, for example "MQTT_TIMEOUT"; "MQTT_UNKNOWN" for a number without a name.
 *         NUL-terminated text that is valid for ever.
 * @threads Any.
 * @callbacks Any.
 */
const char *mqtt_status_name(mqtt_status status);

/**
 * Gives the general sentence of a status. mqtt_last_error_message says more.
 *
 * @param status Value. Any number.
 * @return The sentence; "" for a number without a meaning. NUL-terminated text that is valid for
 *         ever.
 * @threads Any.
 * @callbacks Any.
 */
const char *mqtt_status_sentence(mqtt_status status);

/**
 * Says whether the session that answered this status is of no more use: then every further call
 * on it fails in the same way, and it can only be freed.
 *
 * @param status Value. Any number.
 * @return 1 for MQTT_CLOSED and MQTT_FORKED, else 0.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_status_ends_session(mqtt_status status);

/* ==============================================================================================
 * Received messages, and the right to acknowledge them later.
 * ============================================================================================== */

/**
 * The right to acknowledge one received message, later and from any thread.
 */
typedef struct mqtt_acknowledgement mqtt_acknowledgement;

/**
 * A received message: borrowed by a handler for its call, or kept.
 */
typedef struct mqtt_message mqtt_message;

/**
 * Gives the topic to which the message was published.
 *
 * @param message Borrowed.
 * @return The topic, valid as long as the message; empty for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_message_topic(const mqtt_message *message);

/**
 * Gives the payload of the message.
 *
 * @param message Borrowed.
 * @return The payload, valid as long as the message; empty for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_message_payload(const mqtt_message *message);

/**
 * Gives the quality of service with which the broker delivered the message.
 *
 * @param message Borrowed.
 * @return 0, 1 or 2; -1 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_message_qos(const mqtt_message *message);

/**
 * Says whether the message is one that the broker had retained, sent because of a new
 * subscription (or, with mqtt_subscribe_options_set_retain_as_published, was published so).
 *
 * @param message Borrowed.
 * @return 1 if so, else 0; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_message_retain(const mqtt_message *message);

/**
 * Says whether the broker marked the message as a repetition: it may have been delivered before.
 *
 * @param message Borrowed.
 * @return 1 if so, else 0; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_message_duplicate(const mqtt_message *message);

/**
 * Says whether a handler may have seen the message before: an earlier process, or the machine, went
 * down while it was being handled. Only with a store, and only at quality of service 2; without it a
 * message of quality of service 2 comes once.
 *
 * @param message Borrowed.
 * @return 1 if so, else 0; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_message_redelivered(const mqtt_message *message);

/**
 * Gives the properties of the message (MQTT 5.0; before that there are none).
 *
 * @param message Borrowed.
 * @return The properties, which belong to the message and live as long as it; never to be freed;
 *         NULL only for NULL.
 * @threads Any.
 * @callbacks Any.
 */
const mqtt_properties *mqtt_message_properties(const mqtt_message *message);

/**
 * Keeps a message beyond the call of its handler. A small payload is copied, a large one shared.
 *
 * Keeping has nothing to do with acknowledging: see mqtt_message_acknowledgement.
 *
 * @param message Borrowed. A message that a handler was given, or a kept one.
 * @param kept Output. The kept message; free it with mqtt_message_free.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_message_keep(const mqtt_message *message,
                              mqtt_message **kept);

/**
 * Frees a kept message. Never for the message that a handler was given.
 *
 * @param message Taken. A message from mqtt_message_keep or an answer to a request, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_message_free(mqtt_message *message);

/**
 * Takes the right to acknowledge a message later: its handler returns, and the broker is told
 * nothing until mqtt_acknowledgement_send.
 *
 * Acknowledgements leave in the order in which the messages arrived, so one that never comes
 * holds back the later ones of its kind. One that is freed unused acknowledges nothing: the
 * broker sends the message again on the next connection.
 *
 * @param message Borrowed. The message that the handler was given, within the call.
 * @param acknowledgement Output. The right; end it with mqtt_acknowledgement_send,
 *        mqtt_acknowledgement_refuse or mqtt_acknowledgement_free.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for NULL, for a kept message, or when it has been taken
 *         already.
 * @threads The one on which the handler runs.
 * @callbacks The handler of the message.
 */
mqtt_status mqtt_message_acknowledgement(const mqtt_message *message,
                                         mqtt_acknowledgement **acknowledgement);

/**
 * Reports that the handler could not deal with the message. What becomes of it says
 * mqtt_options_set_on_failure.
 *
 * @param message Borrowed. The message that the handler was given, within the call.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for NULL, for a kept message, or when its
 *         acknowledgement has been taken.
 * @threads The one on which the handler runs.
 * @callbacks The handler of the message.
 */
mqtt_status mqtt_message_fail(const mqtt_message *message);

/**
 * Acknowledges a message. With a store that of a message of QoS 2 survives the process when this
 * returns; where several handlers get the message, or several rights were taken, when the last of
 * them has returned or been used.
 *
 * @param acknowledgement Taken. The right, which is used up whatever the result.
 * @return MQTT_OK; MQTT_SESSION_LOST when the broker has lost the session, so that there is nothing
 *         left to acknowledge; MQTT_STORE_FULL, MQTT_STORE_READ_ONLY or MQTT_STORE_FAILED when the
 *         store does not take the acknowledgement, which leaves when it does; MQTT_CLOSED when the
 *         store has been closed.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_acknowledgement_send(mqtt_acknowledgement *acknowledgement);

/**
 * Acknowledges a message with a negative reason (MQTT 5.0; before, it is a plain acknowledgement):
 * the broker is told that it was not processed, and does not send it again.
 *
 * @param acknowledgement Taken. The right, which is used up whatever the result.
 * @param reason Value. One of the MQTT_REASON_... of 128 and above that PUBACK and PUBREC allow.
 * @param properties Borrowed. What to say beside it: a reason string, user properties; NULL for
 *        nothing.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for another reason, or a property that PUBACK cannot have;
 *         MQTT_NOT_SUPPORTED for properties before MQTT 5.0; MQTT_SESSION_LOST; the
 *         store's errors, as mqtt_acknowledgement_send.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_acknowledgement_refuse(mqtt_acknowledgement *acknowledgement,
                                        int32_t reason,
                                        const mqtt_properties *properties);

/**
 * Gives the right back without using it: the message stays unacknowledged, and the broker sends
 * it again on the next connection.
 *
 * @param acknowledgement Taken. The right, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_acknowledgement_free(mqtt_acknowledgement *acknowledgement);

/* ==============================================================================================
 * How a publish, a subscription or an unsubscribe ended, and what the broker said about it.
 * ============================================================================================== */

/**
 * How something ended that the broker answers: well or not, and all that the broker said.
 */
typedef struct mqtt_outcome mqtt_outcome;

/**
 * Says whether it ended well.
 *
 * @param outcome Borrowed.
 * @return MQTT_OK, or the error with which it ended; MQTT_INVALID_ARGUMENT for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_outcome_status(const mqtt_outcome *outcome);

/**
 * Gives the sentence about it: what was tried, what came back, what to check.
 *
 * @param outcome Borrowed.
 * @return NUL-terminated text, valid as long as the outcome; "" when it ended well, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
const char *mqtt_outcome_message(const mqtt_outcome *outcome);

/**
 * Gives the reason code with which the broker answered.
 *
 * @param outcome Borrowed.
 * @return For a publish MQTT_REASON_SUCCESS, or MQTT_REASON_NO_MATCHING_SUBSCRIBERS where an MQTT
 *         5.0 broker says so; for a subscription the quality of service granted, 0 to 2; for an
 *         unsubscribe MQTT_REASON_SUCCESS or MQTT_REASON_NO_SUBSCRIPTION_EXISTED; for a refusal
 *         the broker's reason code; -1 when the broker did not answer, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_outcome_reason(const mqtt_outcome *outcome);

/**
 * Gives the broker's own words: the Reason String of MQTT 5.0.
 *
 * @param outcome Borrowed.
 * @return The words, valid as long as the outcome; empty when the broker gave none, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_outcome_reason_string(const mqtt_outcome *outcome);

/**
 * Gives the properties of the broker's answer (MQTT 5.0): reason string, user properties.
 *
 * @param outcome Borrowed.
 * @return The properties, which belong to the outcome and live as long as it; never to be freed;
 *         NULL only for NULL.
 * @threads Any.
 * @callbacks Any.
 */
const mqtt_properties *mqtt_outcome_properties(const mqtt_outcome *outcome);

/**
 * Frees an outcome from mqtt_session_wait; never one that a handler or an operation shows.
 *
 * @param outcome Taken. The outcome, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_outcome_free(mqtt_outcome *outcome);

/* ==============================================================================================
 * Callbacks: function, user data and destroy.
 * ============================================================================================== */

/**
 * Ends the user data of a callback triple: called exactly once, after the last call of the
 * function has returned; where bytes are lent with the triple, when the library has stopped looking
 * at them, too.
 *
 * @param user_data Taken. The user data of the triple; yours again from here on, as are lent bytes.
 */
typedef void (*mqtt_destroy)(void *user_data);

/**
 * Receives the messages of a subscription.
 *
 * A message of QoS 1 or 2 is acknowledged to the broker when its handlers have returned, unless
 * the handler took the acknowledgement (mqtt_message_acknowledgement) or reported a failure
 * (mqtt_message_fail).
 *
 * @param message Borrowed. Valid until the function returns; mqtt_message_keep keeps it longer.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_message_handler)(const mqtt_message *message,
                                     void *user_data);

/**
 * Is told, exactly once, how a publish has ended.
 *
 * @param number Value. The number of the message.
 * @param status Value. MQTT_OK when it was written (QoS 0) or acknowledged (QoS 1 and 2), else
 *        the reason why not, about which mqtt_last_error_message says more.
 * @param outcome Borrowed. What the broker answered; valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_publish_handler)(uint64_t number,
                                     mqtt_status status,
                                     const mqtt_outcome *outcome,
                                     void *user_data);

/* ==============================================================================================
 * What a session is told before it connects.
 * ============================================================================================== */

/**
 * Everything that a session is told before it connects.
 *
 * New options say: localhost, MQTT 3.1.1, a clean session, a keep-alive of 60 s, 10 s to connect,
 * reconnecting by itself. Each setter checks its value at once and changes nothing when it fails.
 */
typedef struct mqtt_options mqtt_options;

/**
 * Makes options with the defaults.
 *
 * @param options Output. The options; free them with mqtt_options_free.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_options_new(mqtt_options **options);

/**
 * Frees options. Sessions that were made with them are not affected.
 *
 * @param options Taken. The options, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_options_free(mqtt_options *options);

/* ==============================================================================================
 * Options: where the broker is, who the client is, and how the connection is kept.
 * ============================================================================================== */

/**
 * MQTT 3.1.
 */
#define MQTT_PROTOCOL_3_1 3

/**
 * MQTT 3.1.1, the default.
 */
#define MQTT_PROTOCOL_3_1_1 4

/**
 * MQTT 5.0.
 */
#define MQTT_PROTOCOL_5 5

/**
 * Sets the broker: host, port and whether TLS is used, in one text.
 *
 * Understood are mqtt://host:port, mqtts://host:port (TLS), tcp:// and ssl:// for the same, host
 * and host:port; an IPv6 address stands in brackets. The port defaults to 1883, and to 8883 with
 * TLS.
 *
 * @param options Borrowed. The options.
 * @param address Borrowed. The address.
 * @return MQTT_OK; MQTT_INVALID_ADDRESS, with a sentence that says what is wrong;
 *         MQTT_INVALID_UTF8.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_address(mqtt_options *options,
                                     const char *address);

/**
 * Sets the host alone; port and TLS stay as they are.
 *
 * @param options Borrowed. The options.
 * @param host Borrowed. A name, or an IPv4 or IPv6 address.
 * @return MQTT_OK; MQTT_INVALID_ADDRESS; MQTT_INVALID_UTF8.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_host(mqtt_options *options,
                                  const char *host);

/**
 * Sets the port alone. The default is 1883, and with TLS 8883.
 *
 * @param options Borrowed. The options.
 * @param port Value. 1 to 65,535.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_ADDRESS for 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_port(mqtt_options *options,
                                  int32_t port);

/**
 * Chooses between TLS and plain TCP. The default is plain TCP.
 *
 * @param options Borrowed. The options.
 * @param tls Value. Yes for TLS.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_tls(mqtt_options *options,
                                 int32_t tls);

/**
 * Sets the version of the protocol.
 *
 * @param options Borrowed. The options.
 * @param version Value. MQTT_PROTOCOL_3_1, MQTT_PROTOCOL_3_1_1 (the default) or MQTT_PROTOCOL_5.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_version(mqtt_options *options,
                                     int32_t version);

/**
 * Sets the client id, by which the broker knows the session again.
 *
 * The default is the empty one: the broker chooses, which before MQTT 5.0 needs a clean session
 * (under MQTT 3.1 the library chooses).
 *
 * @param options Borrowed. The options.
 * @param client_id Borrowed. The client id; NULL for the empty one.
 * @return MQTT_OK; MQTT_INVALID_UTF8.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_client_id(mqtt_options *options,
                                       const char *client_id);

/**
 * Allows a client id of more than 23 characters under MQTT 3.1, which some brokers accept. By
 * default it is refused.
 *
 * @param options Borrowed. The options.
 * @param any Value. Yes to allow it.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_any_client_id(mqtt_options *options,
                                           int32_t any);

/**
 * Says whether the broker forgets what it held for this client id when the session first
 * connects (MQTT 5.0: clean start). Later reconnections resume the session wherever the protocol
 * allows it.
 *
 * @param options Borrowed. The options.
 * @param clean Value. Yes, the default, to forget.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_clean_session(mqtt_options *options,
                                           int32_t clean);

/**
 * Sets the user name. By default there is none.
 *
 * @param options Borrowed. The options.
 * @param user_name Borrowed. The user name; NULL for none.
 * @return MQTT_OK; MQTT_INVALID_UTF8.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_user_name(mqtt_options *options,
                                       const char *user_name);

/**
 * Sets the password, which may be any bytes. By default there is none.
 *
 * It never appears in an error or a log line.
 *
 * @param options Borrowed. The options.
 * @param password Borrowed. The password; NULL with size 0 for none.
 * @param size Value. The number of bytes, at most 65,535.
 * @return MQTT_OK; MQTT_INVALID_OPTION when it is longer.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_password(mqtt_options *options,
                                      const void *password,
                                      size_t size);

/**
 * Sets the longest silence before the session pings the broker, and after which the broker takes
 * it for lost.
 *
 * @param options Borrowed. The options.
 * @param seconds Value. 0 to 65,535; 60 by default; 0 for no pings.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_keep_alive_seconds(mqtt_options *options,
                                                int32_t seconds);

/**
 * Sets how long one attempt to connect may take, from the name lookup to the broker's answer.
 *
 * @param options Borrowed. The options.
 * @param timeout_ms Value. Milliseconds above 0; 10,000 by default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative; MQTT_INVALID_OPTION when it is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_connect_timeout(mqtt_options *options,
                                             int64_t timeout_ms);

/* ==============================================================================================
 * Options: the will, and what CONNECT says under MQTT 5.0.
 * ============================================================================================== */

/**
 * Sets the will: the message that the broker publishes when this session is lost without a
 * disconnect. It replaces an earlier one.
 *
 * @param options Borrowed. The options.
 * @param topic Borrowed. The topic, without wildcards.
 * @param payload Borrowed. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes, at most 65,535.
 * @param qos Value. 0, 1 or 2.
 * @param retain Value. Yes to have it retained.
 * @param properties Borrowed. Its properties (MQTT 5.0; ignored before), or NULL.
 * @return MQTT_OK; MQTT_INVALID_TOPIC; MQTT_INVALID_UTF8; MQTT_INVALID_QOS;
 *         MQTT_PAYLOAD_TOO_LARGE; MQTT_INVALID_OPTION for a property that a will cannot have.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_will(mqtt_options *options,
                                  const char *topic,
                                  const void *payload,
                                  size_t size,
                                  int32_t qos,
                                  int32_t retain,
                                  const mqtt_properties *properties);

/**
 * Takes the will back. By default there is none.
 *
 * @param options Borrowed. The options.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_clear_will(mqtt_options *options);

/**
 * Adds properties to CONNECT (MQTT 5.0; ignored before), for example
 * MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL. Only properties that were added are sent.
 *
 * @param options Borrowed. The options.
 * @param properties Borrowed. The properties.
 * @return MQTT_OK; MQTT_INVALID_OPTION for a property that CONNECT cannot have.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_add_connect_properties(mqtt_options *options,
                                                const mqtt_properties *properties);

/**
 * Sets the largest packet that the session accepts. By default it is the largest that the
 * protocol allows.
 *
 * Under MQTT 5.0 the broker is told and drops what is larger. Before, a larger message is set
 * aside, of which MQTT_EVENT_SET_ASIDE tells, and the connection goes on.
 *
 * @param options Borrowed. The options.
 * @param size Value. Bytes above 0.
 * @return MQTT_OK; MQTT_INVALID_OPTION.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_maximum_packet_size(mqtt_options *options,
                                                 uint32_t size);

/**
 * Sets how many unacknowledged messages the broker may send (MQTT 5.0). It is never more than
 * the receiving queue holds.
 *
 * @param options Borrowed. The options.
 * @param maximum Value. 1 to 65,535, the default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION when it is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_receive_maximum(mqtt_options *options,
                                             int32_t maximum);

/* ==============================================================================================
 * Options: the limits of the queues, where callbacks run, and what becomes of messages.
 * ============================================================================================== */

/**
 * The call waits for room; the default.
 */
#define MQTT_POLICY_BLOCK 0

/**
 * The call is refused with MQTT_QUEUE_FULL.
 */
#define MQTT_POLICY_REJECT 1

/**
 * The oldest message that has not been sent yet makes room and ends as MQTT_DROPPED.
 */
#define MQTT_POLICY_DROP_OLDEST 2

/**
 * The new message ends as MQTT_DROPPED at once.
 */
#define MQTT_POLICY_DROP_NEWEST 3

/**
 * A message that has not been sent yet is replaced by a newer one of the same topic; without one
 * the oldest makes room.
 */
#define MQTT_POLICY_KEEP_LATEST 4

/**
 * Callbacks run on the library's callback threads, one at a time and in order for each session;
 * the default.
 */
#define MQTT_DISPATCH_DISPATCHED 0

/**
 * Callbacks run on the input and output thread: the lowest latency. One that takes long holds up
 * every session, and every call that would have to wait answers MQTT_WOULD_DEADLOCK there.
 */
#define MQTT_DISPATCH_INLINE 1

/**
 * Callbacks run on the thread that calls mqtt_session_poll.
 */
#define MQTT_DISPATCH_POLLED 2

/**
 * A message is acknowledged when all its handlers have returned; the default.
 */
#define MQTT_ACKNOWLEDGE_HANDLED 0

/**
 * A message is acknowledged as soon as it has been received, before its handler runs.
 */
#define MQTT_ACKNOWLEDGE_ON_RECEIPT 1

/**
 * A message is acknowledged with mqtt_acknowledgement_send only.
 */
#define MQTT_ACKNOWLEDGE_MANUAL 2

/**
 * A message whose handler failed is acknowledged all the same; the default.
 */
#define MQTT_FAILURE_ACKNOWLEDGE 0

/**
 * It is left unacknowledged: the broker sends it again on the next connection.
 */
#define MQTT_FAILURE_LEAVE 1

/**
 * It is refused with a reason code (MQTT 5.0), and the broker does not send it again. Before 5.0
 * it is acknowledged.
 */
#define MQTT_FAILURE_REFUSE 2

/**
 * Sets how many messages of QoS 1 and 2 may be on their way to the broker at the same time.
 * Under MQTT 5.0 the broker may allow fewer. Before, it cannot say how many of QoS 2 it remembers:
 * unless this is set, at most 20 are of QoS 2, as many as Mosquitto takes.
 *
 * @param options Borrowed. The options.
 * @param limit Value. 1 to 65,535; 1000 by default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION when it is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_in_flight_limit(mqtt_options *options,
                                             int32_t limit);

/**
 * Sets the limits of the outgoing queue, which holds the messages that have not been sent or
 * confirmed yet.
 *
 * @param options Borrowed. The options.
 * @param messages Value. Messages above 0; 1,000,000 by default.
 * @param bytes Value. Bytes above 0; 256 MiB by default.
 * @return MQTT_OK; MQTT_INVALID_OPTION when one is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_outgoing_limit(mqtt_options *options,
                                            size_t messages,
                                            size_t bytes);

/**
 * Says what a publish does when the outgoing queue has reached a limit.
 *
 * @param options Borrowed. The options.
 * @param policy Value. An MQTT_POLICY_...
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_outgoing_policy(mqtt_options *options,
                                             int32_t policy);

/**
 * Sets how long a publish waits for room under MQTT_POLICY_BLOCK before it is refused with
 * MQTT_QUEUE_FULL.
 *
 * @param options Borrowed. The options.
 * @param wait_ms Value. Milliseconds; 10,000 by default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_outgoing_wait(mqtt_options *options,
                                           int64_t wait_ms);

/**
 * Sets the limits of the receiving queue, which holds the messages that have not been handled
 * yet. A full queue pauses reading and loses nothing.
 *
 * @param options Borrowed. The options.
 * @param messages Value. Messages above 0; 65,535 by default.
 * @param bytes Value. Bytes above 0; 16 MiB by default. A larger message is admitted when the
 *         queue is empty.
 * @return MQTT_OK; MQTT_INVALID_OPTION when one is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_incoming_limit(mqtt_options *options,
                                            size_t messages,
                                            size_t bytes);

/**
 * Says where the callbacks of the session run.
 *
 * @param options Borrowed. The options.
 * @param dispatch Value. An MQTT_DISPATCH_...
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_dispatch(mqtt_options *options,
                                      int32_t dispatch);

/**
 * Says when received messages of QoS 1 and 2 are acknowledged.
 *
 * @param options Borrowed. The options.
 * @param acknowledge Value. An MQTT_ACKNOWLEDGE_...
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_acknowledge(mqtt_options *options,
                                         int32_t acknowledge);

/**
 * Says what becomes of a message whose handler reported a failure (mqtt_message_fail).
 *
 * @param options Borrowed. The options.
 * @param failure Value. An MQTT_FAILURE_...
 * @param reason Value. For MQTT_FAILURE_REFUSE one of the MQTT_REASON_... of 128 and above that
 *        PUBACK and PUBREC allow; otherwise not looked at.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION for a reason that refuses nothing.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_on_failure(mqtt_options *options,
                                        int32_t failure,
                                        int32_t reason);

/**
 * Sets how long a message may wait for being sent, for every publish whose options do not say it
 * themselves. What has not been sent by then ends as MQTT_EXPIRED.
 *
 * It is local and works under every version. The Message Expiry Interval of MQTT 5.0 counts here,
 * too, and goes on counting at the broker.
 *
 * @param options Borrowed. The options.
 * @param time_to_live_ms Value. Milliseconds above 0; MQTT_FOREVER, the default, for no limit.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative; MQTT_INVALID_OPTION when it is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_time_to_live(mqtt_options *options,
                                          int64_t time_to_live_ms);

/**
 * Sets how many topic aliases the session uses for its own messages (MQTT 5.0), as far as the
 * broker allows: the topics published to last then take two bytes in a packet.
 *
 * @param options Borrowed. The options.
 * @param limit Value. 0 to 65,535; 16 by default; 0 uses none.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_topic_alias_limit(mqtt_options *options,
                                               int32_t limit);

/**
 * Sets after how many connections in a row that ended on the same message this message is set
 * aside: one of the session's own ends as MQTT_SET_ASIDE, a received one is skipped, and
 * MQTT_EVENT_SET_ASIDE tells of both. So no message can make an endless loop of reconnections.
 *
 * @param options Borrowed. The options.
 * @param connections Value. 10 by default; 0 sets none aside.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_set_aside_after(mqtt_options *options,
                                             int32_t connections);

/**
 * Says what becomes of unconfirmed messages of QoS 1 and 2 when the broker has lost the session:
 * they are published again as new ones, or they end as MQTT_SESSION_LOST.
 *
 * @param options Borrowed. The options.
 * @param end Value. Yes to end them; no is the default.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_end_on_session_loss(mqtt_options *options,
                                                 int32_t end);

/* ==============================================================================================
 * Options: trying again, and following a broker to another server.
 * ============================================================================================== */

/**
 * Says whether a session that has been connected reconnects by itself when the connection is
 * lost.
 *
 * @param options Borrowed. The options.
 * @param reconnect Value. Yes, the default, to reconnect.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_reconnect(mqtt_options *options,
                                       int32_t reconnect);

/**
 * Sets the bounds of the pauses between attempts to reconnect. Each pause is random, between 0
 * and a value that doubles from the first to the longest.
 *
 * @param options Borrowed. The options.
 * @param first_ms Value. Milliseconds above 0; 1000 by default.
 * @param longest_ms Value. Milliseconds, at least the first; 60,000 by default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when one is negative; MQTT_INVALID_OPTION when the
 *         first is 0 or above the longest.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_reconnect_delay(mqtt_options *options,
                                             int64_t first_ms,
                                             int64_t longest_ms);

/**
 * Sets how long a connection must last before the pauses between attempts start small again. It
 * keeps a broker that accepts and then throws out from being hammered.
 *
 * @param options Borrowed. The options.
 * @param stable_ms Value. Milliseconds; 10,000 by default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_stable_time(mqtt_options *options,
                                         int64_t stable_ms);

/**
 * Says whether a failure of the very first attempt is followed by further ones, as later losses
 * are.
 *
 * @param options Borrowed. The options.
 * @param retry Value. Yes to go on trying; by default mqtt_session_connect ends with the error and
 *        the session rests.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_retry_first_connect(mqtt_options *options,
                                                 int32_t retry);

/**
 * Overrides for one status whether the session tries again after it: for example after
 * MQTT_BAD_CREDENTIALS, when they come from a source that renews them.
 *
 * @param options Borrowed. The options.
 * @param status Value. The status of a failed attempt or a lost connection.
 * @param retry Value. Yes to try again after it.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for a number that is no error.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_retry(mqtt_options *options,
                                   mqtt_status status,
                                   int32_t retry);

/**
 * Says whether a session with these options tries again after an error.
 *
 * Unless mqtt_options_set_retry says otherwise, it does after what may pass: names that are not
 * found, brokers that do not answer, connections that break, a broker that is busy, breaks the
 * protocol or ends the connection. It does not after what stays wrong until somebody changes it:
 * certificates, credentials, a client id or version that the broker does not take, a ban, another
 * client with the same client id, a server that has moved or does not speak MQTT.
 *
 * @param options Borrowed. The options.
 * @param status Value. Any number.
 * @return 1 when it tries again, else 0; 0 for a number that is no error, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_options_retries(const mqtt_options *options,
                             mqtt_status status);

/**
 * Sets how many times in a row the session follows a broker that sends it to another server (MQTT
 * 5.0). Everything but host and port stays as it is; under TLS the other server's certificate must
 * hold its own name. MQTT_EVENT_REDIRECTED tells of each.
 *
 * @param options Borrowed. The options.
 * @param hops Value. 0, the default, follows none: connecting ends as MQTT_SERVER_MOVED, and
 *        mqtt_last_error_server_reference says where to.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_redirect_limit(mqtt_options *options,
                                            int32_t hops);

/* ==============================================================================================
 * Options: the store, where messages survive the process.
 * ============================================================================================== */

/**
 * A message counts as stored when it survives the machine: written and synced. Messages that are
 * published together share one sync. The default.
 */
#define MQTT_DURABILITY_MESSAGE 0

/**
 * A message counts as stored when it is written, and survives the machine at most the interval
 * later.
 */
#define MQTT_DURABILITY_INTERVAL 1

/**
 * A message counts as stored when it is written; the operating system syncs when it likes.
 */
#define MQTT_DURABILITY_SYSTEM 2

/**
 * Gives the session a store on disk. Accepted messages of QoS 1 and 2 then survive the process, and
 * so does what the session knows of received messages of QoS 2 and of its subscriptions: a session
 * that is made later with the same directory and client id goes on where this one ended.
 *
 * It needs a client id, and mqtt_options_set_clean_session with no for the broker's half of the
 * promise (MQTT 5.0: a session expiry interval, too). mqtt_session_new opens the store, which serves
 * one session at a time until that is freed.
 *
 * @param options Borrowed. The options.
 * @param directory Borrowed. The path of a directory, which is made where it is missing; each
 *        client id has a directory of its own in it, so that sessions can share it. NULL, the
 *        default, keeps everything in memory.
 * @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_INVALID_OPTION when it is empty.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_store(mqtt_options *options,
                                   const char *directory);

/**
 * Says when the store syncs what it has written. Whatever it says, what is stored survives the
 * process.
 *
 * @param options Borrowed. The options.
 * @param durability Value. An MQTT_DURABILITY_...
 * @param interval_ms Value. For MQTT_DURABILITY_INTERVAL milliseconds above 0; otherwise not looked
 *        at.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION for an interval of 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_durability(mqtt_options *options,
                                        int32_t durability,
                                        int64_t interval_ms);

/**
 * Sets the limits of what the store holds of own messages. The limits of the outgoing queue
 * (mqtt_options_set_outgoing_limit) count beside them, and its policy for both.
 *
 * @param options Borrowed. The options.
 * @param messages Value. Messages of QoS 1 and 2 above 0; 1,000,000 by default.
 * @param bytes Value. Bytes of their packets above 0; 1 GiB by default. The store's files may for a
 *        while take twice as much, and 64 MiB.
 * @return MQTT_OK; MQTT_INVALID_OPTION when one is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_store_limit(mqtt_options *options,
                                         size_t messages,
                                         size_t bytes);

/* ==============================================================================================
 * Options: certificates and whom to trust. They have an effect with TLS only.
 * ============================================================================================== */

/**
 * Trusts the certificate authorities in a file instead of those of the system. Repeating it adds
 * more.
 *
 * @param options Borrowed. The options.
 * @param path Borrowed. A file in PEM or DER, which is read anew at each connection.
 * @return MQTT_OK; MQTT_INVALID_UTF8. What is wrong with the file, mqtt_session_connect says:
 *         MQTT_TLS_CREDENTIALS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_add_tls_authority_file(mqtt_options *options,
                                                const char *path);

/**
 * Trusts the certificate authorities in memory instead of those of the system. Repeating it adds
 * more.
 *
 * @param options Borrowed. The options.
 * @param data Borrowed. The certificates, PEM or DER.
 * @param size Value. The number of bytes.
 * @return MQTT_OK. What is wrong with them, mqtt_session_connect says: MQTT_TLS_CREDENTIALS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_add_tls_authority_pem(mqtt_options *options,
                                               const void *data,
                                               size_t size);

/**
 * Says whether the system's authorities are trusted too when others have been added.
 *
 * @param options Borrowed. The options.
 * @param too Value. Yes to trust them too; no is the default.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_tls_system_authorities(mqtt_options *options,
                                                    int32_t too);

/**
 * Sets the certificate and the private key with which the client shows who it is, from files
 * that are read anew at each connection: a renewed certificate needs no new session.
 *
 * @param options Borrowed. The options.
 * @param certificate Borrowed. A file with the certificate and its chain, PEM or DER.
 * @param key Borrowed. A file with the private key; NULL when the certificate's file holds both.
 * @param key_password Borrowed. The password of an encrypted key, or NULL.
 * @return MQTT_OK; MQTT_INVALID_UTF8. What is wrong with the files, mqtt_session_connect says:
 *         MQTT_TLS_CREDENTIALS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_tls_certificate_files(mqtt_options *options,
                                                   const char *certificate,
                                                   const char *key,
                                                   const char *key_password);

/**
 * Sets the certificate and the private key with which the client shows who it is, from memory.
 *
 * @param options Borrowed. The options.
 * @param certificate Borrowed. The certificate and its chain, PEM or DER.
 * @param certificate_size Value. The number of bytes.
 * @param key Borrowed. The private key; NULL with size 0 when the certificate holds both.
 * @param key_size Value. The number of bytes.
 * @param key_password Borrowed. The password of an encrypted key, or NULL.
 * @return MQTT_OK; MQTT_INVALID_UTF8. What is wrong with them, mqtt_session_connect says:
 *         MQTT_TLS_CREDENTIALS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_tls_certificate_pem(mqtt_options *options,
                                                 const void *certificate,
                                                 size_t certificate_size,
                                                 const void *key,
                                                 size_t key_size,
                                                 const char *key_password);

/**
 * Sets the name that the server's certificate must hold. By default it is the host.
 *
 * @param options Borrowed. The options.
 * @param name Borrowed. The name; NULL for the host.
 * @return MQTT_OK; MQTT_INVALID_UTF8.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_tls_server_name(mqtt_options *options,
                                             const char *name);

/**
 * Says whether the server's certificate is checked. Without it anybody between can read and
 * change everything: for experiments only.
 *
 * @param options Borrowed. The options.
 * @param verify Value. Yes, the default, to check it.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_tls_verify(mqtt_options *options,
                                        int32_t verify);

/* ==============================================================================================
 * Something that has been started and goes on: connecting, subscribing, asking, flushing.
 * ============================================================================================== */

/**
 * Something that a session has been told to do and that ends exactly once.
 *
 * The mqtt_session_..._start functions give one; several can be started and then waited for.
 */
typedef struct mqtt_operation mqtt_operation;

/**
 * Is told, exactly once, how an operation has ended.
 *
 * @param operation Borrowed. The ended operation, valid until the function returns; for
 *        mqtt_operation_granted, mqtt_operation_outcome and mqtt_operation_message.
 * @param status Value. What mqtt_operation_wait would return.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_operation_handler)(const mqtt_operation *operation,
                                       mqtt_status status,
                                       void *user_data);

/**
 * Waits until an operation has ended.
 *
 * @param operation Borrowed. The operation; several threads may wait for it, again and again.
 * @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
 * @return What the waiting function of the same name returns; MQTT_TIMEOUT when it goes on;
 *         MQTT_WOULD_DEADLOCK when it goes on and this thread must not wait.
 * @threads Any.
 * @callbacks Any; an inline one can only ask.
 */
mqtt_status mqtt_operation_wait(const mqtt_operation *operation,
                                int64_t timeout_ms);

/**
 * Gives the result for one filter of a subscribing operation that has ended.
 *
 * @param operation Borrowed. An operation from mqtt_session_subscribe_start or
 *        mqtt_session_respond_start.
 * @param place Value. Which of the filters, from 0.
 * @param granted Output, optional. The quality of service that the broker granted.
 * @return MQTT_OK; MQTT_SUBSCRIBE_REFUSED; MQTT_TIMEOUT when the operation goes on;
 *         MQTT_INVALID_ARGUMENT when there is no such filter; else the error with which the whole
 *         operation ended.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_operation_granted(const mqtt_operation *operation,
                                   size_t place,
                                   int32_t *granted);

/**
 * Gives all that the broker answered for one filter of a subscribing or unsubscribing operation
 * that has ended.
 *
 * @param operation Borrowed. The operation.
 * @param place Value. Which of the filters, from 0.
 * @return The outcome, which belongs to the operation and lives as long as it; never to be freed;
 *         NULL when there is no such filter, when the operation goes on or ended with an error as
 *         a whole, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
const mqtt_outcome *mqtt_operation_outcome(const mqtt_operation *operation,
                                           size_t place);

/**
 * Gives the answer to a request whose operation has ended.
 *
 * @param operation Borrowed. An operation from mqtt_session_request_start.
 * @param message Output. The answer; free it with mqtt_message_free.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for another operation; otherwise as
 *         mqtt_operation_wait with a timeout of 0.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_operation_message(const mqtt_operation *operation,
                                   mqtt_message **message);

/**
 * Has a function called when an operation ends, at once if it already has, in order with the
 * session's other callbacks.
 *
 * @param operation Taken. The operation, which needs no free any more.
 * @param handler Callback. The function; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_operation_on_end(mqtt_operation *operation,
                                  mqtt_operation_handler handler,
                                  void *user_data,
                                  mqtt_destroy destroy);

/**
 * Frees an operation. What it stands for goes on.
 *
 * @param operation Taken. The operation, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_operation_free(mqtt_operation *operation);

/* ==============================================================================================
 * The session: making, connecting, asking, ending.
 * ============================================================================================== */

/**
 * Not connected, and not trying.
 */
#define MQTT_STATE_DISCONNECTED 0

/**
 * Trying to connect.
 */
#define MQTT_STATE_CONNECTING 1

/**
 * Connected.
 */
#define MQTT_STATE_CONNECTED 2

/**
 * Waiting before it tries again.
 */
#define MQTT_STATE_RETRYING 3

/**
 * Closed for good.
 */
#define MQTT_STATE_CLOSED 4

/**
 * A session with one broker: it connects, stays connected, publishes and receives.
 */
typedef struct mqtt_session mqtt_session;

/**
 * Makes a session, and opens its store if it has one. Nothing is sent before mqtt_session_connect.
 *
 * @param options Borrowed. The options, which are copied; NULL for the defaults.
 * @param session Output. The session; free it with mqtt_session_free.
 * @return MQTT_OK; MQTT_INVALID_CLIENT_ID, also for a store without a client id, MQTT_INVALID_OPTION
 *         or MQTT_NOT_SUPPORTED for options that contradict each other; with a store
 *         MQTT_STORE_LOCKED while another session or process has it open, MQTT_STORE_FULL,
 *         MQTT_STORE_READ_ONLY, MQTT_STORE_CORRUPT, MQTT_STORE_VERSION, MQTT_STORE_FOREIGN or
 *         MQTT_STORE_FAILED, after each of which the store is as it was.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_new(const mqtt_options *options,
                             mqtt_session **session);

/**
 * Ends a session for good: disconnects if it is connected, ends everything that has not ended
 * with MQTT_CANCELLED, and destroys the user data of every callback.
 *
 * With a store, messages of QoS 1 and 2 that have not ended stay in it and end with
 * MQTT_LEFT_IN_STORE; all that is there to write is written and synced, and the store is closed.
 *
 * Outside callbacks it returns after the last callback and the last destroy of the session. This
 * wait has no timeout: a callback that never returns never lets it return. Inside any callback it
 * does not wait: the callbacks that are still to come, come, and the handle stays valid until that
 * callback has returned. To lose nothing, call mqtt_session_disconnect before.
 *
 * @param session Taken. The session, or NULL.
 * @threads Any; no other call on the session may begin any more.
 * @callbacks Any, those of the same session too.
 */
void mqtt_session_free(mqtt_session *session);

/**
 * Connects and waits for the broker's answer.
 *
 * Once it has been connected, a session stays so: it reconnects by itself, renews its
 * subscriptions and sends what has been published meanwhile, until mqtt_session_disconnect. On a
 * connected session this call succeeds at once.
 *
 * @param session Borrowed. The session.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit. The
 *        attempt itself has the limit of mqtt_options_set_connect_timeout.
 * @return MQTT_OK; MQTT_TIMEOUT, after which the attempt goes on; MQTT_WOULD_DEADLOCK, likewise;
 *         MQTT_CANCELLED when the session was disconnected meanwhile; MQTT_CLOSED, also when it was
 *         freed meanwhile;
 *         otherwise the reason why the attempt failed, a status of the families -2xx (name
 *         lookup) to -9xx (broker). After such a reason the session is disconnected, and
 *         connecting again may help when mqtt_last_error_is_retryable says so.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_connect(const mqtt_session *session,
                                 int64_t timeout_ms);

/**
 * Starts to connect, without waiting.
 *
 * @param session Borrowed. The session.
 * @param operation Output. Ends as mqtt_session_connect returns; free it with
 *        mqtt_operation_free.
 * @return MQTT_OK; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_connect_start(const mqtt_session *session,
                                       mqtt_operation **operation);

/**
 * Disconnects in good order: waits until every accepted publish has ended and its callback has
 * returned (inside a callback: has ended), then closes the connection. The session stops
 * reconnecting; its subscriptions stay, and it can be connected again.
 *
 * What has not ended in time is given up and ends as MQTT_CANCELLED. With a store, that holds for
 * QoS 0 alone: messages of QoS 1 and 2 stay, here and in the store, for the next connection.
 *
 * @param session Borrowed. The session; one that is not connected succeeds at once.
 * @param reason Value. MQTT_REASON_SUCCESS, or under MQTT 5.0 another that a client may give, for
 *        example MQTT_REASON_DISCONNECT_WITH_WILL.
 * @param timeout_ms Value. The longest time to wait for messages to end; 0 gives them up at once,
 *        MQTT_FOREVER has no limit.
 * @return MQTT_OK; MQTT_CANCELLED when the connection is closed, but messages had to be given up, and
 *         with a store MQTT_LEFT_IN_STORE when messages had not ended;
 *         MQTT_INVALID_ARGUMENT for a reason that a client must not give; MQTT_BUSY while it is
 *         disconnected by another call; MQTT_WOULD_DEADLOCK, after which it goes on; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any; in an inline one it answers MQTT_WOULD_DEADLOCK and goes on.
 */
mqtt_status mqtt_session_disconnect(const mqtt_session *session,
                                    int32_t reason,
                                    int64_t timeout_ms);

/**
 * Starts to disconnect in good order, without waiting.
 *
 * @param session Borrowed. The session.
 * @param reason Value. As for mqtt_session_disconnect.
 * @param timeout_ms Value. As for mqtt_session_disconnect.
 * @param properties Borrowed. The properties of the DISCONNECT (MQTT 5.0); NULL for none.
 * @param operation Output. Ends as mqtt_session_disconnect returns; free it with
 *        mqtt_operation_free.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for a reason that a client must not give; MQTT_BUSY;
 *         MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_disconnect_start(const mqtt_session *session,
                                          int32_t reason,
                                          int64_t timeout_ms,
                                          const mqtt_properties *properties,
                                          mqtt_operation **operation);

/**
 * Runs the queued callbacks of a session with MQTT_DISPATCH_POLLED on this thread.
 *
 * @param session Borrowed. The session.
 * @param timeout_ms Value. The longest time to wait for the first; 0 does not wait, MQTT_FOREVER
 *        has no limit.
 * @param limit Value. The most callbacks to run; 0 for all that are queued.
 * @param count Output, optional. How many ran; 0 when the time passed.
 * @return MQTT_OK; MQTT_BUSY inside a callback of the session, or while another thread polls it;
 *         MQTT_NOT_SUPPORTED with another dispatch; MQTT_CLOSED.
 * @threads Any, one at a time for each session.
 * @callbacks None of the same session.
 */
mqtt_status mqtt_session_poll(const mqtt_session *session,
                              int64_t timeout_ms,
                              size_t limit,
                              size_t *count);

/**
 * Gives a descriptor that is readable while callbacks of a session with MQTT_DISPATCH_POLLED are
 * queued, for select, poll, epoll or the loop of a user interface. Unix only.
 *
 * @param session Borrowed. The session.
 * @param descriptor Output. The descriptor, which belongs to the session: wait for it, but do not
 *        read, write or close it.
 * @return MQTT_OK; MQTT_NOT_SUPPORTED with another dispatch, and on systems without descriptors;
 *         MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_descriptor(const mqtt_session *session,
                                    int32_t *descriptor);

/**
 * Says what a session is doing.
 *
 * @param session Borrowed. The session.
 * @param state Output. An MQTT_STATE_...
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_state(const mqtt_session *session,
                               int32_t *state);

/**
 * Gives the last failure of the session's connection, also while it still tries to connect, and
 * makes it this thread's last failure: mqtt_last_error_message and its sisters tell the rest.
 *
 * @param session Borrowed. The session.
 * @param failure Output. The status of that failure; MQTT_OK when there has been none.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_last_failure(const mqtt_session *session,
                                      mqtt_status *failure);

/* ==============================================================================================
 * The connection: what the broker said when it accepted it.
 * ============================================================================================== */

/**
 * What the broker said when it accepted a connection. It stays as it is when the connection is
 * lost.
 */
typedef struct mqtt_connection mqtt_connection;

/**
 * Gives what the broker said when it accepted the present connection, or the last one.
 *
 * @param session Borrowed. The session.
 * @param connection Output. A copy; free it with mqtt_connection_free.
 * @return MQTT_OK; MQTT_NOT_CONNECTED when no broker has accepted the session yet.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_connection(const mqtt_session *session,
                                    mqtt_connection **connection);

/**
 * Says whether the broker had kept the session.
 *
 * @param connection Borrowed.
 * @return 1 if so, else 0; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_connection_session_present(const mqtt_connection *connection);

/**
 * Gives the client id in use: that of the options, or the one that the broker assigned.
 *
 * @param connection Borrowed.
 * @return The client id, valid as long as the connection; empty for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_connection_client_id(const mqtt_connection *connection);

/**
 * Gives a number that holds on the connection, whether the broker said it or the protocol has it
 * as its default.
 *
 * @param connection Borrowed.
 * @param which Value. One of MQTT_PROPERTY_RECEIVE_MAXIMUM (messages of QoS 1 and 2 that the
 *        broker takes at a time), MQTT_PROPERTY_MAXIMUM_QOS, MQTT_PROPERTY_RETAIN_AVAILABLE,
 *        MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM,
 *        MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE,
 *        MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE,
 *        MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE, MQTT_PROPERTY_SERVER_KEEP_ALIVE and
 *        MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL (both in seconds).
 * @return The number, 1 and 0 for yes and no; -1 where the broker leaves it to what the session
 *         asked for (packet size, keep-alive, expiry), for another identifier, and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int64_t mqtt_connection_number(const mqtt_connection *connection,
                               int32_t which);

/**
 * Gives the properties of the broker's answer (MQTT 5.0), all that it said: its response
 * information, its own words, user properties too.
 *
 * @param connection Borrowed.
 * @return The properties, which belong to the connection and live as long as it; never to be
 *         freed; NULL only for NULL.
 * @threads Any.
 * @callbacks Any.
 */
const mqtt_properties *mqtt_connection_properties(const mqtt_connection *connection);

/**
 * Frees what mqtt_session_connection gave. The connection goes on.
 *
 * @param connection Taken. The copy, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_connection_free(mqtt_connection *connection);

/* ==============================================================================================
 * Proving who the session is: questions that the library asks while it connects.
 * ============================================================================================== */

/**
 * The exchange begins, with CONNECT: the answer is the first data, if the method has any then.
 */
#define MQTT_AUTHENTICATION_CONNECT 1

/**
 * The exchange begins anew, on a live connection: the answer is the first data.
 */
#define MQTT_AUTHENTICATION_AGAIN 2

/**
 * The broker has sent data and waits for an answer.
 */
#define MQTT_AUTHENTICATION_CONTINUE 3

/**
 * The broker has accepted: its last data is to be checked, and nothing is answered.
 */
#define MQTT_AUTHENTICATION_SUCCESS 4

/**
 * One step of an authentication exchange: what the broker sent, and what is answered.
 */
typedef struct mqtt_authentication mqtt_authentication;

/**
 * User name and password for one attempt to connect; new ones hold neither.
 */
typedef struct mqtt_credentials mqtt_credentials;

/**
 * Takes part in an authentication exchange: looks at the step and sets the answer.
 *
 * It is a question: see the conventions on callbacks.
 *
 * @param authentication Borrowed. The step; valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 * @return MQTT_OK to go on. Any other number ends the exchange and the connection: the error is
 *         then MQTT_AUTHENTICATION_FAILED, with this status as its cause.
 */
typedef mqtt_status (*mqtt_authenticator)(mqtt_authentication *authentication,
                                          void *user_data);

/**
 * Gives user name and password for the next attempt to connect.
 *
 * It is a question: see the conventions on callbacks.
 *
 * @param credentials Borrowed. To be filled; valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 * @return MQTT_OK to go on. Any other number ends the attempt, with that status as its error.
 */
typedef mqtt_status (*mqtt_credentials_source)(mqtt_credentials *credentials,
                                               void *user_data);

/**
 * Says where the exchange stands.
 *
 * @param authentication Borrowed.
 * @return An MQTT_AUTHENTICATION_...; 0 for one that this version of the header has no name for,
 *         and for NULL.
 * @threads Any, while the authenticator runs.
 * @callbacks The authenticator.
 */
int32_t mqtt_authentication_step(const mqtt_authentication *authentication);

/**
 * Gives the data that the broker sent with this step.
 *
 * @param authentication Borrowed.
 * @return The data, valid until the authenticator returns; empty when there is none, and for NULL.
 * @threads Any, while the authenticator runs.
 * @callbacks The authenticator.
 */
mqtt_view mqtt_authentication_data(const mqtt_authentication *authentication);

/**
 * Says whether the broker sent data with this step, which may be of no bytes.
 *
 * @param authentication Borrowed.
 * @return 1 if so, else 0; 0 for NULL.
 * @threads Any, while the authenticator runs.
 * @callbacks The authenticator.
 */
int32_t mqtt_authentication_has_data(const mqtt_authentication *authentication);

/**
 * Sets the data with which this step is answered. Without this call the answer has no data.
 *
 * @param authentication Borrowed. The step that the authenticator was given, within the call.
 * @param data Borrowed. The data, which is copied; may be NULL when the size is 0.
 * @param size Value. The number of bytes, at most 65,535.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when there are more bytes.
 * @threads The one on which the authenticator runs.
 * @callbacks The authenticator.
 */
mqtt_status mqtt_authentication_set_answer(mqtt_authentication *authentication,
                                           const void *data,
                                           size_t size);

/**
 * Sets the user name for the attempt to connect.
 *
 * @param credentials Borrowed. The credentials that the source was given, within the call.
 * @param user_name Borrowed. The user name; NULL for none.
 * @return MQTT_OK; MQTT_INVALID_UTF8.
 * @threads The one on which the source runs.
 * @callbacks The source.
 */
mqtt_status mqtt_credentials_set_user_name(mqtt_credentials *credentials,
                                           const char *user_name);

/**
 * Sets the password for the attempt to connect, which may be any bytes. It never appears in an
 * error or a log line.
 *
 * @param credentials Borrowed. The credentials that the source was given, within the call.
 * @param password Borrowed. The password, which is copied; NULL with size 0 for none.
 * @param size Value. The number of bytes, at most 65,535.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when there are more bytes.
 * @threads The one on which the source runs.
 * @callbacks The source.
 */
mqtt_status mqtt_credentials_set_password(mqtt_credentials *credentials,
                                          const void *password,
                                          size_t size);

/**
 * Authenticates anew on the live connection, with the method of the options, and waits for the
 * broker's answer (MQTT 5.0). A broker that refuses ends the connection.
 *
 * @param session Borrowed. The session.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @return MQTT_OK; MQTT_NOT_SUPPORTED when the options name no method; MQTT_NOT_CONNECTED;
 *         MQTT_BUSY while an exchange is under way; MQTT_AUTHENTICATION_FAILED, or the error with
 *         which the connection was lost; MQTT_TIMEOUT, after which it goes on;
 *         MQTT_WOULD_DEADLOCK, likewise; MQTT_CANCELLED; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any; an inline one and a question can only start it.
 */
mqtt_status mqtt_session_reauthenticate(const mqtt_session *session,
                                        int64_t timeout_ms);

/**
 * Starts to authenticate anew, without waiting.
 *
 * @param session Borrowed. The session.
 * @param operation Output. Ends as mqtt_session_reauthenticate returns; free it with
 *        mqtt_operation_free.
 * @return MQTT_OK; MQTT_NOT_SUPPORTED when the options name no method; MQTT_NOT_CONNECTED;
 *         MQTT_BUSY while an exchange is under way; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_reauthenticate_start(const mqtt_session *session,
                                              mqtt_operation **operation);

/* ==============================================================================================
 * Options: proving who the session is.
 * ============================================================================================== */

/**
 * Sets who takes part in the broker's authentication exchange (MQTT 5.0), and by which method. It
 * replaces an earlier one.
 *
 * @param options Borrowed. The options.
 * @param method Borrowed. The name of the method, as client and broker know it.
 * @param authenticator Callback. The function; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the options, and every session that was made
 *        with them, have ended.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK; MQTT_INVALID_UTF8.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_authenticator(mqtt_options *options,
                                           const char *method,
                                           mqtt_authenticator authenticator,
                                           void *user_data,
                                           mqtt_destroy destroy);

/**
 * Authenticates by SCRAM-SHA-256 (MQTT 5.0): each side proves that it knows the password, which is
 * not sent. It replaces an authenticator.
 *
 * @param options Borrowed. The options.
 * @param user_name Borrowed. The user name of the exchange.
 * @param password Borrowed. The password.
 * @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_INVALID_OPTION for an empty user name, or a password
 *         that the method forbids.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_scram_sha_256(mqtt_options *options,
                                           const char *user_name,
                                           const char *password);

/**
 * Sets who is asked for user name and password before each attempt to connect, instead of the
 * fixed ones: for tokens that run out. An earlier one is replaced.
 *
 * @param options Borrowed. The options.
 * @param source Callback. The function; NULL for the fixed ones again.
 * @param user_data Taken. Its user data, kept until the options, and every session that was made
 *        with them, have ended.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_options_set_credentials_source(mqtt_options *options,
                                                mqtt_credentials_source source,
                                                void *user_data,
                                                mqtt_destroy destroy);

/* ==============================================================================================
 * Publishing, and learning how it ended.
 * ============================================================================================== */

/**
 * How a message is published, for mqtt_session_publish_with, mqtt_session_publish_lent and
 * mqtt_session_reply. One object serves any number of publishes.
 */
typedef struct mqtt_publish_options mqtt_publish_options;

/**
 * Makes publish options: quality of service 0, not retained, no properties, the time to live that
 * the session's options say.
 *
 * @param options Output. The options; free them with mqtt_publish_options_free.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_publish_options_new(mqtt_publish_options **options);

/**
 * Frees publish options.
 *
 * @param options Taken. The options, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_publish_options_free(mqtt_publish_options *options);

/**
 * Sets the quality of service.
 *
 * @param options Borrowed. The options.
 * @param qos Value. 0, 1 or 2.
 * @return MQTT_OK; MQTT_INVALID_QOS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_publish_options_set_qos(mqtt_publish_options *options,
                                         int32_t qos);

/**
 * Says whether the broker keeps the message for later subscribers.
 *
 * @param options Borrowed. The options.
 * @param retain Value. Yes to have it kept.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_publish_options_set_retain(mqtt_publish_options *options,
                                            int32_t retain);

/**
 * Sets the properties of the message (MQTT 5.0). They are copied.
 *
 * @param options Borrowed. The options.
 * @param properties Borrowed. The properties; NULL for none.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_publish_options_set_properties(mqtt_publish_options *options,
                                                const mqtt_properties *properties);

/**
 * Sets how long the message may wait for being sent. What has not been sent by then ends as
 * MQTT_EXPIRED. Until this is set, mqtt_options_set_time_to_live counts.
 *
 * @param options Borrowed. The options.
 * @param time_to_live_ms Value. Milliseconds above 0; MQTT_FOREVER for no limit.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative; MQTT_INVALID_OPTION when it is 0.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_publish_options_set_time_to_live(mqtt_publish_options *options,
                                                  int64_t time_to_live_ms);

/**
 * Publishes a message: hands it over and returns.
 *
 * It is accepted also while the connection is lost, and sent when it is back. It ends exactly
 * once: written (quality of service 0), acknowledged (1 and 2), or with the error that says why
 * not. mqtt_session_wait tells of one message, mqtt_session_flush of all.
 *
 * It waits only when the outgoing queue is full and its policy says so
 * (mqtt_options_set_outgoing_policy).
 *
 * @param session Borrowed. The session, which must have been told to connect.
 * @param topic Borrowed. The topic, without wildcards, 1 to 65,535 bytes.
 * @param payload Borrowed. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes; topic and payload fit in 268,435,455 together.
 * @param qos Value. 0, 1 or 2.
 * @param retain Value. Yes to have the broker keep it for later subscribers.
 * @param number Output, optional. The number of the message, above 0 and ascending.
 * @return MQTT_OK; MQTT_INVALID_TOPIC; MQTT_INVALID_UTF8; MQTT_INVALID_QOS;
 *         MQTT_PAYLOAD_TOO_LARGE; MQTT_NOT_CONNECTED before mqtt_session_connect and after
 *         mqtt_session_disconnect;
 *         MQTT_QUEUE_FULL; MQTT_STORE_FULL, MQTT_STORE_READ_ONLY or MQTT_STORE_FAILED while the
 *         session's store takes nothing (quality of service 1 and 2); MQTT_WOULD_DEADLOCK when it
 *         would have to wait for the queue that this callback holds up; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_publish(const mqtt_session *session,
                                 const char *topic,
                                 const void *payload,
                                 size_t size,
                                 int32_t qos,
                                 int32_t retain,
                                 uint64_t *number);

/**
 * Publishes a message with all there is to say about it, and calls back when it has ended.
 *
 * Otherwise as mqtt_session_publish. The handler may be called before this function returns.
 *
 * @param session Borrowed. The session, which must have been told to connect.
 * @param topic Borrowed. The topic, without wildcards, 1 to 65,535 bytes.
 * @param payload Borrowed. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes.
 * @param options Borrowed. How it is published; NULL for the defaults.
 * @param handler Callback. Told once how it ended, in order with the session's other callbacks;
 *        NULL for none.
 * @param user_data Taken. Its user data.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param number Output, optional. The number of the message, above 0 and ascending.
 * @return As mqtt_session_publish; MQTT_NOT_SUPPORTED for properties before MQTT 5.0. After an
 *         error the handler is not called; the user data is destroyed.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_publish_with(const mqtt_session *session,
                                      const char *topic,
                                      const void *payload,
                                      size_t size,
                                      const mqtt_publish_options *options,
                                      mqtt_publish_handler handler,
                                      void *user_data,
                                      mqtt_destroy destroy,
                                      uint64_t *number);

/**
 * Publishes a message whose payload is lent: from 16 KiB on it is never copied, however long it waits
 * and however often it is sent. (A connection with TLS encrypts it into memory of its own.)
 *
 * Otherwise as mqtt_session_publish_with. The payload has to stay where and as it is until `destroy`
 * is called: exactly once, whatever becomes of the message, when the handler has returned and the
 * library has done with the payload. It has done with it when the message has been written (quality
 * of service 0), acknowledged (1), confirmed for the first time (2), or has ended in another way, and
 * has been stored where it had to be. With a smaller payload, which is copied, it has done when this
 * call returns. When mqtt_session_free has returned, outside callbacks, every `destroy` has.
 *
 * `destroy` runs where the session's callbacks run, after or between them, or in this function before
 * it returns: when it fails, and when the library has done with the payload by then. So hold no lock
 * during the call that `destroy` takes. It may call any function, as callbacks may.
 *
 * A program that needs no handler gives NULL for it, and as `destroy` what frees the buffer:
 * mqtt_session_publish_lent(session, topic, buffer, size, options, NULL, buffer, free, NULL).
 *
 * @param session Borrowed. The session, which must have been told to connect.
 * @param topic Borrowed. The topic, without wildcards, 1 to 65,535 bytes.
 * @param payload Lent. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes.
 * @param options Borrowed. How it is published; NULL for the defaults.
 * @param handler Callback. Told once how it ended, in order with the session's other callbacks;
 *        NULL for none.
 * @param user_data Taken. Its user data, and the payload's.
 * @param destroy Callback. Ends the user data and the loan; NULL for a payload that is never freed or
 *        changed.
 * @param number Output, optional. The number of the message, above 0 and ascending.
 * @return As mqtt_session_publish_with. After an error the handler is not called; the loan has ended
 *         and the user data is destroyed.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_publish_lent(const mqtt_session *session,
                                      const char *topic,
                                      const void *payload,
                                      size_t size,
                                      const mqtt_publish_options *options,
                                      mqtt_publish_handler handler,
                                      void *user_data,
                                      mqtt_destroy destroy,
                                      uint64_t *number);

/**
 * Waits until a message has ended.
 *
 * @param session Borrowed. The session.
 * @param number Value. The number of the message, from a publish of this session.
 * @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
 * @param outcome Output, optional. What the broker answered; free it with mqtt_outcome_free.
 * @return MQTT_OK when it was written (quality of service 0) or acknowledged (1 and 2);
 *         MQTT_TIMEOUT when it goes on; MQTT_PUBLISH_REFUSED, MQTT_EXPIRED, MQTT_DROPPED,
 *         MQTT_SET_ASIDE, MQTT_STORE_FAILED, MQTT_SESSION_LOST, MQTT_LEFT_IN_STORE or MQTT_CANCELLED
 *         when it ended so, about which mqtt_last_error_reason_code and its sisters tell what the
 *         broker said;
 *         MQTT_UNKNOWN_MESSAGE; MQTT_WOULD_DEADLOCK when it goes on and this thread must not wait.
 * @threads Any.
 * @callbacks Any; an inline one can only ask.
 */
mqtt_status mqtt_session_wait(const mqtt_session *session,
                              uint64_t number,
                              int64_t timeout_ms,
                              mqtt_outcome **outcome);

/**
 * Waits until a message is in the session's store (mqtt_options_set_store): from then on it survives
 * the process, and whatever else mqtt_options_set_durability asked for.
 *
 * Nothing of quality of service 0 is stored; for such a message it succeeds at once.
 *
 * @param session Borrowed. The session.
 * @param number Value. The number of the message, from a publish of this session.
 * @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
 * @return MQTT_OK; MQTT_TIMEOUT when it goes on; MQTT_NOT_SUPPORTED without a store; MQTT_STORE_FULL,
 *         MQTT_STORE_READ_ONLY or MQTT_STORE_FAILED while the store takes nothing, after which it may
 *         be waited for again; the error with which the message ended before it was stored;
 *         MQTT_UNKNOWN_MESSAGE; MQTT_WOULD_DEADLOCK when it goes on and this thread must not wait;
 *         MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any; an inline one can only ask.
 */
mqtt_status mqtt_session_wait_stored(const mqtt_session *session,
                                     uint64_t number,
                                     int64_t timeout_ms);

/**
 * Starts to wait until a message is in the session's store, without waiting here.
 *
 * @param session Borrowed. The session.
 * @param number Value. The number of the message, from a publish of this session.
 * @param operation Output. Ends as mqtt_session_wait_stored returns; free it with
 *        mqtt_operation_free.
 * @return MQTT_OK; MQTT_NOT_SUPPORTED without a store; MQTT_UNKNOWN_MESSAGE; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_wait_stored_start(const mqtt_session *session,
                                           uint64_t number,
                                           mqtt_operation **operation);

/**
 * Waits until every message that was accepted before this call has ended.
 *
 * @param session Borrowed. The session.
 * @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
 * @return MQTT_OK, however the messages ended; MQTT_TIMEOUT when some go on; MQTT_WOULD_DEADLOCK
 *         when some go on and this thread must not wait; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any; an inline one can only ask.
 */
mqtt_status mqtt_session_flush(const mqtt_session *session,
                               int64_t timeout_ms);

/**
 * Starts to wait for every message that was accepted before this call, without waiting here.
 *
 * @param session Borrowed. The session.
 * @param operation Output. Ends when all have ended; free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_flush_start(const mqtt_session *session,
                                     mqtt_operation **operation);

/* ==============================================================================================
 * Subscribing.
 * ============================================================================================== */

/**
 * The broker sends its retained messages with each subscription; the default.
 */
#define MQTT_RETAIN_SEND 0

/**
 * The broker sends its retained messages only with a subscription that is new to it.
 */
#define MQTT_RETAIN_SEND_IF_NEW 1

/**
 * The broker does not send its retained messages.
 */
#define MQTT_RETAIN_DO_NOT_SEND 2

/**
 * How filters are subscribed to, for mqtt_session_subscribe_with and its sisters.
 */
typedef struct mqtt_subscribe_options mqtt_subscribe_options;

/**
 * Makes subscribe options: quality of service 0, and what the protocol has as defaults.
 *
 * @param options Output. The options; free them with mqtt_subscribe_options_free.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_subscribe_options_new(mqtt_subscribe_options **options);

/**
 * Frees subscribe options. Subscriptions that were made with them are not affected.
 *
 * @param options Taken. The options, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_subscribe_options_free(mqtt_subscribe_options *options);

/**
 * Sets the highest quality of service with which the broker may deliver.
 *
 * @param options Borrowed. The options.
 * @param qos Value. 0, 1 or 2.
 * @return MQTT_OK; MQTT_INVALID_QOS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_subscribe_options_set_qos(mqtt_subscribe_options *options,
                                           int32_t qos);

/**
 * Says whether the broker spares the session its own messages (MQTT 5.0).
 *
 * @param options Borrowed. The options.
 * @param no_local Value. Yes to be spared.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_subscribe_options_set_no_local(mqtt_subscribe_options *options,
                                                int32_t no_local);

/**
 * Says whether messages keep the retain flag with which they were published (MQTT 5.0), instead
 * of having it only when they were sent because of the new subscription.
 *
 * @param options Borrowed. The options.
 * @param retain_as_published Value. Yes to keep it.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_subscribe_options_set_retain_as_published(mqtt_subscribe_options *options,
                                                           int32_t retain_as_published);

/**
 * Says when the broker sends the messages that it has retained (MQTT 5.0).
 *
 * @param options Borrowed. The options.
 * @param retain_handling Value. An MQTT_RETAIN_...
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_subscribe_options_set_retain_handling(mqtt_subscribe_options *options,
                                                       int32_t retain_handling);

/**
 * Sets the properties of the SUBSCRIBE (MQTT 5.0): user properties. They are copied.
 *
 * @param options Borrowed. The options.
 * @param properties Borrowed. The properties; NULL for none.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_subscribe_options_set_properties(mqtt_subscribe_options *options,
                                                  const mqtt_properties *properties);

/**
 * Subscribes to a filter and waits for the broker's answer.
 *
 * The subscription belongs to the session: it is renewed whenever the broker has forgotten it. A
 * second subscription to the same filter replaces the handler of the first. Each message goes to
 * every handler whose filter matches it, once to each.
 *
 * Subscribing before mqtt_session_connect is legal, with a timeout of 0; the handler is then in
 * place before the first message can come.
 *
 * @param session Borrowed. The session.
 * @param filter Borrowed. The filter, 1 to 65,535 bytes: a topic, in which `+` stands for one
 *        level and a last `#` for all the rest; `$share/name/filter` shares it with others.
 * @param qos Value. The highest quality of service with which the broker may deliver: 0, 1 or 2.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the subscription ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param granted Output, optional. The quality of service that the broker granted.
 * @return MQTT_OK; MQTT_SUBSCRIBE_REFUSED; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8;
 *         MQTT_INVALID_QOS; MQTT_TOO_MANY_SUBSCRIPTIONS; MQTT_TIMEOUT, after which the
 *         subscription goes on; MQTT_WOULD_DEADLOCK, likewise; MQTT_CANCELLED; MQTT_CLOSED. After
 *         an error other than MQTT_TIMEOUT and MQTT_WOULD_DEADLOCK there is no subscription, and
 *         the user data is destroyed.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_subscribe(const mqtt_session *session,
                                   const char *filter,
                                   int32_t qos,
                                   int64_t timeout_ms,
                                   mqtt_message_handler handler,
                                   void *user_data,
                                   mqtt_destroy destroy,
                                   int32_t *granted);

/**
 * Subscribes to a filter with all there is to say about it, and waits for the broker's answer.
 *
 * Otherwise as mqtt_session_subscribe.
 *
 * @param session Borrowed. The session.
 * @param filter Borrowed. The filter, 1 to 65,535 bytes.
 * @param options Borrowed. How to subscribe; NULL for the defaults.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the subscription ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param granted Output, optional. The quality of service that the broker granted.
 * @return As mqtt_session_subscribe; MQTT_NOT_SUPPORTED for properties before MQTT 5.0.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_subscribe_with(const mqtt_session *session,
                                        const char *filter,
                                        const mqtt_subscribe_options *options,
                                        int64_t timeout_ms,
                                        mqtt_message_handler handler,
                                        void *user_data,
                                        mqtt_destroy destroy,
                                        int32_t *granted);

/**
 * Subscribes to several filters in one packet with one handler, and waits for the broker's
 * answer.
 *
 * Otherwise as mqtt_session_subscribe. The user data is destroyed when the last of the
 * subscriptions has ended.
 *
 * @param session Borrowed. The session.
 * @param filters Borrowed. The filters, an array of texts.
 * @param count Value. The number of filters, at least 1.
 * @param options Borrowed. How to subscribe to each; NULL for the defaults.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the last subscription ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param results Output, optional. An array of `count` numbers: for each filter the quality of
 *        service that the broker granted, or the negative status with which it was refused.
 * @return MQTT_OK when the broker has answered, whatever it granted: look at the results;
 *         otherwise as mqtt_session_subscribe_with.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_subscribe_many(const mqtt_session *session,
                                        const char *const *filters,
                                        size_t count,
                                        const mqtt_subscribe_options *options,
                                        int64_t timeout_ms,
                                        mqtt_message_handler handler,
                                        void *user_data,
                                        mqtt_destroy destroy,
                                        int32_t *results);

/**
 * Starts to subscribe to one or several filters, without waiting.
 *
 * @param session Borrowed. The session.
 * @param filters Borrowed. The filters, an array of texts.
 * @param count Value. The number of filters, at least 1.
 * @param options Borrowed. How to subscribe to each; NULL for the defaults.
 * @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the last subscription ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param operation Output. Ends with the broker's answer, of which mqtt_operation_granted and
 *        mqtt_operation_outcome tell for each filter; free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_NOT_SUPPORTED for properties
 *         before MQTT 5.0; MQTT_TOO_MANY_SUBSCRIPTIONS; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_subscribe_start(const mqtt_session *session,
                                         const char *const *filters,
                                         size_t count,
                                         const mqtt_subscribe_options *options,
                                         mqtt_message_handler handler,
                                         void *user_data,
                                         mqtt_destroy destroy,
                                         mqtt_operation **operation);

/* ==============================================================================================
 * Unsubscribing.
 * ============================================================================================== */

/**
 * Ends a subscription and waits for the broker's answer.
 *
 * Outside callbacks it returns after a running call of the handler; then no further one comes.
 *
 * @param session Borrowed. The session.
 * @param filter Borrowed. The filter, as it was subscribed to; an unknown one succeeds.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @return MQTT_OK; MQTT_UNSUBSCRIBE_REFUSED; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8;
 *         MQTT_TIMEOUT; MQTT_WOULD_DEADLOCK, after which it goes on; MQTT_CANCELLED; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any, the subscription's own handler too; an inline one can only start it.
 */
mqtt_status mqtt_session_unsubscribe(const mqtt_session *session,
                                     const char *filter,
                                     int64_t timeout_ms);

/**
 * Starts to end a subscription, without waiting.
 *
 * @param session Borrowed. The session.
 * @param filter Borrowed. The filter, as it was subscribed to.
 * @param operation Output. Ends with the broker's answer, of which mqtt_operation_outcome tells;
 *        free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_unsubscribe_start(const mqtt_session *session,
                                           const char *filter,
                                           mqtt_operation **operation);

/**
 * Ends several subscriptions with one packet and waits for the broker's answer.
 *
 * Otherwise as mqtt_session_unsubscribe.
 *
 * @param session Borrowed. The session.
 * @param filters Borrowed. The filters, an array of texts.
 * @param count Value. The number of filters, at least 1.
 * @param properties Borrowed. The properties of the UNSUBSCRIBE (MQTT 5.0): user properties; NULL
 *        for none.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @param results Output, optional. An array of `count` numbers: for each filter
 *        MQTT_REASON_SUCCESS or MQTT_REASON_NO_SUBSCRIPTION_EXISTED, or the negative status with
 *        which it was refused.
 * @return MQTT_OK when the broker has answered, whatever it said: look at the results; otherwise
 *         as mqtt_session_unsubscribe; MQTT_NOT_SUPPORTED for properties before MQTT 5.0.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_unsubscribe_many(const mqtt_session *session,
                                          const char *const *filters,
                                          size_t count,
                                          const mqtt_properties *properties,
                                          int64_t timeout_ms,
                                          int32_t *results);

/**
 * Starts to end several subscriptions with one packet, without waiting.
 *
 * @param session Borrowed. The session.
 * @param filters Borrowed. The filters, an array of texts.
 * @param count Value. The number of filters, at least 1.
 * @param properties Borrowed. The properties of the UNSUBSCRIBE (MQTT 5.0); NULL for none.
 * @param operation Output. Ends with the broker's answer, of which mqtt_operation_outcome tells
 *        for each filter; free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_NOT_SUPPORTED for properties
 *         before MQTT 5.0; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_unsubscribe_many_start(const mqtt_session *session,
                                                const char *const *filters,
                                                size_t count,
                                                const mqtt_properties *properties,
                                                mqtt_operation **operation);

/**
 * Ends every subscription of the session and waits for the broker's answer.
 *
 * @param session Borrowed. The session.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @return As mqtt_session_unsubscribe.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_unsubscribe_all(const mqtt_session *session,
                                         int64_t timeout_ms);

/**
 * Starts to end every subscription of the session, without waiting.
 *
 * @param session Borrowed. The session.
 * @param operation Output. Ends with the broker's answer; free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_unsubscribe_all_start(const mqtt_session *session,
                                               mqtt_operation **operation);

/* ==============================================================================================
 * Asking and answering: request and response of MQTT 5.0.
 * ============================================================================================== */

/**
 * How to ask, for mqtt_session_request. One object serves any number of requests.
 */
typedef struct mqtt_request_options mqtt_request_options;

/**
 * The answer that a responder gives; nothing is answered while nothing has been set.
 */
typedef struct mqtt_response mqtt_response;

/**
 * Answers the requests to a filter.
 *
 * What it sets of the response is sent when it has returned: to the topic that the request names,
 * with the request's correlation data. To answer later it sets nothing, keeps the request
 * (mqtt_message_keep) and calls mqtt_session_reply. After mqtt_message_fail nothing is answered.
 *
 * @param request Borrowed. Valid until the function returns; as in a mqtt_message_handler.
 * @param response Borrowed. The answer; valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_responder)(const mqtt_message *request,
                               mqtt_response *response,
                               void *user_data);

/**
 * Makes request options: quality of service 1, no properties.
 *
 * @param options Output. The options; free them with mqtt_request_options_free.
 * @return MQTT_OK.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_request_options_new(mqtt_request_options **options);

/**
 * Frees request options. Requests that were made with them are not affected.
 *
 * @param options Taken. The options, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_request_options_free(mqtt_request_options *options);

/**
 * Sets the quality of service of the request; mqtt_session_respond answers at the same.
 *
 * @param options Borrowed. The options.
 * @param qos Value. 0, 1 (the default) or 2.
 * @return MQTT_OK; MQTT_INVALID_QOS.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_request_options_set_qos(mqtt_request_options *options,
                                         int32_t qos);

/**
 * Sets the properties of the request. They are copied. Response topic and correlation data are the
 * library's own.
 *
 * @param options Borrowed. The options.
 * @param properties Borrowed. The properties; NULL for none.
 * @return MQTT_OK.
 * @threads One at a time for each options object.
 * @callbacks Any.
 */
mqtt_status mqtt_request_options_set_properties(mqtt_request_options *options,
                                                const mqtt_properties *properties);

/**
 * Asks: publishes a request and waits for its answer (MQTT 5.0). Any number may be under way.
 *
 * @param session Borrowed. The session, which must have been told to connect.
 * @param topic Borrowed. The topic on which somebody answers, without wildcards.
 * @param payload Borrowed. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes.
 * @param options Borrowed. How to ask; NULL for the defaults.
 * @param timeout_ms Value. How long the answer may take, above 0; MQTT_FOREVER has no limit. When
 *        it has passed the request is over, and a later answer is dropped.
 * @param answer Output. The answer; free it with mqtt_message_free.
 * @return MQTT_OK; MQTT_TIMEOUT; MQTT_NO_RESPONDER when the broker says that nobody has subscribed
 *         to the topic; MQTT_NOT_SUPPORTED before MQTT 5.0; those of mqtt_session_publish, and the
 *         errors with which a publish ends; MQTT_SUBSCRIBE_REFUSED for the topic of the answers;
 *         MQTT_INVALID_ARGUMENT for a response topic or correlation data of one's own;
 *         MQTT_WOULD_DEADLOCK; MQTT_CANCELLED; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any; an inline one must use mqtt_session_request_start.
 */
mqtt_status mqtt_session_request(const mqtt_session *session,
                                 const char *topic,
                                 const void *payload,
                                 size_t size,
                                 const mqtt_request_options *options,
                                 int64_t timeout_ms,
                                 mqtt_message **answer);

/**
 * Asks without waiting: otherwise as mqtt_session_request.
 *
 * @param session Borrowed. The session, which must have been told to connect.
 * @param topic Borrowed. The topic on which somebody answers, without wildcards.
 * @param payload Borrowed. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes.
 * @param options Borrowed. How to ask; NULL for the defaults.
 * @param timeout_ms Value. How long the answer may take, above 0; MQTT_FOREVER has no limit.
 * @param operation Output. Ends with the answer, which mqtt_operation_message gives, or as
 *        mqtt_session_request returns; free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_NOT_SUPPORTED before MQTT 5.0; those of mqtt_session_publish.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_request_start(const mqtt_session *session,
                                       const char *topic,
                                       const void *payload,
                                       size_t size,
                                       const mqtt_request_options *options,
                                       int64_t timeout_ms,
                                       mqtt_operation **operation);

/**
 * Subscribes to a filter whose messages are answered (MQTT 5.0), and waits for the broker's
 * answer. It is a subscription like any other: renewed when need be, ended by
 * mqtt_session_unsubscribe. For one with properties or with further choices, use
 * mqtt_session_subscribe_with and call mqtt_session_reply.
 *
 * @param session Borrowed. The session.
 * @param filter Borrowed. The filter, as for mqtt_session_subscribe.
 * @param qos Value. The highest quality of service of requests and answers: 0, 1 or 2.
 * @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
 * @param responder Callback. Answers the requests; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the subscription ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param granted Output, optional. The quality of service that the broker granted.
 * @return As mqtt_session_subscribe; MQTT_NOT_SUPPORTED before MQTT 5.0.
 * @threads Any.
 * @callbacks Any; an inline one can only start it.
 */
mqtt_status mqtt_session_respond(const mqtt_session *session,
                                 const char *filter,
                                 int32_t qos,
                                 int64_t timeout_ms,
                                 mqtt_responder responder,
                                 void *user_data,
                                 mqtt_destroy destroy,
                                 int32_t *granted);

/**
 * Starts to subscribe to a filter whose messages are answered, without waiting.
 *
 * @param session Borrowed. The session.
 * @param filter Borrowed. The filter, as for mqtt_session_subscribe.
 * @param qos Value. The highest quality of service of requests and answers: 0, 1 or 2.
 * @param responder Callback. Answers the requests; NULL is MQTT_INVALID_ARGUMENT.
 * @param user_data Taken. Its user data, kept until the subscription ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @param operation Output. Ends with the broker's answer, of which mqtt_operation_granted tells;
 *        free it with mqtt_operation_free.
 * @return MQTT_OK; MQTT_NOT_SUPPORTED before MQTT 5.0; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8;
 *         MQTT_INVALID_QOS; MQTT_TOO_MANY_SUBSCRIPTIONS; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_respond_start(const mqtt_session *session,
                                       const char *filter,
                                       int32_t qos,
                                       mqtt_responder responder,
                                       void *user_data,
                                       mqtt_destroy destroy,
                                       mqtt_operation **operation);

/**
 * Sets the payload of an answer.
 *
 * @param response Borrowed. The response that the responder was given, within the call.
 * @param payload Borrowed. The payload, which is copied; may be NULL when the size is 0.
 * @param size Value. The number of bytes.
 * @return MQTT_OK.
 * @threads The one on which the responder runs.
 * @callbacks The responder.
 */
mqtt_status mqtt_response_set_payload(mqtt_response *response,
                                      const void *payload,
                                      size_t size);

/**
 * Sets the properties of an answer. They are copied; the request's correlation data is added.
 *
 * @param response Borrowed. The response that the responder was given, within the call.
 * @param properties Borrowed. The properties; NULL for none.
 * @return MQTT_OK.
 * @threads The one on which the responder runs.
 * @callbacks The responder.
 */
mqtt_status mqtt_response_set_properties(mqtt_response *response,
                                         const mqtt_properties *properties);

/**
 * Answers a request: publishes to the topic that it names, with its correlation data.
 *
 * @param session Borrowed. The session, which must have been told to connect.
 * @param request Borrowed. The request, lent to a handler or kept.
 * @param payload Borrowed. The payload; may be NULL when the size is 0.
 * @param size Value. The number of bytes.
 * @param options Borrowed. How it is published; NULL for the defaults.
 * @param number Output, optional. The number of the message, for mqtt_session_wait.
 * @return As mqtt_session_publish; MQTT_INVALID_ARGUMENT when the message asks for no answer.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_reply(const mqtt_session *session,
                               const mqtt_message *request,
                               const void *payload,
                               size_t size,
                               const mqtt_publish_options *options,
                               uint64_t *number);

/* ==============================================================================================
 * What happens to a session, as its event handler sees it.
 * ============================================================================================== */

/**
 * An attempt to connect starts.
 */
#define MQTT_EVENT_CONNECTING 1

/**
 * The broker has accepted: mqtt_event_session_present, mqtt_event_client_id and
 * mqtt_event_properties tell more.
 */
#define MQTT_EVENT_CONNECTED 2

/**
 * The connection was lost or an attempt failed: mqtt_event_status says why.
 */
#define MQTT_EVENT_LOST 3

/**
 * The next attempt starts after a pause: mqtt_event_delay_ms.
 */
#define MQTT_EVENT_RETRYING 4

/**
 * The session has stopped: after a disconnect, with MQTT_OK as its status, or because trying
 * again makes no sense, with the reason.
 */
#define MQTT_EVENT_DISCONNECTED 5

/**
 * The broker refused to renew a subscription: mqtt_event_filter and mqtt_event_status.
 */
#define MQTT_EVENT_SUBSCRIPTION_REFUSED 6

/**
 * A message that no connection survived, or that is larger than the session accepts, has been set
 * aside: mqtt_event_number, mqtt_event_topic, mqtt_event_size and mqtt_event_status.
 */
#define MQTT_EVENT_SET_ASIDE 7

/**
 * Messages have been handled but cannot be acknowledged, because the acknowledgement of an earlier
 * one has not come for ten seconds: mqtt_event_count says how many.
 */
#define MQTT_EVENT_ACKNOWLEDGEMENT_HELD 8

/**
 * The broker sends the session to another server: mqtt_event_address.
 */
#define MQTT_EVENT_REDIRECTED 9

/**
 * The store held something from an earlier session; told once, before the first attempt to connect:
 * mqtt_event_messages, mqtt_event_bytes, mqtt_event_in_flight, mqtt_event_interrupted and
 * mqtt_event_after_power_loss say what.
 */
#define MQTT_EVENT_RESTORED 10

/**
 * The broker had lost the session, or had never kept it, while something was unfinished:
 * mqtt_event_renewed, mqtt_event_unknown and mqtt_event_forgotten say what becomes of it.
 */
#define MQTT_EVENT_SESSION_LOST 11

/**
 * The session has a store, but the broker forgets the session with the connection: what had not been
 * confirmed is published anew, so that a message of QoS 2 may come twice, or, half confirmed, ends with
 * MQTT_SESSION_LOST. Told once, before the first attempt to connect.
 */
#define MQTT_EVENT_STORE_WITHOUT_SESSION 12

/**
 * The store takes nothing at present: publishing at QoS 1 and 2 fails with mqtt_event_status until
 * it does, which is tried again and again.
 */
#define MQTT_EVENT_STORE_FAILED 13

/**
 * The store takes messages again.
 */
#define MQTT_EVENT_STORE_RECOVERED 14

/**
 * Something that happened to a session. New kinds may come: ignore one that you do not know.
 */
typedef struct mqtt_event mqtt_event;

/**
 * Receives the events of a session, in order with its other callbacks.
 *
 * @param event Borrowed. Valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_event_handler)(const mqtt_event *event,
                                   void *user_data);

/**
 * Sets the receiver of the session's events. An earlier one is replaced.
 *
 * @param session Borrowed. The session.
 * @param handler Callback. The function; NULL for none any more.
 * @param user_data Taken. Its user data, kept until it is replaced or the session ends.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK; MQTT_CLOSED.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_set_event_handler(const mqtt_session *session,
                                           mqtt_event_handler handler,
                                           void *user_data,
                                           mqtt_destroy destroy);

/**
 * Says what happened.
 *
 * @param event Borrowed.
 * @return An MQTT_EVENT_...; 0 for one that this version of the header has no name for, and for
 *         NULL.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
int32_t mqtt_event_kind(const mqtt_event *event);

/**
 * Gives the error that the event carries. mqtt_last_error_message and its sisters tell the rest
 * about it.
 *
 * @param event Borrowed.
 * @return The status; MQTT_OK when the event carries no error.
 * @threads Any, while the handler runs; the rest is told on the handler's own thread.
 * @callbacks The event's handler.
 */
mqtt_status mqtt_event_status(const mqtt_event *event);

/**
 * Says whether the broker had kept the session, for MQTT_EVENT_CONNECTED.
 *
 * @param event Borrowed.
 * @return 1 if so, else 0; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
int32_t mqtt_event_session_present(const mqtt_event *event);

/**
 * Gives the client id in use, which the broker may have assigned, for MQTT_EVENT_CONNECTED.
 *
 * @param event Borrowed.
 * @return The client id, valid as long as the event; empty for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
mqtt_view mqtt_event_client_id(const mqtt_event *event);

/**
 * Gives what the broker said as properties (MQTT 5.0): its whole answer for MQTT_EVENT_CONNECTED;
 * for an event with an error, server reference, reason string and user properties.
 *
 * @param event Borrowed.
 * @return The properties, which belong to the event and live as long as it; never to be freed;
 *         NULL only for NULL.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
const mqtt_properties *mqtt_event_properties(const mqtt_event *event);

/**
 * Gives the filter whose subscription was refused, for MQTT_EVENT_SUBSCRIPTION_REFUSED.
 *
 * @param event Borrowed.
 * @return The filter, valid as long as the event; empty for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
mqtt_view mqtt_event_filter(const mqtt_event *event);

/**
 * Gives the pause before the next attempt, for MQTT_EVENT_RETRYING.
 *
 * @param event Borrowed.
 * @return Milliseconds; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
int64_t mqtt_event_delay_ms(const mqtt_event *event);

/**
 * Gives the number of an own message that was set aside, for MQTT_EVENT_SET_ASIDE.
 *
 * @param event Borrowed.
 * @return The number that publishing gave it; 0 for a received message, and for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
uint64_t mqtt_event_number(const mqtt_event *event);

/**
 * Gives the topic of a message that was set aside, for MQTT_EVENT_SET_ASIDE.
 *
 * @param event Borrowed.
 * @return The topic, valid as long as the event; empty when it is not known, and for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
mqtt_view mqtt_event_topic(const mqtt_event *event);

/**
 * Gives the size of the packet of a message that was set aside, for MQTT_EVENT_SET_ASIDE.
 *
 * @param event Borrowed.
 * @return Bytes; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_size(const mqtt_event *event);

/**
 * Gives how many messages wait for the acknowledgement of an earlier one, for
 * MQTT_EVENT_ACKNOWLEDGEMENT_HELD.
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_count(const mqtt_event *event);

/**
 * Gives the address to which the broker sends the session, for MQTT_EVENT_REDIRECTED.
 *
 * @param event Borrowed.
 * @return The address, as mqtt_options_set_address takes it, valid as long as the event; empty for
 *         other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
mqtt_view mqtt_event_address(const mqtt_event *event);

/* ==============================================================================================
 * What the events of a store, and of a session that the broker lost, tell.
 * ============================================================================================== */

/**
 * Gives how many own messages the store held that had not ended, for MQTT_EVENT_RESTORED.
 * mqtt_session_wait takes their numbers.
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_messages(const mqtt_event *event);

/**
 * Gives the bytes of the packets of those messages, for MQTT_EVENT_RESTORED.
 *
 * @param event Borrowed.
 * @return Bytes; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
uint64_t mqtt_event_bytes(const mqtt_event *event);

/**
 * Gives how many of those messages may have been sent, for MQTT_EVENT_RESTORED.
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_in_flight(const mqtt_event *event);

/**
 * Gives how many received messages of QoS 2 were being handled when the process died, for
 * MQTT_EVENT_RESTORED. They come again, marked (mqtt_message_redelivered).
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_interrupted(const mqtt_event *event);

/**
 * Says whether the machine went down without the end of the session, for MQTT_EVENT_RESTORED: what
 * had not been synced may be missing, and a message of QoS 2 that comes again may have been handled.
 *
 * @param event Borrowed.
 * @return 1 if so, else 0; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
int32_t mqtt_event_after_power_loss(const mqtt_event *event);

/**
 * Gives how many own messages are published once more, as new, for MQTT_EVENT_SESSION_LOST.
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_renewed(const mqtt_event *event);

/**
 * Gives how many own messages ended as MQTT_SESSION_LOST, for MQTT_EVENT_SESSION_LOST: whether they
 * were delivered is unknown.
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_unknown(const mqtt_event *event);

/**
 * Gives how many received messages of QoS 2 the broker had not released, for
 * MQTT_EVENT_SESSION_LOST: should it send one again, it comes as new.
 *
 * @param event Borrowed.
 * @return The number of messages; 0 for other events.
 * @threads Any, while the handler runs.
 * @callbacks The event's handler.
 */
size_t mqtt_event_forgotten(const mqtt_event *event);

/* ==============================================================================================
 * Counters and levels of a session.
 * ============================================================================================== */

/**
 * Messages that publish has accepted.
 */
#define MQTT_STATISTIC_PUBLISHED 1

/**
 * Messages received, without repetitions.
 */
#define MQTT_STATISTIC_RECEIVED 2

/**
 * Messages received that no handler wanted (quality of service 0), dropped.
 */
#define MQTT_STATISTIC_UNROUTED 3

/**
 * Messages to publish that a policy dropped.
 */
#define MQTT_STATISTIC_DROPPED 4

/**
 * Bytes written to the network.
 */
#define MQTT_STATISTIC_BYTES_OUT 5

/**
 * Bytes read from the network.
 */
#define MQTT_STATISTIC_BYTES_IN 6

/**
 * Write calls of the operating system.
 */
#define MQTT_STATISTIC_WRITES 7

/**
 * Read calls of the operating system.
 */
#define MQTT_STATISTIC_READS 8

/**
 * Connections made.
 */
#define MQTT_STATISTIC_CONNECTIONS 9

/**
 * Messages to publish that have not ended, now.
 */
#define MQTT_STATISTIC_OUTGOING_MESSAGES 10

/**
 * Their bytes, now.
 */
#define MQTT_STATISTIC_OUTGOING_BYTES 11

/**
 * Messages received that have not been handled, now.
 */
#define MQTT_STATISTIC_INCOMING_MESSAGES 12

/**
 * Their bytes, now.
 */
#define MQTT_STATISTIC_INCOMING_BYTES 13

/**
 * Messages of quality of service 1 and 2 on their way to the broker, now.
 */
#define MQTT_STATISTIC_IN_FLIGHT 14

/**
 * Messages received with quality of service 1 and 2 that have not been acknowledged, now.
 */
#define MQTT_STATISTIC_UNACKNOWLEDGED 15

/**
 * Subscriptions, now.
 */
#define MQTT_STATISTIC_SUBSCRIPTIONS 16

/**
 * Messages to publish whose time to live passed before they were sent.
 */
#define MQTT_STATISTIC_EXPIRED 17

/**
 * Messages to publish that the broker refused.
 */
#define MQTT_STATISTIC_REFUSED 18

/**
 * Messages to publish of quality of service 0 that a lost connection took with it.
 */
#define MQTT_STATISTIC_LOST 19

/**
 * Messages to publish that ended because the broker had lost the session.
 */
#define MQTT_STATISTIC_SESSION_LOST 20

/**
 * Messages to publish that a disconnect or a free gave up.
 */
#define MQTT_STATISTIC_CANCELLED 21

/**
 * Messages to publish that were set aside (mqtt_options_set_set_aside_after).
 */
#define MQTT_STATISTIC_SET_ASIDE 22

/**
 * Messages received that were set aside: too large, or deadly to the connection.
 */
#define MQTT_STATISTIC_INCOMING_SET_ASIDE 23

/**
 * Events that were dropped because nobody polled for them.
 */
#define MQTT_STATISTIC_EVENTS_DROPPED 24

/**
 * Messages received that have been handled and wait for the acknowledgement of an earlier one, now.
 */
#define MQTT_STATISTIC_HELD_BACK 25

/**
 * Messages to publish that the end of the session left in its store.
 */
#define MQTT_STATISTIC_LEFT_IN_STORE 26

/**
 * Messages to publish of quality of service 1 and 2 that have not been stored yet, now.
 */
#define MQTT_STATISTIC_UNSTORED 27

/**
 * The bytes that the store's files take, now.
 */
#define MQTT_STATISTIC_STORE_SIZE 28

/**
 * Batches written to the store.
 */
#define MQTT_STATISTIC_STORE_WRITES 29

/**
 * Times that the store was synced.
 */
#define MQTT_STATISTIC_STORE_SYNCS 30

/**
 * Gives one of the session's counters and levels.
 *
 * @param session Borrowed. The session.
 * @param which Value. An MQTT_STATISTIC_...
 * @param number Output. Its value.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for one that does not exist.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_session_statistic(const mqtt_session *session,
                                   int32_t which,
                                   uint64_t *number);

/* ==============================================================================================
 * An own message in a store, as a look into it shows it.
 * ============================================================================================== */

/**
 * The message has not been sent.
 */
#define MQTT_STORED_WAITING 0

/**
 * It may have been sent, and is not confirmed.
 */
#define MQTT_STORED_SENT 1

/**
 * The broker has taken it; only the end of the exchange is missing.
 */
#define MQTT_STORED_RELEASED 2

/**
 * A message that was accepted for publishing and has not ended.
 */
typedef struct mqtt_stored_message mqtt_stored_message;

/**
 * Gives the number that publishing gave the message.
 *
 * @param message Borrowed.
 * @return The number; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
uint64_t mqtt_stored_message_number(const mqtt_stored_message *message);

/**
 * Says how far the message has come.
 *
 * @param message Borrowed.
 * @return An MQTT_STORED_...; -1 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_stored_message_state(const mqtt_stored_message *message);

/**
 * Says when the message was accepted.
 *
 * @param message Borrowed.
 * @return Milliseconds since the beginning of 1970, UTC; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int64_t mqtt_stored_message_accepted_ms(const mqtt_stored_message *message);

/**
 * Says until when the message is worth sending.
 *
 * @param message Borrowed.
 * @return Milliseconds since the beginning of 1970, UTC; MQTT_FOREVER when it always is, and for
 *         NULL.
 * @threads Any.
 * @callbacks Any.
 */
int64_t mqtt_stored_message_expires_ms(const mqtt_stored_message *message);

/**
 * Gives the topic to which the message is published.
 *
 * @param message Borrowed.
 * @return The topic, valid as long as the message; empty for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_stored_message_topic(const mqtt_stored_message *message);

/**
 * Gives the payload of the message.
 *
 * @param message Borrowed.
 * @return The payload, valid as long as the message; empty for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_stored_message_payload(const mqtt_stored_message *message);

/**
 * Gives the quality of service with which the message is published.
 *
 * @param message Borrowed.
 * @return 1 or 2; -1 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_stored_message_qos(const mqtt_stored_message *message);

/**
 * Says whether the broker is to keep the message for later subscribers.
 *
 * @param message Borrowed.
 * @return 1 if so, else 0; 0 for NULL.
 * @threads Any.
 * @callbacks Any.
 */
int32_t mqtt_stored_message_retain(const mqtt_stored_message *message);

/**
 * Gives the properties of the message (MQTT 5.0; before that there are none).
 *
 * @param message Borrowed.
 * @return The properties, which belong to the message and live as long as it; never to be freed;
 *         NULL only for NULL.
 * @threads Any.
 * @callbacks Any.
 */
const mqtt_properties *mqtt_stored_message_properties(const mqtt_stored_message *message);

/* ==============================================================================================
 * A look into a store that no session has open.
 * ============================================================================================== */

/**
 * Own messages that have not ended.
 */
#define MQTT_STORE_STATISTIC_MESSAGES 1

/**
 * The bytes of their packets.
 */
#define MQTT_STORE_STATISTIC_BYTES 2

/**
 * Those of them that may have been sent.
 */
#define MQTT_STORE_STATISTIC_IN_FLIGHT 3

/**
 * Those of them that the broker has taken (QoS 2) and that only have to be completed.
 */
#define MQTT_STORE_STATISTIC_RELEASED 4

/**
 * When the oldest of them was accepted: milliseconds since the beginning of 1970, UTC; 0 when there
 * is none.
 */
#define MQTT_STORE_STATISTIC_OLDEST_MS 5

/**
 * Received messages of QoS 2 that the broker has not released.
 */
#define MQTT_STORE_STATISTIC_RECEIVED 6

/**
 * Subscriptions that the broker had granted (mqtt_store_subscription).
 */
#define MQTT_STORE_STATISTIC_SUBSCRIPTIONS 7

/**
 * The highest message number given so far.
 */
#define MQTT_STORE_STATISTIC_LAST_NUMBER 8

/**
 * The bytes that its files take.
 */
#define MQTT_STORE_STATISTIC_SIZE 9

/**
 * The store of one client id, opened to be looked into. No session can open it meanwhile.
 */
typedef struct mqtt_store mqtt_store;

/**
 * Is shown the client ids of a directory, one after the other.
 *
 * @param client_id Borrowed. The client id, NUL-terminated; valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_store_list_handler)(const char *client_id,
                                        void *user_data);

/**
 * Is shown the messages of a store, one after the other.
 *
 * @param message Borrowed. Valid until the function returns.
 * @param user_data Borrowed. The user data of the triple.
 * @return Yes to be shown the next; no when it has seen enough.
 */
typedef int32_t (*mqtt_stored_message_handler)(const mqtt_stored_message *message,
                                               void *user_data);

/**
 * Lists the client ids that have a store below a directory.
 *
 * @param directory Borrowed. The directory, as mqtt_options_set_store was given it.
 * @param handler Callback. Called for each of them, on this thread, before the function returns.
 * @param user_data Taken. Its user data.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK, also when there is no such directory yet; MQTT_INVALID_UTF8; MQTT_STORE_FAILED
 *         when it cannot be read.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_store_list(const char *directory,
                            mqtt_store_list_handler handler,
                            void *user_data,
                            mqtt_destroy destroy);

/**
 * Opens the store of a client id to look into it. It changes nothing, and makes none.
 *
 * @param directory Borrowed. The directory, as mqtt_options_set_store was given it.
 * @param client_id Borrowed. The client id.
 * @param store Output. The store; free it with mqtt_store_free.
 * @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_STORE_FAILED where there is none, or it cannot be read;
 *         MQTT_STORE_LOCKED while a session or another look has it open, in this process or another;
 *         MQTT_STORE_READ_ONLY; MQTT_STORE_CORRUPT; MQTT_STORE_VERSION; MQTT_STORE_FOREIGN.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_store_open(const char *directory,
                            const char *client_id,
                            mqtt_store **store);

/**
 * Opens a damaged store: takes what can be read for the whole. The damaged files stay, under names
 * that end with ".damaged". A store that is not damaged is just opened.
 *
 * @param directory Borrowed. The directory, as mqtt_options_set_store was given it.
 * @param client_id Borrowed. The client id.
 * @param store Output. The store; free it with mqtt_store_free.
 * @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_STORE_FAILED where there is none, or it cannot be read or
 *         written; MQTT_STORE_LOCKED; MQTT_STORE_FULL; MQTT_STORE_READ_ONLY; MQTT_STORE_VERSION;
 *         MQTT_STORE_FOREIGN.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_store_repair(const char *directory,
                              const char *client_id,
                              mqtt_store **store);

/**
 * Closes a store: sessions can open it again. Inside a callback it is closed when that has returned.
 *
 * @param store Taken. The store, or NULL.
 * @threads Any.
 * @callbacks Any.
 */
void mqtt_store_free(mqtt_store *store);

/**
 * Gives one of the numbers about what a store holds.
 *
 * @param store Borrowed. The store.
 * @param which Value. An MQTT_STORE_STATISTIC_...
 * @param number Output. Its value.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for one that does not exist.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_store_statistic(const mqtt_store *store,
                                 int32_t which,
                                 uint64_t *number);

/**
 * Gives the filter of a subscription that the broker had granted.
 *
 * @param store Borrowed. The store.
 * @param place Value. Which of them, from 0; MQTT_STORE_STATISTIC_SUBSCRIPTIONS says how many there
 *        are.
 * @return The filter, valid until the store is cleared or freed; empty when there is no such place,
 *         and for NULL.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_view mqtt_store_subscription(const mqtt_store *store,
                                  size_t place);

/**
 * Shows the own messages that have not ended, in the order of their numbers.
 *
 * @param store Borrowed. The store.
 * @param handler Callback. Called for each of them, on this thread, before the function returns,
 *        until it answers no.
 * @param user_data Taken. Its user data.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK, also when the handler has seen enough.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_store_messages(const mqtt_store *store,
                                mqtt_stored_message_handler handler,
                                void *user_data,
                                mqtt_destroy destroy);

/**
 * Writes the own messages that have not ended into a new file, one JSON object a line: `number`,
 * `state`, `accepted` and `expires` in milliseconds since 1970, `topic`, `qos`, `retain`, `payload`
 * in base64, `user_properties` and the other `properties` by name.
 *
 * @param store Borrowed. The store.
 * @param file Borrowed. The path of the file, which must not be there yet.
 * @param count Output, optional. How many messages were written.
 * @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_STORE_FAILED, also when there is such a file already;
 *         MQTT_STORE_FULL; MQTT_STORE_READ_ONLY.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_store_export(const mqtt_store *store,
                              const char *file,
                              size_t *count);

/**
 * Forgets every message, received message and subscription; the numbers go on from where they were.
 *
 * @param store Borrowed. The store.
 * @return MQTT_OK; MQTT_BUSY while its messages are being shown or exported; MQTT_STORE_FULL;
 *         MQTT_STORE_READ_ONLY; MQTT_STORE_FAILED.
 * @threads Any.
 * @callbacks Any; in one that mqtt_store_messages calls for this store it answers MQTT_BUSY.
 */
mqtt_status mqtt_store_clear(mqtt_store *store);

/* ==============================================================================================
 * The library as a whole: its version, its threads, its end.
 * ============================================================================================== */

/**
 * The version of this header as one number: major * 65536 + minor * 256 + patch.
 */
#define MQTT_LIBRARY_VERSION_NUMBER 256

/**
 * Gives the version of the library that runs.
 *
 * @return NUL-terminated text such as "1.2.3", valid for ever.
 * @threads Any.
 * @callbacks Any.
 */
const char *mqtt_library_version(void);

/**
 * Gives the version of the library that runs as one number, to be compared with
 * MQTT_LIBRARY_VERSION_NUMBER: a smaller one lacks functions of this header.
 *
 * @return The number: major * 65536 + minor * 256 + patch.
 * @threads Any.
 * @callbacks Any.
 */
uint32_t mqtt_library_version_number(void);

/**
 * Sets how many threads do the input and output of all sessions of the process. The default is 1.
 *
 * @param threads Value. At least 1.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_ALREADY_CONNECTED after the first connect.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_library_set_io_threads(int32_t threads);

/**
 * Sets how many threads may be in callbacks at the same time, over all sessions of the process. A
 * thread is started only when work waits for one, and ends when it is idle.
 *
 * @param threads Value. At least 1; 256 by default.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT.
 * @threads Any.
 * @callbacks Any.
 */
mqtt_status mqtt_library_set_callback_threads(int32_t threads);

/**
 * Ends the library's work in this process, for a host that exits or is about to go on without it:
 * starts no more callbacks, closes all sessions and waits until no callback runs and every session
 * has let go of its store. The handles stay valid and are still to be freed.
 *
 * @param timeout_ms Value. The longest time to wait; 0 does not wait, MQTT_FOREVER has no limit.
 * @return MQTT_OK; MQTT_TIMEOUT when a callback still runs, or a store is still written;
 *         MQTT_WOULD_DEADLOCK inside a callback.
 * @threads Any.
 * @callbacks None.
 */
mqtt_status mqtt_library_shutdown(int64_t timeout_ms);

/**
 * Counts the objects that have been made through this interface and not been freed: a test that
 * ends with 0 has freed everything.
 *
 * @return The number of objects.
 * @threads Any.
 * @callbacks Any.
 */
uint64_t mqtt_library_live_objects(void);

/* ==============================================================================================
 * Log lines: what the library has to say while it works.
 * ============================================================================================== */

/**
 * Nothing is logged; the default.
 */
#define MQTT_LOG_OFF 0

/**
 * What makes the session fail.
 */
#define MQTT_LOG_ERROR 1

/**
 * What should not be, but is dealt with.
 */
#define MQTT_LOG_WARNING 2

/**
 * Connections and their ends.
 */
#define MQTT_LOG_INFO 3

/**
 * What helps to find a fault.
 */
#define MQTT_LOG_DEBUG 4

/**
 * Every packet.
 */
#define MQTT_LOG_TRACE 5

/**
 * Receives log lines.
 *
 * It may be called on any thread of the library and on those that call it, on several at the same
 * time. It must be quick and must not call the library.
 *
 * @param level Value. An MQTT_LOG_...
 * @param text Borrowed. The line, NUL-terminated, without an end of line. It never holds a
 *        password or a key.
 * @param user_data Borrowed. The user data of the triple.
 */
typedef void (*mqtt_log_handler)(int32_t level,
                                 const char *text,
                                 void *user_data);

/**
 * Sets the receiver of the library's log lines, for the whole process. An earlier one is
 * replaced.
 *
 * @param level Value. The least important lines that are wanted, an MQTT_LOG_...
 * @param handler Callback. The function; NULL for none any more.
 * @param user_data Taken. Its user data, kept until it is replaced.
 * @param destroy Callback. Ends the user data; may be NULL.
 * @return MQTT_OK; MQTT_INVALID_ARGUMENT for a level that does not exist.
 * @threads Any.
 * @callbacks Any but the log handler itself.
 */
mqtt_status mqtt_library_set_log(int32_t level,
                                 mqtt_log_handler handler,
                                 void *user_data,
                                 mqtt_destroy destroy);

/* ==============================================================================================
 * The reason codes of MQTT 5.0, by the names of the specification.
 * ============================================================================================== */

/**
 * Success; also Normal disconnection and Granted QoS 0.
 */
#define MQTT_REASON_SUCCESS 0

/**
 * Granted QoS 1.
 */
#define MQTT_REASON_GRANTED_QOS_1 1

/**
 * Granted QoS 2.
 */
#define MQTT_REASON_GRANTED_QOS_2 2

/**
 * Disconnect with will message: the broker publishes the will all the same.
 */
#define MQTT_REASON_DISCONNECT_WITH_WILL 4

/**
 * No matching subscribers: accepted, but nobody gets it.
 */
#define MQTT_REASON_NO_MATCHING_SUBSCRIBERS 16

/**
 * No subscription existed.
 */
#define MQTT_REASON_NO_SUBSCRIPTION_EXISTED 17

/**
 * Continue authentication.
 */
#define MQTT_REASON_CONTINUE_AUTHENTICATION 24

/**
 * Re-authenticate.
 */
#define MQTT_REASON_RE_AUTHENTICATE 25

/**
 * Unspecified error.
 */
#define MQTT_REASON_UNSPECIFIED_ERROR 128

/**
 * Malformed packet.
 */
#define MQTT_REASON_MALFORMED_PACKET 129

/**
 * Protocol error.
 */
#define MQTT_REASON_PROTOCOL_ERROR 130

/**
 * Implementation specific error.
 */
#define MQTT_REASON_IMPLEMENTATION_SPECIFIC_ERROR 131

/**
 * Unsupported protocol version.
 */
#define MQTT_REASON_UNSUPPORTED_PROTOCOL_VERSION 132

/**
 * Client identifier not valid.
 */
#define MQTT_REASON_CLIENT_IDENTIFIER_NOT_VALID 133

/**
 * Bad user name or password.
 */
#define MQTT_REASON_BAD_USER_NAME_OR_PASSWORD 134

/**
 * Not authorized.
 */
#define MQTT_REASON_NOT_AUTHORIZED 135

/**
 * Server unavailable.
 */
#define MQTT_REASON_SERVER_UNAVAILABLE 136

/**
 * Server busy.
 */
#define MQTT_REASON_SERVER_BUSY 137

/**
 * Banned.
 */
#define MQTT_REASON_BANNED 138

/**
 * Server shutting down.
 */
#define MQTT_REASON_SERVER_SHUTTING_DOWN 139

/**
 * Bad authentication method.
 */
#define MQTT_REASON_BAD_AUTHENTICATION_METHOD 140

/**
 * Keep alive timeout.
 */
#define MQTT_REASON_KEEP_ALIVE_TIMEOUT 141

/**
 * Session taken over.
 */
#define MQTT_REASON_SESSION_TAKEN_OVER 142

/**
 * Topic filter invalid.
 */
#define MQTT_REASON_TOPIC_FILTER_INVALID 143

/**
 * Topic name invalid.
 */
#define MQTT_REASON_TOPIC_NAME_INVALID 144

/**
 * Packet identifier in use.
 */
#define MQTT_REASON_PACKET_IDENTIFIER_IN_USE 145

/**
 * Packet identifier not found.
 */
#define MQTT_REASON_PACKET_IDENTIFIER_NOT_FOUND 146

/**
 * Receive maximum exceeded.
 */
#define MQTT_REASON_RECEIVE_MAXIMUM_EXCEEDED 147

/**
 * Topic alias invalid.
 */
#define MQTT_REASON_TOPIC_ALIAS_INVALID 148

/**
 * Packet too large.
 */
#define MQTT_REASON_PACKET_TOO_LARGE 149

/**
 * Message rate too high.
 */
#define MQTT_REASON_MESSAGE_RATE_TOO_HIGH 150

/**
 * Quota exceeded.
 */
#define MQTT_REASON_QUOTA_EXCEEDED 151

/**
 * Administrative action.
 */
#define MQTT_REASON_ADMINISTRATIVE_ACTION 152

/**
 * Payload format invalid.
 */
#define MQTT_REASON_PAYLOAD_FORMAT_INVALID 153

/**
 * Retain not supported.
 */
#define MQTT_REASON_RETAIN_NOT_SUPPORTED 154

/**
 * QoS not supported.
 */
#define MQTT_REASON_QOS_NOT_SUPPORTED 155

/**
 * Use another server.
 */
#define MQTT_REASON_USE_ANOTHER_SERVER 156

/**
 * Server moved.
 */
#define MQTT_REASON_SERVER_MOVED 157

/**
 * Shared subscriptions not supported.
 */
#define MQTT_REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED 158

/**
 * Connection rate exceeded.
 */
#define MQTT_REASON_CONNECTION_RATE_EXCEEDED 159

/**
 * Maximum connect time.
 */
#define MQTT_REASON_MAXIMUM_CONNECT_TIME 160

/**
 * Subscription identifiers not supported.
 */
#define MQTT_REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED 161

/**
 * Wildcard subscriptions not supported.
 */
#define MQTT_REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED 162
#ifdef __cplusplus
}
#endif

#endif
