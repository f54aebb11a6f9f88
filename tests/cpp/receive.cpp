// What a message shows, keeping it beyond its session, and acknowledging it later. Argument: the
// address of a broker that sends one message.
#include "check.hpp"

#include <thread>

using namespace mqttsession;

static void check_message(const Message &message) {
    CHECK(message.topic() == "demo/in");
    CHECK(message.payload() == "hello");
    CHECK(message.qos() == QoS::at_least_once);
    CHECK(message.retain());
    CHECK(!message.duplicate());
    CHECK(message.properties().size() == 1);
    CHECK(message.properties().find(MQTT_PROPERTY_CONTENT_TYPE)->value == "text/plain");
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    Counter received;
    std::optional<OwnedMessage> kept;
    std::optional<Acknowledgement> right;
    {
        const Session session(Options().address(arguments[1]).version(Version::v5));
        session.connect(deadline);
        session.subscribe("demo/in", SubscribeOptions().qos(QoS::at_least_once),
                          [&](const Message &message) {
                              check_message(message);
                              right = message.acknowledgement();
                              kept = message.keep();
                              CHECK_THROWS(MQTT_INVALID_ARGUMENT, message.acknowledgement());
                              CHECK_THROWS(MQTT_INVALID_ARGUMENT, message.fail());
                              received.add();
                          });
        CHECK(received.reaches(1));
        check_message(*kept);
        CHECK(kept->fail(std::nothrow).status() == MQTT_INVALID_ARGUMENT);
        CHECK(right->send(std::nothrow).ok());
        CHECK_THROWS(MQTT_INVALID_ARGUMENT, right->send());
        CHECK_THROWS(MQTT_INVALID_ARGUMENT, right->refuse(MQTT_REASON_QUOTA_EXCEEDED));
        // It leaves when the handler has returned, too.
        while (session.statistic(MQTT_STATISTIC_UNACKNOWLEDGED) != 0)
            std::this_thread::yield();
        session.disconnect(deadline);
    }
    check_message(*kept);
    OwnedMessage copy = kept->keep();
    kept.reset();
    check_message(copy);
    kept = std::move(copy);
    check_message(*kept);
    kept.reset();
    right.reset();
    check_all_freed();
}
