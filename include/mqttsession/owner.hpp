// Owners of C objects, and callables as callback triples.

#ifndef MQTTSESSION_OWNER_HPP
#define MQTTSESSION_OWNER_HPP

#include "error.hpp"

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace mqttsession {

namespace detail {

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
    static void published(std::uint64_t number, mqtt_status status, const mqtt_outcome *outcome,
                          void *user_data) noexcept;
    static void respond(const mqtt_message *request, mqtt_response *response,
                        void *user_data) noexcept;
    static mqtt_status authenticate(mqtt_authentication *authentication, void *user_data) noexcept;
    static mqtt_status identify(mqtt_credentials *credentials, void *user_data) noexcept;
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

} // namespace mqttsession

#endif
