// Received messages, and acknowledging them later.

#ifndef MQTTSESSION_MESSAGE_HPP
#define MQTTSESSION_MESSAGE_HPP

#include "property.hpp"

#include <new>
#include <string_view>
#include <utility>

namespace mqttsession {

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
        return detail::result(mqtt_acknowledgement_refuse(object_.release(), reason, nullptr));
    }
    /// With more to say about it: a reason string, user properties.
    void refuse(std::int32_t reason, const Properties &properties) {
        refuse(std::nothrow, reason, properties).value();
    }
    Result<void> refuse(std::nothrow_t, std::int32_t reason, const Properties &properties) {
        if (properties.failure())
            return *properties.failure();
        return detail::result(
            mqtt_acknowledgement_refuse(object_.release(), reason, properties.get()));
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
    /// Whether a handler may have seen it before the process, or the machine, went down.
    bool redelivered() const noexcept { return mqtt_message_redelivered(get()) != 0; }
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

namespace detail {

template <class Function>
void Triple<Function>::message(const mqtt_message *message, void *user_data) noexcept {
    if (!run([&] { call(user_data, Message(message)); }))
        mqtt_message_fail(message);
}

} // namespace detail

} // namespace mqttsession

#endif
