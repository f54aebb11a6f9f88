// Operations and events, and what outlives its session. Argument: the address of a broker that
// answers everything.
#include "check.hpp"

using namespace mqttsession;
using namespace std::chrono_literals;

// Sees every event once.
class Watch {
  public:
    explicit Watch(Counter &connected) : connected_(connected) {}

    void operator()(const Event &event) {
        kinds_.push_back(event.kind());
        if (event.kind() == EventKind::connected) {
            CHECK(event.client_id() == "operation");
            CHECK(!event.session_present() && event.properties().empty() && !event.error());
            CHECK(event.filter().empty() && event.delay() == 0ms);
            connected_.add();
        }
        if (event.kind() == EventKind::disconnected)
            CHECK(kinds_ == (std::vector<EventKind>{EventKind::connecting, EventKind::connected,
                                                    EventKind::disconnected}));
    }

  private:
    Counter &connected_;
    std::vector<EventKind> kinds_;
};

int main(int count, char **arguments) {
    CHECK(count == 2);
    Counter connected, ended, destroyed;
    std::optional<Operation> orphan;
    {
        const Session session(Options().address(arguments[1]).client_id("operation"));
        session.set_event_handler(Watch(connected));
        CHECK(session.state() == State::disconnected && !session.last_failure());
        CHECK_THROWS(MQTT_TIMEOUT, session.subscribe_start({"early"}, SubscribeOptions(),
                                                           [](const Message &) {})
                                       .wait(0s));
        session.connect_start().wait(deadline);
        CHECK(connected.reaches(1) && session.state() == State::connected);
        session.connect(0s);

        const std::vector<std::string> filters{"a", "b/+", "c/#"};
        Operation subscribing =
            session.subscribe_start(filters, SubscribeOptions().qos(QoS::at_least_once),
                                    [token = Token(destroyed)](const Message &) {});
        subscribing.wait(deadline);
        CHECK(subscribing.granted(2) == QoS::at_least_once);
        CHECK_THROWS(MQTT_INVALID_ARGUMENT, subscribing.granted(3));
        std::move(subscribing)
            .on_end([&, token = Token(destroyed)](const Operation &operation,
                                                  const Result<void> &result) {
                CHECK(result.ok() && operation.granted(0) == QoS::at_least_once);
                ended.add();
            });
        CHECK(ended.reaches(1) && destroyed.reaches(1));

        session.unsubscribe_start("a").wait(deadline);
        session.unsubscribe_all(deadline);
        CHECK(destroyed.reaches(2));
        session.flush_start().wait(deadline);
        orphan = session.flush_start();
        session.disconnect_start(deadline).wait(deadline);
        CHECK(session.state() == State::disconnected);
        CHECK_THROWS(MQTT_NOT_CONNECTED, session.publish("a", ""));
    }
    CHECK(orphan->wait(std::nothrow, deadline).ok());
    orphan.reset();
    check_all_freed();
}
