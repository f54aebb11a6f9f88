// Publishing at each quality of service: handler once, wait, flush; and waits that pass, in both
// forms. Arguments: the address, and "ended", or "unanswered" for a broker that never acknowledges.
#include "check.hpp"

using namespace mqttsession;
using namespace std::chrono_literals;

static void check_ended(const Session &session) {
    Counter ended, destroyed;
    std::uint64_t last = 0;
    int count = 0;
    for (const QoS qos : {QoS::at_most_once, QoS::at_least_once, QoS::exactly_once}) {
        const std::uint64_t number = session.publish(
            "demo/out", "hello", PublishOptions().qos(qos),
            [&, token = Token(destroyed)](std::uint64_t its, const Result<Outcome> &outcome) {
                CHECK(its > 0 && outcome.ok() && outcome.value().ok());
                CHECK(destroyed.value() == ended.value());
                ended.add();
            });
        CHECK(number > last);
        last = number;
        CHECK(session.wait(number, deadline).reason() == MQTT_REASON_SUCCESS);
        ++count;
        CHECK(ended.reaches(count) && destroyed.reaches(count));
    }
    CHECK(session.publish(std::nothrow, "demo/out", "hello", PublishOptions()).value() > last);
    session.flush(deadline);
    CHECK(session.statistic(MQTT_STATISTIC_PUBLISHED) == 4);
    CHECK_THROWS(MQTT_INVALID_TOPIC, session.publish("demo/#", "hello"));
    CHECK(session.publish(std::nothrow, "demo/#", "").status() == MQTT_INVALID_TOPIC);
    session.disconnect(deadline);
    CHECK(ended.value() == 3 && destroyed.value() == 3);
}

static void check_unanswered(const Session &session) {
    Counter ended;
    const std::uint64_t number = session.publish(
        "demo/out", "hello", PublishOptions().qos(QoS::at_least_once),
        [&](std::uint64_t, const Result<Outcome> &outcome) {
            CHECK(outcome.status() == MQTT_CANCELLED);
            ended.add();
        });
    CHECK_THROWS(MQTT_TIMEOUT, session.wait(number, 0s));
    CHECK(session.wait(std::nothrow, number, 10ms).status() == MQTT_TIMEOUT);
    CHECK_THROWS(MQTT_TIMEOUT, session.flush(10ms));
    const Operation flushing = session.flush_start();
    CHECK(flushing.wait(std::nothrow, 0s).status() == MQTT_TIMEOUT);
    CHECK(ended.value() == 0);
    // Disconnecting gives it up.
    CHECK_THROWS(MQTT_CANCELLED, session.disconnect(10ms));
    CHECK(ended.reaches(1));
    flushing.wait(deadline);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    {
        const Session session = connected(arguments[1], "publish");
        if (arguments[2] == std::string("ended"))
            check_ended(session);
        else
            check_unanswered(session);
    }
    check_all_freed();
}
