// The functions of mqttSession inside a procedure, while messages keep arriving. Arguments: the
// address, and "publish", "replace", "throw", "disconnect" or "destroy".
#include "check.hpp"

using namespace mqttsession::wlanguage;
using Session = mqttsession::wlanguage::mqttSession;

int main(int count, char **arguments) {
    CHECK(count == 3);
    const std::string what = arguments[2];
    Counter subscribed, called, published, done, destroyed, thrown;
    mqttsession::on_callback_exception([&](const std::exception_ptr &) { thrown.add(); });
    auto session = std::make_unique<Session>();
    CHECK(session->Address(arguments[1]) && session->ClientID("inside"));
    CHECK(session->ConnectionTimeout(deadline));
    CHECK(session->Connect());

    const auto act = [&](Session &its) {
        if (what == "publish") {
            CHECK(its.Subscribe("demo/more", mqttQualityAtLeastOnce,
                                [token = Token(destroyed)](auto &&...) {}));
            CHECK(its.Publish("demo/out", "hello", false, mqttQualityExactlyOnce,
                              [&](Session &, std::int64_t) { published.add(); }) > 0);
            CHECK(its.Unsubscribe("demo/more"));
        } else if (what == "replace") {
            CHECK(its.Subscribe("demo/in", mqttQualityAtLeastOnce,
                                [&](auto &&...) { called.add(); }));
            // The procedure that is running outlives its subscription.
            CHECK(destroyed.value() == 0);
        } else if (what == "throw") {
            throw std::runtime_error("a procedure's");
        } else if (what == "disconnect") {
            CHECK(its.Disconnect() && its.Publish("demo/out", "") == -1);
        } else {
            // Destroying is the one call that must be the last.
            CHECK(subscribed.reaches(1));
            session.reset();
            CHECK(destroyed.value() == 0);
        }
    };
    CHECK(session->Subscribe("demo/in", mqttQualityAtLeastOnce,
                             [&, token = Token(destroyed)](Session &its, auto topic, auto) {
                                 CHECK(topic == "demo/in");
                                 if (called.add() != 10)
                                     return;
                                 done.add();
                                 act(its);
                             }));
    subscribed.add();
    CHECK(done.reaches(1));
    if (what == "publish" || what == "throw")
        CHECK(called.reaches(1000));
    if (what == "replace")
        CHECK(destroyed.reaches(1));
    if (what != "destroy") {
        CHECK(session->Disconnect());
        CHECK(published.value() == (what == "publish" ? 1 : 0));
        session.reset();
    }
    CHECK(destroyed.reaches(what == "publish" ? 2 : 1));
    CHECK(thrown.value() == (what == "throw" ? 1 : 0));
    CHECK(mqtt_library_shutdown(mqttsession::Timeout(deadline).milliseconds()) == MQTT_OK);
    check_all_freed();
}
