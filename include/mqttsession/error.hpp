// Errors: thrown, or returned.

#ifndef MQTTSESSION_ERROR_HPP
#define MQTTSESSION_ERROR_HPP

#if __cplusplus < 201703L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 201703L)
#error "mqttsession.hpp needs C++17 or later"
#endif

#include "../mqttsession.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mqttsession {

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
    /// Where the broker sends the session instead; may be empty.
    const std::string &server_reference() const noexcept { return words_->server_reference; }
    /// The user properties of the broker's answer, name and value.
    const std::vector<std::pair<std::string, std::string>> &user_properties() const noexcept {
        return words_->user_properties;
    }
    /// Whether it may succeed later without a change to the program or its options.
    bool retryable() const noexcept { return retryable_; }
    /// Whether the session that failed so is of no more use.
    bool ends_session() const noexcept { return mqtt_status_ends_session(status_) != 0; }

  private:
    struct Words {
        std::string cause, reason_string, server_reference;
        std::vector<std::pair<std::string, std::string>> user_properties;
    };

    static std::shared_ptr<const Words> last_words() {
        Words words{mqtt_last_error_cause(), mqtt_last_error_reason_string(),
                    mqtt_last_error_server_reference(), {}};
        const auto text = [](mqtt_view view) {
            return std::string(reinterpret_cast<const char *>(view.data), view.size);
        };
        const mqtt_properties *const said = mqtt_last_error_properties();
        for (std::size_t place = 0; place < mqtt_properties_count(said); ++place) {
            if (mqtt_properties_identifier(said, place) == MQTT_PROPERTY_USER_PROPERTY)
                words.user_properties.emplace_back(text(mqtt_properties_name(said, place)),
                                                   text(mqtt_properties_value(said, place)));
        }
        return std::make_shared<const Words>(std::move(words));
    }

    Error(mqtt_status status, bool is_last)
        : std::runtime_error(is_last ? mqtt_last_error_message() : mqtt_status_sentence(status)),
          status_(status),
          layer_(is_last ? mqtt_last_error_layer() : ""),
          retryable_(is_last && mqtt_last_error_is_retryable() != 0),
          words_(is_last ? last_words() : std::make_shared<const Words>()) {
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

} // namespace mqttsession

#endif
