// The mqttSession object of the WLanguage family.

#ifndef MQTTSESSION_WLANGUAGE_HPP
#define MQTTSESSION_WLANGUAGE_HPP

#include "../mqttsession_wlanguage.h"
#include "owner.hpp"
#include "value.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mqttsession {

namespace detail {

/// The value of a property of mqttSession: text, a number, a truth or a duration.
class Setting {
  public:
    Setting(const char *text) : text_(text ? text : "") {}
    Setting(const std::string &text) : text_(text) {}
    Setting(std::string_view text) : text_(text) {}
    Setting(bool truth) : text_(truth ? "true" : "false") {}
    Setting(int number) : text_(std::to_string(number)) {}
    template <class Number, class Period>
    Setting(std::chrono::duration<Number, Period> time)
        : text_(std::to_string(Timeout(time).milliseconds()) + " ms") {}

    const std::string &text() const noexcept { return text_; }

  private:
    std::string text_;
};

/// The procedures of all mqttSession objects. The C functions do not say when they have called one
/// for the last time; so they are given its number, and a call that comes too late finds nothing.
class Procedures {
  public:
    using Number = std::uintptr_t;

    /// Never destroyed: procedures may still run while the program's static objects are.
    static Procedures &all() {
        static Procedures *const all = new Procedures;
        return *all;
    }

    /// Ascending; the topic is empty for the procedure of a publication.
    Number add(::mqttSession *session, const char *topic, std::shared_ptr<void> callable) {
        const std::lock_guard<std::mutex> lock(mutex_);
        list_.emplace(Key(session, ++last_), Procedure{topic, std::move(callable)});
        return last_;
    }

    std::shared_ptr<void> find(::mqttSession *session, Number number) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = list_.find(Key(session, number));
        return found == list_.end() ? nullptr : found->second.callable;
    }

    /// No further call of those `chosen(number, topic)` comes; a running one goes on.
    template <class Chosen>
    void remove_if(::mqttSession *session, Chosen chosen) {
        // Destroyed outside the lock: a callable may use the library in its destructor.
        std::vector<std::shared_ptr<void>> removed;
        const std::lock_guard<std::mutex> lock(mutex_);
        auto next = list_.lower_bound(Key(session, 0));
        while (next != list_.end() && next->first.first == session) {
            if (chosen(next->first.second, next->second.topic)) {
                removed.push_back(std::move(next->second.callable));
                next = list_.erase(next);
            } else {
                ++next;
            }
        }
    }

    void remove(::mqttSession *session, Number number) {
        remove_if(session, [&](Number candidate, auto &) { return candidate == number; });
    }

    /// The number that was given last.
    Number last() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return last_;
    }

  private:
    using Key = std::pair<::mqttSession *, Number>;

    struct Procedure {
        std::string topic;
        std::shared_ptr<void> callable;
    };

    std::mutex mutex_;
    Number last_ = 0;
    std::map<Key, Procedure> list_;
};

/// Ends an mqttSession and lets go of its procedures, but not of those that a new one at the same
/// address has been given meanwhile.
inline void end(::mqttSession *session) noexcept {
    const Procedures::Number last = Procedures::all().last();
    mqttSessionFree(session);
    Procedures::all().remove_if(session, [&](auto number, auto &) { return number <= last; });
}

} // namespace detail

namespace wlanguage {

using ::mqttQualiteAuMoinsUneFois;
using ::mqttQualiteAuPlusUneFois;
using ::mqttQualiteExactementUneFois;
using ::mqttQualityAtLeastOnce;
using ::mqttQualityAtMostOnce;
using ::mqttQualityExactlyOnce;
using ::optionSSL;

/// The text of this thread's last failure, "" if there was none.
inline std::string ErrorInfo() { return MQTTErrorInfo(); }
inline std::string ErreurInfo() { return MQTTErreurInfo(); }

/// A session as the WLanguage family knows it; mqttsession_wlanguage.h is its manual. Functions
/// that answer bool answer false on failure, and ErrorInfo() says why.
class mqttSession {
  public:
    mqttSession() : object_(mqttSessionNew()) {}

    // ---- Properties. A change has an effect at the next connect.

    using Setting = detail::Setting;

    bool Address(const Setting &value) { return Set("Address", value); }
    bool Port(const Setting &value) { return Set("Port", value); }
    bool Option(const Setting &value) { return Set("Option", value); }
    /// Seconds, a std::chrono duration, or text such as "500 ms".
    bool ConnectionTimeout(const Setting &value) { return Set("ConnectionTimeout", value); }
    bool User(const Setting &value) { return Set("User", value); }
    bool UserPassword(const Setting &value) { return Set("UserPassword", value); }
    bool PrivateKey(const Setting &value) { return Set("PrivateKey", value); }
    bool PrivateKeyPassword(const Setting &value) { return Set("PrivateKeyPassword", value); }
    bool ClientID(const Setting &value) { return Set("ClientID", value); }
    bool CleanSession(const Setting &value) { return Set("CleanSession", value); }
    bool CACertificate(const Setting &value) { return Set("CACertificate", value); }
    bool StoreDirectory(const Setting &value) { return Set("StoreDirectory", value); }
    bool ProtocolVersion(const Setting &value) { return Set("ProtocolVersion", value); }

    bool Adresse(const Setting &value) { return Address(value); }
    bool DelaiConnexion(const Setting &value) { return ConnectionTimeout(value); }
    bool TimeoutConnexion(const Setting &value) { return ConnectionTimeout(value); }
    bool Utilisateur(const Setting &value) { return User(value); }
    bool MotDePasseUtilisateur(const Setting &value) { return UserPassword(value); }
    bool ClePrivee(const Setting &value) { return PrivateKey(value); }
    bool MotDePasseClePrivee(const Setting &value) { return PrivateKeyPassword(value); }
    bool IDClient(const Setting &value) { return ClientID(value); }
    bool SessionPropre(const Setting &value) { return CleanSession(value); }
    bool SessionVide(const Setting &value) { return CleanSession(value); }
    bool CertificatAC(const Setting &value) { return CACertificate(value); }
    bool RepertoireStockage(const Setting &value) { return StoreDirectory(value); }
    bool VersionProtocole(const Setting &value) { return ProtocolVersion(value); }

    /// Sets a property by any of its names.
    bool Set(const mqttsession::Text &property, const Setting &value) {
        const mqttsession::Text text(value.text());
        return mqttSessionSet(get(), property.c_str(), text.c_str()) != 0;
    }

    /// Reads a property back; nothing for one that does not exist or is a secret.
    std::optional<std::string> Text(const mqttsession::Text &property) const {
        const std::int64_t size = mqttSessionText(get(), property.c_str(), nullptr, 0);
        if (size < 0)
            return std::nullopt;
        std::string text(static_cast<std::size_t>(size), '\0');
        mqttSessionText(get(), property.c_str(), text.data(), text.size() + 1);
        return text;
    }

    // ---- Functions.

    bool Connect() { return MQTTConnect(get()) != 0; }
    bool Connecte() { return Connect(); }

    bool Disconnect() { return MQTTDisconnect(get()) != 0; }
    bool Deconnecte() { return Disconnect(); }

    /// The message number for QoS 1 and 2, 0 for QoS 0, -1 on failure.
    std::int64_t Publish(const mqttsession::Text &topic, Bytes data, bool to_store = false,
                         std::int32_t quality = mqttQualityAtMostOnce) {
        return MQTTPublish(get(), topic.c_str(), data.data(), data.size(), to_store, quality,
                           nullptr, nullptr);
    }
    /// Calls `procedure(mqttSession &session, std::int64_t message_number)` when the publication is
    /// complete. One that fails has no call; its procedure is kept as long as the session.
    template <class Procedure,
              mqttsession::detail::Calls<Procedure, mqttSession &, std::int64_t> = 0>
    std::int64_t Publish(const mqttsession::Text &topic, Bytes data, bool to_store,
                         std::int32_t quality, Procedure &&procedure) {
        using Callable = std::decay_t<Procedure>;
        const auto number = detail::Procedures::all().add(
            get(), "", std::make_shared<Callable>(std::forward<Procedure>(procedure)));
        const std::int64_t published =
            MQTTPublish(get(), topic.c_str(), data.data(), data.size(), to_store, quality,
                        on_published<Callable>, reinterpret_cast<void *>(number));
        if (published < 0)
            detail::Procedures::all().remove(get(), number);
        return published;
    }
    template <class... Arguments>
    std::int64_t Publie(const mqttsession::Text &topic, Bytes data, Arguments &&...arguments) {
        return Publish(topic, data, std::forward<Arguments>(arguments)...);
    }

    /// Calls `procedure(mqttSession &session, std::string_view topic, std::string_view data)` once
    /// for each message.
    template <class Procedure, mqttsession::detail::Calls<Procedure, mqttSession &,
                                                          std::string_view, std::string_view> = 0>
    bool Subscribe(const mqttsession::Text &topic, std::int32_t quality, Procedure &&procedure) {
        using Callable = std::decay_t<Procedure>;
        auto &procedures = detail::Procedures::all();
        const auto number = procedures.add(
            get(), topic.c_str(), std::make_shared<Callable>(std::forward<Procedure>(procedure)));
        const bool granted = MQTTSubscribe(get(), topic.c_str(), quality, on_message<Callable>,
                                           reinterpret_cast<void *>(number)) != 0;
        const mqtt_status failure = granted ? MQTT_OK : mqtt_last_error_status();
        // After these two the subscription goes on.
        if (granted || failure == MQTT_TIMEOUT || failure == MQTT_WOULD_DEADLOCK) {
            procedures.remove_if(get(), [&](auto earlier, const std::string &its) {
                return earlier < number && its == topic.c_str();
            });
        } else {
            procedures.remove(get(), number);
        }
        return granted;
    }
    template <class Procedure>
    bool Abonne(const mqttsession::Text &topic, std::int32_t quality, Procedure &&procedure) {
        return Subscribe(topic, quality, std::forward<Procedure>(procedure));
    }

    bool Unsubscribe(const mqttsession::Text &topic) {
        const bool done = MQTTUnsubscribe(get(), topic.c_str()) != 0;
        detail::Procedures::all().remove_if(
            get(), [&](auto, const std::string &its) { return its == topic.c_str(); });
        return done;
    }
    bool Desabonne(const mqttsession::Text &topic) { return Unsubscribe(topic); }

    bool UnsubscribeAll() {
        const bool done = MQTTUnsubscribeAll(get()) != 0;
        detail::Procedures::all().remove_if(
            get(), [](auto, const std::string &its) { return !its.empty(); });
        return done;
    }
    bool DesabonneTout() { return UnsubscribeAll(); }

    ::mqttSession *get() const noexcept { return object_.get(); }

  private:
    explicit mqttSession(::mqttSession *session) noexcept : object_(session) {}

    template <class Callable>
    static void on_message(::mqttSession *session, const char *topic, const void *data,
                           std::size_t size, void *number) noexcept {
        call<Callable>(session, number, std::string_view(topic),
                       std::string_view(static_cast<const char *>(data), size));
    }

    template <class Callable>
    static void on_published(::mqttSession *session, std::int64_t message_number,
                             void *number) noexcept {
        call<Callable>(session, number, message_number);
        detail::Procedures::all().remove(session, reinterpret_cast<std::uintptr_t>(number));
    }

    template <class Callable, class... Arguments>
    static void call(::mqttSession *session, void *number, Arguments... arguments) noexcept {
        const auto callable =
            detail::Procedures::all().find(session, reinterpret_cast<std::uintptr_t>(number));
        if (!callable)
            return;
        mqttSession lent(session);
        detail::run([&] { (*static_cast<Callable *>(callable.get()))(lent, arguments...); });
        static_cast<void>(lent.object_.release());
    }

    detail::Owner<::mqttSession, detail::end> object_;
};

} // namespace wlanguage

} // namespace mqttsession

#endif
