// Calls from inside a message handler while messages keep arriving. Arguments: the address, and
// "publish", "subscribe", "unsubscribe", "disconnect" or "destroy".
#include "check.hpp"

using namespace mqttsession;

static void act(std::unique_ptr<Session> &session, const std::string &what, Counter &destroyed) {
    if (what == "publish") {
        session->wait(session->publish("demo/out", "hello", QoS::exactly_once), deadline);
        session->flush(deadline);
    } else if (what == "subscribe") {
        const auto granted = session->subscribe("demo/more", QoS::at_least_once,
                                                [token = Token(destroyed)](const Message &) {});
        CHECK(granted.has_value());
        session->unsubscribe("demo/more", deadline);
    } else if (what == "unsubscribe") {
        session->unsubscribe("demo/in", deadline);
        // The callable that is running outlives its subscription.
        CHECK(destroyed.value() == 0);
    } else if (what == "disconnect") {
        session->disconnect(deadline);
    } else {
        session.reset();
        CHECK(destroyed.value() == 0);
    }
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    const std::string what = arguments[2];
    Counter subscribed, called, done, destroyed;
    auto session = std::make_unique<Session>(connected(arguments[1], "inside"));
    session->subscribe("demo/in", QoS::at_least_once,
                       [&, token = Token(destroyed)](const Message &message) {
                           CHECK(message.topic() == "demo/in");
                           if (called.add() == 10) {
                               // Destroying is the one call that must be the last.
                               CHECK(subscribed.reaches(1));
                               act(session, what, destroyed);
                               done.add();
                           }
                       });
    subscribed.add();
    CHECK(done.reaches(1));
    if (what == "publish" || what == "subscribe")
        CHECK(called.reaches(1000));
    if (session)
        session->disconnect(deadline);
    session.reset();
    CHECK(destroyed.reaches(what == "subscribe" ? 2 : 1));
    // A callback that has destroyed its session is still returning.
    CHECK(mqtt_library_shutdown(Timeout(deadline).milliseconds()) == MQTT_OK);
    check_all_freed();
}
