// What the broker said when it accepted the connection.

#ifndef MQTTSESSION_CONNECTION_HPP
#define MQTTSESSION_CONNECTION_HPP

#include "property.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mqttsession {

/// What the broker said when it accepted a connection. It stays as it is when the connection is
/// lost.
class Connection {
  public:
    explicit Connection(mqtt_connection *connection) noexcept : object_(connection) {}

    /// Whether the broker had kept the session.
    bool session_present() const noexcept {
        return mqtt_connection_session_present(get()) != 0;
    }
    /// The client id in use, which the broker may have assigned.
    std::string_view client_id() const noexcept {
        return detail::text(mqtt_connection_client_id(get()));
    }
    /// A number that holds on the connection, an MQTT_PROPERTY_... of those that the C function
    /// lists; nothing where the broker leaves it to what the session asked for.
    std::optional<std::uint32_t> number(std::int32_t which) const noexcept {
        const std::int64_t number = mqtt_connection_number(get(), which);
        return number < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(number));
    }
    /// All that it said.
    PropertyView properties() const noexcept {
        return PropertyView(mqtt_connection_properties(get()));
    }

    mqtt_connection *get() const noexcept { return object_.get(); }

  private:
    detail::Owner<mqtt_connection, mqtt_connection_free> object_;
};

} // namespace mqttsession

#endif
