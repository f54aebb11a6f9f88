// Payloads that are moved in or shared: they arrive, are not copied, and are let go of once. Arguments:
// the address of a broker that answers everything.
#include "check.hpp"

#include <array>

using namespace mqttsession;

static constexpr std::size_t large = 16 << 10;

// What does not own its bytes, or stays with the caller, is not lent by mistake.
static_assert(std::is_constructible_v<Lent, std::string>);
static_assert(std::is_constructible_v<Lent, std::vector<std::byte>>);
static_assert(!std::is_constructible_v<Lent, std::string &>);
static_assert(!std::is_constructible_v<Lent, const std::string>);
static_assert(!std::is_constructible_v<Lent, std::string_view>);
static_assert(!std::is_constructible_v<Lent, const char *>);
static_assert(!std::is_constructible_v<Lent, std::array<char, 4>>);
static_assert(!std::is_constructible_v<Lent, std::vector<int>>);
static_assert(!std::is_constructible_v<Lent, std::vector<bool>>);
static_assert(!std::is_convertible_v<std::string, Lent>);
static_assert(std::is_nothrow_move_constructible_v<Lent> && !std::is_copy_constructible_v<Lent>);

// An allocator whose vectors count their memory when it is freed.
static Counter freed;

template <class Byte>
struct Counting {
    using value_type = Byte;
    Counting() = default;
    template <class Other>
    Counting(const Counting<Other> &) noexcept {}
    Byte *allocate(std::size_t size) { return std::allocator<Byte>().allocate(size); }
    void deallocate(Byte *bytes, std::size_t size) noexcept {
        std::allocator<Byte>().deallocate(bytes, size);
        freed.add();
    }
    bool operator==(const Counting &) const noexcept { return true; }
    bool operator!=(const Counting &) const noexcept { return false; }
};

using Vector = std::vector<std::byte, Counting<std::byte>>;

static Vector make_vector(std::size_t size) { return Vector(size, std::byte{'x'}); }

template <class Publish>
static void check_freed_once(Publish publish) {
    const int before = freed.value();
    publish(make_vector(large));
    CHECK(freed.reaches(before + 1));
    CHECK(freed.value() == before + 1);
}

static void check_forms(const Session &session) {
    PublishOptions options;
    options.qos(QoS::at_least_once);
    Counter ended;
    const auto handler = [&](std::uint64_t, const Result<Outcome> &outcome) {
        CHECK(outcome.ok());
        ended.add();
    };
    check_freed_once([&](Vector payload) { session.publish("demo/out", std::move(payload)); });
    check_freed_once([&](Vector payload) {
        session.publish("demo/out", std::move(payload), QoS::exactly_once, true);
    });
    check_freed_once(
        [&](Vector payload) { session.publish("demo/out", std::move(payload), options); });
    check_freed_once([&](Vector payload) {
        session.publish("demo/out", std::move(payload), options, handler);
    });
    check_freed_once([&](Vector payload) {
        CHECK(session.publish(std::nothrow, "demo/out", std::move(payload)).ok());
    });
    check_freed_once([&](Vector payload) {
        CHECK(session.publish(std::nothrow, "demo/out", Lent(std::move(payload)), options).ok());
    });
    check_freed_once([&](Vector payload) {
        CHECK(session.publish(std::nothrow, "demo/out", Lent(std::move(payload)), options, handler)
                  .ok());
    });
    CHECK(ended.reaches(2));
    // Others may share it, and what is sent may be a part of it.
    const auto owner = std::make_shared<const std::string>(2 * large, 'x');
    session.publish("demo/out", Lent(owner, Bytes(owner->data() + large, large)), options,
                    [&, token = Token(ended)](std::uint64_t, const Result<Outcome> &) {
                        CHECK(owner.use_count() > 1);
                    });
    CHECK(ended.reaches(3));
    session.flush(deadline);
}

// A small one is copied, and lives no longer than the call; an lvalue stays as it is.
static void check_copied(const Session &session) {
    const int before = freed.value();
    Vector small = make_vector(large - 1);
    session.publish("demo/out", std::move(small));
    CHECK(freed.value() == before + 1);
    const Vector kept = make_vector(large);
    std::string text(large, 'x');
    session.publish("demo/out", kept);
    session.publish("demo/out", text);
    CHECK(kept.size() == large && text.size() == large);
    session.publish("demo/out", "text");
    session.publish("demo/out", {});
    session.publish("demo/out", std::string_view("text"));
    session.publish("demo/out", std::to_string(21.5), QoS::at_least_once);
}

// Publishing that fails lets it go, too, and no handler is called.
static void check_refused(const Session &session) {
    for (const std::size_t size : {std::size_t{1}, large}) {
        const int before = freed.value();
        CHECK_THROWS(MQTT_INVALID_TOPIC, session.publish("demo/#", make_vector(size)));
        CHECK(freed.value() == before + 1);
        Counter destroyed;
        CHECK(session
                  .publish(std::nothrow, "demo/#", Lent(make_vector(size)), PublishOptions(),
                           [token = Token(destroyed)](std::uint64_t, const Result<Outcome> &) {
                               CHECK(false);
                           })
                  .status() == MQTT_INVALID_TOPIC);
        CHECK(freed.value() == before + 2 && destroyed.value() == 1);
    }
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    {
        const Session session = connected(arguments[1], "lent");
        check_forms(session);
        check_copied(session);
        check_refused(session);
        session.disconnect(deadline);
    }
    check_all_freed();
}
