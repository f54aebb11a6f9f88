// MQTT 5.0 properties.

#ifndef MQTTSESSION_PROPERTY_HPP
#define MQTTSESSION_PROPERTY_HPP

#include "owner.hpp"
#include "value.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mqttsession {

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

} // namespace mqttsession

#endif
