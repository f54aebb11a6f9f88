/*
 * mqttsession_wlanguage.h - the mqttSession object of the WLanguage family, as plain C functions.
 *
 * A skin over mqttsession.h for hosts that bind functions by name. A first program:
 *
 *     mqttSession *session = mqttSessionNew();
 *     mqttSessionSet(session, "Address", "localhost");
 *     mqttSessionSet(session, "ClientID", "first");
 *     if (!MQTTConnect(session))
 *         puts(MQTTErrorInfo());
 *     MQTTPublish(session, "greeting", "hello", 5, 0, mqttQualityAtLeastOnce, NULL, NULL);
 *     MQTTDisconnect(session);
 *     mqttSessionFree(session);
 *
 * Text is UTF-8 and ends with NUL. Booleans are 1 for true and 0 for false. What is passed to a
 * function is borrowed for the call; user data stays the caller's and must live as long as the
 * procedure may be called. Every function may be called from any thread and from inside any
 * procedure; procedures run on threads of the library, for each session one at a time and in order,
 * and may run before the function that was given them has returned.
 *
 * After a function has failed, MQTTErrorInfo says why.
 *
 * # Properties
 *
 * mqttSessionSet and mqttSessionText take the English or the French name, with or without accents,
 * in upper or lower case. A change has an effect at the next connect.
 *
 *     Address            Adresse                 host name or IP address of the broker
 *     Port               Port                    default 1883, with optionSSL 8883
 *     Option             Option                  0, or optionSSL for TLS
 *     ConnectionTimeout  DelaiConnexion          seconds, or text such as "10 s", "500 ms",
 *                        TimeoutConnexion        "1 min"; default 10 s
 *     User               Utilisateur             user name
 *     UserPassword       MotDePasseUtilisateur   its password
 *     PrivateKey         ClePrivee               certificate and key of the client: one PEM file
 *                                                with both, "certificate;key", or the PEM text
 *     PrivateKeyPassword MotDePasseClePrivee     password of an encrypted key
 *     ClientID           IDClient                client identifier; must not be empty
 *     CleanSession       SessionPropre           "true" or "false", "vrai" or "faux"; default
 *                        SessionVide             "true", with a StoreDirectory "false"
 *     CACertificate      CertificatAC            own certificate authority, PEM file or text
 *     StoreDirectory     RepertoireStockage      where messages survive; empty: memory only
 *     ProtocolVersion    VersionProtocole        "3.1", "3.1.1" (default) or "5"
 *
 * # Messages that survive
 *
 * With a StoreDirectory, a message of QoS 1 or 2 is on disk when MQTTPublish returns its number. What
 * the broker has not confirmed when the process ends, however it ends, is sent after the next
 * MQTTConnect of a session with the same StoreDirectory and ClientID, also by another process; of
 * QoS 2 exactly once. One session at a time has a ClientID's part of the directory. To CleanSession,
 * which the broker's half of the promise needs to be false, this is the default then; setting it to
 * true keeps the messages, but gives them to the broker at least once.
 */

#ifndef MQTTSESSION_WLANGUAGE_H
#define MQTTSESSION_WLANGUAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ==============================================================================================
 * Constants, each by its English and its French name.
 * ============================================================================================== */

/**
 * Values of the property Option.
 */
typedef enum {
    /**
     * TLS.
     */
    optionSSL = 1,
} mqttOption;

/**
 * Qualities of service.
 */
typedef enum {
    /**
     * QoS 0: at most once; it may be lost.
     */
    mqttQualityAtMostOnce = 0,
    /**
     * QoS 1: at least once; sent until the broker confirms it.
     */
    mqttQualityAtLeastOnce = 1,
    /**
     * QoS 2: exactly once.
     */
    mqttQualityExactlyOnce = 2,
} mqttQuality;

/**
 * Qualities of service, by their French names.
 */
typedef enum {
    /**
     * QoS 0.
     */
    mqttQualiteAuPlusUneFois = 0,
    /**
     * QoS 1.
     */
    mqttQualiteAuMoinsUneFois = 1,
    /**
     * QoS 2.
     */
    mqttQualiteExactementUneFois = 2,
} mqttQualite;

/* ==============================================================================================
 * The object and its functions.
 * ============================================================================================== */

/**
 * A session with one broker, as the WLanguage family knows it.
 */
typedef struct mqttSession mqttSession;

/**
 * Is told that a publication is complete: written (QoS 0, whose number is 0), or confirmed by the
 * broker (QoS 1 and 2).
 */
typedef void (*mqttPublishProcedure)(mqttSession *session,
                                     int64_t message_number,
                                     void *user_data);

/**
 * Receives one message of a subscription. Session, topic and data are valid until it returns.
 */
typedef void (*mqttMessageProcedure)(mqttSession *session,
                                     const char *topic,
                                     const void *data,
                                     size_t size,
                                     void *user_data);

/**
 * Makes a session object.
 *
 * @return The object, to be ended with mqttSessionFree; NULL when memory is out.
 */
mqttSession *mqttSessionNew(void);

/**
 * Ends a session object; disconnects it first if it is connected, as MQTTDisconnect does.
 *
 * Outside procedures it returns after the last one has returned; inside one it does not wait, and
 * gives up what has not been confirmed. What the StoreDirectory holds stays there.
 *
 * @param session The object, or NULL.
 */
void mqttSessionFree(mqttSession *session);

/**
 * Sets a property.
 *
 * @param session The object.
 * @param property Its name.
 * @param value Its value as text: "1883", "true", "10 s", "optionSSL".
 * @return 1, or 0 for an unknown property or a value that it cannot take.
 */
int32_t mqttSessionSet(mqttSession *session,
                       const char *property,
                       const char *value);

/**
 * Reads a property back as text. Passwords and the text of a private key are never given.
 *
 * @param session The object.
 * @param property Its name.
 * @param buffer Receives the text and its NUL, cut off if it is longer; may be NULL when the
 *        capacity is 0.
 * @param capacity The size of the buffer in bytes.
 * @return The length of the whole text in bytes without the NUL, or -1.
 */
int64_t mqttSessionText(const mqttSession *session,
                        const char *property,
                        char *buffer,
                        size_t capacity);

/**
 * Connects, and has every subscription granted that was made before.
 *
 * It returns when the broker has answered or ConnectionTimeout has passed. Afterwards the session
 * reconnects by itself when the connection is lost.
 *
 * @param session The object.
 * @return 1, or 0.
 */
int32_t MQTTConnect(mqttSession *session);

/**
 * Disconnects in good order: waits until each accepted publish has ended and its procedure has
 * returned, at most ConnectionTimeout, then closes the connection.
 *
 * @param session The object; one that is not connected succeeds.
 * @return 1, or 0 when something had to be given up, or stays in the StoreDirectory: MQTTErrorInfo
 *         says how much. The next session with this StoreDirectory and ClientID sends it.
 */
int32_t MQTTDisconnect(mqttSession *session);

/**
 * Publishes a message. While the connection is lost, it is queued.
 *
 * With a StoreDirectory it returns, for QoS 1 and 2, when the message is on disk: it waits for that
 * for ConnectionTimeout at most, inside a procedure too.
 *
 * @param session The object, which must have been connected once.
 * @param topic The topic.
 * @param data The message, any bytes; at most 256 MB with the topic.
 * @param size Its number of bytes.
 * @param to_store 1 to have the broker keep it for later subscribers.
 * @param quality An mqttQuality...
 * @param procedure Called when the publication is complete; may be NULL. It is not called for one
 *        that fails.
 * @param user_data Given to the procedure.
 * @return The message number for QoS 1 and 2, 0 for QoS 0, -1 on error. A -1 because the message did
 *         not come to the disk does not take it back: it may still be stored and sent, without its
 *         procedure, until the session is freed.
 */
int64_t MQTTPublish(mqttSession *session,
                    const char *topic,
                    const void *data,
                    size_t size,
                    int32_t to_store,
                    int32_t quality,
                    mqttPublishProcedure procedure,
                    void *user_data);

/**
 * Subscribes to a topic, with or without wildcards. Subscribing again replaces the procedure.
 *
 * Before MQTTConnect it is legal and true; it is granted then.
 *
 * @param session The object.
 * @param topic The topic.
 * @param quality An mqttQuality...
 * @param procedure Called once for each message.
 * @param user_data Given to the procedure.
 * @return 1 once the broker has granted it, or 0.
 */
int32_t MQTTSubscribe(mqttSession *session,
                      const char *topic,
                      int32_t quality,
                      mqttMessageProcedure procedure,
                      void *user_data);

/**
 * Ends a subscription. An unknown topic is true.
 *
 * @param session The object.
 * @param topic The topic, as it was subscribed to.
 * @return 1, or 0.
 */
int32_t MQTTUnsubscribe(mqttSession *session,
                        const char *topic);

/**
 * Ends every subscription of the session.
 *
 * @param session The object.
 * @return 1, or 0.
 */
int32_t MQTTUnsubscribeAll(mqttSession *session);

/**
 * Gives the text of this thread's last failure.
 *
 * @return The text, "" if there was none; valid until this thread's next call.
 */
const char *MQTTErrorInfo(void);

/* ==============================================================================================
 * The same functions by their French names.
 * ============================================================================================== */

/**
 * MQTTConnect.
 */
int32_t MQTTConnecte(mqttSession *session);

/**
 * MQTTDisconnect.
 */
int32_t MQTTDeconnecte(mqttSession *session);

/**
 * MQTTPublish.
 */
int64_t MQTTPublie(mqttSession *session,
                   const char *topic,
                   const void *data,
                   size_t size,
                   int32_t to_store,
                   int32_t quality,
                   mqttPublishProcedure procedure,
                   void *user_data);

/**
 * MQTTSubscribe.
 */
int32_t MQTTAbonne(mqttSession *session,
                   const char *topic,
                   int32_t quality,
                   mqttMessageProcedure procedure,
                   void *user_data);

/**
 * MQTTUnsubscribe.
 */
int32_t MQTTDesabonne(mqttSession *session,
                      const char *topic);

/**
 * MQTTUnsubscribeAll.
 */
int32_t MQTTDesabonneTout(mqttSession *session);

/**
 * MQTTErrorInfo.
 */
const char *MQTTErreurInfo(void);
#ifdef __cplusplus
}
#endif

#endif
