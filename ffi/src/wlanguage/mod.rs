//! mqttsession_wlanguage.h - the mqttSession object of the WLanguage family, as plain C functions.
//!
//! A skin over mqttsession.h for hosts that bind functions by name. A first program:
//!
//! ```c
//! mqttSession *session = mqttSessionNew();
//! mqttSessionSet(session, "Address", "localhost");
//! mqttSessionSet(session, "ClientID", "first");
//! if (!MQTTConnect(session))
//!     puts(MQTTErrorInfo());
//! MQTTPublish(session, "greeting", "hello", 5, 0, mqttQualityAtLeastOnce, NULL, NULL);
//! MQTTDisconnect(session);
//! mqttSessionFree(session);
//! ```
//!
//! Text is UTF-8 and ends with NUL. Booleans are 1 for true and 0 for false. What is passed to a
//! function is borrowed for the call; user data stays the caller's and must live as long as the
//! procedure may be called. Every function may be called from any thread and from inside any
//! procedure; procedures run on threads of the library, for each session one at a time and in order,
//! and may run before the function that was given them has returned.
//!
//! After a function has failed, MQTTErrorInfo says why.
//!
//! # Properties
//!
//! mqttSessionSet and mqttSessionText take the English or the French name, with or without accents,
//! in upper or lower case. A change has an effect at the next connect.
//!
//!     Address            Adresse                 host name or IP address of the broker
//!     Port               Port                    default 1883, with optionSSL 8883
//!     Option             Option                  0, or optionSSL for TLS
//!     ConnectionTimeout  DelaiConnexion          seconds, or text such as "10 s", "500 ms",
//!                        TimeoutConnexion        "1 min"; default 10 s
//!     User               Utilisateur             user name
//!     UserPassword       MotDePasseUtilisateur   its password
//!     PrivateKey         ClePrivee               certificate and key of the client: one PEM file
//!                                                with both, "certificate;key", or the PEM text
//!     PrivateKeyPassword MotDePasseClePrivee     password of an encrypted key
//!     ClientID           IDClient                client identifier; must not be empty
//!     CleanSession       SessionPropre           "true" or "false", "vrai" or "faux"; default
//!                        SessionVide             "true", with a StoreDirectory "false"
//!     CACertificate      CertificatAC            own certificate authority, PEM file or text
//!     StoreDirectory     RepertoireStockage      where messages survive; empty: memory only
//!     ProtocolVersion    VersionProtocole        "3.1", "3.1.1" (default) or "5"
//!
//! # Messages that survive
//!
//! With a StoreDirectory, a message of QoS 1 or 2 is on disk when MQTTPublish returns its number. What
//! the broker has not confirmed when the process ends, however it ends, is sent after the next
//! MQTTConnect of a session with the same StoreDirectory and ClientID, also by another process; of
//! QoS 2 exactly once. One session at a time has a ClientID's part of the directory. To CleanSession,
//! which the broker's half of the promise needs to be false, this is the default then; setting it to
//! true keeps the messages, but gives them to the broker at least once.

pub mod constant;
pub mod french;
pub mod function;
mod property;
mod session;
mod settings;

pub use session::mqttSession;
