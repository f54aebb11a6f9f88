// Payloads that are lent.

#ifndef MQTTSESSION_LENT_HPP
#define MQTTSESSION_LENT_HPP

#include "owner.hpp"
#include "value.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mqttsession {

namespace detail {

/// What owns its bytes and is moved without touching them.
template <class>
inline constexpr bool owns_bytes = false;
template <class Traits, class Allocator>
inline constexpr bool owns_bytes<std::basic_string<char, Traits, Allocator>> = true;
template <class Byte, class Allocator>
inline constexpr bool owns_bytes<std::vector<Byte, Allocator>> =
    sizeof(Byte) == 1 && !std::is_same_v<Byte, bool>;

} // namespace detail

/// A payload that is not copied, however large it is: bytes, and the owner that keeps them where and as
/// they are. The owner is let go of when the session has done with them, also when publishing fails:
/// where callbacks run, or by the publishing call.
class Lent {
  public:
    /// A std::string or std::vector of bytes that is moved in.
    template <class Container,
              class = std::enable_if_t<!std::is_const_v<Container> && detail::owns_bytes<Container>>>
    explicit Lent(Container &&bytes) {
        auto owner = std::make_shared<Container>(std::move(bytes));
        bytes_ = Bytes(*owner);
        owner_ = std::move(owner);
    }
    /// Bytes that live as long as this owner, whom others may share.
    Lent(std::shared_ptr<const void> owner, Bytes bytes) noexcept
        : owner_(std::move(owner)), bytes_(bytes) {}
    Lent(Lent &&) noexcept = default;
    Lent &operator=(Lent &&) noexcept = default;

    Bytes bytes() const noexcept { return bytes_; }

  private:
    std::shared_ptr<const void> owner_;
    Bytes bytes_;
};

namespace detail {

/// A payload that a function lends: a Lent, a std::string or a std::vector of bytes, moved in.
template <class Payload>
using Lends =
    std::enable_if_t<!std::is_const_v<Payload> &&
                         (owns_bytes<Payload> || std::is_same_v<Payload, Lent>),
                     int>;

/// A smaller payload is copied by the library in any case, and need not be moved anywhere.
inline constexpr std::size_t large_payload = 16 << 10;

inline Bytes bytes(const Lent &payload) noexcept { return payload.bytes(); }
template <class Container>
Bytes bytes(const Container &payload) noexcept {
    return payload;
}

/// A payload on its way with the handler that is told how it ended.
template <class Handler>
struct Sending {
    Lent payload;
    Handler handler;

    template <class... Arguments>
    void operator()(const Arguments &...arguments) {
        handler(arguments...);
    }
};

} // namespace detail

} // namespace mqttsession

#endif
