// Proving who the session is: questions that the library asks while it connects.

#ifndef MQTTSESSION_AUTHENTICATION_HPP
#define MQTTSESSION_AUTHENTICATION_HPP

#include "owner.hpp"
#include "value.hpp"

#include <cstdint>
#include <new>
#include <optional>
#include <string_view>

namespace mqttsession {

/// Where an authentication exchange stands.
enum class AuthenticationStep : std::int32_t {
    connect = MQTT_AUTHENTICATION_CONNECT,
    again = MQTT_AUTHENTICATION_AGAIN,
    more = MQTT_AUTHENTICATION_CONTINUE,
    success = MQTT_AUTHENTICATION_SUCCESS,
};

/// One step of an authentication exchange. An authenticator is lent one for its call.
class Authentication {
  public:
    explicit Authentication(mqtt_authentication *authentication) noexcept
        : authentication_(authentication) {}
    Authentication(const Authentication &) = delete;
    Authentication &operator=(const Authentication &) = delete;

    AuthenticationStep step() const noexcept {
        return static_cast<AuthenticationStep>(mqtt_authentication_step(authentication_));
    }
    /// What the broker sent, any bytes; nothing when it sent no data.
    std::optional<std::string_view> data() const noexcept {
        if (mqtt_authentication_has_data(authentication_) == 0)
            return std::nullopt;
        return detail::text(mqtt_authentication_data(authentication_));
    }
    /// Sets the data with which the step is answered.
    void answer(Bytes data) const { answer(std::nothrow, data).value(); }
    Result<void> answer(std::nothrow_t, Bytes data) const {
        return detail::result(
            mqtt_authentication_set_answer(authentication_, data.data(), data.size()));
    }

  private:
    mqtt_authentication *authentication_;
};

/// User name and password for one attempt to connect. A source is lent them for its call.
class Credentials {
  public:
    explicit Credentials(mqtt_credentials *credentials) noexcept : credentials_(credentials) {}
    Credentials(const Credentials &) = delete;
    Credentials &operator=(const Credentials &) = delete;

    void user_name(const Text &user_name) const { this->user_name(std::nothrow, user_name).value(); }
    Result<void> user_name(std::nothrow_t, const Text &user_name) const {
        return detail::result(mqtt_credentials_set_user_name(credentials_, user_name.c_str()));
    }
    void password(Bytes password) const { this->password(std::nothrow, password).value(); }
    Result<void> password(std::nothrow_t, Bytes password) const {
        return detail::result(
            mqtt_credentials_set_password(credentials_, password.data(), password.size()));
    }

  private:
    mqtt_credentials *credentials_;
};

namespace detail {

/// Runs a question. An Error that leaves it hands its status on; any other exception is reported,
/// and is a failed authentication.
template <class Body>
mqtt_status ask(Body body) noexcept {
    mqtt_status status = MQTT_OK;
    const bool answered = run([&] {
#ifdef __cpp_exceptions
        try {
            body();
        } catch (const Error &error) {
            status = error.status();
        }
#else
        body();
#endif
    });
    return answered ? status : MQTT_AUTHENTICATION_FAILED;
}

template <class Function>
mqtt_status Triple<Function>::authenticate(mqtt_authentication *authentication,
                                           void *user_data) noexcept {
    return ask([&] { call(user_data, Authentication(authentication)); });
}

template <class Function>
mqtt_status Triple<Function>::identify(mqtt_credentials *credentials, void *user_data) noexcept {
    return ask([&] { call(user_data, Credentials(credentials)); });
}

} // namespace detail

} // namespace mqttsession

#endif
