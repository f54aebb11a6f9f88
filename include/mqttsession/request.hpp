// Asking and answering: request and response of MQTT 5.0.

#ifndef MQTTSESSION_REQUEST_HPP
#define MQTTSESSION_REQUEST_HPP

#include "message.hpp"

#include <new>

namespace mqttsession {

/// How to ask. One object serves any number of requests.
class RequestOptions
    : public detail::Builder<RequestOptions, mqtt_request_options, mqtt_request_options_new,
                             mqtt_request_options_free> {
  public:
    RequestOptions() = default;
    explicit RequestOptions(std::nothrow_t form) : Builder(form) {}

    /// Of the request; a responder of this library answers at the same.
    RequestOptions &qos(QoS qos) {
        return apply(mqtt_request_options_set_qos(get(), detail::number(qos)));
    }
    RequestOptions &properties(const Properties &properties) {
        return apply(mqtt_request_options_set_properties(get(), properties.get()), properties);
    }
};

/// The answer that a responder gives; nothing is answered while nothing has been set. A responder
/// is lent one for its call.
class Response {
  public:
    explicit Response(mqtt_response *response) noexcept : response_(response) {}
    Response(const Response &) = delete;
    Response &operator=(const Response &) = delete;

    void payload(Bytes payload) const { this->payload(std::nothrow, payload).value(); }
    Result<void> payload(std::nothrow_t, Bytes payload) const {
        return detail::result(
            mqtt_response_set_payload(response_, payload.data(), payload.size()));
    }
    void properties(const Properties &properties) const {
        this->properties(std::nothrow, properties).value();
    }
    Result<void> properties(std::nothrow_t, const Properties &properties) const {
        if (properties.failure())
            return *properties.failure();
        return detail::result(mqtt_response_set_properties(response_, properties.get()));
    }

  private:
    mqtt_response *response_;
};

namespace detail {

template <class Function>
void Triple<Function>::respond(const mqtt_message *request, mqtt_response *response,
                               void *user_data) noexcept {
    if (!run([&] { call(user_data, Message(request), Response(response)); }))
        mqtt_message_fail(request);
}

} // namespace detail

} // namespace mqttsession

#endif
