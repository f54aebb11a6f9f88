// What a session has been told to do.

#ifndef MQTTSESSION_OPERATION_HPP
#define MQTTSESSION_OPERATION_HPP

#include "message.hpp"
#include "outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>

namespace mqttsession {

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

    /// All that the broker answered for one of the filters of a subscription or unsubscribe that has
    /// ended; a view, valid as long as the operation. Nothing where there is none.
    std::optional<Outcome> outcome(std::size_t place = 0) const noexcept {
        const mqtt_outcome *const outcome = mqtt_operation_outcome(get(), place);
        return outcome ? std::optional(Outcome(outcome)) : std::nullopt;
    }

    /// The answer to a request that has ended.
    OwnedMessage message() const { return message(std::nothrow).value(); }
    Result<OwnedMessage> message(std::nothrow_t) const {
        mqtt_message *message = nullptr;
        const mqtt_status status = mqtt_operation_message(get(), &message);
        return detail::result(status, OwnedMessage(message));
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

namespace detail {

template <class Function>
void Triple<Function>::ended(const mqtt_operation *operation, mqtt_status status,
                             void *user_data) noexcept {
    Operation lent(const_cast<mqtt_operation *>(operation));
    run([&] { call(user_data, lent, detail::result(status)); });
    static_cast<void>(lent.object_.release());
}

} // namespace detail

} // namespace mqttsession

#endif
