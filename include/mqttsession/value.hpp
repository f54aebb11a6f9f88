// What functions are given: text, bytes, times, choices.

#ifndef MQTTSESSION_VALUE_HPP
#define MQTTSESSION_VALUE_HPP

#include "error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mqttsession {

/// Text that a function is given: a literal, a std::string or a std::string_view, in UTF-8. Only
/// what is not ended with NUL is copied.
class Text {
  public:
    Text(const char *text) noexcept : text_(text) {}
    Text(const std::string &text) : text_(text.c_str()) {
        if (text.find('\0') != std::string::npos)
            copy(text);
    }
    Text(std::string_view text) { copy(text); }
    Text(const Text &) = delete;
    Text &operator=(const Text &) = delete;

    const char *c_str() const noexcept { return text_; }

  private:
    void copy(std::string_view text) {
        char *place = short_;
        if (text.size() >= sizeof short_) {
            long_.resize(text.size());
            place = long_.data();
        }
        // A NUL would cut the text off unnoticed. 0xFF, which is no UTF-8, has it refused.
        for (std::size_t at = 0; at < text.size(); ++at)
            place[at] = text[at] == '\0' ? '\xFF' : text[at];
        place[text.size()] = '\0';
        text_ = place;
    }

    const char *text_;
    char short_[128];
    std::string long_;
};

/// Bytes that a function is given: text, anything contiguous whose elements are bytes, or a pointer
/// and a size. They are borrowed for the call.
class Bytes {
    template <class Container>
    using Element = std::remove_pointer_t<decltype(std::data(std::declval<const Container &>()))>;

  public:
    Bytes() noexcept = default;
    Bytes(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// Text up to its NUL.
    Bytes(const char *text) noexcept : data_(text), size_(text ? std::strlen(text) : 0) {}
    template <class Container, class = std::enable_if_t<sizeof(Element<Container>) == 1>>
    Bytes(const Container &bytes) noexcept : data_(std::data(bytes)), size_(std::size(bytes)) {}

    const void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

  private:
    const void *data_ = nullptr;
    std::size_t size_ = 0;
};

/// No limit of time.
struct Forever {};
inline constexpr Forever forever{};

/// The longest time for which a function waits: any std::chrono duration, or forever. A timeout
/// never cancels anything.
class Timeout {
  public:
    /// Rounded up, so that only nothing, or less, becomes nothing.
    template <class Number, class Period>
    constexpr Timeout(std::chrono::duration<Number, Period> time) noexcept {
        const double wanted = std::chrono::duration<double, std::milli>(time).count();
        if (wanted >= 9e18) {
            milliseconds_ = MQTT_FOREVER;
        } else if (wanted > 0) {
            milliseconds_ = static_cast<std::int64_t>(wanted);
            milliseconds_ += static_cast<double>(milliseconds_) < wanted ? 1 : 0;
        }
    }
    constexpr Timeout(Forever) noexcept : milliseconds_(MQTT_FOREVER) {}

    constexpr std::int64_t milliseconds() const noexcept { return milliseconds_; }

  private:
    std::int64_t milliseconds_ = 0;
};

/// How long functions wait that are not told.
inline constexpr std::chrono::seconds default_timeout{10};

enum class QoS : std::int32_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

enum class Version : std::int32_t {
    v3_1 = MQTT_PROTOCOL_3_1,
    v3_1_1 = MQTT_PROTOCOL_3_1_1,
    v5 = MQTT_PROTOCOL_5,
};

/// What publishing does when the outgoing queue is full.
enum class Policy : std::int32_t {
    block = MQTT_POLICY_BLOCK,
    reject = MQTT_POLICY_REJECT,
    drop_oldest = MQTT_POLICY_DROP_OLDEST,
    drop_newest = MQTT_POLICY_DROP_NEWEST,
    keep_latest = MQTT_POLICY_KEEP_LATEST,
};

/// Where callbacks run.
enum class Dispatch : std::int32_t {
    dispatched = MQTT_DISPATCH_DISPATCHED,
    inline_ = MQTT_DISPATCH_INLINE,
    polled = MQTT_DISPATCH_POLLED,
};

/// When received messages are acknowledged.
enum class Acknowledge : std::int32_t {
    handled = MQTT_ACKNOWLEDGE_HANDLED,
    on_receipt = MQTT_ACKNOWLEDGE_ON_RECEIPT,
    manual = MQTT_ACKNOWLEDGE_MANUAL,
};

/// What becomes of a message whose handler failed.
enum class Failure : std::int32_t {
    acknowledge = MQTT_FAILURE_ACKNOWLEDGE,
    leave = MQTT_FAILURE_LEAVE,
    refuse = MQTT_FAILURE_REFUSE,
};

/// When what the store has written is made to survive the machine: before a message counts as stored,
/// or when the operating system likes. An interval is given as such.
enum class Durability : std::int32_t {
    message = MQTT_DURABILITY_MESSAGE,
    system = MQTT_DURABILITY_SYSTEM,
};

/// How far a message in a store has come.
enum class StoredState : std::int32_t {
    waiting = MQTT_STORED_WAITING,
    sent = MQTT_STORED_SENT,
    released = MQTT_STORED_RELEASED,
};

/// When the broker sends what it has retained (MQTT 5.0).
enum class RetainHandling : std::int32_t {
    send = MQTT_RETAIN_SEND,
    send_if_new = MQTT_RETAIN_SEND_IF_NEW,
    do_not_send = MQTT_RETAIN_DO_NOT_SEND,
};

enum class State : std::int32_t {
    disconnected = MQTT_STATE_DISCONNECTED,
    connecting = MQTT_STATE_CONNECTING,
    connected = MQTT_STATE_CONNECTED,
    retrying = MQTT_STATE_RETRYING,
    closed = MQTT_STATE_CLOSED,
};

/// New kinds may come: ignore one that has no name here.
enum class EventKind : std::int32_t {
    connecting = MQTT_EVENT_CONNECTING,
    connected = MQTT_EVENT_CONNECTED,
    lost = MQTT_EVENT_LOST,
    retrying = MQTT_EVENT_RETRYING,
    disconnected = MQTT_EVENT_DISCONNECTED,
    subscription_refused = MQTT_EVENT_SUBSCRIPTION_REFUSED,
    set_aside = MQTT_EVENT_SET_ASIDE,
    acknowledgement_held = MQTT_EVENT_ACKNOWLEDGEMENT_HELD,
    redirected = MQTT_EVENT_REDIRECTED,
    restored = MQTT_EVENT_RESTORED,
    session_lost = MQTT_EVENT_SESSION_LOST,
    store_without_session = MQTT_EVENT_STORE_WITHOUT_SESSION,
    store_failed = MQTT_EVENT_STORE_FAILED,
    store_recovered = MQTT_EVENT_STORE_RECOVERED,
};

enum class LogLevel : std::int32_t {
    off = MQTT_LOG_OFF,
    error = MQTT_LOG_ERROR,
    warning = MQTT_LOG_WARNING,
    info = MQTT_LOG_INFO,
    debug = MQTT_LOG_DEBUG,
    trace = MQTT_LOG_TRACE,
};

namespace detail {

/// The number by which C knows a choice.
template <class Choice>
constexpr std::int32_t number(Choice choice) noexcept {
    return static_cast<std::int32_t>(choice);
}

/// Texts as an array for C.
class Texts {
  public:
    explicit Texts(const std::vector<std::string> &texts) : texts_(texts.begin(), texts.end()) {
        for (const Text &text : texts_)
            pointers_.push_back(text.c_str());
    }

    const char *const *data() const noexcept { return pointers_.data(); }
    std::size_t size() const noexcept { return pointers_.size(); }

  private:
    std::vector<Text> texts_;
    std::vector<const char *> pointers_;
};

inline std::string_view text(mqtt_view view) noexcept {
    return {reinterpret_cast<const char *>(view.data), view.size};
}

inline Result<void> result(mqtt_status status) {
    return status == MQTT_OK ? Result<void>() : Result<void>(Error(status));
}

/// What a function answers that has written a value, or has failed.
template <class Value>
Result<Value> result(mqtt_status status, Value value) {
    return status == MQTT_OK ? Result<Value>(std::move(value)) : Result<Value>(Error(status));
}

} // namespace detail

} // namespace mqttsession

#endif
