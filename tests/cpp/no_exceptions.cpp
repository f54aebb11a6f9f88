// A program without exceptions and without run-time types. Argument: the address of a broker that
// answers everything.
#include "check.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is to be compiled without them"
#endif

using namespace mqttsession;

int main(int count, char **arguments) {
    CHECK(count == 2);
    Counter ended;
    {
        Options options(std::nothrow);
        options.address(arguments[1]);
        const auto session = Session::make(std::nothrow, options);
        CHECK(session.ok());
        CHECK(session.value().publish(std::nothrow, "a", "").status() == MQTT_NOT_CONNECTED);
        CHECK(session.value().connect(std::nothrow, deadline).ok());
        PublishOptions exactly_once(std::nothrow);
        exactly_once.qos(QoS::exactly_once);
        const auto number =
            session.value().publish(std::nothrow, "demo/out", "hello", exactly_once,
                                    [&](std::uint64_t, const Result<Outcome> &outcome) {
                                        CHECK(outcome.ok());
                                        ended.add();
                                    });
        const std::string large(16 << 10, 'x');
        CHECK(session.value().publish(std::nothrow, "demo/out", std::string(large)).ok());
        CHECK(number.ok() && session.value().wait(std::nothrow, number.value(), deadline).ok());
        CHECK(ended.reaches(1));
        CHECK(session.value().disconnect(std::nothrow, deadline).ok());
    }
    check_all_freed();
}
