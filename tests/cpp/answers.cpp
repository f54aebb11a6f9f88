// What the broker says beside its answers: of publishes, a subscription and an unsubscribe, for each
// filter; and, where it sends the session away, in the Error. Arguments: the address of a broker that
// explains itself, and "answers"; or of one that has moved, "moved", and where to.
#include "check.hpp"

using namespace mqttsession;
using namespace std::chrono_literals;

static bool said(const Outcome &outcome, std::string_view words, std::string_view colour) {
    return outcome.reason_string() == words &&
           outcome.properties().user_property("colour") == colour;
}

static void check_publishes(const Session &session) {
    Counter ended;
    PublishOptions options;
    options.qos(QoS::at_least_once)
        .properties(Properties()
                        .add_text(MQTT_PROPERTY_CONTENT_TYPE, "text/plain")
                        .add_user_property("from", "here"));
    const std::uint64_t well =
        session.publish("demo/out", "hello", options, [&](auto, const Result<Outcome> &outcome) {
            CHECK(outcome.value().reason() == MQTT_REASON_NO_MATCHING_SUBSCRIBERS);
            CHECK(said(outcome.value(), "nobody listens", "blue"));
            ended.add();
        });
    CHECK(said(session.wait(well, deadline), "nobody listens", "blue"));

    const std::uint64_t badly =
        session.publish("demo/out", "hello", options, [&](auto, const Result<Outcome> &outcome) {
            const Error &error = outcome.error();
            CHECK(error.status() == MQTT_PUBLISH_REFUSED);
            CHECK(error.reason() == MQTT_REASON_QUOTA_EXCEEDED);
            CHECK(error.reason_string() == "too much");
            CHECK(error.user_properties().size() == 1);
            CHECK(error.user_properties()[0].first == "colour");
            CHECK(error.user_properties()[0].second == "red");
            ended.add();
        });
    CHECK_THROWS(MQTT_PUBLISH_REFUSED, session.wait(badly, deadline));
    CHECK(ended.reaches(2));
    CHECK(session.statistic(MQTT_STATISTIC_REFUSED) == 1);
}

static void check_filters(const Session &session) {
    const std::vector<std::string> filters{"a", "b", "c"};
    const Operation subscribing =
        session.subscribe_start(filters, SubscribeOptions(), [](const Message &) {});
    subscribing.wait(deadline);
    CHECK(subscribing.granted(0) == QoS::at_most_once && subscribing.outcome(0)->ok());
    CHECK(subscribing.outcome(1)->status() == MQTT_SUBSCRIBE_REFUSED);
    CHECK(subscribing.outcome(1)->reason() == MQTT_REASON_NOT_AUTHORIZED);
    CHECK(said(*subscribing.outcome(1), "not b", "green"));
    CHECK(!subscribing.outcome(3));

    Properties properties;
    properties.add_user_property("why", "enough");
    const Operation first = session.unsubscribe_many_start(filters, properties);
    first.wait(deadline);
    CHECK(first.outcome(1)->reason() == MQTT_REASON_NO_SUBSCRIPTION_EXISTED);
    CHECK(first.outcome(2)->status() == MQTT_UNSUBSCRIBE_REFUSED);
    const Operation second = session.unsubscribe_many_start({"a", "b"}, properties);
    second.wait(deadline);
    CHECK(said(*second.outcome(0), "gone already", "grey"));
}

static void check_moved(const char *address, const char *elsewhere) {
    const Session session(Options().address(address).version(Version::v5));
    const Result<void> result = session.connect(std::nothrow, deadline);
    CHECK(result.status() == MQTT_SERVER_MOVED);
    CHECK(result.error().server_reference() == elsewhere);
    CHECK(result.error().user_properties()[0].second == "full");
}

int main(int count, char **arguments) {
    CHECK(count >= 3);
    if (arguments[2] == std::string("moved")) {
        check_moved(arguments[1], arguments[3]);
    } else {
        const Session session(Options().address(arguments[1]).version(Version::v5));
        session.connect(deadline);
        const Connection connection = session.connection();
        CHECK(!connection.session_present() && connection.properties().empty());
        CHECK(connection.number(MQTT_PROPERTY_RECEIVE_MAXIMUM) == 65'535U);
        CHECK(!connection.number(MQTT_PROPERTY_SERVER_KEEP_ALIVE));
        check_publishes(session);
        check_filters(session);
        session.disconnect(deadline);
    }
    check_all_freed();
}
