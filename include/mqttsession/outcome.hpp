// How something ended that the broker answers.

#ifndef MQTTSESSION_OUTCOME_HPP
#define MQTTSESSION_OUTCOME_HPP

#include "property.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace mqttsession {

/// How a publish, a subscription or an unsubscribe ended, and what the broker said about it: a view,
/// valid as long as what shows it.
class Outcome {
  public:
    explicit Outcome(const mqtt_outcome *outcome) noexcept : outcome_(outcome) {}

    /// MQTT_OK, or the error.
    mqtt_status status() const noexcept { return mqtt_outcome_status(get()); }
    bool ok() const noexcept { return status() == MQTT_OK; }
    /// The sentence about the error; empty when it ended well.
    const char *message() const noexcept { return mqtt_outcome_message(get()); }
    /// The broker's reason code, an MQTT_REASON_..., where it answered. That of a subscription is
    /// the quality of service that it granted.
    std::optional<std::uint8_t> reason() const noexcept {
        const std::int32_t reason = mqtt_outcome_reason(get());
        return reason < 0 ? std::nullopt : std::optional(static_cast<std::uint8_t>(reason));
    }
    /// The broker's own words; may be empty.
    std::string_view reason_string() const noexcept {
        return detail::text(mqtt_outcome_reason_string(get()));
    }
    PropertyView properties() const noexcept {
        return PropertyView(mqtt_outcome_properties(get()));
    }

    const mqtt_outcome *get() const noexcept { return outcome_; }

  private:
    const mqtt_outcome *outcome_;
};

/// An outcome that is kept.
class OwnedOutcome : public Outcome {
  public:
    explicit OwnedOutcome(mqtt_outcome *outcome) noexcept : Outcome(outcome), object_(outcome) {}
    OwnedOutcome(OwnedOutcome &&other) noexcept
        : Outcome(std::exchange(static_cast<Outcome &>(other), Outcome(nullptr))),
          object_(std::move(other.object_)) {}
    OwnedOutcome &operator=(OwnedOutcome &&other) noexcept {
        Outcome::operator=(std::exchange(static_cast<Outcome &>(other), Outcome(nullptr)));
        object_ = std::move(other.object_);
        return *this;
    }

  private:
    detail::Owner<mqtt_outcome, mqtt_outcome_free> object_;
};

namespace detail {

template <class Function>
void Triple<Function>::published(std::uint64_t number, mqtt_status status,
                                 const mqtt_outcome *outcome, void *user_data) noexcept {
    run([&] { call(user_data, number, detail::result(status, Outcome(outcome))); });
}

} // namespace detail

} // namespace mqttsession

#endif
