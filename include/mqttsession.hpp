/*
 * mqttsession.hpp - an MQTT client for C++17: protocol 3.1, 3.1.1 and 5.0.
 *
 * A first program:
 *
 *     mqttsession::Session session(mqttsession::Options().address("mqtt://localhost"));
 *     session.connect();
 *     session.subscribe("greeting/#", mqttsession::QoS::at_least_once,
 *                       [](const auto &message) { std::cout << message.payload() << '\n'; });
 *     session.publish("greeting/cpp", "hello", mqttsession::QoS::at_least_once);
 *     session.disconnect();
 *
 * This header is a thin layer over mqttsession.h, whose comments are the manual: a function here
 * does what the C function of its name does. What C++ adds:
 *
 * # Errors, in two forms
 *
 * A function that fails throws Error. The same function with std::nothrow as its first argument
 * returns a Result instead, which holds the value or the Error. Objects that are filled step by
 * step (Options, Properties and their like) remember their first failure when they were made with
 * std::nothrow, and whatever they are then given to fails with it. The header compiles without
 * exceptions too; an Error that nobody asked for then ends the program.
 *
 * # Owners
 *
 * Every object is the only owner of its C object, can be moved and not copied, and ends it when it
 * is destroyed. get() gives the C object, for the functions of mqttsession.h that have no twin
 * here. A moved-from object answers everything with MQTT_INVALID_ARGUMENT. Any order of destruction
 * is right: what outlives its session answers MQTT_CLOSED or MQTT_CANCELLED.
 *
 * # Callbacks
 *
 * Any callable is taken, move-only ones too, and lives until its last call has returned. Calls of
 * one session come one at a time, on a thread of the library. The destructor of Session waits for
 * a running one unless it runs inside a callback itself: so let what callbacks use outlive the
 * session, and hold no lock that they take while it is destroyed.
 *
 * An exception that leaves a callback is caught: a message counts as failed (mqtt_message_fail),
 * and the exception goes to the hook that on_callback_exception has set, by default one line on
 * standard error.
 */

#ifndef MQTTSESSION_HPP
#define MQTTSESSION_HPP

#include "mqttsession.h"
#include "mqttsession_wlanguage.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace mqttsession {

// =================================================================================================
// Errors: thrown, or returned.
// =================================================================================================

/// What went wrong. what() is the sentence: what was tried, what came back, what to check.
class Error : public std::runtime_error {
  public:
    /// Takes along all that this thread's last failure tells about the status.
    explicit Error(mqtt_status status) : Error(status, mqtt_last_error_status() == status) {}

    /// An MQTT_... of mqttsession.h, never MQTT_OK.
    mqtt_status status() const noexcept { return status_; }
    /// Its name, such as "MQTT_TIMEOUT".
    const char *name() const noexcept { return mqtt_status_name(status_); }
    /// Where it arose: "caller", "name lookup", "tcp", "tls", "connack", "broker" and so on.
    const char *layer() const noexcept { return layer_; }
    /// What lies behind it, down to the operating system's own words; may be empty.
    const std::string &cause() const noexcept { return words_->cause; }
    /// The reason code with which the broker explained it.
    std::optional<std::uint8_t> reason() const noexcept { return reason_; }
    /// The broker's own words about it; may be empty.
    const std::string &reason_string() const noexcept { return words_->reason_string; }
    /// Whether it may succeed later without a change to the program or its options.
    bool retryable() const noexcept { return retryable_; }
    /// Whether the session that failed so is of no more use.
    bool ends_session() const noexcept { return mqtt_status_ends_session(status_) != 0; }

  private:
    struct Words {
        std::string cause, reason_string;
    };

    Error(mqtt_status status, bool is_last)
        : std::runtime_error(is_last ? mqtt_last_error_message() : mqtt_status_sentence(status)),
          status_(status),
          layer_(is_last ? mqtt_last_error_layer() : ""),
          retryable_(is_last && mqtt_last_error_is_retryable() != 0),
          words_(is_last ? std::make_shared<const Words>(Words{mqtt_last_error_cause(),
                                                               mqtt_last_error_reason_string()})
                         : std::make_shared<const Words>()) {
        const std::int32_t reason = is_last ? mqtt_last_error_reason_code() : -1;
        if (reason >= 0)
            reason_ = static_cast<std::uint8_t>(reason);
    }

    mqtt_status status_;
    const char *layer_;
    bool retryable_;
    std::optional<std::uint8_t> reason_;
    // Shared, because copying an exception must not throw.
    std::shared_ptr<const Words> words_;
};

namespace detail {

[[noreturn]] inline void raise(const Error &error) {
#ifdef __cpp_exceptions
    throw error;
#else
    std::fprintf(stderr, "mqttsession: %s: %s\n", error.name(), error.what());
    std::abort();
#endif
}

} // namespace detail

/// What a function with std::nothrow returns: a value, or the Error.
template <class Value>
class [[nodiscard]] Result {
  public:
    Result(Value value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }
    /// MQTT_OK, or the status of the error.
    mqtt_status status() const noexcept { return ok() ? MQTT_OK : error().status(); }

    /// The value; throws the error if there is none.
    Value &value() & { return check(), *std::get_if<0>(&state_); }
    const Value &value() const & { return check(), *std::get_if<0>(&state_); }
    Value value() && { return check(), std::move(*std::get_if<0>(&state_)); }

    /// The error. Only when it is not ok().
    const Error &error() const noexcept { return *std::get_if<1>(&state_); }

  private:
    void check() const {
        if (!ok())
            detail::raise(error());
    }

    std::variant<Value, Error> state_;
};

/// Success, or the Error.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool ok() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return ok(); }
    /// MQTT_OK, or the status of the error.
    mqtt_status status() const noexcept { return ok() ? MQTT_OK : error_->status(); }

    /// Throws the error if there is one.
    void value() const {
        if (error_)
            detail::raise(*error_);
    }

    /// The error. Only when it is not ok().
    const Error &error() const noexcept { return *error_; }

  private:
    std::optional<Error> error_;
};

/// What is called with an exception that has left a callback, on the callback's thread.
using ExceptionHook = std::function<void(std::exception_ptr)>;

namespace detail {

struct Hook {
    std::mutex mutex;
    std::shared_ptr<const ExceptionHook> function;

    // Never destroyed: callbacks may still run while the program's static objects are.
    static Hook &instance() {
        static Hook *const hook = new Hook;
        return *hook;
    }
};

#ifdef __cpp_exceptions

inline void print(const std::exception_ptr &exception) noexcept {
    const char *const form = "mqttsession: an exception left a callback: %s\n";
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception &known) {
        std::fprintf(stderr, form, known.what());
    } catch (...) {
        std::fprintf(stderr, form, "not a std::exception");
    }
}

inline void report(const std::exception_ptr &exception) noexcept {
    try {
        std::unique_lock<std::mutex> lock(Hook::instance().mutex);
        const auto hook = Hook::instance().function;
        lock.unlock();
        hook ? (*hook)(exception) : print(exception);
    } catch (...) {
        print(exception);
        print(std::current_exception());
    }
}

#endif

/// Runs the part of a callback that may throw; false when it has.
template <class Body>
bool run(Body body) noexcept {
#ifdef __cpp_exceptions
    try {
        body();
        return true;
    } catch (...) {
        report(std::current_exception());
        return false;
    }
#else
    body();
    return true;
#endif
}

} // namespace detail

/// Sets the hook for exceptions that leave callbacks, for the whole process. An empty one restores
/// the default, a line on standard error.
inline void on_callback_exception(ExceptionHook hook) {
    auto next = hook ? std::make_shared<const ExceptionHook>(std::move(hook)) : nullptr;
    // Swapped, so that the old one is destroyed outside the lock.
    const std::lock_guard<std::mutex> lock(detail::Hook::instance().mutex);
    detail::Hook::instance().function.swap(next);
}

// =================================================================================================
// What functions are given: text, bytes, times, choices.
// =================================================================================================

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

template <auto end>
struct End {
    template <class Object>
    void operator()(Object *object) const noexcept {
        end(object);
    }
};

/// The owner of a C object.
template <class Object, auto end>
using Owner = std::unique_ptr<Object, End<end>>;

/// What is filled step by step, and in the form without exceptions remembers its first failure.
template <class Self, class Object, auto make, auto end>
class Builder {
  public:
    /// The first failure; of one that was not made with std::nothrow there is none, it was thrown.
    const std::optional<Error> &failure() const noexcept { return failure_; }
    Object *get() const noexcept { return object_.get(); }

  protected:
    Builder() : throws_(true) { begin(); }
    explicit Builder(std::nothrow_t) : throws_(false) { begin(); }

    Self &apply(mqtt_status status) {
        if (status != MQTT_OK && !failure_)
            fail(Error(status));
        return static_cast<Self &>(*this);
    }

    /// What one that has failed is given to, has failed too.
    template <class Other>
    Self &apply(mqtt_status status, const Other &other) {
        if (other.failure() && !failure_)
            fail(*other.failure());
        return apply(status);
    }

  private:
    void begin() {
        Object *object = nullptr;
        apply(make(&object));
        object_.reset(object);
    }

    void fail(const Error &error) {
        if (throws_)
            raise(error);
        failure_ = error;
    }

    bool throws_;
    std::optional<Error> failure_;
    Owner<Object, end> object_;
};

/// A callable as a callback triple. C calls one of the functions with the user data, and destroy
/// exactly once.
template <class Function>
struct Triple {
    template <class... Arguments>
    static void call(void *user_data, const Arguments &...arguments) {
        (*static_cast<Function *>(user_data))(arguments...);
    }

    static void destroy(void *user_data) noexcept { delete static_cast<Function *>(user_data); }

    static void message(const mqtt_message *message, void *user_data) noexcept;
    static void published(std::uint64_t number, mqtt_status status, std::int32_t reason,
                          void *user_data) noexcept;
    static void ended(const mqtt_operation *operation, mqtt_status status,
                      void *user_data) noexcept;
    static void event(const mqtt_event *event, void *user_data) noexcept;
    static void log(std::int32_t level, const char *text, void *user_data) noexcept;
};

/// The user data of a callable's triple. C takes it from the first moment of the call, so nothing
/// that can throw may come between.
template <class Function>
void *keep(Function &&function) {
    return new std::decay_t<Function>(std::forward<Function>(function));
}

template <class Function, class... Arguments>
using Calls = std::enable_if_t<std::is_invocable_v<std::decay_t<Function> &, Arguments...>, int>;

} // namespace detail

// =================================================================================================
// MQTT 5.0 properties.
// =================================================================================================

/// One property: an MQTT_PROPERTY_... with its number, its text or bytes, or its name and text.
struct Property {
    std::int32_t identifier;
    std::uint32_t number;
    std::string_view value;
    std::string_view name;
};

/// The properties that something shows; valid as long as that.
class PropertyView {
  public:
    explicit PropertyView(const mqtt_properties *properties) noexcept : properties_(properties) {}

    std::size_t size() const noexcept { return mqtt_properties_count(properties_); }
    bool empty() const noexcept { return size() == 0; }

    /// The property at a place, from 0.
    Property operator[](std::size_t place) const noexcept {
        return {mqtt_properties_identifier(properties_, place),
                mqtt_properties_number(properties_, place),
                detail::text(mqtt_properties_value(properties_, place)),
                detail::text(mqtt_properties_name(properties_, place))};
    }

    /// The first one of an identifier, an MQTT_PROPERTY_...
    std::optional<Property> find(std::int32_t identifier) const noexcept {
        const std::int64_t place = mqtt_properties_find(properties_, identifier, 0);
        if (place < 0)
            return std::nullopt;
        return (*this)[static_cast<std::size_t>(place)];
    }

    /// The value of the first user property of a name.
    std::optional<std::string_view> user_property(std::string_view name) const noexcept {
        for (std::size_t place = 0; place < size(); ++place) {
            const Property property = (*this)[place];
            if (property.identifier == MQTT_PROPERTY_USER_PROPERTY && property.name == name)
                return property.value;
        }
        return std::nullopt;
    }

  private:
    const mqtt_properties *properties_;
};

/// A list of properties to send.
class Properties : public detail::Builder<Properties, mqtt_properties, mqtt_properties_new,
                                          mqtt_properties_free> {
  public:
    Properties() = default;
    explicit Properties(std::nothrow_t form) : Builder(form) {}

    Properties &add_number(std::int32_t identifier, std::uint32_t number) {
        return apply(mqtt_properties_add_number(get(), identifier, number));
    }
    Properties &add_text(std::int32_t identifier, const Text &text) {
        return apply(mqtt_properties_add_text(get(), identifier, text.c_str()));
    }
    Properties &add_binary(std::int32_t identifier, Bytes bytes) {
        return apply(
            mqtt_properties_add_binary(get(), identifier, bytes.data(), bytes.size()));
    }
    Properties &add_user_property(const Text &name, const Text &text) {
        return apply(mqtt_properties_add_user_property(get(), name.c_str(), text.c_str()));
    }

    PropertyView view() const noexcept { return PropertyView(get()); }
};

// =================================================================================================
// Received messages.
// =================================================================================================

class OwnedMessage;

/// The right to acknowledge one received message, later and from any thread. One that is destroyed
/// unused acknowledges nothing.
class Acknowledgement {
  public:
    explicit Acknowledgement(mqtt_acknowledgement *acknowledgement) noexcept
        : object_(acknowledgement) {}

    /// Acknowledges the message. The right is used up, whatever the result.
    void send() { send(std::nothrow).value(); }
    Result<void> send(std::nothrow_t) {
        return detail::result(mqtt_acknowledgement_send(object_.release()));
    }

    /// Tells the broker with a reason of 128 and above that the message was not processed (5.0).
    void refuse(std::int32_t reason) { refuse(std::nothrow, reason).value(); }
    Result<void> refuse(std::nothrow_t, std::int32_t reason) {
        return detail::result(mqtt_acknowledgement_refuse(object_.release(), reason));
    }

    mqtt_acknowledgement *get() const noexcept { return object_.get(); }

  private:
    detail::Owner<mqtt_acknowledgement, mqtt_acknowledgement_free> object_;
};

/// A received message. A handler is lent one for its call; keep() keeps it longer.
class Message {
  public:
    explicit Message(const mqtt_message *message) noexcept : message_(message) {}
    Message(const Message &) = delete;
    Message &operator=(const Message &) = delete;

    /// Topic and payload, any bytes, are valid as long as the message.
    std::string_view topic() const noexcept { return detail::text(mqtt_message_topic(get())); }
    std::string_view payload() const noexcept { return detail::text(mqtt_message_payload(get())); }
    QoS qos() const noexcept { return static_cast<QoS>(mqtt_message_qos(get())); }
    /// Whether the broker had kept it for later subscribers.
    bool retain() const noexcept { return mqtt_message_retain(get()) != 0; }
    /// Whether it may have been delivered before.
    bool duplicate() const noexcept { return mqtt_message_duplicate(get()) != 0; }
    PropertyView properties() const noexcept {
        return PropertyView(mqtt_message_properties(get()));
    }

    /// Keeps the message beyond the call of its handler.
    OwnedMessage keep() const;
    Result<OwnedMessage> keep(std::nothrow_t) const;

    /// Takes the right to acknowledge the message later; its handler's return then does not.
    Acknowledgement acknowledgement() const { return acknowledgement(std::nothrow).value(); }
    Result<Acknowledgement> acknowledgement(std::nothrow_t) const {
        mqtt_acknowledgement *right = nullptr;
        const mqtt_status status = mqtt_message_acknowledgement(get(), &right);
        return detail::result(status, Acknowledgement(right));
    }

    /// Reports that the message could not be dealt with, as an exception does that leaves its
    /// handler.
    void fail() const { fail(std::nothrow).value(); }
    Result<void> fail(std::nothrow_t) const { return detail::result(mqtt_message_fail(get())); }

    const mqtt_message *get() const noexcept { return message_; }

  protected:
    Message(Message &&other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
    Message &operator=(Message &&other) noexcept {
        message_ = std::exchange(other.message_, nullptr);
        return *this;
    }

  private:
    const mqtt_message *message_;
};

/// A message that is kept.
class OwnedMessage : public Message {
  public:
    explicit OwnedMessage(mqtt_message *message) noexcept : Message(message), object_(message) {}
    OwnedMessage(OwnedMessage &&) noexcept = default;
    OwnedMessage &operator=(OwnedMessage &&) noexcept = default;

  private:
    detail::Owner<mqtt_message, mqtt_message_free> object_;
};

inline OwnedMessage Message::keep() const { return keep(std::nothrow).value(); }

inline Result<OwnedMessage> Message::keep(std::nothrow_t) const {
    mqtt_message *kept = nullptr;
    const mqtt_status status = mqtt_message_keep(get(), &kept);
    return detail::result(status, OwnedMessage(kept));
}

// =================================================================================================
// Options: what a session, a publish and a subscription are told.
// =================================================================================================

/// Everything that a session is told before it connects.
class Options
    : public detail::Builder<Options, mqtt_options, mqtt_options_new, mqtt_options_free> {
  public:
    Options() = default;
    explicit Options(std::nothrow_t form) : Builder(form) {}

    // Where the broker is, and who the client is.
    Options &address(const Text &address) {
        return apply(mqtt_options_set_address(get(), address.c_str()));
    }
    Options &host(const Text &host) { return apply(mqtt_options_set_host(get(), host.c_str())); }
    Options &port(std::int32_t port) { return apply(mqtt_options_set_port(get(), port)); }
    Options &tls(bool tls) { return apply(mqtt_options_set_tls(get(), tls)); }
    Options &version(Version version) {
        return apply(mqtt_options_set_version(get(), detail::number(version)));
    }
    Options &client_id(const Text &client_id) {
        return apply(mqtt_options_set_client_id(get(), client_id.c_str()));
    }
    Options &any_client_id(bool any) {
        return apply(mqtt_options_set_any_client_id(get(), any));
    }
    Options &clean_session(bool clean) {
        return apply(mqtt_options_set_clean_session(get(), clean));
    }
    Options &user_name(const Text &user_name) {
        return apply(mqtt_options_set_user_name(get(), user_name.c_str()));
    }
    Options &password(Bytes password) {
        return apply(mqtt_options_set_password(get(), password.data(), password.size()));
    }

    // The connection.
    Options &keep_alive(std::chrono::seconds time) {
        // A number that C refuses stands for each that does not fit.
        const bool fits = time.count() >= 0 && time.count() <= UINT16_MAX;
        const std::int32_t seconds = fits ? static_cast<std::int32_t>(time.count()) : -1;
        return apply(mqtt_options_set_keep_alive_seconds(get(), seconds));
    }
    Options &connect_timeout(std::chrono::milliseconds time) {
        return apply(mqtt_options_set_connect_timeout(get(), time.count()));
    }
    Options &reconnect(bool reconnect) {
        return apply(mqtt_options_set_reconnect(get(), reconnect));
    }
    Options &reconnect_delay(std::chrono::milliseconds first, std::chrono::milliseconds longest) {
        return apply(mqtt_options_set_reconnect_delay(get(), first.count(), longest.count()));
    }
    Options &stable_time(std::chrono::milliseconds time) {
        return apply(mqtt_options_set_stable_time(get(), time.count()));
    }

    // Queues, callbacks, acknowledgements.
    Options &in_flight_limit(std::int32_t limit) {
        return apply(mqtt_options_set_in_flight_limit(get(), limit));
    }
    Options &outgoing_limit(std::size_t messages, std::size_t bytes) {
        return apply(mqtt_options_set_outgoing_limit(get(), messages, bytes));
    }
    Options &outgoing_policy(Policy policy) {
        return apply(mqtt_options_set_outgoing_policy(get(), detail::number(policy)));
    }
    Options &outgoing_wait(std::chrono::milliseconds time) {
        return apply(mqtt_options_set_outgoing_wait(get(), time.count()));
    }
    Options &incoming_limit(std::size_t messages, std::size_t bytes) {
        return apply(mqtt_options_set_incoming_limit(get(), messages, bytes));
    }
    Options &dispatch(Dispatch dispatch) {
        return apply(mqtt_options_set_dispatch(get(), detail::number(dispatch)));
    }
    Options &acknowledge(Acknowledge acknowledge) {
        return apply(mqtt_options_set_acknowledge(get(), detail::number(acknowledge)));
    }
    Options &acknowledge_failed(bool acknowledge) {
        return apply(mqtt_options_set_acknowledge_failed(get(), acknowledge));
    }
    Options &end_on_session_loss(bool end) {
        return apply(mqtt_options_set_end_on_session_loss(get(), end));
    }

    // Certificates, from files or from memory.
    Options &add_tls_authority_file(const Text &path) {
        return apply(mqtt_options_add_tls_authority_file(get(), path.c_str()));
    }
    Options &add_tls_authority_pem(Bytes pem) {
        return apply(mqtt_options_add_tls_authority_pem(get(), pem.data(), pem.size()));
    }
    /// No key (nullptr) when the certificate's file holds it too; no password for one that is not
    /// encrypted.
    Options &tls_certificate_files(const Text &certificate, const Text &key = nullptr,
                                   const Text &key_password = nullptr) {
        return apply(mqtt_options_set_tls_certificate_files(
            get(), certificate.c_str(), key.c_str(), key_password.c_str()));
    }
    /// The same from memory.
    Options &tls_certificate_pem(Bytes certificate, Bytes key = {},
                                 const Text &key_password = nullptr) {
        return apply(mqtt_options_set_tls_certificate_pem(get(), certificate.data(),
                                                          certificate.size(), key.data(),
                                                          key.size(), key_password.c_str()));
    }
    Options &tls_server_name(const Text &name) {
        return apply(mqtt_options_set_tls_server_name(get(), name.c_str()));
    }
    Options &tls_verify(bool verify) { return apply(mqtt_options_set_tls_verify(get(), verify)); }

    // The will, and what CONNECT says under MQTT 5.0.
    Options &will(const Text &topic, Bytes payload, QoS qos = QoS::at_most_once,
                  bool retain = false) {
        return apply(set_will(topic, payload, qos, retain, nullptr));
    }
    Options &will(const Text &topic, Bytes payload, QoS qos, bool retain,
                  const Properties &properties) {
        return apply(set_will(topic, payload, qos, retain, properties.get()), properties);
    }
    Options &clear_will() { return apply(mqtt_options_clear_will(get())); }
    Options &add_connect_properties(const Properties &properties) {
        return apply(mqtt_options_add_connect_properties(get(), properties.get()), properties);
    }
    Options &maximum_packet_size(std::uint32_t size) {
        return apply(mqtt_options_set_maximum_packet_size(get(), size));
    }
    Options &receive_maximum(std::int32_t maximum) {
        return apply(mqtt_options_set_receive_maximum(get(), maximum));
    }

  private:
    mqtt_status set_will(const Text &topic, Bytes payload, QoS qos, bool retain,
                         const mqtt_properties *properties) {
        return mqtt_options_set_will(get(), topic.c_str(), payload.data(), payload.size(),
                                     detail::number(qos), retain, properties);
    }
};

/// How messages are published. One object serves any number of publishes.
class PublishOptions
    : public detail::Builder<PublishOptions, mqtt_publish_options, mqtt_publish_options_new,
                             mqtt_publish_options_free> {
  public:
    PublishOptions() = default;
    explicit PublishOptions(std::nothrow_t form) : Builder(form) {}

    PublishOptions &qos(QoS qos) {
        return apply(mqtt_publish_options_set_qos(get(), detail::number(qos)));
    }
    PublishOptions &retain(bool retain) {
        return apply(mqtt_publish_options_set_retain(get(), retain));
    }
    PublishOptions &properties(const Properties &properties) {
        return apply(mqtt_publish_options_set_properties(get(), properties.get()), properties);
    }
};

/// How filters are subscribed to.
class SubscribeOptions
    : public detail::Builder<SubscribeOptions, mqtt_subscribe_options, mqtt_subscribe_options_new,
                             mqtt_subscribe_options_free> {
  public:
    SubscribeOptions() = default;
    explicit SubscribeOptions(std::nothrow_t form) : Builder(form) {}

    SubscribeOptions &qos(QoS qos) {
        return apply(mqtt_subscribe_options_set_qos(get(), detail::number(qos)));
    }
    SubscribeOptions &no_local(bool no_local) {
        return apply(mqtt_subscribe_options_set_no_local(get(), no_local));
    }
    SubscribeOptions &retain_as_published(bool retain) {
        return apply(mqtt_subscribe_options_set_retain_as_published(get(), retain));
    }
    SubscribeOptions &retain_handling(RetainHandling handling) {
        return apply(
            mqtt_subscribe_options_set_retain_handling(get(), detail::number(handling)));
    }
    SubscribeOptions &properties(const Properties &properties) {
        return apply(mqtt_subscribe_options_set_properties(get(), properties.get()), properties);
    }
};

// =================================================================================================
// What a session has been told to do, and what happens to it.
// =================================================================================================

/// Something that goes on and ends exactly once. One that is destroyed goes on unwatched.
class Operation {
  public:
    explicit Operation(mqtt_operation *operation) noexcept : object_(operation) {}

    /// Waits until it has ended; again and again, if need be.
    void wait(Timeout timeout = default_timeout) const { wait(std::nothrow, timeout).value(); }
    Result<void> wait(std::nothrow_t, Timeout timeout = default_timeout) const {
        return detail::result(mqtt_operation_wait(get(), timeout.milliseconds()));
    }

    /// What the broker granted for one of the filters, by its place from 0, of a subscription that
    /// has ended.
    QoS granted(std::size_t place = 0) const { return granted(std::nothrow, place).value(); }
    Result<QoS> granted(std::nothrow_t, std::size_t place = 0) const {
        std::int32_t qos = 0;
        const mqtt_status status = mqtt_operation_granted(get(), place, &qos);
        return detail::result(status, static_cast<QoS>(qos));
    }

    /// Has `handler(const Operation &ended, const Result<void> &result)` called when it ends. The
    /// operation is used up: `std::move(operation).on_end(...)`.
    template <class Handler,
              detail::Calls<Handler, const Operation &, const Result<void> &> = 0>
    void on_end(Handler &&handler) && {
        std::move(*this).on_end(std::nothrow, std::forward<Handler>(handler)).value();
    }
    template <class Handler,
              detail::Calls<Handler, const Operation &, const Result<void> &> = 0>
    Result<void> on_end(std::nothrow_t, Handler &&handler) && {
        using Triple = detail::Triple<std::decay_t<Handler>>;
        void *const user_data = detail::keep(std::forward<Handler>(handler));
        return detail::result(mqtt_operation_on_end(object_.release(), Triple::ended, user_data,
                                                    Triple::destroy));
    }

    mqtt_operation *get() const noexcept { return object_.get(); }

  private:
    template <class Function>
    friend struct detail::Triple;

    detail::Owner<mqtt_operation, mqtt_operation_free> object_;
};

/// Something that has happened to a session. A handler is lent one for its call.
class Event {
  public:
    explicit Event(const mqtt_event *event) noexcept : event_(event) {}
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;

    EventKind kind() const noexcept { return static_cast<EventKind>(mqtt_event_kind(event_)); }
    /// The error that it carries. Only in the handler's own thread.
    std::optional<Error> error() const {
        const mqtt_status status = mqtt_event_status(event_);
        return status == MQTT_OK ? std::nullopt : std::optional<Error>(Error(status));
    }
    /// For EventKind::connected.
    bool session_present() const noexcept { return mqtt_event_session_present(event_) != 0; }
    std::string_view client_id() const noexcept {
        return detail::text(mqtt_event_client_id(event_));
    }
    PropertyView properties() const noexcept { return PropertyView(mqtt_event_properties(event_)); }
    /// For EventKind::subscription_refused.
    std::string_view filter() const noexcept { return detail::text(mqtt_event_filter(event_)); }
    /// For EventKind::retrying.
    std::chrono::milliseconds delay() const noexcept {
        return std::chrono::milliseconds(mqtt_event_delay_ms(event_));
    }

    const mqtt_event *get() const noexcept { return event_; }

  private:
    const mqtt_event *event_;
};

// =================================================================================================
// The session.
// =================================================================================================

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

    /// With `handler(std::uint64_t number, const Result<std::int32_t> &reason)`, which is called
    /// once when the message has ended: with the reason code of its acknowledgement, or the error.
    template <class Handler,
              detail::Calls<Handler, std::uint64_t, const Result<std::int32_t> &> = 0>
    std::uint64_t publish(const Text &topic, Bytes payload, const PublishOptions &options,
                          Handler &&handler) const {
        return publish(std::nothrow, topic, payload, options, std::forward<Handler>(handler))
            .value();
    }
    template <class Handler,
              detail::Calls<Handler, std::uint64_t, const Result<std::int32_t> &> = 0>
    Result<std::uint64_t> publish(std::nothrow_t, const Text &topic, Bytes payload,
                                  const PublishOptions &options, Handler &&handler) const {
        if (options.failure())
            return *options.failure();
        using Triple = detail::Triple<std::decay_t<Handler>>;
        return publish_with(topic, payload, options, Triple::published,
                            detail::keep(std::forward<Handler>(handler)), Triple::destroy);
    }

    /// Waits until a message has ended; the reason code of its acknowledgement.
    std::int32_t wait(std::uint64_t number, Timeout timeout = default_timeout) const {
        return wait(std::nothrow, number, timeout).value();
    }
    Result<std::int32_t> wait(std::nothrow_t, std::uint64_t number,
                              Timeout timeout = default_timeout) const {
        std::int32_t reason = 0;
        const mqtt_status status =
            mqtt_session_wait(get(), number, timeout.milliseconds(), &reason);
        return detail::result(status, reason);
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
        const std::vector<Text> texts(filters.begin(), filters.end());
        std::vector<const char *> pointers;
        for (const Text &text : texts)
            pointers.push_back(text.c_str());
        using Triple = detail::Triple<std::decay_t<Handler>>;
        void *const user_data = detail::keep(std::forward<Handler>(handler));
        return start([&](mqtt_operation **operation) {
            return mqtt_session_subscribe_start(get(), pointers.data(), pointers.size(),
                                                options.get(), Triple::message, user_data,
                                                Triple::destroy, operation);
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

    static Result<std::optional<QoS>> grant(mqtt_status status, std::int32_t granted) {
        using Granted = std::optional<QoS>;
        return detail::result(status, granted < 0 ? Granted() : static_cast<QoS>(granted));
    }

    detail::Owner<mqtt_session, mqtt_session_free> object_;
};

// =================================================================================================
// The library as a whole.
// =================================================================================================

/// Sets `handler(LogLevel level, std::string_view line)` for the whole process; nullptr for none
/// any more. It may be called on any thread, on several at once, and must not call the library.
template <class Handler, detail::Calls<Handler, LogLevel, std::string_view> = 0>
void set_log(LogLevel level, Handler &&handler) {
    using Triple = detail::Triple<std::decay_t<Handler>>;
    void *const user_data = detail::keep(std::forward<Handler>(handler));
    detail::result(mqtt_library_set_log(detail::number(level), Triple::log, user_data,
                                        Triple::destroy))
        .value();
}
inline void set_log(std::nullptr_t) {
    detail::result(mqtt_library_set_log(MQTT_LOG_OFF, nullptr, nullptr, nullptr)).value();
}

// =================================================================================================
// The functions that C calls back.
// =================================================================================================

namespace detail {

template <class Function>
void Triple<Function>::message(const mqtt_message *message, void *user_data) noexcept {
    if (!run([&] { call(user_data, Message(message)); }))
        mqtt_message_fail(message);
}

template <class Function>
void Triple<Function>::published(std::uint64_t number, mqtt_status status, std::int32_t reason,
                                 void *user_data) noexcept {
    run([&] { call(user_data, number, detail::result(status, reason)); });
}

template <class Function>
void Triple<Function>::ended(const mqtt_operation *operation, mqtt_status status,
                             void *user_data) noexcept {
    Operation lent(const_cast<mqtt_operation *>(operation));
    run([&] { call(user_data, lent, detail::result(status)); });
    static_cast<void>(lent.object_.release());
}

template <class Function>
void Triple<Function>::event(const mqtt_event *event, void *user_data) noexcept {
    run([&] { call(user_data, Event(event)); });
}

template <class Function>
void Triple<Function>::log(std::int32_t level, const char *text, void *user_data) noexcept {
    run([&] { call(user_data, static_cast<LogLevel>(level), std::string_view(text)); });
}

} // namespace detail

// =================================================================================================
// The mqttSession object of the WLanguage family.
// =================================================================================================

namespace detail {

/// The value of a property of mqttSession: text, a number, a truth or a duration.
class Setting {
  public:
    Setting(const char *text) : text_(text ? text : "") {}
    Setting(const std::string &text) : text_(text) {}
    Setting(std::string_view text) : text_(text) {}
    Setting(bool truth) : text_(truth ? "true" : "false") {}
    Setting(int number) : text_(std::to_string(number)) {}
    template <class Number, class Period>
    Setting(std::chrono::duration<Number, Period> time)
        : text_(std::to_string(Timeout(time).milliseconds()) + " ms") {}

    const std::string &text() const noexcept { return text_; }

  private:
    std::string text_;
};

/// The procedures of all mqttSession objects. The C functions do not say when they have called one
/// for the last time; so they are given its number, and a call that comes too late finds nothing.
class Procedures {
  public:
    using Number = std::uintptr_t;

    /// Never destroyed: procedures may still run while the program's static objects are.
    static Procedures &all() {
        static Procedures *const all = new Procedures;
        return *all;
    }

    /// Ascending; the topic is empty for the procedure of a publication.
    Number add(::mqttSession *session, const char *topic, std::shared_ptr<void> callable) {
        const std::lock_guard<std::mutex> lock(mutex_);
        list_.emplace(Key(session, ++last_), Procedure{topic, std::move(callable)});
        return last_;
    }

    std::shared_ptr<void> find(::mqttSession *session, Number number) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = list_.find(Key(session, number));
        return found == list_.end() ? nullptr : found->second.callable;
    }

    /// No further call of those `chosen(number, topic)` comes; a running one goes on.
    template <class Chosen>
    void remove_if(::mqttSession *session, Chosen chosen) {
        // Destroyed outside the lock: a callable may use the library in its destructor.
        std::vector<std::shared_ptr<void>> removed;
        const std::lock_guard<std::mutex> lock(mutex_);
        auto next = list_.lower_bound(Key(session, 0));
        while (next != list_.end() && next->first.first == session) {
            if (chosen(next->first.second, next->second.topic)) {
                removed.push_back(std::move(next->second.callable));
                next = list_.erase(next);
            } else {
                ++next;
            }
        }
    }

    void remove(::mqttSession *session, Number number) {
        remove_if(session, [&](Number candidate, auto &) { return candidate == number; });
    }

    /// The number that was given last.
    Number last() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return last_;
    }

  private:
    using Key = std::pair<::mqttSession *, Number>;

    struct Procedure {
        std::string topic;
        std::shared_ptr<void> callable;
    };

    std::mutex mutex_;
    Number last_ = 0;
    std::map<Key, Procedure> list_;
};

/// Ends an mqttSession and lets go of its procedures, but not of those that a new one at the same
/// address has been given meanwhile.
inline void end(::mqttSession *session) noexcept {
    const Procedures::Number last = Procedures::all().last();
    mqttSessionFree(session);
    Procedures::all().remove_if(session, [&](auto number, auto &) { return number <= last; });
}

} // namespace detail

namespace wlanguage {

using ::mqttQualiteAuMoinsUneFois;
using ::mqttQualiteAuPlusUneFois;
using ::mqttQualiteExactementUneFois;
using ::mqttQualityAtLeastOnce;
using ::mqttQualityAtMostOnce;
using ::mqttQualityExactlyOnce;
using ::optionSSL;

/// The text of this thread's last failure, "" if there was none.
inline std::string ErrorInfo() { return MQTTErrorInfo(); }
inline std::string ErreurInfo() { return MQTTErreurInfo(); }

/// A session as the WLanguage family knows it; mqttsession_wlanguage.h is its manual. Functions
/// that answer bool answer false on failure, and ErrorInfo() says why.
class mqttSession {
  public:
    mqttSession() : object_(mqttSessionNew()) {}

    // ---- Properties. A change has an effect at the next connect.

    using Setting = detail::Setting;

    bool Address(const Setting &value) { return Set("Address", value); }
    bool Port(const Setting &value) { return Set("Port", value); }
    bool Option(const Setting &value) { return Set("Option", value); }
    /// Seconds, a std::chrono duration, or text such as "500 ms".
    bool ConnectionTimeout(const Setting &value) { return Set("ConnectionTimeout", value); }
    bool User(const Setting &value) { return Set("User", value); }
    bool UserPassword(const Setting &value) { return Set("UserPassword", value); }
    bool PrivateKey(const Setting &value) { return Set("PrivateKey", value); }
    bool PrivateKeyPassword(const Setting &value) { return Set("PrivateKeyPassword", value); }
    bool ClientID(const Setting &value) { return Set("ClientID", value); }
    bool CleanSession(const Setting &value) { return Set("CleanSession", value); }
    bool CACertificate(const Setting &value) { return Set("CACertificate", value); }
    bool StoreDirectory(const Setting &value) { return Set("StoreDirectory", value); }
    bool ProtocolVersion(const Setting &value) { return Set("ProtocolVersion", value); }

    bool Adresse(const Setting &value) { return Address(value); }
    bool DelaiConnexion(const Setting &value) { return ConnectionTimeout(value); }
    bool TimeoutConnexion(const Setting &value) { return ConnectionTimeout(value); }
    bool Utilisateur(const Setting &value) { return User(value); }
    bool MotDePasseUtilisateur(const Setting &value) { return UserPassword(value); }
    bool ClePrivee(const Setting &value) { return PrivateKey(value); }
    bool MotDePasseClePrivee(const Setting &value) { return PrivateKeyPassword(value); }
    bool IDClient(const Setting &value) { return ClientID(value); }
    bool SessionPropre(const Setting &value) { return CleanSession(value); }
    bool SessionVide(const Setting &value) { return CleanSession(value); }
    bool CertificatAC(const Setting &value) { return CACertificate(value); }
    bool RepertoireStockage(const Setting &value) { return StoreDirectory(value); }
    bool VersionProtocole(const Setting &value) { return ProtocolVersion(value); }

    /// Sets a property by any of its names.
    bool Set(const mqttsession::Text &property, const Setting &value) {
        const mqttsession::Text text(value.text());
        return mqttSessionSet(get(), property.c_str(), text.c_str()) != 0;
    }

    /// Reads a property back; nothing for one that does not exist or is a secret.
    std::optional<std::string> Text(const mqttsession::Text &property) const {
        const std::int64_t size = mqttSessionText(get(), property.c_str(), nullptr, 0);
        if (size < 0)
            return std::nullopt;
        std::string text(static_cast<std::size_t>(size), '\0');
        mqttSessionText(get(), property.c_str(), text.data(), text.size() + 1);
        return text;
    }

    // ---- Functions.

    bool Connect() { return MQTTConnect(get()) != 0; }
    bool Connecte() { return Connect(); }

    bool Disconnect() { return MQTTDisconnect(get()) != 0; }
    bool Deconnecte() { return Disconnect(); }

    /// The message number for QoS 1 and 2, 0 for QoS 0, -1 on failure.
    std::int64_t Publish(const mqttsession::Text &topic, Bytes data, bool to_store = false,
                         std::int32_t quality = mqttQualityAtMostOnce) {
        return MQTTPublish(get(), topic.c_str(), data.data(), data.size(), to_store, quality,
                           nullptr, nullptr);
    }
    /// Calls `procedure(mqttSession &session, std::int64_t message_number)` when the publication is
    /// complete. One that fails has no call; its procedure is kept as long as the session.
    template <class Procedure,
              mqttsession::detail::Calls<Procedure, mqttSession &, std::int64_t> = 0>
    std::int64_t Publish(const mqttsession::Text &topic, Bytes data, bool to_store,
                         std::int32_t quality, Procedure &&procedure) {
        using Callable = std::decay_t<Procedure>;
        const auto number = detail::Procedures::all().add(
            get(), "", std::make_shared<Callable>(std::forward<Procedure>(procedure)));
        const std::int64_t published =
            MQTTPublish(get(), topic.c_str(), data.data(), data.size(), to_store, quality,
                        on_published<Callable>, reinterpret_cast<void *>(number));
        if (published < 0)
            detail::Procedures::all().remove(get(), number);
        return published;
    }
    template <class... Arguments>
    std::int64_t Publie(const mqttsession::Text &topic, Bytes data, Arguments &&...arguments) {
        return Publish(topic, data, std::forward<Arguments>(arguments)...);
    }

    /// Calls `procedure(mqttSession &session, std::string_view topic, std::string_view data)` once
    /// for each message.
    template <class Procedure, mqttsession::detail::Calls<Procedure, mqttSession &,
                                                          std::string_view, std::string_view> = 0>
    bool Subscribe(const mqttsession::Text &topic, std::int32_t quality, Procedure &&procedure) {
        using Callable = std::decay_t<Procedure>;
        auto &procedures = detail::Procedures::all();
        const auto number = procedures.add(
            get(), topic.c_str(), std::make_shared<Callable>(std::forward<Procedure>(procedure)));
        const bool granted = MQTTSubscribe(get(), topic.c_str(), quality, on_message<Callable>,
                                           reinterpret_cast<void *>(number)) != 0;
        const mqtt_status failure = granted ? MQTT_OK : mqtt_last_error_status();
        // After these two the subscription goes on.
        if (granted || failure == MQTT_TIMEOUT || failure == MQTT_WOULD_DEADLOCK) {
            procedures.remove_if(get(), [&](auto earlier, const std::string &its) {
                return earlier < number && its == topic.c_str();
            });
        } else {
            procedures.remove(get(), number);
        }
        return granted;
    }
    template <class Procedure>
    bool Abonne(const mqttsession::Text &topic, std::int32_t quality, Procedure &&procedure) {
        return Subscribe(topic, quality, std::forward<Procedure>(procedure));
    }

    bool Unsubscribe(const mqttsession::Text &topic) {
        const bool done = MQTTUnsubscribe(get(), topic.c_str()) != 0;
        detail::Procedures::all().remove_if(
            get(), [&](auto, const std::string &its) { return its == topic.c_str(); });
        return done;
    }
    bool Desabonne(const mqttsession::Text &topic) { return Unsubscribe(topic); }

    bool UnsubscribeAll() {
        const bool done = MQTTUnsubscribeAll(get()) != 0;
        detail::Procedures::all().remove_if(
            get(), [](auto, const std::string &its) { return !its.empty(); });
        return done;
    }
    bool DesabonneTout() { return UnsubscribeAll(); }

    ::mqttSession *get() const noexcept { return object_.get(); }

  private:
    explicit mqttSession(::mqttSession *session) noexcept : object_(session) {}

    template <class Callable>
    static void on_message(::mqttSession *session, const char *topic, const void *data,
                           std::size_t size, void *number) noexcept {
        call<Callable>(session, number, std::string_view(topic),
                       std::string_view(static_cast<const char *>(data), size));
    }

    template <class Callable>
    static void on_published(::mqttSession *session, std::int64_t message_number,
                             void *number) noexcept {
        call<Callable>(session, number, message_number);
        detail::Procedures::all().remove(session, reinterpret_cast<std::uintptr_t>(number));
    }

    template <class Callable, class... Arguments>
    static void call(::mqttSession *session, void *number, Arguments... arguments) noexcept {
        const auto callable =
            detail::Procedures::all().find(session, reinterpret_cast<std::uintptr_t>(number));
        if (!callable)
            return;
        mqttSession lent(session);
        detail::run([&] { (*static_cast<Callable *>(callable.get()))(lent, arguments...); });
        static_cast<void>(lent.object_.release());
    }

    detail::Owner<::mqttSession, detail::end> object_;
};

} // namespace wlanguage

} // namespace mqttsession

#endif
