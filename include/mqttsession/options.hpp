// What a session, a publish, a subscription and a request are told.

#ifndef MQTTSESSION_OPTIONS_HPP
#define MQTTSESSION_OPTIONS_HPP

#include "authentication.hpp"
#include "property.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace mqttsession {

/// Everything that a session is told before it connects.
class Options
    : public detail::Builder<Options, mqtt_options, mqtt_options_new, mqtt_options_free> {
  public:
    Options() = default;
    explicit Options(std::nothrow_t form) : Builder(form) {}

    // Where the broker is, and who the client is.
    Options &address(const Text &address) {
        return apply(mqtt_options_set_address(get(), address.c_str()));
    }
    Options &host(const Text &host) { return apply(mqtt_options_set_host(get(), host.c_str())); }
    Options &port(std::int32_t port) { return apply(mqtt_options_set_port(get(), port)); }
    Options &tls(bool tls) { return apply(mqtt_options_set_tls(get(), tls)); }
    Options &version(Version version) {
        return apply(mqtt_options_set_version(get(), detail::number(version)));
    }
    Options &client_id(const Text &client_id) {
        return apply(mqtt_options_set_client_id(get(), client_id.c_str()));
    }
    Options &any_client_id(bool any) {
        return apply(mqtt_options_set_any_client_id(get(), any));
    }
    Options &clean_session(bool clean) {
        return apply(mqtt_options_set_clean_session(get(), clean));
    }
    Options &user_name(const Text &user_name) {
        return apply(mqtt_options_set_user_name(get(), user_name.c_str()));
    }
    Options &password(Bytes password) {
        return apply(mqtt_options_set_password(get(), password.data(), password.size()));
    }

    // The connection.
    Options &keep_alive(std::chrono::seconds time) {
        // A number that C refuses stands for each that does not fit.
        const bool fits = time.count() >= 0 && time.count() <= UINT16_MAX;
        const std::int32_t seconds = fits ? static_cast<std::int32_t>(time.count()) : -1;
        return apply(mqtt_options_set_keep_alive_seconds(get(), seconds));
    }
    Options &connect_timeout(std::chrono::milliseconds time) {
        return apply(mqtt_options_set_connect_timeout(get(), time.count()));
    }
    Options &reconnect(bool reconnect) {
        return apply(mqtt_options_set_reconnect(get(), reconnect));
    }
    Options &reconnect_delay(std::chrono::milliseconds first, std::chrono::milliseconds longest) {
        return apply(mqtt_options_set_reconnect_delay(get(), first.count(), longest.count()));
    }
    Options &stable_time(std::chrono::milliseconds time) {
        return apply(mqtt_options_set_stable_time(get(), time.count()));
    }

    /// Whether a failure of the very first attempt is followed by further ones.
    Options &retry_first_connect(bool retry) {
        return apply(mqtt_options_set_retry_first_connect(get(), retry));
    }
    /// Overrides whether the session tries again after an error of this status.
    Options &retry(mqtt_status status, bool retry) {
        return apply(mqtt_options_set_retry(get(), status, retry));
    }
    bool retries(mqtt_status status) const noexcept {
        return mqtt_options_retries(get(), status) != 0;
    }
    /// How many times in a row it follows a broker that sends it to another server (MQTT 5.0).
    Options &redirect_limit(std::int32_t hops) {
        return apply(mqtt_options_set_redirect_limit(get(), hops));
    }

    // Proving who it is (MQTT 5.0, but for the source of credentials).
    /// `authenticator(const Authentication &step)` answers the broker's challenges. An Error that
    /// leaves it ends the exchange with its status.
    template <class Authenticator, detail::Calls<Authenticator, const Authentication &> = 0>
    Options &authenticator(const Text &method, Authenticator &&authenticator) {
        using Triple = detail::Triple<std::decay_t<Authenticator>>;
        void *const user_data = detail::keep(std::forward<Authenticator>(authenticator));
        return apply(mqtt_options_set_authenticator(get(), method.c_str(), Triple::authenticate,
                                                    user_data, Triple::destroy));
    }
    Options &scram_sha_256(const Text &user_name, const Text &password) {
        return apply(
            mqtt_options_set_scram_sha_256(get(), user_name.c_str(), password.c_str()));
    }
    /// `source(const Credentials &credentials)` is asked before each attempt to connect; nullptr for
    /// the fixed ones again. An Error that leaves it ends the attempt with its status.
    template <class Source, detail::Calls<Source, const Credentials &> = 0>
    Options &credentials_source(Source &&source) {
        using Triple = detail::Triple<std::decay_t<Source>>;
        void *const user_data = detail::keep(std::forward<Source>(source));
        return apply(mqtt_options_set_credentials_source(get(), Triple::identify, user_data,
                                                         Triple::destroy));
    }
    Options &credentials_source(std::nullptr_t) {
        return apply(mqtt_options_set_credentials_source(get(), nullptr, nullptr, nullptr));
    }

    // Queues, callbacks, acknowledgements.
    /// How long messages wait for being sent; forever for no limit.
    Options &time_to_live(Timeout time) {
        return apply(mqtt_options_set_time_to_live(get(), time.milliseconds()));
    }
    Options &topic_alias_limit(std::int32_t limit) {
        return apply(mqtt_options_set_topic_alias_limit(get(), limit));
    }
    /// After so many connections in a row that ended on the same message, 10 by default.
    Options &set_aside_after(std::int32_t connections) {
        return apply(mqtt_options_set_set_aside_after(get(), connections));
    }
    Options &in_flight_limit(std::int32_t limit) {
        return apply(mqtt_options_set_in_flight_limit(get(), limit));
    }
    Options &outgoing_limit(std::size_t messages, std::size_t bytes) {
        return apply(mqtt_options_set_outgoing_limit(get(), messages, bytes));
    }
    Options &outgoing_policy(Policy policy) {
        return apply(mqtt_options_set_outgoing_policy(get(), detail::number(policy)));
    }
    Options &outgoing_wait(std::chrono::milliseconds time) {
        return apply(mqtt_options_set_outgoing_wait(get(), time.count()));
    }
    Options &incoming_limit(std::size_t messages, std::size_t bytes) {
        return apply(mqtt_options_set_incoming_limit(get(), messages, bytes));
    }
    Options &dispatch(Dispatch dispatch) {
        return apply(mqtt_options_set_dispatch(get(), detail::number(dispatch)));
    }
    Options &acknowledge(Acknowledge acknowledge) {
        return apply(mqtt_options_set_acknowledge(get(), detail::number(acknowledge)));
    }
    /// The reason, of 128 and above, is that of Failure::refuse.
    Options &on_failure(Failure failure, std::int32_t reason = MQTT_REASON_UNSPECIFIED_ERROR) {
        return apply(mqtt_options_set_on_failure(get(), detail::number(failure), reason));
    }
    Options &end_on_session_loss(bool end) {
        return apply(mqtt_options_set_end_on_session_loss(get(), end));
    }

    // The store.
    /// The directory in which messages survive; nullptr for none.
    Options &store(const Text &directory) {
        return apply(mqtt_options_set_store(get(), directory.c_str()));
    }
    Options &durability(Durability durability) {
        return apply(mqtt_options_set_durability(get(), detail::number(durability), 0));
    }
    /// What is stored survives the machine at most so much later.
    Options &durability(std::chrono::milliseconds interval) {
        return apply(
            mqtt_options_set_durability(get(), MQTT_DURABILITY_INTERVAL, interval.count()));
    }
    Options &store_limit(std::size_t messages, std::size_t bytes) {
        return apply(mqtt_options_set_store_limit(get(), messages, bytes));
    }

    // Certificates, from files or from memory.
    Options &tls_system_authorities(bool trust) {
        return apply(mqtt_options_set_tls_system_authorities(get(), trust));
    }
    Options &add_tls_authority_file(const Text &path) {
        return apply(mqtt_options_add_tls_authority_file(get(), path.c_str()));
    }
    Options &add_tls_authority_pem(Bytes pem) {
        return apply(mqtt_options_add_tls_authority_pem(get(), pem.data(), pem.size()));
    }
    /// No key (nullptr) when the certificate's file holds it too; no password for one that is not
    /// encrypted.
    Options &tls_certificate_files(const Text &certificate, const Text &key = nullptr,
                                   const Text &key_password = nullptr) {
        return apply(mqtt_options_set_tls_certificate_files(
            get(), certificate.c_str(), key.c_str(), key_password.c_str()));
    }
    /// The same from memory.
    Options &tls_certificate_pem(Bytes certificate, Bytes key = {},
                                 const Text &key_password = nullptr) {
        return apply(mqtt_options_set_tls_certificate_pem(get(), certificate.data(),
                                                          certificate.size(), key.data(),
                                                          key.size(), key_password.c_str()));
    }
    Options &tls_server_name(const Text &name) {
        return apply(mqtt_options_set_tls_server_name(get(), name.c_str()));
    }
    Options &tls_verify(bool verify) { return apply(mqtt_options_set_tls_verify(get(), verify)); }

    // The will, and what CONNECT says under MQTT 5.0.
    Options &will(const Text &topic, Bytes payload, QoS qos = QoS::at_most_once,
                  bool retain = false) {
        return apply(set_will(topic, payload, qos, retain, nullptr));
    }
    Options &will(const Text &topic, Bytes payload, QoS qos, bool retain,
                  const Properties &properties) {
        return apply(set_will(topic, payload, qos, retain, properties.get()), properties);
    }
    Options &clear_will() { return apply(mqtt_options_clear_will(get())); }
    Options &add_connect_properties(const Properties &properties) {
        return apply(mqtt_options_add_connect_properties(get(), properties.get()), properties);
    }
    Options &maximum_packet_size(std::uint32_t size) {
        return apply(mqtt_options_set_maximum_packet_size(get(), size));
    }
    Options &receive_maximum(std::int32_t maximum) {
        return apply(mqtt_options_set_receive_maximum(get(), maximum));
    }

  private:
    mqtt_status set_will(const Text &topic, Bytes payload, QoS qos, bool retain,
                         const mqtt_properties *properties) {
        return mqtt_options_set_will(get(), topic.c_str(), payload.data(), payload.size(),
                                     detail::number(qos), retain, properties);
    }
};

/// How messages are published. One object serves any number of publishes.
class PublishOptions
    : public detail::Builder<PublishOptions, mqtt_publish_options, mqtt_publish_options_new,
                             mqtt_publish_options_free> {
  public:
    PublishOptions() = default;
    explicit PublishOptions(std::nothrow_t form) : Builder(form) {}

    PublishOptions &qos(QoS qos) {
        return apply(mqtt_publish_options_set_qos(get(), detail::number(qos)));
    }
    PublishOptions &retain(bool retain) {
        return apply(mqtt_publish_options_set_retain(get(), retain));
    }
    /// How long the message waits for being sent; forever for no limit.
    PublishOptions &time_to_live(Timeout time) {
        return apply(mqtt_publish_options_set_time_to_live(get(), time.milliseconds()));
    }
    PublishOptions &properties(const Properties &properties) {
        return apply(mqtt_publish_options_set_properties(get(), properties.get()), properties);
    }
};

/// How filters are subscribed to.
class SubscribeOptions
    : public detail::Builder<SubscribeOptions, mqtt_subscribe_options, mqtt_subscribe_options_new,
                             mqtt_subscribe_options_free> {
  public:
    SubscribeOptions() = default;
    explicit SubscribeOptions(std::nothrow_t form) : Builder(form) {}

    SubscribeOptions &qos(QoS qos) {
        return apply(mqtt_subscribe_options_set_qos(get(), detail::number(qos)));
    }
    SubscribeOptions &no_local(bool no_local) {
        return apply(mqtt_subscribe_options_set_no_local(get(), no_local));
    }
    SubscribeOptions &retain_as_published(bool retain) {
        return apply(mqtt_subscribe_options_set_retain_as_published(get(), retain));
    }
    SubscribeOptions &retain_handling(RetainHandling handling) {
        return apply(
            mqtt_subscribe_options_set_retain_handling(get(), detail::number(handling)));
    }
    SubscribeOptions &properties(const Properties &properties) {
        return apply(mqtt_subscribe_options_set_properties(get(), properties.get()), properties);
    }
};

} // namespace mqttsession

#endif
