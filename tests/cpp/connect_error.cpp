// An attempt to connect that fails, thrown and returned. Arguments: the address, the name of the
// status, the layer, the limit of the attempt in milliseconds.
#include "check.hpp"

using namespace mqttsession;

int main(int count, char **arguments) {
    CHECK(count == 5);
    const std::string name = arguments[2], layer = arguments[3];
    const auto is_it = [&](const Error &error) {
        CHECK(error.name() == name);
        CHECK(error.layer() == layer);
        CHECK(*error.what() != '\0');
        CHECK(error.reason().has_value() == (name == "MQTT_BAD_CREDENTIALS"));
        return true;
    };
    const Options options = std::move(
        Options().address(arguments[1]).connect_timeout(std::chrono::milliseconds(
            std::atoi(arguments[4]))));
    {
        const Session session(options);
        bool caught = false;
        try {
            session.connect();
        } catch (const Error &error) {
            caught = is_it(error);
        }
        CHECK(caught && is_it(session.last_failure().value()));
        CHECK(session.state() == State::disconnected);
    }
    const Session session(options);
    CHECK(is_it(session.connect(std::nothrow).error()));
    CHECK(is_it(session.connect_start(std::nothrow).value().wait(std::nothrow, forever).error()));
}
