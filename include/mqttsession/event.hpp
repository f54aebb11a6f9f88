// What happens to a session.

#ifndef MQTTSESSION_EVENT_HPP
#define MQTTSESSION_EVENT_HPP

#include "property.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mqttsession {

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
    /// What the broker said: its whole answer for EventKind::connected, and what it said about the
    /// error of another event.
    PropertyView properties() const noexcept { return PropertyView(mqtt_event_properties(event_)); }
    /// For EventKind::subscription_refused.
    std::string_view filter() const noexcept { return detail::text(mqtt_event_filter(event_)); }
    /// For EventKind::retrying.
    std::chrono::milliseconds delay() const noexcept {
        return std::chrono::milliseconds(mqtt_event_delay_ms(event_));
    }

    /// For EventKind::set_aside: the number of an own message, 0 for a received one; its topic, as
    /// far as it is known; the bytes of its packet.
    std::uint64_t number() const noexcept { return mqtt_event_number(event_); }
    std::string_view topic() const noexcept { return detail::text(mqtt_event_topic(event_)); }
    std::size_t size() const noexcept { return mqtt_event_size(event_); }
    /// For EventKind::acknowledgement_held: how many messages wait for an earlier one.
    std::size_t count() const noexcept { return mqtt_event_count(event_); }
    /// For EventKind::redirected.
    std::string_view address() const noexcept { return detail::text(mqtt_event_address(event_)); }

    /// For EventKind::restored: the own messages that the store held, the bytes of their packets, how
    /// many may have been sent; received messages whose handling was interrupted; whether the machine
    /// had gone down.
    std::size_t messages() const noexcept { return mqtt_event_messages(event_); }
    std::uint64_t bytes() const noexcept { return mqtt_event_bytes(event_); }
    std::size_t in_flight() const noexcept { return mqtt_event_in_flight(event_); }
    std::size_t interrupted() const noexcept { return mqtt_event_interrupted(event_); }
    bool after_power_loss() const noexcept { return mqtt_event_after_power_loss(event_) != 0; }
    /// For EventKind::session_lost: own messages that are published as new, own messages whose delivery
    /// is unknown, received messages that may come as new.
    std::size_t renewed() const noexcept { return mqtt_event_renewed(event_); }
    std::size_t unknown() const noexcept { return mqtt_event_unknown(event_); }
    std::size_t forgotten() const noexcept { return mqtt_event_forgotten(event_); }

    const mqtt_event *get() const noexcept { return event_; }

  private:
    const mqtt_event *event_;
};

namespace detail {

template <class Function>
void Triple<Function>::event(const mqtt_event *event, void *user_data) noexcept {
    run([&] { call(user_data, Event(event)); });
}

} // namespace detail

} // namespace mqttsession

#endif
