// The session.

#ifndef MQTTSESSION_SESSION_HPP
#define MQTTSESSION_SESSION_HPP

#include "connection.hpp"
#include "event.hpp"
#include "lent.hpp"
#include "operation.hpp"
#include "options.hpp"
#include "request.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mqttsession {

/// A session with one broker: it connects, stays connected, publishes and receives. Any thread may
/// use it at any time, callbacks too.
class Session {
  public:
    /// Nothing is sent before connect().
    Session() : Session(Options()) {}
    explicit Session(const Options &options) : Session(make(std::nothrow, options).value()) {}
    explicit Session(mqtt_session *session) noexcept : object_(session) {}
    static Result<Session> make(std::nothrow_t, const Options &options) {
        if (options.failure())
            return *options.failure();
        mqtt_session *session = nullptr;
        const mqtt_status status = mqtt_session_new(options.get(), &session);
        return detail::result(status, Session(session));
    }

    // ---- Connecting. One attempt has the limit that the options give it.

    void connect(Timeout timeout = forever) const { connect(std::nothrow, timeout).value(); }
    Result<void> connect(std::nothrow_t, Timeout timeout = forever) const {
        return detail::result(mqtt_session_connect(get(), timeout.milliseconds()));
    }
    Operation connect_start() const { return connect_start(std::nothrow).value(); }
    Result<Operation> connect_start(std::nothrow_t) const {
        return start([&](mqtt_operation **operation) {
            return mqtt_session_connect_start(get(), operation);
        });
    }

    /// Authenticates anew on the live connection (MQTT 5.0).
    void reauthenticate(Timeout timeout = default_timeout) const {
        reauthenticate(std::nothrow, timeout).value();
    }
    Result<void> reauthenticate(std::nothrow_t, Timeout timeout = default_timeout) const {
        return detail::result(mqtt_session_reauthenticate(get(), timeout.milliseconds()));
    }
    Operation reauthenticate_start() const { return reauthenticate_start(std::nothrow).value(); }
    Result<Operation> reauthenticate_start(std::nothrow_t) const {
        return start([&](mqtt_operation **operation) {
            return mqtt_session_reauthenticate_start(get(), operation);
        });
    }

    /// What the broker said when it accepted the present connection, or the last one.
    Connection connection() const { return connection(std::nothrow).value(); }
    Result<Connection> connection(std::nothrow_t) const {
        mqtt_connection *connection = nullptr;
        const mqtt_status status = mqtt_session_connection(get(), &connection);
        return detail::result(status, Connection(connection));
    }

    /// Disconnects in good order; the session can be connected again. The reason is an
    /// MQTT_REASON_... (MQTT 5.0).
    void disconnect(Timeout timeout = default_timeout,
                    std::int32_t reason = MQTT_REASON_SUCCESS) const {
        disconnect(std::nothrow, timeout, reason).value();
    }
    Result<void> disconnect(std::nothrow_t, Timeout timeout = default_timeout,
                            std::int32_t reason = MQTT_REASON_SUCCESS) const {
        return detail::result(mqtt_session_disconnect(get(), reason, timeout.milliseconds()));
    }
    Operation disconnect_start(Timeout timeout = default_timeout,
                               std::int32_t reason = MQTT_REASON_SUCCESS) const {
        return disconnect_start(std::nothrow, timeout, reason).value();
    }
    Result<Operation> disconnect_start(std::nothrow_t, Timeout timeout = default_timeout,
                                       std::int32_t reason = MQTT_REASON_SUCCESS) const {
        return start([&](mqtt_operation **operation) {
            return mqtt_session_disconnect_start(get(), reason, timeout.milliseconds(), nullptr,
                                                 operation);
        });
    }
    Operation disconnect_start(Timeout timeout, std::int32_t reason,
                               const Properties &properties) const {
        return disconnect_start(std::nothrow, timeout, reason, properties).value();
    }
    Result<Operation> disconnect_start(std::nothrow_t, Timeout timeout, std::int32_t reason,
                                       const Properties &properties) const {
        if (properties.failure())
            return *properties.failure();
        return start([&](mqtt_operation **operation) {
            return mqtt_session_disconnect_start(get(), reason, timeout.milliseconds(),
                                                 properties.get(), operation);
        });
    }

    // ---- Publishing. The number stands for the message in wait() and in the handler.

    std::uint64_t publish(const Text &topic, Bytes payload, QoS qos = QoS::at_most_once,
                          bool retain = false) const {
        return publish(std::nothrow, topic, payload, qos, retain).value();
    }
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Bytes payload,
                                  QoS qos = QoS::at_most_once, bool retain = false) const {
        std::uint64_t number = 0;
        const mqtt_status status =
            mqtt_session_publish(get(), topic.c_str(), payload.data(), payload.size(),
                                 detail::number(qos), retain, &number);
        return detail::result(status, number);
    }

    /// With all there is to say about it.
    std::uint64_t publish(const Text &topic, Bytes payload, const PublishOptions &options) const {
        return publish(std::nothrow, topic, payload, options).value();
    }
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Bytes payload,
                                  const PublishOptions &options) const {
        if (options.failure())
            return *options.failure();
        return publish_with(topic, payload, options, nullptr, nullptr, nullptr);
    }

    /// With `handler(std::uint64_t number, const Result<Outcome> &outcome)`, which is called once
    /// when the message has ended: with what the broker answered, or the error.
    template <class Handler, detail::Calls<Handler, std::uint64_t, const Result<Outcome> &> = 0>
    std::uint64_t publish(const Text &topic, Bytes payload, const PublishOptions &options,
                          Handler &&handler) const {
        return publish(std::nothrow, topic, payload, options, std::forward<Handler>(handler))
            .value();
    }
    template <class Handler, detail::Calls<Handler, std::uint64_t, const Result<Outcome> &> = 0>
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Bytes payload,
                                  const PublishOptions &options, Handler &&handler) const {
        if (options.failure())
            return *options.failure();
        using Triple = detail::Triple<std::decay_t<Handler>>;
        return publish_with(topic, payload, options, Triple::published,
                            detail::keep(std::forward<Handler>(handler)), Triple::destroy);
    }

    /// With a payload that is lent, in each of these forms: a std::string or a std::vector of bytes, or
    /// a Lent, which is moved in, also when this fails. From 16 KiB on it is not copied.
    template <class Payload, detail::Lends<Payload> = 0>
    std::uint64_t publish(const Text &topic, Payload &&payload, QoS qos = QoS::at_most_once,
                          bool retain = false) const {
        return publish(std::nothrow, topic, std::move(payload), qos, retain).value();
    }
    template <class Payload, detail::Lends<Payload> = 0>
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Payload &&payload,
                                  QoS qos = QoS::at_most_once, bool retain = false) const {
        Payload lent(std::move(payload));
        const Bytes bytes = detail::bytes(lent);
        if (bytes.size() < detail::large_payload)
            return publish(std::nothrow, topic, bytes, qos, retain);
        PublishOptions options(std::nothrow);
        options.qos(qos).retain(retain);
        return publish(std::nothrow, topic, std::move(lent), options);
    }
    template <class Payload, detail::Lends<Payload> = 0>
    std::uint64_t publish(const Text &topic, Payload &&payload,
                          const PublishOptions &options) const {
        return publish(std::nothrow, topic, std::move(payload), options).value();
    }
    template <class Payload, detail::Lends<Payload> = 0>
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Payload &&payload,
                                  const PublishOptions &options) const {
        Payload lent(std::move(payload));
        const Bytes bytes = detail::bytes(lent);
        if (options.failure() || bytes.size() < detail::large_payload)
            return publish(std::nothrow, topic, bytes, options);
        const auto kept = new Lent(std::move(lent));
        return publish_lent(topic, kept->bytes(), options, nullptr, kept,
                            detail::Triple<Lent>::destroy);
    }
    template <class Payload, class Handler, detail::Lends<Payload> = 0,
              detail::Calls<Handler, std::uint64_t, const Result<Outcome> &> = 0>
    std::uint64_t publish(const Text &topic, Payload &&payload, const PublishOptions &options,
                          Handler &&handler) const {
        return publish(std::nothrow, topic, std::move(payload), options,
                       std::forward<Handler>(handler))
            .value();
    }
    template <class Payload, class Handler, detail::Lends<Payload> = 0,
              detail::Calls<Handler, std::uint64_t, const Result<Outcome> &> = 0>
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Payload &&payload,
                                  const PublishOptions &options, Handler &&handler) const {
        Payload lent(std::move(payload));
        const Bytes bytes = detail::bytes(lent);
        if (options.failure() || bytes.size() < detail::large_payload)
            return publish(std::nothrow, topic, bytes, options, std::forward<Handler>(handler));
        using Sending = detail::Sending<std::decay_t<Handler>>;
        const auto kept = new Sending{Lent(std::move(lent)), std::forward<Handler>(handler)};
        return publish_lent(topic, kept->payload.bytes(), options,
                            detail::Triple<Sending>::published, kept,
                            detail::Triple<Sending>::destroy);
    }

    /// Waits until a message has ended; what the broker answered.
    OwnedOutcome wait(std::uint64_t number, Timeout timeout = default_timeout) const {
        return wait(std::nothrow, number, timeout).value();
    }
    Result<OwnedOutcome> wait(std::nothrow_t, std::uint64_t number,
                              Timeout timeout = default_timeout) const {
        mqtt_outcome *outcome = nullptr;
        const mqtt_status status =
            mqtt_session_wait(get(), number, timeout.milliseconds(), &outcome);
        return detail::result(status, OwnedOutcome(outcome));
    }

    /// Waits until a message is in the session's store.
    void wait_stored(std::uint64_t number, Timeout timeout = default_timeout) const {
        wait_stored(std::nothrow, number, timeout).value();
    }
    Result<void> wait_stored(std::nothrow_t, std::uint64_t number,
                             Timeout timeout = default_timeout) const {
        return detail::result(mqtt_session_wait_stored(get(), number, timeout.milliseconds()));
    }
    Operation wait_stored_start(std::uint64_t number) const {
        return wait_stored_start(std::nothrow, number).value();
    }
    Result<Operation> wait_stored_start(std::nothrow_t, std::uint64_t number) const {
        return start([&](mqtt_operation **operation) {
            return mqtt_session_wait_stored_start(get(), number, operation);
        });
    }

    /// Waits until every message that was accepted before this call has ended.
    void flush(Timeout timeout = default_timeout) const { flush(std::nothrow, timeout).value(); }
    Result<void> flush(std::nothrow_t, Timeout timeout = default_timeout) const {
        return detail::result(mqtt_session_flush(get(), timeout.milliseconds()));
    }
    Operation flush_start() const { return flush_start(std::nothrow).value(); }
    Result<Operation> flush_start(std::nothrow_t) const {
        return start([&](mqtt_operation **operation) {
            return mqtt_session_flush_start(get(), operation);
        });
    }

    // ---- Subscribing. The handler is `handler(const Message &message)`.

    /// Waits for what the broker grants; with a timeout of nothing that is not known yet.
    template <class Handler, detail::Calls<Handler, const Message &> = 0>
    std::optional<QoS> subscribe(const Text &filter, QoS qos, Handler &&handler,
                                 Timeout timeout = default_timeout) const {
        return subscribe(std::nothrow, filter, qos, std::forward<Handler>(handler), timeout)
            .value();
    }
    template <class Handler, detail::Calls<Handler, const Message &> = 0>
    Result<std::optional<QoS>> subscribe(std::nothrow_t, const Text &filter, QoS qos,
                                         Handler &&handler,
                                         Timeout timeout = default_timeout) const {
        using Triple = detail::Triple<std::decay_t<Handler>>;
        void *const user_data = detail::keep(std::forward<Handler>(handler));
        std::int32_t granted = -1;
        const mqtt_status status = mqtt_session_subscribe(
            get(), filter.c_str(), detail::number(qos), timeout.milliseconds(), Triple::message,
            user_data, Triple::destroy, &granted);
        return grant(status, granted);
    }

    /// With all there is to say about it.
    template <class Handler, detail::Calls<Handler, const Message &> = 0>
    std::optional<QoS> subscribe(const Text &filter, const SubscribeOptions &options,
                                 Handler &&handler, Timeout timeout = default_timeout) const {
        return subscribe(std::nothrow, filter, options, std::forward<Handler>(handler), timeout)
            .value();
    }
    template <class Handler, detail::Calls<Handler, const Message &> = 0>
    Result<std::optional<QoS>> subscribe(std::nothrow_t, const Text &filter,
                                         const SubscribeOptions &options, Handler &&handler,
                                         Timeout timeout = default_timeout) const {
        if (options.failure())
            return *options.failure();
        using Triple = detail::Triple<std::decay_t<Handler>>;
        void *const user_data = detail::keep(std::forward<Handler>(handler));
        std::int32_t granted = -1;
        const mqtt_status status = mqtt_session_subscribe_with(
            get(), filter.c_str(), options.get(), timeout.milliseconds(), Triple::message,
            user_data, Triple::destroy, &granted);
        return grant(status, granted);
    }

    /// Starts to subscribe to one filter or several; Operation::granted tells of each.
    template <class Handler, detail::Calls<Handler, const Message &> = 0>
    Operation subscribe_start(const std::vector<std::string> &filters,
                              const SubscribeOptions &options, Handler &&handler) const {
        return subscribe_start(std::nothrow, filters, options, std::forward<Handler>(handler))
            .value();
    }
    template <class Handler, detail::Calls<Handler, const Message &> = 0>
    Result<Operation> subscribe_start(std::nothrow_t, const std::vector<std::string> &filters,
                                      const SubscribeOptions &options, Handler &&handler) const {
        if (options.failure())
            return *options.failure();
        const detail::Texts texts(filters);
        using Triple = detail::Triple<std::decay_t<Handler>>;
        void *const user_data = detail::keep(std::forward<Handler>(handler));
        return start([&](mqtt_operation **operation) {
            return mqtt_session_subscribe_start(get(), texts.data(), texts.size(), options.get(),
                                                Triple::message, user_data, Triple::destroy,
                                                operation);
        });
    }

    void unsubscribe(const Text &filter, Timeout timeout = default_timeout) const {
        unsubscribe(std::nothrow, filter, timeout).value();
    }
    Result<void> unsubscribe(std::nothrow_t, const Text &filter,
                             Timeout timeout = default_timeout) const {
        return detail::result(
            mqtt_session_unsubscribe(get(), filter.c_str(), timeout.milliseconds()));
    }
    Operation unsubscribe_start(const Text &filter) const {
        return unsubscribe_start(std::nothrow, filter).value();
    }
    Result<Operation> unsubscribe_start(std::nothrow_t, const Text &filter) const {
        return start([&](mqtt_operation **operation) {
            return mqtt_session_unsubscribe_start(get(), filter.c_str(), operation);
        });
    }
    void unsubscribe_all(Timeout timeout = default_timeout) const {
        unsubscribe_all(std::nothrow, timeout).value();
    }
    Result<void> unsubscribe_all(std::nothrow_t, Timeout timeout = default_timeout) const {
        return detail::result(mqtt_session_unsubscribe_all(get(), timeout.milliseconds()));
    }

    /// Several with one packet, with user properties; Operation::outcome tells of each.
    Operation unsubscribe_many_start(const std::vector<std::string> &filters) const {
        return unsubscribe_many_start(std::nothrow, filters).value();
    }
    Result<Operation> unsubscribe_many_start(std::nothrow_t,
                                             const std::vector<std::string> &filters) const {
        return unsubscribe_many_with(filters, nullptr);
    }
    Operation unsubscribe_many_start(const std::vector<std::string> &filters,
                                     const Properties &properties) const {
        return unsubscribe_many_start(std::nothrow, filters, properties).value();
    }
    Result<Operation> unsubscribe_many_start(std::nothrow_t,
                                             const std::vector<std::string> &filters,
                                             const Properties &properties) const {
        if (properties.failure())
            return *properties.failure();
        return unsubscribe_many_with(filters, properties.get());
    }

    // ---- Asking and answering (MQTT 5.0).

    /// Publishes a request and waits for its answer; when the time has passed it is over.
    OwnedMessage request(const Text &topic, Bytes payload,
                         Timeout timeout = default_timeout) const {
        return request(std::nothrow, topic, payload, timeout).value();
    }
    Result<OwnedMessage> request(std::nothrow_t, const Text &topic, Bytes payload,
                                 Timeout timeout = default_timeout) const {
        return ask(topic, payload, nullptr, timeout);
    }
    OwnedMessage request(const Text &topic, Bytes payload, const RequestOptions &options,
                         Timeout timeout = default_timeout) const {
        return request(std::nothrow, topic, payload, options, timeout).value();
    }
    Result<OwnedMessage> request(std::nothrow_t, const Text &topic, Bytes payload,
                                 const RequestOptions &options,
                                 Timeout timeout = default_timeout) const {
        if (options.failure())
            return *options.failure();
        return ask(topic, payload, options.get(), timeout);
    }
    /// Without waiting here; Operation::message gives the answer.
    Operation request_start(const Text &topic, Bytes payload, const RequestOptions &options,
                            Timeout timeout = default_timeout) const {
        return request_start(std::nothrow, topic, payload, options, timeout).value();
    }
    Result<Operation> request_start(std::nothrow_t, const Text &topic, Bytes payload,
                                    const RequestOptions &options,
                                    Timeout timeout = default_timeout) const {
        if (options.failure())
            return *options.failure();
        return start([&](mqtt_operation **operation) {
            return mqtt_session_request_start(get(), topic.c_str(), payload.data(), payload.size(),
                                              options.get(), timeout.milliseconds(), operation);
        });
    }

    /// Subscribes `responder(const Message &request, const Response &response)`.
    template <class Responder, detail::Calls<Responder, const Message &, const Response &> = 0>
    std::optional<QoS> respond(const Text &filter, QoS qos, Responder &&responder,
                               Timeout timeout = default_timeout) const {
        return respond(std::nothrow, filter, qos, std::forward<Responder>(responder), timeout)
            .value();
    }
    template <class Responder, detail::Calls<Responder, const Message &, const Response &> = 0>
    Result<std::optional<QoS>> respond(std::nothrow_t, const Text &filter, QoS qos,
                                       Responder &&responder,
                                       Timeout timeout = default_timeout) const {
        using Triple = detail::Triple<std::decay_t<Responder>>;
        void *const user_data = detail::keep(std::forward<Responder>(responder));
        std::int32_t granted = -1;
        const mqtt_status status = mqtt_session_respond(
            get(), filter.c_str(), detail::number(qos), timeout.milliseconds(), Triple::respond,
            user_data, Triple::destroy, &granted);
        return grant(status, granted);
    }

    /// Answers a request, lent or kept; the number is for wait().
    std::uint64_t reply(const Message &request, Bytes payload,
                        const PublishOptions &options) const {
        return reply(std::nothrow, request, payload, options).value();
    }
    Result<std::uint64_t> reply(std::nothrow_t, const Message &request, Bytes payload,
                                const PublishOptions &options) const {
        if (options.failure())
            return *options.failure();
        std::uint64_t number = 0;
        const mqtt_status status =
            mqtt_session_reply(get(), request.get(), payload.data(), payload.size(),
                               options.get(), &number);
        return detail::result(status, number);
    }

    // ---- Watching.

    /// Sets `handler(const Event &event)`; nullptr for none any more.
    template <class Handler, detail::Calls<Handler, const Event &> = 0>
    void set_event_handler(Handler &&handler) const {
        set_event_handler(std::nothrow, std::forward<Handler>(handler)).value();
    }
    template <class Handler, detail::Calls<Handler, const Event &> = 0>
    Result<void> set_event_handler(std::nothrow_t, Handler &&handler) const {
        using Triple = detail::Triple<std::decay_t<Handler>>;
        void *const user_data = detail::keep(std::forward<Handler>(handler));
        return detail::result(
            mqtt_session_set_event_handler(get(), Triple::event, user_data, Triple::destroy));
    }
    void set_event_handler(std::nullptr_t) const {
        set_event_handler(std::nothrow, nullptr).value();
    }
    Result<void> set_event_handler(std::nothrow_t, std::nullptr_t) const {
        return detail::result(mqtt_session_set_event_handler(get(), nullptr, nullptr, nullptr));
    }

    State state() const { return state(std::nothrow).value(); }
    Result<State> state(std::nothrow_t) const {
        std::int32_t state = 0;
        const mqtt_status status = mqtt_session_state(get(), &state);
        return detail::result(status, static_cast<State>(state));
    }

    /// The last failure of the connection, also while it still tries to connect.
    std::optional<Error> last_failure() const { return last_failure(std::nothrow).value(); }
    Result<std::optional<Error>> last_failure(std::nothrow_t) const {
        mqtt_status failure = MQTT_OK;
        const mqtt_status status = mqtt_session_last_failure(get(), &failure);
        if (status != MQTT_OK)
            return Error(status);
        return failure == MQTT_OK ? std::nullopt : std::optional<Error>(Error(failure));
    }

    /// A counter or level: an MQTT_STATISTIC_...
    std::uint64_t statistic(std::int32_t which) const {
        return statistic(std::nothrow, which).value();
    }
    Result<std::uint64_t> statistic(std::nothrow_t, std::int32_t which) const {
        std::uint64_t number = 0;
        const mqtt_status status = mqtt_session_statistic(get(), which, &number);
        return detail::result(status, number);
    }

    // ---- Polling, with Dispatch::polled.

    /// Runs queued callbacks here, at most `limit` (0: all), after waiting for the first; how many.
    std::size_t poll(Timeout timeout, std::size_t limit = 0) const {
        return poll(std::nothrow, timeout, limit).value();
    }
    Result<std::size_t> poll(std::nothrow_t, Timeout timeout, std::size_t limit = 0) const {
        std::size_t count = 0;
        const mqtt_status status = mqtt_session_poll(get(), timeout.milliseconds(), limit, &count);
        return detail::result(status, count);
    }

    /// A descriptor that is readable while callbacks are queued. Unix only.
    std::int32_t descriptor() const { return descriptor(std::nothrow).value(); }
    Result<std::int32_t> descriptor(std::nothrow_t) const {
        std::int32_t descriptor = -1;
        const mqtt_status status = mqtt_session_descriptor(get(), &descriptor);
        return detail::result(status, descriptor);
    }

    mqtt_session *get() const noexcept { return object_.get(); }

  private:
    template <class Function>
    static Result<Operation> start(Function function) {
        mqtt_operation *operation = nullptr;
        const mqtt_status status = function(&operation);
        return detail::result(status, Operation(operation));
    }

    Result<std::uint64_t> publish_with(const Text &topic, Bytes payload,
                                       const PublishOptions &options, mqtt_publish_handler handler,
                                       void *user_data, mqtt_destroy destroy) const {
        std::uint64_t number = 0;
        const mqtt_status status =
            mqtt_session_publish_with(get(), topic.c_str(), payload.data(), payload.size(),
                                      options.get(), handler, user_data, destroy, &number);
        return detail::result(status, number);
    }

    Result<std::uint64_t> publish_lent(const Text &topic, Bytes payload,
                                       const PublishOptions &options, mqtt_publish_handler handler,
                                       void *user_data, mqtt_destroy destroy) const {
        std::uint64_t number = 0;
        const mqtt_status status =
            mqtt_session_publish_lent(get(), topic.c_str(), payload.data(), payload.size(),
                                      options.get(), handler, user_data, destroy, &number);
        return detail::result(status, number);
    }

    Result<Operation> unsubscribe_many_with(const std::vector<std::string> &filters,
                                            const mqtt_properties *properties) const {
        const detail::Texts texts(filters);
        return start([&](mqtt_operation **operation) {
            return mqtt_session_unsubscribe_many_start(get(), texts.data(), texts.size(),
                                                       properties, operation);
        });
    }

    Result<OwnedMessage> ask(const Text &topic, Bytes payload, const mqtt_request_options *options,
                             Timeout timeout) const {
        mqtt_message *answer = nullptr;
        const mqtt_status status =
            mqtt_session_request(get(), topic.c_str(), payload.data(), payload.size(), options,
                                 timeout.milliseconds(), &answer);
        return detail::result(status, OwnedMessage(answer));
    }

    static Result<std::optional<QoS>> grant(mqtt_status status, std::int32_t granted) {
        using Granted = std::optional<QoS>;
        return detail::result(status, granted < 0 ? Granted() : static_cast<QoS>(granted));
    }

    detail::Owner<mqtt_session, mqtt_session_free> object_;
};

} // namespace mqttsession

#endif
