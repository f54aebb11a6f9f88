// A look into a store that no session has open.

#ifndef MQTTSESSION_STORE_HPP
#define MQTTSESSION_STORE_HPP

#include "property.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mqttsession {

namespace detail {

/// A moment as C++ knows it.
inline std::chrono::system_clock::time_point moment(std::int64_t milliseconds) noexcept {
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

/// A callable that C calls before the function to which it is given returns; what it throws comes out
/// there.
template <class Function>
class Visitor {
  public:
    explicit Visitor(Function &function) noexcept : function_(function) {}

    /// Whether it wants to be called again.
    template <class... Arguments>
    static bool call(void *visitor, const Arguments &...arguments) noexcept {
        Visitor &self = *static_cast<Visitor *>(visitor);
#ifdef __cpp_exceptions
        try {
            return self.ask(arguments...);
        } catch (...) {
            self.thrown_ = std::current_exception();
            return false;
        }
#else
        return self.ask(arguments...);
#endif
    }

    void rethrow() const {
#ifdef __cpp_exceptions
        if (thrown_)
            std::rethrow_exception(thrown_);
#endif
    }

  private:
    template <class... Arguments>
    bool ask(const Arguments &...arguments) {
        if constexpr (std::is_same_v<std::invoke_result_t<Function &, const Arguments &...>, bool>)
            return function_(arguments...);
        function_(arguments...);
        return true;
    }

    Function &function_;
    std::exception_ptr thrown_;
};

} // namespace detail

/// A message that was accepted for publishing and has not ended. A handler is lent one for its call.
class StoredMessage {
  public:
    explicit StoredMessage(const mqtt_stored_message *message) noexcept : message_(message) {}
    StoredMessage(const StoredMessage &) = delete;
    StoredMessage &operator=(const StoredMessage &) = delete;

    /// The number that publishing gave it.
    std::uint64_t number() const noexcept { return mqtt_stored_message_number(message_); }
    StoredState state() const noexcept {
        return static_cast<StoredState>(mqtt_stored_message_state(message_));
    }
    std::chrono::system_clock::time_point accepted() const noexcept {
        return detail::moment(mqtt_stored_message_accepted_ms(message_));
    }
    /// Until when it is worth sending, if that ends.
    std::optional<std::chrono::system_clock::time_point> expires() const noexcept {
        const std::int64_t at = mqtt_stored_message_expires_ms(message_);
        return at == MQTT_FOREVER ? std::nullopt : std::optional(detail::moment(at));
    }
    /// Topic and payload, any bytes, are valid as long as the message.
    std::string_view topic() const noexcept {
        return detail::text(mqtt_stored_message_topic(message_));
    }
    std::string_view payload() const noexcept {
        return detail::text(mqtt_stored_message_payload(message_));
    }
    QoS qos() const noexcept { return static_cast<QoS>(mqtt_stored_message_qos(message_)); }
    /// Whether the broker is to keep it for later subscribers.
    bool retain() const noexcept { return mqtt_stored_message_retain(message_) != 0; }
    PropertyView properties() const noexcept {
        return PropertyView(mqtt_stored_message_properties(message_));
    }

    const mqtt_stored_message *get() const noexcept { return message_; }

  private:
    const mqtt_stored_message *message_;
};

/// The store of one client id, opened to be looked into. No session can open it meanwhile.
class Store {
  public:
    /// It must be there; the directory is that of Options::store.
    Store(const Text &directory, const Text &client_id)
        : Store(open(std::nothrow, directory, client_id).value()) {}
    explicit Store(mqtt_store *store) noexcept : object_(store) {}
    static Result<Store> open(std::nothrow_t, const Text &directory, const Text &client_id) {
        mqtt_store *store = nullptr;
        const mqtt_status status = mqtt_store_open(directory.c_str(), client_id.c_str(), &store);
        return detail::result(status, Store(store));
    }

    /// Opens a damaged one: takes what can be read for the whole.
    static Store repair(const Text &directory, const Text &client_id) {
        return repair(std::nothrow, directory, client_id).value();
    }
    static Result<Store> repair(std::nothrow_t, const Text &directory, const Text &client_id) {
        mqtt_store *store = nullptr;
        const mqtt_status status = mqtt_store_repair(directory.c_str(), client_id.c_str(), &store);
        return detail::result(status, Store(store));
    }

    /// The client ids that have a store below a directory.
    static std::vector<std::string> list(const Text &directory) {
        return list(std::nothrow, directory).value();
    }
    static Result<std::vector<std::string>> list(std::nothrow_t, const Text &directory) {
        std::vector<std::string> found;
        const auto add = [&found](const char *client_id) { found.emplace_back(client_id); };
        using Visitor = detail::Visitor<decltype(add)>;
        Visitor visitor(add);
        const mqtt_status status = mqtt_store_list(
            directory.c_str(),
            [](const char *client_id, void *user_data) { Visitor::call(user_data, client_id); },
            &visitor, nullptr);
        visitor.rethrow();
        return detail::result(status, std::move(found));
    }

    /// One of the numbers about it: an MQTT_STORE_STATISTIC_...
    std::uint64_t statistic(std::int32_t which) const {
        return statistic(std::nothrow, which).value();
    }
    Result<std::uint64_t> statistic(std::nothrow_t, std::int32_t which) const {
        std::uint64_t number = 0;
        const mqtt_status status = mqtt_store_statistic(get(), which, &number);
        return detail::result(status, number);
    }

    /// When the oldest message was accepted; nothing when there is none.
    std::optional<std::chrono::system_clock::time_point> oldest() const {
        return oldest(std::nothrow).value();
    }
    Result<std::optional<std::chrono::system_clock::time_point>> oldest(std::nothrow_t) const {
        std::uint64_t at = 0;
        const mqtt_status status =
            mqtt_store_statistic(get(), MQTT_STORE_STATISTIC_OLDEST_MS, &at);
        std::optional<std::chrono::system_clock::time_point> oldest;
        if (at != 0)
            oldest = detail::moment(static_cast<std::int64_t>(at));
        return detail::result(status, oldest);
    }

    /// The filters that the broker had granted.
    std::vector<std::string> subscriptions() const { return subscriptions(std::nothrow).value(); }
    Result<std::vector<std::string>> subscriptions(std::nothrow_t) const {
        std::uint64_t count = 0;
        const mqtt_status status =
            mqtt_store_statistic(get(), MQTT_STORE_STATISTIC_SUBSCRIPTIONS, &count);
        std::vector<std::string> filters;
        for (std::size_t place = 0; place < count; ++place)
            filters.emplace_back(detail::text(mqtt_store_subscription(get(), place)));
        return detail::result(status, std::move(filters));
    }

    /// Calls `handler(const StoredMessage &message)` here for each own message that has not ended, in
    /// the order of their numbers. A handler that answers a bool is called until it answers false. What
    /// it throws comes out of here, in both forms.
    template <class Handler, detail::Calls<Handler, const StoredMessage &> = 0>
    void messages(Handler &&handler) const {
        messages(std::nothrow, handler).value();
    }
    template <class Handler, detail::Calls<Handler, const StoredMessage &> = 0>
    Result<void> messages(std::nothrow_t, Handler &&handler) const {
        using Visitor = detail::Visitor<std::remove_reference_t<Handler>>;
        Visitor visitor(handler);
        const mqtt_status status = mqtt_store_messages(
            get(),
            [](const mqtt_stored_message *message, void *user_data) -> std::int32_t {
                return Visitor::call(user_data, StoredMessage(message));
            },
            &visitor, nullptr);
        visitor.rethrow();
        return detail::result(status);
    }

    /// Writes the own messages into a new file, one JSON object a line; how many.
    std::size_t export_to(const Text &file) const { return export_to(std::nothrow, file).value(); }
    Result<std::size_t> export_to(std::nothrow_t, const Text &file) const {
        std::size_t count = 0;
        const mqtt_status status = mqtt_store_export(get(), file.c_str(), &count);
        return detail::result(status, count);
    }

    /// Forgets every message, received message and subscription.
    void clear() { clear(std::nothrow).value(); }
    Result<void> clear(std::nothrow_t) { return detail::result(mqtt_store_clear(get())); }

    mqtt_store *get() const noexcept { return object_.get(); }

  private:
    detail::Owner<mqtt_store, mqtt_store_free> object_;
};

} // namespace mqttsession

#endif
