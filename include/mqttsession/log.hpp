// Log lines.

#ifndef MQTTSESSION_LOG_HPP
#define MQTTSESSION_LOG_HPP

#include "owner.hpp"
#include "value.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mqttsession {

/// Sets `handler(LogLevel level, std::string_view line)` for the whole process; nullptr for none
/// any more. It may be called on any thread, on several at once, and must not call the library.
template <class Handler, detail::Calls<Handler, LogLevel, std::string_view> = 0>
void set_log(LogLevel level, Handler &&handler) {
    using Triple = detail::Triple<std::decay_t<Handler>>;
    void *const user_data = detail::keep(std::forward<Handler>(handler));
    detail::result(mqtt_library_set_log(detail::number(level), Triple::log, user_data,
                                        Triple::destroy))
        .value();
}
inline void set_log(std::nullptr_t) {
    detail::result(mqtt_library_set_log(MQTT_LOG_OFF, nullptr, nullptr, nullptr)).value();
}

namespace detail {

template <class Function>
void Triple<Function>::log(std::int32_t level, const char *text, void *user_data) noexcept {
    run([&] { call(user_data, static_cast<LogLevel>(level), std::string_view(text)); });
}

} // namespace detail

} // namespace mqttsession

#endif
