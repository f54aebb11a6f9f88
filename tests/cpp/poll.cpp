// Callbacks on the caller's own thread. Argument: the address of a broker that delivers three
// messages.
#include "check.hpp"

#include <poll.h>

#include <thread>

using namespace mqttsession;
using namespace std::chrono_literals;

int main(int count, char **arguments) {
    CHECK(count == 2);
    {
        const Session session(Options().address(arguments[1]).dispatch(Dispatch::polled));
        session.connect(deadline);
        const auto here = std::this_thread::get_id();
        int received = 0;
        session.subscribe("demo/in", QoS::at_least_once, [&](const Message &) {
            CHECK(std::this_thread::get_id() == here);
            CHECK_THROWS(MQTT_BUSY, session.poll(0s));
            ++received;
        });
        pollfd readable{session.descriptor(), POLLIN, 0};
        while (received < 3) {
            CHECK(::poll(&readable, 1, static_cast<int>(Timeout(deadline).milliseconds())) == 1);
            CHECK(session.poll(deadline, 1) <= 1);
        }
        session.disconnect(deadline);
    }
    CHECK_THROWS(MQTT_NOT_SUPPORTED, Session().poll(0s));
    CHECK(Session().descriptor(std::nothrow).status() == MQTT_NOT_SUPPORTED);
    check_all_freed();
}
